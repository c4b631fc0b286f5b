"""The admin interface: history, clock, seeds, secrets, and its refusals."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.emulator.browser import sign_in
from tests.emulator.objects import (
    EXCHANGE_APP_ID,
    make_application,
    make_grant,
    make_principal,
    principal_of,
    refused,
)
from tests.tenant import Tenant

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def ask(tenant: Tenant, method: str, path: str, **options: Any) -> httpx.Response:
    return tenant.admin_http.request(method, path, **options)


class TestHistory:
    def test_it_tells_what_was_asked_and_answered(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        before = len(tenant.history())
        made = make_application(graph, notes="n")
        graph.get("/v1.0/applications?$select=id")
        write, read = tenant.history(before)
        assert (write["method"], write["path"], write["status"]) == (
            "POST",
            "/v1.0/applications",
            201,
        )
        assert write["request"] == {"displayName": "App", "notes": "n"}
        assert write["response"]["id"] == made["id"]
        assert write["client"] == tenant.client_id
        assert write["tenant"] == tenant.tenant_id
        assert write["caller"] == principal_of(graph, tenant.client_id)["id"]
        assert write["delivered"] is True
        assert write["fault"] is None
        assert write["duration_ms"] >= 0
        assert read["path"] == "/v1.0/applications?$select=id"
        assert read["n"] == write["n"] + 1
        assert datetime.fromisoformat(read["time"]) >= datetime.fromisoformat(write["time"])

    def test_it_tells_which_secret_signed_in(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = make_application(graph)
        make_principal(graph, made)
        url = f"/v1.0/applications/{made['id']}/addPassword"
        one, other = (graph.post(url, json={}).json() for _ in range(2))
        before = len(tenant.history())
        for secret in (one, other):
            form = {"client_id": made["appId"], "client_secret": secret["secretText"]}
            tenant.sign_in(**form)
        signed_in = tenant.history(before)
        assert [e["credential"] for e in signed_in] == [one["keyId"], other["keyId"]]
        assert {e["client"] for e in signed_in} == {made["appId"]}

    def test_no_secret_is_ever_in_it(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = make_application(graph)
        make_principal(graph, made)
        secret = graph.post(f"/v1.0/applications/{made['id']}/addPassword", json={}).json()
        form = {"client_id": made["appId"], "client_secret": secret["secretText"]}
        tenant.sign_in(**form)
        sign_in(tenant, tenant.ready["users"][0])
        graph.post(
            "/v1.0/$batch",
            json={
                "requests": [
                    {
                        "id": "1",
                        "method": "POST",
                        "url": f"/applications/{made['id']}/addPassword",
                        "headers": {"Content-Type": "application/json"},
                        "body": {},
                    }
                ]
            },
        )
        text = json.dumps(tenant.history())
        secrets = tenant.secrets()
        assert secret["secretText"] in secrets
        assert tenant.client_secret in secrets
        assert len(secrets) >= 8
        assert [one for one in secrets if one in text] == []

    @pytest.mark.parametrize(
        ("path", "content_type", "content"),
        [
            # Of what cannot be read, nobody can tell which part is secret.
            ("/v1.0/applications", JSON, '{"secretText": "SECRET", '),
            ("/v1.0/applications", JSON, '{"n": [{"clientSecret": "SECRET"}]}'),
            ("/v1.0/applications", JSON, '{"Password": ["SECRET"]}'),
            ("/v1.0/applications", JSON, '{"refresh-token": {"a": "SECRET"}}'),
            ("/v1.0/applications", JSON, '{"notes": "Bearer SECRET"}'),
            ("/v1.0/applications", JSON, '{"notes": "JWT"}'),
            ("/v1.0/applications", JSON, '"https://a.example/?code=SECRET&b=c"'),
            (
                "/v1.0/applications",
                JSON,
                json.dumps({"body": json.dumps({"secretText": 'a "SECRET" b'})}),
            ),
            (
                "/v1.0/$batch",
                JSON,
                json.dumps({"requests": [{"headers": {"Authorization": "Bearer SECRET"}}]}),
            ),
            (
                "/v1.0/$batch",
                JSON,
                '{"requests": [{"id": "1", "method": "GET", "url": "/me?access_token=SECRET"}]}',
            ),
            ("/v1.0/applications", JSON, '"https://a.example/?code=0.SECRET"'),
            ("/v1.0/applications", JSON, '"arm_client_secret=SECRET clientSecretValue: SECRET"'),
            ("/v1.0/applications", JSON, '"sharedSecret=SECRET, xJWT, Cookie: a=b; c=SECRET"'),
            (
                "/v1.0/applications",
                JSON,
                json.dumps(json.dumps(json.dumps({"secretText": "SECRET"}))),
            ),
            ("/v1.0/applications?Access_Token=SECRET", "", ""),
            ("/v1.0/applications?id%5Ftoken=SECRET&code=SECRET", "", ""),
            ("/v1.0/applications?next=https%3A%2F%2Fa.example%2F%3Fcode%3DSECRET", "", ""),
            ("/v1.0/applications/JWT?$select=id", "", ""),
            ("/TENANT/oauth2/v2.0/token", FORM, "Client_Secret=SECRET&client_assertion=SECRET"),
            ("/TENANT/oauth2/v2.0/token", FORM, "refresh_token=SECRET&id_token=SECRET"),
            ("/TENANT/oauth2/v2.0/token", FORM, "assertion=SECRET&scope=https://a/?code=SECRET"),
            ("/TENANT/oauth2/v2.0/token", FORM, '{"client_secret": "SECRET"}'),
            ("/TENANT/oauth2/v2.0/token", FORM, "JWT"),
        ],
    )
    def test_no_secret_of_a_client_either(
        self, tenant: Tenant, graph: httpx.Client, path: str, content_type: str, content: str
    ) -> None:
        """Whatever its shape: what a test sends by mistake may be a real tenant's."""
        secret, token = "pQ7~not-one.of-ours", "eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2lnbmVk"
        for name, value in {"SECRET": secret, "JWT": token, "TENANT": tenant.tenant_id}.items():
            path, content = (one.replace(name, value) for one in (path, content))
        before = len(tenant.history())
        headers = {"content-type": content_type} if content_type else {}
        graph.post(path, content=content, headers=headers)
        kept = tenant.history(before)
        assert kept
        assert not [one for one in (secret, *token.split(".")) if one in json.dumps(kept)]

    def test_what_is_no_secret_stays_readable(self, tenant: Tenant, graph: httpx.Client) -> None:
        query = "$filter=displayName%20eq%20'x'&$top=5"
        graph.get(f"/v1.0/applications?{query}")
        graph.post(
            "/v1.0/applications", json={"displayName": "x", "notes": "code: 5, a=b; Basic x"}
        )
        graph.post("/v1.0/applications", content=b"{", headers={"content-type": JSON})
        tenant.sign_in(client_secret="wrong")
        found, made, cut, signed_in = tenant.history()[-4:]
        assert found["path"] == f"/v1.0/applications?{query}"
        assert made["request"] == {"displayName": "x", "notes": "code: 5, a=b; Basic x"}
        assert made["response"]["notes"] == "code: 5, a=b; Basic x"
        assert cut["request"] == f"({JSON}, 1 bytes, not JSON)"
        assert cut["response"]["error"]["code"] == "BadRequest"
        assert signed_in["response"]["error_uri"].endswith("?code=7000215")
        assert signed_in["request"]["client_id"] == tenant.client_id

    @pytest.mark.parametrize(
        "content",
        ['{"x":NaN}', '{"x":-Infinity}', '{"x":1e999}', r'{"x":"\ud800"}', "[" * 900 + "]" * 900],
    )
    @pytest.mark.parametrize("path", ["/v1.0/applications", "/contoso/oauth2/v2.0/token"])
    def test_what_json_cannot_say_again_is_kept_by_its_size(
        self, tenant: Tenant, graph: httpx.Client, path: str, content: str
    ) -> None:
        reply = graph.post(path, content=content, headers={"content-type": JSON})
        asked = tenant.history()[-1]
        assert asked["request"] == f"({JSON}, {len(content)} bytes, not JSON)"
        assert asked["status"] == reply.status_code == 400
        assert "Unable to read JSON" in reply.text or "AADSTS900144" in reply.text

    def test_a_token_for_a_client_that_json_cannot_say_again(self, tenant: Tenant) -> None:
        claims = base64.urlsafe_b64encode(rb'{"appid":"\ud800"}').decode().rstrip("=")
        header = base64.urlsafe_b64encode(b'{"alg":"RS256"}').decode().rstrip("=")
        with tenant.http(f"{header}.{claims}.{header}") as http:
            assert http.get("/v1.0/applications").status_code == 401
        assert tenant.history()[-1]["client"] is None

    def test_a_very_large_reply_is_kept_by_its_size(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        tenant.seed(applications=[{"display_name": "Foreign {n}", "count": 200}])
        reply = graph.get("/v1.0/applications?$top=200")
        kept = tenant.history()[-1]["response"]
        assert kept.endswith(f", {len(reply.content)} bytes)")

    def test_writes_leave_out_reads_and_sign_ins(self, tenant: Tenant, graph: httpx.Client) -> None:
        graph.get("/v1.0/applications")
        assert tenant.writes() == []
        make_application(graph)
        assert len(tenant.writes()) == 1

    def test_a_number_that_is_none(self, tenant: Tenant) -> None:
        response = ask(tenant, "GET", "/history?since=yesterday")
        assert response.status_code == 400
        assert "number of a request" in response.json()["error"]


class TestReset:
    def test_everything_is_as_at_the_start(self, tenant: Tenant, graph: httpx.Client) -> None:
        fresh = graph.get("/v1.0/servicePrincipals").json()["value"]
        first = make_application(graph)["id"]
        tenant.seed(
            quota=1,
            exchange=False,
            users=[{"user_principal_name": "x@contoso.example", "password": "p"}],
        )
        tenant.faults({"strike": "status", "status": 503})
        tenant.advance(10**6)
        tenant.reset()
        assert tenant.history() == []
        assert abs(tenant.now() - datetime.now(UTC)) < timedelta(seconds=5)
        with tenant.http(tenant.token()) as again:
            assert again.get("/v1.0/servicePrincipals").json()["value"] == fresh
            assert make_application(again)["id"] == first

    def test_what_was_kept_comes_back(self) -> None:
        """However often, with its secrets, its clock and its history; whatever came after goes."""
        with Tenant() as tenant, tenant.http(tenant.token()) as graph:
            application = make_application(graph)
            path = f"/v1.0/applications/{application['id']}"
            secret = graph.post(f"{path}/addPassword", json={}).json()["secretText"]
            tenant.advance(600)
            tenant.keep()
            kept, before = graph.get(path).json(), len(tenant.history())
            for _ in range(2):
                graph.patch(path, json={"displayName": "other"})
                graph.post(f"{path}/addPassword", json={})
                make_application(graph)
                tenant.advance(600)
                tenant.faults({"strike": "status", "status": 503})
                tenant.reset()
                assert len(tenant.history()) == before - 1  # all but the reading of it
                assert graph.get(path).json() == kept
                assert len(graph.get("/v1.0/applications").json()["value"]) == 2
                asked = {"client_id": application["appId"], "client_secret": secret}
                assert "AADSTS7000229" in tenant.sign_in(**asked).text  # has no service principal
                later = tenant.now() - datetime.now(UTC)
                assert abs(later.total_seconds() - 600) < 5

    def test_credentials_outlive_it(self, tenant: Tenant) -> None:
        tenant.reset()
        assert tenant.sign_in().status_code == 200
        assert sign_in(tenant, tenant.ready["users"][0])


@pytest.mark.parametrize("content", [r'"\ud800"', "NaN", "[" * 900 + "]" * 900])
def test_what_json_cannot_say_again_is_not_seeded(tenant: Tenant, content: str) -> None:
    seed = f'{{"applications": [{{"display_name": "x", "body": {{"notes": {content}}}}}]}}'
    assert ask(tenant, "POST", "/seed", content=seed).json() == {"error": "The body must be JSON."}
    assert ask(tenant, "GET", "/objects").status_code == 200


class TestClock:
    def test_set_and_advanced(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.admin("POST", "/clock", {"now": "2027-03-01T00:00:00+09:00"})
        assert abs(tenant.now() - datetime(2027, 2, 28, 15, tzinfo=UTC)) < timedelta(seconds=5)
        tenant.advance(86400)
        assert abs(tenant.now() - datetime(2027, 3, 1, 15, tzinfo=UTC)) < timedelta(seconds=5)
        del graph
        with tenant.http(tenant.token()) as later:
            assert make_application(later)["createdDateTime"].startswith("2027-03-01T15:00")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"now": "soon"},
            {"now": "2027-03-01T00:00:00"},
            {"advance_seconds": "1"},
            {"advance_seconds": -1},
            {"now": "2027-03-01T00:00:00Z", "advance_seconds": 1},
            {"advance": 5},
            [],
        ],
    )
    def test_what_is_no_time(self, tenant: Tenant, body: Any) -> None:
        before = tenant.now()
        response = ask(tenant, "POST", "/clock", json=body)
        assert response.status_code == 400
        assert response.json()["error"].endswith(".")
        assert tenant.now() - before < timedelta(seconds=5)


