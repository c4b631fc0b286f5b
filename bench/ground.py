"""What is measured upon: an embedded tenant, a project that leads to it, and ways into both."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from proself_mail.rehearsal import embedded, rehearse, sandbox
from proself_mail.rehearsal.embedded import EmbeddedTenant
from proself_mail.rehearsal.sandbox import Sandbox


@contextmanager
def project(options: Sequence[str] = ()) -> Iterator[tuple[Sandbox, Path]]:
    """Start a tenant with these command-line options, and make a project beside it."""
    with TemporaryDirectory() as folder:
        ready_file, made = Path(folder) / "tenant.json", Path(folder) / "project"
        made.mkdir()
        with embedded.running(ready_file, options) as tenant:
            rehearse.make_project(made, tenant.tenant_id)
            yield sandbox.prepare(ready_file), made


def answers(tenant: EmbeddedTenant) -> list[str]:
    """Return what `init` is told of every stack; its name and its config file are its own."""
    return [
        "--server", rehearse.SERVER, "--mailbox", tenant.mailbox,
        "--target", "embedded", "--environment", "test",
    ]  # fmt: skip


def ask_token(
    http: httpx.Client, tenant: EmbeddedTenant, client_id: str, secret: str
) -> httpx.Response:
    """Ask the sign-in for an application's token of Microsoft Graph."""
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
        "scope": f"{tenant.graph}/.default",
    }
    return http.post(f"{tenant.authority}/{tenant.tenant_id}/oauth2/v2.0/token", data=form)


def sign_in(http: httpx.Client, tenant: EmbeddedTenant) -> str:
    """Let a client call Microsoft Graph as the deployer; return its token."""
    answer = ask_token(http, tenant, tenant.client_id, tenant.client_secret.reveal())
    token = str(answer.raise_for_status().json()["access_token"])
    http.headers["Authorization"] = f"Bearer {token}"
    return token
