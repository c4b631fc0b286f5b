"""`proself-mail init`: make a stack, and write a configuration that is known to work.

It asks for what is missing, looks at the tenant, and writes nothing before every look has come out
well. It sets nothing up in the tenant: that is `pulumi up`'s.
"""

import asyncio
import os
import re
import uuid
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from proself_mail import clock
from proself_mail.check import Check
from proself_mail.config import lifetime, time_limit
from proself_mail.config.configuration import PLACEHOLDERS, Problem, parse, wrong
from proself_mail.config.mending import Literal, config_rm
from proself_mail.config.settings import Audience, Consent, Environment, Settings, TargetName
from proself_mail.config.stack_name import LONGEST_STACK_NAME, is_stack_name
from proself_mail.entra import session
from proself_mail.entra.directory import AppPolicy, DirectoryError
from proself_mail.errors import ConfigurationError, Error, Refused
from proself_mail.proself import proself_file
from proself_mail.schedule import SecretsEntry, format_instant
from proself_mail.stack import backend, state
from proself_mail.stack.failure import HOW_TO_CHOOSE
from proself_mail.stack.project import CHECKOUT
from proself_mail.stack.stack import Stack
from proself_mail.text.command_line import shell_word
from proself_mail.update import preflight, up
from proself_mail.update.stack_session import StackSession
from tools import stacks

EVERY = timedelta(days=150)
OVERLAP = timedelta(days=30)
"""A new secret every five months, each valid for six: Microsoft recommends less than twelve."""


_SUCH_AS = {
    PLACEHOLDERS["server"]: "proself.example.jp",
    PLACEHOLDERS["mailbox"]: "proself@example.jp",
}
_ELSEWHERE = "name another place by `--config-file PATH`"
"""Of the Proself config file: no key can be set of a stack that is yet to be made."""
_OURS = ("default", "passphrase")
_KEY_SERVICES = ("awskms://", "azurekeyvault://", "gcpkms://", "hashivault://")
"""Secrets providers (Pulumi, stack.ValidateSecretsProvider)."""


@dataclass(frozen=True)
class Answers:
    """What a person says of a new stack."""

    stack: str
    server: str
    mailbox: str
    target: TargetName
    environment: Environment
    audience: Audience = Audience.SINGLE
    consent: Consent = Consent.GRANTED
    tenant_id: str | None = None
    """None takes the one that is signed in to."""
    mailbox_tenant_id: str | None = None
    """None where it is the same."""
    display_name: str | None = None
    config_file: str | None = None
    secrets_provider: str | None = None


@dataclass(frozen=True)
class Made:
    """A stack that was made."""

    settings: Settings
    checks: Sequence[Check]
    """What was looked at before."""
    file: Path
    """Its configuration, to be committed."""


async def run(answers: Answers, project: Path) -> Made:
    """Make the stack. Raises an `Error` of what stands against it, before anything is written."""
    check_name(answers.stack, project)
    # Whatever can be refused without the tenant is refused before it is asked.
    unknown = str(uuid.UUID(int=0))
    _configuration(answers, answers.mailbox_tenant_id or unknown, unknown, _entry(clock.now()))
    stack = Stack(answers.stack, project, answers.secrets_provider)
    async with session.sign_in(answers.target, answers.tenant_id) as opened:
        caller = opened.caller
        policy = asyncio.ensure_future(opened.directory.app_policy())
        limit = await _limit(policy)
        entry = _entry(clock.now(), limit)
        values = _configuration(answers, caller.tenant_id, caller.object_id, entry)
        settings = parse(_nested(values), answers.stack)
        if path := settings.config_file_path(answers.stack, CHECKOUT):
            proself_file.check_writable(path, settings, _ELSEWHERE)
        checks = await preflight.look(
            StackSession(stack, settings, state.read({}), opened),
            policy,
            f"--consent {Consent.BY_ADMINISTRATOR}",
        )
    up.stop_at(checks)
    await stack.engine.awaited(stack.create)
    await stack.engine.awaited(lambda: stack.configure(values))
    return Made(settings, checks, stack.file)


async def _limit(asked: Awaitable[AppPolicy]) -> timedelta | None:
    """Say how long a client secret may live in the tenant; none where nothing limits or tells."""
    try:
        policy = await asked
    except DirectoryError:
        return None
    return timedelta(days=policy.maximum_lifetime_days) if policy.maximum_lifetime_days else None


def _entry(now: datetime, limit: timedelta | None = None) -> SecretsEntry:
    """Return the first entry of `secrets`: ours, or a shorter one where the tenant wants that."""
    entry = SecretsEntry(now, EVERY, OVERLAP)
    return entry if limit is None else lifetime.fitting([entry], (), now, limit)[0]


def _configuration(
    answers: Answers, tenant_id: str, caller_id: str, entry: SecretsEntry
) -> Mapping[str, str]:
    """Return the keys to set, by path. Raises `ConfigurationError` where an answer is wrong."""
    values = {
        "tenantId": tenant_id,
        "target": answers.target,
        "stackId": str(uuid.uuid4()),
        "server": answers.server,
        "mailbox": answers.mailbox,
        "audience": answers.audience,
        "consent": answers.consent,
        "displayName": answers.display_name or f"Proself mail ({answers.server})",
        "environment": answers.environment,
        "secrets[0].from": format_instant(entry.starts),
        "secrets[0].everyDays": str(entry.every.days),
        "secrets[0].overlapDays": str(entry.overlap.days),
        "owners[0]": caller_id,
    }
    if answers.environment is Environment.TEST:
        values["deleteAfter"] = format_instant(entry.starts + time_limit.LENGTH)
    if answers.mailbox_tenant_id is not None:
        values["mailboxTenantId"] = answers.mailbox_tenant_id
    if answers.config_file is not None:
        values["configFile"] = answers.config_file
    _refuse(wrong(_nested(values), _option))
    return values


