"""`proself-mail emulator`: started, found and left from a person's shell."""

import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from proself_mail.errors import ConfigurationError, RemoteError
from proself_mail.rehearsal import embedded, rehearse
from proself_mail.rehearsal.embedded import EmbeddedTenant
from tests.waiting import until

PROSELF_MAIL = str(Path(sys.executable).parent / "proself-mail")
ROOT = Path(__file__).resolve().parents[2]


def start(ready_file: Path, *options: str) -> subprocess.Popen[bytes]:
    with ready_file.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            [PROSELF_MAIL, "emulator", "start", "--ready-file", str(ready_file), *options],
            cwd=ready_file.parent,
            stdout=log,
            stderr=log,
        )
    until(lambda: ready_file.exists() or process.poll() is not None)
    return process


def env_lines(*options: str, **variables: str) -> str:
    done = subprocess.run(
        [PROSELF_MAIL, "emulator", "env", *options],
        env=os.environ | variables,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_that_does_not_start_is_told_with_one_next_step(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ["--port", str(taken.getsockname()[1])]
        with pytest.raises(RemoteError, match=r"did not start; it said: .* in use") as told:
            embedded.start(tmp_path / "tenant.json", options)
    assert str(told.value).count("Next: ") == 1
    assert told.value.next_step.startswith("Choose another port")
    assert told.value.next_step.endswith(f" All that it said is in {tmp_path / 'tenant.log'}.")


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
def test_a_shell_is_led_there_and_back(tmp_path: Path) -> None:
    """What a person types there works: `pulumi up` by itself, and the way back leaves no trace."""
    ready_file = tmp_path / "a folder" / "tenant.json"
    ready_file.parent.mkdir()
    process = start(ready_file, "--port", "0", "--hostname", "localhost", "tenant.localhost")
    try:
        ready = json.loads(ready_file.read_text(encoding="utf-8"))
        for key in (
            "metadata_host", "ca_file", "authority", "graph", "tenant_id", "client_id",
            "client_secret", "admin_url", "pid",
        ):  # fmt: skip
            assert ready[key]
        rehearse.make_project(tmp_path)
        # It puts the virtual environment on PATH for what it runs.
        by_uv = f'"$UV" run --no-sync --project {shlex.quote(str(ROOT))} proself-mail'
        by_uv = by_uv if "UV" in os.environ else PROSELF_MAIL
        script = f"""
        set -eu
        env | sort > before
        enter() {{ eval "$("$@" emulator env --ready-file 'a folder/tenant.json')"; }}
        enter {by_uv}
        env | sort > inside
        {PROSELF_MAIL} init --stack typed --server proself.example.jp --target embedded \\
            --mailbox {ready["mailbox"]} --environment test --config-file "$PWD/proself.toml"
        pulumi up --stack typed --yes
        pulumi up --stack typed --yes --skip-preview --expect-no-changes
        test -s proself.toml
        "{sys.executable}" -c '
import os, ssl, urllib.request
url = "https://" + os.environ["ARM_METADATA_HOSTNAME"]
print(urllib.request.urlopen(url + "/metadata/endpoints?api-version=2022-09-01").status)'
        enter {PROSELF_MAIL}  # twice does no harm
        eval "$({PROSELF_MAIL} emulator env --unset)"
        env | sort > after
        """
        ambient = dict(os.environ) | {
            "AZURE_CLIENT_ID": "mine",
            "ARM_CLIENT_SECRET": 'it\'s "mine" $x',
            "ARM_USE_OIDC": "true",
            "AZURE_FEDERATED_TOKEN_FILE": "/nonexistent/token",
            "ARM_CLIENT_SECRET_FILE_PATH": "/nonexistent/secret",
            "ARM_CLIENT_CERTIFICATE_PATH": "/nonexistent/certificate.pem",
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "NO_PROXY": "intranet.example",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_CONFIG_PASSPHRASE_FILE": "/nonexistent/passphrase",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_PYTHON_CMD": "/nonexistent/python",
        }
        ambient.pop("no_proxy", None)
        ambient.pop("NODE_EXTRA_CA_CERTS", None)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=ambient, capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "200"
        inside = (tmp_path / "inside").read_text(encoding="utf-8")
        for name in (
            "ARM_METADATA_HOSTNAME", "ARM_TENANT_ID", "ARM_CLIENT_ID", "ARM_CLIENT_SECRET",
            "AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET",
            "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
            "PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_SKIP_UPDATE_CHECK",
        ):  # fmt: skip
            assert f"\n{name}=" in f"\n{inside}"
        led = dict(line.split("=", 1) for line in inside.splitlines() if "=" in line)
        host = ready["metadata_host"].rpartition(":")[0]
        for name in ("NO_PROXY", "no_proxy"):
            assert {"intranet.example", "127.0.0.1", "::1", host} <= set(led[name].split(","))
        assert led["PULUMI_CONFIG_PASSPHRASE"]
        assert led["PATH"].split(os.pathsep).count(str(Path(sys.executable).parent)) == 1
        assert (tmp_path / "after").read_text(encoding="utf-8") == (tmp_path / "before").read_text(
            encoding="utf-8"
        )
    finally:
        stopped = subprocess.run([PROSELF_MAIL, "emulator", "stop", "--ready-file", ready_file])
    assert stopped.returncode == 0
    assert process.wait(60) == 0
    assert not ready_file.exists()
    assert not Path(ready["ca_file"]).exists()


def test_an_address_of_ipv6_is_asked_by_no_proxy(tmp_path: Path) -> None:
    texts = [
        *("ca_file", "authority", "graph", "tenant_id", "client_id", "client_secret", "admin_url"),
        *("mailbox", "mailbox_password", "smtp_host"),
    ]
    ready = {"metadata_host": "[::1]:8443", "pid": 1, "smtp_port": 587, **dict.fromkeys(texts, "")}
    (tmp_path / "ready.json").write_text(json.dumps(ready), encoding="utf-8")
    led = EmbeddedTenant.read(tmp_path / "ready.json").environment({})
    assert led["NO_PROXY"] == led["no_proxy"] == "localhost,127.0.0.1,::1"


def test_powershell_lines_quote_what_they_must(tmp_path: Path) -> None:
    ready_file = tmp_path / "it's.json"
    process = start(ready_file)
    try:
        lines = env_lines("--ready-file", str(ready_file), "--shell", "powershell").splitlines()
    finally:
        process.terminate()
        process.wait(60)
    assert all(line.startswith("$env:") for line in lines)
    [ca] = [line for line in lines if line.startswith("$env:SSL_CERT_FILE")]
    assert "it''s" in ca
    before = json.dumps({"ARM_TENANT_ID": "it's mine", "ARM_CLIENT_ID": None})
    back = env_lines("--shell", "powershell", "--unset", PROSELF_MAIL_BEFORE=before).splitlines()
    assert back == [
        "$env:ARM_TENANT_ID = 'it''s mine'",
        "Remove-Item Env:ARM_CLIENT_ID -ErrorAction SilentlyContinue",
        "Remove-Item Env:PROSELF_MAIL_BEFORE -ErrorAction SilentlyContinue",
    ]


def test_a_module_of_the_folder_that_it_is_typed_in_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "emulator").mkdir()
    for name in ("__init__.py", "__main__.py"):
        (tmp_path / "emulator" / name).write_text("raise SystemExit(41)", encoding="utf-8")
    process = start(tmp_path / "tenant.json", "--port", "-1")
    assert process.wait(60) == 2
    assert "--port" in (tmp_path / "tenant.log").read_text(encoding="utf-8")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(tmp_path / "tenant.json", "--port", str(port))
        process.wait(60)
    output = (tmp_path / "tenant.log").read_text(encoding="utf-8")
    assert process.returncode == 2, output
    assert str(port) in output
    assert "Traceback" not in output
    assert not (tmp_path / "tenant.json").exists()


@pytest.mark.parametrize("action", ["env", "stop"])
def test_without_one_running_the_next_step_is_named(tmp_path: Path, action: str) -> None:
    done = subprocess.run(
        [PROSELF_MAIL, "emulator", action, "--ready-file", str(tmp_path / "none.json")],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 2
    assert "emulator start --ready-file" in " ".join(done.stderr.split())


def test_a_file_of_something_else_is_no_place_to_start_one(tmp_path: Path) -> None:
    project = tmp_path / "Pulumi.yaml"
    project.write_text("name: mine\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as failed:
        embedded.stop(project)
    assert "it is not the ready file of one" in failed.value.cause
    assert "Pulumi.yaml" not in failed.value.next_step
    assert start(project).wait(60) == 2
    assert "is no ready file; it is left" in (tmp_path / "Pulumi.log").read_text(encoding="utf-8")
    assert project.read_text(encoding="utf-8") == "name: mine\n"


def test_a_ready_file_of_something_else_ends_nothing(tmp_path: Path) -> None:
    """The process id of a dead tenant may be another program's by now."""
    ready_file = tmp_path / "tenant.json"
    process = start(ready_file)
    ready = json.loads(ready_file.read_text(encoding="utf-8"))
    process.terminate()
    process.wait(60)
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    theirs = tmp_path / "theirs.pem"
    theirs.touch()
    try:
        described = ready | {"pid": sleeper.pid, "ca_file": str(theirs)}
        ready_file.write_text(json.dumps(described), encoding="utf-8")
        subprocess.run([PROSELF_MAIL, "emulator", "stop", "--ready-file", ready_file], check=True)
        assert sleeper.poll() is None
        assert theirs.exists()
    finally:
        sleeper.kill()
        sleeper.wait()


def test_the_lines_of_one_that_has_ended_are_not_printed(tmp_path: Path) -> None:
    ready_file = tmp_path / "tenant.json"
    process = start(ready_file, "--port", "0")
    _check_planted(ready_file)
    tenant = json.loads(ready_file.read_text(encoding="utf-8"))["pid"]
    psutil.Process(tenant).kill()
    process.wait()
    done = _asked(ready_file)
    assert (done.returncode, done.stdout) == (2, "")
    said = " ".join(done.stderr.split())
    assert f"has ended (process {tenant}). Next: Start one by" in said
    described = json.loads(ready_file.read_text(encoding="utf-8"))
    ready_file.write_text(json.dumps(described | {"pid": os.getpid()}), encoding="utf-8")
    done = _asked(ready_file)  # the number is another's by now
    assert (done.returncode, done.stdout) == (2, "")


def _asked(ready_file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROSELF_MAIL, "emulator", "env", "--ready-file", ready_file],
        capture_output=True,
        encoding="utf-8",
    )


def _check_planted(ready_file: Path) -> None:
    """What others may have put there is no folder to run a plugin from."""
    if sys.platform == "win32":
        return
    planted = ready_file.with_suffix(".pulumi")
    planted.mkdir()
    planted.chmod(0o777)
    done = _asked(ready_file)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{planted} is not this user's alone" in " ".join(done.stderr.split())
    assert list(planted.iterdir()) == []
    planted.rmdir()
