"""The stack's configuration: every key, its form, and what it means together with the others.

The one place where it is validated: the Pulumi program, `init` and every other command read the
same `Settings`. It refuses what it does not know, and names the command that mends what is wrong.
Reading the keys is `infra.settings`' (inside a program) and `proself_mail.stack`'s (outside);
whether the tenant agrees is `proself_mail.preflight`'s.
"""

import difflib
import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from proself_mail import facts
from proself_mail.errors import ConfigurationError
from proself_mail.mending import Literal, Mend, config_rm, config_set, in_stack
from proself_mail.schedule import SecretsEntry, format_instant, open_windows, parse_instant

PROJECT = "proself-mail"
"""The namespace of our keys in a stack's configuration, which is the project's name."""

MAIL_PROOF_REDIRECT_URI = "http://localhost:20587/proself-mail"
"""Where `verify --mail` receives a sign-in. The port is below those that systems hand out."""

MAIL_SEND = "Mail.Send"
"""The permission that Proself's application has (FAQ 481); others are only added to it."""

LONGEST_MAIL_PROOF = timedelta(hours=24)
"""How far ahead `mailProofUntil` may lie: a loopback redirect URI is a door that is to close."""

_MAIL_PROOF = timedelta(hours=1)

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_YAML_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+")
"""How Pulumi gives an instant that stands in a stack file without quotes, inside of a list."""

PLACEHOLDERS = {
    "tenantId": "TENANT_ID",
    "target": "TARGET",
    "stackId": "STACK_ID",
    "server": "HOST_NAME",
    "mailbox": "ADDRESS",
    "mailboxTenantId": "TENANT_ID",
    "audience": "AUDIENCE",
    "consent": "CONSENT",
    "secrets[0].from": "INSTANT",
    "environment": "ENVIRONMENT",
    "deleteAfter": "INSTANT",
    "mailProofUntil": "INSTANT",
    "owners[0]": "OBJECT_ID",
}
"""What a mending line has where only a person knows the value; typed as it is, it is refused."""

_PROPOSED = PLACEHOLDERS | {
    "displayName": "Proself mail",
    "secrets[0].everyDays": "150",
    "secrets[0].overlapDays": "30",
    "secrets[0].revokesEarlier": "false",
    "secretDescription": "Proself SMTP OAuth",
    "configFile": "out/proself.toml",
}


def _half_width(text: str) -> str:
    """Return what was meant by text that an input method for Japanese wrote full-width."""
    return unicodedata.normalize("NFKC", text.replace("。", ".")).strip()


def _check_width(text: str) -> None:
    wide = [each for each in text if unicodedata.east_asian_width(each) == "F" or each == "。"]
    if wide:
        listed = ", ".join(
            "a space (U+3000)" if each == "\u3000" else each for each in dict.fromkeys(wide)
        )
        raise ValueError(
            f"{text!r} has full-width characters (全角) where half-width ones (半角) belong: "
            f"{listed}"
        )


def _lowercase_host(host: str) -> str:
    name = host.lower()
    is_number = name.rpartition(".")[2].isdigit()
    if len(name) > 253 or is_number or not _HOST.fullmatch(name):
        raise ValueError(f"{host!r} is not a host name")
    return name


def _server(text: str) -> str:
    _check_width(text)
    if "://" in text:
        raise ValueError(f"{text!r} has a scheme: give the host name alone")
    if "/" in text:
        raise ValueError(f"{text!r} has a path: give the host name alone")
    if text.startswith("[") or text.count(":") > 1:
        raise ValueError(f"{text!r} is not a host name: give a name, and no address")
    host, colon, port = text.partition(":")
    if not host.isascii() or any(label.startswith("xn--") for label in host.lower().split(".")):
        raise ValueError(
            f"{host!r} is an international host name, which Entra takes in no redirect URI: give "
            "the server a name of plain letters, digits and hyphens too"
        )
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{port!r} is not a port")
    host = _lowercase_host(host)
    # A browser leaves the usual port out of the address that it is sent back to.
    return host if not colon or int(port) == 443 else f"{host}:{int(port)}"


def _server_of(address: str) -> str | None:
    """Return the server in an address as a browser shows it; None where there is none."""
    text = _half_width(address)
    bare = text.partition("://")[2] or text
    try:
        return _server(re.split(r"[/?#]", bare)[0])
    except ValueError:
        return None


