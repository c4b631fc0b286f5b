"""The stamp on what we make in a tenant: whose it is, what for, and until when.

It stands in the `tags` of the application and of its service principal. Project and stack names
repeat across backends and people, so the stack's own UUID decides, together with the object id;
never a name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from proself_mail.config.settings import Environment
from proself_mail.schedule import format_instant, parse_instant

PRODUCT_TAG = "proself-mail"
_STACK = f"{PRODUCT_TAG}:stack="
ENVIRONMENT_PREFIX = f"{PRODUCT_TAG}:environment="
_DELETE_AFTER = f"{PRODUCT_TAG}:deleteAfter="


@dataclass(frozen=True)
class Stamp:
    """What the tags of an object of ours say."""

    stack_id: UUID
    environment: Environment
    delete_after: datetime | None = None

    def tags(self) -> list[str]:
        """Write it as tags."""
        tags = [PRODUCT_TAG, stack_tag(self.stack_id), f"{ENVIRONMENT_PREFIX}{self.environment}"]
        if self.delete_after is not None:
            tags.append(f"{_DELETE_AFTER}{format_instant(self.delete_after)}")
        return tags


def stack_tag(stack_id: UUID) -> str:
    """Return the one tag by which a stack's objects are found."""
    return f"{_STACK}{stack_id}"


def read(tags: Iterable[str]) -> Stamp | None:
    """Return the stamp among an object's tags; none where it is missing, doubled or damaged."""
    found: dict[str, str] = {}
    for tag in tags:
        for prefix in (_STACK, ENVIRONMENT_PREFIX, _DELETE_AFTER):
            if tag.startswith(prefix):
                if prefix in found:
                    return None
                found[prefix] = tag.removeprefix(prefix)
    try:
        return Stamp(
            UUID(found[_STACK]),
            Environment(found[ENVIRONMENT_PREFIX]),
            parse_instant(found[_DELETE_AFTER]) if _DELETE_AFTER in found else None,
        )
    except (KeyError, ValueError):
        return None
