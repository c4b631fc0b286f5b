"""What a refused sign-in means, our own and that of the newest secret: wait, or stop."""

import asyncio
import base64
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import CertificateCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from emulator.azuread import configuration
from proself_mail.config.settings import TargetName
from proself_mail.entra import credentials, secret_sign_in, token_request
from proself_mail.entra.patience import Patience
from proself_mail.entra.secret_sign_in import SignInRefusal
from proself_mail.entra.target import CLOUD, Target
from proself_mail.errors import ConfigurationError, NoAnswerYet, RemoteError
from proself_mail.stack.state import State
from proself_mail.update import proof
from proself_mail.update.stack_session import StackSession
from tests import jumping
from tests.sheets import client_secret, outputs_of
from tests.unit.test_settings import TENANT, good

LAGGING = (
    "AADSTS7000215: Invalid client secret provided.",
    "AADSTS700016: Application with identifier 'x' was not found in the directory.",
    "AADSTS7000229: The client application x is missing service principal in the tenant y.",
)


def signs_in(
    monkeypatch: pytest.MonkeyPatch, *said: str, wrote_lately: bool, left_alone: float = 0
) -> tuple[float, list[str]]:
    """Sign in with the newest secret where this is said, the last again and again.

    Each time the tenant wants to be `left_alone` for so many seconds. Returns how long it took, in
    seconds, and what was waited for.
    """
    left, told, settings = list(said), list[str](), good()

    async def refusal(*_: object) -> SignInRefusal | None:
        words = left.pop(0) if len(left) > 1 else left[0]
        return SignInRefusal(words, timedelta(seconds=left_alone)) if words else None

    async def live() -> float:
        outputs = outputs_of(settings, [client_secret()])
        stack, opened = SimpleNamespace(name="s"), SimpleNamespace(target=CLOUD)
        at = StackSession(cast(Any, stack), settings, State({}, (), (), {}), cast(Any, opened))
        await proof.sign_in(at, outputs, Patience(told.append), wrote_lately=wrote_lately)
        return asyncio.get_running_loop().time()

    monkeypatch.setattr(secret_sign_in, "refusal", refusal)
    return jumping.run(live), told


