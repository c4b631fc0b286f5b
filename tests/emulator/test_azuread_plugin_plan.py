"""What the stand-in plugin makes of inputs before a tenant is asked: checks, plans and diffs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from tests.emulator.plugin_process import TYPES, UNKNOWN, Plugin, plain, struct

SOME = provider_pb2.DiffResponse.DIFF_SOME
NONE = provider_pb2.DiffResponse.DIFF_NONE
Kind = provider_pb2.PropertyDiff
ID = "11111111-1111-4111-8111-111111111111"
OTHER_ID = "22222222-2222-4222-8222-222222222222"
APPLICATION_ID = f"/applications/{ID}"
OTHER_APPLICATION_ID = f"/applications/{OTHER_ID}"

# Inputs of each type, and another value for every one of them.
INPUTS: dict[str, dict[str, tuple[Any, Any]]] = {
    "ApplicationFederatedIdentityCredential": {
        "applicationId": (APPLICATION_ID, OTHER_APPLICATION_ID),
        "audiences": (["api://AzureADTokenExchange"], ["api://other"]),
        "description": ("a", "b"),
        "displayName": ("a", "b"),
        "issuer": ("https://a.example", "https://b.example"),
        "subject": ("a", "b"),
    },
    "ApplicationIdentifierUri": {
        "applicationId": (APPLICATION_ID, OTHER_APPLICATION_ID),
        "identifierUri": ("api://a", "api://b"),
    },
    "ApplicationOwner": {
        "applicationId": (APPLICATION_ID, OTHER_APPLICATION_ID),
        "ownerObjectId": (ID, OTHER_ID),
    },
    "ApplicationPassword": {
        "applicationId": (APPLICATION_ID, OTHER_APPLICATION_ID),
        "displayName": ("a", "b"),
        "endDate": ("2027-05-01T00:00:00Z", "2027-05-01T00:00:00+00:00"),
        "rotateWhenChanged": ({"generation": "1"}, {"generation": "2"}),
        "startDate": ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z"),
    },
    "AppRoleAssignment": {
        "appRoleId": (ID, OTHER_ID),
        "principalObjectId": (ID, OTHER_ID),
        "resourceObjectId": (ID, OTHER_ID),
    },
    "ServicePrincipal": {
        "accountEnabled": (True, False),
        "clientId": (ID, OTHER_ID),
        "description": ("a", "b"),
        "notes": ("a", "b"),
        "owners": ([ID], [OTHER_ID]),
        "tags": (["a"], ["b"]),
    },
    "ServicePrincipalDelegatedPermissionGrant": {
        "claimValues": (["Mail.Send"], ["Mail.Send", "SMTP.Send"]),
        "resourceServicePrincipalObjectId": (ID, OTHER_ID),
        "servicePrincipalObjectId": (ID, OTHER_ID),
        "userObjectId": (ID, OTHER_ID),
    },
}
IN_PLACE = {
    "ApplicationFederatedIdentityCredential": {"audiences", "description", "issuer", "subject"},
    "ServicePrincipal": {"accountEnabled", "description", "notes", "owners", "tags"},
    "ServicePrincipalDelegatedPermissionGrant": {"claimValues"},
}


@pytest.fixture(scope="module")
def plugin(executable: Path) -> Iterator[Plugin]:
    """Serve a plugin that was never configured: none of this may need a tenant."""
    with Plugin(executable, {}) as plugin:
        yield plugin


def reasons(plugin: Plugin, kind: str, inputs: dict[str, Any]) -> list[str]:
    return [failure.reason for failure in plugin.check(kind, inputs).failures]


def state_of(plugin: Plugin, kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Give a state as a creation would leave it, without what only the tenant knows."""
    planned = plugin.preview(kind, inputs)
    known = {name: None if value == UNKNOWN else value for name, value in planned.items()}
    return {**known, "id": ID}


