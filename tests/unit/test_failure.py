"""Words of the plugin and of Graph, each with what is to be done about them."""

import json
import random
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proself_mail.config.mending import undeclared
from proself_mail.errors import ConfigurationError, Error, Refused, RemoteError, sentence
from proself_mail.schedule import Window
from proself_mail.stack import failure
from proself_mail.stack.failure import Kind, classify
from proself_mail.stack.foreign import Foreign, foreign_in_state, without_foreign
from proself_mail.stack.urn import Urn
from proself_mail.text.command_line import TYPED_PASSPHRASE, leading
from tests.unit.test_settings import good
from tools import failures

ROOT = Path(__file__).resolve().parents[2]

GRAPH_404 = (
    "unexpected status 404 (404 Not Found) with error: Request_ResourceNotFound: Resource "
    "'3d45672c-3ec5-4b76-b6e6-d42d3e8ebb7e' does not exist or one of its queried "
    "reference-property objects are not present."
)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("expected non-nil error with nil state during Create of urn:pulumi:…::app", Kind.LAG),
        (f"Retrieving additional properties for Application (x): {GRAPH_404}", Kind.LAG),
        (f"Adding password for Application (x): {GRAPH_404}", Kind.LAG),
        (
            "Timed out whilst waiting for new service principal to be replicated in Azure AD",
            Kind.LAG,
        ),
        (
            "Could not create service principal: unexpected status 400 with error: "
            "Request_BadRequest: The appId 'x' of the service principal does not reference a "
            "valid application object.",
            Kind.LAG,
        ),
        (
            "unexpected status 403 with error: Authorization_RequestDenied: When using this "
            "permission, the backing application of the service principal being created must in "
            "the local tenant",
            Kind.LAG,
        ),
        (
            "unexpected status 409 with error: Request_MultipleObjectsWithSameKeyValue: "
            "Permission entry already exists.",
            Kind.EXISTS,
        ),
        (
            "unexpected status 400 with error: Request_BadRequest: Permission entry already "
            "exists.",
            Kind.EXISTS,
        ),
        (
            'A resource with the ID "9b41e7f6-5e88-475f-9102-f5f4a3f22f5f" already exists: To be '
            "managed via Terraform, this resource needs to be imported into the State.",
            Kind.EXISTS,
        ),
        (
            'A resource with the ID "/applications/x/identifierUris/YXBp" already exists - to be '
            "managed via Terraform this resource needs to be imported into the State.",
            Kind.EXISTS,
        ),
        (
            "Could not create service principal: unexpected status 409 (409 Conflict) with error: "
            "Request_MultipleObjectsWithSameKeyValue: x",
            Kind.EXISTS,
        ),
        ("unexpected status 409 with error: Directory_ConcurrencyViolation: x", Kind.CONFLICT),
        ("unexpected status 429 with error: TooManyRequests: x", Kind.BUSY),
        ("unexpected status 503 with error: ServiceUnavailable: x", Kind.BUSY),
        ("unexpected status 500 with response: ", Kind.BUSY),
        ('Post "https://h/v1.0/applications": read tcp: connection reset by peer', Kind.LOST),
        ('Get "https://h/v1.0/applications/x": EOF', Kind.LOST),
        ("error reading from server: EOF", Kind.LOST),
        ("context deadline exceeded", Kind.LOST),
        # Go's words (net/http, golang.org/x/net/http2); the real plugin is written in it.
        ("http2: client connection lost", Kind.LOST),
        ("http2: server sent GOAWAY and closed the connection; LastStreamID=1", Kind.LOST),
        ("stream error: stream ID 5; INTERNAL_ERROR; received from peer", Kind.LOST),
        ("write tcp 10.0.0.1:5->20.1.1.1:443: use of closed network connection", Kind.LOST),
        (
            "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
            Kind.LOST,
        ),
        # Go's on Windows: a call's name, then the system's words in its own language
        # (hashicorp/terraform-provider-azurerm#3393).
        (
            'Get "https://h/v1.0/x": read tcp 10.0.0.1:5->20.1.1.1:443: wsarecv: 既存の接続は'
            "リモート ホストに強制的に切断されました。",
            Kind.LOST,
        ),
        (
            "dial tcp 127.0.0.1:5: connectex: No connection could be made because the target "
            "machine actively refused it.",
            Kind.LOST,
        ),
        ("unexpected status 408 (408 Request Timeout) with response: ", Kind.LOST),
        # Sentences that look like a replica's that trails, and are none.
        (
            "unexpected status 400 with error: Request_BadRequest: The property 'foo' does not "
            "exist on type 'microsoft.graph.application'.",
            Kind.PERMANENT,
        ),
        (
            "AADSTS500011: The resource principal named x was not found in the tenant.",
            Kind.PERMANENT,
        ),
        ("AADSTS50034: The user account x does not exist in the directory.", Kind.PERMANENT),
        ("AADSTS700082: The refresh token has expired due to inactivity.", Kind.PERMANENT),
        ("could not read passphrase: EOF", Kind.PERMANENT),
        ("an unhandled error occurred: program exited with non-zero exit code: -1", Kind.KILLED),
        ("an unhandled error occurred: program exited with non-zero exit code: 1", Kind.PERMANENT),
        ("failed to load checkpoint: unexpected end of JSON input", Kind.PERMANENT),
        # Pulumi Cloud's lock, by the SDK's own words for it.
        ("[409] Conflict: Another update is currently in progress.", Kind.LOCKED),
        (
            "unexpected status 401 with error: InvalidAuthenticationToken: Lifetime validation "
            "failed, the token is expired.",
            Kind.EXPIRED,
        ),
        (
            "unexpected status 403 with error: Authorization_RequestDenied: Insufficient "
            "privileges to complete the operation.",
            Kind.PERMANENT,
        ),
        (
            "unexpected status 400 with error: CredentialTypeNotAllowedAsPerAppPolicy: x",
            Kind.PERMANENT,
        ),
        (
            "unexpected status 400 with error: CredentialInvalidLifetimeAsPerAppPolicy: x",
            Kind.PERMANENT,
        ),
        (
            "unexpected status 400 with error: HostNameNotOnVerifiedDomain: Values of "
            "identifierUris property must use a verified domain of the organization or its "
            "subdomain: 'api://x'",
            Kind.PERMANENT,
        ),
        (
            "Failed to add identifier URI api://x. All newly added URIs must contain a tenant "
            "verified domain, tenant ID, or app ID, as per the default tenant policy of your "
            "organization.",
            Kind.PERMANENT,
        ),
        ("unexpected status 403 with error: Directory_QuotaExceeded: x", Kind.PERMANENT),
        ("AADSTS7000222: The provided client secret keys for app 'x' are expired.", Kind.PERMANENT),
        (
            "the stack is currently locked by 1 lock(s). Either wait for the other process(es) to "
            "end or delete the lock file with `pulumi cancel`.",
            Kind.LOCKED,
        ),
        ('resource "urn:…" cannot be deleted because it is protected.', Kind.PERMANENT),
        ("unexpected status 400 with error: Request_BadRequest: Invalid value.", Kind.PERMANENT),
        (
            "unexpected status 400 with error: CannotDeleteOrUpdateEnabledEntitlement: Permission "
            "(scope or role) cannot be deleted or updated unless disabled first.",
            Kind.LAG,
        ),
        (
            "unexpected status 400 with error: Request_BadRequest: Property cannot be updated: "
            "principalId",
            Kind.PERMANENT,
        ),
        (
            "AADSTS50194: Application 'x' is not configured as a multi-tenant application.",
            Kind.PERMANENT,
        ),
        ("AADSTS70021: No matching federated identity record found.", Kind.PERMANENT),
        ("AADSTS70025: The client 'x'(y) has no configured federated credentials.", Kind.PERMANENT),
        (
            'clientCredentialsToken: received HTTP status 503 with response: {"error":'
            '"temporarily_unavailable","error_description":"AADSTS90033: A transient error has '
            'occurred."}',
            Kind.BUSY,
        ),
        # Entra's codes of transient errors (Microsoft, AADSTS error codes), its statuses.
        ("received HTTP status 400 with response: AADSTS50033: A transient error", Kind.BUSY),
        ("AADSTS90055: Tenant throttling error.", Kind.BUSY),
        ("received HTTP status 504 with response: AADSTS1: x", Kind.BUSY),
        ("received HTTP status 429 with response: AADSTS1: x", Kind.BUSY),
        ("something that nobody has seen yet", Kind.PERMANENT),
    ],
)
def test_what_the_words_mean(words: str, kind: Kind) -> None:
    assert classify(words).kind is kind
    multiline = classify(f"1 error occurred:\n\t* {words}\n\n")
    assert multiline.kind is kind
    assert "\n" not in multiline.said


