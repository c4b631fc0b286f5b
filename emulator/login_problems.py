"""The refusals of Entra's sign-in service: AADSTS numbers, their OAuth error and their text."""

from datetime import datetime

from emulator.store import Json


class LoginProblem(Exception):
    """A refusal with an AADSTS number."""

    def __init__(self, number: int, error: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.number = number
        self.error = error
        self.message = message
        self.status = status

    def description(self, now: datetime, trace_id: str, correlation_id: str) -> str:
        """The text that clients show: the message, and what support asks for."""
        timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
        return (
            f"AADSTS{self.number}: {self.message} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {timestamp}"
        )

    def body(self, now: datetime, trace_id: str, correlation_id: str, authority: str) -> Json:
        """The JSON of the token endpoint."""
        return {
            "error": self.error,
            "error_description": self.description(now, trace_id, correlation_id),
            "error_codes": [self.number],
            "timestamp": now.strftime("%Y-%m-%d %H:%M:%SZ"),
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"{authority}/error?code={self.number}",
        }


def unknown_tenant(name: str) -> LoginProblem:
    """No tenant of that id or domain."""
    return LoginProblem(
        90002,
        "invalid_request",
        f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are "
        "signing into the correct cloud. Check with your subscription administrator, this may "
        "happen if there are no active subscriptions for the tenant.",
    )


def missing_parameter(name: str) -> LoginProblem:
    """A parameter of the form is missing."""
    return LoginProblem(
        900144,
        "invalid_request",
        f"The request body must contain the following parameter: '{name}'.",
    )


def unsupported_grant_type(name: str) -> LoginProblem:
    """A grant that Entra does not know."""
    return LoginProblem(
        70003, "unsupported_grant_type", f"The app requested an unsupported grant type '{name}'."
    )


def unknown_application(client_id: str, tenant: str) -> LoginProblem:
    """The application is neither registered nor known in the tenant."""
    return LoginProblem(
        700016,
        "unauthorized_client",
        f"Application with identifier '{client_id}' was not found in the directory '{tenant}'. "
        "This can happen if the application has not been installed by the administrator of the "
        "tenant or consented to by any user in the tenant. You may have sent your authentication "
        "request to the wrong tenant.",
    )


def wrong_secret(client_id: str) -> LoginProblem:
    """None of the application's secrets; also what a new one is called until it has spread."""
    return LoginProblem(
        7000215,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client "
        f"secret value, not the client secret ID, for a secret added to app '{client_id}'.",
        status=401,
    )


def expired_secret(client_id: str) -> LoginProblem:
    """A secret whose end has passed."""
    return LoginProblem(
        7000222,
        "invalid_client",
        f"The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal "
        "to create new keys for your app: https://aka.ms/NewClientSecret, or consider using "
        "certificate credentials for added security: https://aka.ms/certCreds.",
        status=401,
    )


def missing_credential() -> LoginProblem:
    """A confidential client sent neither secret nor assertion."""
    return LoginProblem(
        7000218,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or "
        "'client_secret'.",
        status=401,
    )


def unknown_resource(resource: str, tenant: str) -> LoginProblem:
    """No service principal in the tenant has that name."""
    return LoginProblem(
        500011,
        "invalid_resource",
        f"The resource principal named {resource} was not found in the tenant named {tenant}. This "
        "can happen if the application has not been installed by the administrator of the tenant "
        "or consented to by any user in the tenant. You might have sent your authentication "
        "request to the wrong tenant.",
    )


def not_default_scope(scope: str) -> LoginProblem:
    """An application signs in for `/.default` only."""
    return LoginProblem(
        1002012,
        "invalid_scope",
        f"The provided value for scope {scope} is not valid. Client credential flows must have a "
        "scope value with /.default suffixed to the resource identifier (application ID URI).",
    )


def single_tenant_on_common(client_id: str, name: str) -> LoginProblem:
    """A single-tenant application at `/common` or `/organizations`."""
    return LoginProblem(
        50194,
        "invalid_request",
        f"Application '{client_id}'({name}) is not configured as a multi-tenant application. Usage "
        "of the /common endpoint is not supported for such applications created after "
        "'10/15/2018'. Use a tenant-specific endpoint or configure the application to be "
        "multi-tenant.",
    )


def missing_principal(client_id: str, tenant: str) -> LoginProblem:
    """The application is registered but has no service principal in the tenant."""
    return LoginProblem(
        7000229,
        "unauthorized_client",
        f"The client application {client_id} is missing service principal in the tenant {tenant}. "
        "See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119",
    )


def disabled_application(client_id: str, name: str) -> LoginProblem:
    """Its service principal is disabled."""
    return LoginProblem(
        7000112,
        "unauthorized_client",
        f"Application '{client_id}'({name}) is disabled.",
    )
