"""What the engine did in one update, from its events: what is worth a line, and what failed.

`engine_events` receives them, and drops those that could carry a secret.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proself_mail.stack import failure
from proself_mail.stack.failure import Failure, Kind
from proself_mail.stack.urn import Urn

_MARKUP = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
_SUMS = ("update failed", "update canceled", "update cancelled")
"""What the engine says of a run as a whole."""
_NOT_IMPORTED = re.compile(r"(?:ModuleNotFound|Import|Syntax)Error: ")
_UNHANDLED = re.compile(r"an unhandled error occurred(?!.*exit code: -1\b)", re.DOTALL)


@dataclass
class Observed:
    """What the engine did in one update, from its events."""

    failures: list[Failure] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    """How many resources by operation, such as create, update, same; those that only the engine
    knows too, such as a provider."""
    told: Counter[str] = field(default_factory=Counter)
    """How many by operation of those in the tenant of which a line was said."""
    failed_creates: set[str] = field(default_factory=set)
    """Names of resources whose creation failed."""
    touched: set[str] = field(default_factory=set)
    """Types of those in the tenant with a change of which it began, however that ended."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing was changed."""
        return set(self.changes) <= {"same"}


class Observer:
    """Takes engine events one by one; says what is worth a line, collects what failed."""

    def __init__(self, stack: str, say: Callable[[str], None], stop: Callable[[], None]) -> None:
        """`stop` is called once, at the first failure of a resource that will not mend.

        What the program itself refuses ends it without that. An engine told to end at that moment
        takes no outputs for the program's own: the stack would lose all that it had.
        """
        self._stack = stack
        self._say = say
        self._stop = stop
        self._raised = ""
        """What the program's Python ended by, where that was before it could tell the engine."""
        self.observed = Observed()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event, as the engine's JSON."""
        if diagnostic := event.get("diagnosticEvent"):
            self._diagnostic(diagnostic)
        elif begun := event.get("resourcePreEvent"):
            # A provider, ours or one that a plain `pulumi up` asked, is nothing in the tenant.
            kind = str(begun["metadata"]["type"])
            if kind.startswith("azuread:") and begun["metadata"]["op"] != "same":
                self.observed.touched.add(kind)
        elif done := event.get("resOutputsEvent"):
            self._step(done["metadata"])
        elif failed := event.get("resOpFailedEvent"):
            metadata = failed["metadata"]
            if metadata["op"] in ("create", "create-replacement"):
                self.observed.failed_creates.add(Urn(metadata["urn"]).name)
        elif summary := event.get("summaryEvent"):
            self.observed.changes = dict(summary.get("resourceChanges") or {})

    def _step(self, metadata: Mapping[str, Any]) -> None:
        words = {
            "create": "made",
            "update": "changed",
            "replace": "replaced",
            "import": "adopted",
            # Nothing that `infra` retains is touched in the tenant: secrets and the consent.
            "delete": "forgot" if (metadata.get("old") or {}).get("retainOnDelete") else "removed",
        }
        kind = str(metadata["type"]).rpartition(":")[2]
        if (word := words.get(metadata["op"])) and str(metadata["type"]).startswith("azuread:"):
            self.observed.told[metadata["op"]] += 1
            self._say(f"  {word:<8} {kind} {Urn(metadata['urn']).name}")

    def _diagnostic(self, diagnostic: Mapping[str, Any]) -> None:
        words = _plain(diagnostic.get("message", ""))
        if diagnostic.get("severity") == "info#err" and _NOT_IMPORTED.match(words):
            self._raised = words
        if diagnostic.get("severity") != "error":
            return
        urn = Urn(diagnostic.get("urn") or "")
        if _UNHANDLED.search(words):
            # Of a program that has told by itself what it ended by, unless it was killed or it
            # did not even begin.
            if self.observed.failures or not self._raised:
                return
            words = f"the Pulumi program does not start: {self._raised}"
        if not words or words in _SUMS:
            return
        name = "" if not urn or urn.kind == "pulumi:pulumi:Stack" else urn.name
        found = failure.classify(words, name, self._stack)
        failures = self.observed.failures
        is_first = all(each.kind.passes or not each.resource for each in failures)
        if found.kind is Kind.PERMANENT and name and is_first:
            self._stop()
        if found not in failures:
            failures.append(found)


def _plain(message: str) -> str:
    """Take the engine's colours out of a message."""
    return _MARKUP.sub("", message).strip().removeprefix("error:").strip()
