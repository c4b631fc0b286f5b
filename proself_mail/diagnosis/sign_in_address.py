"""The address of a sign-in page, copied from the browser, read and compared with the stack.

What Proself asks of Entra is not documented; the address shows it: client, tenant, redirect URI and
scope. The answer's address, where a sign-in came back with an error, is read too. Pure; where
no stack is given, it is judged by itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from proself_mail import facts
from proself_mail.diagnosis import pasted
from proself_mail.diagnosis.diagnosis import UNKNOWN, Diagnosis, diagnose, explained
from proself_mail.diagnosis.refusal import Entry, Names, Text, read_table
from proself_mail.diagnosis.smtp_replies import EXCHANGE_AUDIENCES
from proself_mail.text.quotation import quoted

FINDINGS: tuple[Entry, ...] = tuple(
    Entry.of({**row, "source": ""}) for row in read_table("sign-in-address.toml")["finding"]
)
_BY_KEY = {entry.key: entry for entry in FINDINGS}

_ANY_TENANT = frozenset({"common", "organizations", "consumers"})
_OWN_PORT = {"https": ":443", "http": ":80"}


@dataclass(frozen=True)
class Expected:
    """What a stack expects of a sign-in."""

    names: Names
    authority: str
    """Where its target signs in, such as `https://login.microsoftonline.com`."""
    single_tenant: bool
    tenants: frozenset[str]
    """Tenant ids that the sign-in may go to."""


@dataclass(frozen=True)
class Reading:
    """An address, taken apart."""

    asked: Mapping[str, str]
    """What it asks for, by name, fit to be shown."""
    findings: Sequence[Diagnosis] = field(default=())
    """What is wrong with it; none where nothing is."""


_CHARACTERS = r"[!#-;=?-~]*"
"""Of an address; what quotes one is none."""
_ADDRESS = re.compile(
    rf"https?://{_CHARACTERS}|(?<![\w.@/-])[\w.-]++(?>(?::\d{{1,5}})?)/{_CHARACTERS}",
    re.ASCII | re.IGNORECASE,
)
_REST_OF_LINE = re.compile(_CHARACTERS)
_OF_A_QUERY = re.compile(r"[=&%]")
_WRAPPED = range(60, 201)
"""Characters of a line that a mail or a terminal may have broken; an address is longer."""


def find(text: str) -> tuple[str, str] | None:
    """Return the sign-in address, or the answer's, that a text holds, and the rest of the text.

    It may be quoted, labelled, without `https://`, and broken into lines. None where there is none;
    any address is taken for one where it is all that there is.
    """
    plain = pasted.cleaned(text)
    for found in _ADDRESS.finditer(plain):
        address, end = _unwrapped(plain, found)
        if address[:4].lower() != "http":
            address = f"https://{address}"
        if _is_of_sign_in(address):
            return address, plain[: found.start()] + plain[end:]
    is_one = plain.startswith(("https://", "http://")) and len(plain.split()) == 1
    return (plain, "") if is_one else None


def _unwrapped(text: str, found: re.Match[str]) -> tuple[str, int]:
    """Put together an address that goes on in the lines that follow; where it ends, too."""
    address, end = found[0], found.end()
    begin = text.rfind("\n", 0, found.start()) + 1
    while text[end : end + 1] == "\n":
        rest = _REST_OF_LINE.match(text, end + 1)
        if rest is None or not rest[0] or rest[0].lower().startswith("http"):
            break
        is_line = text[rest.end() : rest.end() + 2].lstrip('>"')[:1] in ("", "\n")
        if not (_OF_A_QUERY.search(rest[0]) or (is_line and end - begin in _WRAPPED)):
            break
        address, begin, end = address + rest[0], rest.start(), rest.end()
    return address.rstrip(",.;)'"), end


def _is_of_sign_in(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    given = parse_qs(parts.query) | parse_qs(parts.fragment)
    return not given.keys().isdisjoint(("client_id", "error", "admin_consent")) or (
        {"code", "state"} <= given.keys()
    )


def read(address: str, expected: Expected | None = None) -> Reading:
    """Take an address apart and compare it. Garbage is a finding, never an error."""
    try:
        parts = urlsplit(address)
        host, netloc = parts.hostname or "", parts.netloc.lower()
        found = parse_qs(parts.query) | parse_qs(parts.fragment)
    except ValueError:
        return Reading({}, (_unreadable(address),))
    netloc = netloc.removesuffix(_OWN_PORT.get(parts.scheme, ""))
    given = {name: values[0] for name, values in found.items()}
    names = expected.names if expected else Names()
    if "error" in given:
        said = (given.get(name) for name in ("error", "error_subcode", "error_description"))
        text = ": ".join(filter(None, said))
        return Reading({"error": quoted(given["error"])}, (diagnose(text, names),))
    if given.get("admin_consent", "").lower() == "true":
        return _consented(given.get("tenant", ""), expected)
    if "code" in given and "client_id" not in given:
        answer = _finding("answer-of-a-sign-in", address.partition("?")[0])
        return Reading({"answer of": netloc}, (answer,))
    if "client_id" not in given:
        return Reading({}, (_unreadable(address),))
    tenant = parts.path.strip("/").partition("/")[0].lower()
    asked = {
        "sign-in page": netloc,
        "tenant": tenant,
        "client ID": given["client_id"],
        "redirect URI": given.get("redirect_uri", ""),
        "scope": given.get("scope", ""),
        "user": given.get("login_hint", ""),
    }
    shown = {name: quoted(value) for name, value in asked.items() if value}
    findings = [
        *_host(host, netloc, expected),
        *_tenant(tenant, expected),
        *_client(given["client_id"], given.get("redirect_uri", ""), expected),
        *_scope(given.get("scope", "").split(), _needs_scope(parts.path), expected),
        *_user(given.get("login_hint", ""), expected),
    ]
    return Reading(shown, tuple(findings))


def _host(host: str, netloc: str, expected: Expected | None) -> Iterator[Diagnosis]:
    wanted = urlsplit(expected.authority).netloc if expected else facts.AUTHORITY_HOST
    if netloc != wanted.lower():
        yield _finding("address-of-another-host", host, wanted=wanted)


def _tenant(tenant: str, expected: Expected | None) -> Iterator[Diagnosis]:
    if expected is None:
        return
    if tenant in _ANY_TENANT and expected.single_tenant:
        yield _as_refused("AADSTS50194", f"/{tenant}", expected.names)
    elif _is_id(tenant) and tenant not in expected.tenants:
        yield _as_refused("AADSTS90002", tenant, expected.names)


def _client(client_id: str, redirect_uri: str, expected: Expected | None) -> Iterator[Diagnosis]:
    if expected is None:
        return
    if client_id.lower() != expected.names.client_id.lower():
        yield _as_refused("AADSTS700016", client_id, expected.names)
    if redirect_uri != expected.names.redirect_uri:
        yield _as_refused("AADSTS50011", redirect_uri or "no redirect_uri", expected.names)


def _needs_scope(path: str) -> bool:
    """Say whether it is the page that wants a scope; the older one names a resource otherwise."""
    return path.endswith("/oauth2/v2.0/authorize")


def _scope(
    scopes: Sequence[str], is_needed: bool, expected: Expected | None
) -> Iterator[Diagnosis]:
    asked: set[str] = set()
    foreign: list[str] = []
    for scope in scopes:
        resource, slash, permission = scope.rpartition("/")
        if slash and resource.rstrip("/") in EXCHANGE_AUDIENCES:
            asked.add(permission)
        elif slash or scope not in ("openid", "profile", "email", "offline_access"):
            foreign.append(scope)
    for scope in foreign:
        yield _finding("scope-of-another-resource", scope, scope=quoted(scope))
    if is_needed and not scopes:
        yield _finding("scope-missing", "no scope (AADSTS900144)")
    elif is_needed and not asked and not foreign:
        yield _finding("scope-without-exchange", " ".join(scopes))
    if expected:
        # Entra compares permissions without regard to letter case.
        known = {permission.lower() for permission in expected.names.permissions}
        for permission in sorted(asked - {".default"}):
            if permission.lower() not in known:
                yield _not_granted(permission, expected.names)
    if asked and "offline_access" not in scopes:
        yield _finding("no-offline-access", " ".join(scopes))


def _not_granted(permission: str, names: Names) -> Diagnosis:
    sends = {each.lower(): each for each in ("Mail.Send", "SMTP.Send")}.get(permission.lower())
    has = ", ".join(sorted(names.permissions))
    if sends is None:
        return _finding(
            "permission-not-for-sending", permission, permission=quoted(permission), has=has
        )
    return _finding("permission-not-in-stack", permission, names, permission=sends, has=has)


def _user(hint: str, expected: Expected | None) -> Iterator[Diagnosis]:
    if expected and hint and hint.lower() != expected.names.mailbox.lower():
        yield _finding("another-user-hinted", hint, expected.names, hint=quoted(hint))


def _as_refused(number: str, said: str, names: Names) -> Diagnosis:
    """Foretell how Entra will refuse it."""
    found = diagnose(number, names)
    return Diagnosis(
        found.key, f"{quoted(said)} ({number})", found.cause, found.fix, found.commands
    )


def _consented(tenant: str, expected: Expected | None) -> Reading:
    """Read the answer of a consent: it is well unless another tenant gave it."""
    said, names = f"admin_consent=True, tenant={tenant}", expected.names if expected else Names()
    if expected and tenant.lower() not in expected.tenants:
        found = _finding("consent-of-another-tenant", said, names, tenant=quoted(tenant))
        return Reading({"tenant": quoted(tenant)}, (found,))
    return Reading({}, (_finding("consent-was-given", said, names),))


def _finding(key: str, said: str, names: Names | None = None, **also: str) -> Diagnosis:
    return explained(_BY_KEY[key], said, names, also=also)


def _unreadable(address: str) -> Diagnosis:
    return Diagnosis(
        UNKNOWN,
        quoted(address),
        Text(
            "Microsoft のサインイン画面のアドレスではありません (client_id がありません)。",
            "This is not the address of a Microsoft sign-in page: it has no client_id.",
        ),
        Text(
            "「Sign in with Microsoft」を押した直後の画面のアドレス欄を、最初から最後までコピーして"
            "ください。",
            "Copy the whole address of the page that “Sign in with Microsoft” opens.",
        ),
    )


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