@pytest.mark.parametrize("status", ["403 (403 Forbidden)", "404 (404 Not Found)", "407", "511"])
@pytest.mark.parametrize("page", ["<html><p>Blocked</p></html>", "\r\n<!DOCTYPE html><p>No</p>"])
def test_a_page_is_no_refusal_of_graphs(status: str, page: str) -> None:
    found = classify(
        f"Could not update Application (x): unexpected status {status} with response: {page}"
    )
    assert found.kind is Kind.PERMANENT
    assert "proxy" in found.next_step
    assert "rights" not in found.next_step


BODIES = [
    (404, "Request_ResourceNotFound", "Resource 'x' does not exist or one of its queried "
     "reference-property objects are not present.", Kind.LAG),
    (400, "Request_BadRequest", "The appId 'x' of the service principal does not reference a "
     "valid application object.", Kind.LAG),
    (403, "Authorization_RequestDenied", "When using this permission, the backing application of "
     "the service principal being created must in the local tenant", Kind.LAG),
    (403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.",
     Kind.PERMANENT),
    (409, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists.",
     Kind.EXISTS),
    (400, "Request_BadRequest", "Permission entry already exists.", Kind.EXISTS),
    (409, "Directory_ConcurrencyViolation", "x", Kind.CONFLICT),
    (429, "TooManyRequests", "Please retry again later.", Kind.BUSY),
    (400, "HostNameNotOnVerifiedDomain", "Values of identifierUris property must use a verified "
     "domain of the organization or its subdomain: 'api://x'", Kind.PERMANENT),
    (400, "CredentialTypeNotAllowedAsPerAppPolicy", "x", Kind.PERMANENT),
    (400, "CredentialInvalidLifetimeAsPerAppPolicy", "x", Kind.PERMANENT),
    (400, "Request_BadRequest", "Credential lifetime exceeds the max value allowed as per assigned "
     "policy", Kind.PERMANENT),
    (403, "Directory_QuotaExceeded", "x", Kind.PERMANENT),
    (401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.",
     Kind.EXPIRED),
    (503, "ServiceUnavailable", "x", Kind.BUSY),
    (503, "Directory_ConcurrencyViolation", "x", Kind.CONFLICT),
    (400, "Request_BadRequest", "Resource 'x' does not exist or one of its queried "
     "reference-property objects are not present.", Kind.LAG),
    (400, "CannotDeleteOrUpdateEnabledEntitlement", "Permission (scope or role) cannot be deleted "
     "or updated unless disabled first.", Kind.LAG),
]  # fmt: skip
"""Graph's refusals as they were collected, in the form of its error bodies."""