@pytest.mark.parametrize("words", LAGGING)
def test_what_was_just_made_is_waited_for(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    took, told = signs_in(monkeypatch, *[words] * 20, "", wrote_lately=True)
    assert 10 <= took <= 30
    assert told == ["waiting for Entra to accept the new client secret …"]
    with pytest.raises(RemoteError, match=words[:13]):
        signs_in(monkeypatch, words, wrote_lately=True)


@pytest.mark.parametrize("words", LAGGING)
def test_what_is_no_lag_is_told_within_five_seconds(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """Nothing was written; one or two of Entra's readers may trail all the same."""
    took, told = signs_in(monkeypatch, *[words] * 2, "", wrote_lately=False)
    assert (took <= 5, told) == (True, [])
    with pytest.raises(RemoteError, match=words[:13]):
        signs_in(monkeypatch, *[words] * 3, "", wrote_lately=False)


@pytest.mark.parametrize("lately", [True, False])
@pytest.mark.parametrize("words", ["AADSTS90033: Transient.", "Cannot connect", "TimeoutError"])
def test_an_answer_of_entra_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, words: str, lately: bool
) -> None:
    _, told = signs_in(monkeypatch, *[words] * 500, "", wrote_lately=lately)
    assert told == [f"waiting for an answer to the sign-in ({words}) …"]


@pytest.mark.parametrize("lately", [True, False])
@pytest.mark.parametrize("code", ["7000112", "7000222", "53003", "50076"])
def test_what_does_not_pass_stops(monkeypatch: pytest.MonkeyPatch, code: str, lately: bool) -> None:
    """A disabled service principal was disabled by somebody: no object begins as one."""
    with pytest.raises(RemoteError, match=f"AADSTS{code}") as told:
        signs_in(monkeypatch, f"AADSTS{code}: no.", "", wrote_lately=lately)
    assert told.value.next_step
    if code == "7000112":
        assert "is disabled" in told.value.cause
        assert "Enabled for users to sign-in" in told.value.next_step


def test_a_tenant_that_wants_to_be_left_alone_is(monkeypatch: pytest.MonkeyPatch) -> None:
    took, _ = signs_in(monkeypatch, "Too many requests", "", wrote_lately=False, left_alone=60)
    assert 60 <= took < 65


def answered(status: int, **headers: str) -> Any:
    return SimpleNamespace(status_code=status, reason="x", headers=headers)


def own_sign_in(error: AzureError) -> RemoteError:
    async def get_token(*_: object, **__: object) -> None:
        raise error

    credential = SimpleNamespace(get_token=get_token)
    with pytest.raises(RemoteError) as told:
        asyncio.run(credentials.sign_in(cast(Any, credential), CLOUD, "Azure CLI"))
    return told.value


@pytest.mark.parametrize(
    "error",
    [
        ClientAuthenticationError("AADSTS90033: A transient error has occurred."),
        ClientAuthenticationError("no", response=answered(503)),
        ServiceRequestError("Cannot connect to host"),
    ],
)
def test_our_own_sign_in_is_waited_for_where_it_passes(error: AzureError) -> None:
    assert isinstance(own_sign_in(error), NoAnswerYet)


def test_the_ids_of_one_answer_are_left_out() -> None:
    """What is waited for is told once: with them no answer is like the one before."""
    ids = "Trace ID: 7f1f Correlation ID: 9d2c Timestamp: 2026-11-27 05:00:00Z"
    told = own_sign_in(ClientAuthenticationError(f"AADSTS90033: A transient error. {ids}"))
    said = "AADSTS90033: A transient error."
    assert told.cause == f"The tenant gives no token to Azure CLI now: {said}"
    assert told.next_step == "Try again in some minutes."  # and not to make another secret
    quoted = f"Microsoft Entra ID error '(temporarily_unavailable) {said} {ids}\nmore'"
    told = own_sign_in(ClientAuthenticationError(quoted))
    assert told.cause.endswith(f": Microsoft Entra ID error: (temporarily_unavailable) {said}")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("AADSTS7: x 'y'. Trace ID: 1 Timestamp: 2", "AADSTS7: x 'y'"),
        ("Authentication failed: AADSTS7: x for 'y'.", "Authentication failed: AADSTS7: x for 'y'"),
        ("E error '(code) AADSTS7: x 'y'. Trace ID: 1\nmore'", "E error: (code) AADSTS7: x 'y'"),
        ("E error '(code) AADSTS7: x 'y'. Trace ID: 1'", "E error: (code) AADSTS7: x 'y'"),
        ("E error '(code) AADSTS7: x 'y'.'", "E error: (code) AADSTS7: x 'y'"),
        ("E error '(code) AADSTS7: x.\nTrace ID: 1'", "E error: (code) AADSTS7: x"),
    ],
)
def test_of_entras_own_quotation_marks_none_is_lost(said: str, told: str) -> None:
    assert token_request.first_line(ClientAuthenticationError(said)) == told


@pytest.mark.parametrize(
    "error",
    [
        ClientAuthenticationError("ERROR: the token cache cannot be read"),  # the Azure CLI's
        ClientAuthenticationError("WARNING: x\nERROR: AADSTS7000222: The secret has expired."),
        ClientAuthenticationError(
            "Unexpected response from OIDC token endpoint.", response=answered(401)
        ),
    ],
)
def test_our_own_sign_in_that_is_refused_for_good_is_told_at_once(error: AzureError) -> None:
    assert not isinstance(own_sign_in(error), NoAnswerYet)


@pytest.mark.parametrize(
    ("said", "next_step"),
    [
        ("AADSTS70025: The client 'x'(y) has no configured", "ARM_CLIENT_ID is the client ID of"),
        ("AADSTS700213: No matching federated identity record", "Compare the subject"),
        ("AADSTS700024: Client assertion is not within its", "Run it again"),
        ("AADSTS700222: AAD-issued tokens may not be used", "tells what the code means"),
        ("AADSTS700025: Client is public", "tells what the code means"),
        ("AADSTS90002: Tenant 'x' not found.", "Check ARM_CLIENT_ID, the tenant"),
        ("AADSTS53003: Access has been blocked by", "Conditional Access tab"),
        ("Unexpected response from OIDC token endpoint.", "Check the client ID, the tenant"),
    ],
)
def test_a_refusal_of_what_has_no_secret_wants_no_new_one(said: str, next_step: str) -> None:
    told = own_sign_in(ClientAuthenticationError(said)).next_step
    assert next_step in told
    assert "new client secret" not in told


