"""Query options: filters, selections, searches, orders, counts and pages."""

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from emulator.cloud import Cloud
from emulator.config import Config
from emulator.directory.entities import APPLICATION
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import Tenant as Directory
from emulator.graph.graph_call import Call
from emulator.graph.graph_listing import page
from emulator.graph.permissions import APPLICATION_READ, Caller
from emulator.odata.odata import Options
from tests.emulator.objects import make_application, make_principal, message, refused
from tests.tenant import Tenant

ADVANCED = {"ConsistencyLevel": "eventual"}


@pytest.fixture
def some(graph: httpx.Client) -> dict[str, dict[str, Any]]:
    """Three applications besides the deployer."""
    return {
        "a": make_application(graph, displayName="Alpha mail", tags=["proself", "stack:1"]),
        "b": make_application(
            graph,
            displayName="Beta's mail",
            tags=["proself"],
            signInAudience="AzureADMyOrg",
            description="second mail server",
        ),
        "g": make_application(graph, displayName="Gamma"),
    }


def names(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [one["displayName"] for one in response.json()["value"]]


def query(
    graph: httpx.Client, advanced: bool = False, path: str = "applications", **options: str
) -> httpx.Response:
    params = {f"${name}": value for name, value in options.items()}
    if advanced:
        params.setdefault("$count", "true")
    headers = ADVANCED if advanced else {}
    return graph.get(f"/v1.0/{path}", params=params, headers=headers)


class TestFilter:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("displayName eq 'Gamma'", ["Gamma"]),
            ("displayName eq 'gamma'", ["Gamma"]),
            ("displayName eq 'Beta''s mail'", ["Beta's mail"]),
            ("'Gamma' eq displayName", ["Gamma"]),
            ("displayName in ('Gamma', 'Alpha mail')", ["Alpha mail", "Gamma"]),
            ("displayName in ('Gamma')", ["Gamma"]),
            ("displayName in( 'Beta''s mail' )", ["Beta's mail"]),
            ("displayName in ('in (x)') or displayName in ('Gamma')", ["Gamma"]),
            ("startswith(displayName,'Al')", ["Alpha mail"]),
            ("startsWith(displayName, 'al')", ["Alpha mail"]),
            ("startswith(description,'')", ["Beta's mail"]),
            ("tags/any(t:t eq 'stack:1')", ["Alpha mail"]),
            ("tags/any(t: t eq 'proself')", ["Alpha mail", "Beta's mail"]),
            ("tags/any(x:startswith(x,'stack:'))", ["Alpha mail"]),
            ("signInAudience eq 'AzureADMyOrg'", ["Deployer", "Beta's mail"]),
            ("displayName eq 'Gamma' or displayName eq 'Alpha mail'", ["Alpha mail", "Gamma"]),
            ("startswith(displayName,'Al') and tags/any(t:t eq 'proself')", ["Alpha mail"]),
            (
                "(displayName eq 'Gamma' or displayName eq 'Alpha mail') and "
                "tags/any(t:t eq 'proself')",
                ["Alpha mail"],
            ),
            ("createdDateTime ge 2021-01-01T00:00:00Z", ["Alpha mail", "Beta's mail", "Gamma"]),
            ("createdDateTime le 2021-01-01", ["Deployer"]),
            ("createdDateTime in (2020-01-01T00:00:00Z)", ["Deployer"]),
            ("displayName eq 'nobody'", []),
        ],
    )
    @pytest.mark.usefixtures("some")
    def test_by_default(self, graph: httpx.Client, expression: str, expected: list[str]) -> None:
        assert names(query(graph, filter=expression)) == expected

    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("displayName ne 'Gamma'", ["Deployer", "Alpha mail", "Beta's mail"]),
            ("not(displayName eq 'Gamma')", ["Deployer", "Alpha mail", "Beta's mail"]),
            ("NOT startsWith(displayName, 'G')", ["Deployer", "Alpha mail", "Beta's mail"]),
            ("not(tags/any(t:t eq 'proself'))", ["Deployer", "Gamma"]),
            ("tags/$count eq 2", ["Alpha mail"]),
            ("owners/$count eq 0", ["Deployer"]),
            ("owners/$count ne 0", ["Alpha mail", "Beta's mail", "Gamma"]),
            ("description eq null", ["Deployer", "Alpha mail", "Gamma"]),
            ("displayName in ('Gamma',null)", ["Gamma"]),
        ],
    )
    @pytest.mark.usefixtures("some")
    def test_with_advanced_parameters_only(
        self, graph: httpx.Client, expression: str, expected: list[str]
    ) -> None:
        assert names(query(graph, True, filter=expression)) == expected
        response = query(graph, filter=expression)
        assert refused(response)[0] == 400

    def test_it_says_which_parameters_are_missing(self, graph: httpx.Client) -> None:
        response = query(graph, filter="displayName ne 'x'")
        assert refused(response) == (400, "Request_UnsupportedQuery")
        assert message(response) == (
            "Operator 'ne' is not supported because the required parameters might be missing. Try "
            "adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to "
            "https://aka.ms/graph-docs/advanced-queries for more information"
        )
        users = graph.get("/v1.0/applications?$filter=displayName ne 'x'", headers=ADVANCED)
        assert refused(users)[0] == 400  # the header alone is not enough

    @pytest.mark.parametrize(
        ("expression", "code", "text"),
        [
            ("colour eq 'red'", "BadRequest", "Could not find a property named 'colour' on type"),
            ("displayName eq", "BadRequest", "Invalid filter clause"),
            ("displayName = 'x'", "BadRequest", "Invalid filter clause"),
            ("displayName eq 'x", "BadRequest", "Invalid filter clause"),
            ("", "BadRequest", "Invalid filter clause"),
            ("displayName", "BadRequest", "must evaluate to a single boolean value."),
            ("displayName eq 'x' or appId", "BadRequest", "must evaluate to a single boolean"),
            ("tags/any(t:t)", "BadRequest", "must evaluate to a single boolean value."),
            (
                "notes eq 'x'",
                "Request_UnsupportedQuery",
                "clause specified for property 'notes' of resource 'Application'.",
            ),
            ("tags eq 'x'", "Request_UnsupportedQuery", "property 'tags'"),
            ("displayName gt 'x'", "Request_UnsupportedQuery", "property 'displayName'"),
            ("contains(displayName,'x')", "Request_UnsupportedQuery", ""),
            ("endswith(displayName,'x')", "Request_UnsupportedQuery", ""),
            ("web/redirectUris/any(u:u eq 'x')", "Request_UnsupportedQuery", "property 'web'"),
            ("tags/all(t:t eq 'x')", "Request_UnsupportedQuery", ""),
            ("length(displayName) eq 5", "Request_UnsupportedQuery", ""),
        ],
    )
    def test_what_is_not_supported(
        self, graph: httpx.Client, expression: str, code: str, text: str
    ) -> None:
        response = query(graph, filter=expression)
        assert refused(response) == (400, code)
        assert text in message(response)

    @pytest.mark.parametrize(
        ("path", "expression", "types"),
        [
            ("applications", "displayName eq 1", "'Edm.String' and 'Edm.Int32'"),
            ("applications", "true ne displayName", "'Edm.Boolean' and 'Edm.String'"),
            (
                "applications",
                "appId eq 11111111-2222-4333-8444-555555555555",
                "'Edm.String' and 'Edm.Guid'",
            ),
            (
                "applications",
                "createdDateTime ge '2021-01-01'",
                "'Edm.DateTimeOffset' and 'Edm.String'",
            ),
            ("servicePrincipals", "accountEnabled eq 'true'", "'Edm.Boolean' and 'Edm.String'"),
            ("applications", "isFallbackPublicClient eq 'a'", "'Edm.Boolean' and 'Edm.String'"),
            (
                "servicePrincipals",
                "appOwnerOrganizationId eq '11111111-2222-4333-8444-555555555555'",
                "'Edm.Guid' and 'Edm.String'",
            ),
        ],
    )
    def test_a_literal_of_another_type(
        self, graph: httpx.Client, path: str, expression: str, types: str
    ) -> None:
        response = query(graph, path=path, filter=expression)
        assert refused(response) == (400, "BadRequest")
        assert "A binary operator with incompatible types was detected." in message(response)
        assert f"Found operand types {types} for operator kind '" in message(response)

    def test_other_places_for_a_value_of_another_type(self, graph: httpx.Client) -> None:
        path = "servicePrincipals"
        for wrong in ("accountEnabled in ('true')", "startswith(accountEnabled,'t')"):
            assert refused(query(graph, path=path, filter=wrong)) == (400, "BadRequest")
        right = query(graph, path=path, filter="accountEnabled eq true")
        assert right.json()["value"]
        assert query(graph, path=path, filter="accountEnabled").json() == right.json()
        owner = right.json()["value"][0]["appOwnerOrganizationId"]
        owned = query(graph, True, path, filter=f"appOwnerOrganizationId eq {owner}").json()
        assert {each["appOwnerOrganizationId"] for each in owned["value"]} == {owner}

    def test_a_service_principal_by_its_names(self, graph: httpx.Client) -> None:
        expression = "servicePrincipalNames/any(n:n eq 'https://outlook.office.com')"
        found = query(graph, path="servicePrincipals", filter=expression)
        assert names(found) == ["Office 365 Exchange Online"]

    def test_users_by_the_end_of_their_address(self, administrator: httpx.Client) -> None:
        expression = "endsWith(mail,'@contoso.example')"
        assert names(query(administrator, True, "users", filter=expression)) == ["Proself"]
        response = query(administrator, path="users", filter=expression)
        assert "Operator 'endsWith' is not supported" in message(response)