class TestCheck:
    """Defaults, and everything that is wrong."""

    def test_defaults_are_filled_in_and_remembered(self, plugin: Plugin) -> None:
        checked = plugin.checked("Application", {"displayName": "Mail", "api": {}})
        assert checked == {
            "__defaults": ["signInAudience"],
            "api": {
                "__defaults": ["requestedAccessTokenVersion"],
                "requestedAccessTokenVersion": 1,
            },
            "displayName": "Mail",
            "signInAudience": "AzureADMyOrg",
        }

    def test_what_is_missing_is_named(self, plugin: Plugin) -> None:
        kind = "ServicePrincipalDelegatedPermissionGrant"
        assert sorted(reasons(plugin, kind, {})) == [
            "Missing required property 'claimValues'",
            "Missing required property 'resourceServicePrincipalObjectId'",
            "Missing required property 'servicePrincipalObjectId'",
        ]

    @pytest.mark.parametrize(
        ("kind", "inputs", "reason"),
        [
            (
                "Application",
                {"signInAudience": "Everybody"},
                'expected signInAudience to be one of ["AzureADMyOrg" "AzureADMultipleOrgs" '
                '"AzureADandPersonalMicrosoftAccount" "PersonalMicrosoftAccount"], got Everybody. '
                "Examine values at 'it.signInAudience'.",
            ),
            (
                "Application",
                {"web": {"redirectUris": ["https://a.example/x", "no uri"]}},
                'URI has no host for "redirectUris[1]". Examine values at \'it.web.redirectUris'
                "[1]'.",
            ),
            (
                "Application",
                {"owners": ["me"]},
                'expected "owners[0]" to be a valid UUID, got me. Examine values at '
                "'it.owners[0]'.",
            ),
            (
                "Application",
                {"api": {"requestedAccessTokenVersion": 3}},
                "Value must be one of: 1, 2. Examine values at "
                "'it.api.requestedAccessTokenVersion'.",
            ),
            (
                "Application",
                {"homepage": "x"},
                "Invalid or unknown key. Examine values at 'it.homepage'.",
            ),
            (
                "Application",
                {"clientId": "computed"},
                "Invalid or unknown key. Examine values at 'it.clientId'.",
            ),
            (
                "Application",
                {"tags": ["a"], "featureTags": [{"hide": True}]},
                "\"tags\": conflicts with featureTags. Examine values at 'it.tags'.",
            ),
            (
                "Application",
                {"web": "https://a.example"},
                "expected an object, got a string. Examine values at 'it.web'.",
            ),
            (
                "Application",
                {"tags": "a"},
                "expected a list, got a string. Examine values at 'it.tags'.",
            ),
            (
                "Application",
                {"tags": [None]},
                "expected a string, got null. Examine values at 'it.tags[0]'.",
            ),
            (
                "Application",
                {"deviceOnlyAuthEnabled": "perhaps"},
                "expected a boolean, got a string. Examine values at 'it.deviceOnlyAuthEnabled'.",
            ),
            (
                "ApplicationPassword",
                {"applicationId": ID},
                f'expected "applicationId" to be a resource id like /applications/<object id>, '
                f"got {ID}. Examine values at 'it.applicationId'.",
            ),
            (
                "ApplicationPassword",
                {"applicationId": APPLICATION_ID, "endDate": "2027-05-01"},
                'expected "endDate" to be a valid RFC3339 date, got "2027-05-01". Examine values '
                "at 'it.endDate'.",
            ),
            (
                "ApplicationPassword",
                {
                    "applicationId": APPLICATION_ID,
                    "endDate": "2027-05-01T00:00:00Z",
                    "endDateRelative": "240h",
                },
                "\"endDate\": conflicts with endDateRelative. Examine values at 'it.endDate'.",
            ),
            (
                "ApplicationFederatedIdentityCredential",
                {**{n: a for n, (a, _) in INPUTS["ApplicationFederatedIdentityCredential"].items()}}
                | {"displayName": "x" * 121},
                f"expected length of displayName to be in the range (1 - 120), got {'x' * 121}. "
                f"Examine values at 'it.displayName'.",
            ),
        ],
    )
    def test_what_is_wrong_is_said(
        self, plugin: Plugin, kind: str, inputs: dict[str, Any], reason: str
    ) -> None:
        given = {"displayName": "Mail", **inputs} if kind == "Application" else inputs
        assert reason in reasons(plugin, kind, given)

    def test_what_is_not_imitated_is_refused(self, plugin: Plugin) -> None:
        inputs = {
            "displayName": "Mail",
            "logoImage": "aGk=",
            "oauth2PostResponseRequired": True,
            "password": {"displayName": "p"},
            "templateId": ID,
        }
        found = reasons(plugin, "Application", inputs)
        assert len(found) == 4
        for name in ("logoImage", "oauth2PostResponseRequired", "password", "templateId"):
            assert any(f"plugin does not imitate {name}: " in reason for reason in found)

    def test_a_secret_in_the_wrong_place_is_not_shown(self, plugin: Plugin) -> None:
        inputs = {"displayName": "Mail", "tags": "a-secret-value"}
        assert "a-secret-value" not in str(reasons(plugin, "Application", inputs))

    def test_unknown_values_wait_for_the_apply(self, plugin: Plugin) -> None:
        inputs = {"applicationId": UNKNOWN, "identifierUri": UNKNOWN}
        checked = plugin.checked("ApplicationIdentifierUri", inputs)
        assert checked == {"__defaults": [], **inputs}

    def test_text_is_understood_where_a_number_or_flag_is_meant(self, plugin: Plugin) -> None:
        inputs = {
            "displayName": 7,
            "deviceOnlyAuthEnabled": "true",
            "api": {"requestedAccessTokenVersion": "2"},
        }
        checked = plugin.checked("Application", inputs)
        assert checked["displayName"] == "7"
        assert checked["deviceOnlyAuthEnabled"] is True
        assert checked["api"]["requestedAccessTokenVersion"] == 2


