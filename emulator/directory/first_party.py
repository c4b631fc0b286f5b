"""Microsoft's own applications that every tenant knows, with the permissions that matter here.

Their ids are Microsoft's and the same in every tenant of the public cloud; FIDELITY.md names the
sources. Only some of the real permissions are here.
"""

from collections.abc import Iterable

from emulator.json_text import Json

MICROSOFT_TENANT_ID = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
EXCHANGE_APP_ID = "00000002-0000-0ff1-ce00-000000000000"
AZURE_CLI_APP_ID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

GRAPH_ROLES = {
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "Application.ReadWrite.All": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
    "AppRoleAssignment.ReadWrite.All": "06b708a9-e830-4db3-a914-8e69da51d44f",
    "DelegatedPermissionGrant.Read.All": "81b4724a-58aa-41c1-8a55-84ef97466587",
    "DelegatedPermissionGrant.ReadWrite.All": "8e8e4742-1d95-4f68-9d56-6ee75648c72a",
    "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    "Directory.ReadWrite.All": "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
    "Mail.Send": "b633e1c5-b582-4048-a93e-9f11b44c7e96",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
    "Policy.Read.All": "246dd0d5-5bd0-4def-940b-0421030a5b68",
    "Policy.ReadWrite.ApplicationConfiguration": "be74164b-cff1-491c-8741-e671cb536e13",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "User.ReadWrite.All": "741f803b-c850-494e-b5df-cde7c675a1ca",
}

_GRAPH_SCOPES = {
    "Application.Read.All": "c79f8feb-a9db-4090-85f9-90d820caa0eb",
    "Application.ReadWrite.All": "bdfbf15f-ee85-4955-8675-146e8e5296b5",
    "AppRoleAssignment.ReadWrite.All": "84bccea3-f856-4a8a-967b-dbe0a3d53a64",
    "DelegatedPermissionGrant.ReadWrite.All": "41ce6ca6-6826-4807-84f1-1c82854f7ee5",
    "Directory.AccessAsUser.All": "0e263e50-5827-48a4-b97c-d940288653c7",
    "Directory.Read.All": "06da0dbc-49e2-44d2-8312-53f166ab848a",
    "Directory.ReadWrite.All": "c5366453-9fb0-48a5-a156-24f0c49a4b84",
    "Mail.Send": "e383f46e-2787-4529-855e-0e479a3ffac0",
    "Organization.Read.All": "4908d5b9-3fb2-4b1e-9336-1888b7937185",
    "Policy.Read.All": "572fea84-0151-49b2-9301-11cb16974376",
    "Policy.ReadWrite.ApplicationConfiguration": "b27add92-efb2-4f16-84f5-8108ba77985c",
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
    "User.Read.All": "a154be20-db9c-4678-8ab7-66f6cc099a59",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
}

_EXCHANGE_ROLES = {
    "Exchange.ManageAsApp": "dc50a0fb-09a3-484d-be87-e023b12c6440",
    "IMAP.AccessAsApp": "5e5addcd-3e8d-4e90-baf5-964efab2b20a",
    "Mail.Read": "810c84a8-4a9e-49e6-bf7d-12d183f40d01",
    "Mail.ReadWrite": "e2a3a72e-5f79-4c64-b1b1-878b674786c9",
    "Mail.Send": "b633e1c5-b582-4048-a93e-9f11b44c7e96",
    "POP.AccessAsApp": "cb842b43-da6e-4506-86fe-bb12199c656d",
    "full_access_as_app": "dc890d15-9560-4a4c-9b7f-a736ec74ec40",
}

_EXCHANGE_SCOPES = {
    "EAS.AccessAsUser.All": "266d2589-20b5-4f91-9a03-89247d1be8da",
    "EWS.AccessAsUser.All": "3b5f3d61-589b-4a3c-a359-5dd4b5ee5bd5",
    "Exchange.Manage": "ab4f2b77-0b06-4fc1-a9de-02113fc2ab7c",
    "IMAP.AccessAsUser.All": "195adc35-e27b-454b-a7ed-1ecdffa1c09f",
    "Mail.Read": "185758ba-798d-4b72-9e54-429a413a2510",
    "Mail.ReadWrite": "75767999-c7a8-481e-a6b4-19458e0b30a5",
    "Mail.Send": "5eb43c10-865a-4259-960a-83946678f8dd",
    "Mail.Send.Shared": "16572339-6149-452b-b084-280b01354687",
    "POP.AccessAsUser.All": "fb698133-92fa-453e-a9ed-688e10f2e5ac",
    "SMTP.Send": "76faac2a-0f20-42f1-928a-50de5b9dbe52",
    "User.Read": "6223a6d3-53ef-4f8f-982a-895b39483c61",
}

SIGN_IN_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
"""Scopes of OpenID Connect; they belong to no resource in particular."""

AZURE_CLI_SCOPES = (
    "Directory.AccessAsUser.All",
    "User.Read",
    "email",
    "offline_access",
    "openid",
    "profile",
)
"""What the Azure CLI may ask of Graph in every tenant, without anybody's consent."""


def _roles(names: dict[str, str]) -> list[Json]:
    return [
        {
            "allowedMemberTypes": ["Application"],
            "description": name,
            "displayName": name,
            "id": id_,
            "isEnabled": True,
            "origin": "Application",
            "value": name,
        }
        for name, id_ in names.items()
    ]


def _scopes(names: dict[str, str], needs_admin: Iterable[str]) -> list[Json]:
    administrators_only = frozenset(needs_admin)
    return [
        {
            "adminConsentDescription": name,
            "adminConsentDisplayName": name,
            "id": id_,
            "isEnabled": True,
            "type": "Admin" if name in administrators_only else "User",
            "userConsentDescription": name,
            "userConsentDisplayName": name,
            "value": name,
        }
        for name, id_ in names.items()
    ]


def applications() -> list[Json]:
    """Return the registrations in Microsoft's tenant: their bodies, apart from ids and defaults."""
    graph: Json = {
        "appId": GRAPH_APP_ID,
        "displayName": "Microsoft Graph",
        "appRoles": _roles(GRAPH_ROLES),
        "api": {
            "requestedAccessTokenVersion": 1,
            "oauth2PermissionScopes": _scopes(
                _GRAPH_SCOPES, (name for name in _GRAPH_SCOPES if name.endswith(".All"))
            ),
        },
        "identifierUris": ["https://graph.microsoft.com", "https://graph.microsoft.com/"],
    }
    exchange: Json = {
        "appId": EXCHANGE_APP_ID,
        "displayName": "Office 365 Exchange Online",
        "appRoles": _roles(_EXCHANGE_ROLES),
        "api": {
            "requestedAccessTokenVersion": 1,
            "oauth2PermissionScopes": _scopes(_EXCHANGE_SCOPES, ()),
        },
        "identifierUris": [
            "https://outlook.office.com",
            "https://outlook.office.com/",
            "https://outlook.office365.com",
            "https://outlook.office365.com/",
        ],
    }
    azure_cli: Json = {
        "appId": AZURE_CLI_APP_ID,
        "displayName": "Microsoft Azure CLI",
        "publicClient": {"redirectUris": ["http://localhost"]},
        "isFallbackPublicClient": True,
    }
    return [graph, exchange, azure_cli]