class TestSelect:
    def test_only_what_is_asked_for(self, graph: httpx.Client) -> None:
        made = make_application(graph)
        one = graph.get(f"/v1.0/applications/{made['id']}?$select=id,displayName").json()
        assert {k for k in one if k[0] != "@"} == {"id", "displayName"}
        assert one["@odata.context"].endswith("#applications(id,displayName)/$entity")
        many = query(graph, select="appId").json()["value"]
        assert all(set(item) == {"appId"} for item in many)

    def test_a_name_that_is_not_there(self, graph: httpx.Client) -> None:
        response = query(graph, select="id,colour")
        assert refused(response) == (400, "BadRequest")
        assert "Could not find a property named 'colour'" in message(response)

    def test_users_show_only_some_by_themselves(self, administrator: httpx.Client) -> None:
        user = query(administrator, path="users").json()["value"][0]
        assert "accountEnabled" not in user
        selected = query(administrator, path="users", select="accountEnabled").json()["value"][0]
        assert selected["accountEnabled"] is True


class TestExpand:
    def test_owners_with_a_selection_of_their_own(
        self, tenant: Tenant, graph: httpx.Client
    ) -> None:
        made = make_application(graph)
        url = f"/v1.0/applications/{made['id']}?$select=id&$expand=owners($select=appId)"
        expanded = graph.get(url).json()
        assert expanded["id"] == made["id"]
        [owner] = expanded["owners"]
        assert owner["appId"] == tenant.client_id
        assert set(owner) == {"@odata.type", "appId"}

    def test_a_selection_of_every_property(self, graph: httpx.Client) -> None:
        make_application(graph)
        plain = query(graph, expand="owners").json()["value"]
        assert query(graph, expand=" owners ($select=*)").json()["value"] == plain
        assert plain[1]["owners"][0]["displayName"] == "Deployer"

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("friends", "BadRequest"),
            ("owners($select=id;$top=1)", "Request_UnsupportedQuery"),
            ("owners($levels=max)", "Request_UnsupportedQuery"),
            ("owners($select=nope)", "BadRequest"),
            ("federatedIdentityCredentials($select=appId)", "BadRequest"),
            ("owners($select=)", "Request_UnsupportedQuery"),
            ("owners(", "BadRequest"),
            ("owners)", "BadRequest"),
            ("owners,", "BadRequest"),
            ("owners federatedIdentityCredentials", "BadRequest"),
            ("owners,federatedIdentityCredentials", "BadRequest"),
            ("owners,owners", "BadRequest"),
        ],
    )
    def test_what_cannot_be_expanded(self, graph: httpx.Client, text: str, code: str) -> None:
        assert refused(query(graph, expand=text)) == (400, code)

    def test_never_with_advanced_parameters(self, graph: httpx.Client) -> None:
        assert refused(query(graph, True, expand="owners"))[0] == 400
        url = '/v1.0/applications?$search="displayName:x"&$expand=owners'
        assert refused(graph.get(url, headers=ADVANCED)) == (400, "Request_UnsupportedQuery")


