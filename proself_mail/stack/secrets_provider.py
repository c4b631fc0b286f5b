"""What encrypts a stack's secrets, as its file and its state tell of it.

An update encrypts by what the file names, without a word where that is not the state's: an old file
would undo `pulumi stack change-secrets-provider`. Whether something opens is the engine's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proself_mail.text.quotation import literal

_PASSPHRASE = "passphrase"  # noqa: S105
_KEY_SERVICE = "cloud"
_OF_THE_BACKEND = (None, "", "default", _PASSPHRASE)
"""What a file names where no key service's key encrypts: a passphrase, but for Pulumi Cloud."""


@dataclass(frozen=True)
class SecretsProvider:
    """One as it is told of."""

    kind: str = ""
    """The engine's name for it in a state; blank where nothing is told of it."""
    url: str = ""
    """The address of a key service's key."""
    data_key: str = ""
    """The stack's own key, which that one has encrypted; each change of provider makes another."""
    salt: str = ""
    """The `encryptionsalt` that a passphrase goes with."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of a stack's file that name it."""
        if self.kind == _KEY_SERVICE:
            return (f"secretsprovider: {self.url}", f"encryptedkey: {self.data_key}")
        return (f"encryptionsalt: {self.salt}",) if self.salt else ()

    @property
    def told(self) -> str:
        """What a person knows it as."""
        if self.kind == _KEY_SERVICE:
            return literal(self.url)
        return "a passphrase" if self.kind == _PASSPHRASE else "Pulumi Cloud"

    def is_other_than(self, kept: "SecretsProvider") -> bool:
        """Whether an update by this one, the file's, would surely change that of the state.

        Between two passphrases only the engine can tell.
        """
        if not self.kind or not kept.kind:
            return False
        if self.kind == kept.kind == _KEY_SERVICE:
            # An address may be written in more than one way, with the data key as it was.
            return (self.data_key or self.url) not in (kept.data_key, kept.url)
        # A file without a salt says nothing of the backend's own.
        return self.kind != kept.kind and (kept.kind == _KEY_SERVICE or bool(self.url or self.salt))


def of_file(document: Mapping[str, Any]) -> SecretsProvider:
    """Return what a stack's file names."""
    named = document.get("secretsprovider")
    if named not in _OF_THE_BACKEND:
        return SecretsProvider(_KEY_SERVICE, str(named), str(document.get("encryptedkey") or ""))
    return SecretsProvider(_PASSPHRASE, salt=str(document.get("encryptionsalt") or ""))


def of_state(deployment: Mapping[str, Any]) -> SecretsProvider:
    """Return what an exported deployment is encrypted by. Raises one of `state.UNREADABLE`."""
    told = deployment.get("secrets_providers") or {}
    own = told.get("state") or {}
    return SecretsProvider(
        told.get("type") or "",
        own.get("url") or "",
        own.get("encryptedkey") or "",
        own.get("salt") or "",
    )
