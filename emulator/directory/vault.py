"""Every secret value the tenants ever issued, apart from the objects that Graph shows.

Client secrets are kept by key id, passwords by user id; all of them, tokens and codes included, are
remembered so that a test can look for them where they must not be.
"""

import hmac
import re
import secrets
from functools import cache
from typing import Any
from urllib.parse import unquote

from emulator.history import MASK

_WORD = re.compile(r"[\w~.-]{12,}")
"""What a secret, a password or a code is in a text; tokens are masked by their form."""

_SECRET_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + "~._-"


class Vault:
    """Secret values; nothing here is ever shown by Graph a second time."""

    def __init__(self) -> None:
        self._by_key: dict[str, str] = {}
        self._issued: dict[str, None] = {}
        self._lengths: set[int] = set()

    def new_client_secret(self) -> str:
        """Forty characters as Entra makes them: letters, digits, `~`, `.`, `_`, `-`."""
        head = "".join(secrets.choice(_SECRET_CHARACTERS[:62]) for _ in range(3))
        return head + "".join(secrets.choice(_SECRET_CHARACTERS) for _ in range(37))

    def keep(self, key_id: str, value: str) -> None:
        """Remember the value under the id of a credential or user."""
        self._by_key[key_id] = value
        self.note(value)

    def note(self, value: str) -> None:
        """Remember a token or code that was handed out."""
        self._issued[value] = None
        if _WORD.fullmatch(value):
            self._lengths.add(len(value))

    def matches(self, key_id: str, value: str) -> bool:
        """Whether `value` is the secret under that id."""
        kept = self._by_key.get(key_id)
        return kept is not None and hmac.compare_digest(kept.encode(), value.encode())

    def hide(self, value: Any) -> Any:
        """Return the same JSON with every value of ours masked, wherever in a text it stands."""
        hidden = cache(self._hidden)  # names and ids come again and again

        def walk(value: Any) -> Any:
            if isinstance(value, dict):
                return {hidden(name): walk(inner) for name, inner in value.items()}
            if isinstance(value, list):
                return [walk(inner) for inner in value]
            return hidden(value) if isinstance(value, str) else value

        return walk(value)

    def _hidden(self, text: str) -> str:
        if "%" in text and self._in(unquote(text)) and not self._in(text):
            return MASK
        return _WORD.sub(lambda word: MASK if self._in(word[0]) else word[0], text)

    def _in(self, text: str) -> bool:
        """Say whether one of ours is in a text, marks of the sentence around it included."""
        return any(
            word[start : start + length] in self._issued
            for word in _WORD.findall(text)
            for length in self._lengths
            for start in range(len(word) - length + 1)
        )

    def issued(self) -> list[str]:
        """Every secret value handed out or set, oldest first."""
        return list(self._issued)
