"""What a stack gives after an `up`: its outputs, as the commands read them from its state.

The program exports them (`infra.outputs`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proself_mail.errors import ConfigurationError
from proself_mail.proself import ClientSecret
from proself_mail.secret import Secret
from proself_mail.state import State


@dataclass(frozen=True)
class Outputs:
    """What a stack gives after an `up`."""

    client_id: str
    tenant_id: str
    application_object_id: str
    service_principal_object_id: str
    identifier_uri: str
    redirect_uri: str
    consent_url: str
    config_file: str
    """Path of the Proself config file, or `none`."""
    client_secrets: tuple[ClientSecret, ...]
    """The newest last."""

    @property
    def newest(self) -> ClientSecret:
        """The secret for Proself."""
        return self.client_secrets[-1]


def outputs_of(found: State, name: str) -> Outputs:
    """Return the outputs in a state.

    Raises `ConfigurationError` where there are none: before the first `up`, and where a run was cut
    short.
    """
    try:
        return _outputs(found.outputs)
    except KeyError as error:
        again = f"`proself-mail up --stack {name}`"
        if not found.resources:
            raise ConfigurationError(
                f"The stack {name} has no output {error}: nothing has been set up yet.",
                f"{again}, then try again.",
            ) from error
        raise ConfigurationError(
            f"The stack {name} holds {', '.join(sorted(found.resources))}, and no output {error}: "
            "its last run did not come to its end.",
            f"{again} goes on from there and gives the outputs; then try again.",
        ) from error


def _outputs(found: Mapping[str, Any]) -> Outputs:
    secrets: Sequence[Mapping[str, str]] = found["clientSecrets"]
    return Outputs(
        client_id=found["clientId"],
        tenant_id=found["tenantId"],
        application_object_id=found["applicationObjectId"],
        service_principal_object_id=found["servicePrincipalObjectId"],
        identifier_uri=found["identifierUri"],
        redirect_uri=found["redirectUri"],
        consent_url=found["consentUrl"],
        config_file=found["configFile"],
        client_secrets=tuple(
            ClientSecret(
                window=secret["id"],
                key_id=secret["keyId"],
                starts=datetime.fromisoformat(secret["starts"]),
                expires=datetime.fromisoformat(secret["expires"]),
                value=Secret(secret["value"]),
            )
            for secret in secrets
        ),
    )
