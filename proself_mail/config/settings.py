"""The stack's configuration: every key, its form, and what it means together with the others.

The one place where it is validated: the Pulumi program, `init` and every other command read the
same `Settings`. What is given becomes one, or is refused with what mends it, by `configuration`;
the form of each value by itself is in `forms`; whether the tenant agrees is `preflight`'s to say.
"""

import difflib
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

from proself_mail import facts
from proself_mail.config.forms import (
    Beginning,
    Days,
    Identifier,
    Instant,
    MailAddress,
    Permission,
    ProselfServer,
    TenantOrBlank,
    one_line,
    path_here,
)
from proself_mail.config.mending import config_set
from proself_mail.config.stack_name import short_name
from proself_mail.errors import ConfigurationError
from proself_mail.schedule import SecretsEntry, format_instant, open_windows
from proself_mail.text.quotation import quoted

PROJECT = "proself-mail"
"""The namespace of our keys in a stack's configuration, which is the project's name."""

MAIL_PROOF_REDIRECT_URI = "http://localhost:20587/proself-mail"
"""Where `verify --mail` receives a sign-in. The port is below those that systems hand out."""

MAIL_SEND = "Mail.Send"
"""The permission that Proself's application has (FAQ 481); others are only added to it."""

LONGEST_MAIL_PROOF = timedelta(hours=24)
"""How far ahead `mailProofUntil` may lie: a loopback redirect URI is a door that is to close."""

MAIL_PROOF = timedelta(hours=1)
"""How far ahead the line that opens the mail proof puts `mailProofUntil`."""


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


class SecretsSetting(_Model):
    """One entry of `secrets`, as it is written in the stack file."""

    starts: Beginning = Field(alias="from")
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
    server: ProselfServer
    """Proself's host name, with a port where it is not 443."""
    mailbox: MailAddress
    """The mail address of the user that Proself signs in as and sends from."""
    mailbox_tenant_id: Identifier | None = None
    """The tenant of the mailbox where it is another one; no grant is managed there."""
    audience: Audience = Audience.SINGLE
    proself_tenant_id: TenantOrBlank | None = None
    """What stands in Proself's テナントID; blank is allowed for `multi`."""
    display_name: Annotated[str, Field(min_length=1, max_length=120), AfterValidator(one_line)] = (
        "Proself mail"
    )
    permissions: Annotated[tuple[Permission, ...], Field(min_length=1)] = (MAIL_SEND,)
    consent: Consent = Consent.GRANTED
    secrets: Annotated[tuple[SecretsSetting, ...], Field(min_length=1)]
    secret_description: Annotated[
        str, Field(min_length=1, max_length=90), AfterValidator(one_line)
    ] = "Proself SMTP OAuth"  # noqa: S105
    environment: Environment
    delete_after: Instant | None = None
    """After it a sweep may remove what this test stack made."""
    mail_proof_until: Instant | None = None
    """Until then the application has the redirect URI that `verify --mail` needs."""
    owners: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    """Object ids of users and service principals; exactly these own the application."""
    config_file: Annotated[str, Field(min_length=1), AfterValidator(path_here)] | None = None
    """Where the Proself config file is written: a path from the project's root or from a home
    folder (`~/…`), or `none`."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        found = [
            InitErrorDetails(type=_Contradiction(cause, key, value), input=None)
            for cause, key, value in self._contradictions()
        ]
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, found)
        return self

    def _contradictions(self) -> Iterator[tuple[str, str, str | None]]:
        """Tell them in an order in which what mends one leaves the places of the next."""
        earlier = self.secrets[0].starts
        for place, entry in enumerate(self.secrets[1:], 1):
            if entry.starts > earlier:
                earlier = entry.starts
                continue
            earlier += timedelta(days=1)  # where it will begin, and the next one is to come after
            yield (
                "the entries of `secrets` must stand in the order of their `from`, and "
                f"`secrets[{place}]` does not begin after the one before it",
                f"secrets[{place}].from",
                format_instant(earlier),
            )
        if MAIL_SEND not in self.permissions:
            yield (
                f"`permissions` lacks {MAIL_SEND}, which Proself needs",
                f"permissions[{place_of_mail_send(self.permissions)}]",
                MAIL_SEND,
            )
        # From the end, for what stands behind one that goes moves up.
        for place, each in reversed([*enumerate(self.permissions)]):
            if each in self.permissions[:place]:
                yield (
                    f"`permissions[{place}]` names {quoted(each)} again",
                    f"permissions[{place}]",
                    None,
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
    return config_set(stack, "mailProofUntil", format_instant(now + MAIL_PROOF))


def place_of_mail_send(permissions: Sequence[str]) -> int:
    """Return where it is to stand: in the place of one that was to be it, or at the end."""
    spelt = [each.lower() for each in permissions]
    near = difflib.get_close_matches(MAIL_SEND.lower(), spelt, n=1, cutoff=0.8)
    return spelt.index(near[0]) if near else len(spelt)
