"""The parameters of a sign-in, in an address or a form."""

from collections import Counter
from urllib.parse import parse_qsl


def read(text: str) -> tuple[dict[str, str], str]:
    """Return the parameters, and the name of one that is there more than once; empty for none."""
    pairs = parse_qsl(text, keep_blank_values=True)
    counts = Counter(name for name, _ in pairs)
    return dict(pairs), next((name for name, count in counts.items() if count > 1), "")
