"""The parameters of a sign-in, in an address or a form."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from urllib.parse import parse_qsl

from emulator.history import Exchange
from emulator.sign_in.login_problems import missing_parameter

_HEADERS = BytesHeaderParser()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an endpoint of the sign-in was asked, as it came."""

    params: Mapping[str, str]
    tenant_name: str
    version: int
    """1 for the older endpoints, which have `resource`; 2 for `/v2.0`, which has `scope`."""
    exchange: Exchange

    def need(self, name: str) -> str:
        """Return a parameter that must be there. LoginError AADSTS900144 if not."""
        if not (value := self.params.get(name, "")):
            raise missing_parameter(name)
        return value


def read(text: str) -> tuple[dict[str, str], str]:
    """Return the parameters, and the name of one that is there more than once; empty for none."""
    return _once(parse_qsl(text, keep_blank_values=True))


def read_form(body: bytes, content_type: str) -> tuple[dict[str, str], str]:
    """Return the same of a form's body: `multipart/form-data`, or whatever else it is said to be.

    What is no form has no parameters.
    """
    if content_type.lower().startswith("multipart/form-data"):
        return _once(list(_parts(body, content_type)))
    return read(body.decode("utf-8", "replace"))


def _once(pairs: list[tuple[str, str]]) -> tuple[dict[str, str], str]:
    counts = Counter(name for name, _ in pairs)
    return dict(pairs), next((name for name, count in counts.items() if count > 1), "")


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, str]]:
    """Read the named parts of `multipart/form-data` (RFC 7578)."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    boundary = _HEADERS.parsebytes(head).get_boundary()
    if not boundary:
        return
    separator = b"\r\n--" + boundary.encode("latin-1", "replace")
    for part in (b"\r\n" + body).split(separator)[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        disposition = _HEADERS.parsebytes(head.lstrip())
        name = disposition.get_param("name", header="content-disposition")
        if isinstance(name, str):
            yield name, value.decode("utf-8", "replace")
