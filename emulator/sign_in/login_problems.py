"""The refusals of Entra's sign-in service: AADSTS numbers, their OAuth error and their text."""

from datetime import datetime

from emulator.json_text import Json


class LoginError(Exception):
    """A refusal with an AADSTS number."""

    def __init__(
        self, number: int, error: str, message: str, status: int = 400, suberror: str = ""
    ) -> None:
        super().__init__(message)
        self.number = number
        self.error = error
        self.message = message
        self.status = status
        self.suberror = suberror

    def description(self, now: datetime, trace_id: str, correlation_id: str) -> str:
        """Write the text that clients show: the message, and what support asks for."""
        return (
            f"AADSTS{self.number}: {self.message} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {now:%Y-%m-%d %H:%M:%SZ}"
        )

    def body(self, now: datetime, trace_id: str, correlation_id: str, authority: str) -> Json:
        """Build the JSON of the token endpoint."""
        body: Json = {
            "error": self.error,
            "error_description": self.description(now, trace_id, correlation_id),
            "error_codes": [self.number],
            "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"{authority}/error?code={self.number}",
        }
        return body | ({"suberror": self.suberror} if self.suberror else {})


def unknown_tenant(name: str, error: str = "invalid_request") -> LoginError:
    """Refuse: no tenant has that id or domain."""
    return LoginError(
        90002,
        error,
        f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are "
        "signing into the correct cloud. Check with your subscription administrator, this may "
        "happen if there are no active subscriptions for the tenant.",
    )


def missing_parameter(name: str) -> LoginError:
    """Refuse: a parameter of the form is missing."""
    return LoginError(
        900144,
        "invalid_request",
        f"The request body must contain the following parameter: '{name}'.",
    )


def duplicated_parameter(name: str) -> LoginError:
    """Refuse: a parameter is there more than once."""
    return LoginError(
        9000411,
        "invalid_request",
        f"The request is not properly formatted. The parameter '{name}' is duplicated.",
    )


def only_posts(method: str) -> LoginError:
    """Refuse: tokens are asked for by another method than POST."""
    return LoginError(
        900561,
        "invalid_request",
        f"The endpoint only accepts POST, OPTIONS requests. Received a {method} request.",
    )


def unknown_instance() -> LoginError:
    """Refuse: another host than this one was asked about."""
    return LoginError(50049, "invalid_instance", "Unknown or invalid instance.")


def no_instance() -> LoginError:
    """Refuse: instance discovery was not told which host it is about."""
    return LoginError(
        500502,
        "invalid_request",
        "Expected exactly one of 'issuer' and 'authorization_endpoint'.",
    )


def unsupported_grant_type(name: str) -> LoginError:
    """Refuse: the grant is none that is known."""
    return LoginError(
        70003, "unsupported_grant_type", f"The app requested an unsupported grant type '{name}'."
    )


def unsupported_response_type(asked: str) -> LoginError:
    """Another answer than a code was asked for at the authorize endpoint."""
    number, named = 70005, asked
    for name, known in (("token", 700051), ("id_token", 700054)):
        if name in asked.split():
            number, named = known, name
    return LoginError(
        number,
        "unsupported_response_type",
        f"response_type '{named}' is not enabled for the application.",
    )


def unsupported_response_mode(asked: str) -> LoginError:
    """Refuse: the answer was asked for in a way that is none."""
    return LoginError(
        70007,
        "invalid_request",
        f"'{asked}' is not a supported value of 'response_mode' when requesting a token.",
    )


def unsupported_prompt() -> LoginError:
    """Refuse: `prompt` is no word that it may be, or more than one."""
    return LoginError(90023, "invalid_request", "Unsupported 'prompt' value.")


def unknown_application(client_id: str, tenant: str) -> LoginError:
    """Refuse: the application is neither registered nor known in the tenant."""
    return LoginError(
        700016,
        "unauthorized_client",
        f"Application with identifier '{client_id}' was not found in the directory '{tenant}'. "
        "This can happen if the application has not been installed by the administrator of the "
        "tenant or consented to by any user in the tenant. You may have sent your authentication "
        "request to the wrong tenant.",
    )


def unknown_resource(resource: str, tenant: str) -> LoginError:
    """No service principal in the tenant has that name."""
    return LoginError(
        500011,
        "invalid_resource",
        f"The resource principal named {resource} was not found in the tenant named {tenant}. This "
        "can happen if the application has not been installed by the administrator of the tenant "
        "or consented to by any user in the tenant. You might have sent your authentication "
        "request to the wrong tenant.",
    )


