"""What the admin interface can put into a tenant: users, foreign applications, policies, issuers.

Seeded objects were always there: no lag applies to them, and no quota counts them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jwt

from emulator.admin_input import Fields
from emulator.cloud import Cloud
from emulator.directory.entities import APPLICATION, DEFAULT_POLICY
from emulator.directory.first_party import EXCHANGE_APP_ID
from emulator.directory.store import Kind
from emulator.directory.tenant import DEFAULT_POLICY_ID, Tenant, UserSpec
from emulator.json_text import Json
from emulator.planting import plant_application, plant_principal, plant_user

_MOST_COPIES = 100_000

_Step = Callable[[], Any]
"""Something that is done once the whole request has been understood."""


def seed(cloud: Cloud, fields: Fields) -> Json:
    """Do what a POST /seed asks for, and return the ids of what was made.

    AdminError if anything in it is not understood; nothing has been done then.
    """
    tenant = tenant_of(cloud, fields)
    users = fields.each("users", lambda one: _user(cloud, tenant, one))
    applications = fields.each("applications", lambda one: _applications(tenant, one))
    others = [
        *fields.each("issuers", lambda one: _issuer(cloud, one)),
        _policy(tenant, fields),
        _quota(tenant, fields),
        _directory_quota(tenant, fields),
        _domains(tenant, fields),
        _exchange(tenant, fields),
    ]
    fields.done()
    for step in others:
        step()
    made = [step() for step in applications]
    return {"users": [step() for step in users], "applications": [a for some in made for a in some]}


def tenant_of(cloud: Cloud, fields: Fields) -> Tenant:
    """Find the tenant that an input names by id or domain; the first one where it names none."""
    tenant = cloud.tenant(fields.text("tenant", cloud.specs[0].id))
    if tenant is None:
        raise fields.refuse("tenant", "the id or a domain of one of the tenants")
    return tenant


def _user(cloud: Cloud, tenant: Tenant, fields: Fields) -> _Step:
    name = fields.text("user_principal_name")
    if not tenant.answers_to(name.rpartition("@")[2]):
        raise fields.refuse("user_principal_name", "an address in a domain of the tenant")
    if any(user.body["userPrincipalName"] == name for user in tenant.live(Kind.USER)):
        raise fields.refuse("user_principal_name", "one that no other user has")
    spec = UserSpec(
        id=tenant.ids.new("user"),
        name=name,
        display_name=fields.text("display_name", name.partition("@")[0]),
        password=fields.text("password"),
        directory_roles=tuple(fields.texts("directory_roles")),
    )
    mail = fields.text("mail", name)
    enabled = fields.flag("enabled", default=True)

    def step() -> Json:
        plant_user(tenant, spec, cloud.vault, mail=mail, enabled=enabled)
        return {"id": spec.id, "user_principal_name": name}

    return step


def _applications(tenant: Tenant, fields: Fields) -> _Step:
    """Read one application, or many that differ by a number: `{n}` in texts stands for it."""
    copies = fields.whole("count", 1, least=1)
    if copies > _MOST_COPIES:
        raise fields.refuse("count", f"at most {_MOST_COPIES}")
    body = _properties(fields, "body", APPLICATION.properties)
    body = {"displayName": fields.text("display_name"), **body}
    links = {"owners": tuple(fields.texts("owners"))}
    created, deleted = fields.instant("created", None), fields.instant("deleted", None)
    principal = fields.flag("service_principal", default=False)

    def step() -> list[Json]:
        made = []
        for n in range(1, copies + 1):
            record = plant_application(tenant, _numbered(body, n), links, created, deleted)
            one = {"id": record.id, "appId": record.body["appId"]}
            if principal:
                one["servicePrincipalId"] = plant_principal(tenant, record, tenant, deleted).id
            made.append(one)
        return made

    return step


def _properties(fields: Fields, name: str, known: Mapping[str, Any]) -> Json:
    """Read a JSON object whose names are all `known`."""
    body: object = fields.take(name, {})
    if not isinstance(body, dict):
        raise fields.refuse(name, "an object")
    if unknown := set(body) - set(known):
        raise fields.refuse(name, f"without {', '.join(sorted(unknown))}, which Graph has not")
    return body


def _numbered(value: Any, n: int) -> Any:
    """Put a number in the place of `{n}` in every text of a JSON value."""
    if isinstance(value, str):
        return value.replace("{n}", str(n))
    if isinstance(value, list):
        return [_numbered(one, n) for one in value]
    if isinstance(value, dict):
        return {name: _numbered(one, n) for name, one in value.items()}
    return value


def _issuer(cloud: Cloud, fields: Fields) -> _Step:
    issuer = fields.text("issuer")
    try:
        keys = jwt.PyJWKSet.from_dict(fields.take("jwks"))
    except (AttributeError, TypeError, jwt.PyJWTError) as error:
        raise fields.refuse("jwks", "a JSON Web Key Set with usable keys") from error
    return lambda: cloud.issuers.update({issuer: keys})


def _policy(tenant: Tenant, fields: Fields) -> _Step:
    policy = _properties(fields, "default_policy", DEFAULT_POLICY.properties)

    def step() -> None:
        entry = tenant.store.entry(Kind.DEFAULT_POLICY, DEFAULT_POLICY_ID)
        if policy and entry is not None and entry.latest is not None:
            tenant.change(entry.latest, policy)

    return step


def _quota(tenant: Tenant, fields: Fields) -> _Step:
    quota = fields.whole("quota", tenant.quota)
    return lambda: setattr(tenant, "quota", quota)


def _directory_quota(tenant: Tenant, fields: Fields) -> _Step:
    quota = fields.whole("directory_quota", tenant.directory_quota)
    return lambda: setattr(tenant, "directory_quota", quota)


def _domains(tenant: Tenant, fields: Fields) -> _Step:
    domains = [one for one in fields.texts("domains") if not tenant.answers_to(one)]
    return lambda: tenant.domains.extend(domains)


def _exchange(tenant: Tenant, fields: Fields) -> _Step:
    keep = fields.flag("exchange", default=True)

    def step() -> None:
        principal = tenant.principal_of(EXCHANGE_APP_ID)
        if principal is not None and not keep:
            tenant.store.remove(principal)

    return step
