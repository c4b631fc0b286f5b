"""A stack's state as the engine keeps it: what it says is there, and what was under way.

Read from `pulumi stack export`, never from the backend's files; changed only by `stack import`,
and only where the engine cannot get over what a cut-off run left (`mend`).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from proself_mail import json_text
from proself_mail.config import stamp
from proself_mail.config.stamp import Stamp
from proself_mail.stack import output_names, secrets_provider
from proself_mail.stack.foreign import Foreign
from proself_mail.stack.secrets_provider import SecretsProvider
from proself_mail.stack.urn import Urn

APPLICATION = "application"
IDENTIFIER_URI = "identifier-uri"
SERVICE_PRINCIPAL = "service-principal"
CONSENT = "consent"
SECRET_PREFIX = "secret-"  # noqa: S105
"""Names of the program's resources; a secret's goes on with its window's id."""
COMPONENT = "proself-mail:index:MailApp"
"""The type of what the program's resources are below."""
SECRET_KIND = "azuread:index/applicationPassword:ApplicationPassword"  # noqa: S105
KINDS = {
    APPLICATION: "azuread:index/application:Application",
    IDENTIFIER_URI: "azuread:index/applicationIdentifierUri:ApplicationIdentifierUri",
    SERVICE_PRINCIPAL: "azuread:index/servicePrincipal:ServicePrincipal",
    CONSENT: "azuread:index/servicePrincipalDelegatedPermissionGrant:"
    "ServicePrincipalDelegatedPermissionGrant",
}
"""What each is. One that the program comes to call otherwise keeps its entry here, beside the new
one: a state has it by its former URN until the next `up`, which knows that by an alias."""

TOLD_IDS = {
    output_names.APPLICATION_OBJECT_ID: APPLICATION,
    output_names.SERVICE_PRINCIPAL_OBJECT_ID: SERVICE_PRINCIPAL,
}
"""Outputs that are a resource's id at Graph, and its name."""
_FOR_A_MOMENT = "TERRAFORM_UPDATE_"
"""How names begin by which the plugin asks a new object's replica for its attention."""


@dataclass(frozen=True)
class Resource:
    """One resource of the plugin in a stack's state."""

    name: str
    resource_id: str
    outputs: Mapping[str, Any]
    created: str = ""
    """When the engine recorded it, RFC 3339."""

    @property
    def graph_id(self) -> str:
        """Its id at Graph, which the plugin's ends with: an object's, or a secret's key id."""
        return _graph_id(self.resource_id)


