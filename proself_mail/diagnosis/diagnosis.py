"""What a refusal means and what mends it: an SMTP reply or a message of Entra's sign-in, diagnosed.

Pure: it looks texts up in the tables of `smtp_replies` and `sign_in_errors` and fills in the
stack's own names. It asks nobody and decides nothing. A text that no table knows is quoted and
called unknown; no text is ever an error here.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType

from proself_mail import facts
from proself_mail.config.mending import config_add_permission
from proself_mail.diagnosis import pasted, sign_in_errors, smtp_replies
from proself_mail.diagnosis.refusal import Entry, Match, Names, Sent, Text
from proself_mail.text.command_line import connection_trial, powershell_word, shell_word
from proself_mail.text.quotation import LONGEST, excerpt, quoted


@dataclass(frozen=True)
class Diagnosis:
    """A refusal, explained."""

    key: str
    """The table's entry, or `unknown`."""
    said: str
    """The refusal, fit to be shown."""
    cause: Text
    fix: Text
    commands: tuple[str, ...] = ()
    sent: str = ""
    """What was sent, where that is known."""

    @property
    def next_step(self) -> str:
        """What to do, with its commands, in one English line."""
        return " ".join([self.fix.en, *(f"`{command}`" for command in self.commands)]).strip()

    @property
    def known(self) -> bool:
        """Whether a table knows it."""
        return self.key != UNKNOWN


UNKNOWN = "unknown"

_UNKNOWN_CAUSE = Text(
    "この応答は診断表にありません。上に応答をそのまま引用しました。",
    "No table knows this answer; it is quoted above as it came.",
)
_UNKNOWN_FIX = Text(
    "応答に含まれる番号とともに Microsoft の資料を調べるか、Entra 管理センターの"
    "「監視と正常性 → サインイン ログ」で {mailbox} の該当時刻の記録を確認してください。",
    "Look the numbers in it up in Microsoft's documentation, or look at the sign-in log of "
    "{mailbox} at that time: Entra admin center → Monitoring & health → Sign-in logs.",
)


_MOST = 5
"""Refusals that are explained of one text; a log may hold every one there is."""

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_RECORD = re.compile(
    r"^(?:(?:\[[^\[\]\n]{1,60}\]|[A-Z]{4,8}:?|情報:?|警告:?|重大:?|エラー:?) ?){0,2}[\[(]?"
    r"(?:\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}|\d{1,2}:\d\d\b|\d{1,2}/\d{1,2}/(?:\d{4}|\d\d\b)"
    r"|\d{1,2}月 ?\d{1,2}(?!\d)|\d{1,2}-\d{1,2}月?-\d{4}"
    rf"|(?:[A-Z][a-z]{{2}},? )?(?:\d{{1,2}}[ /-]{_MONTH}|{_MONTH} \d{{1,2}})\b)",
    re.MULTILINE,
)
"""The beginning of a record of a log: a date or a time, as Java writes it in Japanese too; a level
or a thread may come before it."""
_CAUSE = re.compile(r"at |\.\.\. |Caused by: |Suppressed: |nested exception")
"""How a line begins that goes on with an exception in Java."""
_CAUSE_FOLLOWS = re.compile(r"nested exception is:?$")
_BLANK_LINE = re.compile(rf"\n\n(?!{_CAUSE.pattern}|\n)")
"""What parts one message from the next; of an exception in Java one stands before the frames."""
_AROUND_BEFORE, _AROUND_AFTER = 200, 400
"""Characters that are quoted of a long text at most, around a refusal."""

_HOST = re.compile(
    r"(?:host, port: |SMTP host: |UnknownHostException: )(?P<named>[A-Z0-9][\w.-]*\w)"
    r"(?:, (?:port: )?(?P<port>\d{1,5})\b)?"
    r"|(?<![\w.-])(?P<other>[A-Z0-9](?:[\w-]*\.)+[\w-]*\w):(?P<known>25|443|465|587)\b"
    r"|\bhttp(?P<encrypted>s?)://(?:[^\s/@]*@)?(?P<asked>[A-Z0-9][\w.-]*\w)(?::(?P<at>\d{1,5})\b)?",
    re.IGNORECASE | re.ASCII,
)
"""The server that a client could not reach, as it names it."""
_NEEDED = ((facts.SMTP_HOST, facts.SMTP_PORT), (facts.AUTHORITY_HOST, 443))
"""The servers that Proself's mail needs, to be tried where no text names one."""


def diagnose(text: str, names: Names | None = None, sent: Sent | None = None) -> Diagnosis:
    """Explain a refusal: an SMTP reply, or a message with an AADSTS number; the last of several."""
    return diagnose_all(text, names, sent)[0]


