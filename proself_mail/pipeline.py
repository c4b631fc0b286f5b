"""Where a command's summary goes on a pipeline: GitHub Actions' and Azure Pipelines' own files.

Both are told by files that their runners name; the words are `rotation_report`'s. Sources: GitHub,
"Workflow commands" (GITHUB_STEP_SUMMARY, GITHUB_OUTPUT); Azure Pipelines, "Logging commands"
(task.uploadsummary).
"""

import os
from collections.abc import Mapping
from pathlib import Path


def publish(
    summary: str,
    file: Path,
    outputs: Mapping[str, str],
    environment: Mapping[str, str] = os.environ,
) -> str | None:
    """Keep the summary in `file` and show it on the pipeline that this runs on, if on any.

    `outputs` are what later steps can ask a GitHub step for; one line each. Returns the line that
    has to be printed for Azure Pipelines; none elsewhere.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(summary, encoding="utf-8")
    if path := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as page:
            page.write(summary)
    if path := environment.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as told:
            told.writelines(f"{name}={value}\n" for name, value in outputs.items())
    return f"##vso[task.uploadsummary]{file.absolute()}" if environment.get("TF_BUILD") else None
