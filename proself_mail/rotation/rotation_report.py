"""What a rotation tells: its plan for a terminal, and the summary for people.

The summary is Markdown, in English and Japanese, for a pipeline's page and the issue that it opens.
Nothing of a secret's value is in it, not even the first characters that Entra shows. Only words
are made here; who needs them when is `reminder`'s to say, where they go `pipeline`'s.
"""

from collections.abc import Container, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from proself_mail.config.mending import EARLIER_REMOVED
from proself_mail.errors import Error, sentence
from proself_mail.quantity import quantity
from proself_mail.rotation.reminder import Level, Reminder
from proself_mail.rotation.rotation import Plan
from proself_mail.schedule import Window, format_instant
from proself_mail.text import markdown

if TYPE_CHECKING:
    from proself_mail.rotation.rotate import Rotation


def plan(of: Plan, *, revokes: bool = False) -> Iterator[str]:
    """Say what is there and what a rotation would do, a line each.

    With `revokes`, one that first closes every window that is open.
    """
    for window in of.windows:
        yield f"Window {window.id}, until {format_instant(window.expires)}: {_state(of, window)}."
    if not revokes:
        yield from (f"To make: a client secret for the window {each.id}." for each in of.add)
    yield from (f"To remove, expired: {each.shown}." for each in of.secrets.expired)
    yield from (f"To remove, revoked: {each.shown}." for each in of.secrets.revoked)
    if of.forget:
        yield f"To take out of the state: {', '.join(of.forget)}."
    if of.are_outputs_behind and not of.add:
        yield "To bring in order: the stack's outputs, which have other client secrets than it has."
    yield from (f"Note: {each}." for each in notes(of, dying=of.dying if revokes else ()))


def days_left(of: Plan) -> Iterator[str]:
    """Say how long a person has, as far as Proself's client secret is known.

    "Must" is said only where the command ends with the exit code for it.
    """
    reminder = of.reminder
    if reminder is None:
        return
    if reminder.mail_ends is None:
        which = "that Proself has" if reminder.is_known else "that Proself may have"
        yield f"A person must act now: a client secret {which} has ended or is revoked."
        return
    days = quantity((reminder.mail_ends - of.now).days, "day")
    left = f"{days}, until {format_instant(reminder.mail_ends)}"
    if of.is_newest_in_proself:
        yield f"Nobody has to act. The client secret in Proself is good for {left}."
    elif reminder.level.is_red:
        yield f"A person must act within {left}."
    else:
        yield f"There is time: the client secret that Proself may have is good for {left}."


def notes(of: Plan, *, dying: Container[str] = ()) -> Iterator[str]:
    """Say what was found and is left alone; secrets whose key ids are in `dying` are not."""
    # An update removes what one that was killed had made, and had no time to record.
    unless = ", unless an update that was cut short made it" if of.needs_engine else ""
    for each in of.secrets.foreign:
        yield (
            f"the client secret {each.shown} is recorded nowhere as ours and is left alone{unless}"
        )
    for each in of.secrets.lost:
        if each.key_id in dying:
            continue
        yield (
            f"the client secret {each.shown} is this stack's and no longer in its state: once "
            "Proself has the newest, remove it in Entra (App registrations → Certificates & "
            "secrets)"
        )
    standing = [each.starts for each in of.windows if each.id in of.secrets.keys]
    for window in of.secrets.vanished:
        is_earlier = any(window.starts < each for each in standing)
        earlier = f": {EARLIER_REMOVED}" if is_earlier else ""
        yield (
            f"the client secret of the window {window.id} was removed by somebody in Entra{earlier}"
        )
    if of.noted.is_damaged:
        yield "what the application's notes say of earlier rotations cannot be read"


def dry_run(stack: str, of: Plan) -> str:
    """Say that a plan was shown and not carried out, and whether there is anything to."""
    if not of.is_due:
        return "Nothing is due; nothing was changed."
    return (
        f"Nothing was changed: this was a dry run. `proself-mail rotate --stack {stack}` does it."
    )


