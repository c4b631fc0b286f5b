"""The stand-in plugin under Pulumi's own engine: the same requests and state as the real one."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from emulator.azuread_plugin import write_launcher
from tests.emulator import azuread_facts as facts
from tests.emulator.plugin_process import environment_of
from tests.engine import Project
from tests.tenant import Tenant

PROGRAM = Path(__file__).parent / "azuread_program"
NAMES = {
    "Application": "application",
    "ApplicationIdentifierUri": "uri",
    "ServicePrincipal": "principal",
    "ServicePrincipalDelegatedPermissionGrant": "consent",
    "ApplicationFederatedIdentityCredential": "trust",
    "ApplicationPassword": "secret-a",
}


class Stage:
    """A tenant, and a stack on it."""

    def __init__(self, tenant: Tenant, folder: Path) -> None:
        """Make the stack."""
        self.tenant = tenant
        self.plugins = write_launcher(folder / "plugins").parent
        self.project = self.another(folder / "project")

    def another(self, folder: Path) -> Project:
        """Make another stack on the same tenant."""
        return Project(folder, PROGRAM, self.plugins, environment_of(self.tenant))

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Export the state once; for tests that change nothing after that."""
        return self.project.resources()

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """Tell what reached Graph, without sign-in."""
        return [
            {**exchange, "path": unquote_plus(exchange["path"])}
            for exchange in self.tenant.history(since)
            if exchange["path"].startswith(("/v1.0/", "/beta/"))
        ]

    def now(self) -> int:
        """Give the number of the last exchange."""
        history = self.tenant.history()
        return history[-1]["n"] if history else 0

    @cached_property
    def ids(self) -> dict[str, str]:
        """Map ids to what they are called in the recorded facts; they stay the same."""
        state = {name: r["outputs"] for name, r in self.resources.items() if "id" in r}
        application = state["application"]
        return {
            application["objectId"]: "{application}",
            application["clientId"]: "{client}",
            application["owners"][0]: "{caller}",
            application["requiredResourceAccesses"][0]["resourceAccesses"][0]["id"]: "{scope}",
            state["principal"]["objectId"]: "{principal}",
            state["consent"]["resourceServicePrincipalObjectId"]: "{exchange}",
            state["consent"]["id"].rpartition("/")[2]: "{grant}",
            state["trust"]["credentialId"]: "{credential}",
            self.tenant.graph: "{graph}",
        }


@pytest.fixture(scope="module")
def running() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture(scope="module")
def stage(running: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Bring a stack up; tests that use it change nothing of it."""
    stage = Stage(running, tmp_path_factory.mktemp("stage"))
    stage.project.up().done()
    return stage


@pytest.fixture
def struck(stage: Stage) -> Iterator[Callable[..., None]]:
    """Give a way to strike the tenant's requests, which ends with the test."""
    yield stage.tenant.faults
    stage.tenant.faults()


def lines(stage: Stage, since: int = 0) -> list[str]:
    text = [f"{request['method']} {request['path']}" for request in stage.requests(since)]
    for found, name in stage.ids.items():
        text = [line.replace(found, name) for line in text]
    return text


def contains_in_order(lines: list[str], wanted: list[str]) -> bool:
    left = iter(lines)
    return all(line in left for line in wanted)


def sorted_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: sorted_lists(part) for key, part in value.items()}
    if isinstance(value, list):
        return sorted((sorted_lists(part) for part in value), key=json.dumps)
    return value


def named(stage: Stage, value: Any) -> Any:
    text = json.dumps(value)
    for found, name in stage.ids.items():
        text = text.replace(found, name)
    return json.loads(text)


