"""How an `up` ended, told."""

from collections.abc import Iterator

from proself_mail.schedule import format_instant
from proself_mail.update.converge import Done

_OPERATIONS = {
    "create": "made",
    "update": "changed",
    "import": "adopted",
    "replace": "replaced",
    "delete": "forgotten",  # all that `infra` ever takes out of a state by an update, it retains
}


def done(update: Done) -> Iterator[str]:
    """Say how an update ended."""
    changed = ", ".join(
        f"{count} {_OPERATIONS[operation]}"
        for operation, count in update.changes.items()
        if operation in _OPERATIONS
    )
    yield f"Proven: {changed or 'nothing had to change'}, and the newest client secret signs in."
    yield from (f"Note: {report}." for report in update.reports)
    newest = update.outputs.newest
    yield f"Client ID {update.outputs.client_id}, tenant {update.outputs.tenant_id}."
    yield f"The client secret ends at {format_instant(newest.expires)}."
    if update.is_consented is None:
        yield f"Unless an administrator has consented, one has to: {update.outputs.consent_url}"
    elif not update.is_consented:
        yield f"An administrator has not consented yet, and has to: {update.outputs.consent_url}"
    if update.config_file:
        yield f"For Proself: {update.config_file}"
