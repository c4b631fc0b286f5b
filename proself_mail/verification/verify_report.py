"""What `verify` found, for a person, for a program, and for a pipeline's summary page.

The JSON is `format` 1: fields are only ever added to it. Results only; nothing here decides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console

from proself_mail.check import Check, Outcome
from proself_mail.diagnosis import diagnosis_view
from proself_mail.errors import Error, PersonNeeded
from proself_mail.schedule import format_instant
from proself_mail.text import markdown, quotation, report
from proself_mail.verification.verify import Verified

_MARKS = {Outcome.OK: "✅", Outcome.FAIL: "❌", Outcome.UNKNOWN: "❔"}

Found = Mapping[str, Verified | Error]


def show(console: Console, found: Found, *, japanese_first: bool) -> None:
    """Print each stack's checks, one line of verdict, and what a refusal means."""
    for name, each in found.items():
        if len(found) > 1:
            console.print(f"\nStack {name}\n", style="bold", markup=False)
        if isinstance(each, Error):
            report.show(console, f"Could not be looked at: {each}")
        else:
            report.show_checks(console, each.checks, japanese_first=japanese_first)
            console.print()
            report.show(console, verdict(each))
            diagnosis_view.show(console, each.diagnoses, japanese_first=japanese_first)


def verdict(found: Verified) -> str:
    """Say in one line how a stack is."""
    failed = [check for check in found.checks if check.outcome is Outcome.FAIL]
    unseen = [check for check in found.checks if check.outcome is Outcome.UNKNOWN]
    optional = f"; {len(unseen)} could not be looked at" if unseen else ""
    if found.exit_code == PersonNeeded.exit_code:
        return f"A person must act (see “{failed[0].name}”); nothing else is wrong{optional}."
    if failed:
        return f"{len(failed)} of {len(found.checks)} checks failed{optional}."
    if found.exit_code:
        return f"None of {len(found.checks)} checks failed, but not all could be made{optional}."
    written = "Exchange Online took the mail" if found.mail_accepted else "nothing was written"
    return f"All is as it should be ({len(found.checks)} checks{optional}); {written}."


def to_json(found: Found, exit_code: int) -> str:
    """Write what was found as JSON."""
    stacks = [_stack(name, each) for name, each in found.items()]
    document = {"format": 1, "exit_code": exit_code, "stacks": stacks}
    return quotation.in_json(document) + "\n"


def _stack(name: str, found: Verified | Error) -> dict[str, Any]:
    if isinstance(found, Error):
        error = {"cause": found.cause, "next_step": found.next_step}
        return {"stack": name, "exit_code": found.exit_code, "error": error}
    return {
        "stack": name,
        "exit_code": found.exit_code,
        "tenant_id": found.tenant_id,
        "at": format_instant(found.at),
        "checks": [_check(check) for check in found.checks],
        "diagnoses": [asdict(diagnosis) for diagnosis in found.diagnoses],
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "outcome": str(check.outcome),
        "detail": check.detail,
        "required": check.required,
        "permission": check.permission,
        "next_step": check.next_step,
        "next_step_ja": check.next_step_ja,
        "needs_person": check.needs_person,
    }


def summary(found: Found) -> str:
    """Return a page for the pipeline's summary, in Markdown."""
    return "\n".join(_page(found))


def _page(found: Found) -> Iterator[str]:
    yield "## proself-mail verify"
    for name, each in found.items():
        yield ""
        yield f"### {markdown.text(name)}"
        yield ""
        if isinstance(each, Error):
            yield f"❔ {markdown.text(str(each))}"
            continue
        yield verdict(each)
        yield ""
        yield "| | check | seen | next |"
        yield "|---|---|---|---|"
        for check in each.checks:
            both = " ".join(filter(None, (check.next_step, check.next_step_ja)))
            step = both or (f"needs {check.permission}" if check.permission else "")
            yield f"| {_MARKS[check.outcome]} {check.outcome} | {check.name} | " + (
                f"{markdown.text(check.detail)} | {markdown.text(step)} |"
            )
    yield ""
