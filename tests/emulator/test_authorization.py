"""Who may do what: tokens that Graph accepts, app roles, scopes, ownership."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.emulator.browser import authorize, challenge
from tests.emulator.objects import (
    GRAPH_APP_ID,
    created,
    make_application,
    make_grant,
    make_principal,
    message,
    principal_of,
    refused,
)
from tests.tenant import Tenant


class TestTokens:
    def refusal(self, tenant: Tenant, authorization: str | None) -> httpx.Response:
        headers = {} if authorization is None else {"authorization": authorization}
        with tenant.http() as http:
            return http.get("/v1.0/applications", headers=headers)

    @pytest.mark.parametrize(
        ("authorization", "text"),
        [
            (None, "Access token is empty."),
            ("Bearer", "Access token is empty."),
            ("Basic abc", "Access token is empty."),
            ("Bearer nonsense", "IDX14100: JWT is not well formed"),
            ("Bearer nonsense", "(JWS): 'EncodedHeader.EncodedPayload.EncodedSignature'."),
            ("Bearer a.b.c", "InvalidAuthenticationToken"),
        ],
    )
    def test_none_or_nonsense(self, tenant: Tenant, authorization: str | None, text: str) -> None:
        response = self.refusal(tenant, authorization)
        assert refused(response) == (401, "InvalidAuthenticationToken")
        assert text in message(response)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["www-authenticate"] == (
            f'Bearer realm="", authorization_uri="{tenant.authority}/common/oauth2/authorize", '
            'client_id="00000003-0000-0000-c000-000000000000"'
        )

    def test_signed_by_somebody_else(self, tenant: Tenant) -> None:
        claims = jwt.decode(tenant.token(), options={"verify_signature": False})
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        forged = jwt.encode(claims, stranger, algorithm="RS256")
        assert refused(self.refusal(tenant, f"Bearer {forged}"))[0] == 401

    def test_unsigned(self, tenant: Tenant) -> None:
        claims = jwt.decode(tenant.token(), options={"verify_signature": False})
        unsigned = jwt.encode(claims, "", algorithm="none")
        assert refused(self.refusal(tenant, f"Bearer {unsigned}"))[0] == 401

    def test_for_another_audience(self, tenant: Tenant) -> None:
        token = tenant.token(scope="https://outlook.office.com/.default")
        response = self.refusal(tenant, f"Bearer {token}")
        assert refused(response) == (401, "InvalidAuthenticationToken")
        assert message(response) == "Access token validation failure. Invalid audience."

    def test_expired(self, tenant: Tenant) -> None:
        token = tenant.token()
        tenant.advance(3600)
        response = self.refusal(tenant, f"Bearer {token}")
        assert refused(response) == (401, "InvalidAuthenticationToken")
        assert message(response) == "Lifetime validation failed, the token is expired."

    def test_not_good_yet(self, tenant: Tenant) -> None:
        """Where somebody set the clock back; a little ahead is taken."""
        now = tenant.now()
        tenant.advance(3600)
        token = tenant.token()
        for ahead, status in ((200, 200), (3500, 401)):
            earlier = now + timedelta(seconds=3600 - ahead)
            tenant.admin("POST", "/clock", {"now": earlier.isoformat()})
            assert self.refusal(tenant, f"Bearer {token}").status_code == status

    def test_a_short_lived_one(self) -> None:
        with Tenant("--token-lifetime-seconds", "60") as tenant:
            token = tenant.token()
            assert self.refusal(tenant, f"Bearer {token}").status_code == 200
            tenant.advance(60)
            assert self.refusal(tenant, f"Bearer {token}").status_code == 401


class TestLeastPrivilege:
    """The deployer: Application.ReadWrite.OwnedBy, DelegatedPermissionGrant.ReadWrite.All."""

    @pytest.fixture
    def foreign(self, administrator: httpx.Client) -> dict[str, Any]:
        """An application and service principal that the deployer does not own."""
        application = make_application(administrator)
        principal = make_principal(administrator, application)
        return application | {"principal": principal["id"]}

    @pytest.mark.parametrize(
        "path",
        [
            "applications",
            "servicePrincipals",
            "oauth2PermissionGrants",
            "directory/deletedItems/microsoft.graph.application",
        ],
    )
    def test_it_reads_these(self, graph: httpx.Client, path: str) -> None:
        assert graph.get(f"/v1.0/{path}").status_code == 200

    @pytest.mark.parametrize(
        "path", ["users", "organization", "policies/defaultAppManagementPolicy"]
    )
    def test_it_may_not_read_these(self, graph: httpx.Client, path: str) -> None:
        response = graph.get(f"/v1.0/{path}")
        assert refused(response) == (403, "Authorization_RequestDenied")
        assert message(response) == "Insufficient privileges to complete the operation."

    def test_it_reads_what_others_own(self, graph: httpx.Client, foreign: dict[str, Any]) -> None:
        assert graph.get(f"/v1.0/applications/{foreign['id']}").status_code == 200
        assert graph.get(f"/v1.0/servicePrincipals/{foreign['principal']}").status_code == 200

    def test_it_changes_nothing_that_others_own(
        self, tenant: Tenant, graph: httpx.Client, foreign: dict[str, Any]
    ) -> None:
        application = f"/v1.0/applications/{foreign['id']}"
        principal = f"/v1.0/servicePrincipals/{foreign['principal']}"
        me = principal_of(graph, tenant.client_id)["id"]
        [owner] = [each["id"] for each in graph.get(f"{application}/owners").json()["value"]]
        reference = {"@odata.id": f"{tenant.graph}/v1.0/directoryObjects/{me}"}
        for response in (
            graph.patch(application, json={"displayName": "mine"}),
            graph.delete(application),
            graph.post(f"{application}/addPassword", json={}),
            graph.post(f"{application}/removePassword", json={"keyId": "x"}),
            graph.post(f"{application}/owners/$ref", json=reference),
            graph.delete(f"{application}/owners/{owner}/$ref"),
            graph.post(f"{application}/federatedIdentityCredentials", json={"name": "x"}),
            graph.patch(principal, json={"notes": "mine"}),
            graph.delete(principal),
        ):
            assert refused(response) == (403, "Authorization_RequestDenied")
        assert graph.get(application).json()["displayName"] == "App"

    def test_it_gives_no_service_principal_to_a_foreign_application(
        self, graph: httpx.Client, administrator: httpx.Client
    ) -> None:
        application = make_application(administrator)
        response = graph.post("/v1.0/servicePrincipals", json={"appId": application["appId"]})
        assert refused(response)[0] == 403

    def test_who_gives_ownership_away_has_none(self, tenant: Tenant, graph: httpx.Client) -> None:
        application = make_application(graph)
        me = principal_of(graph, tenant.client_id)["id"]
        url = f"/v1.0/applications/{application['id']}"
        assert graph.delete(f"{url}/owners/{me}/$ref").status_code == 204
        assert refused(graph.patch(url, json={"notes": "n"}))[0] == 403


@pytest.fixture
def as_application(tenant: Tenant, administrator: httpx.Client) -> "Iterator[Any]":
    """Make applications with the app roles that a test asks for, and sign in as them."""
    clients: list[httpx.Client] = []

    def make(*roles: str) -> httpx.Client:
        application = make_application(administrator)
        principal = make_principal(administrator, application)
        resource = principal_of(administrator, GRAPH_APP_ID)
        ids = {role["value"]: role["id"] for role in resource["appRoles"]}
        for role in roles:
            body = {
                "principalId": principal["id"],
                "resourceId": resource["id"],
                "appRoleId": ids[role],
            }
            url = f"/v1.0/servicePrincipals/{principal['id']}/appRoleAssignments"
            created(administrator.post(url, json=body))
        url = f"/v1.0/applications/{application['id']}/addPassword"
        secret = administrator.post(url, json={}).json()["secretText"]
        token = tenant.token(client_id=application["appId"], client_secret=secret)
        clients.append(tenant.http(token))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


READS = {
    "applications": "/v1.0/applications",
    "principals": "/v1.0/servicePrincipals",
    "grants": "/v1.0/oauth2PermissionGrants",
    "users": "/v1.0/users",
    "organization": "/v1.0/organization",
    "policies": "/v1.0/policies/appManagementPolicies",
}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("Application.Read.All", {"applications", "principals"}),
        ("Application.ReadWrite.OwnedBy", {"applications", "principals"}),
        ("Application.ReadWrite.All", {"applications", "principals"}),
        ("DelegatedPermissionGrant.Read.All", {"grants"}),
        ("DelegatedPermissionGrant.ReadWrite.All", {"grants"}),
        ("Directory.Read.All", {"applications", "principals", "grants", "users", "organization"}),
        ("User.Read.All", {"users"}),
        ("Organization.Read.All", {"organization"}),
        ("Policy.Read.All", {"policies"}),
        ("Mail.Send", set()),
    ],
)
def test_an_app_role_opens_just_its_doors(
    as_application: Any, role: str, allowed: set[str]
) -> None:
    graph = as_application(role)
    opened = {name for name, path in READS.items() if graph.get(path).status_code == 200}
    assert opened == allowed


def test_reading_is_not_writing(as_application: Any, graph: httpx.Client) -> None:
    reader = as_application("Directory.Read.All", "Application.Read.All")
    mine = make_application(graph)
    for response in (
        reader.post("/v1.0/applications", json={"displayName": "x"}),
        reader.patch(f"/v1.0/applications/{mine['id']}", json={"notes": "x"}),
        reader.delete(f"/v1.0/applications/{mine['id']}"),
        reader.post("/v1.0/servicePrincipals", json={"appId": mine["appId"]}),
        reader.post("/v1.0/oauth2PermissionGrants", json={}),
    ):
        assert refused(response) == (403, "Authorization_RequestDenied")


def test_who_may_write_all_may_write_what_others_own(
    as_application: Any, graph: httpx.Client
) -> None:
    writer = as_application("Application.ReadWrite.All")
    mine = make_application(graph)
    assert writer.patch(f"/v1.0/applications/{mine['id']}", json={"notes": "x"}).is_success
    assert writer.delete(f"/v1.0/applications/{mine['id']}").is_success


def test_two_deployers_do_not_touch_each_others_work(
    as_application: Any, graph: httpx.Client
) -> None:
    other = as_application("Application.ReadWrite.OwnedBy")
    mine = make_application(graph)
    assert refused(other.delete(f"/v1.0/applications/{mine['id']}"))[0] == 403


class TestUsers:
    """Delegated access: the scope, and what the user himself may."""

    def delegated(
        self, tenant: Tenant, administrator: httpx.Client, user: int, scope: str
    ) -> httpx.Client:
        redirect_uri = "http://localhost"
        application = make_application(
            administrator,
            signInAudience="AzureADMyOrg",
            publicClient={"redirectUris": [redirect_uri]},
        )
        principal = make_principal(administrator, application)
        body = {
            "clientId": principal["id"],
            "consentType": "AllPrincipals",
            "resourceId": principal_of(administrator, GRAPH_APP_ID)["id"],
            "scope": scope,
        }
        created(administrator.post("/v1.0/oauth2PermissionGrants", json=body))
        params = {
            "client_id": application["appId"],
            "response_type": "code",
            "redirect_uri": f"{redirect_uri}:4711",
            "scope": "https://graph.microsoft.com/.default",
            "code_challenge": challenge("v" * 50),
            "code_challenge_method": "S256",
        }
        address = f"{tenant.tenant_id}/oauth2/v2.0/authorize"
        code = authorize(tenant, tenant.ready["users"][user], params, address=address)["code"]
        token = tenant.token(
            grant_type="authorization_code",
            client_id=application["appId"],
            client_secret="",
            code=code,
            redirect_uri=params["redirect_uri"],
            code_verifier="v" * 50,
            scope="",
        )
        return tenant.http(token)

    def test_a_user_reads_himself(self, tenant: Tenant, administrator: httpx.Client) -> None:
        with self.delegated(tenant, administrator, 1, "User.Read") as graph:
            assert graph.get("/v1.0/me").json()["mail"] == "proself@contoso.example"
            assert graph.get("/v1.0/organization").status_code == 200
            assert refused(graph.get("/v1.0/users"))[0] == 403
            me, somebody = tenant.ready["users"][1], tenant.ready["users"][0]
            for key in (me["id"], me["id"].upper(), me["user_principal_name"]):
                assert graph.get(f"/v1.0/users/{key}").json()["id"] == me["id"]
            for key in (somebody["id"], somebody["user_principal_name"], "nobody"):
                assert refused(graph.get(f"/v1.0/users/{key}"))[0] == 403

    def test_a_scope_does_not_make_an_administrator(
        self, tenant: Tenant, administrator: httpx.Client
    ) -> None:
        foreign = make_application(administrator)
        scope = "Application.ReadWrite.All DelegatedPermissionGrant.ReadWrite.All"
        with self.delegated(tenant, administrator, 1, scope) as graph:
            mine = make_application(graph)
            assert graph.patch(f"/v1.0/applications/{mine['id']}", json={"notes": "n"}).is_success
            response = graph.patch(f"/v1.0/applications/{foreign['id']}", json={"notes": "n"})
            assert refused(response)[0] == 403
            principal = make_principal(graph, mine)
            body = {"clientId": principal["id"], "consentType": "AllPrincipals"}
            assert refused(graph.post("/v1.0/oauth2PermissionGrants", json=body))[0] == 403

    def test_an_administrator_is_bound_by_the_scope(
        self, tenant: Tenant, administrator: httpx.Client
    ) -> None:
        with self.delegated(tenant, administrator, 0, "Application.Read.All") as graph:
            assert graph.get("/v1.0/applications").status_code == 200
            response = graph.post("/v1.0/applications", json={"displayName": "x"})
            assert refused(response)[0] == 403

    def test_an_application_has_no_me(self, graph: httpx.Client) -> None:
        response = graph.get("/v1.0/me")
        assert refused(response) == (400, "BadRequest")
        assert message(response).startswith("/me request is only valid with delegated")


def test_one_tenants_token_shows_that_tenant_only(tenant: Tenant, graph: httpx.Client) -> None:
    mine = make_application(graph)
    make_grant(graph, make_principal(graph, mine)["id"])
    other = tenant.ready["tenants"][1]
    token = tenant.token(
        tenant=other["tenant_id"],
        client_id=other["client_id"],
        client_secret=other["client_secret"],
    )
    with tenant.http(token) as fabrikam:
        names = [one["displayName"] for one in fabrikam.get("/v1.0/applications").json()["value"]]
        assert names == ["Deployer"]
        assert refused(fabrikam.get(f"/v1.0/applications/{mine['id']}"))[0] == 404
    assert tenant.sign_in(tenant=other["tenant_id"]).status_code == 400
