"""How the emulator starts, what it leaves on the disk, and how it ends."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import httpx
import psutil
import pytest
from cryptography import x509

from emulator import ready_file, server
from emulator.cloud import Cloud
from emulator.config import parse
from emulator.ready_file import Ports
from tests.tenant import Tenant
from tests.waiting import until

asked_to_end = pytest.mark.skipif(
    sys.platform == "win32", reason="there a process is ended without a word, and its files stay"
)


def emulator(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "emulator", *options],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def serving(ready_file: Path) -> Iterator[dict[str, Any]]:
    """Run one on that ready file, and return what it wrote there."""
    command = [sys.executable, "-m", "emulator", "--ready-file", str(ready_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout
            assert process.stdout.readline()
            yield json.loads(ready_file.read_text(encoding="utf-8"))
        finally:
            process.terminate()
    assert process.returncode == 0


def test_the_ready_file_says_where_and_as_whom(running_tenant: Tenant) -> None:
    ready = running_tenant.ready
    assert ready["authority"] == ready["graph"] == f"https://{ready['metadata_host']}"
    assert [one["domains"][0] for one in ready["tenants"]] == [
        "contoso.onmicrosoft.com",
        "fabrikam.onmicrosoft.com",
    ]
    first = ready["tenants"][0]
    assert {name: ready[name] for name in first} == first
    for one in ready["tenants"]:
        assert {"tenant_id", "client_id", "client_secret", "admin_url", "ca_file"} <= set(one)


@asked_to_end
def test_files_are_private_and_go_with_the_process() -> None:
    tenant = Tenant()
    files = [tenant.ready_file, Path(tenant.ca_file)]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    assert sorted(tenant.ready_file.parent.iterdir()) == sorted(files)
    os.kill(tenant.ready["pid"], signal.SIGTERM)
    assert tenant.process.wait(60) == 0
    assert list(tenant.ready_file.parent.iterdir()) == []
    tenant.stop()


@asked_to_end
def test_a_request_under_way_ends_with_it_and_is_no_failure(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Past the second that it has for an end of its own."""
    with Tenant("--latency-ms", "60000") as tenant:
        address = ("127.0.0.1", urlsplit(tenant.authority).port)
        with (
            socket.create_connection(address) as plain,
            tenant.ssl_context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(b"GET /v1.0/applications HTTP/1.1\r\nHost: localhost\r\n\r\n")
            until(tenant.history)
            os.kill(tenant.ready["pid"], signal.SIGTERM)
            assert tenant.process.wait(60) == 0
    assert "Traceback" not in capfd.readouterr().err


class TestOneReadyFile:
    def test_a_second_is_refused_while_the_first_lives(self, running_tenant: Tenant) -> None:
        folder = running_tenant.ready_file.parent
        before = {file: file.read_bytes() for file in folder.iterdir()}
        result = emulator("--ready-file", str(running_tenant.ready_file))
        assert result.returncode == 2
        assert f"process {running_tenant.ready['pid']}" in result.stderr
        assert "Next: end that process, or give another --ready-file" in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert {file: file.read_bytes() for file in folder.iterdir()} == before
        assert running_tenant.sign_in().status_code == 200

    @asked_to_end
    def test_what_a_killed_one_left_is_replaced(self) -> None:
        with Tenant() as first:
            first.process.kill()
            first.process.wait()
            assert first.ready_file.exists()
            with serving(first.ready_file) as second:
                assert second["tenant_id"] != first.tenant_id

    @asked_to_end
    def test_an_empty_file_is_replaced(self, tmp_path: Path) -> None:
        """As mktemp makes one."""
        for name in ("ready.json", "ready-ca.pem"):
            (tmp_path / name).touch()
        with serving(tmp_path / "ready.json") as ready:
            assert ready["tenant_id"]
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("ready.json", "[]"),
            ("ready.json", "name: proself-mail\n"),
            ("ready.json", '{"pid": 1, "admin_url": "x"}'),
            ("ready.json", "[" * 100_000),
            ("ready-ca.pem", "theirs"),
            ("ready-ca.pem", certifi.contents()),
        ],
        ids=["list", "yaml", "json", "deep", "text", "roots"],
    )
    def test_what_is_something_else_is_left(self, tmp_path: Path, name: str, content: str) -> None:
        (tmp_path / name).write_text(content, encoding="utf-8", newline="")
        with pytest.raises(OSError, match=r"is there already and is no .* --ready-file"):
            ready_file.refuse_taken(tmp_path / "ready.json")
        assert [each.name for each in tmp_path.iterdir()] == [name]
        assert (tmp_path / name).read_bytes() == content.encode()

    def test_a_ready_file_without_an_emulator_may_be_replaced(self, tmp_path: Path) -> None:
        described = {"pid": 1, "client_secret": "x"}
        for url in ("x", "http://127.0.0.1:1", 1):
            text = json.dumps(described | {"admin_url": url})
            (tmp_path / "ready.json").write_text(text, encoding="utf-8")
            ready_file.refuse_taken(tmp_path / "ready.json")

    @pytest.mark.skipif(
        sys.platform == "win32", reason="its folders have no mode and no owner's ID"
    )
    @pytest.mark.parametrize(("owner", "mode"), [(4712, 0o755), (0, 0o702)])
    def test_a_folder_of_others_takes_no_secret(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, mode: int
    ) -> None:
        tmp_path.chmod(mode)
        really = Path.stat

        def stat_of(path: Path, **options: bool) -> os.stat_result:
            found = really(path, **options)
            user = owner if path == tmp_path and owner else found.st_uid
            return os.stat_result((*found[:4], user, *found[5:]))

        monkeypatch.setattr(Path, "stat", stat_of)
        with pytest.raises(OSError, match=r"is another user's, or others .* --ready-file, in a"):
            ready_file.refuse_taken(tmp_path / "ready.json")
        tmp_path.chmod(0o1777)  # as /tmp
        owner = 0
        ready_file.refuse_taken(tmp_path / "ready.json")

    @asked_to_end
    def test_an_older_one_that_ends_leaves_a_newers_files_alone(self) -> None:
        with Tenant() as older:
            older.ready_file.unlink()
            with serving(older.ready_file) as newer:
                older.process.terminate()
                assert older.process.wait(60) == 0
                assert json.loads(older.ready_file.read_text(encoding="utf-8")) == newer
                context = ssl.create_default_context(cafile=newer["ca_file"])
                address = f"{newer['graph']}/metadata/endpoints?api-version=2022-09-01"
                assert httpx.get(address, verify=context, trust_env=False).status_code == 200
            assert list(older.ready_file.parent.iterdir()) == []