def _mail_address(text: str) -> str:
    _check_width(text)
    local, at, domain = text.rpartition("@")
    if not at or not _MAIL_ADDRESS.fullmatch(local) or "." not in domain:
        raise ValueError(f"{text!r} is not a mail address")
    return f"{local}@{_lowercase_host(domain)}"


def _mailbox_of(text: str) -> str | None:
    """Return the mail address that text has but for its width and spaces; None without one."""
    try:
        return _mail_address(_half_width(text))
    except ValueError:
        return None


def _tenant_or_blank(value: object) -> str:
    try:
        return "" if value == "" else str(uuid.UUID(str(value)))
    except ValueError:
        raise ValueError(f"{value!r} is neither blank nor a UUID") from None


def _instant(value: object) -> datetime:
    text = str(value)
    if _YAML_TIMESTAMP.fullmatch(text):
        text = text.rpartition(" ")[0]
    try:
        return parse_instant(text)
    except ValueError:
        raise ValueError(
            f"{value!r} is not an instant with a time zone, such as 2027-04-01T00:00:00Z"
        ) from None


def _place(text: str) -> str:
    try:
        Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text!r} begins in the home folder of nobody on this machine") from None
    return text


def _one_line(text: str) -> str:
    # Spaces other than U+0020, such as the full-width one, are unprintable to Python.
    shown = (each.isprintable() or unicodedata.category(each) == "Zs" for each in text)
    if text != text.strip() or not all(shown):
        raise ValueError(
            "it must be one line without spaces at its ends, and without invisible characters"
        )
    return text


Identifier = Annotated[uuid.UUID, PlainSerializer(str)]
Instant = Annotated[datetime, BeforeValidator(_instant), PlainSerializer(format_instant)]
Line = Annotated[str, AfterValidator(_one_line)]


def _one_permission(text: str) -> str:
    if len(_words(text)) != 1:
        raise ValueError(f"{text!r} is not the name of one permission")
    return text


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;]+", text) if word]


class Audience(StrEnum):
    """Which tenants' users may sign in to the application."""

    SINGLE = "single"
    MULTI = "multi"

    @property
    def sign_in_audience(self) -> str:
        """Microsoft Graph's word for it."""
        return "AzureADMyOrg" if self is Audience.SINGLE else "AzureADMultipleOrgs"


class Consent(StrEnum):
    """Who gives the admin consent."""

    GRANTED = "granted"
    """This program, as a resource of the stack."""
    BY_ADMINISTRATOR = "by-administrator"
    """A person, at the stack's `consentUrl`; the program leaves grants alone."""


class Environment(StrEnum):
    """What the stack is for: production protects the application from deletion."""

    TEST = "test"
    PRODUCTION = "production"


class TargetName(StrEnum):
    """Where the stack lives."""

    CLOUD = "cloud"
    EMBEDDED = "embedded"


_CHOICES: Mapping[str, type[StrEnum]] = {
    "audience": Audience,
    "consent": Consent,
    "environment": Environment,
    "target": TargetName,
}


class _Contradiction(PydanticCustomError):
    """Settings that are well formed and do not go together, with what mends it."""

    def __new__(cls, cause: str, key: str, value: str | None) -> Self:
        """`key`, inside of what was looked at, is to be `value`; None: it is to go."""
        return super().__new__(
            cls, "contradiction", "{cause}", {"cause": cause, "key": key, "value": value}
        )


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True
    )


def _no_truth(value: object) -> object:
    if isinstance(value, bool):  # which is a number to Python
        raise PydanticCustomError("int_type", "a truth value")
    return value


Days = Annotated[int, BeforeValidator(_no_truth)]


