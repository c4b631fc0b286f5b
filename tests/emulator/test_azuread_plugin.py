"""The stand-in plugin's protocol: each type and function on an embedded tenant, over TLS."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import plugin_pb2, provider_pb2

from tests.emulator.plugin_process import (
    SECRET_SIGNATURE,
    UNKNOWN,
    Plugin,
    environment_of,
    error_of,
    plain,
    struct,
    urn,
)
from tests.tenant import Tenant

EXCHANGE_ONLINE = "00000002-0000-0ff1-ce00-000000000000"
APPLICATION = {"displayName": "Mail", "tags": ["b", "a"]}
ROLE_ID = "aaaaaaaa-1111-4111-8111-111111111111"
ID = "cccccccc-1111-4111-8111-111111111111"
SCOPE_ID = "bbbbbbbb-1111-4111-8111-111111111111"
WIDE = (
    "--deployer-role",
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
)


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    """Serve a tenant whose deployer may do what the resource types need."""
    with Tenant(*WIDE) as tenant:
        yield tenant


@pytest.fixture(scope="module")
def plugin(executable: Path, tenant: Tenant) -> Iterator[Plugin]:
    """Serve a configured plugin."""
    with Plugin(executable, environment_of(tenant)) as plugin:
        plugin.configure()
        yield plugin


def writes(tenant: Tenant, since: int) -> list[str]:
    return [f"{e['method']} {e['path'].rpartition('/')[2]}" for e in tenant.writes(since)]


def last(tenant: Tenant) -> int:
    return int(tenant.history()[-1]["n"])


def failure_of(call: Callable[[], object]) -> str:
    """Give the message of a call, which must fail."""
    return str(error_of(call).details())


class TestApplication:
    """azuread.Application."""

    def test_its_life(self, plugin: Plugin) -> None:
        resource_id, state = plugin.create("Application", APPLICATION)
        assert state["tags"] == ["a", "b"]
        assert state["signInAudience"] == "AzureADMyOrg"
        assert plugin.diff("Application", state, APPLICATION).changes == (
            provider_pb2.DiffResponse.DIFF_NONE
        )
        changed = {**APPLICATION, "description": "described", "tags": ["c"]}
        diff = plugin.diff("Application", state, changed)
        assert sorted(diff.diffs) == ["description", "tags"]
        assert not diff.replaces
        state = plugin.update("Application", state, changed)
        assert (state["description"], state["tags"]) == ("described", ["c"])
        read = plugin.read("Application", resource_id, state, changed)
        assert read.id == resource_id
        plugin.delete("Application", state)
        assert plugin.read("Application", resource_id, state, changed).id == ""
        message = failure_of(lambda: plugin.delete("Application", state))
        assert "Deleting Application (Application:" in message
        assert "404" in message

    def test_the_caller_is_owner_only_when_listed(self, plugin: Plugin) -> None:
        """Created as owner by Graph, removed again by the plugin unless the program lists it."""
        caller = plugin.invoke("getClientConfig", {})["objectId"]
        _, kept = plugin.create("Application", {**APPLICATION, "owners": [caller]})
        assert kept["owners"] == [caller]
        _, removed = plugin.create("Application", APPLICATION)
        assert removed["owners"] is None
        added = plugin.update("Application", removed, {**APPLICATION, "owners": [caller]})
        assert added["owners"] == [caller]

    def test_roles_and_scopes_are_disabled_before_they_go(
        self, plugin: Plugin, tenant: Tenant
    ) -> None:
        """Graph refuses to change or remove an enabled one."""
        role = {
            "allowedMemberTypes": ["User"],
            "description": "d",
            "displayName": "n",
            "id": ROLE_ID,
            "value": "Role.One",
        }
        scope = {
            "adminConsentDescription": "d",
            "adminConsentDisplayName": "n",
            "id": SCOPE_ID,
            "value": "Scope.One",
        }
        full = {
            **APPLICATION,
            "appRoles": [role],
            "api": {"oauth2PermissionScopes": [scope], "requestedAccessTokenVersion": 2},
        }
        valueless = {**role, "id": SCOPE_ID.replace("b", "c")}
        del valueless["value"]
        full["appRoles"] = [role, valueless]
        resource_id, state = plugin.create("Application", full)
        refreshed = plain(plugin.read("Application", resource_id, state, full).properties)
        assert refreshed["appRoles"] == state["appRoles"]
        scopes = (one["api"]["oauth2PermissionScopes"] for one in (refreshed, state))
        assert next(scopes) == next(scopes)
        assert state["appRoleIds"] == {"Role.One": ROLE_ID}
        assert state["oauth2PermissionScopeIds"] == {"Scope.One": SCOPE_ID}
        preview = plugin.update("Application", state, APPLICATION, preview=True)
        assert preview["appRoleIds"] == UNKNOWN
        assert preview["oauth2PermissionScopeIds"] == UNKNOWN
        before = last(tenant)
        state = plugin.update("Application", state, APPLICATION)
        assert state["appRoles"] == []
        assert state["api"]["oauth2PermissionScopes"] == []
        patches = [e["request"] for e in tenant.writes(before)]
        assert patches[0]["appRoles"][0]["isEnabled"] is False
        assert patches[1]["api"]["oauth2PermissionScopes"][0]["isEnabled"] is False
        assert patches[2]["appRoles"] == patches[2]["api"]["oauth2PermissionScopes"] == []

    def test_features_are_tags(self, plugin: Plugin) -> None:
        inputs = {"displayName": "Mail", "featureTags": [{"hide": True, "enterprise": True}]}
        _, state = plugin.create("Application", inputs)
        assert state["tags"] == ["HideApp", "WindowsAzureActiveDirectoryIntegratedApp"]
        changed = {"displayName": "Mail", "featureTags": [{"gallery": True}]}
        state = plugin.update("Application", state, changed)
        assert state["featureTags"][0]["gallery"] is True
        assert state["featureTags"][0]["hide"] is False

    def test_a_duplicate_name_is_refused_when_asked(self, plugin: Plugin, tenant: Tenant) -> None:
        plugin.create("Application", {"displayName": "Twice"})
        before = last(tenant)
        inputs = {"displayName": "Twice", "preventDuplicateNames": True}
        message = failure_of(lambda: plugin.create("Application", inputs))
        assert 'An existing "azuread_application" with name "Twice"' in message
        assert writes(tenant, before) == []

    def test_ignored_changes_stay_as_they_are(self, plugin: Plugin) -> None:
        inputs = {"displayName": "Mail", "web": {"redirectUris": ["https://a.example/x"]}}
        _, state = plugin.create("Application", inputs)
        other = {"displayName": "New", "web": {"redirectUris": ["https://b.example/x"]}}
        diff = plugin.diff("Application", state, other, ["web.redirectUris[0]", "displayName"])
        assert diff.changes == provider_pb2.DiffResponse.DIFF_NONE
        diff = plugin.diff("Application", state, other, ["displayName"])
        assert dict(diff.detailedDiff) == {
            "web.redirectUris[0]": provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE)
        }


class TestOthers:
    """The types that belong to an application."""

    @pytest.fixture
    def application(self, plugin: Plugin) -> dict[str, Any]:
        """Make an application."""
        return plugin.create("Application", APPLICATION)[1]

    def test_password(self, plugin: Plugin, tenant: Tenant, application: dict[str, Any]) -> None:
        """Marked secret, good for signing in, gone after its deletion, never imported."""
        plugin.create("ServicePrincipal", {"clientId": application["clientId"]})
        inputs = {"applicationId": application["id"], "endDateRelative": "2400h30m"}
        resource_id, state = plugin.create("ApplicationPassword", inputs)
        assert SECRET_SIGNATURE.items() <= state["value"].items()
        value, client_id = state["value"]["value"], application["clientId"]
        assert tenant.sign_in(client_id=client_id, client_secret=value).status_code == 200
        refreshed = plugin.read("ApplicationPassword", resource_id, state, inputs)
        assert plain(refreshed.properties)["value"]["value"] == value
        assert plugin.read("ApplicationPassword", resource_id).id == ""
        plugin.delete("ApplicationPassword", state)
        assert tenant.sign_in(client_id=client_id, client_secret=value).status_code == 401
        assert plugin.read("ApplicationPassword", resource_id, state, inputs).id == ""

    def test_identifier_uri(self, plugin: Plugin, application: dict[str, Any]) -> None:
        """Added beside others, refused the second time, taken away alone."""
        own = {
            "applicationId": application["id"],
            "identifierUri": f"api://{application['clientId']}",
        }
        other = {**own, "identifierUri": f"{own['identifierUri']}/second"}
        resource_id, state = plugin.create("ApplicationIdentifierUri", own)
        plugin.create("ApplicationIdentifierUri", other)
        message = failure_of(lambda: plugin.create("ApplicationIdentifierUri", own))
        assert f'A resource with the ID "{resource_id}" already exists - to be managed' in message
        assert plugin.read("ApplicationIdentifierUri", resource_id).id == resource_id
        plugin.delete("ApplicationIdentifierUri", state)
        assert plugin.read("ApplicationIdentifierUri", resource_id, state, own).id == ""
        uris = plain(plugin.read("Application", application["id"]).properties)["identifierUris"]
        assert uris == [other["identifierUri"]]
        message = failure_of(lambda: plugin.delete("ApplicationIdentifierUri", state))
        assert "could not identify existing identifier URI" in message

    def test_federated_credential(self, plugin: Plugin, application: dict[str, Any]) -> None:
        """All but the name changes in place."""
        kind = "ApplicationFederatedIdentityCredential"
        inputs = {
            "applicationId": application["id"],
            "audiences": ["api://AzureADTokenExchange"],
            "displayName": "github",
            "issuer": "https://token.actions.githubusercontent.com",
            "subject": "repo:o/r:environment:prod",
        }
        resource_id, state = plugin.create(kind, inputs)
        assert plugin.read(kind, resource_id).id == resource_id
        moved = {**inputs, "subject": "repo:o/r:environment:test", "description": "d"}
        state = plugin.update(kind, state, moved)
        assert state["subject"] == "repo:o/r:environment:test"
        assert plugin.diff(kind, state, {**moved, "displayName": "x"}).replaces == ["displayName"]
        plugin.delete(kind, state)
        assert plugin.read(kind, resource_id, state, moved).id == ""

    def test_owner(self, plugin: Plugin, application: dict[str, Any]) -> None:
        caller = plugin.invoke("getClientConfig", {})["objectId"]
        inputs = {"applicationId": application["id"], "ownerObjectId": caller}
        resource_id, state = plugin.create("ApplicationOwner", inputs)
        assert resource_id == f"{application['id']}/owners/{caller}"
        message = failure_of(lambda: plugin.create("ApplicationOwner", inputs))
        assert "already exists - to be managed via Terraform" in message
        assert plugin.read("ApplicationOwner", resource_id).id == resource_id
        plugin.delete("ApplicationOwner", state)
        assert plugin.read("ApplicationOwner", resource_id, state, inputs).id == ""

    def test_app_role_assignment(self, plugin: Plugin, application: dict[str, Any]) -> None:
        kind = "AppRoleAssignment"
        _, principal = plugin.create("ServicePrincipal", {"clientId": application["clientId"]})
        exchange = plugin.invoke("getServicePrincipal", {"clientId": EXCHANGE_ONLINE})
        inputs = {
            "appRoleId": exchange["appRoles"][0]["id"],
            "principalObjectId": principal["objectId"],
            "resourceObjectId": exchange["objectId"],
        }
        resource_id, state = plugin.create(kind, inputs)
        assert resource_id.startswith(f"{exchange['id']}/appRoleAssignedTo/")
        assert state["principalDisplayName"] == application["displayName"]
        assert state["principalType"] == "ServicePrincipal"
        assert state["resourceDisplayName"] == exchange["displayName"]
        assert plugin.read(kind, resource_id).id == resource_id
        message = failure_of(lambda: plugin.create(kind, inputs))
        assert "Could not create app role assignment: unexpected status 400" in message
        plugin.delete(kind, state)
        assert plugin.read(kind, resource_id, state, inputs).id == ""

    def test_service_principal_and_grant(self, plugin: Plugin, application: dict[str, Any]) -> None:
        """From the service principal to consent."""
        inputs = {"clientId": application["clientId"]}
        principal_id, principal = plugin.create("ServicePrincipal", inputs)
        bare = principal["objectId"]
        message = failure_of(lambda: plugin.create("ServicePrincipal", inputs))
        assert f'A resource with the ID "{bare}" already exists: To be managed via' in message
        adopted, _ = plugin.create("ServicePrincipal", {**inputs, "useExisting": True})
        assert adopted == principal_id
        assert plugin.read("ServicePrincipal", principal_id).id == principal_id
        principal = plugin.update(
            "ServicePrincipal", principal, {**inputs, "notes": "n", "tags": ["t"]}
        )
        assert (principal["notes"], principal["tags"]) == ("n", ["t"])

        self.check_grant(plugin, bare)
        plugin.delete("ServicePrincipal", principal)
        assert plugin.read("ServicePrincipal", principal_id, principal, inputs).id == ""

    def check_grant(self, plugin: Plugin, principal_id: str) -> None:
        kind = "ServicePrincipalDelegatedPermissionGrant"
        exchange = plugin.invoke("getServicePrincipal", {"clientId": EXCHANGE_ONLINE})
        inputs = {
            "servicePrincipalObjectId": principal_id,
            "resourceServicePrincipalObjectId": exchange["objectId"],
            "claimValues": ["Mail.Send"],
        }
        resource_id, state = plugin.create(kind, inputs)
        assert plugin.read(kind, resource_id).id == resource_id
        message = failure_of(lambda: plugin.create(kind, inputs))
        assert "Could not create delegated permission grant: unexpected status 409" in message
        state = plugin.update(kind, state, {**inputs, "claimValues": ["SMTP.Send", "Mail.Send"]})
        assert state["claimValues"] == ["Mail.Send", "SMTP.Send"]
        plugin.delete(kind, state)
        assert plugin.read(kind, resource_id, state, inputs).id == ""


class TestFunctions:
    """What programs ask."""

    def test_client_config_is_who_is_signed_in(self, plugin: Plugin, tenant: Tenant) -> None:
        result = plugin.invoke("getClientConfig", {})
        assert result["tenantId"] == tenant.tenant_id
        assert result["clientId"] == tenant.client_id

    def test_service_principal_by_each_way(self, plugin: Plugin) -> None:
        found = plugin.invoke("getServicePrincipal", {"clientId": EXCHANGE_ONLINE})
        assert "Mail.Send" in found["oauth2PermissionScopeIds"]
        by_id = plugin.invoke("getServicePrincipal", {"objectId": found["objectId"]})
        by_name = plugin.invoke("getServicePrincipal", {"displayName": found["displayName"]})
        assert found == by_id == by_name

    def test_application_by_each_way(self, plugin: Plugin) -> None:
        _, state = plugin.create("Application", {"displayName": "It's found"})
        uri = {"applicationId": state["id"], "identifierUri": f"api://{state['clientId']}"}
        plugin.create("ApplicationIdentifierUri", uri)
        arguments = [
            {"objectId": state["objectId"]},
            {"clientId": state["clientId"]},
            {"displayName": "It's found"},
            {"identifierUri": uri["identifierUri"]},
        ]
        for argument in arguments:
            found = plugin.invoke("getApplication", argument)
            assert found["id"] == state["id"]
            assert found["webs"][0]["implicitGrants"][0]["idTokenIssuanceEnabled"] is False

    def test_published_ids_name_exchange_online(self, plugin: Plugin) -> None:
        result = plugin.invoke("getApplicationPublishedAppIds", {})["result"]
        assert result["Office365ExchangeOnline"] == EXCHANGE_ONLINE

    @pytest.mark.parametrize("name", ["getServicePrincipal", "getApplication"])
    def test_what_is_not_there_is_an_error(self, plugin: Plugin, name: str) -> None:
        message = failure_of(lambda: plugin.invoke(name, {"objectId": ROLE_ID}))
        assert message.startswith(f"invoking azuread:index/{name}:{name}: 1 error occurred")
        assert "was not found" in message

    def test_bad_arguments_are_failures(self, plugin: Plugin) -> None:
        request = provider_pb2.InvokeRequest(
            tok="azuread:index/getServicePrincipal:getServicePrincipal",
            args=struct({"clientId": "no-guid"}),
        )
        (failure,) = plugin.stub.Invoke(request).failures
        assert 'expected "clientId" to be a valid UUID, got no-guid' in failure.reason

    def test_an_unknown_function_or_type_is_named(self, plugin: Plugin) -> None:
        assert "getUser" in failure_of(lambda: plugin.invoke("getUser", {}))
        request = provider_pb2.CheckRequest(
            urn=urn("Application").replace("application:Application", "group:Group")
        )
        assert "azuread:index/group:Group" in failure_of(lambda: plugin.stub.Check(request))


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("Application", "/applications/<id>"),
        ("ApplicationIdentifierUri", "/applications/<id>/identifierUris/<id>"),
        ("ApplicationFederatedIdentityCredential", "<id>/federatedIdentityCredential/<id>"),
        ("ServicePrincipal", "/servicePrincipals/<id>"),
        ("ServicePrincipalDelegatedPermissionGrant", "/oauth2PermissionGrants/<id>"),
    ],
)
def test_an_id_of_another_form_is_not_imported(plugin: Plugin, kind: str, form: str) -> None:
    """A bare object id, for one: nobody is to be told that such an object does not exist."""
    said = failure_of(lambda: plugin.read(kind, ID))
    assert f'parsing "{ID}": an id has the form {form}' in said


def test_what_is_no_request_is_told_as_such(plugin: Plugin) -> None:
    """Not as a defect of the plugin, which would show a traceback."""
    unknown = struct({"applicationId": UNKNOWN, "owner": [UNKNOWN]})
    requests: list[tuple[Callable[[], object], str]] = [
        (
            lambda: plugin.stub.Create(
                provider_pb2.CreateRequest(urn=urn("ApplicationPassword"), properties=unknown)
            ),
            "not known yet, and this is no preview: applicationId, owner",
        ),
        (
            lambda: plugin.stub.Update(
                provider_pb2.UpdateRequest(
                    id="x", urn=urn("ApplicationPassword"), olds=struct({}), news=unknown
                )
            ),
            "not known yet, and this is no preview: applicationId, owner",
        ),
        (lambda: plugin.stub.Check(provider_pb2.CheckRequest(urn="it")), "'it' is no URN"),
        *(
            (functools.partial(plugin.stub.Attach, plugin_pb2.PluginAttach(address=each)), each)
            for each in ("nowhere", "127.0.0.1:http", "127.0.0.1:65536", ":80")
        ),
    ]
    for request, said in requests:
        error = error_of(request)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert said in str(error.details())


def test_a_refusal_of_graph_is_the_resources_error(executable: Path) -> None:
    """A missing app role: Graph's code and words, and nothing of the caller's credentials."""
    with (
        Tenant("--deployer-role", "Application.Read.All") as tenant,
        Plugin(executable, environment_of(tenant)) as plugin,
    ):
        plugin.configure()
        message = failure_of(lambda: plugin.create("Application", APPLICATION))
        assert message.startswith("1 error occurred:\n\t* Could not create application: ")
        assert "unexpected status 403 (403 Forbidden) with error: Authorization_Reque" in message
        output = plugin.stop()
        assert tenant.client_secret not in message + output
