"""The Pulumi project that a command is about: which one, and where its stacks' files lie."""

import os
import stat
import sys
from pathlib import Path
from typing import Any

import yaml

from proself_mail.errors import ConfigurationError, Refused
from proself_mail.settings import PROJECT

CHECKOUT = Path(__file__).resolve().parent.parent
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
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be read: {error.strerror or error}. It may be the project that is "
                "meant.",
                "Make it a file that you may read, or work in another folder.",
            ) from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigurationError(
                f"{path} is no YAML: {' '.join(str(error).split())}.",
                "Correct it, or bring it back from the repository's history "
                "(`git checkout HEAD -- Pulumi.yaml`).",
            ) from error
        if isinstance(document, dict) and document.get("name") == PROJECT:
            if folder != CHECKOUT:  # whose code is running already
                _check_trusted(path)
            return folder
    return CHECKOUT


def _check_trusted(project_file: Path) -> None:
    """Refuse another user's, who would decide what runs and where it may delete.

    As git does with a repository above a folder (its `safe.directory`).
    """
    if sys.platform == "win32":
        return
    found = project_file.stat()
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH:
        raise Refused(
            f"{project_file} is another user's, or others may write to it (owner {found.st_uid}, "
            f"mode {stat.S_IMODE(found.st_mode):04o}). It says which program runs, and in which "
            "tenants may be deleted.",
            "Work in a folder of your own; or if it is yours, make yourself its owner and "
            f"`chmod o-w {project_file}`.",
        )


def document(project: Path) -> dict[str, Any]:
    """Return what a project's Pulumi.yaml says."""
    found: dict[str, Any] = yaml.safe_load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
    return found


def stack_files(project: Path) -> Path:
    """Return the folder that a project's stack files lie in."""
    return project / (document(project).get("stackConfigDir") or ".")
