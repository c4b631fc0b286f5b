"""A stack's file as Pulumi writes it, read without the Pulumi CLI.

The engine's own reading counts: it knows the project's values, secrets and Go's YAML. What
`plain_values` reads can have no other meaning to it, which spares a command a start of the CLI;
`values` is for a file whose stack there may not be any more.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

UNREADABLE = (OSError, ValueError, AttributeError, TypeError, RecursionError, yaml.YAMLError)
"""What is raised for a file that cannot be read, or is not what Pulumi writes."""

_ENGINES_OWN = frozenset({"config", "encryptedkey", "encryptionsalt", "secretsprovider"})
"""The keys of a file whose values are all its own: `environment` brings others in."""
_WORDS = re.compile(r"[^-+.~=<0-9].*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.DOTALL)
"""What is text without quotes to every YAML, once it is text to this one; and a UUID."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def document(path: Path) -> Mapping[str, Any]:
    """Return what a file says; nothing where there is none. Raises one of `UNREADABLE`."""
    try:
        found: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    return found


def values(path: Path, namespace: str) -> Mapping[str, object]:
    """Return the values under a namespace, by their keys; none without a file.

    Raises one of `UNREADABLE`.
    """
    entries = document(path).get("config") or {}
    split = {str(key).partition(":"): value for key, value in entries.items()}
    return {name: value for (space, _, name), value in split.items() if space == namespace}


def is_encrypted(value: object) -> bool:
    """Say whether a value, or anything in it, is one that `pulumi config set --secret` wrote."""
    if isinstance(value, dict):
        return value.keys() == {"secure"} or any(map(is_encrypted, value.values()))
    return isinstance(value, list) and any(map(is_encrypted, value))


def plain_values(text: str, namespace: str) -> Mapping[str, object] | None:
    """Return the values under a namespace, by their keys; None where only the engine can tell."""
    try:
        document = _plain(yaml.compose(text, Loader=yaml.SafeLoader), set())
        if not isinstance(document, dict) or not document.keys() <= _ENGINES_OWN:
            return None
        split = {tuple(key.split(":")): value for key, value in document["config"].items()}
    except (*UNREADABLE, KeyError):
        return None
    if any(len(key) != 2 or key[0] != namespace for key in split):
        return None
    return {name: value for (_, name), value in split.items()}


def _plain(node: yaml.Node | None, seen: set[int]) -> object:
    """Return what a node says; raises `ValueError` where YAML's dialects may differ about it.

    `seen` are the nodes so far: one that is named again could hold itself.
    """
    if id(node) in seen:
        raise ValueError
    seen.add(id(node))
    match node:
        case yaml.MappingNode():
            entries = [(_plain(key, seen), _plain(value, seen)) for key, value in node.value]
            found = {key: value for key, value in entries if isinstance(key, str)}
            if len(found) < len(entries) or "secure" in found:
                raise ValueError
            return found
        case yaml.SequenceNode():
            return [_plain(each, seen) for each in node.value]
        case yaml.ScalarNode(tag="tag:yaml.org,2002:str", value=value):
            if node.style or _WORDS.fullmatch(value):
                return str(value)
        case yaml.ScalarNode(tag="tag:yaml.org,2002:bool", style=None, value="true" | "false"):
            return node.value == "true"
        case yaml.ScalarNode(tag="tag:yaml.org,2002:int", style=None, value=value):
            if _NUMBER.fullmatch(value):
                return int(value)
    raise ValueError
