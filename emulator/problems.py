"""The refusals of Graph and of Entra's sign-in: one constructor per error, status and code together.

Texts are Microsoft's where a source gives them; FIDELITY.md says which do not.
"""

from collections.abc import Mapping
from datetime import datetime

from emulator.store import Json


class GraphProblem(Exception):
    """A refusal in Graph's form: `{"error": {"code", "message", "innerError"}}`."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self, now: datetime, request_id: str, client_request_id: str) -> Json:
        """The body of the reply."""
        inner = {
            "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": client_request_id,
        }
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


def bad_request(message: str) -> GraphProblem:
    """400: the directory refuses a value."""
    return GraphProblem(400, "Request_BadRequest", message)


def bad_syntax(message: str) -> GraphProblem:
    """400: Graph's front refuses the request before the directory sees it."""
    return GraphProblem(400, "BadRequest", message)


def unsupported_query(message: str) -> GraphProblem:
    """400: a query option that this resource does not support, or not this way."""
    return GraphProblem(400, "Request_UnsupportedQuery", message)


def segment_not_found(segment: str) -> GraphProblem:
    """400: no such resource in Graph's schema."""
    return bad_syntax(f"Resource not found for the segment '{segment}'.")


def not_found(id_: str) -> GraphProblem:
    """404: no such object, or the replica does not have it yet."""
    return GraphProblem(
        404,
        "Request_ResourceNotFound",
        f"Resource '{id_}' does not exist or one of its queried reference-property objects "
        "are not present.",
    )


def method_not_allowed() -> GraphProblem:
    """405."""
    return GraphProblem(
        405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."
    )


def unauthenticated(message: str) -> GraphProblem:
    """401: no token, or one that Graph does not accept."""
    return GraphProblem(
        401,
        "InvalidAuthenticationToken",
        message,
        {
            "WWW-Authenticate": 'Bearer realm="", authorization_uri="{authority}/common/oauth2/authorize"'
        },
    )


def forbidden() -> GraphProblem:
    """403: the token lacks the permission, or its bearer does not own the object."""
    return GraphProblem(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    )


def duplicate(message: str) -> GraphProblem:
    """409: an object with the same key exists."""
    return GraphProblem(409, "Request_MultipleObjectsWithSameKeyValue", message)
