"""What the Azure CLI asks Azure Resource Manager at a sign-in: there are no subscriptions."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.cloud import Cloud
from emulator.graph.graph_auth import caller_of
from emulator.odata.problems import GraphError


def resource_manager_routes(cloud: Cloud, audiences: frozenset[str]) -> list[Route]:
    """Answer `GET /subscriptions` and `GET /tenants`; 401 without a token for `audiences`."""

    def listed(request: Request) -> Response:
        try:
            caller = caller_of(cloud, request.headers.get("authorization", ""), audiences)
        except GraphError as error:
            body = {"error": {"code": "AuthenticationFailed", "message": error.message}}
            return JSONResponse(body, error.status)
        if request.url.path.endswith("/subscriptions"):
            return JSONResponse({"value": []})
        tenant = {"id": f"/tenants/{caller.tenant_id}", "tenantId": caller.tenant_id}
        return JSONResponse({"value": [tenant]})

    return [Route("/subscriptions", listed), Route("/tenants", listed)]