def test_up_sends_what_the_real_plugin_sends(stage: Stage) -> None:
    """No request more, none less, and each resource's own in the recorded order."""
    sent = lines(stage, since=0)[:38]
    for kind, wanted in facts.CREATE.items():
        assert contains_in_order(sent, wanted), kind
    function = [
        "GET /v1.0/servicePrincipals?$filter=appId eq '00000002-0000-0ff1-ce00-000000000000'",
        "GET /beta/servicePrincipals/{exchange}?$select=samlMetadataUrl",
    ]
    assert sorted(sent) == sorted([*function, *(r for all_ in facts.CREATE.values() for r in all_)])


def test_up_writes_the_application_as_the_real_plugin_does(stage: Stage) -> None:
    """The body of the creation, and the two names patched after it."""
    writes = [r for r in stage.requests() if r["method"] != "GET"]
    created, first, second = writes[:3]
    assert sorted_lists(named(stage, created["request"])) == sorted_lists(facts.NEW_APPLICATION)
    assert re.match(r"TERRAFORM_UPDATE_[0-9a-f-]{36}$", first["request"]["displayName"])
    assert second["request"]["displayName"] == "Mail"


@pytest.mark.parametrize("kind", NAMES)
def test_state_is_what_the_real_plugin_stores(stage: Stage, kind: str) -> None:
    """Bookkeeping, nulls and defaults, so that either plugin reads the other's state."""
    resource = stage.resources[NAMES[kind]]
    outputs = resource["outputs"]
    assert outputs["id"] == resource["id"]
    assert json.loads(outputs["__meta"]) == facts.META[kind]
    assert outputs["__pulumi_raw_state_delta"] == facts.RAW_STATE_DELTA[kind]
    assert {n for n, value in outputs.items() if value is None} == facts.NULL_AFTER_UP[kind]
    assert resource["inputs"]["__defaults"] == facts.DEFAULTS[kind]
    if kind == "Application":
        assert outputs["api"]["knownClientApplications"] is None


def test_the_secret_is_marked(stage: Stage) -> None:
    """A password's value is stored as a secret, and is what the tenant accepts."""
    resource = stage.resources["secret-a"]
    assert resource["additionalSecretOutputs"] == ["value"]
    value = json.loads(resource["outputs"]["value"]["plaintext"])
    outputs = stage.project.outputs()
    assert outputs["secret-a"] == value
    client_id = outputs["clientId"]
    assert stage.tenant.sign_in(client_id=client_id, client_secret=value).status_code == 200


def test_a_second_up_changes_nothing(stage: Stage) -> None:
    before = stage.now()
    run = stage.project.up().done()
    assert "7 unchanged" in run.output
    assert [r for r in stage.requests(before) if r["method"] != "GET"] == []


def test_the_first_refresh_shows_the_recorded_noise_and_no_change(stage: Stage) -> None:
    """`preview --refresh` right after `up` reads each resource as recorded; all is unchanged."""
    before = stage.now()
    run = stage.project.preview(None, "--refresh", "--diff").done()
    assert "7 unchanged" in run.output
    shown = set(re.findall(r"^ +[+~] (?:\[\d\]|(\w+)) *:", run.output, re.MULTILINE)) - {""}
    assert shown - {"api", "azuread", "servicePrincipalNames"} == facts.FIRST_REFRESH
    sent = lines(stage, before)
    for kind, wanted in facts.REFRESH.items():
        assert contains_in_order(sent, wanted), kind


def test_changes_imports_and_the_end(running: Tenant, tmp_path: Path) -> None:
    """A stack's later life, step by step; each step begins where the one before ended."""
    stage = Stage(running, tmp_path)
    stage.project.up().done()
    a_secret_more_adds_only_that(stage)
    what_replaces_a_secret_deletes_the_old_one(stage)
    a_rename_leaves_alone_what_others_own(stage)
    every_kind_but_passwords_is_imported(stage, tmp_path)
    destroy_takes_one_deletion(stage)


