"""Which resource types and functions the stand-in serves."""

from emulator.azuread.app_role_assignment import AppRoleAssignment
from emulator.azuread.application import Application
from emulator.azuread.federated_credential import FederatedCredential
from emulator.azuread.functions import (
    Function,
    GetApplication,
    GetApplicationPublishedAppIds,
    GetClientConfig,
    GetServicePrincipal,
)
from emulator.azuread.identifier_uri import IdentifierUri
from emulator.azuread.owner import ApplicationOwner
from emulator.azuread.password import ApplicationPassword
from emulator.azuread.permission_grant import PermissionGrant
from emulator.azuread.resource import Resource
from emulator.azuread.service_principal import ServicePrincipal

RESOURCES: dict[str, Resource] = {
    resource.token: resource
    for resource in (
        Application(),
        AppRoleAssignment(),
        ApplicationOwner(),
        ApplicationPassword(),
        FederatedCredential(),
        IdentifierUri(),
        PermissionGrant(),
        ServicePrincipal(),
    )
}
FUNCTIONS: dict[str, Function] = {
    function.token: function
    for function in (
        GetApplication(),
        GetApplicationPublishedAppIds(),
        GetClientConfig(),
        GetServicePrincipal(),
    )
}
