"""HTML for people: templates of `pages/`, in Japanese or English as the browser prefers.

Everything that goes into a page is escaped. No page runs a script, may be framed, is kept by the
browser, or loads anything from elsewhere.
"""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

_FOLDER = Path(__file__).parent / "pages"
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

NO_ICON = Route("/favicon.ico", lambda _: Response(status_code=204))
"""Browsers ask for it unasked, and a page without a complaint is what tests look for."""


class Look:
    """One style sheet, and the headers that allow it and nothing else."""

    def __init__(self, style_sheet: str) -> None:
        """Take the name of a file in `pages/`."""
        self.style = (_FOLDER / style_sheet).read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()
        self.headers = {
            "cache-control": "no-store",
            "content-security-policy": (
                f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
                "frame-ancestors 'none'"
            ),
            "referrer-policy": "no-referrer",
        }

    def page(
        self, template: str, *, language: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Render a template, which finds `t(japanese, english)` beside its values."""
        text = _TEMPLATES.get_template(template).render(
            style=self.style, language=language, t=_chooser(language), **values
        )
        return HTMLResponse(text, status, self.headers)


def language_of(request: Request) -> str:
    """Tell `ja` from `en`, whichever Accept-Language names first among its most wanted."""
    best, found = 0.0, "en"
    for part in request.headers.get("accept-language", "").split(","):
        name, _, parameters = part.strip().partition(";")
        language = name.partition("-")[0].lower()
        quality = _quality(parameters)
        if language in ("ja", "en") and quality > best:
            best, found = quality, language
    return found


def _quality(parameters: str) -> float:
    _, _, value = parameters.partition("q=")
    try:
        return float(value) if value else 1.0
    except ValueError:
        return 0.0


def _chooser(language: str) -> Callable[[str, str], str]:
    return lambda japanese, english: japanese if language == "ja" else english
