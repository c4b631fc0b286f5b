"""One client's connection to Exchange's SMTP: what is said on it, noted and in Exchange's words.

What is answered to commands is decided by the hooks in `smtp`.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiosmtpd.smtp import SMTP

from emulator.cloud import Cloud
from emulator.exchange import smtp_replies as replies
from emulator.exchange.exchange import Mailbox, exchange_of
from emulator.exchange.smtp_script import Action, Step
from emulator.history import MASK, Dialogue

_LONGEST_COMMAND = 16 * 1024
"""A token is longer than the 512 bytes of a command; RFC 4954 wants room for 12 288."""
_FOREVER_SECONDS = 24 * 3600

_UNKNOWN = re.compile(r'500 Error: command "(.*)" not recognized', re.DOTALL)
"""The library's own reply to a command that is none."""
_UNHEARD = ("500 Error: bad syntax", "500 Command line too long", "502 5.5.1 Too many")
"""Those to what it hands to no method, and tells nothing of."""
_LONGEST_SHOWN = 4
"""Letters of a command that is none, shown: a secret that was sent by mistake is longer."""

_Method = Callable[[str | None], Awaitable[None]]


class Connection(SMTP):
    """One client's connection; the library's own texts give way to Exchange's."""

    line_length_limit = command_size_limit = _LONGEST_COMMAND

    def __init__(self, handler: object, *, cloud: Cloud, dialogue: Dialogue, **options: Any):
        super().__init__(handler, **options)
        self.command_size_limits = defaultdict(lambda: _LONGEST_COMMAND)
        self._cloud = cloud
        self._dialogue = dialogue
        self._exchange = exchange_of(cloud)
        self._greeted = False
        self.mailbox: Mailbox | None = None
        for command, method in self._smtp_methods.items():
            self._smtp_methods[command] = self._noted(command, method)

    def _noted(self, command: str, method: _Method) -> _Method:
        """Let a command be noted, and a script act in its place."""
        step = Step(command.lower()) if command.lower() in list(Step) else None

        async def respond(argument: str | None) -> None:
            said = argument or ""
            if command == "AUTH":
                said = f"{said.partition(' ')[0]} {MASK}"
            self._dialogue.note(f"C: {command} {said}".rstrip())
            scripted = await self.scripted(step) if step is not None else None
            if scripted is not None:
                await self._say(scripted)
            else:
                await method(argument)

        return respond

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 (aiosmtpd's name)
        """Begin TLS, once: the library would begin it inside of TLS again."""
        if self.session is not None and self.session.ssl is not None:
            await self.push(replies.tls_already(self._cloud.clock.now()))
        else:
            await super().smtp_STARTTLS(arg)

    async def smtp_HELP(self, _: str) -> None:  # noqa: N802
        """List the commands, whatever is asked about."""
        for line in replies.HELP:
            await self.push(line)

    async def smtp_AUTH(self, arg: str | None) -> None:  # noqa: N802
        """Sign in; a mechanism's name may be in small letters (RFC 4954, 8)."""
        mechanism, space, response = (arg or "").partition(" ")
        await super().smtp_AUTH(f"{mechanism.upper()}{space}{response}")

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read an address; on half a literal Python's parser fails. What is none stays as it is."""
        try:
            address, rest = super()._getaddr(arg)
        except AttributeError:
            return arg, ""
        return (arg, "") if address is None else (address, rest)

    def _getparams(self, params: Sequence[str]) -> dict[str, str | bool] | None:
        """Read parameters; MAIL's AUTH may be left out of account (RFC 4954, 5)."""
        found = super()._getparams(params)
        before_recipients = self.envelope is not None and not self.envelope.mail_from
        if found and before_recipients and found.pop("AUTH", "") is True:
            return None  # it has no value
        return found

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Take a mail; from here to the reply that follows it, the connection sends."""
        mailbox = self.mailbox
        if mailbox is None:
            await super().smtp_DATA(arg)
            return
        self._exchange.begin_sending(mailbox)
        try:
            await super().smtp_DATA(arg)
        finally:
            self._exchange.end_sending(mailbox)

    async def scripted(self, step: Step) -> str | None:
        """Return what a script wants answered at this step, None if there is none.

        Hangs or raises ConnectionResetError where that is what it says.
        """
        script = self._exchange.server.scripts.next(step)
        if script is None:
            return None
        if script.action is Action.HANG:
            await asyncio.sleep(_FOREVER_SECONDS)
        if script.action is Action.DROP:
            raise ConnectionResetError
        return script.reply

    async def push(self, status: str | bytes) -> None:
        """Send a reply, in Exchange's words."""
        text = status.decode() if isinstance(status, bytes) else status
        now = self._cloud.clock.now()
        if not self._greeted:
            self._greeted = True
            text = await self._greeting() or text
        elif unknown := _UNKNOWN.fullmatch(text):
            word = unknown[1]
            self._dialogue.note(f"C: {word if len(word) <= _LONGEST_SHOWN else MASK}")
            text = replies.unknown_command(word, now)
        else:
            if text.startswith(_UNHEARD):
                self._dialogue.note(f"C: {MASK}")
            text = replies.in_exchanges_words(text, now)
        await self._say(text)

    async def _greeting(self) -> str | None:
        """Return what a script wants said first. Before it, the library looks after no drop."""
        try:
            return await self.scripted(Step.CONNECT)
        except ConnectionResetError:
            await self._end()
            raise

    async def _say(self, text: str) -> None:
        self._dialogue.note(f"S: {text}")
        await super().push(text)
        if text.startswith("421"):
            await self._end()

    async def _end(self) -> None:
        """Close the connection; `connection_lost` ends the task that waits here.

        The library would go on with the commands that came together with the last one, and close
        the connection itself, which TLS does not bear twice.
        """
        if self.transport is not None:
            self.transport.close()
        await asyncio.sleep(_FOREVER_SECONDS)

    async def check_auth_needed(self, caller_method: str) -> bool:
        """Refuse MAIL, RCPT and DATA before a sign-in."""
        if self.mailbox is not None or caller_method not in ("MAIL", "RCPT", "DATA"):
            return False
        await self.push(replies.not_authenticated(self._cloud.clock.now()))
        return True
