"""The setup sheet as HTML: one page that loads nothing, in Japanese and English at once.

The template, the style sheet and the script lie in `pages/`. The content security policy names both
by their hashes and allows nothing else, the same whether the page is served or lies in a file.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from proself_mail.secret import MASK, Secret
from proself_mail.sheet import local_time
from proself_mail.sheet.sheet import Kind, Sheet
from proself_mail.stack.client_secret import ClientSecret

_TEMPLATES = Environment(
    loader=PackageLoader("proself_mail.sheet", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect y='2' width='16' height='12' rx='2' fill='%231f4e8c'/%3E"
    "%3Cpath d='m2 5 6 4 6-4' fill='none' stroke='%23fff' stroke-width='1.5'/%3E%3C/svg%3E"
)
_UNBROKEN = re.compile(r"(\d+年\d+月\d+日\(.\)|\d+ [A-Z][a-z]+ \d{4}|\d\d:\d\d UTC[+\d:-]*)")
"""A day or an hour, as `local_time` writes them."""
_OPTION = re.compile(r"--[a-z]+")
_WITHIN_PATH = re.compile(r"(?<=[^/:]/)(?=[^/])")


@dataclass(frozen=True)
class Page:
    """A page, and the policy under which it is shown."""

    html: str
    policy: str


def served(sheet: Sheet, token: str) -> Page:
    """Write the page that asks this machine for the secret, by `token`."""
    return _page(sheet, "connect-src 'self'; frame-ancestors 'none'", token=token)


def covered(sheet: Sheet) -> Page:
    """Write the page as it looks when it is served; it has no secret, and asks nobody for one."""
    return _page(sheet, "")


def written(sheet: Sheet, secret: Secret | None) -> Page:
    """Write the page that stands alone; with the secret in it where that is given."""
    return _page(sheet, "", secret=secret, in_file=True)


def refusal(heading: tuple[str, str], text: tuple[str, str]) -> Page:
    """Write a page that is no sheet, in both languages."""
    style = _text("sheet.css")
    html = _TEMPLATES.get_template("refusal.html").render(
        style=style,
        heading=heading,
        text=[_literal(escape(each)) for each in text],
        icon=_ICON,
    )
    return Page(html, _policy(style, "", "frame-ancestors 'none'"))


def _page(
    sheet: Sheet,
    more: str,
    *,
    token: str = "",
    secret: Secret | None = None,
    in_file: bool = False,
) -> Page:
    style, script = _text("sheet.css"), _text("sheet.js")
    policy = _policy(style, script, more)
    html = _TEMPLATES.get_template("sheet.html").render(
        sheet=sheet,
        settings=sheet.settings,
        style=style,
        script=script,
        policy=policy if in_file else "",
        token=token,
        secret=secret.reveal() if secret else "",
        in_file=in_file,
        icon=_ICON,
        mask=MASK,
        Kind=Kind,
        earlier_ends=_ends(sheet.earlier),
        t=_both,
        date=_date,
        hour=local_time.hour,
        parts=_parts,
        whole=_whole,
    )
    return Page(html, policy)


def _text(name: str) -> str:
    return resources.files("proself_mail.sheet").joinpath("pages", name).read_text(encoding="utf-8")


def _policy(style: str, script: str, more: str) -> str:
    """Allow one style sheet and one script, and no address but what `more` says."""
    parts: Sequence[str] = (
        "default-src 'none'",
        f"style-src '{_hash(style)}'",
        *([f"script-src '{_hash(script)}'"] if script else []),
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        *([more] if more else []),
    )
    return "; ".join(parts)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _both(japanese: str, english: str, **values: object) -> Markup:
    """Write a text of the template in both languages, of which one is shown.

    `values` are escaped; the texts may hold elements.
    """
    return Markup('<span class="t" lang="ja">{}</span><span class="t" lang="en">{}</span>').format(
        _literal(japanese).format(**values),
        _literal(english).format(**values),
    )


def _literal(text: str) -> Markup:
    """Take a text of our own as it is, elements too; no option of a command breaks in it."""
    return Markup(_OPTION.sub(r'<span class="part">\g<0></span>', text))  # noqa: S704


def _date(instant: datetime) -> Markup:
    day = local_time.day(instant)
    return _both(day.ja, day.en)


def _ends(secrets: Sequence[ClientSecret]) -> tuple[Markup, Markup]:
    """Write in Japanese and English when some secrets end; to the hour, for it may be today's."""
    ends = [local_time.day_and_hour(each.expires) for each in secrets]
    return _whole("、".join(each.ja for each in ends)), _whole(", ".join(each.en for each in ends))


def _parts(word: str) -> Markup:
    """Write a word of a command; an option too long for a phone's line breaks between its parts."""
    if not word.startswith("-"):
        return escape(word)
    return Markup("<wbr>").join(map(_part, re.split("(?<=[a-z])(?=[A-Z])", word)))


def _whole(text: str) -> Markup:
    """Write a text in which no day and no hour breaks over two lines; a path breaks at a `/`."""
    pieces = _UNBROKEN.split(text)
    return Markup().join(
        _part(each) if at % 2 else Markup("<wbr>").join(_WITHIN_PATH.split(each))
        for at, each in enumerate(pieces)
    )


def _part(text: str) -> Markup:
    return Markup('<span class="part">{}</span>').format(text)
