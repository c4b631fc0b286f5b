"""The Pulumi project that a command is about: which one, and where its stacks' files lie."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from proself_mail.config.settings import PROJECT
from proself_mail.errors import ConfigurationError, Refused

CHECKOUT = Path(__file__).resolve().parent.parent.parent
"""Where Pulumi.yaml and the program lie; relative paths in a stack's configuration begin here."""


def find_project(start: Path) -> Path:
    """Return the Pulumi project that a command typed in `start` is about.

    As `pulumi` does: the folder itself or the nearest above it with a Pulumi.yaml of this
    project's name; else the checkout that this program is run from. Raises `ConfigurationError`
    where one on the way cannot be read or is no YAML, for it may be the one that is meant, and
    `Refused` where it is not to be trusted.
    """
    for folder in (start, *start.parents):
        path = folder / "Pulumi.yaml"
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
                continue
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be read: {error.strerror or error}, so it cannot be told "
                "whether this is the project.",
                "Make it a file that you may read, or work in another folder.",
            ) from error
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            raise ConfigurationError(
                f"{path} is no YAML: {' '.join(str(error).split())}.",
                "Correct it, or bring it back from the repository's history "
                "(`git checkout HEAD -- Pulumi.yaml`).",
            ) from error
        if isinstance(document, dict) and document.get("name") == PROJECT:
            if folder != CHECKOUT:  # whose code is running already
                _check_trusted(folder, document)
            return folder
    return CHECKOUT


def _check_trusted(folder: Path, document: Mapping[str, Any]) -> None:
    """Refuse another user's, who would decide what runs and where it may delete.

    As git does with a repository above a folder (its `safe.directory`): the folder's owner counts,
    for the file in it may be a link to one of ours. That its group may write is how one is shared.
    """
    if sys.platform == "win32":
        return
    for path in (folder, folder / "Pulumi.yaml", *_led_to(folder, document)):
        with contextlib.suppress(FileNotFoundError):
            for found in (path.lstat(), path.stat()):
                # A link's mode says nothing.
                shared = found.st_mode & stat.S_IWOTH and not stat.S_ISLNK(found.st_mode)
                if found.st_uid not in (os.geteuid(), 0) or shared:
                    raise Refused(
                        f"{path} is another user's, or others may write to it (owner "
                        f"{found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}). Which program "
                        "runs, and in which tenants may be deleted, is said there.",
                        "Work in a folder of your own; or if it is yours, make yourself its owner "
                        f"and `chmod o-w {path}`.",
                    )


def _led_to(folder: Path, document: Mapping[str, Any]) -> Iterator[Path]:
    """Give what a project runs and reads, but for what this program runs from itself."""
    runtime = document.get("runtime")
    options = runtime.get("options") if isinstance(runtime, dict) else None
    venv = options.get("virtualenv") if isinstance(options, dict) else None
    for told in (document.get("main"), venv, _stack_folder(document)):
        if isinstance(told, str):
            path = Path(os.path.normpath(folder / told))
            if not path.is_relative_to(CHECKOUT) and path != Path(sys.prefix):
                yield path


def document(project: Path) -> dict[str, Any]:
    """Return what a project's Pulumi.yaml says."""
    found: dict[str, Any] = yaml.safe_load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
    return found


def stack_files(project: Path) -> Path:
    """Return the folder that a project's stack files lie in."""
    return project / _stack_folder(document(project))


def _stack_folder(document: Mapping[str, Any]) -> str:
    """Return where a project's stack files lie, from its own folder.

    A path from the root too: the engine joins it to that folder (pulumi `workspace/paths.go`).
    """
    return str(document.get("stackConfigDir") or "").lstrip("/") or "."
