"""What a refusal means and what mends it: an SMTP reply or a message of Entra's sign-in, diagnosed.

Pure: it looks texts up in the tables of `smtp_replies` and `sign_in_errors` and fills in the
stack's own names. It asks nobody and decides nothing. A text that no table knows is quoted and
called unknown; no text is ever an error here.
"""

from dataclasses import asdict, dataclass

from proself_mail import sign_in_errors, smtp_replies
from proself_mail.command_line import powershell_word, shell_word
from proself_mail.mending import config_add_permission
from proself_mail.quotation import quoted
from proself_mail.refusal import Entry, Names, Sent, Text


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


def diagnose(text: str, names: Names | None = None, sent: Sent | None = None) -> Diagnosis:
    """Explain a refusal: an SMTP reply, or a message with an AADSTS number."""
    entry = sign_in_errors.find(text) or smtp_replies.find(text, sent)
    return explained(entry, text, names, sent)


def explained(
    entry: Entry | None, text: str, names: Names | None = None, sent: Sent | None = None
) -> Diagnosis:
    """Fill an entry in for a refusal; None is the entry of what is unknown."""
    shown = sent.shown() if sent else ""
    names = names or Names()
    known = asdict(names)
    if entry is None:
        cause, fix = _UNKNOWN_CAUSE.filled(known), _UNKNOWN_FIX.filled(known)
        return Diagnosis(UNKNOWN, quoted(text), cause, fix, sent=shown)
    if entry.by_administrator and not names.manages_grant:
        entry = entry.by_administrator
    words = known | _for_a_shell(names)
    return Diagnosis(
        entry.key,
        quoted(text),
        entry.cause.filled(known),
        entry.fix.filled(known),
        tuple(line for each in entry.commands for line in each.format_map(words).splitlines()),
        shown,
    )


def _for_a_shell(names: Names) -> dict[str, str]:
    """Write what stands in command lines, quoted: for PowerShell the mailbox, else for any."""
    add_smtp_send = config_add_permission(names.stack, names.permissions, "SMTP.Send")
    return {
        "mailbox": powershell_word(names.mailbox),
        "stack": shell_word(names.stack),
        "add_smtp_send": "\n".join(add_smtp_send),
    }
