"""`$batch`: many requests in one, each with its own fate."""

from typing import Any

import httpx
import pytest

from tests.emulator.objects import make_application, message, refused
from tests.tenant import Tenant

JSON = {"Content-Type": "application/json"}


def send(graph: httpx.Client, *requests: dict[str, Any]) -> dict[str, dict[str, Any]]:
    response = graph.post("/v1.0/$batch", json={"requests": list(requests)})
    assert response.status_code == 200, response.text
    return {one["id"]: one for one in response.json()["responses"]}


def test_each_request_has_its_own_reply(graph: httpx.Client) -> None:
    made = make_application(graph)
    replies = send(
        graph,
        {"id": "1", "method": "GET", "url": f"/applications/{made['id']}?$select=id"},
        {"id": "2", "method": "GET", "url": "applications/5d5e0a8e-0000-0000-0000-000000000000"},
        {"id": "3", "method": "GET", "url": "/users"},
        {
            "id": "4",
            "method": "POST",
            "url": "/applications",
            "headers": JSON,
            "body": {"displayName": "x"},
        },
        {"id": "5", "method": "PUT", "url": "/applications", "headers": JSON, "body": {}},
        {
            "id": "6",
            "method": "GET",
            "url": "/applications/$count",
            "headers": {"ConsistencyLevel": "eventual"},
        },
        {
            "id": "7",
            "method": "PATCH",
            "url": f"/applications/{made['id']}",
            "headers": JSON,
            "body": {"notes": "n"},
        },
    )
    assert {id_: reply["status"] for id_, reply in replies.items()} == {
        "1": 200,
        "2": 404,
        "3": 403,
        "4": 201,
        "5": 405,
        "6": 200,
        "7": 204,
    }
    assert replies["1"]["body"]["id"] == made["id"]
    assert replies["2"]["body"]["error"]["code"] == "Request_ResourceNotFound"
    assert replies["3"]["body"]["error"]["code"] == "Authorization_RequestDenied"
    assert replies["4"]["headers"]["x-ms-resource-unit"] == "1"
    assert replies["5"]["headers"]["Allow"] == graph.head("/v1.0/applications").headers["allow"]
    assert replies["5"]["headers"]["Allow"] == "GET, POST"
    assert "body" not in replies["7"]
    assert {reply["headers"]["Cache-Control"] for reply in replies.values()} == {"no-cache"}
    types = {id_: reply["headers"].get("Content-Type") for id_, reply in replies.items()}
    alone = graph.get(f"/v1.0/applications/{made['id']}")
    json_type = alone.headers["content-type"]
    assert json_type.startswith("application/json;odata.metadata=minimal;")
    error_type = "application/json"
    assert types == {
        "1": json_type,
        "2": error_type,
        "3": error_type,
        "4": json_type,
        "5": error_type,
        "6": "text/plain; charset=utf-8",
        "7": None,
    }
    versions = {id_ for id_, reply in replies.items() if "OData-Version" in reply["headers"]}
    assert versions == {"1", "4"}


def test_a_request_waits_for_those_it_depends_on(graph: httpx.Client) -> None:
    made = make_application(graph)
    url = f"/applications/{made['id']}"
    replies = send(
        graph,
        {"id": "read", "method": "GET", "url": url, "dependsOn": ["write"]},
        {"id": "write", "method": "PATCH", "url": url, "headers": JSON, "body": {"notes": "n"}},
        {
            "id": "fails",
            "method": "GET",
            "url": "/applications/5d5e0a8e-0000-0000-0000-000000000000",
        },
        {"id": "never", "method": "DELETE", "url": url, "dependsOn": ["FAILS"]},
        {"id": "neither", "method": "DELETE", "url": url, "dependsOn": ["never"]},
    )
    assert replies["read"]["body"]["notes"] == "n"
    assert [replies[id_]["status"] for id_ in ("never", "neither")] == [424, 424]
    assert replies["never"]["headers"]["Content-Type"] == "application/json"
    assert graph.get(f"/v1.0{url}").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requests": "x"},
        {"requests": []},
        {"requests": ["x"]},
        {"requests": [{"id": "1", "method": "GET"}]},
        {"requests": [{"id": 1, "method": "GET", "url": "/me"}]},
        {"requests": [{"id": "1", "method": "FLY", "url": "/me"}]},
        {"requests": [{"id": "1", "method": "GET", "url": "/me", "dependsOn": ["2"]}]},
        {"requests": [{"id": "a", "method": "GET", "url": "/me"}] * 2},
        {"requests": [{"id": i, "method": "GET", "url": "/me"} for i in ("a", "A")]},
        {
            "requests": [
                {"id": "1", "method": "GET", "url": "/me", "dependsOn": ["2"]},
                {"id": "2", "method": "GET", "url": "/me", "dependsOn": ["1"]},
            ]
        },
    ],
)
def test_a_malformed_batch_is_refused_whole(graph: httpx.Client, body: dict[str, Any]) -> None:
    assert refused(graph.post("/v1.0/$batch", json=body))[0] == 400


