"""How the stand-in plugin reaches a tenant and signs in, what it repeats, and whom it refuses.

Against a scripted server over TLS: answers that a tenant seldom gives, exactly when wanted.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from emulator.azuread_plugin import write_launcher
from tests.emulator.plugin_process import SECRET_SIGNATURE, Plugin, plain, urn
from tests.emulator.scripted_graph import (
    CALLER_ID,
    CLIENT_ID,
    NOT_FOUND,
    TENANT_ID,
    Answer,
    ScriptedGraph,
    token,
)

APPLICATION_ID = "44444444-4444-4444-8444-444444444444"
PRINCIPAL_ID = "55555555-5555-4555-8555-555555555555"
APPLICATION = {
    "id": APPLICATION_ID,
    "appId": "66666666-6666-4666-8666-666666666666",
    "displayName": "Mail",
    "signInAudience": "AzureADMyOrg",
}
PRINCIPAL = {"id": PRINCIPAL_ID, "appId": APPLICATION["appId"], "servicePrincipalType": "App"}
APP = f"/v1.0/applications/{APPLICATION_ID}"
SP = f"/v1.0/servicePrincipals/{PRINCIPAL_ID}"
TOKEN = f"POST /{TENANT_ID}/oauth2/v2.0/token"


@pytest.fixture(scope="module")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the launcher."""
    return write_launcher(tmp_path_factory.mktemp("plugins"))


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[ScriptedGraph]:
    """Serve a script that creates and reads one application and one service principal."""
    with ScriptedGraph(tmp_path) as graph:
        beta_app = APP.replace("v1.0", "beta") + "?$select=oauth2RequirePostResponse"
        beta_sp = SP.replace("v1.0", "beta") + "?$select=samlMetadataUrl"
        graph.answer("POST /v1.0/applications", Answer(201, APPLICATION))
        graph.answer(f"PATCH {APP}", Answer(204))
        graph.answer(f"DELETE {APP}/owners/{CALLER_ID}/$ref", Answer(204))
        graph.answer(f"GET {APP}", Answer(200, APPLICATION))
        graph.answer(f"GET {beta_app}", Answer(200, {"id": APPLICATION_ID}))
        graph.answer(f"GET {APP}/owners", Answer(200, {"value": []}))
        graph.answer(
            f"GET /v1.0/servicePrincipals?$filter=appId eq '{APPLICATION['appId']}'",
            Answer(200, {"value": []}),
        )
        graph.answer("POST /v1.0/servicePrincipals", Answer(201, PRINCIPAL))
        graph.answer(f"PATCH {SP}", Answer(204))
        graph.answer(f"DELETE {SP}/owners/{CALLER_ID}/$ref", Answer(204))
        graph.answer(f"GET {SP}", Answer(200, PRINCIPAL))
        graph.answer(f"GET {beta_sp}", Answer(200, {"id": PRINCIPAL_ID}))
        graph.answer(f"GET {SP}/owners", Answer(200, {"value": []}))
        yield graph


@pytest.fixture
def plugin(executable: Path, graph: ScriptedGraph) -> Iterator[Plugin]:
    """Serve a plugin that is not configured yet."""
    with Plugin(executable, graph.environment) as plugin:
        yield plugin


def create_application(plugin: Plugin) -> tuple[str, dict[str, Any]]:
    return plugin.create("Application", {"displayName": "Mail"})


def create_principal(plugin: Plugin) -> tuple[str, dict[str, Any]]:
    return plugin.create("ServicePrincipal", {"clientId": APPLICATION["appId"]})


def error_of(call: Any) -> Any:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


