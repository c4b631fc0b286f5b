"""Ids of Terraform's azuread resources, and how they are shown in messages."""

import base64
import binascii
import re
from dataclasses import dataclass

from emulator.azuread.errors import DiagnosticError

GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
APPLICATION = re.compile(rf"/applications/({GUID})")
SERVICE_PRINCIPAL = re.compile(rf"/servicePrincipals/({GUID})")
GRANT = re.compile(r"/oauth2PermissionGrants/([^/]+)")
IDENTIFIER_URI = re.compile(rf"/applications/({GUID})/identifierUris/([^/]+=*)")
OWNER = re.compile(rf"/applications/({GUID})/owners/({GUID})")
APP_ROLE_ASSIGNMENT = re.compile(rf"/servicePrincipals/({GUID})/appRoleAssignedTo/([^/]+)")
FEDERATED_CREDENTIAL = re.compile(rf"({GUID})/federatedIdentityCredential/({GUID})")
PASSWORD = re.compile(rf"({GUID})/password/({GUID})")


def parse(pattern: re.Pattern[str], resource_id: str) -> tuple[str, ...]:
    """Take an id apart; raises DiagnosticError when it has another form."""
    found = pattern.fullmatch(resource_id)
    if found is None:
        raise DiagnosticError(f'parsing "{resource_id}": an id has the form {_form(pattern)}')
    return found.groups()


def _form(pattern: re.Pattern[str]) -> str:
    """Show the form that ids have, with what differs in angle brackets."""
    return re.sub(r"\(.*?\)", "<id>", pattern.pattern.replace(GUID, ""))


@dataclass(frozen=True, slots=True)
class Shown:
    """An object as messages name it: `Application (Application: "<object id>")`."""

    kind: str
    object_id: str

    def __str__(self) -> str:
        return f'{self.kind} ({self.kind}: "{self.object_id}")'


def shown_application(object_id: str) -> Shown:
    """Name an application."""
    return Shown("Application", object_id)


def shown_service_principal(object_id: str) -> Shown:
    """Name a service principal."""
    return Shown("Service Principal", object_id)


def identifier_uri_id(application_id: str, uri: str) -> str:
    """Give the id of one identifier URI."""
    encoded = base64.b64encode(uri.encode()).decode()
    return f"/applications/{application_id}/identifierUris/{encoded}"


def decode_uri(encoded: str) -> str:
    """Give the URI that an id's last part encodes; raises DiagnosticError."""
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as failure:
        raise DiagnosticError(
            "failed to decode identifierUri from resource ID", failure
        ) from failure


def exists_error(kind: str, resource_id: str) -> DiagnosticError:
    """Say that what should be created is there already, as the classic resources say it."""
    return DiagnosticError(
        f'A resource with the ID "{resource_id}" already exists',
        f"To be managed via Terraform, this resource needs to be imported into the State. Please "
        f'see the resource documentation for "{kind}" for more information.',
    )


def import_required_error(kind: str, resource_id: str) -> DiagnosticError:
    """Say that what should be created is there already, as the typed resources say it."""
    return DiagnosticError(
        f'A resource with the ID "{resource_id}" already exists - to be managed via Terraform '
        f"this resource needs to be imported into the State. Please see the resource "
        f'documentation for "{kind}" for more information.'
    )