@pytest.mark.parametrize(("status", "code", "message", "kind"), BODIES)
def test_a_body_means_the_same_in_each_of_its_forms(
    status: int, code: str, message: str, kind: Kind
) -> None:
    inner = {"date": "2026-11-23T00:00:00", "request-id": "r", "client-request-id": "c"}
    error = {"code": code, "message": message, "innerError": inner}
    older = {"code": code, "message": {"lang": "en", "value": message}}
    for body in ({"error": error}, {"odata.error": older}, {"error": older}):
        for said in (
            f"unexpected status {status} with error: {code}: {message}",
            f"unexpected status {status} ({status} x) with response: {json.dumps(body)}",
        ):
            assert classify(said).kind is kind, said


REFUSALS = [f"{code}: {message}" for _, code, message, kind in BODIES if kind is Kind.PERMANENT]
PASSING = [
    f"{code}: {message}"
    for _, code, message, kind in BODIES
    if kind.passes and not code.startswith("Auth")
]


@given(st.sampled_from(REFUSALS), st.lists(st.sampled_from(PASSING)), st.randoms())
def test_a_refusal_counts_whatever_else_is_said_with_it(
    refusal: str, passing: list[str], chance: random.Random
) -> None:
    words = [refusal, *passing]
    chance.shuffle(words)
    assert classify("; ".join(words)).kind is Kind.PERMANENT


