"""An HTTPS server on loopback whose answers a test writes: for what a real tenant seldom does."""

import base64
import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import unquote_plus

from emulator.tls import Identity

TENANT_ID = "11111111-1111-4111-8111-111111111111"
CLIENT_ID = "22222222-2222-4222-8222-222222222222"
CALLER_ID = "33333333-3333-4333-8333-333333333333"
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
NOT_FOUND = {
    "error": {
        "code": "Request_ResourceNotFound",
        "message": (
            "Resource 'x' does not exist or one of its queried reference-property objects are "
            "not present."
        ),
    }
}


class Answer(NamedTuple):
    """What is answered: None as a body for none, None as a status to hang up without answering."""

    status: int | None
    body: Any = None
    headers: Mapping[str, str] = {}


class Request(NamedTuple):
    """What was asked."""

    line: str
    headers: Mapping[str, str]
    body: str


def token(**claims: str) -> dict[str, Any]:
    """Give a token endpoint's reply; nobody checks the token's signature here."""
    parts = [{"alg": "none"}, claims, {}]
    text = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )
    return {"access_token": text, "token_type": "Bearer", "expires_in": 3600}


class ScriptedGraph:
    """Answers each `METHOD path` with its answers in turn, the last one ever after."""

    def __init__(self, folder: Path) -> None:
        """Serve; the plugin's way here is in `environment`."""
        identity = Identity(("localhost",), ("proself.localhost",))
        self.requests: list[Request] = []
        self._answers: defaultdict[str, list[Answer]] = defaultdict(list)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        context: ssl.SSLContext = identity.server_context()
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.host = f"localhost:{self._server.server_port}"
        self.url = f"https://{self.host}"
        ca_file = folder / "scripted-ca.pem"
        ca_file.write_bytes(identity.authority_pem)
        self.environment = {
            "ARM_CLIENT_ID": CLIENT_ID,
            "ARM_CLIENT_SECRET": "right",
            "ARM_METADATA_HOSTNAME": self.host,
            "ARM_TENANT_ID": TENANT_ID,
            "SSL_CERT_FILE": str(ca_file),
        }
        self.metadata: dict[str, Any] = {
            "name": "Scripted",
            "resourceManager": self.url,
            "microsoftGraphResourceId": f"{self.url}/",
            "authentication": {"loginEndpoint": self.url, "audiences": [self.url]},
        }
        self.answer("GET /metadata/endpoints?api-version=2022-09-01", Answer(200, self.metadata))
        self.answer(f"POST /{TENANT_ID}/oauth2/v2.0/token", Answer(200, token(oid=CALLER_ID)))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, line: str, *answers: Answer) -> None:
        """Write the answers to a request, in place of earlier ones."""
        self._answers[line] = list(answers)

    def serve_objects(self) -> None:
        """Let APPLICATION and PRINCIPAL be created, read and changed, without any trouble."""
        owned = f"owners/{CALLER_ID}/$ref"
        same_client = f"?$filter=appId eq '{APPLICATION['appId']}'"
        none: dict[str, Any] = {"value": []}
        for line, answer in {
            "POST /v1.0/applications": Answer(201, APPLICATION),
            f"PATCH {APP}": Answer(204),
            f"DELETE {APP}/{owned}": Answer(204),
            f"GET {APP}": Answer(200, APPLICATION),
            f"GET {_beta(APP)}?$select=oauth2RequirePostResponse": Answer(200, {}),
            f"GET {APP}/owners": Answer(200, none),
            f"GET /v1.0/servicePrincipals{same_client}": Answer(200, none),
            "POST /v1.0/servicePrincipals": Answer(201, PRINCIPAL),
            f"PATCH {SP}": Answer(204),
            f"DELETE {SP}/{owned}": Answer(204),
            f"GET {SP}": Answer(200, PRINCIPAL),
            f"GET {_beta(SP)}?$select=samlMetadataUrl": Answer(200, {}),
            f"GET {SP}/owners": Answer(200, none),
        }.items():
            self.answer(line, answer)

    def lines(self) -> list[str]:
        """List what Graph was asked."""
        return [r.line for r in self.requests if " /v1.0/" in r.line or " /beta/" in r.line]

    def next_answer(self, request: Request) -> Answer:
        """Record a request and give its answer."""
        self.requests.append(request)
        answers = self._answers[request.line]
        if not answers:
            return Answer(501, {"error": {"code": "NotScripted", "message": request.line}})
        return answers.pop(0) if len(answers) > 1 else answers[0]


def _beta(path: str) -> str:
    return path.replace("/v1.0/", "/beta/")


def _handler(graph: ScriptedGraph) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            request = Request(f"{self.command} {unquote_plus(self.path)}", dict(self.headers), body)
            answer = graph.next_answer(request)
            if answer.status is None:
                self.close_connection = True
                return
            content = b""
            if isinstance(answer.body, bytes):
                content = answer.body
            elif answer.body is not None:
                content = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's
            """Stay silent."""

    return Handler
