"""What a run leaves out on purpose, as by `pulumi up --target`, and what stays by that."""

import re
from collections.abc import Sequence

from infra import command

_TARGETS = ("--target", "--target-replace")
_EXCLUDE = "--exclude"
_EXCLUDE_DEPENDENTS = "--exclude-dependents"
_TRUE = frozenset({"", "1", "t", "T", "true", "TRUE", "True"})
"""What Go reads as true, and the value of a switch without one."""


def is_whole() -> bool:
    """Say whether nothing that is declared is left out of this run on purpose."""
    return not any(command.values(flag) for flag in (*_TARGETS, _EXCLUDE))


def keeps(urn: str, above: Sequence[str]) -> bool:
    """Say whether this run leaves in the state what the program does not declare so any more.

    `above` are the URNs of all that it depends on, and nothing depends on it. The engine decides
    (pulumi, pkg/resource/deploy/step_generator.go, `GenerateDeletes`): a target takes along what
    depends on it and leaves everything else; what is excluded stays alone, or with its dependents.
    """
    if targets := [each for flag in _TARGETS for each in command.values(flag)]:
        return not _match(targets, (urn, *above))
    with_dependents = any(each in _TRUE for each in command.values(_EXCLUDE_DEPENDENTS)[-1:])
    return _match(command.values(_EXCLUDE), (urn, *above) if with_dependents else (urn,))


def _match(targets: Sequence[str], urns: Sequence[str]) -> bool:
    """Say whether one of the URNs is meant, as the engine matches them (`UrnTargets`)."""
    return any(re.fullmatch(_pattern(target), urn) for target in targets for urn in urns)


def _pattern(target: str) -> str:
    segments = (map(re.escape, segment.split("*")) for segment in target.split("**"))
    return ".*".join("[^:]*".join(each) for each in segments)