def a_secret_more_adds_only_that(stage: Stage) -> None:
    before = stage.now()
    run = stage.project.up({"secrets": "a1 b1"}).done()
    assert "+ 1 created" in run.output
    writes = [r for r in stage.requests(before) if r["method"] != "GET"]
    assert [w["path"].rpartition("/")[2] for w in writes] == ["addPassword"]
    assert contains_in_order(lines(stage, before), facts.CREATE["ApplicationPassword"])


def what_replaces_a_secret_deletes_the_old_one(stage: Stage) -> None:
    """As with the real plugin: in the same update, after the new one was made."""
    before = stage.now()
    run = stage.project.up({"secrets": "a2 b1"}).done()
    assert "+-1 replaced" in run.output
    assert "[diff: ~displayName,rotateWhenChanged]" in run.output
    writes = [r["path"].rpartition("/")[2] for r in stage.requests(before) if r["method"] != "GET"]
    assert writes == ["addPassword", "removePassword"]
    assert contains_in_order(lines(stage, before), facts.DELETE_PASSWORD)


CHANGED = {"secrets": "a2 b1", "name": "Other", "audience": "AzureADMultipleOrgs"}


def a_rename_leaves_alone_what_others_own(stage: Stage) -> None:
    """Leave the identifier URI, another resource's, out of the patch."""
    before = stage.now()
    run = stage.project.up(CHANGED).done()
    assert "[diff: ~displayName,signInAudience]" in run.output
    assert lines(stage, before)[2:] == facts.RENAME
    (patch,) = (r["request"] for r in stage.requests(before) if r["method"] == "PATCH")
    expected = {
        name: value
        for name, value in facts.NEW_APPLICATION.items()
        if name not in facts.NOT_WRITTEN_BY_A_RENAME
    }
    api = {k: v for k, v in expected["api"].items() if k != "oauth2PermissionScopes"}
    expected |= {"api": api, "displayName": "Other", "signInAudience": "AzureADMultipleOrgs"}
    assert sorted_lists(patch) == sorted_lists(expected)
    assert "8 unchanged" in stage.project.up(CHANGED, "--refresh").done().output


def every_kind_but_passwords_is_imported(stage: Stage, folder: Path) -> None:
    """Into an empty stack: its next preview has only the passwords to create."""
    resources = stage.project.resources()
    other = stage.another(folder / "other")
    imports = [
        {"type": resources[name]["type"], "name": name, "id": resources[name]["id"]}
        for kind, name in NAMES.items()
        if kind != "ApplicationPassword"
    ]
    file = folder / "import.json"
    file.write_text(json.dumps({"resources": imports}), encoding="utf-8")
    quiet = ("--yes", "--generate-code=false", "--protect=false", "--skip-preview")
    other.run("import", "--file", str(file), "--stack", "dev", *quiet).done()
    run = other.preview(CHANGED).done()
    assert "+ 2 to create" in run.output
    assert "6 unchanged" in run.output
    password = resources["secret-a"]
    arguments = (password["type"], "secret-a", password["id"])
    refused = other.run("import", *arguments, "--stack", "dev", *quiet)
    assert refused.code != 0
    assert f"resource '{password['id']}' does not exist" in refused.output


def destroy_takes_one_deletion(stage: Stage) -> None:
    """All children are deleted with the application."""
    ids, before = stage.ids, stage.now()
    stage.project.run("destroy", "--yes", "--skip-preview", "--stack", "dev").done()
    sent = [f"{r['method']} {r['path']}" for r in stage.requests(before)]
    for found, name in ids.items():
        sent = [line.replace(found, name) for line in sent]
    assert sent == facts.DELETE_APPLICATION