class TestSearch:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('"displayName:mail"', ["Alpha mail", "Beta's mail"]),
            ('"displayName:alp"', ["Alpha mail"]),
            ('"displayName:mail" AND "description:server"', ["Beta's mail"]),
            ('"displayName:gamma" OR "displayName:alpha"', ["Alpha mail", "Gamma"]),
            (
                '"displayName:gamma" OR "displayName:mail" AND "description:server"',
                ["Beta's mail", "Gamma"],
            ),
            (
                '("displayName:gamma" OR "displayName:mail") AND "description:server"',
                ["Beta's mail"],
            ),
            ('(("displayName:gamma"))', ["Gamma"]),
            ('"tags:stack:"', ["Alpha mail"]),
            ('"tags:1"', []),  # a word in its middle: of other properties, only the beginning
        ],
    )
    @pytest.mark.usefixtures("some")
    def test_by_words(self, graph: httpx.Client, text: str, expected: list[str]) -> None:
        assert names(query(graph, True, search=text)) == expected

    @pytest.mark.parametrize(
        ("name", "found", "missed"),
        [
            (
                "Proself mail (proself.example.jp)",
                ["example", "jp proself", "proself.example.jp", "(proself", "proselfexamplejp"],
                ["roself", "proself-example", "examplemail"],
            ),
            ("HelloWorld", ["world", "HELLO", "helloWorld"], ["helloworld", "elloWorld"]),
            ("HELLOworld", ["helloworld"], ["world"]),
            ("hello123world", ["123", "world hello", "hello123"], ["ello", "23"]),
            ("hello_world", ["world", "helloworld", "_"], ["hello-world"]),
            ("李四(David Li)", ["李四(David Li)", "李四", "David)", "(李四", "Li 李"], ["四"]),
            ("Search AND Rescue", ["Search AND Rescue", "rescue and"], []),
            ('say "x" OR \\ ', ['say \\"x\\"', "OR \\\\"], ['say \\"y\\"']),
        ],
    )
    def test_words_as_microsofts_page_cuts_them(
        self, graph: httpx.Client, name: str, found: list[str], missed: list[str]
    ) -> None:
        make_application(graph, displayName=name)
        for words in found:
            assert names(query(graph, True, search=f'"displayName:{words}"')) == [name], words
        for words in missed:
            assert names(query(graph, True, search=f'"displayName:{words}"')) == [], words

    def test_only_with_the_header(self, graph: httpx.Client) -> None:
        response = query(graph, search='"displayName:x"')
        assert refused(response) == (400, "Request_UnsupportedQuery")
        assert "special request header: 'ConsistencyLevel: eventual'" in message(response)

    @pytest.mark.parametrize("text", ['"notes:x"', '"x"'])
    def test_properties_that_cannot_be_searched(self, graph: httpx.Client, text: str) -> None:
        assert refused(query(graph, True, search=text)) == (400, "Request_UnsupportedQuery")

    @pytest.mark.parametrize(
        "text",
        [
            "displayName:x",
            '"displayName:a" "displayName:b"',
            '"displayName:a" and "displayName:b"',
            '"displayName:a" AND',
            'OR "displayName:a"',
            '("displayName:a"',
            '"displayName:a")',
            "()",
            '"displayName:a',
            "",
            " ",
        ],
    )
    def test_what_is_no_search(self, graph: httpx.Client, text: str) -> None:
        response = query(graph, True, search=text)
        assert refused(response) == (400, "Request_BadRequest")
        assert message(response).startswith("Syntax error")

    def test_however_many_parentheses(self, graph: httpx.Client) -> None:
        deep = '("displayName:dep" AND ' * 700 + '"displayName:dep"' + ")" * 700
        assert names(query(graph, True, search=deep)) == ["Deployer"]


