"""Requests to Microsoft Graph, as the real plugin's client makes them.

Owns bearer tokens on requests, paging and the wording of errors. It knows no resource.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

from emulator.azuread.errors import PluginError
from emulator.azuread.retries import Retries
from emulator.azuread.transport import LoopbackTransport, Response, origin_of

USER_AGENT = "proself-mail stand-in for pulumi-resource-azuread/6.10.0"

_REPEATABLE = {"GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "PUT"}


class GraphError(PluginError):
    """Graph answered with a status that means failure.

    `text` is the code and message of its body, joined as the real client joins them.
    """

    def __init__(self, status: int, reason: str, text: str, body: bytes) -> None:
        shown = f"{status} ({status} {reason})" if reason else f"{status}"
        if text:
            message = f"unexpected status {shown} with error: {text}"
        elif body:
            message = f"unexpected status {shown} with response: {body.decode(errors='replace')}"
        else:
            message = f"unexpected status {shown} received with no body"
        super().__init__(message)
        self.status = status
        self.text = text

    def matches(self, pattern: str) -> bool:
        """Whether the error's text contains a match of a regular expression."""
        return re.search(pattern, self.text) is not None


# Decides whether an error only means that a reader is behind, and the request may succeed soon.
Retry: TypeAlias = Callable[[GraphError], bool]


class GraphClient:
    """Talks to one Graph; safe for use by many threads."""

    def __init__(
        self,
        transport: LoopbackTransport,
        base_url: str,
        token: Callable[[], str],
        retries: Retries,
    ) -> None:
        self.base_url = base_url
        self._transport = transport
        self._token = token
        self._retries = retries

    def get(self, path: str, *, version: str = "v1.0", select: str | None = None) -> Any:
        """Read one object."""
        query = {"$select": select} if select else {}
        return self._call("GET", self._url(version, path, query))

    def list(self, path: str, *, filter: str | None = None) -> Iterator[dict[str, Any]]:  # noqa: A002
        """Read all pages of a collection."""
        url: str | None = self._url("v1.0", path, {"$filter": filter} if filter else {})
        while url:
            if origin_of(urlsplit(url)) != origin_of(urlsplit(self.base_url)):
                raise PluginError(f"a page of {path} continues on another host, {url}")
            page = self._call("GET", url)
            yield from page.get("value", [])
            url = page.get("@odata.nextLink")

    def post(self, path: str, body: dict[str, Any], *, retry: Retry | None = None) -> Any:
        """Create something, or run an action."""
        return self._call("POST", self._url("v1.0", path), body, retry)

    def patch(self, path: str, body: dict[str, Any], *, retry: Retry | None = None) -> None:
        """Change an object."""
        self._call("PATCH", self._url("v1.0", path), body, retry)

    def delete(self, path: str) -> None:
        """Delete an object, or remove a reference."""
        self._call("DELETE", self._url("v1.0", path))

    def _url(self, version: str, path: str, query: dict[str, str] | None = None) -> str:
        # Ids of some objects end in "=" or contain "-" and "_": only what splits a URL is escaped.
        url = f"{self.base_url}/{version}{quote(path, safe='/$-_=.~')}"
        return f"{url}?{urlencode(query)}" if query else url

    def _call(
        self, method: str, url: str, body: dict[str, Any] | None = None, retry: Retry | None = None
    ) -> Any:
        answer = self._retries.answer(
            lambda: self._send(method, url, body),
            repeatable=method in _REPEATABLE,
            is_behind=(lambda seen: retry(_error(seen))) if retry else None,
        )
        if answer.status >= 300:
            raise _error(answer)
        return json.loads(answer.body) if answer.body else None

    def _send(self, method: str, url: str, body: dict[str, Any] | None) -> Response:
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {self._token()}",
            "User-Agent": USER_AGENT,
        }
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
            content = json.dumps(body).encode()
        return self._transport.send(method, url, headers=headers, body=content)


def _error(answer: Response) -> GraphError:
    return GraphError(answer.status, answer.reason, _error_text(answer.body), answer.body)


def _error_text(body: bytes) -> str:
    """Join code and message of an OData error; "" when the body is none."""
    try:
        content = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(content, dict):
        return ""
    error = content.get("error", content.get("odata.error"))
    texts = []
    while isinstance(error, dict):
        message = error.get("message")
        message = message.get("value") if isinstance(message, dict) else message
        texts += [part for part in (error.get("code"), message) if isinstance(part, str) and part]
        error = error.get("innerError")
    return ": ".join(texts)