def test_the_id_that_comes_twice_is_named(graph: httpx.Client) -> None:
    requests = [{"id": name, "method": "GET", "url": "/users"} for name in ("a", "b", "A")]
    response = graph.post("/v1.0/$batch", json={"requests": requests})
    assert refused(response) == (400, "BadRequest")
    assert message(response) == "Request Id A has to be unique in a batch."


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"body": {"displayName": "x"}},
            "Write request with id '2' does not contain a Content-Type header.",
        ),
        ({}, "Write request id : 2 does not contain Content-Type header or body."),
    ],
)
def test_a_write_that_does_not_say_what_it_is_has_the_whole_batch_refused(
    tenant: Tenant, graph: httpx.Client, body: dict[str, Any], said: str
) -> None:
    made = make_application(graph)
    before = tenant.history()[-1]["n"]
    requests = [
        {"id": "1", "method": "DELETE", "url": f"/applications/{made['id']}"},
        {"id": "2", "method": "POST", "url": "/applications"} | body,
    ]
    response = graph.post("/v1.0/$batch", json={"requests": requests})
    assert (refused(response), message(response)) == ((400, "BadRequest"), said)
    assert len(tenant.history(before)) == 1
    assert send(graph, requests[0])["1"]["status"] == 204


def test_twenty_are_the_most(graph: httpx.Client) -> None:
    requests = [{"id": str(n), "method": "GET", "url": "/applications"} for n in range(21)]
    assert len(send(graph, *requests[:20])) == 20
    response = graph.post("/v1.0/$batch", json={"requests": requests})
    assert refused(response)[0] == 400
    assert message(response).endswith("exceeds the maximum value of 20.")


def test_it_needs_a_token(tenant: Tenant) -> None:
    with tenant.http() as nobody:
        response = nobody.post("/v1.0/$batch", json={"requests": []})
    assert refused(response) == (401, "InvalidAuthenticationToken")


def test_a_batch_in_a_batch_is_refused(tenant: Tenant, graph: httpx.Client) -> None:
    read = {"id": "1", "method": "GET", "url": "/applications"}
    inner = {"id": "1", "method": "POST", "url": "/$batch", "headers": JSON}
    before = tenant.history()[-1]["n"]
    replies = send(graph, inner | {"body": {"requests": [read]}}, read | {"id": "2"})
    assert {id_: reply["status"] for id_, reply in replies.items()} == {"1": 400, "2": 200}
    assert replies["1"]["body"]["error"]["code"] == "BadRequest"
    assert len(tenant.history(before)) == 3


def test_the_history_shows_what_was_in_it(tenant: Tenant, graph: httpx.Client) -> None:
    before = tenant.history()[-1]["n"]
    body = {"displayName": "x"}
    send(
        graph,
        {"id": "1", "method": "POST", "url": "/applications", "headers": JSON, "body": body},
        {"id": "2", "method": "GET", "url": "/applications"},
    )
    envelope, *items = tenant.history(before)
    assert envelope["path"] == "/v1.0/$batch"
    assert [item["batch"] for item in items] == [envelope["n"]] * 2
    [write] = tenant.writes(before)
    assert (write["path"], write["status"]) == ("/v1.0/applications", 201)
    assert write["request"] == body


def test_one_that_nobody_answers_leaves_the_others_their_replies(graph: httpx.Client) -> None:
    deep = " and ".join(["displayName eq 'a'"] * 2000)
    replies = send(
        graph,
        {
            "id": "1",
            "method": "POST",
            "url": "/applications",
            "headers": JSON,
            "body": {"displayName": "x"},
        },
        {"id": "2", "method": "GET", "url": f"/applications?$filter={deep}"},
    )
    assert replies["1"]["status"] == 201
    assert replies["2"]["status"] == 400
    assert replies["2"]["body"]["error"]["code"] == "Request_UnsupportedQuery"