class TestOrder:
    @pytest.mark.usefixtures("some")
    def test_up_and_down(self, graph: httpx.Client) -> None:
        up = names(query(graph, True, orderby="displayName"))
        assert up == sorted(up, key=str.casefold)
        assert names(query(graph, True, orderby="displayName desc")) == up[::-1]

    def test_only_with_advanced_parameters(self, graph: httpx.Client) -> None:
        response = query(graph, orderby="displayName")
        assert refused(response) == (400, "Request_UnsupportedQuery")
        assert refused(query(graph, True, orderby="notes"))[0] == 400
        assert refused(query(graph, True, orderby="colour")) == (400, "BadRequest")

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("displayName sideways", "BadRequest"),
            ("displayName desc asc", "BadRequest"),
            ("displayName desc,appId", "Request_UnsupportedQuery"),
            ("displayName desc,createdDateTime", "Request_UnsupportedQuery"),
            ("displayName,", "BadRequest"),
        ],
    )
    def test_what_is_no_order(self, graph: httpx.Client, text: str, code: str) -> None:
        assert refused(query(graph, True, orderby=text)) == (400, code)

    def test_users_by_name_without_them(self, administrator: httpx.Client) -> None:
        found = names(query(administrator, path="users", orderby="displayName"))
        assert found == ["Administrator", "Proself"]
        both = query(
            administrator, path="users", orderby="displayName", filter="startswith(mail,'p')"
        )
        assert refused(both) == (400, "Request_UnsupportedQuery")


