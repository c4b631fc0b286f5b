"""The stand-in plugin as a process: how the engine starts it, asks it and ends it."""

import functools
import signal
import socket
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from emulator.azuread_plugin import write_launcher
from tests.emulator.plugin_process import Plugin, environment_of, error_of
from tests.tenant import Tenant
from tests.waiting import until


@pytest.fixture(scope="module")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin as the engine starts it: no test's fork, which the other tests have."""
    return write_launcher(tmp_path_factory.mktemp("プラグイン & co"))


def test_it_says_a_port_and_is_version_6_10(executable: Path) -> None:
    with Plugin(executable, {}) as plugin:
        assert plugin.version() == "6.10.0"


def test_calls_of_newer_plugins_are_unimplemented(executable: Path) -> None:
    """The real, bridged plugin does not know them either, and the engine falls back."""
    with Plugin(executable, {}) as plugin:
        for call, request in (
            (plugin.stub.Handshake, provider_pb2.ProviderHandshakeRequest()),
            (plugin.stub.Parameterize, provider_pb2.ParameterizeRequest()),
            (plugin.stub.Construct, provider_pb2.ConstructRequest()),
        ):
            error = error_of(functools.partial(call, request))
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_previews_are_supported_and_secrets_are_the_engines(
    executable: Path, tenant: Tenant
) -> None:
    with Plugin(executable, environment_of(tenant)) as plugin:
        response = plugin.configure()
    assert response.supportsPreview
    assert not response.acceptSecrets


@pytest.mark.skipif(sys.platform == "win32", reason="there is no signal to a process there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once(executable: Path, tenant: Tenant, number: signal.Signals) -> None:
    """Under a request, too: the engine sends SIGINT and waits five seconds for one that stays."""
    match = {"method": "GET", "path": "/applications/*"}
    tenant.faults({"name": "held", "match": match, "strike": "slow", "seconds": 60})
    read = f"/applications/{uuid.uuid4()}"
    with Plugin(executable, environment_of(tenant)) as plugin, ThreadPoolExecutor(1) as pool:
        plugin.configure()
        reading = pool.submit(plugin.read, "Application", read)
        until(lambda: tenant.struck()["held"])
        plugin.process.send_signal(number)
        assert plugin.process.wait(timeout=30) == -number
        assert isinstance(reading.exception(), grpc.RpcError)


def test_it_outlives_a_closed_connection_but_not_the_engine(executable: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as engine:
        address = f"127.0.0.1:{engine.getsockname()[1]}"
        with Plugin(executable, {}, [address]) as plugin:
            engine.settimeout(5)
            engine.accept()[0].close()
            engine.accept()[0].close()
            assert plugin.version() == "6.10.0"
            engine.close()
            assert plugin.process.wait(timeout=30) == 0


def test_a_module_of_the_program_does_not_shadow_ours(executable: Path, tmp_path: Path) -> None:
    """The engine starts plugins in the program's folder."""
    (tmp_path / "emulator.py").write_text("raise SystemExit(3)", encoding="utf-8")
    process = subprocess.Popen([executable], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline().strip().isdigit()
        process.terminate()


def test_unrelated_resources_do_not_wait_for_one_another(executable: Path) -> None:
    """Of eight reads of three slow requests each, most have begun before one is done."""
    with Tenant("--latency-ms", "200") as slow, Plugin(executable, environment_of(slow)) as it:
        it.configure()
        resource_id, _ = it.create("Application", {"displayName": "Mail"})
        before = slow.history()[-1]["n"]
        with ThreadPoolExecutor(8) as pool:
            reads = [pool.submit(it.read, "Application", resource_id) for _ in range(8)]
            assert all(read.result().id == resource_id for read in reads)
        asked = [each["path"] for each in slow.history(before)]
    last = asked.index(f"/v1.0{resource_id}/owners")  # a read's last request
    assert asked[:last].count(f"/v1.0{resource_id}") > 4, "the others wait for the first"


def test_an_address_of_no_engine_is_refused(executable: Path) -> None:
    done = subprocess.run([executable, "nowhere"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == (
        "pulumi-resource-azuread: 'nowhere' is no address of an engine, which is HOST:PORT\n"
    )
