"""The address of a sign-in page, copied from the browser, read and compared with the stack.

What Proself asks of Entra is not documented; the address shows it: client, tenant, redirect URI and
scope. The answer's address, where a sign-in came back with an error, is read too. Pure; where
no stack is given, it is judged by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from proself_mail import facts
from proself_mail.diagnosis import UNKNOWN, Diagnosis, diagnose
from proself_mail.quotation import quoted
from proself_mail.refusal import Names, Text
from proself_mail.smtp_replies import EXCHANGE_AUDIENCES

_ANY_TENANT = frozenset({"common", "organizations", "consumers"})


@dataclass(frozen=True)
class Expected:
    """What a stack expects of a sign-in."""

    names: Names
    authority: str
    """Where its target signs in, such as `https://login.microsoftonline.com`."""
    single_tenant: bool
    tenants: frozenset[str]
    """Tenant ids that the sign-in may go to."""
    permissions: frozenset[str]


@dataclass(frozen=True)
class Reading:
    """An address, taken apart."""

    asked: Mapping[str, str]
    """What it asks for, by name, fit to be shown."""
    findings: Sequence[Diagnosis] = field(default=())
    """What is wrong with it; none where nothing is."""


def is_address(text: str) -> bool:
    """Say whether a text is one address, and nothing else."""
    return text.startswith(("https://", "http://")) and len(text.split()) == 1


def read(address: str, expected: Expected | None = None) -> Reading:
    """Take an address apart and compare it. Garbage is a finding, never an error."""
    try:
        parts = urlsplit(address)
        host, netloc = parts.hostname or "", parts.netloc
        found = parse_qs(parts.query) | parse_qs(parts.fragment)
    except ValueError:
        return Reading({}, (_unreadable(address),))
    given = {name: values[0] for name, values in found.items()}
    names = expected.names if expected else Names()
    if "error" in given:
        said = given.get("error_description") or given["error"]
        return Reading({"error": quoted(given["error"])}, (diagnose(said, names),))
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
        *_scope(given.get("scope", "").split(), expected),
        *_user(given.get("login_hint", ""), expected),
    ]
    return Reading(shown, tuple(findings))


def _host(host: str, netloc: str, expected: Expected | None) -> Iterator[Diagnosis]:
    wanted = urlsplit(expected.authority).netloc if expected else facts.AUTHORITY_HOST
    if netloc.lower() != wanted.lower():
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


def _scope(scopes: Sequence[str], expected: Expected | None) -> Iterator[Diagnosis]:
    asked: set[str] = set()
    for scope in scopes:
        resource, slash, permission = scope.rpartition("/")
        if slash and resource.rstrip("/") in EXCHANGE_AUDIENCES:
            asked.add(permission)
        elif slash or scope not in ("openid", "profile", "email", "offline_access"):
            yield Diagnosis(
                "scope-of-another-resource",
                quoted(scope),
                Text(
                    f"スコープ {quoted(scope)} は Exchange Online のものではありません。"
                    "接頭辞のない名前は Microsoft Graph を意味します。このトークンを SMTP で使うと "
                    "535 5.7.3 で拒否されます。",
                    f"The scope {quoted(scope)} is not one of Exchange Online; a name without a "
                    "prefix means Microsoft Graph. SMTP answers such a token by 535 5.7.3.",
                ),
                Text(
                    "https://outlook.office.com/SMTP.Send または "
                    "https://outlook.office.com/Mail.Send が必要です。Proself が送っている場合は "
                    "Proself の版を確認してください。",
                    "One of https://outlook.office.com/SMTP.Send and "
                    "https://outlook.office.com/Mail.Send is needed. If Proself asks for it, check "
                    "Proself's version.",
                ),
            )
    if expected:
        # Entra compares permissions without regard to letter case.
        known = {permission.lower() for permission in expected.permissions}
        for permission in sorted(asked - {".default"}):
            if permission.lower() not in known:
                yield _not_granted(permission, expected)
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


def _not_granted(permission: str, expected: Expected) -> Diagnosis:
    place = len(expected.permissions)
    add = [(place, permission)]
    if place == 1:  # they may be the default, and not stand in the stack's file
        add = [*enumerate(expected.permissions), *add]
    return Diagnosis(
        "permission-not-in-stack",
        quoted(permission),
        Text(
            f"{quoted(permission)} が求められていますが、スタックの permissions は "
            f"{', '.join(sorted(expected.permissions))} だけです。サインインは AADSTS65001 で"
            "拒否されます。",
            f"{quoted(permission)} is asked for, and the stack's permissions are only "
            f"{', '.join(sorted(expected.permissions))}. The sign-in ends in AADSTS65001.",
        ),
        Text(
            "下のコマンドで権限を加えて同意を与え、もう一度サインインしてください。",
            "Add it with consent by the lines below, then sign in again.",
        ),
        (
            *(
                f"pulumi config set --path 'permissions[{at}]' {_word(each)} "
                f"--stack {expected.names.stack}"
                for at, each in add
            ),
            f"proself-mail up --stack {expected.names.stack}",
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


def _word(text: str) -> str:
    """Leave of a permission's name what may stand in a command line."""
    return "".join(c for c in text if c.isascii() and (c.isalnum() or c in "._-"))