class TestNames:
    """How options are named, and those that change nothing."""

    @pytest.mark.usefixtures("some")
    def test_beta_needs_no_dollar(self, graph: httpx.Client) -> None:
        url = "/beta/applications?filter=startswith(displayName,'Al')&select=id,displayName&top=1"
        response = graph.get(url)
        assert response.headers["x-ms-resource-unit"] == "1"  # of two, for it selects
        found = response.json()
        assert [set(one) for one in found["value"]] == [{"id", "displayName"}]
        assert found["value"][0]["displayName"] == "Alpha mail"
        first = graph.get("/beta/applications?top=1&custom=x").json()
        following = graph.get(first["@odata.nextLink"]).json()
        assert len(following["value"]) == 1
        assert following["value"] != first["value"]
        assert len(names(graph.get("/v1.0/applications?top=1"))) == 4  # an option of one's own

    def test_json_is_the_format(self, graph: httpx.Client) -> None:
        plain = graph.get("/v1.0/applications").json()
        assert graph.get("/v1.0/applications?$format=json").json() == plain
        assert refused(graph.get("/v1.0/applications?$format=atom"))[0] == 400


class TestCount:
    @pytest.mark.usefixtures("some")
    def test_as_a_segment(self, graph: httpx.Client) -> None:
        response = graph.get("/v1.0/applications/$count", headers=ADVANCED)
        assert (response.text, response.headers["content-type"]) == (
            "4",
            "text/plain; charset=utf-8",
        )
        filtered = "/v1.0/applications/$count?$filter=startswith(displayName,'G')"
        assert graph.get(filtered, headers=ADVANCED).text == "1"
        refusal = graph.get("/v1.0/applications/$count")
        assert refused(refusal) == (400, "Request_BadRequest")
        assert message(refusal) == "$count is not currently supported."

    @pytest.mark.usefixtures("some")
    def test_as_an_option(self, graph: httpx.Client) -> None:
        first = query(graph, True, top="1").json()
        assert first["@odata.count"] == 4
        second = graph.get(first["@odata.nextLink"], headers=ADVANCED).json()
        assert "@odata.count" not in second
        assert "@odata.count" not in query(graph, count="true").json()
        assert refused(query(graph, count="maybe")) == (400, "BadRequest")


