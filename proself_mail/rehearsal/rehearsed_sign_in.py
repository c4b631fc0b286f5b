"""The mailbox's user of a rehearsal: fills in the sign-in page's forms as a person would.

For the embedded tenant alone, whose password is nobody's. It knows HTML forms, not Entra: it types
account and password where a form asks for them, and presses on.
"""

import ssl
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

from proself_mail.secret import Secret

_MOST_PAGES = 8
_ACCOUNT, _PASSWORD = "login", "passwd"
"""Names of the fields on Microsoft's sign-in page, which the embedded tenant's has too."""


class _Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found = False
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form" and not self.found:
            self.found, self.action = True, attributes.get("action") or ""
        if attributes.get("type") in ("submit", "button", "image"):
            return  # a button that is not pressed is not sent; the first one is pressed by Enter
        if tag == "input" and (name := attributes.get("name")):
            self.fields.setdefault(name, attributes.get("value") or "")


def sign_in(address: str, mailbox: str, password: Secret, ca_file: str) -> None:
    """Go from the sign-in page to the end, where no form is left. Stops where it gets nowhere."""
    trusted = ssl.create_default_context(cafile=ca_file)
    typed = {_ACCOUNT: mailbox, _PASSWORD: password.reveal()}
    with httpx.Client(verify=trusted, trust_env=False, follow_redirects=True) as browser:
        page = browser.get(address)
        for _ in range(_MOST_PAGES):
            form = _Form(page.text)
            if not form.found:
                return
            entered = {name: typed.get(name, value) for name, value in form.fields.items()}
            page = browser.post(urljoin(str(page.url), form.action), data=entered)
            if page.status_code >= 400:
                return
