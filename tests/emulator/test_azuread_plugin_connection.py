"""How the stand-in plugin reaches a tenant and signs in, and whom it refuses.

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

import pytest

from tests.emulator.plugin_process import Plugin, error_of
from tests.emulator.scripted_graph import (
    APP,
    CLIENT_ID,
    TENANT_ID,
    Answer,
    ScriptedGraph,
    token,
)

TOKEN = f"POST /{TENANT_ID}/oauth2/v2.0/token"


def create_application(plugin: Plugin) -> tuple[str, dict[str, Any]]:
    return plugin.create("Application", {"displayName": "Mail"})


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
        self, plugin: Plugin, scripted: ScriptedGraph, where: str
    ) -> None:
        part = (
            scripted.metadata if where in scripted.metadata else scripted.metadata["authentication"]
        )
        part[where] = "https://192.0.2.1"
        assert "192.0.2.1, which is not loopback" in plugin.refusal()
        assert [r.line.partition("?")[0] for r in scripted.requests] == ["GET /metadata/endpoints"]

    def test_plain_http_is_refused(self, plugin: Plugin, scripted: ScriptedGraph) -> None:
        scripted.metadata["microsoftGraphResourceId"] = "http://localhost:1"
        assert "https only" in plugin.refusal()

    def test_a_page_on_another_host_is_not_followed(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        """The token would go with the request."""
        plugin.configure()
        page = {"value": [], "@odata.nextLink": "https://localhost:1/v1.0/next"}
        scripted.answer(f"GET {APP}/owners", Answer(200, page))
        message = str(error_of(lambda: create_application(plugin)).details())
        assert "continues on another host" in message

    def test_without_a_metadata_host_it_says_what_it_is(self, executable: Path) -> None:
        with Plugin(executable, {"ARM_TENANT_ID": TENANT_ID}) as plugin:
            message = plugin.refusal()
        assert "stand-in azuread plugin" in message
        assert "azuread:metadataHost" in message

    def test_a_server_that_is_not_trusted_is_refused(
        self, executable: Path, scripted: ScriptedGraph
    ) -> None:
        environment = {k: v for k, v in scripted.environment.items() if k != "SSL_CERT_FILE"}
        with Plugin(executable, environment) as plugin:
            message = plugin.refusal()
        assert "is not trusted" in message
        assert "SSL_CERT_FILE" in message
        assert scripted.requests == []

    def test_nothing_listens(self, executable: Path, scripted: ScriptedGraph) -> None:
        environment = {**scripted.environment, "ARM_METADATA_HOSTNAME": "localhost:1"}
        with Plugin(executable, environment) as plugin:
            assert "localhost:1" in plugin.refusal()


class TestSignIn:
    """Credentials from configuration and environment."""

    def test_the_configuration_goes_before_the_environment(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        plugin.configure(clientSecret="configured", clientId="configured-id")
        (request,) = (r for r in scripted.requests if r.line == TOKEN)
        form = parse_qs(request.body)
        assert form["client_secret"] == ["configured"]
        assert form["client_id"] == ["configured-id"]
        assert form["scope"] == [f"{scripted.url}/.default"]

    def test_a_byte_order_mark_in_the_metadata_is_no_matter(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        content = b"\xef\xbb\xbf" + json.dumps(scripted.metadata).encode()
        scripted.answer("GET /metadata/endpoints?api-version=2022-09-01", Answer(200, content))
        plugin.configure()

    def test_without_oid_the_caller_is_looked_up(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        scripted.answer(TOKEN, Answer(200, token()))
        scripted.answer(
            f"GET /v1.0/servicePrincipals?$filter=appId eq '{CLIENT_ID}'",
            Answer(200, {"value": [{"id": "found", "appId": CLIENT_ID}]}),
        )
        plugin.configure()
        assert plugin.invoke("getClientConfig", {})["objectId"] == "found"

    def test_a_refused_secret_fails_without_showing_it(
        self, plugin: Plugin, scripted: ScriptedGraph
    ) -> None:
        reply = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid"}
        scripted.answer(TOKEN, Answer(401, reply))
        message = plugin.refusal(clientSecret="never-shown")
        assert "unable to obtain access token" in message
        assert "AADSTS7000215" in message
        assert "never-shown" not in message + plugin.stop()

    def test_no_credential_is_said_with_the_next_step(
        self, executable: Path, scripted: ScriptedGraph
    ) -> None:
        environment = {k: v for k, v in scripted.environment.items() if "SECRET" not in k}
        with Plugin(executable, environment) as plugin:
            refusal = plugin.refusal()
            assert "no Authorizer could be configured" in refusal, "the real one's words"
            assert "ARM_CLIENT_SECRET" in refusal
            assert "ARM_CLIENT_SECRET" in plugin.refusal(useOidc="true")

    @pytest.mark.parametrize("way", ["ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH"])
    def test_an_id_token_is_exchanged(
        self, executable: Path, scripted: ScriptedGraph, tmp_path: Path, way: str
    ) -> None:
        (tmp_path / "token").write_text("id-token\n", encoding="utf-8")
        given = {
            "ARM_OIDC_TOKEN": "id-token",
            "ARM_OIDC_TOKEN_FILE_PATH": str(tmp_path / "token"),
        }
        environment = {k: v for k, v in scripted.environment.items() if "SECRET" not in k}
        environment |= {"ARM_USE_OIDC": "true", way: given[way]}
        with Plugin(executable, environment) as plugin:
            plugin.configure()
        assert assertion(scripted) == "id-token"

    def test_files_may_hold_the_client(
        self, executable: Path, scripted: ScriptedGraph, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text("from-file\n", encoding="utf-8")
        environment = {k: v for k, v in scripted.environment.items() if "SECRET" not in k}
        environment["ARM_CLIENT_SECRET_FILE_PATH"] = str(tmp_path / "secret")
        with Plugin(executable, environment) as plugin:
            plugin.configure()
            message = plugin.refusal(clientSecret="another")
        assert "mismatch between supplied Client Secret" in message
        assert "another" not in message

    def test_github_and_azure_devops_give_id_tokens(
        self, executable: Path, scripted: ScriptedGraph
    ) -> None:
        """The variables that the two set; each service is asked in its own way."""
        base = {k: v for k, v in scripted.environment.items() if "SECRET" not in k}
        base["ARM_USE_OIDC"] = "true"
        with id_token_service({"value": "from-github"}) as (url, asked):
            environment = {
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?v=1",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer",
            }
            with Plugin(executable, base | environment) as plugin:
                plugin.configure()
        assert asked == [("GET", "/token?audience=api%3A%2F%2FAzureADTokenExchange&v=1", "bearer")]
        assert assertion(scripted) == "from-github"
        with id_token_service({"oidcToken": "from-devops"}) as (url, asked):
            environment = {
                "SYSTEM_OIDCREQUESTURI": f"{url}/oidc",
                "SYSTEM_ACCESSTOKEN": "bearer",
                "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID": "connection",
            }
            with Plugin(executable, base | environment) as plugin:
                plugin.configure()
        assert asked == [("POST", "/oidc?api-version=7.1&serviceConnectionId=connection", "bearer")]
        assert assertion(scripted) == "from-devops"


def assertion(scripted: ScriptedGraph) -> str:
    form = parse_qs([r for r in scripted.requests if r.line == TOKEN][-1].body)
    assert form["client_assertion_type"] == [
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    ]
    return form["client_assertion"][0]


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
