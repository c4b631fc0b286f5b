"""A number of things in a sentence."""


def quantity(count: int, thing: str) -> str:
    """Return "1 client secret" or "2 client secrets"; `thing` is one that takes an s."""
    return f"{count} {thing}{'s' * (count != 1)}"