class TestFaults:
    @pytest.mark.parametrize(
        ("plan", "expected"),
        [
            ({"rules": {}}, "rules must be a list"),
            ({"rules": ["x"]}, "rules[0] must be a JSON object"),
            ({"rules": [{}]}, "rules[0].strike is missing"),
            ({"rules": [{"strike": "lightning"}]}, "must be one of: status, reset-before"),
            ({"rules": [{"strike": "status"}]}, "rules[0].status is missing"),
            ({"rules": [{"strike": "status", "status": 418}]}, "must be one of 404, 409, 429"),
            ({"rules": [{"strike": "slow"}]}, "rules[0].seconds is missing"),
            ({"rules": [{"strike": "slow", "seconds": -1}]}, "not negative"),
            ({"rules": [{"strike": "reset-before", "nth": 0}]}, "a number from 1 up"),
            ({"rules": [{"strike": "reset-before", "times": 0}]}, "whole number from 1 up"),
            ({"rules": [{"strike": "reset-before", "ratio": 2}]}, "a number from 0 to 1"),
            ({"rules": [{"strike": "reset-before", "often": 2}]}, "rules[0].often: no such field"),
            ({"rules": [{"strike": "reset-before", "match": {"path": "x"}}]}, "a path such as"),
            ({"rules": [{"strike": "reset-before", "match": {"verb": "x"}}]}, "no such field"),
            ({"rules": [{"strike": "reset-before", "match": {"method": "FLY"}}]}, "one of: GET"),
            ({"rules": [{"name": "a", "strike": "reset-before"}] * 2}, "of different names"),
            ({"lag": {"seconds": "long"}}, "lag.seconds must be a number"),
            ({"lag": {"stale_ratio": 5}}, "lag.stale_ratio must be a number from 0 to 1"),
            ({"lag": {"minutes": 5}}, "lag.minutes: no such field"),
            ({"latency": 5}, "latency: no such field"),
            ({"tenant_size": "XXL"}, "tenant_size must be one of: S, M, L"),
            ({"seed": 1.5}, "seed must be a whole number"),
            (5, "the body must be a JSON object"),
        ],
    )
    def test_what_is_no_plan(self, tenant: Tenant, plan: Any, expected: str) -> None:
        tenant.faults({"name": "kept", "strike": "reset-before", "match": {"path": "/x"}})
        response = ask(tenant, "POST", "/faults", json=plan)
        assert response.status_code == 400
        assert expected in response.json()["error"]
        assert tenant.struck() == {"kept": 0}

    def test_what_is_no_json(self, tenant: Tenant) -> None:
        response = ask(tenant, "POST", "/faults", content=b"{")
        assert (response.status_code, response.json()["error"]) == (400, "The body must be JSON.")