def diagnose_all(
    text: str, names: Names | None = None, sent: Sent | None = None
) -> tuple[Diagnosis, ...]:
    """Explain every refusal in a text once, the last first, for that is what a log ends with.

    Of one message, in which one refusal is the cause of another, the one that says the most.
    """
    plain = pasted.cleaned(text)
    found: dict[Entry | None, tuple[Match, int, Names]] = {}
    records = [each.start() for each in _RECORD.finditer(plain)]
    messages = _messages(plain, records)
    ends = [0, *(message[-1].end for message in messages)]
    end = len(plain)
    for message, before in zip(reversed(messages), reversed(ends[:-1]), strict=True):
        match = min(message, key=lambda each: each.rank)
        begin = plain.rfind("\n", 0, message[0].start) + 1
        if match.entry not in found:
            last = min([end, *records[bisect_right(records, match.end) :][:1]])
            first = max([before, *records[: bisect_right(records, begin)][-1:]])
            server = (names and names.server) or _server(plain, first, begin, last)
            found[match.entry] = match, last, replace(names or Names(), server=server)
        end = begin
    if not found:
        return (explained(None, text, names, sent),)
    is_all = len(found) == 1 and len(plain) <= LONGEST
    return tuple(
        _explained_in(
            smtp_replies.narrowed(entry, sent) if sent else entry,
            quoted(text) if is_all else _excerpt(plain, match, end),
            of_it,
            sent,
        )
        for entry, (match, end, of_it) in list(found.items())[:_MOST]
    )


def _messages(text: str, records: Sequence[int]) -> list[list[Match]]:
    """Find refusals, message by message."""
    found = sorted(
        [*sign_in_errors.matches(text), *smtp_replies.matches(text)], key=lambda each: each.start
    )
    messages: list[list[Match]] = []
    for match in found:
        if not messages or _begins(text, messages[-1], match, records):
            messages.append([match])
        else:
            messages[-1].append(match)
    return messages


def _begins(text: str, message: Sequence[Match], match: Match, records: Sequence[int]) -> bool:
    """Say whether a message begins with this refusal, and not only a line of the one before."""
    last = message[-1]
    line = text.rfind("\n", 0, match.start) + 1
    if line <= last.start:
        return False
    if bisect_right(records, last.start) != bisect_right(records, match.start):
        return True
    before = text[text.rfind("\n", 0, max(0, line - 1)) + 1 : max(0, line - 1)]
    if _CAUSE.match(text, line) or _CAUSE_FOLLOWS.search(before):
        return False
    so_far = text[max(message[0].start, line - LONGEST) : line].replace("-", " ")
    if match.entry is None and text[match.start : match.end] in so_far:
        return False  # of a reply of several lines, each of which bears the code
    return any(each.of_sign_in is match.of_sign_in for each in message) or bool(
        _BLANK_LINE.search(text, last.start, line)
    )


def _excerpt(text: str, match: Match, limit: int) -> str:
    """Quote a refusal with a little around: from its line on, within its message."""
    line = text.rfind("\n", 0, match.start) + 1
    ends = [limit, match.end + _AROUND_AFTER]
    ends += [at for mark in ("\n\n", "\nat ") if (at := text.find(mark, match.end)) >= 0]
    return excerpt(text, max(line, match.start - _AROUND_BEFORE), min(ends))


def _server(text: str, first: int, begin: int, end: int) -> tuple[str, int] | None:
    """Return the server, and its port, that a message names: from its first refusal's line on.

    Else the last that stands before, in the same record.
    """
    named = _HOST.search(text, begin, end)
    places = [named] if named else [*_HOST.finditer(text, first, begin)]
    if not places:
        return None
    found = places[-1]
    host, port = found["named"] or found["other"] or found["asked"], found["port"] or found["known"]
    if found["asked"]:
        port = found["at"] or (443 if found["encrypted"] else 80)
    elif not port:
        port = 443 if host == facts.AUTHORITY_HOST else facts.SMTP_PORT
    return host, int(port)


def explained(
    entry: Entry | None,
    text: str,
    names: Names | None = None,
    sent: Sent | None = None,
    *,
    also: Mapping[str, str] = MappingProxyType({}),
) -> Diagnosis:
    """Fill an entry in for a refusal; None is the entry of what is unknown.

    `also` gives what the entry has `placeholders` for.
    """
    return _explained_in(entry, quoted(text), names or Names(), sent, also)


def _explained_in(
    entry: Entry | None,
    said: str,
    names: Names,
    sent: Sent | None,
    also: Mapping[str, str] = MappingProxyType({}),
) -> Diagnosis:
    shown = sent.shown() if sent else ""
    known = asdict(names) | {"server": _in_brackets(names.server)}
    if entry is None:
        cause, fix = _UNKNOWN_CAUSE.filled(known), _UNKNOWN_FIX.filled(known)
        return Diagnosis(UNKNOWN, said, cause, fix, sent=shown)
    if entry.by_administrator and not names.manages_grant:
        entry = entry.by_administrator
    known |= {**entry.placeholders, **also}
    words = known | _for_a_shell(names, known.get("permission", ""))
    return Diagnosis(
        entry.key,
        said,
        entry.cause.filled(known),
        entry.fix.filled(known),
        tuple(line for each in entry.commands for line in each.format_map(words).splitlines()),
        shown,
    )


def _in_brackets(server: tuple[str, int] | None) -> str:
    """Write a server behind a statement; nothing where none is known."""
    return f" ({server[0]}:{server[1]})" if server else ""


def _for_a_shell(names: Names, permission: str) -> dict[str, str]:
    """Write what stands in command lines, quoted: for PowerShell the mailbox, else for any."""

    def adding(one: str) -> str:
        return "\n".join(config_add_permission(names.stack, names.permissions, one))

    return {
        "mailbox": powershell_word(names.mailbox),
        "stack": shell_word(names.stack),
        "try_connection": "\n".join(
            connection_trial(*server) for server in ([names.server] if names.server else _NEEDED)
        ),
        "add_smtp_send": adding("SMTP.Send"),
        "add_permission": adding(permission),
    }
