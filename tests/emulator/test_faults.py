"""Faults by plan: each kind, when it strikes, and that a seed repeats it."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.emulator.objects import make_application, make_principal, message, refused
from tests.tenant import Tenant
from tests.waiting import until

CREATE: Mapping[str, Any] = {"match": {"method": "POST", "path": "/applications"}}


def applications(graph: httpx.Client) -> list[str]:
    value = graph.get("/v1.0/applications?$filter=displayName eq 'App'").json()["value"]
    return [one["id"] for one in value]


def create(graph: httpx.Client) -> httpx.Response:
    return graph.post("/v1.0/applications", json={"displayName": "App"})


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (404, "Request_ResourceNotFound"),
            (409, "Directory_ConcurrencyViolation"),
            (429, "TooManyRequests"),
            (500, "InternalServerError"),
            (502, "BadGateway"),
            (503, "ServiceUnavailable"),
            (504, "GatewayTimeout"),
        ],
    )
    def test_nothing_is_done(
        self, tenant: Tenant, graph: httpx.Client, status: int, code: str
    ) -> None:
        tenant.faults({**CREATE, "strike": "status", "status": status, "times": 1})
        response = create(graph)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert applications(graph) == []
        assert create(graph).status_code == 201

    def test_a_concurrency_violation_says_what_graph_says(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        tenant.faults({**CREATE, "strike": "status", "status": 409, "times": 1})
        assert message(create(graph)) == (
            "Error due to concurrent requests being made to the tenant. Please wait briefly and "
            "retry."
        )

    def test_retry_after(self, tenant: Tenant, graph: httpx.Client) -> None:
        throttle = {**CREATE, "strike": "status", "status": 429, "retry_after_seconds": 7}
        tenant.faults(throttle)
        response = create(graph)
        assert response.headers["retry-after"] == "7"
        error = response.json()["error"]
        assert error["message"] == "Please retry again later."
        assert error["innerError"]["status"] == "429"
        tenant.faults({**CREATE, "strike": "status", "status": 429})
        assert "retry-after" not in create(graph).headers
        tenant.faults(throttle | {"status": 503})
        assert create(graph).headers["retry-after"] == "7"

    def test_at_the_sign_in(self, tenant: Tenant) -> None:
        rule = {"match": {"service": "login"}, "strike": "status", "status": 503, "times": 1}
        tenant.faults(rule | {"retry_after_seconds": 3})
        response = tenant.sign_in()
        assert response.status_code == 503
        assert response.headers["retry-after"] == "3"
        assert response.json()["error"] == "temporarily_unavailable"
        assert tenant.sign_in().status_code == 200


class TestConnections:
    def test_cut_before_anything_is_done(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults({**CREATE, "strike": "reset-before", "times": 1})
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            create(graph)
        assert applications(graph) == []
        lost = tenant.writes()[-1]
        assert (lost["status"], lost["delivered"]) == (None, False)

    def test_cut_after_everything_was_done(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults({**CREATE, "strike": "reset-after", "times": 1})
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            create(graph)
        assert len(applications(graph)) == 1
        lost = tenant.writes()[-1]
        assert (lost["status"], lost["delivered"]) == (201, False)
        assert lost["fault"] == "rule 1"

    def test_a_retry_after_a_lost_reply_makes_a_second_one(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        tenant.faults({**CREATE, "strike": "reset-after", "times": 1})
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            create(graph)
        assert create(graph).status_code == 201
        assert len(applications(graph)) == 2

    def test_a_write_that_arrives_twice(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults({**CREATE, "strike": "twice", "times": 1})
        seen = create(graph).raise_for_status().json()["id"]
        made = applications(graph)
        assert len(made) == 2
        assert seen in made
        writes = [(one["status"], one["delivered"], one["fault"]) for one in tenant.writes()]
        assert sorted(writes) == [(201, False, "rule 1"), (201, True, "rule 1")]
        grants = {"match": {"method": "POST", "path": "/servicePrincipals"}, "strike": "twice"}
        tenant.faults(grants)
        app_id = graph.get(f"/v1.0/applications/{seen}").json()["appId"]
        second = graph.post("/v1.0/servicePrincipals", json={"appId": app_id})
        assert second.status_code == 409  # what can be there but once answers as if it was before

    def test_cut_in_the_middle_of_the_reply(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults({**CREATE, "strike": "reset-in-body", "times": 1})
        with graph.stream("POST", "/v1.0/applications", json={"displayName": "App"}) as response:
            assert response.status_code == 201  # the head was whole
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                response.read()
        assert len(applications(graph)) == 1

    def test_a_lost_token(self, tenant: Tenant) -> None:
        tenant.faults({"match": {"service": "login"}, "strike": "reset-after", "times": 1})
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            tenant.sign_in()
        assert tenant.sign_in().status_code == 200

    def test_a_slow_reply(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults({**CREATE, "name": "held", "strike": "slow", "seconds": 1, "times": 1})
        applications(graph)  # opens the connection, which takes a while
        with pytest.raises(httpx.ReadTimeout):
            graph.post(
                "/v1.0/applications",
                json={"displayName": "App"},
                timeout=httpx.Timeout(30, read=0.2),
            )
        until(lambda: tenant.struck()["held"])
        assert len(applications(graph)) == 1  # it was done before the reply was held back

    def test_the_rest_of_the_tenant_goes_on(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults({**CREATE, "name": "held", "strike": "slow", "seconds": 2})
        thread = threading.Thread(target=create, args=(graph,))
        with tenant.http(graph.headers["authorization"].removeprefix("Bearer ")) as other:
            thread.start()
            until(lambda: tenant.struck()["held"])
            assert other.get("/v1.0/servicePrincipals").status_code == 200
            assert thread.is_alive(), "the reply was held back no longer"
        thread.join()


class TestOthers:
    def test_a_trailing_replica_on_demand(self, tenant: Tenant, graph: httpx.Client) -> None:
        read = {"match": {"method": "GET", "path": "/applications/*"}}
        tenant.faults({**read, "strike": "stale", "seconds": 60, "nth": [2, 3]})
        url = f"/v1.0/applications/{make_application(graph)['id']}"
        assert [graph.get(url).status_code for _ in range(4)] == [200, 404, 404, 200]

    def test_an_old_version_on_demand(self, tenant: Tenant, graph: httpx.Client) -> None:
        read = {"match": {"method": "GET", "path": "/applications/*"}}
        tenant.faults({**read, "strike": "stale", "seconds": 60, "nth": 1})
        url = f"/v1.0/applications/{make_application(graph)['id']}"
        tenant.advance(61)
        graph.patch(url, json={"notes": "new"})
        assert [graph.get(url).json()["notes"] for _ in range(2)] == [None, "new"]

    def test_a_token_that_expires_in_the_middle(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults({**CREATE, "strike": "expire-token", "nth": 2})
        assert create(graph).status_code == 201
        response = create(graph)
        assert refused(response) == (401, "InvalidAuthenticationToken")
        assert "the token is expired" in message(response)
        assert len(applications(graph)) == 1

    def test_a_secret_refused_a_few_times(self, tenant: Tenant) -> None:
        tenant.faults({"match": {"service": "login"}, "strike": "refuse-secret", "times": 2})
        numbers = [tenant.sign_in() for _ in range(3)]
        assert [one.status_code for one in numbers] == [401, 401, 200]
        assert numbers[0].json()["error_codes"] == [7000215]

    def test_in_a_batch(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults(
            {
                "match": {"path": "/applications", "method": "GET"},
                "strike": "status",
                "status": 429,
                "retry_after_seconds": 5,
                "nth": 2,
            }
        )
        items = [{"id": str(n), "method": "GET", "url": "/applications"} for n in range(3)]
        replies = graph.post("/v1.0/$batch", json={"requests": items}).json()["responses"]
        assert [one["status"] for one in replies] == [200, 429, 200]
        assert replies[1]["headers"]["Retry-After"] == "5"


class TestPlans:
    def test_the_third_post(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults({**CREATE, "name": "third", "strike": "status", "status": 503, "nth": 3})
        assert [create(graph).status_code for _ in range(5)] == [201, 201, 503, 201, 201]
        assert tenant.struck() == {"third": 1}
        assert [one["fault"] for one in tenant.writes()] == [None, None, "third", None, None]

    @pytest.mark.parametrize(
        ("match", "struck"),
        [
            ({}, True),
            ({"method": "GET"}, False),
            ({"path": "/applications/*/addPassword"}, True),
            ({"path": "/**/addPassword"}, True),
            ({"path": "/applications/*"}, False),
            ({"path": "/applications/**"}, True),
            ({"service": "graph"}, True),
            ({"service": "login"}, False),
            ({"client_id": "somebody"}, False),
        ],
    )
    def test_what_a_rule_is_about(
        self, tenant: Tenant, graph: httpx.Client, match: dict[str, str], struck: bool
    ) -> None:
        made = make_application(graph)
        tenant.faults({"match": match, "strike": "status", "status": 503})
        response = graph.post(f"/v1.0/applications/{made['id']}/addPassword", json={})
        assert (response.status_code == 503) is struck

    def test_only_one_clients_requests(self, tenant: Tenant, graph: httpx.Client) -> None:
        match = {"client_id": tenant.client_id}
        tenant.faults({"match": match, "strike": "status", "status": 503})
        assert create(graph).status_code == 503
        assert tenant.sign_in().status_code == 503
        other = tenant.ready["tenants"][1]
        form = {name: other[name] for name in ("client_id", "client_secret")}
        assert tenant.sign_in(tenant=other["tenant_id"], **form).status_code == 200

    def test_alternate_keys_and_versions_are_the_same_path(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        made = make_application(graph)
        tenant.faults({"match": {"path": "/applications/*"}, "strike": "status", "status": 503})
        for url in (
            f"/v1.0/applications/{made['id']}",
            f"/beta/applications(appId='{made['appId']}')",
            f"/v1.0/myorganization/applications/{made['id']}?$select=id",
        ):
            assert graph.get(url).status_code == 503

    def test_the_first_rule_that_strikes_wins(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults(
            {**CREATE, "name": "a", "strike": "status", "status": 503, "nth": 1},
            {**CREATE, "name": "b", "strike": "status", "status": 429, "times": 2},
        )
        assert [create(graph).status_code for _ in range(4)] == [503, 429, 429, 201]

    def test_another_plan_takes_its_place(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults({**CREATE, "strike": "status", "status": 503}, latency_ms=1)
        tenant.faults({**CREATE, "strike": "status", "status": 429})
        assert create(graph).status_code == 429
        shown = tenant.admin("GET", "/faults").json()
        assert shown["latency_ms"] == 0
        tenant.admin("DELETE", "/faults")
        assert create(graph).status_code == 201

    def test_latency(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults(latency_ms=100)
        began = time.perf_counter()
        graph.get("/v1.0/applications")
        assert time.perf_counter() - began >= 0.1


class TestRandom:
    RULES: tuple[Mapping[str, Any], ...] = (
        {"name": "throttle", "strike": "status", "status": 429, "ratio": 0.2},
        {"name": "fail", "strike": "status", "status": 503, "ratio": 0.2},
    )

    def run(self, tenant: Tenant, seed: int, workers: int) -> dict[str, list[int]]:
        """Read twenty applications ten times each and return the statuses of each."""
        tenant.reset()
        with tenant.http(tenant.token()) as graph:
            ids = [make_application(graph)["id"] for _ in range(20)]
            tenant.faults(*self.RULES, seed=seed)

            def read(id_: str) -> list[int]:
                return [graph.get(f"/v1.0/applications/{id_}").status_code for _ in range(10)]

            with ThreadPoolExecutor(workers) as pool:
                return dict(zip(ids, pool.map(read, ids), strict=True))

    def test_the_ratio_is_about_right(self, tenant: Tenant) -> None:
        counts = Counter(status for found in self.run(tenant, 5, 1).values() for status in found)
        assert 20 <= counts[429] <= 60
        assert 15 <= counts[503] <= 50

    def test_the_order_of_arrival_does_not_matter(self, tenant: Tenant) -> None:
        one_by_one = self.run(tenant, 5, 1)
        assert self.run(tenant, 5, 8) == one_by_one
        assert self.run(tenant, 6, 1) != one_by_one

    def test_a_plan_from_the_command_line(self, tmp_path: Any) -> None:
        plan = tmp_path / "plan.json"
        plan.write_text(
            '{"seed": 5, "rules": [{"strike": "status", "status": 503}]}', encoding="utf-8"
        )
        with Tenant("--faults", str(plan), "--seed", "9") as tenant:
            assert tenant.admin("GET", "/faults").json()["seed"] == 5
            assert tenant.sign_in().status_code == 503
            tenant.faults()
            assert tenant.sign_in().status_code == 200
            tenant.reset()
            assert tenant.sign_in().status_code == 503


class TestBudget:
    """Throttling as Graph does it to a small tenant: 3,500 resource units in 10 seconds."""

    DEAREST = "/applications?$expand=owners"

    def spend(self, tenant: Tenant, graph: httpx.Client, requests: int) -> httpx.Response:
        """Spend sixty units a request in one instant until one of its parts is refused."""
        items = [{"id": str(n), "method": "GET", "url": self.DEAREST} for n in range(20)]
        instant = tenant.admin("GET", "/clock").json()
        for _ in range(requests):
            tenant.admin("POST", "/clock", instant)  # a busy machine's units run out meanwhile
            response = graph.post("/v1.0/$batch", json={"requests": items})
            if 429 in [one["status"] for one in response.json()["responses"]]:
                break
        tenant.admin("POST", "/clock", instant)
        return response

    def test_over_the_budget(self, tenant: Tenant, graph: httpx.Client) -> None:
        tenant.faults(tenant_size="S")
        make_principal(graph, make_application(graph))
        struck = [
            one for one in self.spend(tenant, graph, 60).json()["responses"] if one["status"] == 429
        ]
        assert struck
        headers = struck[0]["headers"]
        assert 1 <= int(headers["Retry-After"]) <= 11
        scope = f"Tenant_Application/ReadWrite/{tenant.client_id}/{tenant.tenant_id}"
        assert headers["x-ms-throttle-scope"] == scope
        assert headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
        assert struck[0]["body"]["error"]["code"] == "TooManyRequests"
        assert graph.get(f"/v1.0{self.DEAREST}").status_code == 429
        tenant.advance(11)
        assert graph.get("/v1.0/applications").status_code == 200

    def test_what_requests_cost(self, graph: httpx.Client) -> None:
        costs = {
            path: int(graph.get(f"/v1.0/{path}").headers["x-ms-resource-unit"])
            for path in (
                "applications",
                "applications?$select=id",
                "applications?$top=5",
                "applications?$top=100",
                "applications?$expand=owners",
                "servicePrincipals",
                "oauth2PermissionGrants",
            )
        }
        assert list(costs.values()) == [2, 1, 1, 2, 3, 1, 2]

    def test_not_unless_asked_for(self, tenant: Tenant, graph: httpx.Client) -> None:
        assert tenant.admin("GET", "/faults").json()["tenant_size"] is None
        last = self.spend(tenant, graph, 60)
        assert {one["status"] for one in last.json()["responses"]} == {200}
