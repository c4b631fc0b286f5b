"""What stands in an access token, to tell a person: nothing is verified, and nothing granted by it.

Microsoft reserves its form; who reads it goes on without what cannot be read, or says so.
"""

import base64
from collections.abc import Mapping
from typing import Any

from proself_mail import json_text


def read(token: str) -> Mapping[str, Any]:
    """Return a JWT's claims. Raises `ValueError` for what is none."""
    payload = token.partition(".")[2].partition(".")[0]
    claims = json_text.read(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if not isinstance(claims, dict):
        raise ValueError("no JWT: its payload is no object")
    return claims