@dataclass(frozen=True)
class State:
    """A stack's state."""

    resources: Mapping[str, Resource]
    """The program's resources by name, those only that have an id."""
    pending: tuple[str, ...]
    """Names of resources whose operation was under way when the engine was killed."""
    unfinished: tuple[str, ...]
    """Names of what exists, cannot be changed, and whose making was reported as failed."""
    outputs: Mapping[str, Any]
    """The stack's outputs, secrets in the clear."""
    protected: tuple[str, ...] = ()
    """Names of the program's resources that the engine refuses to delete."""
    stacks: frozenset[str] = frozenset()
    """The stacks that its resources are of by their URNs, each as PROJECT/STACK."""
    fault: str = ""
    """What is in it and can be in no state that the engine uses; blank for nothing."""
    foreign: tuple[Foreign, ...] = ()
    """What the program never declares, as by `pulumi import`; dependants come later."""
    replaced: tuple[Resource, ...] = ()
    """The program's that others of their names stand for now; the next update deletes them."""
    tainted: tuple[Urn, ...] = ()
    """What `pulumi state taint` marked: the next update replaces it."""
    secrets_provider: SecretsProvider = field(default_factory=SecretsProvider)
    """What encrypts its secrets."""
    written: str = ""
    """When the engine wrote it, as it says; blank where it does not. Each write has another."""

    @property
    def holds_anything(self) -> bool:
        """Whether something was made or begun; the engine's own record of the stack is nothing."""
        return bool(self.resources or self.pending or self.foreign or self.replaced)

    @property
    def application_id(self) -> str | None:
        """Object id of the application; none where the state knows of none."""
        found = self.resources.get(APPLICATION)
        # Not from its outputs: a create that was cut short may have left none.
        return found.graph_id if found else None

    @property
    def replaced_applications(self) -> frozenset[str]:
        """Object ids of the applications among what was replaced."""
        found = (each for each in self.replaced if each.name == APPLICATION)
        return frozenset(each.graph_id for each in found)

    @property
    def stamp(self) -> Stamp | None:
        """The stamp that the application bears; None without one, or where it is damaged."""
        found = self.resources.get(APPLICATION)
        return stamp.read(found.outputs.get("tags") or ()) if found else None

    @property
    def stack_id(self) -> UUID | None:
        """The UUID in that stamp."""
        return self.stamp.stack_id if self.stamp else None

    @property
    def client_id(self) -> str | None:
        """The application's client ID."""
        found = self.resources.get(APPLICATION)
        return found.outputs.get("clientId") if found else None

    @property
    def is_behind(self) -> bool:
        """Whether a trailing reader told the plugin what was: a name that it gives for a moment."""
        return any(
            isinstance(value, str) and value.startswith(_FOR_A_MOMENT)
            for each in self.resources.values()
            for value in each.outputs.values()
        )

    @property
    def key_ids(self) -> Mapping[str, str]:
        """Key ids of the client secrets, by their windows' ids."""
        return {
            name.removeprefix(SECRET_PREFIX): resource.graph_id
            for name, resource in self.resources.items()
            if name.startswith(SECRET_PREFIX)
        }

    @property
    def made(self) -> Mapping[str, str]:
        """Windows' ids by the key ids of the client secrets, of those too that it has lost.

        Its outputs tell of them until the next update.
        """
        return told_secrets(self.outputs) | {key: window for window, key in self.key_ids.items()}

    @property
    def ends(self) -> Mapping[str, datetime]:
        """When the client secrets end, by their windows' ids."""
        return {
            name.removeprefix(SECRET_PREFIX): datetime.fromisoformat(resource.outputs["endDate"])
            for name, resource in self.resources.items()
            if name.startswith(SECRET_PREFIX)
        }

    @property
    def secrets_made(self) -> Sequence[datetime]:
        """When the tenant made the client secrets, as far as a run was not cut short before."""
        made = (
            resource.outputs.get("startDate")
            for name, resource in self.resources.items()
            if name.startswith(SECRET_PREFIX)
        )
        return [datetime.fromisoformat(instant) for instant in made if instant]


UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)
"""What is raised for a deployment that is not what the engine writes."""


def read(deployment: Mapping[str, Any]) -> State:
    """Read an exported deployment, the inner object of `pulumi stack export`.

    Raises one of `UNREADABLE`.
    """
    resources: dict[str, Resource] = {}
    outputs: Mapping[str, Any] = {}
    protected: list[str] = []
    stacks: set[str] = set()
    foreign: dict[Urn, str] = {}
    replaced: list[Resource] = []
    tainted: list[Urn] = []
    for each in deployment.get("resources") or ():
        urn = Urn(each["urn"])
        stacks.add(f"{urn.project}/{urn.stack}")
        if is_foreign(urn):
            foreign[urn] = _graph_id(each.get("id") or "")
            continue
        if each.get("protect"):
            protected.append(urn.name)
        if each.get("taint") and not each.get("delete"):
            tainted.append(urn)
        if each["type"] == "pulumi:pulumi:Stack":
            outputs = _clear(each.get("outputs") or {})
        elif each["type"].startswith("azuread:") and each.get("id"):
            given = _clear(each.get("outputs") or {})
            resource = Resource(urn.name, each["id"], given, each.get("created") or "")
            if each.get("delete"):
                replaced.append(resource)
            else:
                resources[urn.name] = resource
    pending = tuple(
        _name(operation["resource"]) for operation in deployment.get("pending_operations") or ()
    )
    unfinished = tuple(_name(each) for each in _unfinished(deployment))
    found = State(
        resources,
        pending,
        unfinished,
        outputs,
        tuple(protected),
        frozenset(stacks),
        _fault(deployment.get("resources") or ()),
        foreign_of(foreign, outputs, {each["urn"] for each in deployment.get("resources") or ()}),
        tuple(replaced),
        tuple(tainted),
        secrets_provider.of_state(deployment),
        str((deployment.get("manifest") or {}).get("time") or ""),
    )
    # What these cannot be read from is told now, and by who knows of which stack it is.
    _ = found.stack_id, found.made, found.ends, found.secrets_made
    return found


