"""The engine's events, received: a gRPC server of one service, for `--event-log`.

Those of severity debug carry raw HTTP bodies, secrets included; they are dropped before anything
sees them. A module of its own because gRPC and Pulumi's protocol take a third of a second to
import, which only an update has a use for.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import events_pb2_grpc

from proself_mail import json_text


@contextlib.contextmanager
def events(observe: Callable[[Mapping[str, Any]], None]) -> Iterator[str]:
    """Serve an address for the engine's `--event-log`; give each event to `observe`."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    events_pb2_grpc.add_EventsServicer_to_server(_Events(observe), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        server.stop(grace=1).wait()


class _Events(events_pb2_grpc.EventsServicer):
    def __init__(self, observe: Callable[[Mapping[str, Any]], None]) -> None:
        self._observe = observe

    def StreamEvents(self, request_iterator: Any, context: Any) -> Any:  # noqa: ARG002, N802
        for request in request_iterator:
            event = json_text.read(request.event)
            if event.get("diagnosticEvent", {}).get("severity") != "debug":
                self._observe(event)
        return empty_pb2.Empty()
