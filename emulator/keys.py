"""The key that signs tokens, and what is published of it. It lives as long as the process."""

import base64
import hashlib
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from emulator.store import Json

_ALGORITHM = "RS256"


class SigningKey:
    """One RSA key; Entra's tenants share theirs, and so do these."""

    def __init__(self) -> None:
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._private.public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = base64.urlsafe_b64encode(hashlib.sha256(der).digest()[:20]).decode().rstrip("=")
        numbers = public.public_numbers()
        self.published: Json = {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "alg": _ALGORITHM,
                    "kid": self.id,
                    "x5t": self.id,
                    "n": _base64url(numbers.n),
                    "e": _base64url(numbers.e),
                }
            ]
        }
        """The JSON Web Key Set."""

    def sign(self, claims: Json) -> str:
        """Sign claims as a JSON Web Token."""
        headers = {"kid": self.id, "x5t": self.id}
        return jwt.encode(claims, self._private, algorithm=_ALGORITHM, headers=headers)

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that this key signed, whatever they say.

        jwt.InvalidTokenError if it is malformed or another's. Times and audience are the caller's
        to judge, by the tenant's clock.
        """
        return jwt.decode(
            token,
            self._private.public_key(),
            algorithms=[_ALGORITHM],
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
            },
        )


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