class TestOnlyLoopback:
    """It serves an embedded tenant on this machine and nothing else."""

    @pytest.mark.parametrize("host", ["192.0.2.1", "192.0.2.1:443", "[2001:db8::1]"])
    def test_a_foreign_metadata_host_is_refused(self, plugin: Plugin, host: str) -> None:
        """No request is made: an address of the documentation range would time out."""
        message = plugin.refusal(metadataHost=host)
        assert "not loopback" in message
        assert "pulumi plugin install resource azuread" in message

    @pytest.mark.parametrize("where", ["microsoftGraphResourceId", "loginEndpoint"])
    def test_a_foreign_host_in_the_metadata_is_refused_before_a_token(
        self, plugin: Plugin, graph: ScriptedGraph, where: str
    ) -> None:
        part = graph.metadata if where in graph.metadata else graph.metadata["authentication"]
        part[where] = "https://192.0.2.1"
        assert "192.0.2.1, which is not loopback" in plugin.refusal()
        assert [r.line.partition("?")[0] for r in graph.requests] == ["GET /metadata/endpoints"]

    def test_plain_http_is_refused(self, plugin: Plugin, graph: ScriptedGraph) -> None:
        graph.metadata["microsoftGraphResourceId"] = "http://localhost:1"
        assert "https only" in plugin.refusal()

    def test_a_page_on_another_host_is_not_followed(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        """The token would go with the request."""
        plugin.configure()
        page = {"value": [], "@odata.nextLink": "https://localhost:1/v1.0/next"}
        graph.answer(f"GET {APP}/owners", Answer(200, page))
        message = str(error_of(lambda: create_application(plugin)).details())
        assert "continues on another host" in message

    def test_without_a_metadata_host_it_says_what_it_is(self, executable: Path) -> None:
        with Plugin(executable, {"ARM_TENANT_ID": TENANT_ID}) as plugin:
            message = plugin.refusal()
        assert "stand-in azuread plugin" in message
        assert "azuread:metadataHost" in message

    def test_a_server_that_is_not_trusted_is_refused(
        self, executable: Path, graph: ScriptedGraph
    ) -> None:
        environment = {k: v for k, v in graph.environment.items() if k != "SSL_CERT_FILE"}
        with Plugin(executable, environment) as plugin:
            message = plugin.refusal()
        assert "is not trusted" in message
        assert "SSL_CERT_FILE" in message
        assert graph.requests == []

    def test_nothing_listens(self, executable: Path, graph: ScriptedGraph) -> None:
        environment = {**graph.environment, "ARM_METADATA_HOSTNAME": "localhost:1"}
        with Plugin(executable, environment) as plugin:
            assert "localhost:1" in plugin.refusal()


class TestSignIn:
    """Credentials from configuration and environment."""

    def test_the_configuration_goes_before_the_environment(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        plugin.configure(clientSecret="configured", clientId="configured-id")
        (request,) = (r for r in graph.requests if r.line == TOKEN)
        form = parse_qs(request.body)
        assert form["client_secret"] == ["configured"]
        assert form["client_id"] == ["configured-id"]
        assert form["scope"] == [f"{graph.url}/.default"]

    def test_a_byte_order_mark_in_the_metadata_is_no_matter(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        content = b"\xef\xbb\xbf" + json.dumps(graph.metadata).encode()
        graph.answer("GET /metadata/endpoints?api-version=2022-09-01", Answer(200, content))
        plugin.configure()

    def test_without_oid_the_caller_is_looked_up(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        graph.answer(TOKEN, Answer(200, token()))
        graph.answer(
            f"GET /v1.0/servicePrincipals?$filter=appId eq '{CLIENT_ID}'",
            Answer(200, {"value": [{"id": "found", "appId": CLIENT_ID}]}),
        )
        plugin.configure()
        assert plugin.invoke("getClientConfig", {})["objectId"] == "found"

    def test_a_refused_secret_fails_without_showing_it(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        reply = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid"}
        graph.answer(TOKEN, Answer(401, reply))
        message = plugin.refusal(clientSecret="never-shown")
        assert "unable to obtain access token" in message
        assert "AADSTS7000215" in message
        assert "never-shown" not in message + plugin.stop()

    def test_no_credential_is_said_with_the_next_step(
        self, executable: Path, graph: ScriptedGraph
    ) -> None:
        environment = {k: v for k, v in graph.environment.items() if "SECRET" not in k}
        with Plugin(executable, environment) as plugin:
            assert "ARM_CLIENT_SECRET" in plugin.refusal()
            assert "ARM_CLIENT_SECRET" in plugin.refusal(useOidc="true")

    @pytest.mark.parametrize("way", ["ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH"])
    def test_an_id_token_is_exchanged(
        self, executable: Path, graph: ScriptedGraph, tmp_path: Path, way: str
    ) -> None:
        (tmp_path / "token").write_text("id-token\n")
        given = {
            "ARM_OIDC_TOKEN": "id-token",
            "ARM_OIDC_TOKEN_FILE_PATH": str(tmp_path / "token"),
        }
        environment = {k: v for k, v in graph.environment.items() if "SECRET" not in k}
        environment |= {"ARM_USE_OIDC": "true", way: given[way]}
        with Plugin(executable, environment) as plugin:
            plugin.configure()
        assert assertion(graph) == "id-token"

    def test_files_may_hold_the_client(
        self, executable: Path, graph: ScriptedGraph, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text("from-file\n")
        environment = {k: v for k, v in graph.environment.items() if "SECRET" not in k}
        environment["ARM_CLIENT_SECRET_FILE_PATH"] = str(tmp_path / "secret")
        with Plugin(executable, environment) as plugin:
            plugin.configure()
            message = plugin.refusal(clientSecret="another")
        assert "mismatch between supplied Client Secret" in message
        assert "another" not in message

    def test_github_and_azure_devops_give_id_tokens(
        self, executable: Path, graph: ScriptedGraph
    ) -> None:
        """The variables that the two set; each service is asked in its own way."""
        base = {k: v for k, v in graph.environment.items() if "SECRET" not in k}
        base["ARM_USE_OIDC"] = "true"
        with id_token_service({"value": "from-github"}) as (url, asked):
            environment = {
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?v=1",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer",
            }
            with Plugin(executable, base | environment) as plugin:
                plugin.configure()
        assert asked == [("GET", "/token?audience=api%3A%2F%2FAzureADTokenExchange&v=1", "bearer")]
        assert assertion(graph) == "from-github"
        with id_token_service({"oidcToken": "from-devops"}) as (url, asked):
            environment = {
                "SYSTEM_OIDCREQUESTURI": f"{url}/oidc",
                "SYSTEM_ACCESSTOKEN": "bearer",
                "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID": "connection",
            }
            with Plugin(executable, base | environment) as plugin:
                plugin.configure()
        assert asked == [("POST", "/oidc?api-version=7.1&serviceConnectionId=connection", "bearer")]
        assert assertion(graph) == "from-devops"


class TestRepeating:
    """What is sent again, and what is not, is what the real plugin repeats."""

    def test_throttling_waits_as_long_as_it_is_told(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        plugin.configure()
        busy = Answer(429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": "0"})
        graph.answer("POST /v1.0/applications", busy, busy, Answer(201, APPLICATION))
        create_application(plugin)
        assert graph.lines().count("POST /v1.0/applications") == 3

    @pytest.mark.parametrize("status", [404, 409])
    def test_a_new_applications_patch_is_repeated(
        self, plugin: Plugin, graph: ScriptedGraph, status: int
    ) -> None:
        plugin.configure()
        graph.answer(f"PATCH {APP}", Answer(status, NOT_FOUND), Answer(204))
        create_application(plugin)
        assert graph.lines().count(f"PATCH {APP}") == 3

    def test_a_new_service_principals_patch_is_not(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        """It exists, so it is kept in the state as failed."""
        plugin.configure()
        graph.answer(f"PATCH {SP}", Answer(404, NOT_FOUND))
        error = error_of(lambda: create_principal(plugin))
        assert graph.lines().count(f"PATCH {SP}") == 1
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
        self, plugin: Plugin, graph: ScriptedGraph, status: int, message: str
    ) -> None:
        plugin.configure()
        text = f"{message} object" if status == 400 else f"{message} being created must in the"
        behind = Answer(status, {"error": {"code": "c", "message": text}})
        graph.answer("POST /v1.0/servicePrincipals", behind, behind, Answer(201, PRINCIPAL))
        create_principal(plugin)
        assert graph.lines().count("POST /v1.0/servicePrincipals") == 3

    def test_another_refusal_is_final(self, plugin: Plugin, graph: ScriptedGraph) -> None:
        plugin.configure()
        denied = Answer(403, {"error": {"code": "Authorization_RequestDenied", "message": "No."}})
        graph.answer("POST /v1.0/servicePrincipals", denied)
        error = error_of(lambda: create_principal(plugin))
        assert error.details() == (
            "1 error occurred:\n\t* Could not create service principal: unexpected status 403 "
            "(403 Forbidden) with error: Authorization_RequestDenied: No.\n\n"
        )
        assert graph.lines().count("POST /v1.0/servicePrincipals") == 1

    def test_what_a_read_does_not_find_after_creation_is_lost(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        """No state at all, although the object exists: the real plugin's words."""
        plugin.configure()
        graph.answer(f"GET {APP}", Answer(404, NOT_FOUND))
        error = error_of(lambda: create_application(plugin))
        assert error.details() == (
            f"expected non-nil error with nil state during Create of {urn('Application')}"
        )
        assert dict(error.trailing_metadata()).get("grpc-status-details-bin") is None

    def test_a_read_that_fails_in_its_middle_keeps_the_object(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        plugin.configure()
        beta = f"GET /beta/applications/{APPLICATION_ID}?$select=oauth2RequirePostResponse"
        graph.answer(beta, Answer(404, NOT_FOUND))
        failed = initialization_failure(error_of(lambda: create_application(plugin)))
        assert failed.id == f"/applications/{APPLICATION_ID}"
        shown = f'Application (Application: "{APPLICATION_ID}")'
        assert f"Retrieving additional properties for {shown}: unexpect" in failed.reasons[0]
        assert plain(failed.properties)["displayName"] == "Mail"

    def test_a_lost_connection_repeats_no_creation(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        """Nobody knows whether it was made."""
        plugin.configure()
        graph.answer("POST /v1.0/applications", Answer(None))
        message = str(error_of(lambda: create_application(plugin)).details())
        assert "HTTP response was nil; connection may have been reset" in message
        assert graph.lines().count("POST /v1.0/applications") == 1

    def test_a_kept_connection_that_was_closed_is_not_used(
        self, plugin: Plugin, graph: ScriptedGraph
    ) -> None:
        """A creation must not meet the end of a connection that only idled too long."""
        plugin.configure()
        closing = Answer(200, {"value": []}, {"Connection": "close"})
        graph.answer(f"GET {APP}/owners", closing)
        create_application(plugin)
        create_application(plugin)
        assert graph.lines().count("POST /v1.0/applications") == 2


class TestAppRoleAssignment:
    """azuread.AppRoleAssignment."""

    def test_its_life(self, plugin: Plugin, graph: ScriptedGraph) -> None:
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
        graph.answer(f"POST {path}", behind, Answer(404, NOT_FOUND), Answer(201, assignment))
        graph.answer(f"GET {path}/assignment-1", Answer(200, assignment))
        graph.answer(f"DELETE {path}/assignment-1", Answer(204))
        resource_id, state = plugin.create("AppRoleAssignment", inputs)
        assert resource_id == f"/servicePrincipals/{PRINCIPAL_ID}/appRoleAssignedTo/assignment-1"
        assert state["resourceDisplayName"] == "Microsoft Graph"
        assert plugin.read("AppRoleAssignment", resource_id).id == resource_id
        for name in inputs:
            other = {**inputs, name: TENANT_ID}
            assert plugin.diff("AppRoleAssignment", state, other).replaces == [name]
        plugin.delete("AppRoleAssignment", state)
        assert graph.lines()[-1] == f"DELETE {path}/assignment-1"


def test_a_secret_is_in_no_output(plugin: Plugin, graph: ScriptedGraph) -> None:
    """Neither the caller's nor a new one is written to the process's streams, nor in an error."""
    plugin.configure()
    made = {"keyId": APPLICATION_ID, "secretText": "fresh-secret"}
    graph.answer(f"POST {APP}/addPassword", Answer(200, made))
    shown = {**APPLICATION, "passwordCredentials": [made]}
    denied = Answer(403, {"error": {"code": "Authorization_RequestDenied", "message": "No."}})
    graph.answer(f"GET {APP}", *[Answer(200, shown)] * 6, denied)
    inputs = {"applicationId": f"/applications/{APPLICATION_ID}"}
    error = error_of(lambda: plugin.create("ApplicationPassword", inputs))
    failed = initialization_failure(error)
    assert plain(failed.properties)["value"] == {**SECRET_SIGNATURE, "value": "fresh-secret"}
    written = plugin.stop() + error.details()
    assert "fresh-secret" not in written
    assert "right" not in written


def assertion(graph: ScriptedGraph) -> str:
    form = parse_qs([r for r in graph.requests if r.line == TOKEN][-1].body)
    assert form["client_assertion_type"] == [
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    ]
    return form["client_assertion"][0]


def initialization_failure(error: Any) -> provider_pb2.ErrorResourceInitFailed:
    content = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(content)
    failure = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failure)
    return failure


@contextmanager
def id_token_service(reply: dict[str, str]) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Serve a pipeline's ID tokens, and record who asked."""
    asked: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            bearer = self.headers["Authorization"].removeprefix("Bearer ")
            asked.append((self.command, self.path, bearer))
            content = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815 the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
