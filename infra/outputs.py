"""What the program gives back: the stack's outputs, and the Proself config file.

The file is written at the very end, when every resource has its outputs, and only when a change is
carried out. Under `proself-mail up` it is written there, after proof.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from infra import operation
from proself_mail import proself
from proself_mail.proself import ClientSecret, ProselfConfig
from proself_mail.schedule import format_instant
from proself_mail.secret import Secret
from proself_mail.settings import Settings
from proself_mail.target import Target

if TYPE_CHECKING:  # it brings the provider's SDK, for which `__main__` finds a better time
    from infra.mail_app import MailApp

_PROJECT_ROOT = Path(__file__).resolve().parent.parent


def export(app: "MailApp", settings: Settings, target: Target) -> None:
    """Export the stack's outputs; have the config file written when all is made."""
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
    every_secret: pulumi.Output[list[Any]] = pulumi.Output.all(*secrets)
    all_secrets: pulumi.Output[list[Any]] = pulumi.Output.secret(every_secret)
    config_file = settings.config_file_path(pulumi.get_stack(), _PROJECT_ROOT)

    pulumi.export("clientId", client_id)
    pulumi.export("tenantId", str(settings.tenant_id))
    pulumi.export("applicationObjectId", app.application.object_id)
    pulumi.export("servicePrincipalObjectId", app.service_principal.object_id)
    pulumi.export("identifierUri", app.identifier_uri.identifier_uri)
    pulumi.export("redirectUri", settings.redirect_uri)
    pulumi.export(
        "consentUrl", client_id.apply(lambda client: _consent_url(target, settings, client))
    )
    pulumi.export("clientSecret", all_secrets.apply(lambda found: found[-1]["value"]))
    pulumi.export("clientSecrets", all_secrets)
    pulumi.export("configFile", settings.config_file_shown(pulumi.get_stack()))

    if config_file and operation.applies_changes() and not operation.is_under_proself_mail_up():
        made = [app.identifier_uri.id, app.service_principal.id, client_id, all_secrets]
        if app.consent:
            made.append(app.consent.id)
        pulumi.Output.all(*made).apply(lambda found: _write(config_file, settings, found))


def check_config_file(settings: Settings) -> None:
    """Refuse a config file that could not be written, before anything is registered."""
    path = settings.config_file_path(pulumi.get_stack(), _PROJECT_ROOT)
    if path and operation.applies_changes():
        with operation.without_traceback(pulumi.get_stack()):
            proself.check_writable(path, settings)


def _consent_url(target: Target, settings: Settings, client_id: str) -> str:
    """Where an administrator of the mailbox's tenant consents to the application.

    The short form, which is documented without a redirect URI; Proself's callback is not made for
    the answer (Microsoft, admin consent endpoint, 2026-11-23). The browser seems to be sent to a
    registered one all the same (dotnet/aspnetcore#55910); which, where there are two, nobody says.
    """
    return f"{target.authority}/{settings.mailbox_tenant}/adminconsent?client_id={client_id}"


def _write(path: Path, settings: Settings, made: Sequence[Any]) -> None:
    _, _, client_id, secrets = made[:4]
    newest: Mapping[str, Any] = secrets[-1]
    secret = ClientSecret(
        window=newest["id"],
        key_id=newest["keyId"],
        starts=datetime.fromisoformat(newest["starts"]),
        expires=datetime.fromisoformat(newest["expires"]),
        value=Secret(newest["value"]),
    )
    with operation.without_traceback(pulumi.get_stack()):
        proself.write(path, ProselfConfig.of(settings, client_id, secret))
