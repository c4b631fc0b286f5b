"""Where a command's summary goes on a pipeline: GitHub Actions' and Azure Pipelines' own files.

Both are told by files that their runners name; the words are the commands'. Sources: GitHub,
"Workflow commands" (GITHUB_STEP_SUMMARY, GITHUB_OUTPUT); Azure Pipelines, "Logging commands"
(task.uploadsummary).
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from proself_mail.errors import Error
from proself_mail.files import private_file


def publish(
    summary: str,
    file: Path,
    outputs: Mapping[str, str],
    environment: Mapping[str, str] = os.environ,
) -> str | None:
    """Keep the summary in `file` and show it on the pipeline that this runs on, if on any.

    `outputs` are what later steps can ask a GitHub step for; one line each. Returns the line that
    has to be printed for Azure Pipelines, or of what could not be written; none otherwise.
    """
    try:
        private_file.write(file, summary)
        _show_on_github(summary, environment)
        if path := environment.get("GITHUB_OUTPUT"):
            with Path(path).open("a", encoding="utf-8") as told:
                told.writelines(f"{name}={value}\n" for name, value in outputs.items())
    except Error as error:
        return f"The summary could not be kept: {error}"
    except OSError as error:
        return _not_kept(error)
    return _on_azure(file) if is_azure(environment) else None


def show(summary: str, environment: Mapping[str, str]) -> str | None:
    """Show a summary that is not kept; return the line that has to be printed as `publish` does.

    GitHub Actions names a file to append to; Azure Pipelines takes the path of one.
    """
    try:
        _show_on_github(summary, environment)
        if not is_azure(environment):
            return None
        folder = environment.get("AGENT_TEMPDIRECTORY")
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix="proself-mail-", suffix=".md", delete=False, encoding="utf-8"
        ) as page:
            page.write(summary)
    except OSError as error:
        return _not_kept(error)
    return _on_azure(Path(page.name))


def is_one(environment: Mapping[str, str]) -> bool:
    """Say whether this runs in a job of a pipeline."""
    return is_azure(environment) or bool(environment.get("GITHUB_ACTIONS"))


def is_azure(environment: Mapping[str, str]) -> bool:
    """Say whether this runs in a job of Azure Pipelines."""
    return bool(environment.get("TF_BUILD"))


def _show_on_github(summary: str, environment: Mapping[str, str]) -> None:
    """Add to the summary of a GitHub job; elsewhere nothing."""
    if path := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as page:
            page.write(summary)


def _on_azure(file: Path) -> str:
    """Return the line that tells an agent of Azure Pipelines to show a file."""
    return f"##vso[task.uploadsummary]{file.absolute()}"


def _not_kept(error: OSError) -> str:
    """Tell of it and go on: what was done is done, and is printed all the same."""
    where = f"{error.filename}: " if error.filename else ""  # none where a disk is full
    return f"The summary could not be kept: {where}{error.strerror}."