def test_no_private_key_is_on_the_disk(running_tenant: Tenant) -> None:
    for file in running_tenant.ready_file.parent.iterdir():
        assert b"PRIVATE KEY" not in file.read_bytes()


def test_the_authority_lives_a_day_and_vouches_for_loopback_alone(running_tenant: Tenant) -> None:
    authority = x509.load_pem_x509_certificate(Path(running_tenant.ca_file).read_bytes())
    assert (authority.not_valid_after_utc - authority.not_valid_before_utc).days == 1
    constraint = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraint.critical
    allowed = constraint.value.permitted_subtrees or []
    assert {str(name.value) for name in allowed} == {"localhost", "127.0.0.0/8", "::1/128"}


def test_the_bundle_holds_the_systems_roots_too(tmp_path: Path) -> None:
    system = ssl.get_default_verify_paths().cafile
    assert system
    with serving(tmp_path / "ready.json") as ready:
        bundle = Path(ready["ca_file"]).read_bytes()
    assert Path(system).read_bytes()
    assert bundle.endswith(Path(system).read_bytes())


def test_a_client_that_does_not_know_the_authority_refuses_it(running_tenant: Tenant) -> None:
    with (
        httpx.Client(trust_env=False) as stranger,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        stranger.get(f"{running_tenant.graph}/metadata/endpoints")


def test_it_answers_to_every_name_it_was_given() -> None:
    with Tenant("--hostname", "login.emulator.test", "graph.emulator.test") as tenant:
        assert tenant.metadata_host.startswith("login.emulator.test:")
        port = int(tenant.metadata_host.rpartition(":")[2])
        for name in ("login.emulator.test", "graph.emulator.test", "localhost", "127.0.0.1"):
            with (
                socket.create_connection(("127.0.0.1", port)) as plain,
                tenant.ssl_context.wrap_socket(plain, server_hostname=name) as secure,
            ):
                assert secure.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("given", ["::1", "[::1]"])
def test_an_address_of_ipv6_stands_in_brackets(given: str) -> None:
    config = parse(["--ready-file", "ready.json", "--hostname", given])
    ready = ready_file.content(config, Cloud(config).specs, Ports(1, 2, 3, 4), Path("ca.pem"))
    assert (ready["metadata_host"], ready["authority"]) == ("[::1]:1", "https://[::1]:1")
    assert (ready["smtp_host"], ready["smtp_port"]) == ("::1", 3)


def test_addresses_at_the_port_of_https_have_none() -> None:
    config = parse(["--ready-file", "ready.json", "--port", "443"])
    ready = ready_file.content(config, Cloud(config).specs, Ports(443, 2, 3, 4), Path("ca.pem"))
    assert ready["authority"] == ready["graph"] == "https://localhost"
    assert ready["metadata_host"] == "localhost:443"


def test_it_is_reached_by_an_address_of_ipv6() -> None:
    with Tenant("--hostname", "::1") as tenant:
        assert tenant.sign_in().status_code == 200
        assert tenant.ask("GET", "/applications")["value"]


def test_only_this_machine_reaches_it(running_tenant: Tenant) -> None:
    sockets = psutil.Process(running_tenant.ready["pid"]).net_connections("tcp")
    listening = {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN}
    assert listening
    assert listening <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
)
def test_a_taken_port_is_said_in_one_line(
    tmp_path: Path, address: str, family: socket.AddressFamily
) -> None:
    with socket.create_server((address, 0), family=family) as taken:
        port = taken.getsockname()[1]
        result = emulator("--port", str(port), "--ready-file", str(tmp_path / "ready.json"))
    assert result.returncode == 2
    assert f"port {port}" in result.stderr
    assert "Next: choose another port" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_the_machine_has_not_is_said_with_what_gives_it() -> None:
    """As its loopback interface may have that of IPv6 alone; this one is of documentation's."""
    with pytest.raises(OSError, match=r"Next: give this .* interface 192\.0\.2\.1 .* try again\.$"):
        server._bound(socket.AF_INET, "192.0.2.1", 0)