class TestPages:
    @pytest.fixture
    def many(self, tenant: Tenant) -> None:
        tenant.seed(applications=[{"display_name": "Foreign {n}", "count": 250}])

    def walk(self, graph: httpx.Client, url: str, **headers: str) -> list[list[dict[str, Any]]]:
        pages = []
        while url:
            reply = graph.get(url, headers=headers).json()
            pages.append(reply["value"])
            url = reply.get("@odata.nextLink", "")
        return pages

    @pytest.mark.usefixtures("many")
    def test_a_hundred_at_a_time(self, graph: httpx.Client) -> None:
        pages = self.walk(graph, "/v1.0/applications")
        assert [len(page) for page in pages] == [100, 100, 51]
        ids = [item["id"] for page in pages for item in page]
        assert len(set(ids)) == 251

    @pytest.mark.usefixtures("many")
    def test_options_hold_on_every_page(self, graph: httpx.Client) -> None:
        url = (
            "/v1.0/applications?$top=20&$select=displayName,id&$filter=startswith(displayName,'F')"
        )
        pages = self.walk(graph, url)
        assert [len(page) for page in pages] == [20] * 12 + [10]
        assert all(set(item) == {"id", "displayName"} for page in pages for item in page)

    @pytest.mark.usefixtures("many")
    def test_ordered_pages_follow_each_other(self, graph: httpx.Client) -> None:
        url = "/v1.0/applications?$top=90&$orderby=displayName desc&$count=true"
        found = [i["displayName"] for page in self.walk(graph, url, **ADVANCED) for i in page]
        assert found == sorted(found, key=str.casefold, reverse=True)
        assert len(found) == 251

    @pytest.mark.usefixtures("many")
    def test_deleting_between_two_pages_skips_nobody(self, administrator: httpx.Client) -> None:
        first = administrator.get("/v1.0/applications?$top=5").json()
        for item in first["value"]:
            administrator.delete(f"/v1.0/applications/{item['id']}")
        rest = self.walk(administrator, first["@odata.nextLink"])
        assert sum(len(page) for page in rest) == 246

    @pytest.mark.usefixtures("many")
    def test_a_last_page_that_is_full_leads_nowhere(self, graph: httpx.Client) -> None:
        url = "/v1.0/applications?$top=125&$filter=startswith(displayName,'Foreign')"
        assert [len(page) for page in self.walk(graph, url)] == [125, 125]

    @pytest.mark.parametrize("top", ["0", "1000", "-1", "many", "١", "9" * 5000])
    def test_a_size_that_is_none(self, graph: httpx.Client, top: str) -> None:
        assert refused(query(graph, top=top))[0] == 400

    @pytest.mark.parametrize("token", ["nonsense", '["", 1e999]', '["", -1]', "[1, 1]", "[" * 900])
    def test_a_token_that_is_none(self, graph: httpx.Client, token: str) -> None:
        response = query(graph, skiptoken=base64.urlsafe_b64encode(token.encode()).decode())
        assert refused(response) == (400, "Directory_ExpiredPageToken")

    def test_thousands_are_listed_and_found(self, tenant: Tenant, graph: httpx.Client) -> None:
        made = tenant.seed(applications=[{"display_name": "Foreign {n}", "count": 5000}])
        wanted = made["applications"][4000]
        pages = self.walk(graph, "/v1.0/applications?$top=999&$select=id")
        assert [len(page) for page in pages] == [999] * 5 + [6]
        [found] = query(graph, filter=f"appId eq '{wanted['appId']}'").json()["value"]
        assert found["id"] == wanted["id"]

    def test_an_index_spares_a_walk_over_all(self) -> None:
        cloud = Cloud(Config(ready_file=Path("ready.json")))
        [tenant] = cloud.tenants.values()
        for body in ({"id": f"{n}", "appId": f"app-{n}", "displayName": "App"} for n in range(5)):
            tenant.store.add(Record(Kind.APPLICATION, body["id"], body))
        every = [record.id for record in tenant.live(Kind.APPLICATION)]
        assert self.looked_at(cloud, tenant, "appId eq 'app-3'") == ["3"]
        assert self.looked_at(cloud, tenant, "displayName eq 'App' and appId eq 'app-3'") == ["3"]
        for without in ("displayName eq 'App'", "displayName eq 'App' or appId eq 'app-3'"):
            assert self.looked_at(cloud, tenant, without) == every

    def looked_at(self, cloud: Cloud, tenant: Directory, expression: str) -> list[str]:
        """List the ids of the applications that are judged in answer to a filter."""
        judged = []

        def keep(record: Record) -> bool:
            judged.append(record.id)
            return True

        call = Call(
            cloud=cloud,
            tenant=tenant,
            caller=Caller(tenant_id=tenant.id, client_id="", object_id=""),
            view=cloud.replicas.for_request(tenant.id, "GET", "applications"),
            method="GET",
            version="v1.0",
            base="",
            path="/applications",
            options=Options(pairs=(("$filter", expression),)),
            headers={},
            needs=APPLICATION_READ,
        )
        page(call, APPLICATION, Kind.APPLICATION, keep)
        return judged