def test_our_own_sign_in_leaves_the_tenant_alone_as_long_as_it_says() -> None:
    told = own_sign_in(
        ClientAuthenticationError("x", response=answered(429, **{"Retry-After": "7"}))
    )
    assert isinstance(told, NoAnswerYet)
    assert told.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    "given",
    [
        {"ARM_CLIENT_SECRET": "x"},
        {"ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN": "x"},
    ],
)
def test_a_tenant_that_is_silent_is_not_waited_for_without_a_word(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    monkeypatch.setattr(token_request, "_NO_ANSWER", timedelta(seconds=0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        here = Target(TargetName.EMBEDDED, f"https://127.0.0.1:{port}", "https://g", "m")
        credential, source = credentials.choose(here, TENANT, {"ARM_CLIENT_ID": "a"} | given)

        async def sign_in() -> None:
            async with credential, asyncio.timeout(20):
                await credentials.sign_in(credential, here, source)

        with pytest.raises(NoAnswerYet, match="gives no token"):
            asyncio.run(sign_in())


async def sign_in() -> None:
    """Sign in with a client secret, as whoever asks Entra for a token."""
    here = Target(TargetName.EMBEDDED, "https://localhost:1", "https://g", "m")
    given = {"ARM_CLIENT_ID": "a", "ARM_CLIENT_SECRET": "x"}
    credential, source = credentials.choose(here, TENANT, given)
    async with credential:
        await credentials.sign_in(credential, here, source)


def sent_back(request: Any, made: httpx.Response) -> Any:
    """Return an answer in the form in which azure-identity's transport gives it."""
    return SimpleNamespace(
        status_code=made.status_code,
        headers=made.headers,
        content_type=made.headers.get("Content-Type"),
        reason=made.reason_phrase,
        request=request,
        text=lambda *_: made.text,
        body=lambda: made.content,
    )


@pytest.mark.parametrize(("seconds", "tries"), [("3600", 1), ("1", 3)])
def test_who_wants_to_be_left_alone_for_long_is_told_of_at_once(
    monkeypatch: pytest.MonkeyPatch, seconds: str, tries: int
) -> None:
    """By what azure-identity sends with: it would sleep an hour by itself."""
    sent: list[object] = []

    async def send(_: object, request: Any, **__: object) -> Any:
        sent.append(request)
        return sent_back(
            request, httpx.Response(429, headers={"Retry-After": seconds}, json={"error": "x"})
        )

    monkeypatch.setattr(AioHttpTransport, "send", send)
    with pytest.raises(NoAnswerYet) as told:
        jumping.run(sign_in)
    assert len(sent) == tries
    assert told.value.retry_after == timedelta(seconds=min(int(seconds), 300))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json=1),
        httpx.Response(200, json={"access_token": None, "expires_in": None}),
        httpx.Response(200, json={"access_token": "x", "expires_in": "soon"}),
        httpx.Response(200, json={"access_token": "x"}),
        httpx.Response(200, json={}),
        httpx.Response(200, json=[]),
        httpx.Response(200, headers={"Content-Type": "application/json"}, content=b"[" * 100_000),
        httpx.Response(200),
        httpx.Response(302, headers={"Location": "https://proxy.example/"}),
        *(httpx.Response(status, html="<p>Blocked</p>") for status in (200, 403, 407, 511)),
    ],
)
def test_an_answer_that_is_no_token_endpoints_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response
) -> None:
    """azure-identity takes for granted that it is Entra's."""

    async def send(_: object, request: Any, **__: object) -> Any:
        return sent_back(request, answer)

    monkeypatch.setattr(AioHttpTransport, "send", send)
    with pytest.raises(RemoteError, match="is not Entra's token endpoint") as told:
        jumping.run(sign_in)
    assert "Check the network" in told.value.next_step


