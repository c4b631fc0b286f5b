"""What a stack gives after an `up`: its outputs, as the commands read them from its state.

The program exports them (`infra.outputs`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from proself_mail.config.mending import lost_from_state
from proself_mail.errors import CheckFailed, ConfigurationError, sentence
from proself_mail.schedule import format_instant
from proself_mail.secret import Secret
from proself_mail.stack import output_names
from proself_mail.stack.client_secret import ClientSecret
from proself_mail.stack.foreign import renamed
from proself_mail.stack.state import TOLD_IDS, State, client_secrets_told


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

    @property
    def mailbox_tenant_id(self) -> str:
        """The mailbox's tenant at the last `up`, whose administrator consents at `consent_url`."""
        return urlsplit(self.consent_url).path.removeprefix("/").partition("/")[0]


def outputs_of(found: State, name: str) -> Outputs:
    """Return the outputs in a state. Raises `ConfigurationError` where they are not all there.

    They are not before the first `up`, where a run was cut short, and where a part-update left out
    what they are of.
    """
    again = f"`proself-mail up --stack {name}`"
    if not found.outputs and not found.resources:
        raise ConfigurationError(
            f"The stack {name} has no outputs: nothing has been set up yet, or nothing of it was "
            "written to the backend.",
            f"{again} sets it up, or goes on from what a run has left; then try again.",
        )
    if not found.outputs:
        raise ConfigurationError(
            f"The stack {name} holds {', '.join(sorted(found.resources))}, and no outputs: its "
            "last run did not come to its end.",
            f"{again} goes on from there and gives the outputs; then try again.",
        )
    try:
        return _outputs(found.outputs)
    except (KeyError, TypeError, ValueError):
        # Without the error: it may hold a secret.
        raise ConfigurationError(
            f"The outputs of the stack {name} are incomplete: a part-update (`--target`, "
            "`--exclude`) left some of them out.",
            f"{again}, then try again.",
        ) from None


def check_newest(found: Outputs, name: str, now: datetime) -> None:
    """Raise `CheckFailed` where the newest secret has ended: nobody should enter it in Proself."""
    ended = found.newest.expires
    if ended <= now:
        raise CheckFailed(
            f"The newest client secret of {name} ended at {format_instant(ended)}: Proself could "
            "not sign in with it.",
            f"`proself-mail rotate --stack {name}` makes the next one, then try again.",
        )


def are_secrets_told(state: State) -> bool:
    """Say whether the outputs have just the client secrets that the state's resources are.

    A part-update by an older stack file leaves out what that does not declare, and an update that
    was cut short has not told the newest yet: what is pasted then is not what is booked. True where
    it cannot be said: the outputs are covered, or not there.
    """
    told = _told(state)
    return told is None or told == {*state.key_ids.values()}


def check_agreement(state: State, name: str) -> None:
    """Raise `ConfigurationError` where outputs and resources of a state are not of the same."""
    if misnamed := [each for each in state.foreign if each.own_name]:
        shown = ", ".join(f"the {each.own_name} as {each.name}" for each in misnamed)
        raise ConfigurationError(
            f"The state of the stack {name} knows {shown}.", sentence(renamed(name, misnamed))
        )
    known = {each.graph_id for each in state.resources.values()}
    lost = [
        f"the {made.replace('-', ' ')} {told}"
        for key, made in TOLD_IDS.items()
        if isinstance(told := state.outputs.get(key), str) and told not in {*known, _UNKNOWN}
    ]
    secrets = _told(state) or frozenset()
    if lost := [*lost, *map(_secret, sorted(secrets - known))]:
        raise ConfigurationError(
            f"The outputs of the stack {name} tell of what its state does not hold: "
            f"{', '.join(lost)}. It was taken out of the state, or a part of the stack destroyed.",
            lost_from_state(name),
        )
    if untold := ", ".join(map(_secret, sorted({*state.key_ids.values()} - secrets))):
        raise ConfigurationError(
            f"The outputs of the stack {name} lack what its state holds: {untold}. An update was "
            "cut short, or it was a part-update (`--target`, `--exclude`) made with another stack "
            "file.",
            f"`proself-mail up --stack {name}` completes them.",
        )


def _told(state: State) -> frozenset[str] | None:
    """Return the key ids of the client secrets in the outputs; None where those are covered."""
    found = client_secrets_told(state.outputs)
    return None if found is None else frozenset(str(each.get("keyId")) for each in found)


def _secret(key_id: str) -> str:
    return f"the client secret {key_id}"


def _outputs(found: Mapping[str, Any]) -> Outputs:
    """Read them. Raises `KeyError`, `TypeError` or `ValueError` where they are not all there."""
    secrets = found[output_names.CLIENT_SECRETS]
    if not isinstance(secrets, list) or not secrets:
        raise TypeError
    return Outputs(
        client_id=_text(found, output_names.CLIENT_ID),
        tenant_id=_text(found, output_names.TENANT_ID),
        application_object_id=_text(found, output_names.APPLICATION_OBJECT_ID),
        service_principal_object_id=_text(found, output_names.SERVICE_PRINCIPAL_OBJECT_ID),
        identifier_uri=_text(found, output_names.IDENTIFIER_URI),
        redirect_uri=_text(found, output_names.REDIRECT_URI),
        consent_url=_text(found, output_names.CONSENT_URL),
        config_file=_text(found, output_names.CONFIG_FILE),
        client_secrets=tuple(
            ClientSecret(
                window=_text(secret, "id"),
                key_id=_text(secret, "keyId"),
                starts=datetime.fromisoformat(secret["starts"]),
                expires=datetime.fromisoformat(secret["expires"]),
                value=Secret(_text(secret, "value")),
            )
            for secret in secrets
        ),
    )


_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What Pulumi keeps for the value of an output that it does not know."""


def _text(found: Mapping[str, Any], key: str) -> str:
    text = found[key]
    if not isinstance(text, str) or text == _UNKNOWN:
        raise TypeError
    return text
