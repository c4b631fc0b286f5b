"""`proself-mail explain`: what a person pastes, told apart and explained.

An SMTP reply, a message with an AADSTS number, or the address of a sign-in page. Reads at most the
stack's own state; asks neither Entra nor Exchange.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proself_mail.config.settings import Audience, Settings
from proself_mail.diagnosis import sign_in_address
from proself_mail.diagnosis.diagnosis import Diagnosis, diagnose_all
from proself_mail.diagnosis.refusal import Names
from proself_mail.diagnosis.sign_in_address import Expected
from proself_mail.errors import ConfigurationError
from proself_mail.stack.outputs import Outputs


@dataclass(frozen=True)
class Explanation:
    """What was pasted, explained."""

    asked: Mapping[str, str]
    """What a sign-in address asks for; empty for a message."""
    diagnoses: Sequence[Diagnosis]
    """The last of a text first; none where an address is as it should be."""

    @property
    def exit_code(self) -> int:
        """0 explained, 1 an address that will be refused, 4 unknown; of several, of the first."""
        if self.diagnoses and not self.diagnoses[0].known:
            return 4
        return 1 if self.asked and self.diagnoses else 0


def explain(text: str, expected: Expected | None = None) -> Explanation:
    """Explain a text. Raises `ConfigurationError` where there is none."""
    text = text.strip()
    if not text:
        raise ConfigurationError(
            "There is nothing to explain.",
            "Give the message, the SMTP reply or the address as an argument in quotes, or on "
            "standard input.",
        )
    names = expected.names if expected else None
    address, rest = sign_in_address.find(text) or ("", text)
    found = diagnose_all(rest, names)
    if address and not found[0].known:
        reading = sign_in_address.read(address, expected)
        return Explanation(reading.asked, reading.findings)
    return Explanation({}, found)


def names_of(stack: str, settings: Settings, outputs: Outputs) -> Names:
    """Return what a stack calls the things that a fix speaks of."""
    return Names(
        mailbox=settings.mailbox,
        stack=stack,
        client_id=outputs.client_id,
        tenant_id=str(settings.mailbox_tenant),
        redirect_uri=settings.redirect_uri,
        consent_url=outputs.consent_url,
        permissions=settings.permissions,
        manages_grant=settings.manages_grant,
    )


def expected_of(stack: str, settings: Settings, outputs: Outputs) -> Expected:
    """Return what a stack expects of Proself's sign-in."""
    return Expected(
        names=names_of(stack, settings, outputs),
        authority=outputs.consent_url.partition(f"/{outputs.mailbox_tenant_id}/")[0],
        single_tenant=settings.audience is Audience.SINGLE,
        tenants=frozenset({str(settings.tenant_id), str(settings.mailbox_tenant)}),
    )