@pytest.mark.parametrize("status", [429, 503])
def test_an_empty_answer_is_waited_for_where_its_status_says_so(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """azure-identity's words are those of any status."""

    async def send(_: object, request: Any, **__: object) -> Any:
        return sent_back(request, httpx.Response(status, headers={"Retry-After": "7"}))

    monkeypatch.setattr(AioHttpTransport, "send", send)
    with pytest.raises(NoAnswerYet, match="is not Entra's token endpoint") as told:
        jumping.run(sign_in)
    assert told.value.retry_after == timedelta(seconds=7)


CLI = "the Azure CLI's sign-in"


@pytest.mark.parametrize(
    ("environment", "source"),
    [
        ({}, CLI),
        ({"ARM_CLIENT_ID": "arm", "ARM_CLIENT_SECRET": "x"}, "client secret of arm"),
        ({"ARM_CLIENT_ID": "arm"}, CLI),
        ({"ARM_CLIENT_CERTIFICATE_PATH": "F", "ARM_USE_CLI": "1", "ARM_USE_MSI": "0"}, CLI),
        (
            {"ARM_CLIENT_ID_FILE_PATH": "F", "ARM_CLIENT_SECRET_FILE_PATH": "F"},
            "client secret of f",
        ),
        # The plugin reads none of these, and would work as the Azure CLI's user.
        ({"AZURE_CLIENT_ID": "azure", "AZURE_CLIENT_SECRET": "x"}, CLI),
        ({"AZURE_CLIENT_ID": "azure", "AZURE_FEDERATED_TOKEN_FILE": "F"}, CLI),
        (
            {
                "ARM_USE_AKS_WORKLOAD_IDENTITY": "true",
                "AZURE_CLIENT_ID": "azure",
                "AZURE_FEDERATED_TOKEN_FILE": "F",
            },
            "workload identity of azure (token file)",
        ),
        (
            {
                "ARM_USE_AKS_WORKLOAD_IDENTITY": "T",
                "AZURE_CLIENT_ID": "azure",
                "ARM_CLIENT_SECRET": "x",
            },
            "client secret of azure",
        ),
        (
            {"ARM_CLIENT_ID": "arm", "ARM_CLIENT_SECRET": "x"}
            | {"ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN": "x", "ARM_USE_MSI": "true"},
            "client secret of arm",
        ),
        (
            {"ARM_USE_OIDC": "true", "ARM_CLIENT_ID": "arm", "ARM_OIDC_TOKEN_FILE_PATH": "F"},
            "workload identity of arm (token file)",
        ),
        (
            {"ARM_USE_OIDC": "true", "ARM_CLIENT_ID": "arm", "ARM_OIDC_TOKEN": "x"},
            "workload identity of arm (ARM_OIDC_TOKEN)",
        ),
    ],
)
def test_we_sign_in_as_who_the_plugin_would(
    tmp_path: Path, environment: dict[str, str], source: str
) -> None:
    """The plugin's side is the stand-in's, which was made from the real one's documentation."""
    file = tmp_path / "file"
    file.write_text("f\n", encoding="utf-8")
    given = {name: value.replace("F", str(file)) for name, value in environment.items()}
    _, chosen = credentials.choose(CLOUD, TENANT, given)
    assert chosen == source
    plugins = configuration.read_configuration({"tenantId": TENANT}, given)
    has_one = plugins.client_secret or plugins.use_oidc
    assert (plugins.client_id if has_one else "") == ("" if source == CLI else source.split()[3])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"ARM_USE_MSI": "true"},
            "ARM_USE_MSI has the azuread plugin sign in by a managed identity",
        ),
        ({"ARM_USE_MSI": "1", "ARM_CLIENT_ID": "arm"}, "checks would be made as another identity"),
        ({"ARM_USE_CLI": "false"}, "ARM_USE_CLI keeps the azuread plugin from the Azure CLI's"),
        ({"ARM_USE_CLI": "0", "ARM_CLIENT_CERTIFICATE": "x"}, "nothing else to sign in with"),
        ({"ARM_USE_CLI": "no"}, "ARM_USE_CLI is neither true nor false"),
        ({"ARM_USE_OIDC": "yes", "ARM_CLIENT_ID": "arm"}, "ARM_USE_OIDC is neither true nor false"),
    ],
)
def test_what_leads_the_plugin_elsewhere_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        credentials.choose(CLOUD, TENANT, given)
    assert "then try again" in refused.value.next_step


