"""Decisions and identifiers that a seed reproduces.

Each is derived from a hash of the seed and of what is being decided, never drawn from one stream:
requests arrive in another order every time, and a stream would then decide otherwise.

Secrets do not come from here; they come from the system's random source.
"""

import hashlib
import uuid
from collections import Counter


def fraction(seed: int, *what: object) -> float:
    """Return a number in [0, 1) that depends on `seed` and `what` alone."""
    digest = hashlib.sha256(repr((seed, *what)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


class Ids:
    """Object ids: version 4 UUIDs that depend on the seed and the count of earlier ones."""

    def __init__(self, seed: int, *scope: object) -> None:
        self._seed = seed
        self._scope = scope
        self._counts: Counter[str] = Counter()

    def new(self, what: str) -> str:
        """Return the next id of the kind of thing that `what` names."""
        self._counts[what] += 1
        key = repr((self._seed, *self._scope, what, self._counts[what]))
        return str(uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))