class TestPreview:
    """Before a creation: what is given is known, what only the apply can tell is not."""

    def test_computed_properties_are_unknown(self, plugin: Plugin) -> None:
        planned = plugin.preview("Application", {"displayName": "Mail", "tags": ["b", "a"]})
        assert planned["id"] == planned["clientId"] == planned["objectId"] == UNKNOWN
        assert planned["featureTags"] == UNKNOWN
        assert planned["displayName"] == "Mail"
        assert planned["tags"] == ["a", "b"]
        assert planned["identifierUris"] is None

    @pytest.mark.parametrize("kind", INPUTS)
    def test_every_type_has_one(self, plugin: Plugin, kind: str) -> None:
        given = {name: value for name, (value, _) in INPUTS[kind].items()}
        planned = plugin.preview(kind, given)
        assert planned["id"] == UNKNOWN
        assert {name: planned[name] for name in given} == given


class TestDiff:
    """What changes, and what that replaces."""

    @pytest.mark.parametrize(
        ("kind", "name"), [(kind, name) for kind, inputs in INPUTS.items() for name in inputs]
    )
    def test_each_input(self, plugin: Plugin, kind: str, name: str) -> None:
        """Replaces or not, as with the real plugin; `…Z` and `…+00:00` are two instants."""
        given = {key: value for key, (value, _) in INPUTS[kind].items()}
        state = state_of(plugin, kind, given)
        assert plugin.diff(kind, state, given).changes == NONE
        diff = plugin.diff(kind, state, {**given, name: INPUTS[kind][name][1]})
        assert diff.changes == SOME
        assert list(diff.diffs) == [name]
        replaces = name not in IN_PLACE.get(kind, set())
        assert list(diff.replaces) == ([name] if replaces else [])
        kinds = {change.kind for change in diff.detailedDiff.values()}
        replacing = {Kind.ADD_REPLACE, Kind.DELETE_REPLACE, Kind.UPDATE_REPLACE}
        assert (kinds <= replacing) is replaces

    def test_a_reference_that_is_not_known_yet_counts_as_changed(self, plugin: Plugin) -> None:
        """Whatever it will be: the application it leads to is being replaced."""
        given = {name: value for name, (value, _) in INPUTS["ApplicationPassword"].items()}
        state = state_of(plugin, "ApplicationPassword", given)
        diff = plugin.diff("ApplicationPassword", state, {**given, "applicationId": UNKNOWN})
        assert list(diff.replaces) == ["applicationId"]

    def test_null_and_zero_and_order_are_no_change(self, plugin: Plugin) -> None:
        state = state_of(plugin, "Application", {"displayName": "Mail", "tags": ["a", "b"]})
        state |= {
            "api": {"oauth2PermissionScopes": [], "requestedAccessTokenVersion": 1},
            "description": "",
            "deviceOnlyAuthEnabled": False,
            "identifierUris": [],
            "web": {"implicitGrant": {"idTokenIssuanceEnabled": False}, "redirectUris": []},
        }
        same: dict[str, Any] = {"displayName": "Mail", "tags": ["b", "a"]}
        assert plugin.diff("Application", state, same).changes == NONE
        same |= {"web": {"redirectUris": []}, "description": ""}
        assert plugin.diff("Application", state, same).changes == NONE

    def test_what_graph_has_and_no_program_sets_is_a_change(self, plugin: Plugin) -> None:
        """Unless it is computed, or a block at its defaults."""
        state = state_of(plugin, "Application", {"displayName": "Mail"})
        state |= {"notes": "n", "web": {"redirectUris": ["https://a.example/"]}}
        diff = plugin.diff("Application", state, {"displayName": "Mail"})
        assert {path: change.kind for path, change in diff.detailedDiff.items()} == {
            "notes": Kind.DELETE,
            "web": Kind.DELETE,
        }

    def test_paths_lead_to_the_smallest_change(self, plugin: Plugin) -> None:
        before = {
            "displayName": "Mail",
            "owners": [ID],
            "web": {"homepageUrl": "https://a.example", "redirectUris": ["https://a.example/x"]},
        }
        after = {
            "displayName": "Mail",
            "notes": "new",
            "owners": sorted([ID, OTHER_ID]),
            "web": {"redirectUris": ["https://b.example/x"]},
        }
        state = state_of(plugin, "Application", before)
        diff = plugin.diff("Application", state, after)
        assert {path: change.kind for path, change in diff.detailedDiff.items()} == {
            "notes": Kind.ADD,
            "owners[1]": Kind.ADD,
            "web.homepageUrl": Kind.DELETE,
            "web.redirectUris[0]": Kind.UPDATE,
        }

    def test_everything_may_be_ignored(self, plugin: Plugin) -> None:
        state = state_of(plugin, "Application", {"displayName": "Mail", "notes": "a"})
        other = {"displayName": "New", "notes": "b", "tags": ["x"]}
        assert plugin.diff("Application", state, other, ["*"]).changes == NONE


