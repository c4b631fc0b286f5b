"""The refusals of Graph: one constructor per error, status and code together.

Texts are Microsoft's where a source gives them; FIDELITY.md says which do not.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from emulator.json_text import Json


class GraphError(Exception):
    """A refusal in Graph's form: `{"error": {"code", "message", "innerError"}}`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        inner: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.inner = dict(inner or {})

    def body(self, now: datetime, request_id: str, client_request_id: str) -> Json:
        """Build the body of the reply."""
        inner = self.inner | {
            "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": client_request_id,
        }
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


def bad_request(message: str) -> GraphError:
    """400: the directory refuses a value."""
    return GraphError(400, "Request_BadRequest", message)


def invalid_value(name: str, resource: str) -> GraphError:
    """400: a property that is missing where it must be given, or is not what it must be."""
    return bad_request(f"Invalid value specified for property '{name}' of resource '{resource}'.")


def read_only(name: str) -> GraphError:
    """400: a property that only the directory sets."""
    return bad_request(f"Property '{name}' is read-only and cannot be set.")


def unknown_property(name: str, type_name: str) -> GraphError:
    """400: a property that the type does not have."""
    return bad_syntax(
        f"The property '{name}' does not exist on type '{type_name}'. Make sure to only use "
        "property names that are defined by the type or mark the type as open type."
    )


def no_literal_of(type_name: str, text: object) -> GraphError:
    """400: a text that cannot be read as a value of another type, such as `Edm.Guid`."""
    return bad_syntax(f"Cannot convert the literal '{text}' to the expected type '{type_name}'.")


def duplicate_value() -> GraphError:
    """400: two in a collection have what only one may have."""
    return GraphError(400, "DuplicateValue", "Request contains a property with duplicate values.")


def unknown_parameter(name: str, operation: str) -> GraphError:
    """400: a parameter that an action does not have."""
    return bad_syntax(
        f"The parameter '{name}' in the request payload is not a valid parameter for the operation "
        f"'{operation}'."
    )


def missing_parameter(name: str, operation: str) -> GraphError:
    """400: an action without an argument that it needs."""
    return bad_request(
        f"One or more parameters of the operation '{operation}' are missing from the request "
        f"payload. The missing parameters are: {name}."
    )


def bad_syntax(message: str) -> GraphError:
    """400: Graph's front refuses the request before the directory sees it."""
    return GraphError(400, "BadRequest", message)


def unreadable_json() -> GraphError:
    """400: the body is no JSON, or cannot even be unpacked."""
    return bad_syntax(
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload "
        "is of valid JSON format."
    )


def untyped_body() -> GraphError:
    """400: a body, and nothing says what it is."""
    return bad_syntax(
        "Write requests (excluding DELETE) must contain the Content-Type header declaration."
    )


def uncontained() -> GraphError:
    """400: a write to what a relationship leads to, where only the reference can be written."""
    return bad_syntax(
        "Write requests are only supported on contained entities or navigation properties with "
        "bindings."
    )


def invalid_version() -> GraphError:
    """400: the path begins with no version of Graph's."""
    return bad_syntax("Invalid version.")


def unsupported_coding(coding: str) -> GraphError:
    """415: the body is compressed in a way that is not known."""
    return GraphError(
        415, "UnsupportedMediaType", f"The content encoding '{coding}' is not supported."
    )


def too_large() -> GraphError:
    """413."""
    return GraphError(413, "RequestEntityTooLarge", "The request body is too large.")


def unsupported_query(message: str) -> GraphError:
    """400: a query option that this resource does not support, or not this way."""
    return GraphError(400, "Request_UnsupportedQuery", message)


def segment_not_found(segment: str) -> GraphError:
    """400: no such resource in Graph's schema."""
    return bad_syntax(f"Resource not found for the segment '{segment}'.")


def invalid_identifier(id_: str) -> GraphError:
    """400: an object id that is no GUID."""
    return bad_request(f"Invalid object identifier '{id_}'.")


def not_found(id_: str) -> GraphError:
    """404: no such object, or the replica does not have it yet."""
    return GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{id_}' does not exist or one of its queried reference-property objects "
        "are not present.",
    )


def method_not_allowed(allowed: Iterable[str]) -> GraphError:
    """405, with the methods that are allowed (RFC 9110, 15.5.6)."""
    return GraphError(
        405,
        "Request_BadRequest",
        "Specified HTTP method is not allowed for the request target.",
        {"Allow": ", ".join(sorted(set(allowed)))},
    )


def unauthenticated(message: str) -> GraphError:
    """401: no token, or one that Graph does not accept."""
    return GraphError(401, "InvalidAuthenticationToken", message)


def forbidden() -> GraphError:
    """403: the token lacks the permission, or its bearer does not own the object."""
    return GraphError(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    )


def duplicate(message: str) -> GraphError:
    """409: an object with the same key exists."""
    return GraphError(409, "Request_MultipleObjectsWithSameKeyValue", message)


def concurrency_violation() -> GraphError:
    """409: two writes met."""
    return GraphError(
        409,
        "Directory_ConcurrencyViolation",
        "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.",
    )


def quota_exceeded() -> GraphError:
    """403: the caller made as many objects as it may, the recycle bin included."""
    return GraphError(
        403,
        "Directory_QuotaExceeded",
        "The directory object quota limit for the Principal has been exceeded. Please ask your "
        "administrator to increase the quota limit or delete objects to reduce the used quota.",
    )


def throttled(retry_after_seconds: int | None) -> GraphError:
    """429; some of Graph's come without Retry-After."""
    headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
    inner = {"code": "429", "message": "Please retry after", "status": "429"}
    return GraphError(429, "TooManyRequests", "Please retry again later.", headers, inner)


def server_error(status: int) -> GraphError:
    """500, 502, 503 or 504, with the code that Graph gives each."""
    code, message = {
        500: ("InternalServerError", "An internal server error occurred."),
        502: ("BadGateway", "Bad gateway."),
        503: ("ServiceUnavailable", "The service is temporarily unavailable."),
        504: ("GatewayTimeout", "The gateway timed out."),
    }[status]
    return GraphError(status, code, message)