def tenant(option: str | None) -> str | None:
    """Return the tenant to sign in to, by --tenant or else a variable, as tokens spell it.

    None takes whichever is signed in to. Raises `ConfigurationError` for anything but an ID: a
    stack is pinned to its tenant by that, and by no domain's name.
    """
    given = {"--tenant": option} | {
        variable: os.environ.get(variable) for variable in ("ARM_TENANT_ID", "AZURE_TENANT_ID")
    }
    for name, value in given.items():
        if value:
            try:
                return str(uuid.UUID(value))
            except ValueError as error:
                raise ConfigurationError(
                    f"{name} is {value!r}, not a UUID.",
                    "Give it the Directory (tenant) ID of Entra's overview page, then try again.",
                ) from error
    return None


def check_options(given: Mapping[str, str]) -> None:
    """Refuse options whose values no stack can have, by the names of their keys.

    Raises `ConfigurationError`.
    """
    _refuse([each for each in wrong(given, _option) if each.path in given])


def check_answer(key: str, answer: str) -> None:
    """Refuse an answer that no stack can have for a key. Raises `ConfigurationError`."""
    for found in wrong({key: answer}, lambda _, example: _example(example)):
        if found.path == key:
            raise ConfigurationError(f"{found.cause}.", f"Such as {' '.join(found.mending)}.")


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        mended = ", ".join(f"`{option}`" for each in problems for option in each.mending)
        raise ConfigurationError(
            f"No stack can be made so: {'; '.join(each.cause for each in problems)}.",
            f"Type it again, this time as in {mended}.",
        )


def _option(path: str, example: str | None) -> str:
    option = re.sub(r"[A-Z]", lambda capital: f"-{capital[0].lower()}", path)
    return f"--{option} {shell_word(_example(example))}"


def _example(value: str | None) -> str:
    return _SUCH_AS.get(value or "", value or "")


def _nested(values: Mapping[str, str]) -> Mapping[str, object]:
    """Read back what paths mean: `secrets[0].from` is a key of the first of a list."""
    nested: dict[str, object] = {key: value for key, value in values.items() if "[" not in key}
    nested["owners"] = [values["owners[0]"]]
    prefix = "secrets[0]."
    nested["secrets"] = [
        {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    ]
    return nested


def check_name(name: str, project: Path) -> None:
    """Refuse a name that no new stack of the project can have.

    Raises `ConfigurationError` for one that Pulumi would refuse later and for the sample's, and
    where the file of one that was set up has lost its UUID; `Refused` where a file holds a stack of
    this name, or a part of one.
    """
    if not is_stack_name(name):
        raise ConfigurationError(
            f"{name!r} is not a stack's name: letters, digits, `-`, `_` and `.` make one, "
            f"{LONGEST_STACK_NAME} at most, a letter or digit among them.",
            "Choose one such as contoso.test.",
        )
    if name == stacks.EXAMPLE:
        raise ConfigurationError(
            f"{name} is the name of the sample in the repository: its file holds invented IDs, and "
            "the pipelines pass over it.",
            "Choose another one such as contoso.test.",
        )
    stack = Stack(name, project)
    if (keys := stack.keys) and "stackId" not in keys:
        found = stack.covered_state()
        if found is not None and found.holds_anything:
            stack.settings()  # it tells which UUID is missing
        lines = ", ".join(f"`{config_rm(name, Literal(key))}`" for key in keys)
        raise Refused(
            f"{stack.file_shown} exists already and holds {', '.join(f'`{key}`' for key in keys)} "
            "alone, which is no whole configuration.",
            (lines if found is not None else f"Move {stack.file_shown} away")
            + ", then try again with what it said as options (`proself-mail init --help`), or by "
            "`pulumi config set` afterwards. Or choose another name.",
        )
    if stack.is_configured:
        try:
            is_here = stack.covered_state() is not None
        except Error:
            is_here = False
        way = f"`proself-mail up --stack {name}` sets it up." if is_here else stack.from_its_file()
        raise Refused(
            f"{stack.file_shown} exists already: it holds the UUID and the schedule of a stack "
            f"{name}.",
            f"{way} Or choose another name.",
        )


def check_secrets_provider(provider: str | None, project: Path) -> None:
    """Refuse a secrets provider that Pulumi does not take, or a passphrase that is not there.

    Raises `ConfigurationError`.
    """
    if provider not in (None, *_OURS) and not str(provider).startswith(_KEY_SERVICES):
        raise ConfigurationError(
            f"{provider!r} is no secrets provider.",
            f"Give --secrets-provider {', '.join(_OURS)} or the address of a key, which begins "
            f"with {', '.join(_KEY_SERVICES)}.",
        )
    # Pulumi Cloud keeps a key for each of its stacks; where no backend is chosen yet, Pulumi says.
    default_asks = backend.url(project).partition("://")[0] not in ("", "http", "https")
    asks = provider == "passphrase" or (provider in (None, "default") and default_asks)
    if asks and not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(os.environ):
        raise ConfigurationError(
            "A passphrase is to encrypt the new stack's secrets, and none is set.", HOW_TO_CHOOSE
        )
