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
from proself_mail.config.mending import config_add_permission
from proself_mail.diagnosis import pasted
from proself_mail.diagnosis.diagnosis import UNKNOWN, Diagnosis, diagnose
from proself_mail.diagnosis.refusal import Names, Text
from proself_mail.diagnosis.smtp_replies import EXCHANGE_AUDIENCES
from proself_mail.text.command_line import shell_word
from proself_mail.text.quotation import quoted

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
    rf"https?://{_CHARACTERS}|(?<![\w.@/-])[\w.-]++(?::\d{{1,5}})?+/{_CHARACTERS}",
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
        return Reading({"answer of": netloc}, (_answer(address),))
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
        yield Diagnosis(
            "address-of-another-host",
            quoted(host),
            Text(
                f"サインイン画面が {wanted} のものではありません。偽のページの可能性があります。",
                f"The sign-in page is not one of {wanted}; it may be forged.",
            ),
            Text(
                "何も入力せず、Proself の「Sign in with Microsoft」から開き直してください。",
                "Type nothing; open it again from Proself's “Sign in with Microsoft”.",
            ),
        )


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
    yield from map(_foreign, foreign)
    if is_needed and not asked and not foreign:
        yield _without_exchange(scopes)
    if expected:
        # Entra compares permissions without regard to letter case.
        known = {permission.lower() for permission in expected.names.permissions}
        for permission in sorted(asked - {".default"}):
            if permission.lower() not in known:
                yield _not_granted(permission, expected.names)
    if asked and "offline_access" not in scopes:
        yield Diagnosis(
            "no-offline-access",
            " ".join(map(quoted, scopes)),
            Text(
                "offline_access が求められていないため、トークンは 1 時間ほどで切れ、"
                "更新できません。",
                "Without offline_access the token ends after about an hour and cannot be renewed.",
            ),
            Text(
                "スコープに offline_access を加えてください。Proself が送っている場合は "
                "Proself の版を確認してください。",
                "Add offline_access to the scope. If Proself asks for it, check Proself's version.",
            ),
        )


_ASK_FOR_EXCHANGE = Text(
    "https://outlook.office.com/SMTP.Send または https://outlook.office.com/Mail.Send が必要です。"
    "Proself が送っている場合は Proself の版を確認してください。",
    "One of https://outlook.office.com/SMTP.Send and https://outlook.office.com/Mail.Send is "
    "needed. If Proself asks for it, check Proself's version.",
)


def _foreign(scope: str) -> Diagnosis:
    return Diagnosis(
        "scope-of-another-resource",
        quoted(scope),
        Text(
            f"スコープ {quoted(scope)} は Exchange Online のものではありません。"
            "接頭辞のない名前は Microsoft Graph を意味します。このトークンを SMTP で使うと "
            "535 5.7.3 で拒否されます。",
            f"The scope {quoted(scope)} is not one of Exchange Online; a name without a "
            "prefix means Microsoft Graph. SMTP answers such a token by 535 5.7.3.",
        ),
        _ASK_FOR_EXCHANGE,
    )


def _without_exchange(scopes: Sequence[str]) -> Diagnosis:
    if not scopes:
        return Diagnosis(
            "scope-missing",
            "no scope (AADSTS900144)",
            Text(
                "スコープが求められていません。サインインは AADSTS900144 で拒否されます。",
                "The address asks for no scope. The sign-in ends in AADSTS900144.",
            ),
            _ASK_FOR_EXCHANGE,
        )
    return Diagnosis(
        "scope-without-exchange",
        " ".join(map(quoted, scopes)),
        Text(
            "Exchange Online の権限が 1 つも求められていません。サインインできても、"
            "そのトークンを SMTP で使うと 535 5.7.3 で拒否されます。",
            "No permission of Exchange Online is asked for. The sign-in may work, but SMTP answers "
            "such a token by 535 5.7.3.",
        ),
        _ASK_FOR_EXCHANGE,
    )


