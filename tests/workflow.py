"""A pipeline's own `run:` lines, taken out of its file and run as its runner would run them."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{\s*([^}]+?)\s*\}\}")


@dataclass
class Ran:
    """What a job left behind."""

    codes: dict[str, int] = field(default_factory=dict)
    """Exit codes of the steps that ran, by their id or first line."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Of all its steps."""
    summary: str = ""
    log: str = ""

    @property
    def is_green(self) -> bool:
        return not any(self.codes.values())


class Job:
    """One job of a GitHub workflow."""

    def __init__(self, workflow: Path, name: str) -> None:
        document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
        self.body: dict[str, Any] = document["jobs"][name]

    def run(self, checkout: Path, runner: Mapping[str, str], known: Mapping[str, str]) -> Ran:
        """Run its steps in order. `known` are the values of expressions, by their text."""
        ran, values = Ran(), dict(known)
        for step in self.body["steps"]:
            if "run" not in step:
                continue
            name = step.get("id") or step.get("name") or step["run"].split("\n")[0]
            if not _is_wanted(str(step.get("if", "")), ran):
                continue
            environment = dict(runner)
            for of in (self.body.get("env", {}), step.get("env", {})):
                environment |= {key: _filled(str(value), values) for key, value in of.items()}
            told = {key: checkout / f".runner-{key}" for key in ("OUTPUT", "STEP_SUMMARY")}
            for key, path in told.items():
                path.write_text("", encoding="utf-8")
                environment[f"GITHUB_{key}"] = str(path)
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=checkout,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            ran.codes[name] = done.returncode
            ran.log += done.stdout + done.stderr
            ran.summary += told["STEP_SUMMARY"].read_text(encoding="utf-8")
            for key, value in _pairs(told["OUTPUT"]):
                ran.outputs[key] = values[f"steps.{name}.outputs.{key}"] = value
        return ran


def _is_wanted(condition: str, ran: Ran) -> bool:
    """Say whether a step runs; the conditions of our workflows are all of these two forms."""
    person = ran.outputs.get("person", "")
    if "person == 'none'" in condition:
        return person == "none"
    if "person != 'none'" in condition:
        return person not in ("", "none")
    assert not condition, f"a condition that this test cannot read: {condition}"
    return ran.is_green


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: values[found[1]], text)


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        yield name, value


def azure_script(pipeline: Path) -> str:
    """Return the lines of an Azure pipeline: its scripts and those of its tasks, in order."""
    text = pipeline.read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    job = document["jobs"][0]
    if "deployment" not in job:  # a template's `each`, around the one job
        [[job]] = job.values()
    steps = job["strategy"]["runOnce"]["deploy"]["steps"]
    lines = [step.get("script") or step["inputs"]["inlineScript"] for step in steps[1:]]
    return "\n".join(lines)


def clean_environment() -> dict[str, str]:
    """Return what a fresh runner's shell has, and nothing of ours."""
    kept = ("HOME", "PATH", "LANG", "TMPDIR", "UV_CACHE_DIR", "PIP_FIND_LINKS", "PIP_CERT")
    return {key: os.environ[key] for key in kept if key in os.environ}


def fake_gh(folder: Path) -> Path:
    """Write a `gh` that writes down what it is asked and given, and knows the open issue."""
    record = folder / "gh.jsonl"
    path = folder / "gh"
    path.write_text(
        "#!/usr/bin/env python3\n"
        "import json, sys\n"
        f"with open({str(record)!r}, 'a') as told:\n"
        "    told.write(json.dumps(sys.argv[1:]) + '\\n')\n"
        "    if '--body-file' in sys.argv:\n"
        "        body = open(sys.argv[sys.argv.index('--body-file') + 1]).read()\n"
        "        told.write(json.dumps(['body', body]) + '\\n')\n"
        "from pathlib import Path\n"
        f"issue = Path({str(folder / 'open-issue')!r})\n"
        "match sys.argv[1:3]:\n"
        "    case ['issue', 'create']: issue.write_text('1')\n"
        "    case ['issue', 'close']: issue.unlink()\n"
        "    case ['issue', 'list'] if issue.exists(): print(issue.read_text())\n"
    )
    path.chmod(0o755)
    return record


def asked(record: Path) -> list[list[str]]:
    """Read what `gh` was asked."""
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
