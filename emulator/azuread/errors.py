"""What can go wrong, and how the real plugin words it.

The bridge lists a provider's diagnostics as "1 error occurred:" with one star each; people and
programs that read an engine's output meet that form, so it is kept.
"""

from collections.abc import Sequence
from typing import Any


class PluginError(Exception):
    """The root: anything that is told to the engine as a failure."""


class RequestError(PluginError):
    """The request is not of the protocol, whatever the tenant would say to it."""


class ConfigurationError(PluginError):
    """The provider's configuration cannot work; one paragraph with cause and next step."""


class NoAnswerError(PluginError):
    """No answer came. `transient` says whether the same request may be sent again."""

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient


class DiagnosticError(PluginError):
    """A diagnostic: what was being done, and why it failed."""

    def __init__(self, summary: str, cause: object = None) -> None:
        text = summary if cause is None else f"{summary}: {cause}"
        super().__init__(text)
        self.listed = f"1 error occurred:\n\t* {text}\n\n"


class InitializationError(PluginError):
    """The object exists, but what had to follow failed: its state is kept with `reasons`."""

    def __init__(self, object_id: str, state: dict[str, Any], reasons: Sequence[str]) -> None:
        super().__init__(reasons[0])
        self.object_id = object_id
        self.state = state
        self.reasons = reasons