def end(of: "Rotation") -> Iterator[str]:
    """Say how a rotation ended, a line each."""
    if not of.before.is_due:
        yield f"Nothing is due; nothing was changed.{_next(of.after)}"
    for window in of.before.add:
        made = "Made and proven" if window.newest else "Made"  # an update signs in with the newest
        yield (
            f"{made}: the client secret of the window {window.id}, until "
            f"{format_instant(window.expires)}."
        )
    if of.before.are_outputs_behind and not of.before.add:
        yield (
            "Brought in order: the stack's outputs, which had other client secrets than it has. "
            "What was pasted from them may be an older one."
        )
    yield from (f"Removed: {each.shown}." for each in of.removed)
    if of.appended_to:
        yield (
            f"Commit {of.appended_to} now: a run elsewhere with the old file would refuse to work."
        )
    drift = [of.done.drift] if of.done and of.done.drift else []
    yield from (f"Note: {each}." for each in (*drift, *notes(of.after)))


def summary(stack: str, tenant: str, of: "Rotation") -> str:
    """Write the summary as Markdown. Its readers see nothing of the machine that it comes from."""
    reminder = of.after.reminder
    action = "\n\n".join(person(stack, reminder)) if reminder else ""
    for_proself = (
        f"- For Proself: `proself-mail config --write --stack {stack}` writes the config file "
        "where it is typed, by a person who may read the state."
    )
    return "\n".join(
        [
            f"## Proself mail: {stack}",
            "",
            action,
            "",
            f"Tenant {tenant}, client ID {of.after.client_id}.",
            "",
            *_table(of.after),
            "",
            *(f"- {markdown.text(line)}" for line in end(of)),
            *([for_proself] if of.done and of.done.config_file else []),
            "",
        ]
    )


def failure(stack: str, error: Error, of: Plan | None) -> str:
    """Write the summary of a rotation that failed as Markdown; `of` was planned before, if any.

    What a person has to do in Proself is in it still, where there is a newest secret to paste.
    """
    reminder = still_to_do(of)
    return "\n".join(
        [
            f"## Proself mail: {stack}",
            "",
            f"The rotation failed. {markdown.text(error.cause)}",
            "",
            f"Next: {markdown.text(sentence(error.next_step))}",
            "",
            "ローテーションに失敗しました。原因と対処は上記のとおりです。",
            "",
            *([*days_left(of), ""] if of else []),
            *(["\n\n".join(person(stack, reminder)), ""] if reminder else []),
            *([*_table(of), ""] if of else []),
        ]
    )


def still_to_do(of: Plan | None) -> Reminder | None:
    """Return what a person has to do in Proself though the rotation failed; None for nothing.

    Nor is there anything to paste where somebody removed the newest secret, or no window is open.
    """
    newest = of.windows[-1:] if of else ()
    reminder = of.reminder if of and any(each.id in of.secrets.keys for each in newest) else None
    return None if reminder and reminder.level is Level.NONE else reminder


def _table(of: Plan) -> Iterator[str]:
    yield "| window | ends | client secret |"
    yield "|---|---|---|"
    for window in reversed(of.windows):
        state = markdown.text(_state(of, window))
        yield f"| {window.id} | {format_instant(window.expires)} | {state} |"


def title(stack: str, reminder: Reminder | None) -> str:
    """Write the title of the issue that a pipeline opens for a reminder, or None for a failure.

    The workflow finds a stack's issue by what the title begins with.
    """
    return f"Proself mail {stack}: {_what_to_do(reminder)}"


def _what_to_do(reminder: Reminder | None) -> str:
    if reminder is None:
        return "the rotation failed, and a person must act"
    if reminder.level is Level.NOTICE and reminder.newest is reminder.in_proself:
        return "say which client secret Proself has"
    if reminder.in_proself is None:
        stopped = "mail has stopped" if reminder.is_known else "mail may have stopped"
        return f"{stopped}, paste the new client secret"
    return f"paste the new client secret before {format_instant(reminder.in_proself.expires)}"


