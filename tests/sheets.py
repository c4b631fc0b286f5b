"""Setup sheets of stacks that were never made: settings, outputs, and secrets of the tests' own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from proself_mail import sheet
from proself_mail.proself import ClientSecret
from proself_mail.secret import Secret
from proself_mail.settings import Settings
from proself_mail.sheet import Sheet
from proself_mail.stack import Outputs
from tests.unit.test_settings import TENANT, good

STACK = "contoso.production"
CLIENT = "c0ffee00-2222-3333-4444-555555555555"
NOW = datetime(2027, 4, 10, 3, tzinfo=UTC)
VALUE = "k8Q~notARealSecretValue_0123456789"


def client_secret(
    number: int = 1, value: str = VALUE, days_left: int = 171, now: datetime = NOW
) -> ClientSecret:
    return ClientSecret(
        window=f"{now - timedelta(days=10 - number):%Y%m%dT%H%M%SZ}",
        key_id=f"d0a6ab2c-0000-4000-8000-00000000000{number}",
        starts=now - timedelta(days=10 - number),
        expires=now + timedelta(days=days_left),
        value=Secret(value),
    )


def outputs_of(settings: Settings, secrets: Sequence[ClientSecret]) -> Outputs:
    return Outputs(
        client_id=CLIENT,
        tenant_id=TENANT,
        application_object_id="a0b1c2d3-0000-4000-8000-000000000001",
        service_principal_object_id="a0b1c2d3-0000-4000-8000-000000000002",
        identifier_uri=f"api://{CLIENT}",
        redirect_uri=settings.redirect_uri,
        consent_url=f"https://login.microsoftonline.com/{settings.mailbox_tenant}/adminconsent"
        f"?client_id={CLIENT}",
        config_file=f"out/{STACK}/proself.toml",
        client_secrets=tuple(secrets),
    )


def sheet_of(
    secrets: Sequence[ClientSecret] = (), *, now: datetime = NOW, **changes: object
) -> Sheet:
    settings = good(**changes)
    outputs = outputs_of(settings, secrets or [client_secret(now=now)])
    return sheet.of(STACK, settings, outputs, now)