def not_default_scope(scope: str) -> LoginError:
    """Refuse: an application signs in for `/.default` only."""
    return LoginError(
        1002012,
        "invalid_scope",
        f"The provided value for scope {scope} is not valid. Client credential flows must have a "
        "scope value with /.default suffixed to the resource identifier (application ID URI).",
    )


def several_resources(scope: str) -> LoginError:
    """Refuse: a token is for one resource only."""
    return LoginError(
        28000,
        "invalid_request",
        "Provided value for the input parameter scope is not valid because it contains more than "
        f"one resource. Scope {scope} is not valid.",
    )


def scope_not_offered(client: str, scope: str, resource: str) -> LoginError:
    """Refuse: the resource has no such delegated permission."""
    return LoginError(
        650053,
        "invalid_client",
        f"The application '{client}' asked for scope '{scope}' that doesn't exist on the resource "
        f"'{resource}'. Contact the app vendor.",
    )


def single_tenant_on_common(client_id: str, name: str) -> LoginError:
    """Refuse: a single-tenant application asks at `/common` or `/organizations`."""
    return LoginError(
        50194,
        "invalid_request",
        f"Application '{client_id}'({name}) is not configured as a multi-tenant application. Usage "
        "of the /common endpoint is not supported for such applications created after "
        "'10/15/2018'. Use a tenant-specific endpoint or configure the application to be "
        "multi-tenant.",
    )


def not_for_consumers() -> LoginError:
    """Refuse: `/consumers` for an application that personal accounts may not use."""
    return LoginError(
        70002,
        "invalid_client",
        "The client does not exist or is not enabled for consumers. If you are the application "
        "developer, configure a new application through the App Registrations in the Azure Portal "
        "at https://go.microsoft.com/fwlink/?linkid=2083908.",
    )


def no_tenant_named() -> LoginError:
    """Refuse: an application asks for itself where no tenant is named."""
    return LoginError(
        50059,
        "invalid_request",
        "No tenant-identifying information found in either the request or implied by any provided "
        "credentials.",
    )


def missing_principal(client_id: str, tenant_id: str) -> LoginError:
    """Refuse: the application is registered but has no service principal in the tenant."""
    return LoginError(
        7000229,
        "invalid_client",
        f"The client application {client_id} is missing service principal in the tenant "
        f"{tenant_id}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119",
        status=401,
    )


def disabled_application(client_id: str, name: str) -> LoginError:
    """Its service principal is disabled."""
    return LoginError(
        7000112,
        "unauthorized_client",
        f"Application '{client_id}'({name}) is disabled.",
    )


def redirect_mismatch(redirect_uri: str, client_id: str) -> LoginError:
    """Refuse: the redirect URI is none of the application's."""
    return LoginError(
        50011,
        "invalid_client",
        f"The redirect URI '{redirect_uri}' specified in the request does not match the redirect "
        f"URIs configured for the application '{client_id}'. Make sure the redirect URI sent in "
        "the request matches one added to your application in the Azure portal. Navigate to "
        "https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this "
        "error.",
    )


def other_redirect(redirect_uri: str, before: str) -> LoginError:
    """Refuse: a code is redeemed with another redirect URI than it was asked for with."""
    return LoginError(
        500112,
        "invalid_client",
        f"The reply address '{redirect_uri}' does not match the reply address '{before}' provided "
        "when requesting Authorization code.",
    )


def unknown_user(tenant: str) -> LoginError:
    """No such account."""
    return LoginError(
        50034,
        "invalid_grant",
        f"The user account does not exist in the {tenant} directory. To sign into this "
        "application, the account must be added to the directory.",
    )


def wrong_password() -> LoginError:
    """Refuse: the account's password is another."""
    return LoginError(
        50126,
        "invalid_grant",
        "Error validating credentials due to invalid username or password.",
    )


def disabled_user() -> LoginError:
    """Refuse: the account may not sign in."""
    return LoginError(50057, "invalid_grant", "The user account is disabled.")


def not_assigned(user: str, client_id: str, name: str) -> LoginError:
    """Refuse: the application is for users who are assigned to it, and this one is not."""
    return LoginError(
        50105,
        "invalid_grant",
        f"The signed in user '{user}' is not assigned to a role for the application "
        f"'{client_id}'({name}).",
    )