@given(st.text(st.characters(categories=["L", "N"]), min_size=8), st.integers(0, 60))
def test_a_secret_in_a_quoted_body_is_covered(secret: str, cut: int) -> None:
    # Hypothesis draws words from the source, too, and these are rightly shown.
    assume(secret not in "cannot unmarshal secretText")
    value = f"~Q{secret}~"
    document = {"keyId": "k", "secretText": value, "hint": "abc"}
    nested = {"secretText": {"value": value}}
    body = json.dumps(document, ensure_ascii=False)
    quoted = json.dumps(body, ensure_ascii=False)
    again = json.dumps(quoted, ensure_ascii=False)
    inner = json.dumps(nested, ensure_ascii=False)
    for words in (body, body[: len(body) - cut], quoted, again, inner):
        assert secret not in classify(f"cannot unmarshal {words}").said


@pytest.mark.parametrize(
    "said",
    ["Pulumi CLI version 3.1.0 does not satisfy", "This Pulumi CLI is not of a supported version"],
)
def test_an_engine_that_is_too_old_is_a_setting(said: str) -> None:
    assert isinstance(classify(said).error(), ConfigurationError)


@pytest.mark.parametrize(
    ("said", "ends_as", "told"),
    [
        (
            "failed to discover package requirements: calling `python -m pip list -v --format "
            "json`: exit status 127",
            ConfigurationError,
            "Unset PULUMI_PYTHON_CMD",
        ),
        ("invalid YAML file: yaml: line 1: did not find", ConfigurationError, "git checkout"),
        ("expected project to be an object, was 'string'", ConfigurationError, "git checkout"),
        ("organization name must be 'organization'", ConfigurationError, "`pulumi stack ls`"),
        (
            'unable to open state directory "file:///x": stat /x: no such file or directory',
            ConfigurationError,
            "PULUMI_BACKEND_URL",
        ),
        (
            'getting stack configuration: yaml: unmarshal errors:\n  line 17: mapping key "config" '
            "already defined at line 1",
            ConfigurationError,
            "git checkout",
        ),
        (
            "failed to load checkpoint: place 1: invalid character '<' looking for beginning of "
            "value",
            RemoteError,
            "`STACK.json.bak`",
        ),
        (
            "failed to load checkpoint: place 1: json: cannot unmarshal array into Go value of "
            "type apitype.VersionedCheckpoint",
            RemoteError,
            "`STACK.json.bak`",
        ),
        (
            "failed to load checkpoint: unsupported checkpoint version 99",
            RemoteError,
            "If a newer Pulumi wrote it",
        ),
        (
            "could not deserialize deployment: resource missing required 'urn' field",
            RemoteError,
            "`STACK.json.bak`",
        ),
        (
            "The Pulumi CLI encountered a snapshot integrity error. This is a bug!\n\nError: "
            "snapshot integrity failure; refusing to use it: duplicate resource urn:x",
            Refused,
            "`pulumi state repair --stack STACK`",
        ),
        (
            "PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
            ConfigurationError,
            "pulumi login",
        ),
        (
            'unable to open state database "postgres://127.0.0.1:1/x": failed to ping PostgreSQL: '
            "dial tcp 127.0.0.1:1: connect: connection refused",
            RemoteError,
            "PULUMI_BACKEND_URL",
        ),
        (
            'performing HTTP request: Get "http://127.0.0.1:1/api/user": dial tcp 127.0.0.1:1: '
            "connect: connection refused",
            RemoteError,
            "PULUMI_BACKEND_URL",
        ),
        (
            "missing google credentials: unable to find gcp credentials: google: could not find "
            "default credentials.",
            RemoteError,
            "PULUMI_BACKEND_URL",
        ),
        *(
            (
                f"{before}unable to read PULUMI_CONFIG_PASSPHRASE_FILE: open /nope: no such file "
                "or directory",
                ConfigurationError,
                "Set PULUMI_CONFIG_PASSPHRASE_FILE to where it is",
            )
            for before in (
                "could not deserialize deployment: constructing secrets manager: ",
                "could not create secrets manager for new stack: ",
                "getting stack configuration: get stack secrets manager: ",
            )
        ),
    ],
)
def test_a_stack_that_cannot_be_read(said: str, ends_as: type[Error], told: str) -> None:
    """In the engine's words, by v3.259.0."""
    error = classify(said).error()
    assert type(error) is ends_as
    assert told in error.next_step


