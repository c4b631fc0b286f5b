"""A stack's name, and what is called after it."""

LONGEST_STACK_NAME = 100
"""In characters (Pulumi, tokens.ParseStackName)."""


def short_name(stack: str) -> str:
    """Return a stack's name without organization and project, which the CLI takes as well."""
    return stack.rpartition("/")[2]


def is_stack_name(text: str) -> bool:
    """Say whether Pulumi takes this as a stack's short name (tokens.ParseStackName).

    One without a letter or digit, such as `..`, is none here: folders and files are named so.
    """
    is_plain = all(c.isascii() and (c.isalnum() or c in "-_.") for c in text)
    return is_plain and any(c.isalnum() for c in text) and len(text) <= LONGEST_STACK_NAME


def file_name(stack: str) -> str:
    """Return the name of the file that a stack's configuration lies in."""
    return f"Pulumi.{short_name(stack)}.yaml"
