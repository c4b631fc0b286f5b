"""`proself-mail init`: make a stack, and write a configuration that is known to work.

It asks for what is missing, looks at the tenant, and writes nothing before every look has come out
well. It sets nothing up in the tenant: that is `pulumi up`'s.
"""

import asyncio
import os
import re
import shlex
import uuid
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from proself_mail import clock, lifetime, preflight, session, state, up
from proself_mail.check import Check
from proself_mail.directory import AppPolicy, DirectoryError
from proself_mail.errors import ConfigurationError, Refused
from proself_mail.schedule import SecretsEntry, format_instant
from proself_mail.settings import Environment, Settings, TargetName, parse
from proself_mail.stack import Stack

EVERY = timedelta(days=150)
OVERLAP = timedelta(days=30)
"""A new secret every five months, each valid for six: Microsoft recommends less than twelve."""

TEST_LIFETIME = timedelta(days=30)
"""After it a sweep may remove what a test stack made."""


_LONGEST_NAME = 100
"""Of a stack (Pulumi, tokens.ParseStackName)."""


@dataclass(frozen=True)
class Answers:
    """What a person says of a new stack."""

    stack: str
    server: str
    mailbox: str
    target: TargetName
    environment: Environment
    audience: str = "single"
    tenant_id: str | None = None
    """None takes the one that is signed in to."""
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
    check_name(answers.stack)
    # Whatever can be refused without the tenant is refused before it is asked.
    unknown = str(uuid.UUID(int=0))
    _configuration(answers, unknown, unknown, _entry(clock.now()))
    stack = Stack(answers.stack, project, answers.secrets_provider)
    if stack.is_configured:
        raise Refused(
            f"{stack.file_shown} exists already: it holds the UUID and the schedule of a stack "
            f"{answers.stack}.",
            f"If that stack is on another backend, `pulumi login` there; `pulumi stack init "
            f"{answers.stack}` makes it on this one from that file. Or choose another name.",
        )
    async with session.sign_in(answers.target, _tenant(answers)) as opened:
        caller = opened.caller
        policy = asyncio.ensure_future(opened.directory.app_policy())
        limit = await _limit(policy)
        entry = _entry(clock.now(), limit)
        values = _configuration(answers, caller.tenant_id, caller.object_id, entry)
        settings = parse(_nested(values), answers.stack)
        checks = await preflight.look(
            opened.directory,
            caller,
            settings,
            answers.stack,
            state.read({}),
            opened.tenant_now(),
            policy,
        )
    up.stop_at(checks)
    stack.create()
    stack.configure(values)
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
        "displayName": answers.display_name or f"Proself mail ({answers.server})",
        "environment": answers.environment,
        "secrets[0].from": format_instant(entry.starts),
        "secrets[0].everyDays": str(entry.every.days),
        "secrets[0].overlapDays": str(entry.overlap.days),
        "owners[0]": caller_id,
    }
    if answers.environment is Environment.TEST:
        values["deleteAfter"] = format_instant(entry.starts + TEST_LIFETIME)
    if answers.config_file is not None:
        values["configFile"] = answers.config_file
    parse(_nested(values), answers.stack, _option)
    return values


def _option(path: str, example: str | None) -> str:
    option = re.sub(r"[A-Z]", lambda capital: f"-{capital[0].lower()}", path)
    return f"proself-mail init --{option} {shlex.quote(example or '')}"


def _nested(values: Mapping[str, str]) -> Mapping[str, object]:
    """Read back what paths mean: `secrets[0].from` is a key of the first of a list."""
    nested: dict[str, object] = {key: value for key, value in values.items() if "[" not in key}
    nested["owners"] = [values["owners[0]"]]
    prefix = "secrets[0]."
    nested["secrets"] = [
        {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    ]
    return nested


def _tenant(answers: Answers) -> str | None:
    """Return the tenant to sign in to, as tokens spell it; None takes whichever it is."""
    ambient = os.environ.get("ARM_TENANT_ID") or os.environ.get("AZURE_TENANT_ID")
    given = answers.tenant_id or ambient
    return given.lower() if given else None


def check_name(name: str) -> None:
    """Refuse a name that Pulumi would refuse later. Raises `ConfigurationError`."""
    is_plain = all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)
    if not is_plain or not any(c.isalnum() for c in name) or len(name) > _LONGEST_NAME:
        raise ConfigurationError(
            f"{name!r} is not a stack's name: letters, digits, `-`, `_` and `.` make one, "
            f"{_LONGEST_NAME} at most, a letter or digit among them.",
            "Choose one such as contoso.test.",
        )
