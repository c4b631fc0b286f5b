"""OpenID Connect's UserInfo endpoint, which Graph hosts.

Source: Microsoft's page "Microsoft identity platform UserInfo endpoint".
"""

from emulator.directory.store import Kind
from emulator.directory.tenant import Tenant
from emulator.graph.graph_call import Reply
from emulator.graph.permissions import Caller
from emulator.json_text import Json
from emulator.odata.problems import forbidden, not_found
from emulator.sign_in.tokens import pairwise


def user_info(tenant: Tenant, caller: Caller, origin: str) -> Reply:
    """Tell who the caller is, as far as the scopes of the token go.

    GraphError 403 for an application, and without the scope `openid`; 404 if the user is gone.
    """
    if not caller.user or "openid" not in caller.scopes:
        raise forbidden()
    user = next((one for one in tenant.live(Kind.USER) if one.id == caller.object_id), None)
    if user is None:
        raise not_found(caller.object_id)
    body: Json = {"sub": pairwise(user.id, caller.client_id)}
    if "profile" in caller.scopes:
        body |= {
            "name": user.body["displayName"],
            "family_name": user.body["surname"],
            "given_name": user.body["givenName"],
            "picture": f"{origin}/v1.0/me/photo/$value",
        }
    if "email" in caller.scopes:
        body["email"] = user.body["mail"]
    return Reply(200, {name: value for name, value in body.items() if value is not None})
