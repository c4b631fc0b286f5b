"""An engine from before it read what Pulumi.yaml requires, or none: the program refuses it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from pulumi.runtime.proto import engine_pb2, resource_pb2

from proself_mail import facts
from tools import pulumi_cli

ROOT = Path(__file__).resolve().parents[2]


def method(
    asked: type[Message], answer: Callable[[Any], Message]
) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(
        lambda request, _: answer(request),
        request_deserializer=asked.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


@pytest.mark.parametrize("program", ["infra", "infra/pipeline"])
def test_it_is_refused(program: str) -> None:
    """It knows no `RequirePulumiVersion`, as none before 3.220 did."""
    errors: list[str] = []
    registered: list[str] = []

    def log(request: Any) -> Message:
        if request.severity == engine_pb2.ERROR:
            errors.append(request.message)
        return Empty()

    def register(request: Any) -> Message:
        registered.append(request.type)
        return resource_pb2.RegisterResourceResponse(urn=f"urn:pulumi:dev::x::{request.type}::x")

    served = {
        "pulumirpc.Engine": {"Log": method(engine_pb2.LogRequest, log)},
        "pulumirpc.ResourceMonitor": {
            "RegisterResource": method(resource_pb2.RegisterResourceRequest, register),
            "RegisterResourceOutputs": method(
                resource_pb2.RegisterResourceOutputsRequest, lambda _: Empty()
            ),
        },
    }
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, methods) for name, methods in served.items()]
    )
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    host = pulumi_cli.locate().path.parent / "pulumi-language-python-exec"
    told = {"monitor": address, "engine": address, "project": "x", "stack": "dev", "parallel": "4"}
    try:
        done = subprocess.run(
            [sys.executable, host, *(f"--{key}={value}" for key, value in told.items()), program],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PULUMI_CONFIG": json.dumps({})},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
    finally:
        server.stop(0)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    [error] = errors
    assert f"supported version ({facts.PULUMI_SUPPORTED})" in error
    assert "`make setup`" in error.partition(" Next: ")[2]
    assert registered == ["pulumi:pulumi:Stack"]


@pytest.mark.parametrize("program", ["infra", "infra/pipeline"])
def test_without_one_it_ends_in_a_sentence(program: str) -> None:
    """An old language host starts it for a policy pack in Python, and shows what it says."""
    done = subprocess.run(
        [sys.executable, program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode != 0
    [line] = (done.stdout + done.stderr).splitlines()
    assert line.startswith("No Pulumi engine runs this program. Next: ")
    assert "policy pack in Python" in line
