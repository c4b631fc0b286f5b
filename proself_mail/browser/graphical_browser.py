"""The person's web browser, where it has a window of its own."""

import webbrowser
from pathlib import PurePath

_OF_A_TERMINAL = frozenset({"www-browser", "links", "elinks", "lynx", "w3m"})
"""What `webbrowser` falls back to without a display. They run no scripts, which both the sign-in
and the setup sheet need, and would take over the terminal that the address is told in."""


def open_page(address: str) -> bool:
    """Open an address; say whether a browser took it."""
    try:
        chosen = webbrowser.get()
    except webbrowser.Error:
        return False
    if PurePath(getattr(chosen, "name", "")).name in _OF_A_TERMINAL:
        return False
    return chosen.open(address)  # `webbrowser.open` would go on to those where this one fails