def _fault(resources: Sequence[Mapping[str, Any]]) -> str:
    """Say what the engine would not use a state with these resources for; blank for nothing.

    (pulumi, pkg/resource/deploy, `Snapshot.VerifyIntegrity`)
    """
    there = Counter(each["urn"] for each in resources if not each.get("delete"))
    if twice := [urn for urn, count in there.items() if count > 1]:
        return f"{twice[0]} is in it more than once"
    known = {each["urn"] for each in resources}
    for each in resources:
        provider = (each.get("provider") or "").rpartition("::")[0]
        for other in (each.get("parent"), provider, *(each.get("dependencies") or ())):
            if other and other not in known:
                return f"{each['urn']} refers to {other}, which is not in it"
    return ""


def is_foreign(urn: Urn) -> bool:
    """Say whether a resource is none of the program's, nor what the engine keeps for its own use.

    The name alone does not tell: somebody may have imported another application by the same one.
    """
    kind, name = urn.kind, urn.name
    if kind in ("pulumi:pulumi:Stack", COMPONENT) or kind.startswith("pulumi:providers:"):
        return False
    is_named = kind == (SECRET_KIND if name.startswith(SECRET_PREFIX) else KINDS.get(name))
    return not is_named or urn.parent_kind != COMPONENT


def foreign_of(
    found: Mapping[Urn, str], outputs: Mapping[str, Any], taken: Collection[str]
) -> tuple[Foreign, ...]:
    """Return what is foreign, given its ids at Graph by URNs.

    It is the stack's own where the outputs tell of its id and the URN that the program would give
    it is not `taken`.
    """
    names = {outputs.get(key): name for key, name in TOLD_IDS.items()}
    names |= {key: SECRET_PREFIX + window for key, window in told_secrets(outputs).items()}

    def own_name(urn: Urn, graph_id: str) -> str:
        name = names.get(graph_id, "")
        named = urn.renamed(name)
        return name if name and named not in taken and not is_foreign(named) else ""

    return tuple(Foreign(urn, own_name(urn, graph_id)) for urn, graph_id in found.items())


def told_secrets(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the windows' ids by the key ids of the client secrets that a stack's outputs tell of.

    Without those that are told incompletely; empty where the outputs are covered.
    """
    return {
        each["keyId"]: each["id"]
        for each in client_secrets_told(outputs) or ()
        if isinstance(each.get("keyId"), str) and isinstance(each.get("id"), str)
    }


def client_secrets_told(outputs: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """Return what a stack's outputs tell of its client secrets; None where that is not to be seen.

    In a `State` without the values of secrets it is covered.
    """
    found = outputs.get(output_names.CLIENT_SECRETS)
    if not isinstance(found, list):
        return None
    return [each for each in found if isinstance(each, Mapping)]


def mend(deployment: dict[str, Any]) -> None:
    """Take out of an exported deployment what the engine cannot get over by itself.

    That are operations that a killed engine left pending, and the mark of failure on client secrets
    and the Application ID URI: the engine would try to update them, which the plugin cannot. They
    have their id because the tenant made them; of a secret, id, value and inputs are complete, and
    the key id, which Graph would add, is in the id too.
    """
    deployment.pop("pending_operations", None)
    for each in _unfinished(deployment):
        del each["initErrors"]
        if _name(each) != IDENTIFIER_URI:
            outputs = each.setdefault("outputs", {})
            outputs["keyId"] = outputs.get("keyId") or each["id"].rpartition("/")[2]


def _unfinished(deployment: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        each
        for each in deployment.get("resources") or ()
        if each.get("initErrors")
        and not is_foreign(Urn(each["urn"]))
        and (_name(each).startswith(SECRET_PREFIX) or _name(each) == IDENTIFIER_URI)
    ]


def _graph_id(resource_id: str) -> str:
    """Return the id at Graph, which the plugin's ends with."""
    return resource_id.rpartition("/")[2]


def _name(resource: Mapping[str, Any]) -> str:
    """Return a resource's name in the program."""
    return Urn(resource["urn"]).name


_SECRET_KEY = "4dabf18193072939515e22adb298388d"  # noqa: S105  Pulumi's mark of a special value
_SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  … which is a secret


def _clear(value: Any) -> Any:
    """Unwrap secrets, which an export with --show-secrets holds as JSON text."""
    if isinstance(value, dict):
        if value.get(_SECRET_KEY) == _SECRET_MARK:
            return _clear(json_text.read(value["plaintext"])) if "plaintext" in value else None
        return {key: _clear(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_clear(each) for each in value]
    return value
