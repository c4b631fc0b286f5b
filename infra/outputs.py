"""What the program gives back: the stack's outputs, and the Proself config file.

The file is written at the very end, when every resource has its outputs, and only when a change is
carried out. Under `proself-mail up` it is written there, after proof.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi

from infra import operation
from infra.made import Made
from proself_mail.config.settings import Settings
from proself_mail.entra.target import Target
from proself_mail.proself import proself_file
from proself_mail.proself.proself import ProselfConfig
from proself_mail.schedule import format_instant, vanishing
from proself_mail.secret import Secret
from proself_mail.stack import output_names
from proself_mail.stack.client_secret import ClientSecret

if TYPE_CHECKING:  # it brings the provider's SDK, for which `__main__` finds a better time
    from infra.mail_app import MailApp

T = TypeVar("T")
_PROJECT_ROOT = Path(__file__).resolve().parent.parent


def export(
    app: "MailApp",
    settings: Settings,
    target: Target,
    made: Made | None,
    now: datetime,
) -> None:
    """Export the stack's outputs; have the config file written when all is made.

    `made` is what was there before, where that was looked at.
    """
    client_id = app.application.client_id
    secrets = [
        pulumi.Output.all(
            id=window.id,
            keyId=password.key_id,
            starts=format_instant(window.starts),
            expires=format_instant(window.expires),
            value=password.value,
        )
        for window, password in app.secrets.items()
    ]
    those_made: pulumi.Output[list[Any]] = pulumi.Output.all(*map(_where_made, secrets)).apply(
        lambda found: [each for each in found if each is not None]
    )
    all_secrets: pulumi.Output[list[Any]] = pulumi.Output.secret(those_made)
    config_file = settings.config_file_path(pulumi.get_stack(), _PROJECT_ROOT)

    consent_url = client_id.apply(lambda client: _consent_url(target, settings, client))
    pulumi.export(output_names.CLIENT_ID, _where_made(client_id))
    pulumi.export(output_names.TENANT_ID, str(settings.tenant_id))
    pulumi.export(output_names.APPLICATION_OBJECT_ID, _where_made(app.application.object_id))
    pulumi.export(
        output_names.SERVICE_PRINCIPAL_OBJECT_ID, _where_made(app.service_principal.object_id)
    )
    pulumi.export(output_names.IDENTIFIER_URI, _where_made(app.identifier_uri.identifier_uri))
    pulumi.export(output_names.REDIRECT_URI, settings.redirect_uri)
    pulumi.export(output_names.CONSENT_URL, _where_made(consent_url))
    pulumi.export(
        output_names.CLIENT_SECRET,
        all_secrets.apply(lambda found: found[-1]["value"] if found else None),
    )
    pulumi.export(output_names.CLIENT_SECRETS, all_secrets)
    pulumi.export(output_names.CONFIG_FILE, settings.config_file_shown(pulumi.get_stack()))

    # A part-update by an older stack file keeps secrets of which that file knows nothing.
    is_older = made is not None and vanishing(made.ends, settings.entries, now)
    writes = operation.applies_changes() and not operation.is_under_proself_mail_up()
    if config_file and writes and not is_older:
        done = [app.identifier_uri.id, app.service_principal.id, client_id, all_secrets]
        if app.consent:
            done.append(app.consent.id)
        pulumi.Output.all(*done).apply(lambda found: _write(config_file, settings, found))


def _where_made(output: pulumi.Output[T]) -> pulumi.Output[T | None]:
    """Return an output, or nothing where this run leaves out what it is of; a preview shows it.

    The engine answers for what a part-update (`--target`, `--exclude`) does not make that it is not
    known. Exported, that would be kept for a value, and one new secret would hide all the others.
    """
    shows_all = pulumi.runtime.is_dry_run()
    is_known: pulumi.Output[bool] = pulumi.Output.from_input(output.is_known())
    return is_known.apply(lambda made: output if made or shows_all else None)


def check_config_file(settings: Settings) -> None:
    """Refuse a config file that could not be written, before anything is registered."""
    stack = pulumi.get_stack()
    path = settings.config_file_path(stack, _PROJECT_ROOT)
    if path and operation.applies_changes():
        with operation.without_traceback():
            proself_file.check_writable(path, settings, proself_file.another_place(stack))


def _consent_url(target: Target, settings: Settings, client_id: str) -> str:
    """Where an administrator of the mailbox's tenant consents to the application.

    The short form, which is documented without a redirect URI; Proself's callback is not made for
    the answer (Microsoft, admin consent endpoint, 2026-11-23). The browser seems to be sent to a
    registered one all the same (dotnet/aspnetcore#55910); which, where there are two, nobody says.
    """
    return f"{target.authority}/{settings.mailbox_tenant}/adminconsent?client_id={client_id}"


def _write(path: Path, settings: Settings, made: Sequence[Any]) -> None:
    _, _, client_id, secrets = made[:4]
    if not secrets:  # left out of this run
        return
    newest: Mapping[str, Any] = secrets[-1]
    secret = ClientSecret(
        window=newest["id"],
        key_id=newest["keyId"],
        starts=datetime.fromisoformat(newest["starts"]),
        expires=datetime.fromisoformat(newest["expires"]),
        value=Secret(newest["value"]),
    )
    with operation.without_traceback():
        elsewhere = proself_file.another_place(pulumi.get_stack())
        proself_file.write(path, ProselfConfig.of(settings, client_id, secret), elsewhere)