class TestForms:
    def test_how_much_metadata(self, graph: httpx.Client) -> None:
        made = make_application(graph)
        make_principal(graph, made)
        url = f"/v1.0/applications/{made['id']}"
        none = graph.get(url, headers={"accept": "application/json;odata.metadata=none"})
        assert "@odata" not in none.text
        full = graph.get(url, headers={"accept": "application/json; odata.metadata=full"}).json()
        assert full["@odata.type"] == "#microsoft.graph.application"
        assert "odata.metadata=none" in none.headers["content-type"]
        plain = graph.get(url)
        assert "odata.metadata=minimal" in plain.headers["content-type"]
        assert plain.headers["odata-version"] == "4.0"

    def test_no_metadata_anywhere(self, graph: httpx.Client) -> None:
        made = make_application(graph)
        url = f"/v1.0/applications/{made['id']}"
        none = {"accept": "application/json;odata.metadata=none"}
        ids = {"ids": [made["id"]]}
        for response in (
            graph.get(f"{url}/owners", headers=none),
            graph.get(f"{url}?$expand=owners", headers=none),
            graph.get(f"/v1.0/directoryObjects/{made['id']}", headers=none),
            graph.post("/v1.0/directoryObjects/getByIds", json=ids, headers=none),
            graph.post(f"{url}/addPassword", json={}, headers=none),
        ):
            assert response.is_success
            assert "@odata" not in response.text
        page = graph.get("/v1.0/applications?$top=1", headers=none).json()
        assert set(page) == {"@odata.nextLink", "value"}
        [owner] = graph.get(f"{url}/owners/$ref", headers=none).json()["value"]
        assert set(owner) == {"@odata.id"}

    def test_each_of_a_batch_has_the_metadata_that_it_asked_for(self, graph: httpx.Client) -> None:
        none = {"accept": "application/json;odata.metadata=none"}
        item = {"method": "GET", "url": f"/applications/{make_application(graph)['id']}/owners"}
        requests = [{"id": "none", "headers": none, **item}, {"id": "minimal", **item}]
        envelope = graph.post("/v1.0/$batch", json={"requests": requests}, headers=none).json()
        bodies = {one["id"]: one["body"] for one in envelope["responses"]}
        assert set(bodies["none"]) == {"value"}
        assert set(bodies["minimal"]) == {"@odata.context", "value"}
        assert "@odata.type" in bodies["minimal"]["value"][0]

    @pytest.mark.parametrize(
        ("method", "path", "status", "text"),
        [
            ("GET", "/v1.0/colours", 400, "Resource not found for the segment 'colours'."),
            ("GET", "/v1.0/applications/x/colours", 400, "for the segment 'colours'."),
            ("PUT", "/v1.0/applications", 405, "Specified HTTP method is not allowed"),
            ("GET", "/v1.0/applications(", 400, "Bad Request"),
            ("GET", "/v1.0/applications?$colour=red", 400, "'$colour'"),
            ("GET", "/v1.0/applications?$top=1&$top=2", 400, "more than once"),
            (
                "GET",
                "/v1.0/applications/5d5e0a8e-0000-0000-0000-000000000000",
                404,
                "does not exist",
            ),
            ("GET", "/v1.0/", 400, ""),
            ("GET", "/v1.0/applications/nobody", 400, "Invalid object identifier 'nobody'."),
        ],
    )
    def test_addresses_that_lead_nowhere(
        self, graph: httpx.Client, method: str, path: str, status: int, text: str
    ) -> None:
        response = graph.request(method, path)
        assert refused(response)[0] == status
        assert text in message(response)

    def test_the_clients_own_request_id_comes_back(self, graph: httpx.Client) -> None:
        response = graph.get("/v1.0/colours", headers={"client-request-id": "mine"})
        assert response.headers["client-request-id"] == "mine"
        assert response.json()["error"]["innerError"]["client-request-id"] == "mine"
        assert response.headers["request-id"] != "mine"
