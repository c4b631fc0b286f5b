"""Federated identity credentials."""

from typing import Any

import httpx
import pytest

from tests.emulator.objects import created, make_application, message, refused

GITHUB: dict[str, Any] = {
    "name": "github",
    "issuer": "https://token.actions.githubusercontent.com",
    "subject": "repo:o/r:environment:production",
    "audiences": ["api://AzureADTokenExchange"],
}


@pytest.fixture
def url(graph: httpx.Client) -> str:
    return f"/v1.0/applications/{make_application(graph)['id']}/federatedIdentityCredentials"


def test_made_read_changed_and_removed(graph: httpx.Client, url: str) -> None:
    one = created(graph.post(url, json=GITHUB))
    assert one["description"] is None
    for key in (f"/{one['id']}", "/github", "(name='github')"):
        assert graph.get(f"{url}{key}").json()["subject"] == GITHUB["subject"]
    assert refused(graph.get(f"{url}(name='gitlab')")) == (404, "Request_ResourceNotFound")
    assert refused(graph.get(f"{url}(issuer='x')")) == (400, "BadRequest")
    assert graph.get(f"{url}/$count", headers={"ConsistencyLevel": "eventual"}).text == "1"
    assert graph.patch(f"{url}/github", json={"subject": "repo:o/r:ref:x"}).status_code == 204
    assert graph.get(f"{url}?$filter=subject eq 'repo:o/r:ref:x'").json()["value"][0]["id"]
    application = url.rpartition("/")[0]
    expanded = graph.get(f"{application}?$expand=federatedIdentityCredentials($select=name)").json()
    assert expanded["federatedIdentityCredentials"] == [{"name": "github"}]
    assert graph.delete(f"{url}/{one['id']}").status_code == 204
    assert refused(graph.get(f"{url}/{one['id']}"))[0] == 404
    assert graph.get(url).json()["value"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"issuer": ""},
        {"subject": None},
        {"audiences": []},
        {"audiences": ["a", "b"]},
        {"audiences": "a"},
        {"name": "ab"},
        {"name": "with space"},
        {"name": "-github"},
        {"subject": "repo:o/*"},
        {"colour": "red"},
        {"name": 5},
        {"issuer": 5},
        {"subject": 5},
        {"subject": ["x"]},
        {"audiences": None},
        {"audiences": [5]},
        {"audiences": [""]},
        {"description": 5},
        {"issuer": "x" * 601},
        {"subject": "x" * 601},
        {"audiences": ["x" * 601]},
        {"description": "x" * 601},
    ],
)
def test_a_bad_body_is_refused(graph: httpx.Client, url: str, change: dict[str, Any]) -> None:
    assert refused(graph.post(url, json=GITHUB | change))[0] == 400
    assert graph.get(url).json()["value"] == []
    kept = created(graph.post(url, json=GITHUB))
    assert refused(graph.patch(f"{url}/github", json=change))[0] == 400
    assert graph.get(url).json()["value"] == [{k: v for k, v in kept.items() if k[0] != "@"}]


def test_what_is_left_out_is_missing(graph: httpx.Client, url: str) -> None:
    for name in GITHUB:
        body = {k: v for k, v in GITHUB.items() if k != name}
        assert refused(graph.post(url, json=body))[0] == 400
    longest = dict.fromkeys(("issuer", "subject", "description"), "x" * 600)
    created(graph.post(url, json=GITHUB | longest | {"audiences": ["x" * 600]}))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"audiences": ["a", "b"]},
            "Federated identity credentials must have exactly one audience.",
        ),
        ({"name": "ab"}, "Federated Identity Credential name 'ab' is invalid."),
        ({"issuer": ""}, "Federated Identity Credential from HTTP body has empty properties"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(
    graph: httpx.Client, url: str, change: dict[str, Any], text: str
) -> None:
    assert message(graph.post(url, json=GITHUB | change)) == text


def test_names_and_subjects_are_unique_and_names_stay(graph: httpx.Client, url: str) -> None:
    created(graph.post(url, json=GITHUB))
    same_name = graph.post(url, json=GITHUB | {"subject": "other"})
    assert refused(same_name) == (409, "Request_MultipleObjectsWithSameKeyValue")
    assert "name github already exists" in message(same_name)
    same_subject = graph.post(url, json=GITHUB | {"name": "other"})
    assert refused(same_subject) == (400, "InvalidFederatedIdentityCredentialValue")
    assert message(same_subject).startswith(
        "The combination of issuer and subject must be unique for the application. "
        f"Issuer {GITHUB['issuer']} and Subject: {GITHUB['subject']} already exist. "
    )
    renamed = graph.patch(f"{url}/github", json={"name": "gitlab"})
    assert refused(renamed)[0] == 400
    assert "immutable" in message(renamed)
    assert graph.patch(f"{url}/github", json={"description": "d"}).status_code == 204


def test_twenty_are_the_most(graph: httpx.Client, url: str) -> None:
    for number in range(20):
        body = GITHUB | {"name": f"name-{number}", "subject": f"s{number}"}
        created(graph.post(url, json=body))
    response = graph.post(url, json=GITHUB)
    assert refused(response) == (403, "Directory_QuotaExceeded")
    assert "Size of object exceeded limit" in message(response)


def test_those_of_another_application_are_not_seen(graph: httpx.Client, url: str) -> None:
    created(graph.post(url, json=GITHUB))
    other = f"/v1.0/applications/{make_application(graph)['id']}/federatedIdentityCredentials"
    assert graph.get(other).json()["value"] == []
    assert refused(graph.get(f"{other}/github"))[0] == 404