@pytest.mark.skipif(sys.platform == "win32", reason="its lines are a POSIX shell's")
def test_the_table_in_the_documentation_is_the_rules() -> None:
    written = (ROOT / "docs/failures.md").read_text(encoding="utf-8")
    assert "| `AADSTS70021` |" in written
    assert written == failures.page(written), "python -m tools.failures"


def test_only_time_mends_what_passes() -> None:
    assert {kind for kind in Kind if not kind.passes} == {Kind.LOCKED, Kind.PERMANENT}


def test_what_never_mends_names_cause_and_next_step() -> None:
    error = classify("unexpected status 403 with error: Authorization_RequestDenied: x", "consent")
    told = error.error()
    assert isinstance(told, RemoteError)
    assert told.cause.startswith("consent: the signed-in identity may not do this")
    assert told.cause.endswith("x).")
    assert "preflight" in told.next_step
    missing = classify("no resource plugin 'pulumi-resource-azuread' found")
    assert f"`{leading('--ready-file F')}`" in missing.next_step
    whole = classify("incorrect passphrase").error()
    assert whole.cause == "The stack's secrets cannot be opened (incorrect passphrase)."
    assert TYPED_PASSPHRASE in whole.next_step
    assert sys.platform == "win32" or "(in bash and zsh)" in whole.next_step


def test_a_command_that_reads_is_not_told_to_look() -> None:
    """`verify` itself may be what was run, and reads by the same commands."""
    assert "verify" in classify("Ouch", stack="dev").next_step
    assert "verify" not in failure.of_command("Ouch", "dev").next_step
    known = "stack is currently locked by 1 lock(s)"
    assert str(failure.of_command(known, "dev")) == str(classify(known, stack="dev").error())


@pytest.mark.parametrize("stack", ["dev", "S.test", "STACK-2", "{stack}", r"\1"])
def test_the_next_step_names_the_stack_once(stack: str) -> None:
    for said in ("unexpected status 403", "stack is currently locked by 1 lock(s)", "Ouch"):
        error = classify(said, stack=stack).error()
        assert error.next_step.count(stack) == error.next_step.count(f"--stack {stack}`") == 1
        # On its way through the engine.
        assert classify(str(error), stack="other").error().next_step == error.next_step


@pytest.mark.parametrize(
    "said",
    [
        # hashicorp/terraform-provider-azuread internal/clients/builder.go before each of them.
        "unable to build authorizer for Resource Manager API: no Authorizer could be configured, "
        "please check your configuration",
        "unable to build authorizer for Resource Manager API: could not configure AzureCli "
        'Authorizer: could not parse Azure CLI version: launching Azure CLI: exec: "az": '
        "executable file not found in $PATH",
        "unable to build authorizer for Resource Manager API: could not configure AzureCli "
        "Authorizer: obtaining tenant ID: running Azure CLI: exit status 1: ERROR: Please run 'az "
        "login' to setup account.",
    ],
)
def test_nothing_to_sign_in_with_is_told_with_what_to_set(said: str) -> None:
    error = classify(said).error()
    assert isinstance(error, ConfigurationError)
    assert error.cause.startswith("The azuread plugin has nothing to sign in with")
    for way in ("ARM_CLIENT_SECRET", "ARM_USE_OIDC", "`az login", leading("--ready-file F")):
        assert way in error.next_step


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            'unable to replace resource "urn:…"\nas it is currently marked for protection. To '
            "unprotect the resource, remove the `protect` flag from the resource in your Pulumi "
            "program and run `pulumi up`",
            "currently marked for protection",
        ),
        (
            'resource "urn:…" cannot be deleted\nbecause it is protected. To unprotect the '
            "resource, either remove the `protect` flag from the resource in your Pulumi program "
            "and run `pulumi up`, or use the command:\n`pulumi state unprotect 'urn:…'`",
            "`pulumi state unprotect URN --stack STACK`",
        ),
    ],
)
def test_the_engines_advice_on_protection_is_not_repeated(said: str, kept: str) -> None:
    error = classify(said, "application").error()
    assert isinstance(error, ConfigurationError)
    assert kept in str(error)
    assert "unprotect the resource" not in str(error)
    assert "`protect`" not in str(error)


