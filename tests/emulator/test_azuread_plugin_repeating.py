"""What the stand-in plugin sends again and what it does not, and what its errors leave behind.

Against a scripted server over TLS: answers that a tenant seldom gives, exactly when wanted.
"""

from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from tests.emulator.plugin_process import SECRET_SIGNATURE, Plugin, error_of, plain, urn
from tests.emulator.scripted_graph import (
    APP,
    APPLICATION,
    APPLICATION_ID,
    CALLER_ID,
    NOT_FOUND,
    PRINCIPAL,
    PRINCIPAL_ID,
    SP,
    TENANT_ID,
    Answer,
    ScriptedGraph,
)


def create_application(plugin: Plugin) -> tuple[str, dict[str, Any]]:
    return plugin.create("Application", {"displayName": "Mail"})


def create_principal(plugin: Plugin) -> tuple[str, dict[str, Any]]:
    return plugin.create("ServicePrincipal", {"clientId": APPLICATION["appId"]})


class TestRepeating:
    """What is sent again, and what is not, is what the real plugin repeats."""

    def test_throttling_waits_as_long_as_it_is_told(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        plugin.configure()
        busy = Answer(429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": "0"})
        scripted.answer("POST /v1.0/applications", busy, busy, Answer(201, APPLICATION))
        create_application(plugin)
        assert scripted.lines().count("POST /v1.0/applications") == 3

    @pytest.mark.parametrize("status", [404, 409])
    def test_a_new_applications_patch_is_repeated(
        self, plugin: Plugin, scripted: ScriptedGraph, status: int
    ) -> None:
        plugin.configure()
        scripted.answer(f"PATCH {APP}", Answer(status, NOT_FOUND), Answer(204))
        create_application(plugin)
        assert scripted.lines().count(f"PATCH {APP}") == 3

    def test_a_new_service_principals_patch_is_not(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        """It exists, so it is kept in the state as failed."""
        plugin.configure()
        scripted.answer(f"PATCH {SP}", Answer(404, NOT_FOUND))
        error = error_of(lambda: create_principal(plugin))
        assert scripted.lines().count(f"PATCH {SP}") == 1
        failed = initialization_failure(error)
        assert failed.id == f"/servicePrincipals/{PRINCIPAL_ID}"
        assert (
            f"creating {urn('ServicePrincipal')}: 1 error occurred:\n\t* Timed out whilst waiting "
            f"for new service principal to be replicated in Azure AD: unexpected status 404 "
            f"(404 Not Found) with error: Request_ResourceNotFound: Resource 'x' does not exist"
        ) in failed.reasons[0]
        state = plain(failed.properties)
        assert state["clientId"] == APPLICATION["appId"]
        assert state["objectId"] is None
        assert "schema_version" in state["__meta"]

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, "The appId 'x' of the service principal does not reference a valid application"),
            (403, "When using this permission, the backing application of the service principal"),
        ],
    )
    def test_a_service_principal_waits_for_its_application(
        self, plugin: Plugin, scripted: ScriptedGraph, status: int, message: str
    ) -> None:
        plugin.configure()
        text = f"{message} object" if status == 400 else f"{message} being created must in the"
        behind = Answer(status, {"error": {"code": "c", "message": text}})
        scripted.answer("POST /v1.0/servicePrincipals", behind, behind, Answer(201, PRINCIPAL))
        create_principal(plugin)
        assert scripted.lines().count("POST /v1.0/servicePrincipals") == 3

    def test_another_refusal_is_final(self, plugin: Plugin, scripted: ScriptedGraph) -> None:
        plugin.configure()
        denied = Answer(403, {"error": {"code": "Authorization_RequestDenied", "message": "No."}})
        scripted.answer("POST /v1.0/servicePrincipals", denied)
        error = error_of(lambda: create_principal(plugin))
        assert error.details() == (
            "1 error occurred:\n\t* Could not create service principal: unexpected status 403 "
            "(403 Forbidden) with error: Authorization_RequestDenied: No.\n\n"
        )
        assert scripted.lines().count("POST /v1.0/servicePrincipals") == 1

    def test_what_a_read_does_not_find_after_creation_is_lost(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        """No state at all, although the object exists: the real plugin's words."""
        plugin.configure()
        scripted.answer(f"GET {APP}", Answer(404, NOT_FOUND))
        error = error_of(lambda: create_application(plugin))
        assert error.details() == (
            f"expected non-nil error with nil state during Create of {urn('Application')}"
        )
        assert dict(error.trailing_metadata()).get("grpc-status-details-bin") is None

    def test_a_read_that_fails_in_its_middle_keeps_the_object(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        plugin.configure()
        beta = f"GET /beta/applications/{APPLICATION_ID}?$select=oauth2RequirePostResponse"
        scripted.answer(beta, Answer(404, NOT_FOUND))
        failed = initialization_failure(error_of(lambda: create_application(plugin)))
        assert failed.id == f"/applications/{APPLICATION_ID}"
        shown = f'Application (Application: "{APPLICATION_ID}")'
        assert f"Retrieving additional properties for {shown}: unexpect" in failed.reasons[0]
        assert plain(failed.properties)["displayName"] == "Mail"

    def test_a_lost_connection_repeats_no_creation(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        """Nobody knows whether it was made."""
        plugin.configure()
        scripted.answer("POST /v1.0/applications", Answer(None))
        message = str(error_of(lambda: create_application(plugin)).details())
        assert "HTTP response was nil; connection may have been reset" in message
        assert scripted.lines().count("POST /v1.0/applications") == 1

    def test_a_kept_connection_that_was_closed_is_not_used(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        """A creation must not meet the end of a connection that only idled too long."""
        plugin.configure()
        closing = Answer(200, {"value": []}, {"Connection": "close"})
        scripted.answer(f"GET {APP}/owners", closing)
        create_application(plugin)
        create_application(plugin)
        assert scripted.lines().count("POST /v1.0/applications") == 2


class TestAppRoleAssignment:
    """azuread.AppRoleAssignment."""

    def test_its_life(self, plugin: Plugin, scripted: ScriptedGraph) -> None:
        """Repeated while the reader is behind; every input replaces."""
        plugin.configure()
        inputs = {
            "appRoleId": APPLICATION_ID,
            "principalObjectId": CALLER_ID,
            "resourceObjectId": PRINCIPAL_ID,
        }
        assignment = {
            "id": "assignment-1",
            "appRoleId": APPLICATION_ID,
            "principalId": CALLER_ID,
            "resourceId": PRINCIPAL_ID,
            "resourceDisplayName": "Microsoft Graph",
        }
        path = f"{SP}/appRoleAssignedTo"
        behind = Answer(400, {"error": {"code": "c", "message": "Not a valid reference update."}})
        scripted.answer(f"POST {path}", behind, Answer(404, NOT_FOUND), Answer(201, assignment))
        scripted.answer(f"GET {path}/assignment-1", Answer(200, assignment))
        scripted.answer(f"DELETE {path}/assignment-1", Answer(204))
        resource_id, state = plugin.create("AppRoleAssignment", inputs)
        assert resource_id == f"/servicePrincipals/{PRINCIPAL_ID}/appRoleAssignedTo/assignment-1"
        assert state["resourceDisplayName"] == "Microsoft Graph"
        assert plugin.read("AppRoleAssignment", resource_id).id == resource_id
        for name in inputs:
            other = {**inputs, name: TENANT_ID}
            assert plugin.diff("AppRoleAssignment", state, other).replaces == [name]
        plugin.delete("AppRoleAssignment", state)
        assert scripted.lines()[-1] == f"DELETE {path}/assignment-1"


def test_a_secret_is_in_no_output(plugin: Plugin, scripted: ScriptedGraph) -> None:
    """Neither the caller's nor a new one is written to the process's streams, nor in an error."""
    plugin.configure()
    made = {"keyId": APPLICATION_ID, "secretText": "fresh-secret"}
    scripted.answer(f"POST {APP}/addPassword", Answer(200, made))
    shown = {**APPLICATION, "passwordCredentials": [made]}
    denied = Answer(403, {"error": {"code": "Authorization_RequestDenied", "message": "No."}})
    scripted.answer(f"GET {APP}", *[Answer(200, shown)] * 6, denied)
    inputs = {"applicationId": f"/applications/{APPLICATION_ID}"}
    error = error_of(lambda: plugin.create("ApplicationPassword", inputs))
    failed = initialization_failure(error)
    assert plain(failed.properties)["value"] == {**SECRET_SIGNATURE, "value": "fresh-secret"}
    written = plugin.stop() + error.details()
    assert "fresh-secret" not in written
    assert "right" not in written


def initialization_failure(error: Any) -> provider_pb2.ErrorResourceInitFailed:
    content = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(content)
    failure = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failure)
    return failure
