"""The setup sheet as a file: by itself without the secret, with it for this user's eyes only."""

import os
from pathlib import Path

from proself_mail.config.stack_name import short_name
from proself_mail.errors import ConfigurationError, Refused
from proself_mail.files import git_tree, private_file, synchronised, whole_file
from proself_mail.sheet import sheet_page
from proself_mail.sheet.sheet import Sheet
from proself_mail.stack.project import CHECKOUT
from proself_mail.text import shell
from proself_mail.text.command_line import shell_word

_ELSEWHERE = "give --out another name"


def check(path: Path, stack: str, *, with_secret: bool) -> None:
    """Look whether `write` would write there, as far as that can be known without the sheet.

    Raises `ConfigurationError` for what exists, and `Refused` for a secret in a folder that is
    copied elsewhere, by git too, or that others may write in.
    """
    if os.path.isdir(path):  # noqa: PTH112  the path's own fails on a name that is too long
        raise ConfigurationError(
            f"{path} is a folder.", f"Give --out the name of a file, such as {path / 'sheet.html'}."
        )
    if os.path.lexists(path):
        raise ConfigurationError(
            f"{path} exists already and is left as it is.", f"Delete it, or {_ELSEWHERE}."
        )
    if not with_secret:
        if not os.path.isdir(path.parent):  # noqa: PTH112
            why = f"there is no folder {path.parent}"
            raise private_file.unwritable(path, why, _ELSEWHERE)
        return
    if service := synchronised.service_of(path):
        raise Refused(
            f"{path} lies in a folder that {service} copies to other machines, and the file would "
            "hold the client secret.",
            "Name a folder that stays on this machine, or leave --with-secret out: "
            "`proself-mail sheet` without --out shows the secret and keeps it nowhere.",
        )
    private_file.check(path, _ELSEWHERE)
    if git_tree.would_take(path):
        ignored = CHECKOUT / "out" / short_name(stack) / "sheet.html"
        shown = shell_word(shell.path_from(Path.cwd(), ignored))
        first = whole_file.scratch_name(path.name, "*")
        raise Refused(
            f"{path} lies in a working tree of git, which would take the file with the client "
            f"secret into a commit, or what a killed write leaves of it ({first} beside it).",
            f"Name a place that git ignores, such as `--out {shown}`, or leave --with-secret "
            "out: `proself-mail sheet` without --out shows the secret and keeps it nowhere.",
        )


def write(path: Path, sheet: Sheet, *, with_secret: bool) -> None:
    """Write it, where there is no such file yet. Raises as `check`."""
    check(path, sheet.stack, with_secret=with_secret)
    page = sheet_page.written(sheet, sheet.newest.value if with_secret else None)
    if with_secret:
        private_file.write(path, page.html, _ELSEWHERE)
        return
    try:
        file = path.open("x", encoding="utf-8", newline="\n")
        with whole_file.removed_if_in_vain(path), file:
            file.write(page.html)
    except OSError as error:
        raise private_file.unwritable(path, error.strerror or str(error), _ELSEWHERE) from error
