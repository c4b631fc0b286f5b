"""A stack's configuration as it is given: its keys and values become `Settings`, or are refused.

A refusal names everything that is wrong, each with the command that mends it: what is proposed
depends on how the stack stands. Nothing is read here: the values come from `infra.settings` (inside
a program) and from `proself_mail.stack.stack` (outside).
"""

import difflib
import re
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from proself_mail import json_text
from proself_mail.config import forms
from proself_mail.config.mending import Literal, Mend, config_rm, in_stack
from proself_mail.config.settings import (
    MAIL_PROOF,
    MAIL_SEND,
    PROJECT,
    Audience,
    Consent,
    Environment,
    Settings,
    TargetName,
    place_of_mail_send,
)
from proself_mail.config.stack_name import short_name
from proself_mail.errors import ConfigurationError
from proself_mail.schedule import format_instant
from proself_mail.text.quotation import is_typed, literal, quoted

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

_CHOICES: Mapping[str, type[StrEnum]] = {
    "audience": Audience,
    "consent": Consent,
    "environment": Environment,
    "target": TargetName,
}


def lost(stack: str, file: str) -> ConfigurationError:
    """Return the error for a stack that was set up and whose file holds no key of ours."""
    return ConfigurationError(
        f"The stack {stack} has been set up, but its file {file} is not there or holds none of "
        "this project's keys.",
        f"{BRING_BACK} If it belongs to the project of another folder (after a rehearsal: "
        "out/rehearsal), go there.",
    )


_BY_HAND = "correct it in the stack file"
"""What a person does where no line is known that mends it."""
BRING_BACK = (
    "Bring the file back from the repository (`git pull`, or its history): it holds the UUID by "
    "which the stack's objects are known."
)
"""What a person does about a stack's file that is lost."""


def permission_not_offered(
    permissions: Sequence[str], offered: Collection[str], stack: str
) -> tuple[str, str] | None:
    """Return the first permission of `permissions` that is not offered, and the line that mends it.

    None where all are offered.
    """
    for place, permission in enumerate(permissions):
        if permission not in offered:
            near = difflib.get_close_matches(permission, sorted(offered), n=1)
            # One that is listed already was meant twice: the next nearest would allow something
            # that nobody asked for.
            meant = near[0] if near and near[0] not in permissions else None
            return permission, in_stack(stack)(f"permissions[{place}]", meant)
    return None


def check_namespace(namespace: str, key: str, stack: str) -> None:
    """Refuse a key that is neither ours nor the engine's. Raises `ConfigurationError`."""
    if namespace in (PROJECT, "pulumi"):
        return
    why = (
        "the program passes the pinned tenant and target to the azuread provider itself"
        if namespace == "azuread"
        else f"nothing reads it; this project's keys begin with `{PROJECT}:`"
    )
    line = config_rm(stack, Literal(key))
    raise ConfigurationError(
        f"The stack's configuration sets `{quoted(key)}`, which has no effect: {why}.",
        f"{f'`{line}`' if is_typed(line) else _BY_HAND}, then try again.",
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
            "mailProofUntil": format_instant(self.now + MAIL_PROOF),
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
    `ConfigurationError` naming everything that is wrong, each with the command that mends it: every
    value that has not its form, or where all have it, everything that does not go together. Only
    then `look` is asked how the stack stands.
    """
    decoded = lists_read(Settings, values)
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
        f"{'; '.join(steps) or _BY_HAND}, then try again.",
    )


_UNDO = (
    "undo the edit of `secrets` or bring the newest stack file here (`git log -p`, `git pull`): "
    "client secrets were made by its entries"
)


def _is_of_secrets(problem: Problem) -> bool:
    return problem.path.startswith("secrets") and not problem.mending


def wrong(values: Mapping[str, object], mend: Mend) -> Sequence[Problem]:
    """Return everything that `parse` would refuse, with what `mend` writes for it."""
    decoded = lists_read(Settings, values)
    try:
        Settings.model_validate(decoded)
    except ValidationError as error:
        return _problems(error, _Repair(decoded, mend, _PROPOSED, keeps_secrets=False))
    return ()


def _problems(error: ValidationError, repair: _Repair) -> Sequence[Problem]:
    found = error.errors(include_url=False)
    # A list that has a bad item is reported once more as too short.
    paths = [_path(details["loc"]) for details in found]
    problems = [
        _problem(path, details, repair)
        for path, details in zip(paths, found, strict=True)
        if not (details["type"] == "too_short" and any(p.startswith(f"{path}[") for p in paths))
    ]
    # A line that cannot be pasted as it is shown mends nothing.
    return [
        each if all(map(is_typed, each.mending)) else each._replace(mending=()) for each in problems
    ]


def lists_read(model: type[BaseModel], values: Mapping[str, object]) -> Mapping[str, object]:
    """Return values as a model takes them: the engine gives a list as JSON, and all else as text.

    What is no JSON stays as it is, for pydantic to say that it is no list.
    """
    lists = {each.alias for each in model.model_fields.values() if _is_list(each.annotation)}
    return {key: _listed(each) if key in lists else each for key, each in values.items()}


def _listed(value: object) -> object:
    try:
        return json_text.read(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is tuple


def _problem(path: str, details: ErrorDetails, repair: _Repair) -> Problem:
    """Turn one of pydantic's findings into ours."""
    given = literal(details["input"])
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
        case "int_parsing" | "int_parsing_size" | "int_type" | "int_from_float":
            cause = f"`{path}` is {given}, not a whole number"
        case "bool_parsing" | "bool_type":
            cause = f"`{path}` is {given}, neither true nor false"
        case "value_error":
            cause = f"`{path}`: {details['ctx']['error']}"
        case _:
            cause = f"`{path}`: {details['msg']}"
    return Problem(path, cause, _mending(path, details["input"], repair))


def _unknown(path: str) -> str:
    known = [field.alias or "" for field in Settings.model_fields.values()]
    near = difflib.get_close_matches(path, known, n=1)
    hint = f" (did you mean `{near[0]}`?)" if near else ""
    return f"`{quoted(path)}` is not a key{hint}"


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
        proposed = forms.server_of(str(given)) or proposed
    elif path == "mailbox":
        proposed = forms.mailbox_of(str(given)) or proposed
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
    words = [word for each in items if isinstance(each, str) for word in forms.words(each)]
    if MAIL_SEND not in words:
        place = place_of_mail_send(words)
        words[place : place + 1] = [MAIL_SEND]
    meant = list(dict.fromkeys(words))
    if meant == [MAIL_SEND]:
        return {}
    return {f"permissions[{place}]": each for place, each in enumerate(meant)}


def _length(path: str, repair: _Repair) -> str | None:
    """Return a length that goes with the entry's other one; None where that is no help."""
    place, _, key = path.removeprefix("secrets[").partition("].")
    entries = repair.values["secrets"]
    assert isinstance(entries, list)  # noqa: S101  or it would have no items
    other = str(entries[int(place)].get("overlapDays" if key == "everyDays" else "everyDays"))
    if not re.fullmatch("[0-9]{1,9}", other):
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
