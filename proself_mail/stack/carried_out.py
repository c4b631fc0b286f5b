"""Whether what was made is what the stack's configuration says now.

Asked of the state, not of the tenant, by what shows a person values to enter or to keep.
"""

from proself_mail.config.settings import Settings
from proself_mail.errors import ConfigurationError
from proself_mail.stack.outputs import check_agreement, outputs_of
from proself_mail.stack.state import APPLICATION, CONSENT, State


def check(name: str, settings: Settings, state: State) -> None:
    """Raise `ConfigurationError` where a key was changed since the last `up` of a stack.

    So it does where outputs and resources of its state are not of the same.
    """
    outputs = outputs_of(state, name)
    check_agreement(state, name)
    pairs = {
        "server": (settings.redirect_uri, outputs.redirect_uri),
        "tenantId": (str(settings.tenant_id), outputs.tenant_id),
        "mailboxTenantId": (
            _elsewhere(str(settings.tenant_id), str(settings.mailbox_tenant)),
            _elsewhere(outputs.tenant_id, outputs.mailbox_tenant_id),
        ),
    }
    if application := state.resources.get(APPLICATION):
        made = application.outputs
        pairs["audience"] = (settings.audience.sign_in_audience, str(made.get("signInAudience")))
        pairs["displayName"] = (settings.display_name, str(made.get("displayName")))
        # It holds them by their ids in the tenant, so only how many there are can be compared.
        asked_for = [
            access
            for resource in made.get("requiredResourceAccesses") or ()
            for access in resource.get("resourceAccesses") or ()
        ]
        pairs["permissions"] = (str(len(settings.permissions)), str(len(asked_for)))
    consent = state.resources.get(CONSENT)
    pairs["consent"] = (str(settings.manages_grant), str(consent is not None))
    if consent and settings.manages_grant:
        given = consent.outputs.get("claimValues") or ()
        pairs["permissions"] = (" ".join(sorted(settings.permissions)), " ".join(sorted(given)))
    changed = [key for key, (wanted, found) in pairs.items() if wanted != found]
    if changed:
        raise ConfigurationError(
            f"The configuration of {name} was changed since its last `up` "
            f"({', '.join(changed)}), or a part of what it made was destroyed; the values would "
            "not be the application's.",
            f"`proself-mail up --stack {name}`, then try again.",
        )


def _elsewhere(tenant_id: str, mailbox_tenant_id: str) -> str:
    """Return the mailbox's tenant where it is another; blank where it goes with the application's.

    So that a `tenantId` that was changed is told by its own name alone.
    """
    return "" if mailbox_tenant_id == tenant_id else mailbox_tenant_id
