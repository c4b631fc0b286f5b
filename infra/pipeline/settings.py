"""The configuration of the pipeline's identity: every key, its form, what it means.

Its own small set, apart from a mail stack's (`proself_mail.config.settings`): one identity serves
the stacks of one tenant.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

import pulumi
from pulumi.runtime.config import get_config_env
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from infra import operation
from proself_mail import clock
from proself_mail.config import configuration
from proself_mail.config.settings import TargetName
from proself_mail.entra import target
from proself_mail.entra.target import Target

PROJECT = "proself-mail-pipeline"
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
"""GitHub, "OpenID Connect reference"; a GitHub Enterprise Server has its own."""

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


def _repository(text: str) -> str:
    name = "[A-Za-z0-9_.-]+"
    if not re.fullmatch(rf"{name}/{name}|{name}@[0-9]+/{name}@[0-9]+", text):
        raise ValueError(
            f"{text!r} is neither GitHub's OWNER/NAME nor OWNER@ID/NAME@ID, the names of ASCII "
            "letters, digits, `-`, `_` and `.`; `gh api "
            "repos/OWNER/NAME/actions/oidc/customization/sub --jq .sub_claim_prefix` prints the "
            "one that it is, behind `repo:`"
        )
    return text


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class ServiceConnection(_Model):
    """A service connection of Azure DevOps, as its page for workload identity federation shows."""

    name: _Name
    issuer: _Text
    subject: _Text


@dataclass(frozen=True)
class Trusted:
    """Jobs that may sign in, by what their tokens say."""

    label: str
    issuer: str
    subject: str

    @property
    def name(self) -> str:
        """The credential's in Entra, which takes letters, digits, `-` and `_` in it."""
        return self.label.replace(".", "-")


class Settings(_Model):
    """The configuration, validated."""

    tenant_id: UUID
    target: TargetName
    display_name: _Text = "Proself mail pipeline"
    owners: Annotated[tuple[UUID, ...], Field(min_length=1)]
    """Object ids of the people who look after the identity; never its own."""
    repository: Annotated[str, AfterValidator(_repository)] | None = None
    """GitHub's OWNER/NAME, or OWNER@ID/NAME@ID, as its tokens have it behind `repo:`.

    With ids where it was made, renamed or transferred since 15 July 2026, or chose so; never on a
    GitHub Enterprise Server (GitHub, "OpenID Connect reference", Immutable subject claims). What
    GitHub's `sub_claim_prefix` says decides, whatever stands beside it (Azure/azure-dev#9382).
    """
    environments: tuple[_Name, ...] = ()
    """GitHub environments, named as the stacks; protect them."""
    github_issuer: _Text = GITHUB_ISSUER
    service_connections: tuple[ServiceConnection, ...] = ()

    @property
    def trusted(self) -> tuple[Trusted, ...]:
        """Return what each federated credential is to trust."""
        return (
            *(
                Trusted(
                    f"github-{each}",
                    self.github_issuer,
                    f"repo:{self.repository}:environment:{each}",
                )
                for each in self.environments
            ),
            *(
                Trusted(f"azure-devops-{each.name}", each.issuer, each.subject)
                for each in self.service_connections
            ),
        )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.environments and not self.repository:
            raise ValueError("`environments` are GitHub's: `repository` (OWNER/NAME) is missing")
        # Said to be none, it takes the trust away from all: from a runner that was broken into.
        if not self.model_fields_set & {"environments", "service_connections"}:
            raise ValueError(
                "name the pipelines that may sign in: `repository` and `environments`, or "
                "`serviceConnections`; `environments: []` for none at all"
            )
        # Microsoft, "Workload identity federation considerations": at most 20 an application.
        if len(self.trusted) > 20:
            raise ValueError("more than the 20 federated credentials that Entra allows")
        # Both are unique within an application (Microsoft, federatedIdentityCredential).
        names: dict[str, str] = {}
        subjects: dict[tuple[str, str], str] = {}
        for each in self.trusted:
            subject = (each.issuer, each.subject)
            if each.name in names:
                raise ValueError(
                    f"{names[each.name]!r} and {each.label!r} would have the one name "
                    f"{each.name!r} in Entra, where a dot becomes a hyphen: rename one, or take "
                    "it out"
                )
            if subject in subjects:
                raise ValueError(
                    f"{subjects[subject]!r} and {each.label!r} would trust the same subject of "
                    "the same issuer: take one of them out"
                )
            names[each.name] = subjects[subject] = each.label
        return self


def load() -> tuple[Settings, Target]:
    """Return the settings, and the target that the environment leads to.

    Raises `pulumi.RunError` where they cannot be used or do not fit together.
    """
    found = ((*key.partition(":"), value) for key, value in get_config_env().items())
    values = {name: value for namespace, _, name, value in found if namespace == PROJECT}
    try:
        settings = Settings.model_validate(configuration.lists_read(Settings, values))
    except ValidationError as error:
        problems = "; ".join(
            (f"`{'.'.join(map(str, each['loc']))}`: " if each["loc"] else "")
            + each["msg"].removeprefix("Value error, ")
            for each in error.errors(include_url=False, include_input=False)
        )
        raise pulumi.RunError(
            f"The configuration of the pipeline's identity cannot be used: {problems}. Next: "
            "correct it by `pulumi config set`, then try again."
        ) from error
    with operation.without_traceback():
        target.check_environment(settings.target, str(settings.tenant_id))
        where, there = target.reach(settings.target, str(settings.tenant_id))
        clock.check(clock.now(), there)
    return settings, where
