"""Whether a client secret signs in, and what Entra says if not."""

from dataclasses import dataclass
from datetime import timedelta

from proself_mail.entra.target import Target
from proself_mail.entra.token_request import first_line, options, passes_in, token
from proself_mail.secret import Secret
from proself_mail.stack import failure

_LAGGING = (
    "AADSTS7000215",  # a secret that is wrong, or that it does not know yet
    "AADSTS700016",  # the same of the application
    "AADSTS7000229",  # of its service principal
)


@dataclass(frozen=True)
class SignInRefusal:
    """What came instead of a token."""

    said: str
    """Without an AADSTS number in it there was no answer of Entra's."""
    left_alone: timedelta = timedelta()
    """How long the tenant is not to be asked again."""

    @property
    def passes(self) -> bool:
        """Whether it is none of Entra's answers, or Entra has no time for one."""
        return "AADSTS" not in self.said or failure.classify(self.said).kind.passes

    @property
    def may_lag(self) -> bool:
        """Whether Entra says so of what has just been made, for some seconds."""
        return any(code in self.said for code in _LAGGING)


async def refusal(
    target: Target, tenant_id: str, client_id: str, secret: Secret
) -> SignInRefusal | None:
    """Ask for a token with a client secret; return what came instead, none for a token."""
    from azure.core.exceptions import AzureError
    from azure.identity.aio import ClientSecretCredential

    credential = ClientSecretCredential(tenant_id, client_id, secret.reveal(), **options(target))
    async with credential:
        try:
            await token(credential, target)
        except AzureError as error:
            return SignInRefusal(first_line(error), passes_in(error) or timedelta())
    return None
