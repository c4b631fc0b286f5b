"""The Proself config file: where it may be written, and how it is read back.

Nothing public says that Proself reads a file: a person pastes from this one, programs read it. The
form is this product's own, TOML.
"""

import contextlib
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from proself_mail.config.mending import config_set
from proself_mail.config.settings import Settings
from proself_mail.errors import ConfigurationError, Refused
from proself_mail.files import git_tree, private_file, whole_file
from proself_mail.proself.proself import ProselfConfig

_OURS = re.compile(rb'^stack_id *= *"?([^"\n]*)', re.MULTILINE)


def another_place(stack: str) -> str:
    """Say how a person names another place for the file of a stack that is there."""
    return f"name another place by `{config_set(stack, 'configFile', 'PATH')}`"


def check_writable(path: Path, settings: Settings, elsewhere: str) -> None:
    """Look whether a stack's file could be written there, without writing.

    Raises as `write` does, and `Refused` where `configFile` names a place in which another stack's
    is, or of which git would take it into a commit. What lies in this stack's usual place is of an
    earlier stack of its name, and git ignores it. `elsewhere` says how a person names another
    place: `another_place`, of a stack that is there.
    """
    private_file.check(path, elsewhere)
    other = _check_replaceable(path, elsewhere)
    check_kept_from_git(path, settings, elsewhere)
    if settings.config_file and other not in (None, str(settings.stack_id)):
        raise Refused(
            f"{path} is the Proself config file of another stack, {other}; it is left as it is.",
            f"If that stack is no more, delete it; or {elsewhere}; then try again.",
        )


def left_behind(settings: Settings, stack: str, root: Path) -> Sequence[Path]:
    """Return this stack's files in usual places that are not its own.

    It was renamed, or its `configFile` changed. With what killed writes left beside them. `stack`
    is its name now, `root` what relative paths begin at.
    """
    own = settings.config_file_path(stack, root)
    found = []
    for folder in sorted((root / "out").glob("*")):
        usual = folder / "proself.toml"
        for path in (usual, *whole_file.scratches(usual)) if usual != own else ():
            with contextlib.suppress(OSError):
                borne = _OURS.search(path.read_bytes())
                if borne and borne[1] == str(settings.stack_id).encode():
                    found.append(path)
    return found


def check_kept_from_git(path: Path, settings: Settings, elsewhere: str) -> None:
    """Refuse a place of `configFile` of which git would take the file into a commit."""
    if settings.config_file and git_tree.would_take(path):
        first = whole_file.scratch_name(path.name, "*")
        raise Refused(
            f"{path} lies in a working tree of git, which would take the file with the client "
            f"secret into a commit, or what a killed write leaves of it ({first} beside it).",
            f"Have git ignore both, or {elsewhere}, then try again.",
        )


def write(path: Path, config: ProselfConfig, elsewhere: str) -> None:
    """Write the file, private to the user, in one step; an earlier one is replaced.

    Raises `Refused` where something else is there, and as `private_file.write`.
    """
    _check_replaceable(path, elsewhere)
    private_file.write(path, config.to_toml(), elsewhere)


def check_no_link(path: Path, elsewhere: str) -> None:
    """Raise `Refused` for a link: in its own folder the secret would lie, not where it leads."""
    if path.is_symlink():
        raise Refused(
            f"{path} is a link, in whose place the file with the client secret would be put; it is "
            "left as it is.",
            f"Remove it, or {elsewhere}, then try again.",
        )


def _check_replaceable(path: Path, elsewhere: str) -> str | None:
    """Return the UUID of the stack whose Proself config file is there; None where nothing is.

    One that was edited by hand and cannot be read any more is one still. Raises `Refused` for
    anything else, a link included: a stack's file may name any place.
    """
    check_no_link(path, elsewhere)
    try:
        if not path.exists():
            return None
        found = _OURS.search(path.read_bytes()) if path.is_file() else None
    except OSError as error:
        raise private_file.unwritable(path, error.strerror or str(error), elsewhere) from error
    if found:
        return found[1].decode(errors="replace")
    raise Refused(
        f"{path} is there already and is no Proself config file; it is left as it is.",
        f"Move it away, or {elsewhere}, then try again.",
    )


def read(path: Path, stack: str) -> ProselfConfig:
    """Read a stack's config file back.

    Raises `ConfigurationError` for an unknown or missing key or a wrong value, naming it, and as
    `private_file.read`.
    """
    again = f"Write it again by `proself-mail config --stack {stack} --write`."
    try:
        text = private_file.read(path, again, "rotate the client secret in it too")
        return ProselfConfig.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # the latter of nested lists
        found = f"it is not TOML: {error}"
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, details['loc'])) or 'the file'}: "
            f"{details['msg'].removeprefix('Value error, ')}"
            # The input is left out: it may be the secret.
            for details in error.errors(include_url=False, include_input=False)
        )
    raise ConfigurationError(
        f"{path} is not a Proself config file of this version: {found}.",
        again,
    )
