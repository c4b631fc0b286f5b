"""Writing the application's notes: the ledger, and what an update made them lose.

The azuread plugin sends all text fields with every update of the application and blanks the notes
then (docs/adr/0019). What stood there is read before the engine runs and kept in the update's
journal; here it comes back. What the ledger says is `ledger`'s.
"""

from collections.abc import Mapping
from dataclasses import replace

from proself_mail.entra.directory import ApplicationRecord, Directory, DirectoryError, Unreadable
from proself_mail.entra.ledger import Ledger, merged
from proself_mail.entra.patience import Patience
from proself_mail.text.quotation import quoted


async def write(
    directory: Directory,
    patience: Patience,
    application: ApplicationRecord,
    ledger: Ledger,
    earlier: str,
) -> ApplicationRecord:
    """Write a ledger into the notes, where they do not hold it; return the application with it.

    What people wrote is taken from `earlier`, the notes before, where there are none now.
    """
    if ledger.is_in(application.notes):
        return application
    return await _set(directory, patience, application, ledger.into(application.notes or earlier))


async def bring_back(
    directory: Directory,
    patience: Patience,
    application_id: str,
    earlier: str,
    forgotten: Mapping[str, str],
    key_ids: Mapping[str, str],
) -> ApplicationRecord:
    """Write what the notes held before an update, together with what they hold now.

    Of the secrets that the state knew, `forgotten` are the key ids that it does not know any more,
    by their windows, `key_ids` the others. Returns the application with it. It is written even
    where a reader shows that all is there: it may trail behind the engine's write.
    """
    application = await patience.told(lambda: directory.application(application_id))
    text = merged(application.notes, earlier)
    made = {key: window for window, key in {**forgotten, **key_ids}.items()}
    ledger, damaged = Ledger.known(text, made)
    if not damaged:  # what nobody can read is given back as it was
        there = {each.key_id for each in application.passwords}
        text = ledger.keeping(frozenset({*there, *key_ids.values()})).into(text)
    return await _set(directory, patience, application, text)


async def _set(
    directory: Directory, patience: Patience, application: ApplicationRecord, text: str
) -> ApplicationRecord:
    try:
        await patience.told(lambda: directory.set_notes(application.object_id, text))
    except DirectoryError as error:
        # How much an application's notes hold is documented nowhere, so it is not looked at before.
        if error.status == 400 and not isinstance(error, Unreadable):  # as a proxy's page is
            error.next_step = (
                f"They would be {len(text)} characters with the line that this program keeps in "
                "them. Shorten the application's internal notes (Entra → App registrations → "
                f"{quoted(application.display_name)}), then try again."
            )
        raise
    return replace(application, notes=text)