def person(stack: str, of: Reminder) -> tuple[str, str]:
    """Say what a person has to do, in English and in Japanese."""
    newest, command = of.newest, f"`proself-mail rotate --acknowledge --stack {stack}`"
    ends, ends_ja = format_instant(newest.expires), _in_japanese(newest.expires)
    if of.level is Level.NONE:
        return (
            f"Nobody has to act: Proself has the newest client secret, which ends at {ends}.",
            f"対応は不要です。Proself には最新のシークレット ({ends_ja} まで有効) が設定されて"
            "います。",
        )
    if of.in_proself is newest:
        return (
            f"Once Proself has the client secret and a mail from it has arrived, {command} "
            "records so; reminders then know what Proself has.",
            f"Proself にシークレットを設定し、テストメールの到着を確認したら、{command} を実行して"
            "ください。以後の通知はこの記録をもとに行われます。",
        )
    english, japanese = _when(of)
    return (
        f"{english} Paste the newest client secret (key ID {newest.key_id}, until {ends}) into "
        "Proself (システム設定 → メールサーバー情報の設定 → シークレット), press 設定 and sign in "
        "there as the mailbox's user, who must be at hand; send a test mail. "
        f"`proself-mail sheet --stack {stack}` shows the values and the way. Then {command}.",
        f"{japanese}Proself の「システム設定 → メールサーバー情報の設定」で「シークレット」に"
        f"最新の値 (キー ID {newest.key_id}、{ends_ja} まで有効) を入力し、"
        "「設定」からメールボックスのユーザーでサインインし直して、テストメールを送信してください "
        "(サインインにはそのユーザー本人の操作が必要です)。"
        f"設定値と手順は `proself-mail sheet --stack {stack}` で表示できます。"
        f"完了後に {command} を実行してください。",
    )


def anew(stack: str, *, is_due: bool) -> tuple[str, str]:
    """Say what mends that the newest secret was removed in Entra, in English and in Japanese.

    `is_due` says that a newer one is to be made anyway.
    """
    command = f"`proself-mail rotate {'' if is_due else '--now '}--stack {stack}`"
    return (
        f"{command}, which makes a new one; then enter that in Proself.",
        f"{command} で新しいシークレットを作成し、Proself に設定してください。",
    )


def acknowledged(stack: str, of: Plan) -> tuple[str, str]:
    """Say what a person has to do after an acknowledgement, in English and in Japanese."""
    if of.reminder is None or of.is_newest_removed:
        english, japanese = anew(stack, is_due=bool(of.add))
        return (
            f"Somebody removed the newest client secret in Entra. Next: {english}",
            f"最新のシークレットは Entra で削除されています。{japanese}",
        )
    return person(stack, of.reminder)


def _when(of: Reminder) -> tuple[str, str]:
    if of.in_proself is None:
        if of.is_known:
            return (
                "Mail has stopped: the client secret that Proself has is not valid any more.",
                "メール送信が停止しています。Proself に設定されているシークレットは無効です。",
            )
        return (
            "Nobody has said which client secret Proself has, and an older one that it may have "
            "has ended or is revoked: if no newer one was pasted, mail has stopped.",
            "Proself に設定されているシークレットの記録がなく、設定されている可能性のあるものが"
            "期限切れか、取り消されています。新しいものを設定していない場合、メール送信は停止して"
            "います。",
        )
    ends, ends_ja = format_instant(of.in_proself.expires), _in_japanese(of.in_proself.expires)
    soon, soon_ja = ("Soon: ", "至急: ") if of.level is Level.URGENT else ("", "")
    if of.is_known:
        return (
            f"{soon}Mail stops at {ends}, when the client secret that Proself has ends.",
            f"{soon_ja}Proself に設定されているシークレットは {ends_ja} に期限が切れ、"
            "メール送信が停止します。",
        )
    return (
        f"{soon}Mail stops at {ends} if Proself still has the older client secret.",
        f"{soon_ja}Proself に古いシークレットが設定されたままの場合、{ends_ja} に"
        "メール送信が停止します。",
    )


def _in_japanese(instant: datetime) -> str:
    """Write an instant so that who does not know the form with `Z` sees that it is UTC."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _state(of: Plan, window: Window) -> str:
    key = of.secrets.keys.get(window.id)
    if key is None:
        return "removed by somebody" if window in of.secrets.vanished else "none yet"
    words = "newest" if window.newest else "still valid"
    pasted = ", in Proself" if key == of.noted.ledger.pasted else ""
    return f"key id {key}, {words}{pasted}"


def _next(of: Plan) -> str:
    """Say when the next thing happens by itself; blank where no secret of ours is there to end."""
    ends = [window.expires for window in of.windows if window.id in of.secrets.keys]
    if not ends:
        return ""
    return f" The first client secret to end does so at {format_instant(min(ends))}."