class TestConfiguration:
    """The provider's own inputs, before it is configured."""

    def test_secrets_are_marked_and_the_rest_is_kept(self, plugin: Plugin) -> None:
        given = {"clientId": "id", "clientSecret": "s", "useOidc": "true", "version": "6.10.0"}
        request = provider_pb2.CheckRequest(urn="urn:x", news=struct(given))
        inputs = plain(plugin.stub.CheckConfig(request).inputs)
        assert inputs["clientSecret"]["value"] == "s"
        assert inputs["clientId"]["value"] == "id"
        assert inputs["useOidc"] == "true"
        assert inputs["version"] == "6.10.0"

    def test_an_unknown_key_is_named(self, plugin: Plugin) -> None:
        request = provider_pb2.CheckRequest(urn="urn:x", news=struct({"tenant": "x"}))
        (failure,) = plugin.stub.CheckConfig(request).failures
        assert "azuread:tenant" in failure.reason

    def test_another_sign_in_replaces_nothing(self, plugin: Plugin) -> None:
        def request(secret: str) -> provider_pb2.DiffRequest:
            return provider_pb2.DiffRequest(
                olds=struct({"clientSecret": "a"}), news=struct({"clientSecret": secret})
            )

        assert plugin.stub.DiffConfig(request("a")).changes == NONE
        changed = plugin.stub.DiffConfig(request("b"))
        assert changed.changes == SOME
        assert list(changed.replaces) == []

    def test_what_needs_a_tenant_says_so(self, plugin: Plugin) -> None:
        request = provider_pb2.InvokeRequest(tok="azuread:index/getClientConfig:getClientConfig")
        with pytest.raises(Exception, match="before it was configured"):
            plugin.stub.Invoke(request)


def test_all_types_are_served(plugin: Plugin) -> None:
    """Those that a mail application and a pipeline's identity are made of."""
    for kind in TYPES:
        lacking = reasons(plugin, kind, {})
        assert lacking, kind
        assert all(each.startswith("Missing required property") for each in lacking), kind