def no_session() -> LoginError:
    """Silent sign-in was asked for, and nobody is signed in."""
    return LoginError(
        50058,
        "login_required",
        "A silent sign-in request was sent but no user is signed in.",
    )


def no_consent(client_id: str, name: str) -> LoginError:
    """Nobody consented to what is asked for."""
    return LoginError(
        65001,
        "invalid_grant",
        f"The user or administrator has not consented to use the application with ID '{client_id}' "
        f"named '{name}'. Send an interactive authorization request for this user and resource.",
        suberror="consent_required",
    )


def consent_declined() -> LoginError:
    """Refuse: the person pressed Cancel."""
    return LoginError(65004, "access_denied", "User declined to consent to access the app.")


def admin_consent_declined() -> LoginError:
    """Refuse: the administrator was shown the permissions and pressed Cancel."""
    return LoginError(
        65004,
        "consent_required",
        "The resource owner or authorization server denied the request.",
    )


def consent_needs_administrator() -> LoginError:
    """Someone else than an administrator wanted to consent for the whole tenant."""
    return LoginError(
        90094, "access_denied", "An administrator of the tenant needs to grant the permission."
    )


def malformed_code() -> LoginError:
    """Refuse: the code or refresh token is none that was handed out."""
    return LoginError(9002313, "invalid_grant", "Invalid request. Request is malformed or invalid.")


def expired_grant() -> LoginError:
    """Refuse: the code is too old."""
    return LoginError(
        70008,
        "invalid_grant",
        "The provided authorization code or refresh token has expired due to inactivity. Send a "
        "new interactive authorization request for this user and resource.",
    )


def inactive_refresh_token(issued: datetime) -> LoginError:
    """Refuse: the refresh token was not used for 90 days."""
    return LoginError(
        700082,
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on "
        f"{_precise(issued)} and was inactive for 90.00:00:00.",
        suberror="bad_token",
    )


def single_page_refresh_token(issued: datetime) -> LoginError:
    """Refuse: it is a day since a single-page application got its first refresh token."""
    return LoginError(
        700084,
        "invalid_grant",
        "The refresh token was issued to a single page app (SPA), and therefore has a fixed, "
        "limited lifetime of 1.00:00:00, which cannot be extended. It is now expired and a new "
        "sign in request must be sent by the SPA to the sign in page. The token was issued on "
        f"{_precise(issued)}.",
        suberror="bad_token",
    )


def redeemed_code() -> LoginError:
    """Refuse: a code is good for one time."""
    return LoginError(
        54005,
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use "
        "an existing refresh token.",
    )


def unsupported_challenge_method() -> LoginError:
    """PKCE: neither `plain` nor `S256`."""
    return LoginError(50149, "invalid_request", "Invalid Code_Challenge_method parameter.")


def missing_challenge() -> LoginError:
    """PKCE: a method, and nothing that it was applied to."""
    return LoginError(50147, "invalid_request", "Invalid size of the code challenge parameter.")


def bad_challenge_size() -> LoginError:
    """PKCE: the challenge is shorter or longer than one can be."""
    return LoginError(501491, "invalid_request", "Invalid size of Code_Challenge parameter.")


def wrong_verifier() -> LoginError:
    """PKCE: the verifier is not what the challenge was made of, or there was no challenge."""
    return LoginError(
        501481,
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization "
        "request.",
    )


def not_cross_origin() -> LoginError:
    """Refuse: what a single-page application signed in for, something else than a script wants."""
    return LoginError(
        9002327,
        "invalid_request",
        "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via "
        "cross-origin requests.",
    )


def cross_origin(page: str) -> LoginError:
    """Refuse: a script of a web page asks for another application than a single-page one."""
    return LoginError(
        9002326,
        "invalid_request",
        "Cross-origin token redemption is permitted only for the 'Single-Page Application' "
        f"client-type. Request origin: '{page}'.",
    )


def transient() -> LoginError:
    """Refuse: the service has a passing fault."""
    return LoginError(
        90033,
        "temporarily_unavailable",
        "A transient error has occurred. Please try again.",
    )


def _precise(instant: datetime) -> str:
    """Write an instant in ticks of 100 ns, as some of the texts do."""
    return f"{instant:%Y-%m-%dT%H:%M:%S.%f}0Z"