def _not_granted(permission: str, names: Names) -> Diagnosis:
    sends = {each.lower(): each for each in ("Mail.Send", "SMTP.Send")}.get(permission.lower())
    has = ", ".join(sorted(names.permissions))
    if sends is None:
        return Diagnosis(
            "permission-not-for-sending",
            quoted(permission),
            Text(
                f"{quoted(permission)} が求められていますが、SMTP での送信に使う権限ではなく、"
                f"スタックの permissions ({has}) にもありません。サインインは、Exchange Online に"
                "その権限がなければ AADSTS650053、あれば AADSTS65001 で拒否されます。",
                f"{quoted(permission)} is asked for, which is no permission to send by SMTP and "
                f"not among the stack's permissions ({has}). The sign-in ends in AADSTS650053 if "
                "Exchange Online has no such permission, else in AADSTS65001.",
            ),
            _ASK_FOR_EXCHANGE,
        )
    fix = (
        Text(
            "下のコマンドで権限を加えて同意を与え、もう一度サインインしてください。",
            "Add it with consent by the lines below, then sign in again.",
        )
        if names.manages_grant
        else Text(
            "下のコマンドで権限を加え、メールボックスのテナントの管理者が "
            f"{names.consent_url} を開いて同意してから、もう一度サインインしてください。",
            "Add it by the lines below, let an administrator of the mailbox's tenant open "
            f"{names.consent_url} and consent, then sign in again.",
        )
    )
    return Diagnosis(
        "permission-not-in-stack",
        quoted(permission),
        Text(
            f"{sends} が求められていますが、スタックの permissions は {has} だけです。"
            "サインインは AADSTS65001 で拒否されます。",
            f"{sends} is asked for, and the stack's permissions are only {has}. The sign-in ends "
            "in AADSTS65001.",
        ),
        fix,
        (
            *config_add_permission(names.stack, names.permissions, sends),
            f"proself-mail up --stack {shell_word(names.stack)}",
        ),
    )


def _user(hint: str, expected: Expected | None) -> Iterator[Diagnosis]:
    if expected and hint and hint.lower() != expected.names.mailbox.lower():
        yield Diagnosis(
            "another-user-hinted",
            quoted(hint),
            Text(
                f"サインインの対象が {expected.names.mailbox} ではなく {quoted(hint)} です。",
                f"The sign-in is for {quoted(hint)}, not for {expected.names.mailbox}.",
            ),
            Text(
                "Proself の「メールサーバー情報の設定」のユーザーIDを "
                f"{expected.names.mailbox} にしてください。",
                f"In Proself, メールサーバー情報の設定: ユーザーID is {expected.names.mailbox}.",
            ),
        )


def _as_refused(number: str, said: str, names: Names) -> Diagnosis:
    """Foretell how Entra will refuse it."""
    found = diagnose(number, names)
    return Diagnosis(
        found.key, f"{quoted(said)} ({number})", found.cause, found.fix, found.commands
    )


def _answer(address: str) -> Diagnosis:
    return Diagnosis(
        "answer-of-a-sign-in",
        quoted(address.partition("?")[0]),
        Text(
            "これはサインインが成功した後の戻り先のアドレスです。失敗しているとすれば、"
            "その後 (Proself によるトークンの取得) です。",
            "This is where the browser was sent after a sign-in that worked; what failed came "
            "after it, when Proself asked for the token.",
        ),
        Text(
            "Proself が表示したメッセージを proself-mail explain に渡してください。"
            "アドレスの code= は一度だけ使える認可コードです。他の人に渡さないでください。",
            "Give the message that Proself shows to proself-mail explain. The code= in the address "
            "is an authorization code, good for one time: do not hand it on.",
        ),
    )


def _consented(tenant: str, expected: Expected | None) -> Reading:
    """Read the answer of a consent: it is well unless another tenant gave it."""
    if expected and tenant.lower() not in expected.tenants:
        found = Diagnosis(
            "consent-of-another-tenant",
            quoted(f"admin_consent=True, tenant={tenant}"),
            Text(
                f"管理者の同意は済みましたが、テナント {quoted(tenant)} のもので、このスタックの"
                f"テナント ({expected.names.tenant_id}) ではありません。",
                f"An administrator consented, but in the tenant {quoted(tenant)}, not in this "
                f"stack's ({expected.names.tenant_id}).",
            ),
            Text(
                f"メールボックスのテナントの管理者が {expected.names.consent_url} を開いて"
                "同意してください。",
                f"Let an administrator of the mailbox's tenant open {expected.names.consent_url} "
                "and consent.",
            ),
        )
        return Reading({"tenant": quoted(tenant)}, (found,))
    names = expected.names if expected else Names()
    found = Diagnosis(
        "consent-was-given",
        quoted(f"admin_consent=True, tenant={tenant}"),
        Text(
            "管理者の同意は済みました。移動先のページにエラーが表示されても、開けなくても問題あり"
            "ません。",
            "An administrator has consented. It does not matter if this page shows an error or "
            "does not open.",
        ),
        Text(
            "Proself の「メールサーバー情報の設定」で「設定」を押し、「Sign in with Microsoft」"
            f"から {names.mailbox} でサインインしてください。",
            "Nothing is to be mended. In Proself, メールサーバー情報の設定: press 設定 and sign in "
            f"as {names.mailbox} through “Sign in with Microsoft”.",
        ),
    )
    return Reading({}, (found,))


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
