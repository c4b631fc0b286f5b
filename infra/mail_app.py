"""Proself's mail application in Entra, as one component: steps 2 to 12 of the vendor's FAQ 481.

It declares; the engine and the azuread plugin do. It adopts nothing, waits for nothing and deletes
no secret: those are `proself_mail.update`'s and `proself_mail.rotation`'s. Each odd option below is
there because the plugin, left alone, breaks something; docs/adr/0004 says what.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from weakref import WeakSet

import pulumi
import pulumi_azuread as azuread

from infra import operation
from proself_mail import facts
from proself_mail.config.configuration import permission_not_offered
from proself_mail.config.settings import Audience, Environment, Settings
from proself_mail.config.stamp import Stamp
from proself_mail.entra.target import Target
from proself_mail.schedule import Window, format_instant, open_windows
from proself_mail.stack import failure
from proself_mail.stack.state import COMPONENT, SECRET_PREFIX


@dataclass(frozen=True)
class MailAppArgs:
    """What the application is to be like."""

    tenant_id: str
    """The tenant that it is made in; the plugin is pinned to it."""
    target: Target
    display_name: str
    audience: Audience
    redirect_uris: Sequence[str]
    permissions: Sequence[str]
    """Delegated permissions of Exchange Online, by name."""
    grant_consent: bool
    """Give the admin consent here; otherwise no grant is touched."""
    secret_description: str
    windows: Sequence[Window]
    """One client secret for each, the newest last; at least one."""
    owners: Sequence[str]
    """Object ids; exactly these own it."""
    stamp: Stamp
    protect: bool
    """Whether the engine refuses to delete the application, its URI and its service principal."""
    adopt: Mapping[str, str]
    """What is in the tenant already and not in the state: ids to import, by resource name."""

    @classmethod
    def of(cls, settings: Settings, target: Target, now: datetime) -> Self:
        """Read them out of a stack's settings, with the secrets that should exist at `now`."""
        return cls(
            tenant_id=str(settings.tenant_id),
            target=target,
            display_name=settings.display_name,
            audience=settings.audience,
            redirect_uris=settings.redirect_uris(now),
            permissions=settings.permissions,
            grant_consent=settings.manages_grant,
            secret_description=settings.secret_description,
            windows=open_windows(settings.entries, now),
            owners=[str(owner) for owner in settings.owners],
            stamp=Stamp(settings.stack_id, settings.environment, settings.delete_after),
            protect=settings.environment is Environment.PRODUCTION,
            adopt=operation.adoption(),
        )