def test_a_held_stack_is_a_refusal_and_a_passphrase_a_setting() -> None:
    assert isinstance(classify("stack is currently locked by 1 lock(s)").error(), Refused)
    opens = good().entries[0].starts
    for now in (opens + timedelta(days=1), opens - timedelta(minutes=2)):
        window = Window(opens, opens + timedelta(days=9 if now > opens else 180), 0, newest=True)
        ends = {window.id: window.expires}
        told = undeclared("dev", list(ends), ends, good().entries, now)
        assert ("older than the state" in told[0]) is (now > opens)
        refused = Refused(*map(sentence, told))
        found = classify(str(refused))
        assert found.kind is Kind.PERMANENT
        assert isinstance(found.error(), Refused)
        assert str(found.error()) == str(refused)
    imported = (Foreign(Urn("urn:pulumi:dev::proself-mail::azuread:index/group:Group::erp")),)
    refused = Refused(
        sentence(foreign_in_state(imported)), sentence(without_foreign("dev", imported))
    )
    assert isinstance(classify(str(refused)).error(), Refused)
    assert isinstance(classify("incorrect passphrase").error(), ConfigurationError)
    of_the_file = classify(
        "getting stack configuration: get stack secrets manager: incorrect passphrase"
    )
    assert isinstance(of_the_file.error(), ConfigurationError)
    assert "(`git pull`)" in of_the_file.next_step
    missing = classify("could not create secrets manager for new stack: passphrase must be set")
    assert isinstance(missing.error(), ConfigurationError)
    assert "Choose one" in missing.next_step
    of_a_key = classify("could not create secrets manager for new stack: invalid keyID")
    assert "the address of the key" in of_a_key.next_step


def test_the_engines_advice_on_a_state_is_not_repeated() -> None:
    said = classify(
        "The Pulumi CLI encountered a snapshot integrity error. This is a bug!\nYou can try:\n  * "
        "Passing the `--disable-integrity-checking` flag.\nError:   snapshot integrity failure; "
        "refusing to use it: duplicate resource urn:x (not marked for deletion)\n\nStack Trace:\n\n"
        "goroutine 1 [running]:"
    ).said
    assert said == (
        "snapshot integrity failure; refusing to use it: duplicate resource urn:x (not marked for "
        "deletion)"
    )


def test_what_conditional_access_blocks_is_not_told_as_a_wrong_secret() -> None:
    blocked = classify("AADSTS53003: Access has been blocked by Conditional Access policies.")
    assert "Conditional Access" in blocked.cause
    assert "Sign-in logs" in blocked.next_step
    assert "secret" not in blocked.next_step
    others = classify("AADSTS530035: Access has been blocked by security defaults.")
    assert "what the code means" in others.next_step


def test_the_sign_ins_own_sentence_is_quoted_without_its_trace() -> None:
    said = classify(
        'clientCredentialsToken: received HTTP status 401 with response: {"error_description": '
        '"AADSTS7000215: Invalid client secret provided. Trace ID: 9 Correlation ID: 8"}'
    ).said
    assert said == "AADSTS7000215: Invalid client secret provided."


def test_the_programs_own_next_step_goes_through_the_engine_whole() -> None:
    """Its lines are to be typed; what looks like a secret is covered in it too."""
    lines = "".join(f"`pulumi state delete urn:{n:0>90} --force --stack dev`, " for n in range(9))
    words = str(Refused("The state holds what is not declared.", f"{lines}then try again."))
    through = classify(words.replace(". ", ".\n "), "application").error()
    assert through.cause == "application: The state holds what is not declared."
    assert through.next_step == f"{lines}then try again."
    quoted = classify(f'{words} {{"secretText": "a~client~secret"}}').next_step
    assert "secretText" in quoted
    assert "a~client~secret" not in quoted


@given(st.text(st.characters(exclude_categories=["L", "N"])))
def test_garbage_without_a_word_never_passes(words: str) -> None:
    assert classify(words).kind is Kind.PERMANENT


@given(st.text() | st.binary().map(lambda body: body.decode("latin-1")))
def test_garbage_stops_the_run_and_is_quoted_on_one_short_line(words: str) -> None:
    failure = classify(words)
    assert "\n" not in failure.said
    assert len(failure.said) <= 601
    assert failure.error().next_step
