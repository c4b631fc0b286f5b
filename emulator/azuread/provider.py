"""Pulumi's provider protocol: which call does what, and how errors travel.

It answers as the real, bridged plugin does: calls that plugin does not have (Handshake,
Parameterize, Construct, ...) are unimplemented, secrets are not accepted, previews are supported.
Calls run at the same time, each on its own thread.
"""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import Message

from emulator.azuread import lifecycle
from emulator.azuread.check import check
from emulator.azuread.configuration import (
    ENGINE_KEYS,
    ENVIRONMENT,
    SECRETS,
    decode_json_values,
    read_configuration,
)
from emulator.azuread.errors import (
    ConfigurationError,
    DiagnosticError,
    InitializationError,
    PluginError,
    RequestError,
)
from emulator.azuread.functions import Function
from emulator.azuread.protocol import SERVICE, AnyMessage, Empty, Struct, plugin, rpc, status
from emulator.azuread.resource import Resource
from emulator.azuread.tenant import Tenant, connect
from emulator.azuread.values import Properties, Secret, contains_unknown, decode, encode

VERSION = "6.10.0"

Context: TypeAlias = grpc.ServicerContext


class Provider:
    """One provider process: configured once, then asked by the engine from many threads."""

    def __init__(
        self,
        resources: Mapping[str, Resource],
        functions: Mapping[str, Function],
        on_attach: Callable[[str], None],
    ) -> None:
        self._resources = resources
        self._functions = functions
        self._on_attach = on_attach
        self._tenant: Tenant | None = None
        self._accepts_secrets = False

    def handlers(self) -> grpc.GenericRpcHandler:
        """Give the calls that this plugin implements; grpc answers UNIMPLEMENTED to the others."""
        calls: list[tuple[str, type[Message], Callable[[Any], Message]]] = [
            ("Attach", plugin.PluginAttach, self._attach),
            ("Cancel", Empty, self._cancel),
            ("Check", rpc.CheckRequest, self._check),
            ("CheckConfig", rpc.CheckRequest, self._check_config),
            ("Configure", rpc.ConfigureRequest, self._configure),
            ("Create", rpc.CreateRequest, self._create),
            ("Delete", rpc.DeleteRequest, self._delete),
            ("Diff", rpc.DiffRequest, self._diff),
            ("DiffConfig", rpc.DiffRequest, self._diff_config),
            ("GetMapping", rpc.GetMappingRequest, self._get_mapping),
            ("GetPluginInfo", Empty, self._get_plugin_info),
            ("GetSchema", rpc.GetSchemaRequest, self._get_schema),
            ("Invoke", rpc.InvokeRequest, self._invoke),
            ("Read", rpc.ReadRequest, self._read),
            ("Update", rpc.UpdateRequest, self._update),
        ]
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    self._answering(call),
                    request_deserializer=request.FromString,
                    response_serializer=lambda message: message.SerializeToString(),
                )
                for name, request, call in calls
            },
        )

    def _get_plugin_info(self, _: Empty) -> Message:
        return plugin.PluginInfo(version=VERSION)

    def _get_schema(self, _: rpc.GetSchemaRequest) -> Message:
        return rpc.GetSchemaResponse(schema=json.dumps({"name": "azuread", "version": VERSION}))

    def _get_mapping(self, _: rpc.GetMappingRequest) -> Message:
        return rpc.GetMappingResponse()

    def _attach(self, request: plugin.PluginAttach) -> Message:
        try:
            self._on_attach(request.address)
        except ValueError as failure:
            raise RequestError(str(failure)) from failure
        return Empty()

    def _cancel(self, _: Empty) -> Message:
        # As the real plugin: what is under way ends in its own time, so that no object is lost.
        return Empty()

    def _check_config(self, request: rpc.CheckRequest) -> Message:
        news = decode(request.news)
        unknown = sorted(news.keys() - ENVIRONMENT.keys() - ENGINE_KEYS)
        failures = [
            f"could not validate provider configuration: Invalid or unknown key. Check "
            f"`pulumi config get azuread:{name}`."
            for name in unknown
        ]
        inputs = Struct()
        inputs.CopyFrom(request.news)
        secrets = {name: Secret(news[name]) for name in SECRETS & news.keys()}
        inputs.MergeFrom(encode(secrets))
        return rpc.CheckResponse(inputs=inputs, failures=_failures(failures))

    def _diff_config(self, request: rpc.DiffRequest) -> Message:
        # Another sign-in, or another address of the tenant, replaces no resource.
        olds, news = decode(request.olds), decode(request.news)
        names = sorted(
            name
            for name in (olds.keys() | news.keys()) - ENGINE_KEYS - set(request.ignoreChanges)
            if olds.get(name) != news.get(name) or contains_unknown(news.get(name))
        )
        some, none = rpc.DiffResponse.DIFF_SOME, rpc.DiffResponse.DIFF_NONE
        return rpc.DiffResponse(changes=some if names else none, diffs=names)

    def _configure(self, request: rpc.ConfigureRequest) -> Message:
        self._accepts_secrets = request.acceptSecrets
        given = decode_json_values(decode(request.args))
        self._tenant = connect(read_configuration(given))
        return rpc.ConfigureResponse(supportsPreview=True, supports_autonaming_configuration=True)

    def _invoke(self, request: rpc.InvokeRequest) -> Message:
        function = self._functions.get(request.tok)
        if function is None:
            raise PluginError(
                f"unrecognized data function (Invoke): {request.tok}. The stand-in azuread plugin "
                f"serves {', '.join(sorted(self._functions))}."
            )
        checked = check(function.arguments, decode(request.args), request.tok)
        if checked.failures:
            return rpc.InvokeResponse(failures=_failures(checked.failures))
        try:
            result = function.call(self._connected(), checked.inputs)
        except DiagnosticError as failure:
            raise PluginError(f"invoking {request.tok}: {failure.listed}") from failure
        response = rpc.InvokeResponse()
        getattr(response, "return").CopyFrom(encode(result))  # a keyword of Python
        return response

    def _check(self, request: rpc.CheckRequest) -> Message:
        resource = self._resource(request.urn)
        checked = check(resource.fields, decode(request.news), _name(request.urn))
        return rpc.CheckResponse(
            inputs=encode(checked.inputs), failures=_failures(checked.failures)
        )

    def _diff(self, request: rpc.DiffRequest) -> Message:
        resource = self._resource(request.urn)
        change = lifecycle.diff(
            resource, decode(request.olds), decode(request.news), list(request.ignoreChanges)
        )
        some, none = rpc.DiffResponse.DIFF_SOME, rpc.DiffResponse.DIFF_NONE
        return rpc.DiffResponse(
            changes=some if change.properties else none,
            diffs=change.properties,
            replaces=change.replaces,
            stables=sorted(
                name
                for name, field in resource.fields.items()
                if field.replaces and name not in change.replaces
            ),
            detailedDiff={path: rpc.PropertyDiff(kind=kind) for path, kind in change.kinds.items()},
            hasDetailedDiff=True,
        )

    def _create(self, request: rpc.CreateRequest) -> Message:
        resource, inputs = self._resource(request.urn), decode(request.properties)
        if request.preview:
            return rpc.CreateResponse(
                properties=self._encoded(lifecycle.preview_create(resource, inputs))
            )
        _require_known(inputs)
        tenant = self._connected()
        resource_id, state = lifecycle.create(resource, tenant, inputs, request.urn)
        return rpc.CreateResponse(id=resource_id, properties=self._encoded(state))

    def _read(self, request: rpc.ReadRequest) -> Message:
        resource, tenant = self._resource(request.urn), self._connected()
        try:
            if request.properties.fields:
                state, inputs = decode(request.properties), decode(request.inputs)
                read = lifecycle.refresh(resource, tenant, request.id, state, inputs)
            else:
                read = lifecycle.import_existing(resource, tenant, request.id)
        except DiagnosticError as failure:
            raise PluginError(f"refreshing {request.urn}: {failure.listed}") from failure
        if read is None:
            return rpc.ReadResponse()
        state, inputs = read
        return rpc.ReadResponse(
            id=request.id, properties=self._encoded(state), inputs=self._encoded(inputs)
        )

    def _update(self, request: rpc.UpdateRequest) -> Message:
        resource = self._resource(request.urn)
        olds, news = decode(request.olds), decode(request.news)
        ignored = list(request.ignoreChanges)
        if request.preview:
            state = lifecycle.preview_update(resource, request.id, olds, news, ignored)
        else:
            _require_known(news)
            state = lifecycle.update(
                resource, self._connected(), request.id, olds, news, ignored, request.urn
            )
        return rpc.UpdateResponse(properties=self._encoded(state))

    def _delete(self, request: rpc.DeleteRequest) -> Message:
        resource = self._resource(request.urn)
        try:
            lifecycle.delete(resource, self._connected(), request.id, decode(request.properties))
        except DiagnosticError as failure:
            raise PluginError(f"deleting {request.urn}: {failure.listed}") from failure
        return Empty()

    def _resource(self, urn: str) -> Resource:
        parts = urn.split("::")
        if len(parts) < 4:
            raise RequestError(f"{urn!r} is no URN of a resource")
        token = parts[2].rpartition("$")[2]
        resource = self._resources.get(token)
        if resource is None:
            raise PluginError(
                f"unrecognized resource type (Check): {token}. The stand-in azuread plugin serves "
                f"{', '.join(sorted(self._resources))}; install the real plugin for others."
            )
        return resource

    def _connected(self) -> Tenant:
        if self._tenant is None:
            raise ConfigurationError("The azuread provider was used before it was configured.")
        return self._tenant

    def _encoded(self, properties: Properties) -> Struct:
        return encode(properties, secrets=self._accepts_secrets)

    def _answering(self, call: Callable[[Any], Message]) -> Callable[[Any, Context], Message]:
        """Turn exceptions into what the engine understands."""

        def answer(request: Any, context: Context) -> Message:
            try:
                return call(request)
            except InitializationError as failure:
                _abort_initialization(failure, self._encoded(failure.state), context)
            except DiagnosticError as failure:
                context.abort(grpc.StatusCode.UNKNOWN, failure.listed)
            except RequestError as failure:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(failure))
            except PluginError as failure:
                context.abort(grpc.StatusCode.UNKNOWN, str(failure))
            except Exception as failure:  # a defect of ours: say where, and keep serving
                traceback.print_exc(file=sys.stderr)
                context.abort(
                    grpc.StatusCode.INTERNAL,
                    f"the stand-in azuread plugin failed: {type(failure).__name__}",
                )

        return answer


def _require_known(inputs: Properties) -> None:
    """Refuse inputs that are not known yet, which only a preview may have."""
    if names := sorted(name for name, value in inputs.items() if contains_unknown(value)):
        raise RequestError(f"not known yet, and this is no preview: {', '.join(names)}")


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _failures(reasons: list[str]) -> list[rpc.CheckFailure]:
    return [rpc.CheckFailure(reason=reason) for reason in reasons]


def _abort_initialization(
    failure: InitializationError, state: Struct, context: Context
) -> NoReturn:
    detail = AnyMessage()
    detail.Pack(
        rpc.ErrorResourceInitFailed(
            id=failure.object_id,
            properties=state,
            reasons=failure.reasons,
        )
    )
    code = grpc.StatusCode.UNKNOWN
    message = status.Status(code=code.value[0], message=str(failure), details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", message.SerializeToString()),))
    context.abort(code, str(failure))