def test_a_folder_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    result = emulator("--ready-file", str(tmp_path / "missing" / "ready.json"))
    assert result.returncode == 2
    assert str(tmp_path / "missing") in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_ready_file_that_is_a_folder_leaves_no_secret_behind(tmp_path: Path) -> None:
    folder = tmp_path / "ready.json"
    folder.mkdir()
    cause = f"cannot write {re.escape(str(folder))}: .* Next: give another --ready-file"
    with pytest.raises(OSError, match=cause):
        ready_file.write(folder, b"a secret")
    ready_file.remove(folder, b"a secret")  # as at every end, which hides no cause by its own
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    "options",
    [
        ["--stale-ratio", "1.5"],
        ["--lag-seconds", "-1"],
        ["--port", "70000"],
        ["--hostname", "192.0.2.1"],
        ["--hostname", "[192.0.2.1]"],
        ["--hostname", "[localhost]"],
        ["--hostname", "https://localhost"],
        ["--tenant", "con.toso"],
        ["--deployer-role", "Everything.All"],
        ["--faults", "does-not-exist.json"],
    ],
)
def test_bad_options_are_refused(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(options)
    assert ended.value.code == 2
    assert f"argument {options[0]}" in capsys.readouterr().err


def test_its_usage_is_what_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: proself-mail emulator start [-h] ")


@pytest.mark.parametrize(("seed", "expected"), [({}, 7), ({"seed": 0}, 0), ({"seed": 8}, 8)])
def test_a_plan_of_faults_keeps_a_seed_of_its_own(
    tmp_path: Path, seed: dict[str, int], expected: int
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(seed | {"rules": []}), encoding="utf-8")
    arguments = ["--ready-file", "ready.json", "--seed", "7", "--faults", str(plan)]
    assert parse(arguments).faults.seed == expected


def test_a_plan_of_lists_within_lists_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text("[" * 2000, encoding="utf-8")
    with pytest.raises(SystemExit):
        parse(["--ready-file", "ready.json", "--faults", str(plan)])
    assert "nested too deep" in capsys.readouterr().err


def test_a_bad_option_leaves_nothing_behind(tmp_path: Path) -> None:
    result = emulator("--ready-file", str(tmp_path / "ready.json"), "--stale-ratio", "1.5")
    assert result.returncode == 2
    assert "argument --stale-ratio" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_seed_gives_the_same_ids_but_never_the_same_secrets_and_it_says_so(
    tmp_path: Path,
) -> None:
    ready_file = tmp_path / "ready.json"
    command = [sys.executable, "-m", "emulator", "--ready-file", str(ready_file), "--seed", "7"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process,
        Tenant("--seed", "7") as other,
    ):
        assert process.stdout
        line = process.stdout.readline()
        one = json.loads(ready_file.read_text(encoding="utf-8"))
        process.terminate()
    assert one["tenant_id"] == other.tenant_id
    assert one["client_id"] == other.client_id
    assert one["client_secret"] != other.client_secret
    assert one["authority"] in line
    assert one["admin_url"] in line
    assert "seed 7" in line
    with Tenant() as another:
        assert another.tenant_id != other.tenant_id
        assert (
            json.loads(another.ready_file.read_text(encoding="utf-8"))["seed"]
            == another.ready["seed"]
        )
