"""A key service for the stacks of journeys: as much of Vault's transit engine as Pulumi asks.

A passphrase costs each command of the CLI a fifth of a second of a core, a million rounds of
SHA-256; here it asks for its key instead. Stacks with a passphrase are those of `init`, of the
pipelines, of the rehearsal and of the bench.
"""

import json
import secrets
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PROVIDER = "hashivault://proself-mail"


@cache
def environment() -> dict[str, str]:
    """Start it, once a process and as long as that lives; return the variables that lead there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Transit)
    Thread(target=server.serve_forever, daemon=True).start()
    return {
        "VAULT_SERVER_URL": f"http://127.0.0.1:{server.server_port}",
        "VAULT_SERVER_TOKEN": secrets.token_hex(8),
    }


class _Transit(BaseHTTPRequestHandler):
    """`encrypt` and `decrypt` of one key: what is encrypted stays here, under a number."""

    kept: dict[str, str] = {}  # noqa: RUF012 - one for all requests

    def do_PUT(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "/transit/encrypt/" in self.path:
            data = {"ciphertext": f"vault:v1:{secrets.token_hex(16)}"}
            self.kept[data["ciphertext"]] = asked["plaintext"]
        else:
            data = {"plaintext": self.kept[asked["ciphertext"]]}
        answer = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing: a test's output is for what it looks at."""