class SecretsSetting(_Model):
    """One entry of `secrets`, as it is written in the stack file."""

    starts: Instant = Field(alias="from")
    every_days: Days = Field(ge=1)
    overlap_days: Days = Field(ge=0)
    revokes_earlier: bool = False

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.overlap_days >= self.every_days:
            raise _Contradiction(
                f"overlapDays ({self.overlap_days}) must be less than everyDays "
                f"({self.every_days}), or old secrets would pile up",
                "overlapDays",
                str(self.every_days // 5),
            )
        longest = facts.MAXIMUM_SECRET_LIFETIME.days
        if self.every_days + self.overlap_days > longest:
            left = longest - self.overlap_days
            raise _Contradiction(
                f"everyDays + overlapDays ({self.every_days + self.overlap_days}) is more than "
                f"the {longest} days that Entra offers for a client secret",
                *(
                    ("everyDays", str(left))
                    if left > self.overlap_days
                    else ("overlapDays", str(longest // 5))
                ),
            )
        return self

    def entry(self) -> SecretsEntry:
        """Return it in the terms of `schedule`."""
        return SecretsEntry(
            self.starts,
            timedelta(days=self.every_days),
            timedelta(days=self.overlap_days),
            self.revokes_earlier,
        )


class Settings(_Model):
    """The configuration of one stack, validated."""

    tenant_id: Identifier
    """The Entra tenant that the application is made in."""
    target: TargetName
    stack_id: Identifier
    """The stamp: what bears it in the tenant is this stack's."""
    server: Annotated[str, AfterValidator(_server)]
    """Proself's host name, with a port where it is not 443."""
    mailbox: Annotated[str, AfterValidator(_mail_address)]
    """The mail address of the user that Proself signs in as and sends from."""
    mailbox_tenant_id: Identifier | None = None
    """The tenant of the mailbox where it is another one; no grant is managed there."""
    audience: Audience = Audience.SINGLE
    proself_tenant_id: Annotated[str, BeforeValidator(_tenant_or_blank)] | None = None
    """What stands in Proself's テナントID; blank is allowed for `multi`."""
    display_name: Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_one_line)] = (
        "Proself mail"
    )
    permissions: Annotated[
        tuple[Annotated[Line, AfterValidator(_one_permission)], ...], Field(min_length=1)
    ] = (MAIL_SEND,)
    consent: Consent = Consent.GRANTED
    secrets: Annotated[tuple[SecretsSetting, ...], Field(min_length=1)]
    secret_description: Annotated[
        str, Field(min_length=1, max_length=90), AfterValidator(_one_line)
    ] = "Proself SMTP OAuth"  # noqa: S105
    environment: Environment
    delete_after: Instant | None = None
    """After it a sweep may remove what this test stack made."""
    mail_proof_until: Instant | None = None
    """Until then the application has the redirect URI that `verify --mail` needs."""
    owners: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    """Object ids of users and service principals; exactly these own the application."""
    config_file: Annotated[str, Field(min_length=1), AfterValidator(_place)] | None = None
    """Where the Proself config file is written: a path from the project's root or from a home
    folder (`~/…`), or `none`."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        for cause, key, value in self._contradictions():
            raise _Contradiction(cause, key, value)
        return self

    def _contradictions(self) -> Iterator[tuple[str, str, str | None]]:
        starts = [entry.starts for entry in self.secrets]
        for place, (earlier, later) in enumerate(pairwise(starts), 1):
            if later <= earlier:
                yield (
                    "the entries of `secrets` must stand in the order of their `from`, and "
                    f"`secrets[{place}]` does not begin after the one before it",
                    f"secrets[{place}].from",
                    format_instant(earlier + timedelta(days=1)),
                )
        for place, each in enumerate(self.permissions):
            if each in self.permissions[:place]:
                yield "`permissions` names one permission twice", f"permissions[{place}]", None
        if MAIL_SEND not in self.permissions:
            yield (
                f"`permissions` lacks {MAIL_SEND}, which Proself needs",
                f"permissions[{_place_of_mail_send(self.permissions)}]",
                MAIL_SEND,
            )
        if self.environment is Environment.PRODUCTION and self.delete_after is not None:
            yield (
                "`deleteAfter` is for test stacks, and this one's `environment` is production",
                "deleteAfter",
                None,
            )
        if self.audience is Audience.SINGLE and self.mailbox_tenant != self.tenant_id:
            yield (
                "a mailbox in another tenant (`mailboxTenantId`) needs `audience` multi",
                "audience",
                "multi",
            )
        blank_or_own = {None, "", str(self.tenant_id), str(self.mailbox_tenant)}
        if self.audience is Audience.SINGLE and self.proself_tenant_id == "":
            yield (
                "`proselfTenantId` may be blank only with `audience` multi: Entra refuses a "
                "single-tenant application where no tenant is named (AADSTS50194)",
                "proselfTenantId",
                None,
            )
        if self.proself_tenant_id not in blank_or_own:
            yield (
                "`proselfTenantId` is neither blank nor `tenantId` nor `mailboxTenantId`",
                "proselfTenantId",
                None,
            )

    @property
    def mailbox_tenant(self) -> uuid.UUID:
        """The tenant that the mailbox belongs to."""
        return self.mailbox_tenant_id or self.tenant_id

    @property
    def manages_grant(self) -> bool:
        """Whether the program gives the admin consent itself."""
        return self.consent is Consent.GRANTED and self.mailbox_tenant == self.tenant_id

    @property
    def tenant_id_for_proself(self) -> str:
        """What a person enters as テナントID; may be blank."""
        if self.proself_tenant_id is not None:
            return self.proself_tenant_id
        return str(self.tenant_id) if self.audience is Audience.SINGLE else ""

    @property
    def redirect_uri(self) -> str:
        """Where Proself receives the authorization code."""
        return f"https://{self.server}{facts.PROSELF_CALLBACK_PATH}"

    def proves_mail(self, now: datetime) -> bool:
        """Say whether the mail proof's redirect URI is to exist at `now`."""
        return self.mail_proof_until is not None and self.mail_proof_until > now

    def proves_mail_too_long(self, now: datetime) -> bool:
        """Whether `mailProofUntil` lies further ahead than it may."""
        until = self.mail_proof_until
        return until is not None and until > now + LONGEST_MAIL_PROOF

    def redirect_uris(self, now: datetime) -> tuple[str, ...]:
        """Return every redirect URI that the application is to have at `now`."""
        proof = (MAIL_PROOF_REDIRECT_URI,) if self.proves_mail(now) else ()
        return (self.redirect_uri, *proof)

    @property
    def entries(self) -> tuple[SecretsEntry, ...]:
        """The `secrets` in the terms of `schedule`."""
        return tuple(secret.entry() for secret in self.secrets)

    def config_file_path(self, stack: str, root: Path) -> Path | None:
        """Return where the Proself config file of this stack is written; none for `none`."""
        if self.config_file == "none":
            return None
        return root / Path(self.config_file_shown(stack)).expanduser()

    def config_file_shown(self, stack: str) -> str:
        """Return the path as it is in the stack's outputs: the same on every machine."""
        return self.config_file or f"out/{short_name(stack)}/proself.toml"

    def check_begun(self, stack: str, now: datetime) -> None:
        """Refuse a configuration under which no secret exists yet at `now`."""
        if not open_windows(self.entries, now):
            first = self.secrets[0].starts
            raise ConfigurationError(
                f"The first entry of `secrets` begins at {format_instant(first)}, which is still "
                "to come: there would be no client secret.",
                f"`{config_set(stack, 'secrets[0].from', format_instant(now))}`, then try again.",
            )

    def check_mail_proof(self, stack: str, now: datetime) -> None:
        """Refuse a `mailProofUntil` that leaves the loopback redirect URI open for too long."""
        until = self.mail_proof_until
        if until is not None and self.proves_mail_too_long(now):
            hours = LONGEST_MAIL_PROOF // timedelta(hours=1)
            raise ConfigurationError(
                f"`mailProofUntil` is {format_instant(until)}, more than {hours} hours ahead.",
                f"`{open_mail_proof(stack, now)}`, then try again.",
            )


def open_mail_proof(stack: str, now: datetime) -> str:
    """Return the line that opens the mail proof for an hour."""
    return config_set(stack, "mailProofUntil", format_instant(now + _MAIL_PROOF))


LONGEST_STACK_NAME = 100
"""In characters (Pulumi, tokens.ParseStackName)."""


def short_name(stack: str) -> str:
    """Return a stack's name without organization and project, which the CLI takes as well."""
    return stack.rpartition("/")[2]


def is_stack_name(text: str) -> bool:
    """Say whether Pulumi takes this as a stack's short name (tokens.ParseStackName).

    One without a letter or digit, such as `..`, is none here: folders and files are named so.
    """
    is_plain = all(c.isascii() and (c.isalnum() or c in "-_.") for c in text)
    return is_plain and any(c.isalnum() for c in text) and len(text) <= LONGEST_STACK_NAME


def permission_not_offered(
    permissions: Sequence[str], offered: Collection[str], stack: str
) -> tuple[str, str] | None:
    """Return the first permission of `permissions` that is not offered, and the line that mends it.

    None where all are offered.
    """
    for place, permission in enumerate(permissions):
        if permission not in offered:
            wanted = sorted(each for each in offered if each not in permissions)
            near = difflib.get_close_matches(permission, wanted, n=1)
            mending = in_stack(stack)(f"permissions[{place}]", near[0] if near else None)
            return permission, mending
    return None


def lost(stack: str, file: str) -> ConfigurationError:
    """Return the error for a stack that was set up and whose file holds no key of ours."""
    return ConfigurationError(
        f"The stack {stack} has been set up, but its file {file} is not there or holds none of "
        "this project's keys.",
        f"{BRING_BACK} If it belongs to the project of another folder (after a rehearsal: "
        "out/rehearsal), go there.",
    )


BRING_BACK = (
    "Bring the file back from the repository (`git pull`, or its history): it holds the UUID by "
    "which the stack's objects are known."
)
"""What a person does about a stack's file that is lost."""


def file_name(stack: str) -> str:
    """Return the name of the file that a stack's configuration lies in."""
    return f"Pulumi.{short_name(stack)}.yaml"


def check_namespace(namespace: str, key: str, stack: str) -> None:
    """Refuse a key that is neither ours nor the engine's. Raises `ConfigurationError`."""
    if namespace in (PROJECT, "pulumi"):
        return
    why = (
        "the program passes the pinned tenant and target to the azuread provider itself"
        if namespace == "azuread"
        else f"nothing reads it; this project's keys begin with `{PROJECT}:`"
    )
    raise ConfigurationError(
        f"The stack's configuration sets `{key}`, which has no effect: {why}.",
        f"`{config_rm(stack, Literal(key))}`, then try again.",
    )


class Problem(NamedTuple):
    """Something that is wrong with a configuration."""

    path: str
    """Where it is; blank for settings that do not go together."""
    cause: str
    mending: tuple[str, ...]
    """What is to be written instead, as the caller's `Mend` does; none where nothing is known."""


class Standing(NamedTuple):
    """What is known of a stack beside its configuration: it decides what would mend that."""

    now: datetime
    is_set_up: bool | None
    """Whether its state holds an application or secrets; None where that cannot be told."""
    stack_id: uuid.UUID | None
    """The UUID that its application bears, by the state."""

    def proposals(self) -> Mapping[str, str]:
        """Return values to propose, by generic path; a new UUID only where none is borne yet."""
        found = {
            "secrets[0].from": format_instant(self.now),
            "mailProofUntil": format_instant(self.now + _MAIL_PROOF),
        }
        if self.stack_id is not None or self.is_set_up is False:
            found["stackId"] = str(self.stack_id or uuid.uuid4())
        return found


class _Repair(NamedTuple):
    """What the lines that mend a configuration are made from."""

    values: Mapping[str, object]
    """The configuration, decoded."""
    mend: Mend
    proposals: Mapping[str, str]
    keeps_secrets: bool
    """Whether live secrets may stem from the entries that were, which nothing must replace."""


def parse(
    values: Mapping[str, object], stack: str, look: Callable[[], Standing] | None = None
) -> Settings:
    """Validate a stack's configuration: our keys without their namespace, as Pulumi gives them.

    Lists and objects may be JSON text, which is how a program receives them. Raises
    `ConfigurationError` naming everything that is wrong, each with the command that mends it;
    only then `look` is asked how the stack stands.
    """
    decoded = _decoded(values)
    try:
        return Settings.model_validate(decoded)
    except ValidationError as error:
        standing = look() if look else None
        repair = _Repair(
            decoded,
            in_stack(stack),
            {**_PROPOSED, **(standing.proposals() if standing else {})},
            keeps_secrets=standing is not None and bool(standing.is_set_up),
        )
        problems = _problems(error, repair)
    causes = "; ".join(each.cause for each in problems)
    lines = dict.fromkeys(f"`{line}`" for each in problems for line in each.mending)
    steps = [", ".join(lines)] if lines else []
    if repair.keeps_secrets and any(_is_of_secrets(each) for each in problems):
        steps.append(_UNDO)
    if not values:
        causes, steps = (
            "it is empty",
            [f"`proself-mail init --stack {short_name(stack)}`, which writes it"],
        )
    raise ConfigurationError(
        f"The stack's configuration cannot be used: {causes}.",
        f"{'; '.join(steps) or 'correct it in the stack file'}, then try again.",
    )


_UNDO = (
    "undo the edit of `secrets` or bring the newest stack file here (`git log -p`, `git pull`): "
    "client secrets were made by its entries"
)


def _is_of_secrets(problem: Problem) -> bool:
    return problem.path.startswith("secrets") and not problem.mending


def wrong(values: Mapping[str, object], mend: Mend) -> Sequence[Problem]:
    """Return everything that `parse` would refuse, with what `mend` writes for it."""
    decoded = _decoded(values)
    try:
        Settings.model_validate(decoded)
    except ValidationError as error:
        return _problems(error, _Repair(decoded, mend, _PROPOSED, keeps_secrets=False))
    return ()


def _decoded(values: Mapping[str, object]) -> Mapping[str, object]:
    return {key: _decode(key, value) for key, value in values.items()}


def _problems(error: ValidationError, repair: _Repair) -> Sequence[Problem]:
    found = error.errors(include_url=False)
    # A list that has a bad item is reported once more as too short.
    paths = [_path(details["loc"]) for details in found]
    return [
        _problem(path, details, repair)
        for path, details in zip(paths, found, strict=True)
        if not (details["type"] == "too_short" and any(p.startswith(f"{path}[") for p in paths))
    ]


def _decode(key: str, value: object) -> object:
    field = next((f for f in Settings.model_fields.values() if f.alias == key), None)
    if key == "configFile" and value == "none":
        return value
    if isinstance(value, str) and field is not None and _is_list(field.annotation):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value  # pydantic says that it is no list
    return value


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is tuple


def _problem(path: str, details: ErrorDetails, repair: _Repair) -> Problem:
    """Turn one of pydantic's findings into ours."""
    given = repr(details["input"])
    match details["type"]:
        case "missing":
            choices = " or ".join(repr(str(each)) for each in _CHOICES.get(path, ()))
            cause = f"`{path}` is missing{choices and f', {choices}'}"
        case "extra_forbidden":
            # One at the top is a key by that very name, whatever stands in it.
            key = path if len(details["loc"]) > 1 else Literal(path)
            return Problem(path, _unknown(path), (repair.mend(key, None),))
        case "contradiction":
            context = details["ctx"]
            key = f"{path}.{context['key']}" if path else str(context["key"])
            lines = () if _is_kept(key, repair) else (repair.mend(key, context["value"]),)
            return Problem(path, context["cause"], lines)
        case _ if details["input"] is None:
            # What Pulumi fills a list with up to the place that is set.
            cause = f"`{path}` is missing"
        case "enum":
            cause = f"`{path}` is {given}, not {details['ctx']['expected']}"
        case "uuid_parsing" | "uuid_type":
            cause = f"`{path}` is {given}, not a UUID"
        case "string_type":
            cause = f"`{path}` is {given}, not text"
        case "model_type":
            cause = f"`{path}` is {given}, not an entry of from, everyDays and overlapDays"
        case "tuple_type":
            cause = f"`{path}` is {given}, not a list"
        case "string_too_short":
            cause = f"`{path}` is empty"
        case "string_too_long":
            longest = details["ctx"]["max_length"]
            cause = f"`{path}` has {len(details['input'])} characters, more than {longest}"
        case "too_short":
            cause = f"`{path}` is an empty list"
        case "greater_than_equal":
            cause = f"`{path}` is {given}, less than {details['ctx']['ge']}"
        case "int_parsing" | "int_type" | "int_from_float":
            cause = f"`{path}` is {given}, not a whole number"
        case "value_error":
            cause = f"`{path}`: {details['ctx']['error']}"
        case _:
            cause = f"`{path}`: {details['msg']}"
    return Problem(path, cause, _mending(path, details["input"], repair))


def _unknown(path: str) -> str:
    known = [field.alias or "" for field in Settings.model_fields.values()]
    near = difflib.get_close_matches(path, known, n=1)
    hint = f" (did you mean `{near[0]}`?)" if near else ""
    return f"`{path}` is not a key{hint}"


def _mending(path: str, given: object, repair: _Repair) -> tuple[str, ...]:
    generic = re.sub(r"\[\d+\]", "[0]", path)
    if _is_kept(path, repair):
        return ()
    if generic in ("permissions", "permissions[0]"):
        return _anew("permissions", _permissions(repair.values["permissions"]), repair)
    if generic == "owners":
        return _anew(generic, {"owners[0]": repair.proposals["owners[0]"]}, repair)
    if generic in ("secrets", "secrets[0]"):
        return _entries(repair)
    if path == "proselfTenantId":  # the other values that it may have are the default and more
        return (repair.mend(path, None),)
    proposed = repair.proposals.get(generic)
    if path == "server":
        proposed = _server_of(str(given)) or proposed
    elif path == "mailbox":
        proposed = _mailbox_of(str(given)) or proposed
    elif path in _CHOICES:
        near = difflib.get_close_matches(str(given).lower(), map(str, _CHOICES[path]), n=1)
        proposed = near[0] if near else proposed
    elif generic in _LENGTHS:
        proposed = _length(path, repair) or proposed
    return () if proposed is None else (repair.mend(path, proposed),)


_LENGTHS = ("secrets[0].everyDays", "secrets[0].overlapDays")
_ENTRY = ("secrets[0].from", *_LENGTHS)


def _is_kept(path: str, repair: _Repair) -> bool:
    """Say whether it is of entries by which secrets were made: of the first, or of all."""
    return repair.keeps_secrets and re.fullmatch(r"secrets(\[0\].*)?", path) is not None


def _entries(repair: _Repair) -> tuple[str, ...]:
    """Return the lines that leave nothing but entries in `secrets`, or write a first one."""
    given = repair.values.get("secrets")
    items = given if isinstance(given, list) else []
    strays = [place for place, each in enumerate(items) if not isinstance(each, Mapping)]
    if len(strays) == len(items):
        entry = {key: each for key, each in repair.proposals.items() if key in _ENTRY}
        return () if repair.keeps_secrets else _anew("secrets", entry, repair)
    # From the end, for what stands behind one that goes moves up.
    return tuple(repair.mend(f"secrets[{place}]", None) for place in reversed(strays))


def _anew(key: str, items: Mapping[str, str], repair: _Repair) -> tuple[str, ...]:
    """Return the lines that write a list from its beginning: Pulumi puts no item into a map."""
    clear = (repair.mend(key, None),) if key in repair.values else ()
    return (*clear, *(repair.mend(path, value) for path, value in items.items()))


def _permissions(given: object) -> Mapping[str, str]:
    """Return the items that were meant, Mail.Send among them; none for the default."""
    items = given if isinstance(given, list) else [given]
    words = [word for each in items if isinstance(each, str) for word in _words(each)]
    if MAIL_SEND not in words:
        place = _place_of_mail_send(words)
        words[place : place + 1] = [MAIL_SEND]
    meant = list(dict.fromkeys(words))
    if meant == [MAIL_SEND]:
        return {}
    return {f"permissions[{place}]": each for place, each in enumerate(meant)}


def _place_of_mail_send(permissions: Sequence[str]) -> int:
    """Return where it is to stand: in the place of one that was to be it, or at the end."""
    spelt = [each.lower() for each in permissions]
    near = difflib.get_close_matches(MAIL_SEND.lower(), spelt, n=1, cutoff=0.8)
    return spelt.index(near[0]) if near else len(spelt)


def _length(path: str, repair: _Repair) -> str | None:
    """Return a length that goes with the entry's other one; None where that is no help."""
    place, _, key = path.removeprefix("secrets[").partition("].")
    entries = repair.values["secrets"]
    assert isinstance(entries, list)  # noqa: S101  or it would have no items
    other = str(entries[int(place)].get("overlapDays" if key == "everyDays" else "everyDays"))
    if not (other.isascii() and other.isdigit()):
        return None
    days = int(other)
    if key == "overlapDays":
        return str(min(30, days // 5))
    return str(max(150, days + 1))


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