def test_a_file_of_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    given = {"ARM_CLIENT_ID": "arm", "ARM_CLIENT_SECRET_FILE_PATH": str(tmp_path / "none")}
    with pytest.raises(ConfigurationError, match=r"ARM_CLIENT_SECRET_FILE_PATH.* cannot be read"):
        credentials.choose(CLOUD, TENANT, given)


def a_key(covered: serialization.KeySerializationEncryption) -> bytes:
    """Return a private key that no certificate goes with, as PEM."""
    form = serialization.PrivateFormat.PKCS8
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, form, covered)


def a_certificate(password: str = "") -> tuple[bytes, bytes]:
    """Return a certificate with its private key, as PKCS#12 and as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    made = builder.sign(key, hashes.SHA256())
    covered: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        covered = serialization.BestAvailableEncryption(password.encode())
    pem = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, covered
    )
    return pkcs12.serialize_key_and_certificates(None, key, made, None, covered), pem


@pytest.mark.parametrize("password", ["", "pass"])
def test_a_client_certificate_comes_before_a_secret(tmp_path: Path, password: str) -> None:
    """By its variable, base64-encoded, or by its file: as the plugin takes it."""
    file, (content, _) = tmp_path / "certificate", a_certificate(password)
    file.write_bytes(content)
    given = {
        "ARM_CLIENT_ID": "arm",
        "ARM_CLIENT_SECRET": "x",
        "ARM_CLIENT_CERTIFICATE_PASSWORD": password,
    }
    for ways in (
        {"ARM_CLIENT_CERTIFICATE_PATH": str(file)},
        {"ARM_CLIENT_CERTIFICATE": base64.encodebytes(content).decode()},
    ):
        credential, chosen = credentials.choose(CLOUD, TENANT, given | ways)
        assert isinstance(credential, CertificateCredential)
        assert chosen == "client certificate of arm"


def test_a_client_certificate_in_a_variable_is_not_shown() -> None:
    given = {"ARM_CLIENT_ID": "arm", "ARM_CLIENT_CERTIFICATE": "bm9uZQ=="}
    with pytest.raises(ConfigurationError, match=r"^ARM_CLIENT_CERTIFICATE cannot") as refused:
        credentials.choose(CLOUD, TENANT, given)
    assert "bm9uZQ" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (a_certificate()[1], "cannot be used to sign in"),  # azure-identity alone takes PEM
        (b"x", "cannot be used to sign in"),
        (a_key(serialization.NoEncryption()), "cannot be used to sign in"),
        (a_key(serialization.BestAvailableEncryption(b"x")), "cannot be used to sign in"),
    ],
)
def test_a_client_certificate_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "certificate"
    if content is not None:
        file.write_bytes(content)
    given = {"ARM_CLIENT_ID": "arm", "ARM_CLIENT_CERTIFICATE_PATH": str(file)}
    with pytest.raises(ConfigurationError, match=said) as refused:
        credentials.choose(CLOUD, TENANT, given)
    assert str(file) in refused.value.cause


@pytest.mark.parametrize(
    "given",
    [
        {"ARM_CLIENT_SECRET": "x"},
        {"ARM_CLIENT_CERTIFICATE": "x"},
        {"ARM_CLIENT_CERTIFICATE_PATH": "x"},
        {"ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN": "x"},
    ],
)
def test_an_application_is_told_a_tenant_to_sign_in_to(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="ARM_TENANT_ID, or give `init` --tenant"):
        credentials.choose(CLOUD, "", {"ARM_CLIENT_ID": "arm"} | given)
    assert credentials.choose(CLOUD, "", {})[1] == CLI
