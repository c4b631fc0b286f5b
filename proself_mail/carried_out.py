"""Whether what was made is what the stack's configuration says now.

Asked of the state, not of the tenant, by what shows a person values to enter or to keep.
"""

from proself_mail.errors import ConfigurationError
from proself_mail.settings import Settings
from proself_mail.stack import outputs_of
from proself_mail.state import APPLICATION, CONSENT, State


def check(name: str, settings: Settings, state: State) -> None:
    """Raise `ConfigurationError` where a key was changed since the last `up` of a stack."""
    outputs = outputs_of(state, name)
    pairs = {
        "server": (settings.redirect_uri, outputs.redirect_uri),
        "tenantId": (str(settings.tenant_id), outputs.tenant_id),
    }
    if application := state.resources.get(APPLICATION):
        made = application.outputs
        pairs["audience"] = (settings.audience.sign_in_audience, str(made.get("signInAudience")))
        pairs["displayName"] = (settings.display_name, str(made.get("displayName")))
    if settings.manages_grant:
        consent = state.resources.get(CONSENT)
        given = (consent.outputs.get("claimValues") or ()) if consent else ()
        key = "permissions" if consent else "consent"
        pairs[key] = (" ".join(sorted(settings.permissions)), " ".join(sorted(given)))
    changed = [key for key, (wanted, found) in pairs.items() if wanted != found]
    if changed:
        raise ConfigurationError(
            f"The configuration of {name} was changed since its last `up` "
            f"({', '.join(changed)}): what was made does not fit it.",
            f"`proself-mail up --stack {name}`, then try again.",
        )
