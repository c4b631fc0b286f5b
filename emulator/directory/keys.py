"""The key that signs tokens, and what is published of it. It lives as long as the process."""

import base64
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from emulator.json_text import Json

_ALGORITHM = "RS256"
_KEPT_TOKENS = 256
_BEGINS, _ENDS = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class SigningKey:
    """One RSA key; Entra's tenants share theirs, and so do these."""

    def __init__(self) -> None:
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        # A client sends the same token with each request, and reading it takes half of an answer.
        self._verified = lru_cache(_KEPT_TOKENS)(self._verify)
        certificate = _certificate(self._private)
        self.id = _base64url(certificate.fingerprint(hashes.SHA1()))  # noqa: S303 (RFC 7517, 4.8)
        der = certificate.public_bytes(Encoding.DER)
        numbers = self._private.public_key().public_numbers()
        self.published: Json = {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "alg": _ALGORITHM,
                    "kid": self.id,
                    "x5t": self.id,
                    "n": _number(numbers.n),
                    "e": _number(numbers.e),
                    "x5c": [base64.b64encode(der).decode()],
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
        return dict(self._verified(token))

    def _verify(self, token: str) -> dict[str, Any]:
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


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    """Sign the key by itself: some clients read it from a certificate. It outlives any clock."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proself-mail embedded tenant")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGINS)
        .not_valid_after(_ENDS)
        .sign(key, hashes.SHA256())
    )


def _number(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
