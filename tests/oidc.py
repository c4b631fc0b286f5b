"""The ID token services of GitHub Actions and Azure Pipelines, as a job sees them, on loopback."""

import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.tenant import Tenant

GITHUB = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"
BEARER = "the-jobs-own-token"


class TokenService:
    """Gives tokens of one issuer for one subject, which the tenant knows the keys of."""

    def __init__(self, tenant: Tenant, issuer: str, subject: str) -> None:
        self.tenant = tenant
        self.issuer = issuer
        self.subject = subject
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        tenant.seed(issuers=[{"issuer": issuer, "jwks": {"keys": [public]}}])
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = parse_qs(urlsplit(self.path).query)
                service.answer(self, "value", asked.get("audience", ["none"])[0])

            def do_POST(self) -> None:
                asked = parse_qs(urlsplit(self.path).query)
                assert asked["serviceConnectionId"]
                service.answer(self, "oidcToken", AUDIENCE)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, request: BaseHTTPRequestHandler, field: str, audience: str) -> None:
        """Answer a job that shows its own token."""
        if request.headers["Authorization"] != f"Bearer {BEARER}":
            request.send_response(401)
            request.end_headers()
            return
        now = self.tenant.now()
        claims = {"iss": self.issuer, "sub": self.subject, "aud": audience, "iat": now}
        ends = now + timedelta(minutes=5)
        signed = jwt.encode(claims | {"exp": ends}, self.key, algorithm="RS256")
        body = f'{{"{field}": "{signed}"}}'.encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    @property
    def url(self) -> str:
        """Where a job asks."""
        return f"http://127.0.0.1:{self.server.server_port}/token?api-version=2.0"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