class MailApp(pulumi.ComponentResource):
    """The application, its service principal, the admin consent and the client secrets.

    Once per stack: its resources have the names by which `proself_mail` knows them in the state.
    The azuread provider is its own, pinned to the tenant.
    """

    application: azuread.Application
    identifier_uri: azuread.ApplicationIdentifierUri
    service_principal: azuread.ServicePrincipal
    consent: azuread.ServicePrincipalDelegatedPermissionGrant | None
    """None where a person gives it."""
    secrets: Mapping[Window, azuread.ApplicationPassword]
    """In the order of their windows, the newest last."""

    def __init__(
        self, name: str, args: MailAppArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare it all.

        Raises `pulumi.RunError` where the stack has one, where `opts` give it an azuread provider,
        and where Exchange Online lacks a permission.
        """
        _check_only_one(name)
        _check_no_provider(opts)
        super().__init__(COMPONENT, name, None, opts)
        provider = azuread.Provider(
            "azuread",
            tenant_id=args.tenant_id,
            environment="public",
            metadata_host=args.target.metadata_host,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._adopt = args.adopt
        # None leaves it to the component's own options. Not the consent and the secrets: those
        # come and go with the configuration, and the tenant keeps them.
        self._guard = args.protect or None
        self._children = pulumi.ResourceOptions(parent=self, provider=provider)
        exchange = _exchange_online(provider)
        self.application = self._application(args, _scope_ids(exchange, args.permissions))
        # Entra deletes what belongs to the application with it: one call instead of six.
        self._children.deleted_with = self.application
        self.identifier_uri = azuread.ApplicationIdentifierUri(
            "identifier-uri",
            application_id=self.application.id,
            identifier_uri=self.application.client_id.apply(lambda client: f"api://{client}"),
            opts=self._child("identifier-uri", protect=self._guard),
        )
        self.service_principal = azuread.ServicePrincipal(
            "service-principal",
            client_id=self.application.client_id,
            owners=args.owners,
            tags=args.stamp.tags(),
            opts=self._child("service-principal", protect=self._guard),
        )
        self.consent = self._consent(exchange, args.permissions) if args.grant_consent else None
        self.secrets = {window: self._secret(window, args) for window in args.windows}
        self.register_outputs({})

    def _application(self, args: MailAppArgs, scope_ids: Sequence[str]) -> azuread.Application:
        access = azuread.ApplicationRequiredResourceAccessArgs(
            resource_app_id=facts.EXCHANGE_ONLINE_APP_ID,
            resource_accesses=[
                azuread.ApplicationRequiredResourceAccessResourceAccessArgs(id=scope, type="Scope")
                for scope in scope_ids
            ],
        )
        return azuread.Application(
            "application",
            display_name=args.display_name,
            sign_in_audience=args.audience.sign_in_audience,
            # Tenants refuse identifier URIs of applications that still issue v1 tokens.
            api=azuread.ApplicationApiArgs(requested_access_token_version=2),
            web=azuread.ApplicationWebArgs(redirect_uris=args.redirect_uris),
            required_resource_accesses=[access],
            owners=args.owners,
            tags=args.stamp.tags(),
            opts=self._child(
                "application",
                # An update of the application would otherwise wipe the URI set below, and, once a
                # refresh has shown them to the state, the notes that `rotate` keeps.
                ignore_changes=["identifierUris", "notes"],
                protect=self._guard,
            ),
        )

    def _consent(
        self, exchange: azuread.GetServicePrincipalResult, permissions: Sequence[str]
    ) -> azuread.ServicePrincipalDelegatedPermissionGrant:
        return azuread.ServicePrincipalDelegatedPermissionGrant(
            "consent",
            service_principal_object_id=self.service_principal.object_id,
            resource_service_principal_object_id=exchange.object_id,
            claim_values=permissions,
            # Leaving it to an administrator later must not take a live consent away.
            opts=self._child("consent", retain_on_delete=True),
        )

    def _secret(self, window: Window, args: MailAppArgs) -> azuread.ApplicationPassword:
        name = f"{SECRET_PREFIX}{window.id}"
        return azuread.ApplicationPassword(
            name,
            application_id=self.application.id,
            display_name=f"{args.secret_description} {window.starts:%Y-%m-%d}",
            end_date=format_instant(window.expires),
            opts=self._child(
                name,
                # Any change of an input replaces it, and its removal would stop the mail: Pulumi
                # never deletes a secret. A new description is for new secrets.
                retain_on_delete=True,
                ignore_changes=["displayName"],
            ),
        )

    def _child(
        self,
        name: str,
        *,
        ignore_changes: list[str] | None = None,
        protect: bool | None = None,
        retain_on_delete: bool | None = None,
    ) -> pulumi.ResourceOptions:
        own = pulumi.ResourceOptions(
            ignore_changes=ignore_changes,
            protect=protect,
            retain_on_delete=retain_on_delete,
            import_=self._adopt.get(name),
        )
        return pulumi.ResourceOptions.merge(self._children, own)


_stacks: WeakSet[pulumi.Resource] = WeakSet()
"""The stacks that have one, which are new in each run."""


def _check_only_one(name: str) -> None:
    """Refuse a stack's second one. Raises `pulumi.RunError`."""
    stack = pulumi.runtime.get_root_resource()
    if stack in _stacks:
        raise pulumi.RunError(
            f"{name!r} is this stack's second MailApp, and a stack holds one. Next: make a stack "
            "of its own for it (`proself-mail init`)."
        )
    if stack is not None:
        _stacks.add(stack)


def _check_no_provider(opts: pulumi.ResourceOptions | None) -> None:
    """Refuse options that give an azuread provider. Raises `pulumi.RunError`."""
    if opts is None:
        return
    several = opts.providers or ()
    given = several.values() if isinstance(several, Mapping) else several
    if any(each is not None and each.package == "azuread" for each in (opts.provider, *given)):
        raise pulumi.RunError(
            "A MailApp has an azuread provider of its own, pinned to `tenant_id`, and takes none. "
            "Next: leave `provider` and `providers` for azuread out of its options."
        )


def _exchange_online(provider: azuread.Provider) -> azuread.GetServicePrincipalResult:
    """Look Exchange Online up; never a resource, which would take Microsoft's own over."""
    try:
        return azuread.get_service_principal(
            client_id=facts.EXCHANGE_ONLINE_APP_ID,
            opts=pulumi.InvokeOptions(provider=provider),
        )
    except Exception as error:
        name, stack = facts.EXCHANGE_ONLINE_NAME, pulumi.get_stack()
        raise pulumi.RunError(str(failure.classify(str(error), name, stack).error())) from error


def _scope_ids(
    exchange: azuread.GetServicePrincipalResult, permissions: Sequence[str]
) -> list[str]:
    offered = exchange.oauth2_permission_scope_ids
    if missing := permission_not_offered(permissions, offered, pulumi.get_stack()):
        permission, mending = missing
        raise pulumi.RunError(
            f"{facts.EXCHANGE_ONLINE_NAME} offers no delegated permission {permission!r} in "
            f"this tenant; it offers {', '.join(sorted(offered))}. Next: "
            f"`{mending}`, then try again."
        )
    return [offered[each] for each in permissions]
