"""Ids: how GUIDs are written, and those that Graph derives from others."""

import base64
import re
import uuid

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_guid(text: str) -> bool:
    """Whether a text is a GUID, in small letters or capitals."""
    return _GUID.fullmatch(text.lower()) is not None


def canonical(id_: str) -> str:
    """Return a GUID in small letters, as the directory keeps it, and any other id as it is."""
    return id_.lower() if is_guid(id_) else id_


def grant_id(client_id: str, resource_id: str, principal_id: str | None = None) -> str:
    """Return the id of a grant: base64url of the GUIDs of client, resource and user."""
    parts = [client_id, resource_id, *([principal_id] if principal_id else [])]
    raw = b"".join(uuid.UUID(part).bytes_le for part in parts)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def assignment_id(random_id: str, principal_id: str) -> str:
    """Return the id of an assignment: base64url of its principal's GUID and one of its own."""
    raw = uuid.UUID(principal_id).bytes_le + uuid.UUID(random_id).bytes_le
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
