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
_OF_A_RUN = {
    "GITHUB_SERVER_URL": "https://github.contoso.test",
    "GITHUB_REPOSITORY": "contoso/mail",
    "GITHUB_RUN_ID": "42",
    "GITHUB_EVENT_NAME": "schedule",
}
"""What GitHub sets for every step, here a GitHub Enterprise Server."""


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

    def run(
        self,
        checkout: Path,
        runner: Mapping[str, str],
        known: Mapping[str, str],
        *,
        failing: str = "",
    ) -> Ran:
        """Run its steps in order; an action's end well, but those of the action `failing`.

        `known` are the values of expressions, by their text.
        """
        ran, values = Ran(), dict(known)
        for step in self.body["steps"]:
            if not _is_wanted(str(step.get("if", "")), ran, values):
                continue
            if "run" not in step:
                action = step["uses"].partition("@")[0]
                if action == failing:
                    ran.codes[action] = 1
                continue
            name = step.get("id") or step.get("name") or step["run"].split("\n")[0]
            environment = {**_OF_A_RUN, **runner}
            for of in (self.body.get("env", {}), step.get("env", {})):
                environment |= {key: _filled(str(value), values) for key, value in of.items()}
            told = {key: checkout / f".runner-{key}" for key in ("OUTPUT", "STEP_SUMMARY")}
            for key, path in told.items():
                path.write_text("", encoding="utf-8")
                environment[f"GITHUB_{key}"] = str(path)
            script = checkout / ".runner-script.sh"
            script.write_text(step["run"], encoding="utf-8")
            done = subprocess.run(
                ["bash", "-e", str(script)],  # as where a step names no shell
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


def _is_wanted(condition: str, ran: Ran, values: Mapping[str, str]) -> bool:
    """Say whether a step runs, by the terms that our workflows' conditions are made of."""
    terms = [term for each in condition.strip("${ }").split("&&") if (term := each.strip())]
    if not {"failure()", "!cancelled()"} & {*terms}:
        terms.append("success()")
    return all(_holds(term, ran, values) for term in terms)


def _holds(term: str, ran: Ran, values: Mapping[str, str]) -> bool:
    by_status = {"success()": ran.is_green, "failure()": not ran.is_green, "!cancelled()": True}
    if term in by_status:
        return by_status[term]
    compared = re.fullmatch(r"(\S+) (==|!=) '(.*)'", term)
    assert compared, f"a term that this test cannot read: {term}"
    left, sign, right = compared.groups()
    return (_value(left, values) == right) is (sign == "==")


def _value(expression: str, values: Mapping[str, str]) -> str:
    """Return an expression's value; a step that did not run has no outputs."""
    return values.get(expression, "") if expression.startswith("steps.") else values[expression]


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: _value(found[1], values), text)


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        yield name, value


def azure_script(pipeline: Path, condition: str = "") -> str:
    """Return the lines of an Azure pipeline: its scripts and those of its tasks, in order.

    Of the steps that have this `condition`, or that have none.
    """
    text = pipeline.read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    job = document["jobs"][0]
    if "deployment" not in job:  # a template's `each`, around the one job
        [[job]] = job.values()
    steps = job["strategy"]["runOnce"]["deploy"]["steps"]
    lines = [
        step.get("script") or step["inputs"]["inlineScript"]
        for step in steps[1:]
        if step.get("condition", "") == condition
    ]
    return "\n".join(lines)


def clean_environment() -> dict[str, str]:
    """Return what a fresh runner's shell has, and nothing of ours."""
    kept = ("HOME", "PATH", "LANG", "TMPDIR", "UV_CACHE_DIR", "PIP_FIND_LINKS", "PIP_CERT")
    return {key: os.environ[key] for key in kept if key in os.environ}


_GH = """#!/usr/bin/env python3
import json, os, re, sys
from pathlib import Path

here, arguments = Path(__file__).parent, sys.argv[1:]
*named, _, _ = os.environ["GH_REPO"].split("/")
host = "".join(named) or "github.com"
if not os.environ.get("GH_TOKEN" if host == "github.com" else "GH_ENTERPRISE_TOKEN"):
    sys.exit(4)
if os.environ["GITHUB_SERVER_URL"] != f"https://{host}":
    sys.exit(f"Could not resolve to a Repository at {host}")

def option(name):
    return arguments[arguments.index(name) + 1]

with (here / "gh.jsonl").open("a") as told:
    told.write(json.dumps(arguments) + "\\n")
    if "--body-file" in arguments:
        told.write(json.dumps(["body", Path(option("--body-file")).read_text()]) + "\\n")
kept = here / "open-issues.json"
issues = json.loads(kept.read_text())
match arguments[:2]:
    case ["label", "create"] if len(arguments[2]) > 50:
        sys.exit("name is too long (maximum is 50 characters)")
    case ["label", "create"] if "--color" not in arguments:
        sys.exit("painted anew, by chance")
    case ["issue", "create"]:
        issues[str(len(issues) + 1)] = option("--title")
    case ["issue", "edit"]:
        issues[arguments[2]] = option("--title")
    case ["issue", "close"]:
        del issues[arguments[2]]
    case ["issue", "list"]:
        beginning = re.search(r'startswith\\("(.*?)"\\)', option("--jq"))[1]
        print(*(number for number, title in issues.items() if title.startswith(beginning)))
kept.write_text(json.dumps(issues))
"""


def fake_gh(folder: Path, *titles: str) -> Path:
    """Write a `gh` that writes down what it is asked and given, and knows the open issues.

    Of a `--jq` it understands what a title is to begin with. `titles` are those of issues that are
    open before, numbered from 1. A label has 50 characters at most (github/docs#32156). It asks the
    host that GH_REPO names, else github.com, by that one's token (`gh help environment`).
    """
    issues = {str(number): title for number, title in enumerate(titles, 1)}
    (folder / "open-issues.json").write_text(json.dumps(issues), encoding="utf-8")
    path = folder / "gh"
    path.write_text(_GH, encoding="utf-8")
    path.chmod(0o755)
    return folder / "gh.jsonl"


def asked(record: Path) -> list[list[str]]:
    """Read what `gh` was asked."""
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
