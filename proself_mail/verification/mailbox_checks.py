"""The checks of `verify` on the mailbox's user, and on the Proself config file on this machine.

Pure functions of the evidence, but that the file is read. Whether the mailbox takes mail by SMTP
only a mail can show: `mail_proof`.
"""

from pathlib import Path

from proself_mail.check import Check, fail, ok
from proself_mail.config.mending import config_set
from proself_mail.errors import Error
from proself_mail.proself import proself_file
from proself_mail.proself.proself import ProselfConfig
from proself_mail.stack.project import CHECKOUT
from proself_mail.text.quotation import quoted
from proself_mail.verification.evidence import Evidence, Unread
from proself_mail.verification.judging import unknown


def mailbox(seen: Evidence) -> Check:
    """Look whether the mailbox's user exists, may sign in, and signs in by its mail address."""
    name, address, found = "mailbox", seen.settings.mailbox, seen.mailbox
    if isinstance(found, Unread):
        # Least privileges do not show users, and the mail proof tells more than this.
        return unknown(name, found, required=False)
    if found is None:
        return _not_a_sign_in_name(seen)
    if not found.enabled:
        return fail(
            name,
            f"{address} is disabled: it cannot sign in (accounts of shared mailboxes always are)",
            f"Entra → Users → {address} → Properties → Account enabled, or use a mailbox whose "
            "user can sign in",
        )
    if not found.mail:
        return fail(
            name,
            f"{address} has no mail address in Entra: it seems to have no mailbox",
            "give the user a licence with Exchange Online, and wait until the mailbox is there",
        )
    if found.mail.lower() != address.lower():
        return fail(
            name,
            f"{address} is a sign-in name whose mail address is {quoted(found.mail)}: Exchange "
            "Online refuses a sender that is not the signed-in user's address",
            f"make both equal in the Microsoft 365 admin center, or use another mailbox: "
            f"`{config_set(seen.stack, 'mailbox', 'proself@example.jp')}`",
        )
    return ok(name, f"{address}, enabled; its sign-in name is its address")


def _not_a_sign_in_name(seen: Evidence) -> Check:
    name, address, others = "mailbox", seen.settings.mailbox, seen.mailbox_namesakes
    if others and not isinstance(others, Unread):
        signs_in_by = quoted(others[0].principal_name)
        return fail(
            name,
            f"{address} is the address of a user who signs in as {signs_in_by}: with Proself both "
            "must be equal",
            "make both equal in the Microsoft 365 admin center, or use another mailbox: "
            f"`{config_set(seen.stack, 'mailbox', 'proself@example.jp')}`",
        )
    return fail(
        name,
        f"the tenant {seen.settings.mailbox_tenant} has no user {address}",
        f"check its spelling (`{config_set(seen.stack, 'mailbox', 'proself@example.jp')}`); if the "
        "mailbox is in another tenant, set `mailboxTenantId` and `audience` multi",
    )


def config_file(seen: Evidence) -> Check:
    """Compare the Proself config file with the stack, where there is one; it must be private."""
    name = "config file"
    if left := proself_file.left_behind(seen.settings, seen.stack, CHECKOUT):
        return fail(
            name,
            f"{', '.join(map(_shown, left))} has a client secret of this stack in it, from before "
            "the stack was renamed or its `configFile` changed",
            "delete it",
        )
    path = seen.settings.config_file_path(seen.stack, CHECKOUT)
    if path is None:
        return ok(name, "none is written (`configFile` is none)")
    elsewhere = proself_file.another_place(seen.stack)
    try:
        path.stat()
        is_there = True
    except (FileNotFoundError, NotADirectoryError):
        is_there = False
    except (OSError, ValueError) as error:  # no name that a file can have, or a folder of others
        return fail(
            name,
            f"{_shown(path)} cannot be read: {getattr(error, 'strerror', None) or error}",
            elsewhere,
        )
    try:
        proself_file.check_no_link(path, elsewhere)
        proself_file.check_kept_from_git(path, seen.settings, elsewhere)
    except Error as error:
        return fail(name, error.cause.rstrip("."), error.next_step)
    if not is_there:
        return ok(name, "none is here, as it should be once its values are in Proself")
    write = f"`proself-mail config --stack {seen.stack} --write`"
    try:
        there = proself_file.read(path, seen.stack)
        wanted = ProselfConfig.of(seen.settings, seen.outputs.client_id, seen.outputs.newest)
    except Error as error:
        return fail(name, error.cause.rstrip("."), error.next_step)
    if differing := _differing(there, wanted):
        return fail(
            name,
            f"{_shown(path)} differs from the stack in {', '.join(differing)}",
            f"{write}, then enter what has changed in Proself",
        )
    return ok(name, f"{_shown(path)} equals the stack, and is private")


def _differing(there: ProselfConfig, wanted: ProselfConfig) -> list[str]:
    """Name the fields that differ; never their values, one of which is the secret."""
    found, here = there.model_dump(), wanted.model_dump()
    differing = []
    for screen, value in here.items():
        if isinstance(value, dict):
            differing += [f"{screen}.{key}" for key in value if found[screen][key] != value[key]]
        elif found[screen] != value:
            differing.append(screen)
    return differing


def _shown(path: Path) -> str:
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)