def test_a_provider_of_its_own(stage: Stage, tmp_path: Path) -> None:
    """Configured by the program alone, its secret encrypted; a change of it replaces nothing."""
    tenant, other = stage.tenant, stage.another(tmp_path / "other")
    for name in environment_of(tenant):
        if name.startswith("ARM_"):
            del other.environment[name]
    arguments = {
        "tenant_id": tenant.tenant_id,
        "client_id": tenant.client_id,
        "client_secret": tenant.client_secret,
        "metadata_host": tenant.metadata_host,
    }
    other.environment["EXPLICIT_PROVIDER"] = json.dumps(arguments)
    assert "+ 8 created" in other.up().done().output
    inputs = other.resources()["explicit"]["inputs"]
    assert json.loads(inputs["clientSecret"]["plaintext"]) == tenant.client_secret
    assert inputs["metadataHost"] == tenant.metadata_host
    assert "8 unchanged" in other.preview(None, "--refresh").done().output

    other.environment["EXPLICIT_PROVIDER"] = json.dumps({**arguments, "use_oidc": False})
    run = other.preview().done()
    assert "~ 1 to update" in run.output
    assert "7 unchanged" in run.output


def behind(method: str, path: str, nth: int) -> dict[str, Any]:
    """Let a replica answer the nth such request that knows nothing of the last minute."""
    match = {"method": method, "path": path}
    return {"match": match, "nth": nth, "strike": "stale", "seconds": 60}


def test_an_object_that_the_reader_does_not_know_is_lost(
    stage: Stage, struck: Callable[..., None], tmp_path: Path
) -> None:
    """Read back too early: an error, no state, and an application that no stack knows."""
    other, before = stage.another(tmp_path), stage.now()
    struck(behind("GET", "/applications/*", nth=1))
    run = other.up()
    assert run.code != 0
    urn = "urn:pulumi:dev::azuread-program::azuread:index/application:Application::application"
    assert f"expected non-nil error with nil state during Create of {urn}" in run.output
    assert "application" not in other.resources()
    made = [r for r in stage.requests(before) if r["method"] == "POST"]
    assert [r["path"] for r in made] == ["/v1.0/applications"]


def test_a_failure_after_creation_is_kept_and_mended(
    stage: Stage, struck: Callable[..., None], tmp_path: Path
) -> None:
    """A reader behind after the creation: in the state as failed, updated by the next run."""
    other = stage.another(tmp_path)
    failed: dict[str, dict[str, Any]] = {}
    for name, rule, reason in (
        (
            "application",
            behind("GET", "/applications/*", nth=2),
            "Retrieving additional properties for ",
        ),
        (
            "principal",
            behind("PATCH", "/servicePrincipals/*", nth=1),
            "Timed out whilst waiting for new service principal to be replicated in Azure AD",
        ),
    ):
        struck(rule)
        run = other.up()
        assert run.code != 0
        for each in failed:
            assert f"{each} updating" in run.output
        failed[name] = other.resources()[name]
        (said,) = failed[name]["initErrors"]
        assert f"* {reason}" in said
        assert "(404 Not Found) with error: Request_ResourceNotFound" in said
        assert f"* {reason}" in run.output
    again = other.up().done()
    assert "principal updating" in again.output
    mended = other.resources()
    for name, before in failed.items():
        assert mended[name]["id"] == before["id"]
        assert "initErrors" not in mended[name]


def test_a_function_that_fails_fails_the_program(stage: Stage, tmp_path: Path) -> None:
    other = stage.another(tmp_path / "other")
    run = other.preview({"resource": "11111111-2222-3333-4444-555555555555"})
    assert run.code != 0
    assert "invoking azuread:index/getServicePrincipal:getServicePrincipal: 1 error" in run.output
    assert "No service principal found" in run.output


def test_a_refused_configuration_fails_the_update(stage: Stage, tmp_path: Path) -> None:
    """The message of the sign-in reaches the engine's output, the secret does not."""
    other = stage.another(tmp_path / "other")
    run = other.run(
        "up", "--yes", "--skip-preview", "--stack", "dev", ARM_CLIENT_SECRET="a-wrong-secret"
    )
    assert run.code != 0
    assert "AADSTS7000215" in run.output
    assert "a-wrong-secret" not in run.output
