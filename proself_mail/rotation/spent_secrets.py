"""Client secrets whose time is over: taken off the application, and seen to be gone."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from proself_mail.entra.directory import ApplicationRecord, NotFound, PasswordRecord
from proself_mail.entra.patience import AGREEING, Say
from proself_mail.errors import PartlyFailed
from proself_mail.rotation.rotating_stack import RotatingStack

_SURVIVING = timedelta(seconds=60)
"""What readers still show so long after its removal is no lag."""


async def remove(at: RotatingStack, passwords: Sequence[PasswordRecord], say: Say) -> None:
    """Remove secrets by key id, those that a fresh look still shows as they were planned."""
    if not passwords:
        return
    application = await at.application()
    for password in passwords:
        if password not in application.passwords:
            continue  # gone by now, or a reader that trails: the next run looks again
        try:
            await at.patience.told(
                partial(at.opened.directory.remove_password, application.object_id, password.key_id)
            )
        except NotFound:
            continue
        say(f"  removed  client secret {password.shown}")


async def settled(at: RotatingStack, removed: Sequence[PasswordRecord]) -> ApplicationRecord:
    """Read the application until no reader shows what was removed.

    Raises `PartlyFailed` where it stays.
    """
    gone = {each.key_id for each in removed}
    loop = asyncio.get_running_loop()
    ends = loop.time() + _SURVIVING.total_seconds()
    agreeing = 0
    while True:
        application = await at.application()
        left = [each for each in application.passwords if each.key_id in gone]
        agreeing = 0 if left else agreeing + 1
        if agreeing == AGREEING or not gone:
            return application
        if left and loop.time() > ends:
            raise PartlyFailed(
                f"Still there after their removal: {'; '.join(each.shown for each in left)}.",
                f"`proself-mail rotate --stack {at.stack.name}` tries again.",
            )
        if left:
            await at.patience.moment(0.3)
