"""The setup sheet as a file: by itself without the secret, with it for this user's eyes only."""

from pathlib import Path

from proself_mail import private_file, sheet_page, synchronised
from proself_mail.errors import ConfigurationError, Refused
from proself_mail.sheet import Sheet


def check(path: Path, *, with_secret: bool) -> None:
    """Look whether `write` would write there, as far as that can be known without the sheet.

    Raises `ConfigurationError` for what exists, and `Refused` for a secret in a folder that is
    copied elsewhere or that others may write in.
    """
    if path.exists() or path.is_symlink():
        raise ConfigurationError(
            f"{path} exists already and is left as it is.",
            "Delete it, or give --out another name.",
        )
    if not with_secret:
        if not path.parent.is_dir():
            raise private_file.unwritable(path, f"there is no folder {path.parent}")
        return
    if service := synchronised.service_of(path):
        raise Refused(
            f"{path} lies in a folder that {service} copies to other machines, and the file would "
            "hold the client secret.",
            "Name a folder that stays on this machine, or leave --with-secret out: "
            "`proself-mail sheet` without --out shows the secret and keeps it nowhere.",
        )
    private_file.check(path)


def write(path: Path, sheet: Sheet, *, with_secret: bool) -> None:
    """Write it, where there is no such file yet. Raises as `check`."""
    check(path, with_secret=with_secret)
    page = sheet_page.written(sheet, sheet.newest.value if with_secret else None)
    if with_secret:
        private_file.write(path, page.html)
        return
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(page.html)
    except OSError as error:
        raise private_file.unwritable(path, error.strerror or str(error)) from error
