"""A plugin process and a client of its protocol, made of Pulumi's own generated classes."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import grpc
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.tenant import Tenant

_NEEDED = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
"""What a program on Windows needs to open a socket."""

SECRET_SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
TYPES = {
    "Application": "azuread:index/application:Application",
    "ApplicationFederatedIdentityCredential": (
        "azuread:index/applicationFederatedIdentityCredential:"
        "ApplicationFederatedIdentityCredential"
    ),
    "ApplicationIdentifierUri": "azuread:index/applicationIdentifierUri:ApplicationIdentifierUri",
    "ApplicationOwner": "azuread:index/applicationOwner:ApplicationOwner",
    "ApplicationPassword": "azuread:index/applicationPassword:ApplicationPassword",
    "AppRoleAssignment": "azuread:index/appRoleAssignment:AppRoleAssignment",
    "ServicePrincipal": "azuread:index/servicePrincipal:ServicePrincipal",
    "ServicePrincipalDelegatedPermissionGrant": (
        "azuread:index/servicePrincipalDelegatedPermissionGrant:"
        "ServicePrincipalDelegatedPermissionGrant"
    ),
}


def environment_of(tenant: Tenant) -> dict[str, str]:
    """Give the variables that lead the plugin to a tenant."""
    return {
        "ARM_CLIENT_ID": tenant.client_id,
        "ARM_CLIENT_SECRET": tenant.client_secret,
        "ARM_METADATA_HOSTNAME": tenant.metadata_host,
        "ARM_TENANT_ID": tenant.tenant_id,
        "SSL_CERT_FILE": tenant.authority_file,
    }


def error_of(call: Callable[[], object]) -> Any:
    """Give the error of a call to a plugin, which must fail."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


def struct(properties: Mapping[str, Any]) -> Struct:
    """Write a property map."""
    message = Struct()
    message.update(dict(properties))
    return message


def plain(message: Struct) -> dict[str, Any]:
    """Read a property map as it travels, signatures and all."""
    properties: dict[str, Any] = MessageToDict(message)
    return properties


class Plugin:
    """A running plugin. Use it in a `with`."""

    def __init__(
        self, executable: Path, environment: Mapping[str, str], arguments: Iterable[str] = ()
    ) -> None:
        """Start it and connect; it is not configured yet."""
        self.process = subprocess.Popen(
            [str(executable), *arguments],
            env={"PATH": os.defpath, **_NEEDED, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> str:
        """End it and give all that it wrote."""
        self._channel.close()
        if sys.platform == "win32":  # its launcher is a script, whose end ends nothing else
            with contextlib.suppress(psutil.NoSuchProcess):
                for below in psutil.Process(self.process.pid).children(recursive=True):
                    below.kill()
        self.process.terminate()
        out, err = self.process.communicate(timeout=10)
        return out + err

    def configure(self, **configuration: Any) -> provider_pb2.ConfigureResponse:
        """Configure as the engine does: secrets accepted, values that are no text as JSON."""
        response: provider_pb2.ConfigureResponse = self.stub.Configure(
            provider_pb2.ConfigureRequest(args=struct(configuration), acceptSecrets=True)
        )
        return response

    def refusal(self, **configuration: Any) -> str:
        """Configure, which must fail; gives the message."""
        try:
            self.configure(**configuration)
        except grpc.RpcError as error:
            return str(error.details())
        raise AssertionError("the configuration was accepted")

    def check(self, kind: str, inputs: Mapping[str, Any]) -> provider_pb2.CheckResponse:
        """Check inputs."""
        response: provider_pb2.CheckResponse = self.stub.Check(
            provider_pb2.CheckRequest(urn=urn(kind), news=struct(inputs))
        )
        return response

    def checked(self, kind: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Check inputs, which must be right; gives them with defaults."""
        response = self.check(kind, inputs)
        assert not response.failures, response.failures
        return plain(response.inputs)

    def preview(self, kind: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Preview a creation."""
        request = provider_pb2.CreateRequest(
            urn=urn(kind), properties=struct(self.checked(kind, inputs)), preview=True
        )
        return plain(self.stub.Create(request).properties)

    def create(self, kind: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Create; gives id and state."""
        response = self.stub.Create(
            provider_pb2.CreateRequest(urn=urn(kind), properties=struct(self.checked(kind, inputs)))
        )
        return response.id, plain(response.properties)

    def diff(
        self,
        kind: str,
        state: Mapping[str, Any],
        inputs: Mapping[str, Any],
        ignored: Iterable[str] = (),
    ) -> provider_pb2.DiffResponse:
        """Compare a state with inputs."""
        response: provider_pb2.DiffResponse = self.stub.Diff(
            provider_pb2.DiffRequest(
                id=state["id"],
                urn=urn(kind),
                olds=struct(without_secrets(state)),
                news=struct(self.checked(kind, inputs)),
                ignoreChanges=list(ignored),
            )
        )
        return response

    def update(
        self,
        kind: str,
        state: Mapping[str, Any],
        inputs: Mapping[str, Any],
        *,
        preview: bool = False,
    ) -> dict[str, Any]:
        """Change in place; gives the new state."""
        response = self.stub.Update(
            provider_pb2.UpdateRequest(
                id=state["id"],
                urn=urn(kind),
                olds=struct(without_secrets(state)),
                news=struct(self.checked(kind, inputs)),
                preview=preview,
            )
        )
        return plain(response.properties)

    def read(
        self,
        kind: str,
        resource_id: str,
        state: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
    ) -> provider_pb2.ReadResponse:
        """Refresh a state, or import when there is none."""
        response: provider_pb2.ReadResponse = self.stub.Read(
            provider_pb2.ReadRequest(
                id=resource_id,
                urn=urn(kind),
                properties=struct(without_secrets(state)) if state else None,
                inputs=struct(inputs or {}),
            )
        )
        return response

    def delete(self, kind: str, state: Mapping[str, Any]) -> None:
        """Delete."""
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=state["id"], urn=urn(kind), properties=struct(without_secrets(state))
            )
        )

    def invoke(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function, which must not refuse its arguments."""
        response = self.stub.Invoke(
            provider_pb2.InvokeRequest(tok=f"azuread:index/{name}:{name}", args=struct(arguments))
        )
        assert not response.failures, response.failures
        return plain(getattr(response, "return"))

    def version(self) -> str:
        """Ask for the plugin's version."""
        return str(self.stub.GetPluginInfo(Empty()).version)


def urn(kind: str) -> str:
    """Give the URN of the one resource of a type that a test has."""
    return f"urn:pulumi:dev::test::{TYPES[kind]}::it"


def without_secrets(state: Mapping[str, Any]) -> dict[str, Any]:
    """Unwrap what is marked secret, as the engine does before it sends a state."""
    return {
        name: value["value"]
        if isinstance(value, dict) and SECRET_SIGNATURE.items() <= value.items()
        else value
        for name, value in state.items()
    }
