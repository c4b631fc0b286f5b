"""Whose UUID a stack's file holds: the stack's own, or another one's.

The UUID is what everything of a stack in the tenant is known by (`stamp`). One that was changed
would leave what bears the old one to nobody, and one that was copied with a file is another
stack's. The state and the project's other stack files tell; the tenant is not asked.
"""

import re
from pathlib import Path
from uuid import UUID

from proself_mail.config.mending import config_set
from proself_mail.config.stack_name import file_name, short_name
from proself_mail.errors import Refused


def check(
    stack: str, stack_id: UUID, borne: UUID | None, folder: Path | None, *, is_set_up: bool
) -> None:
    """Refuse a UUID that is not the stack's own. Raises `Refused`.

    `borne` is the one on the application in the state, `folder` where the project's stack files
    lie; None where that cannot be told. `is_set_up` says that the state holds an application.
    """
    if borne is not None and borne != stack_id:
        raise Refused(
            f"The file of the stack {stack} has the `stackId` {stack_id}, and the application in "
            f"its state bears {borne}, by which all that was made is known.",
            "If this is another stack's file, bring the right one back. If not, "
            f"`{config_set(stack, 'stackId', str(borne))}`, then try again.",
        )
    # One that is set up is its UUID's owner, whoever has copied its file.
    if is_set_up or folder is None:
        return
    if refused := copied(stack, stack_id, folder):
        raise refused


def copied(stack: str, stack_id: UUID, folder: Path) -> Refused | None:
    """Return the error for a UUID that another stack's file in a folder has too, if one has."""
    other, own = _twin(stack, stack_id, folder), file_name(stack)
    if other is None:
        return None
    return Refused(
        f"{own} has the `stackId` of {other}: one of them is a copy, and what bears the UUID "
        "in the tenant may be the other stack's.",
        f"If {own} is the copy, remove it, and `proself-mail init --stack {short_name(stack)}` "
        f"writes a new one with a UUID of its own. If {other} is, remove that.",
    )


def _twin(stack: str, stack_id: UUID, folder: Path) -> str | None:
    """Return the name of another stack's file with this UUID; None without one."""
    key = r"proself-mail:stackId[\"']?\s*:\s*[\"']?"
    held = re.compile(rf"{key}{stack_id}(?![\w-])", re.IGNORECASE)
    own = folder / file_name(stack)
    for path in sorted(folder.glob("Pulumi.*.yaml")):
        try:
            if own.exists() and path.samefile(own):  # some disks take a name in any case
                continue
            if held.search(path.read_text(encoding="utf-8")):
                return path.name
        except (OSError, UnicodeDecodeError):
            continue  # what nobody can read is no stack's file
    return None