class TestObjects:
    def test_everything_as_the_last_write_left_it(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        application = make_application(graph, notes="before")
        principal = make_principal(graph, application)
        grant = make_grant(graph, principal["id"])
        url = f"/v1.0/applications/{application['id']}"
        graph.post(f"{url}/addPassword", json={})
        assert graph.patch(url, json={"notes": "after"}).is_success
        graph.delete(f"/v1.0/servicePrincipals/{principal['id']}")
        tenant.faults(lag={"seconds": 600})
        assert graph.get(url).status_code == 404  # not there yet, as readers say
        found = {each["id"]: each for each in ask(tenant, "GET", "/objects").json()}
        one = found[application["id"]]
        assert (one["kind"], one["deleted"], one["body"]["notes"]) == (
            "application",
            False,
            "after",
        )
        assert len(one["links"]["owners"]) == 1
        assert found[principal["id"]]["deleted"] is True
        assert found[grant["id"]]["body"]["clientId"] == principal["id"]
        [secret] = one["body"]["passwordCredentials"]
        assert secret["secretText"] is None

    def test_a_tenant_that_is_none(self, tenant: Tenant) -> None:
        assert ask(tenant, "GET", "/objects?tenant=nobody.example").status_code == 400


class TestSeed:
    def test_a_user_who_may_sign_in(self, tenant: Tenant, administrator: httpx.Client) -> None:
        user = {"user_principal_name": "mail@contoso.example", "password": "pass-word-1"}
        [made] = tenant.seed(users=[user | {"display_name": "Mail", "mail": "m@contoso.example"}])[
            "users"
        ]
        shown = administrator.get(f"/v1.0/users/{made['id']}").json()
        assert (shown["displayName"], shown["mail"]) == ("Mail", "m@contoso.example")
        with tenant.http(sign_in(tenant, user)) as graph:
            assert graph.get("/v1.0/me").json()["id"] == made["id"]

    def test_look_alikes_by_the_thousand(self, tenant: Tenant, graph: httpx.Client) -> None:
        mine = make_application(graph, displayName="Proself mail", tags=["stack:mine"])
        made = tenant.seed(
            applications=[
                {
                    "display_name": "Proself mail",
                    "count": 1000,
                    "service_principal": True,
                    "body": {"tags": ["stack:other-{n}"], "notes": "number {n}"},
                    "created": "2026-01-02T03:04:05Z",
                    "owners": [principal_of(graph, tenant.client_id)["id"]],
                }
            ]
        )["applications"]
        assert len(made) == 1000
        url = "/v1.0/applications?$filter=displayName eq 'Proself mail'&$top=999&$count=true"
        reply = graph.get(url, headers={"ConsistencyLevel": "eventual"}).json()
        assert reply["@odata.count"] == 1001
        [one] = graph.get("/v1.0/applications?$filter=tags/any(t:t eq 'stack:other-7')").json()[
            "value"
        ]
        assert one["id"] == made[6]["id"]
        assert (one["notes"], one["createdDateTime"]) == ("number 7", "2026-01-02T03:04:05Z")
        principal = graph.get(f"/v1.0/servicePrincipals/{made[6]['servicePrincipalId']}").json()
        assert principal["appId"] == one["appId"]
        assert graph.delete(f"/v1.0/applications/{one['id']}").status_code == 204
        assert graph.get(f"/v1.0/applications/{mine['id']}").status_code == 200

    def test_a_tenant_without_exchange(self, tenant: Tenant, graph: httpx.Client) -> None:
        principal = make_principal(graph, make_application(graph))
        make_grant(graph, principal["id"])
        tenant.seed(exchange=False)
        url = f"/v1.0/servicePrincipals?$filter=appId eq '{EXCHANGE_APP_ID}'"
        assert graph.get(url).json()["value"] == []
        response = tenant.sign_in(scope="https://outlook.office.com/.default")
        assert response.json()["error_codes"] == [500011]

    def test_another_domain_and_another_tenant(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = make_application(graph)
        url, uri = f"/v1.0/applications/{made['id']}", "https://proself.jp/app"
        assert refused(graph.patch(url, json={"identifierUris": [uri]}))[0] == 400
        tenant.seed(domains=["proself.jp"], tenant="fabrikam.onmicrosoft.com")
        assert refused(graph.patch(url, json={"identifierUris": [uri]}))[0] == 400
        tenant.seed(domains=["proself.jp"])
        assert graph.patch(url, json={"identifierUris": [uri]}).status_code == 204

    @pytest.mark.parametrize(
        ("what", "expected"),
        [
            ({"tenant": "nowhere"}, "tenant must be the id or a domain"),
            ({"users": [{"user_principal_name": "a@contoso.example"}]}, "password is missing"),
            (
                {"users": [{"user_principal_name": "a@else.example", "password": "p"}]},
                "an address in a domain of the tenant",
            ),
            (
                {"users": [{"user_principal_name": "proself@contoso.example", "password": "p"}]},
                "one that no other user has",
            ),
            ({"applications": [{}]}, "applications[0].display_name is missing"),
            ({"applications": [{"display_name": "x", "count": 0}]}, "from 1 up"),
            ({"applications": [{"display_name": "x", "count": 10**6}]}, "at most 100000"),
            ({"applications": [{"display_name": "x", "body": {"colour": 1}}]}, "colour"),
            ({"applications": [{"display_name": "x", "created": "once"}]}, "an instant such as"),
            ({"issuers": [{"issuer": "x", "jwks": {}}]}, "a JSON Web Key Set"),
            ({"default_policy": {"colour": 1}}, "colour"),
            ({"quota": -1}, "from 0 up"),
            ({"exchange": "no"}, "true or false"),
            ({"domains": "x"}, "a list of strings"),
            ({"everything": 1}, "everything: no such field"),
        ],
    )
    def test_what_is_not_understood_changes_nothing(
        self, tenant: Tenant, graph: httpx.Client, what: dict[str, Any], expected: str
    ) -> None:
        good = {"applications": [{"display_name": "good"}]}
        body = {**what, "applications": [*good["applications"], *what.get("applications", [])]}
        response = ask(tenant, "POST", "/seed", json=body)
        assert response.status_code == 400
        assert expected in response.json()["error"].replace("applications[1]", "applications[0]")
        url = "/v1.0/applications?$filter=displayName eq 'good'"
        assert graph.get(url).json()["value"] == []


class TestAccess:
    @pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic x"])
    def test_secrets_only_for_who_has_one(self, tenant: Tenant, authorization: str | None) -> None:
        headers = {"authorization": authorization} if authorization else {}
        response = ask(tenant, "GET", "/secrets", headers=headers)
        assert response.status_code == 401
        assert tenant.client_secret not in response.text

    def test_a_foreign_host_name_is_refused(self, tenant: Tenant) -> None:
        response = ask(tenant, "GET", "/history", headers={"host": "evil.example"})
        assert response.status_code == 400
        assert ask(tenant, "GET", "/history", headers={"host": "localhost:1"}).status_code == 200

    def test_a_page_of_another_origin_is_refused(self, tenant: Tenant) -> None:
        headers = {"origin": "https://evil.example", "content-type": "text/plain"}
        response = ask(tenant, "POST", "/reset", headers=headers)
        assert response.status_code == 400
        assert tenant.sign_in().status_code == 200

    def test_what_is_not_there(self, tenant: Tenant) -> None:
        assert ask(tenant, "GET", "/colours").status_code == 404
        assert ask(tenant, "DELETE", "/history").status_code == 405

    def test_the_tenants_own_port_has_none_of_it(self, tenant: Tenant) -> None:
        with tenant.http() as http:
            for path in ("/history", "/secrets", "/reset", "/seed"):
                assert http.get(path).status_code == 404


def test_nothing_secret_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with Tenant("--tenant", "contoso") as tenant:
        tenant.sign_in(client_secret="wrong-but-secret")
        tenant.token()
        secrets = [*tenant.secrets(), "wrong-but-secret"]
    printed = capfd.readouterr()
    assert [one for one in secrets if one in printed.out + printed.err] == []


class TestWhatNobodyExpects:
    def test_a_secret_in_the_wrong_place_is_masked(self) -> None:
        with Tenant() as tenant:
            secret, client = tenant.client_secret, tenant.client_id
            tenant.sign_in(client_id=secret, client_secret=client)
            encoded = "".join(f"%{ord(letter):02x}" for letter in secret)
            with tenant.http(tenant.token()) as graph:
                made = make_application(
                    graph,
                    displayName=f"'{secret}'",
                    notes=f"is {secret}...",
                    description=f"-{secret}_",
                )
                for path in (
                    f"applications(appId='{secret}')",
                    f"applications?$filter=displayName eq '{secret}'",
                    f"applications/{secret}",
                    f"applications/{encoded}",
                    f"applications?x={encoded}",
                ):
                    graph.get(f"/v1.0/{path}")
                url = f"/v1.0/applications/{made['id']}"
                graph.post(f"{url}/removePassword", json={"keyId": secret})
                graph.patch(url, json={secret: "a name"})
                graph.patch(url, content=b"x", headers={"content-type": f"text/{secret}"})
            told = json.dumps(tenant.history())
            assert secret not in told
            assert encoded not in told
            assert client in told

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/clock", '{"advance_seconds": 1e12}'),
            ("/clock", '{"advance_seconds": NaN}'),
            ("/clock", '{"now": "0001-01-01T00:00:00Z"}'),
            ("/faults", '{"latency_ms": Infinity}'),
            ("/faults", '{"lag": {"seconds": 1e300}}'),
            ("/faults", "[" * 100_000),
        ],
    )
    def test_what_would_put_it_out_of_order_is_refused(
        self, tenant: Tenant, path: str, body: str
    ) -> None:
        done = tenant.admin_http.post(path, content=body)
        assert done.status_code == 400, done.text
        assert tenant.sign_in().status_code == 200

    def test_a_clock_goes_no_further_than_the_calendar(self, tenant: Tenant) -> None:
        century = {"advance_seconds": 100 * 365 * 86_400}
        answers = [ask(tenant, "POST", "/clock", json=century).status_code for _ in range(90)]
        assert set(answers) == {200, 400}
        assert ask(tenant, "GET", "/clock").status_code == 200
        tenant.reset()

    @pytest.mark.parametrize("body", [b'{"displayName": "\\ud800"}', b"[" * 100_000])
    def test_a_body_that_is_no_text_is_refused(self, tenant: Tenant, body: bytes) -> None:
        with tenant.http(tenant.token()) as graph:
            headers = {"content-type": "application/json"}
            done = graph.post("/v1.0/applications", content=body, headers=headers)
            assert done.status_code == 400
            assert "Unable to read JSON request payload" in done.text
            assert graph.get("/v1.0/applications").status_code == 200
