"""The configuration of the pipeline's identity: what Entra refuses halfway is refused before."""

from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from infra.pipeline import settings as pipeline_settings
from infra.pipeline.settings import PROJECT, Settings
from proself_mail.entra import target

OWNER = "0b0b0b0b-0000-4000-8000-000000000b0b"


def settings(**changes: Any) -> Settings:
    values = {"tenantId": OWNER, "target": "cloud", "owners": [OWNER], "repository": "contoso/mail"}
    return Settings.model_validate(values | changes)


def connection(name: str, subject: str) -> dict[str, str]:
    return {"name": name, "issuer": "https://vstoken.dev.azure.com/1", "subject": subject}


def test_each_pipeline_has_a_credential_of_its_own() -> None:
    found = settings(
        environments=["contoso.test", "contoso"], serviceConnections=[connection("contoso", "sc")]
    ).trusted
    names = [each.name for each in found]
    assert names == ["github-contoso-test", "github-contoso", "azure-devops-contoso"]
    assert found[0].subject == "repo:contoso/mail:environment:contoso.test"


def test_a_repository_has_ids_where_its_tokens_have_them() -> None:
    [found] = settings(repository="contoso@12/mail@34", environments=["contoso"]).trusted
    assert found.subject == "repo:contoso@12/mail@34:environment:contoso"


@pytest.mark.parametrize(
    "repository",
    [
        "contoso@12/mail",
        "contoso/mail@34",
        "contoso@x/mail@34",
        "repo:contoso/mail",
        "a/b/c",
        "a/*",
    ],
)
def test_it_is_named_as_github_names_it(repository: str) -> None:
    with pytest.raises(ValidationError, match="neither GitHub's OWNER/NAME nor OWNER@ID/NAME@ID"):
        settings(repository=repository, environments=["contoso"])


@pytest.mark.parametrize("key", ["environments", "serviceConnections"])
def test_the_trust_can_be_taken_from_all(key: str) -> None:
    assert settings(**{key: []}).trusted == ()


def test_who_is_to_be_trusted_is_not_forgotten() -> None:
    with pytest.raises(ValidationError, match="name the pipelines that may sign in"):
        settings()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"environments": ["a.b", "a-b"]}, "'github-a.b' and 'github-a-b' would have the one name"),
        ({"environments": ["a", "a"]}, "would have the one name 'github-a'"),
        (
            {"serviceConnections": [connection("a.b", "1"), connection("a-b", "2")]},
            "the one name 'azure-devops-a-b'",
        ),
        (
            {"serviceConnections": [connection("a", "1"), connection("b", "1")]},
            "'azure-devops-a' and 'azure-devops-b' would trust the same subject",
        ),
    ],
)
def test_two_that_entra_takes_for_one_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(**changes)


def engine_gives(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Have the program run with a configuration as the engine gives it: a list's text is JSON."""
    given = {"tenantId": OWNER, "target": "cloud", "owners": f'["{OWNER}"]'} | changes
    found = {f"{PROJECT}:{key}": value for key, value in given.items()}
    monkeypatch.setattr(pipeline_settings, "get_config_env", lambda: found)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("repository", "", "`repository`: '' is neither GitHub's"),
        ("repository", "[contoso/mail", "`repository`: '[contoso/mail' is neither GitHub's"),
        ("owners", "[0b0b", "`owners`: "),
        ("owners", "", "`owners`: "),
    ],
)
def test_what_is_no_list_is_told_and_not_read_as_one(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str, told: str
) -> None:
    engine_gives(monkeypatch, **{"environments": '["contoso"]', key: value})
    with pytest.raises(pulumi.RunError) as refused:
        pipeline_settings.load()
    assert told in str(refused.value)


def test_a_name_may_begin_with_a_bracket(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_gives(monkeypatch, environments="[]", displayName="[test] mail")

    def checked(*_: object) -> None:
        raise pulumi.RunError("far enough")

    monkeypatch.setattr(target, "check_environment", checked)
    with pytest.raises(pulumi.RunError, match="far enough"):
        pipeline_settings.load()
