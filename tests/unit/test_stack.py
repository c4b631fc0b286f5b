"""What a stack asks the CLI, and what a killed engine's cut attributes stop is run again."""

import asyncio
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from proself_mail.cli import rotating
from proself_mail.cli.arguments import Parser
from proself_mail.errors import ConfigurationError, Error, Refused, RemoteError
from proself_mail.rehearsal import rehearse
from proself_mail.stack import backend, failure
from proself_mail.stack.engine import CommandFailed, Engine
from proself_mail.stack.project import CHECKOUT, find_project
from proself_mail.stack.pulumi_command import words
from proself_mail.stack.secrets_provider import SecretsProvider
from proself_mail.stack.stack import Stack, names
from proself_mail.stack.state import State
from proself_mail.update import init


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("stackConfigDir: stacks/", "stacks/Pulumi.dev.yaml"),
        ("stackConfigDir: ../kept", "../kept/Pulumi.dev.yaml"),
        ("stackConfigDir: /kept", "kept/Pulumi.dev.yaml"),
        ("stackConfigDir: .", "Pulumi.dev.yaml"),
        ("", "Pulumi.dev.yaml"),
    ],
)
def test_a_stacks_file_is_named_as_git_takes_it(tmp_path: Path, place: str, shown: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: proself-mail\n{place}\n", encoding="utf-8")
    assert Stack("contoso/proself-mail/dev", tmp_path).file_shown == shown


@pytest.mark.parametrize(
    "name", ["../../x", "other/billing/dev", "acme/proself-mail/more/dev", "dev/", "a b", "..", ""]
)
def test_a_name_that_no_stack_of_this_project_has(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not the name of a stack"):
        Stack(name, tmp_path)


def test_a_name_is_told_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Stack("\x1b[31m" + "x" * 100_000, tmp_path)
    assert refused.value.cause.isprintable()
    assert len(refused.value.cause) < 500


def rotated(name: str) -> int:
    parser = Parser()
    rotating.add_rotate(parser.add_subparsers())
    arguments = parser.parse_args(["rotate", "--stack", name])
    code: int = arguments.run(arguments)
    return code


@pytest.mark.parametrize("is_absolute", [True, False])
def test_such_a_name_decides_where_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_absolute: bool
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setattr("proself_mail.stack.project.CHECKOUT", tmp_path / "checkout")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="is not the name of a stack"):
        rotated(str(tmp_path / "evil") if is_absolute else "../../evil")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("written", ["name: [\n", "name: " + "[" * 2000, "name: 2026-13-45\n"])
def test_a_pipeline_is_told_of_a_project_that_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """Beside the program: the folder is not to be trusted."""
    (tmp_path / "Pulumi.yaml").write_text(written, encoding="utf-8")
    told = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for name, path in told.items():
        monkeypatch.setenv(name, str(path))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setattr("proself_mail.stack.project.CHECKOUT", tmp_path / "checkout")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="is no YAML"):
        rotated("dev")
    assert told["GITHUB_OUTPUT"].read_text(encoding="utf-8").startswith("person=failed\n")
    body = (tmp_path / "checkout/out/dev/rotation.md").read_text(encoding="utf-8")
    assert told["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8") == body
    assert "is no YAML" in body
    assert not (tmp_path / "out").exists()


def tried(monkeypatch: pytest.MonkeyPatch, project: Path, words: str, what: str) -> int:
    """Run a command that ends with these words; return how often it was run."""
    runs: list[Any] = []

    def run(_: object, arguments: Any, *__: object, **___: object) -> str:
        runs.append(arguments)
        raise CommandFailed(1, "", words)

    monkeypatch.setattr(Engine, "run", run)
    of = Stack("dev", project)
    with pytest.raises(CommandFailed):
        of._command(*what.split())
    return len(runs)


@pytest.mark.parametrize(
    ("words", "what", "cut", "times"),
    [
        ('error: read ".pulumi/meta.yaml": EOF', "up --yes", True, 2),
        ("error: Post https://graph.microsoft.com: EOF", "up --yes", False, 1),
        ('error: read ".pulumi/meta.yaml": EOF', "stack export", False, 2),  # gone in between
        ("error: no", "stack export", True, 1),
    ],
)
def test_an_update_is_run_again_only_where_nothing_of_it_began(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str, what: str, cut: bool, times: int
) -> None:
    """One that has begun is carried on by who looks at what it made."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", backend.file_url(tmp_path))
    attributes = tmp_path / ".pulumi" / "meta.yaml.attrs"
    attributes.parent.mkdir()
    attributes.write_text("" if cut else json.dumps({"md5": ""}), encoding="utf-8")
    assert tried(monkeypatch, tmp_path, words, what) == times


def test_what_a_killed_engine_left_of_its_state_goes_with_a_stack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", backend.file_url(tmp_path))
    monkeypatch.setattr(Engine, "run", lambda *_, **__: "")
    stacks = tmp_path / ".pulumi" / "stacks" / "proself-mail"
    stacks.mkdir(parents=True)
    left = ("dev.json.18ebd1b6b2957a65.tmp", "dev.json.bak.18ebd1b6b2957a66.tmp")
    others = {"dev.json.json.18ebd1b6b2957a67.tmp", "dev2.json.18ebd1b6b2957a68.tmp", "dev2.json"}
    for name in (*left, *others):
        (stacks / name).touch()
    Stack("organization/proself-mail/dev", tmp_path).remove()
    assert {each.name for each in stacks.iterdir()} == others


@pytest.mark.parametrize("exported", ['{"version": 3}', '{"version": 3, "deployment": null}'])
def test_a_stack_without_a_deployment_has_nothing_to_mend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exported: str
) -> None:
    run = list[tuple[str, ...]]()

    def answer(_: Engine, *arguments: str, **__: object) -> str:
        run.append(arguments)
        return exported

    monkeypatch.setattr(Engine, "run", answer)
    stack = Stack("dev", tmp_path)
    stack.mend_state()
    assert ["import" in each for each in run] == [False]
    assert stack.state().resources == {}


@pytest.mark.parametrize(
    ("written", "goes_on"),
    [
        ("encryptionsalt: v1:x\n", True),
        ("config:\n  proself-mail:stackId: x\n", False),
        ("{", False),
    ],
)
def test_an_empty_stack_that_has_a_configuration_is_not_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str, goes_on: bool
) -> None:
    """Another `init` may have given it one since this one looked."""

    def answer(_: Engine, arguments: Any, *__: object, **___: object) -> str:
        if "init" in arguments:
            raise CommandFailed(255, "", "error: stack 'dev' already exists")
        return '{"version": 3, "deployment": null}'

    monkeypatch.setattr(Engine, "run", answer)
    (tmp_path / "Pulumi.yaml").write_text("name: proself-mail\n", encoding="utf-8")
    (tmp_path / "Pulumi.dev.yaml").write_text(written, encoding="utf-8")
    stack = Stack("dev", tmp_path)
    if goes_on:
        stack.create()
    else:
        with pytest.raises(Refused, match="A stack dev exists already"):
            stack.create()


BY_KEY = SecretsProvider("cloud", url="awskms://key", data_key="aGVsbG8=")


@pytest.mark.parametrize(
    ("file", "kept", "by"),
    [
        (
            "secretsprovider: awskms://key\nencryptedkey: b3RoZXI=\n",
            BY_KEY,
            "another data key of it",
        ),
        ("secretsprovider: awskms://other\n", BY_KEY, "'awskms://key'"),
        ("encryptionsalt: v1:a\n", SecretsProvider("service"), "Pulumi Cloud"),
    ],
)
def test_a_secrets_provider_counts_once_a_state_holds_anything(
    tmp_path: Path, file: str, kept: SecretsProvider, by: str
) -> None:
    """One that is empty takes that of its file with its first update."""
    (tmp_path / "Pulumi.yaml").write_text("name: proself-mail\n", encoding="utf-8")
    (tmp_path / "Pulumi.dev.yaml").write_text(file, encoding="utf-8")
    stack, empty = Stack("dev", tmp_path), State({}, (), (), {}, secrets_provider=kept)
    stack._check_secrets_provider(empty)
    with pytest.raises(ConfigurationError) as told:
        stack._check_secrets_provider(replace(empty, pending=("application",)))
    assert f"the state of dev is encrypted by {by}:" in told.value.cause


def a_cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """Take a shell script for the Pulumi CLI."""
    if sys.platform == "win32":
        pytest.skip("it has no shell's scripts")
    file = tmp_path / "pulumi"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o700)
    monkeypatch.setattr("tools.pulumi_cli.locate", lambda: SimpleNamespace(path=file))


TOKEN = "pul-0123456789abcdef0123456789abcdef01234567"


def unread(monkeypatch: pytest.MonkeyPatch, folder: Path, address: str, token: str) -> Error:
    """Return the error of reading a stack at an address."""
    (folder / "Pulumi.yaml").write_text("name: proself-mail\nruntime: python\n", encoding="utf-8")
    monkeypatch.setenv("PULUMI_BACKEND_URL", address)
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", token)
    monkeypatch.setenv("PULUMI_HOME", str(folder / "home"))
    with pytest.raises(ConfigurationError) as told:
        Stack("dev", folder).covered_state()
    return told.value


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("bogus://u:geheim@x", ""),
        ("mem://x", ""),
        ("postgres//u:geheim@x/y", ""),
        ("postgres://u:geheim%zz@x/y", ""),
        ("postgres://u:geheim%zz@x/y", TOKEN),
        ("postgres://u:geheim/im#x@h/y", TOKEN),
    ],
)
def test_an_address_of_no_backend_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, token: str
) -> None:
    """The CLI takes it for Pulumi Cloud's, and asks for that one's token."""
    told = unread(monkeypatch, tmp_path, address, token)
    assert told.cause.startswith("The address of the backend")
    assert "%2F for /" in told.next_step
    assert "geheim" not in "".join(traceback.format_exception(told))


@pytest.mark.parametrize("in_project", [False, True])
@pytest.mark.parametrize(
    "address", ["postgres://u:geheim\uff20x@h/db", "postgres://u:geheim[w@h/db"]
)
def test_a_list_at_an_address_of_no_backend_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, in_project: bool
) -> None:
    """Nor can Python take these apart; the first has an at sign as Japanese keyboards type it."""
    named = f"backend:\n  url: {json.dumps(address)}\n" if in_project else ""
    text = f"name: proself-mail\nruntime: python\n{named}"
    (tmp_path / "Pulumi.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "" if in_project else address)
    assert backend.folder(tmp_path) is None
    with pytest.raises(ConfigurationError, match="The address of the backend") as told:
        asyncio.run(names(tmp_path))
    assert "geheim" not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize("text", ["[]", "5", '"x"'])
def test_a_list_by_a_damaged_sign_in_names_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: proself-mail\nruntime: python\n", encoding="utf-8")
    (tmp_path / "credentials.json").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    with pytest.raises(RemoteError, match=r"invalid credentials file: '.*credentials\.json'"):
        asyncio.run(names(tmp_path))


def test_an_address_of_no_protocol_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the words of v3.259.0, which tries that for seven seconds."""
    words = 'error: performing HTTP request: Get "bogus://x/api/user": unsupported protocol scheme'
    a_cli(monkeypatch, tmp_path, f"echo '{words} \"bogus\"' >&2; exit 1")
    told = unread(monkeypatch, tmp_path, "bogus://x", TOKEN)
    assert told.cause.startswith("The address of the backend")


def test_pulumi_cloud_is_signed_in_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = unread(monkeypatch, tmp_path, "https://127.0.0.1:1", "")
    assert "`pulumi login` chooses a backend" in told.next_step


@pytest.mark.parametrize(
    ("address", "given", "told"),
    [
        ("postgres://u:p@db/state", "", "1"),
        ("postgres://u:p@db/state", "3", "3"),
        ("s3://state", "", ""),
        ("s3://state", "8", "8"),
    ],
)
def test_a_list_of_stacks_comes_from_a_database_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, given: str, told: str
) -> None:
    """Pulumi's own does not, from the fourth stack on."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", address)
    monkeypatch.setenv(backend.PARALLEL, given)
    a_cli(monkeypatch, tmp_path, f'echo "[{{\\"name\\": \\"n${backend.PARALLEL}\\"}}]"')
    assert asyncio.run(names(tmp_path)) == [f"n{told}"]


@pytest.mark.parametrize(
    "printed",
    ["Welcome to Geheim", "", "[" * 100_000, "null", "3", '[{"Geheim": 1}]', '{"a": "Geheim"}'],
    ids=lambda printed: printed[:20],
)
def test_a_cli_that_prints_another_document_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printed: str
) -> None:
    """As a wrapper in its place; what it prints may have secrets in it."""
    (tmp_path / "Pulumi.yaml").write_text("name: proself-mail\nruntime: python\n", encoding="utf-8")
    (tmp_path / "printed").write_text(printed, encoding="utf-8")
    a_cli(monkeypatch, tmp_path, f"exec cat '{tmp_path / 'printed'}'")
    stack = Stack("dev", tmp_path)
    commands: dict[str, Callable[[], object]] = {
        "stack ls --json": lambda: asyncio.run(names(tmp_path)),
        "config --json": stack.settings,
    }
    if not printed.startswith("{"):  # which may be an export's
        commands["stack export"] = stack.state
    for command, read in commands.items():
        with pytest.raises(ConfigurationError) as failed:
            read()
        assert failed.value.cause.startswith(f"`pulumi {command}` ended without an error, and did ")
        assert "Geheim" not in "".join(traceback.format_exception(failed.value))


def test_a_list_that_never_comes_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a_cli(monkeypatch, tmp_path, "exec sleep 60")
    monkeypatch.setattr("proself_mail.stack.stack._LISTING", timedelta(seconds=0.5))
    with pytest.raises(RemoteError, match="did not list the stacks") as told:
        asyncio.run(names(tmp_path))
    assert backend.PARALLEL in told.value.next_step


@pytest.mark.parametrize(
    ("project", "changed", "asked"),
    [
        ("", ("", ""), False),
        ("config:\n  proself-mail:displayName:\n    value: Mail\n", ("", ""), True),
        ("", ("target: cloud", "target: moon"), True),
        ("", ("target: cloud", "target: !x cloud"), True),
    ],
)
def test_a_configuration_that_is_plain_and_holds_is_read_without_the_engine(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    project: str,
    changed: tuple[str, str],
    asked: bool,
) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: proself-mail\n{project}", encoding="utf-8")
    example = (CHECKOUT / "stacks" / "Pulumi.example.yaml").read_text(encoding="utf-8")
    (tmp_path / "Pulumi.dev.yaml").write_text(example.replace(*changed), encoding="utf-8")
    own = {"target": "cloud", "server": "from.the.engine"}
    runs: list[Any] = []

    def run(_: object, arguments: Any, *__: object, **___: object) -> str:
        runs.append(arguments)
        return json.dumps({f"proself-mail:{key}": {"value": value} for key, value in own.items()})

    monkeypatch.setattr(Engine, "run", run)
    if asked:
        with pytest.raises(ConfigurationError, match="`tenantId` is missing"):
            Stack("dev", tmp_path).settings()
    else:
        assert Stack("dev", tmp_path).settings().server == "proself.example.jp"
    assert bool(runs) == asked


def test_a_copied_file_of_a_stack_that_is_not_there_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To make that stack from it would be refused next."""
    (tmp_path / "Pulumi.yaml").write_text("name: proself-mail\n", encoding="utf-8")
    example = (CHECKOUT / "stacks" / "Pulumi.example.yaml").read_text(encoding="utf-8")
    for name in ("first", "second"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text(example, encoding="utf-8")

    def run(*_: object, **__: object) -> str:
        raise CommandFailed(255, "", "error: no stack named 'second' found")

    monkeypatch.setattr(Engine, "run", run)
    missing = Stack("second", tmp_path).missing()
    with pytest.raises(Refused) as refused:
        init.check_name("second", tmp_path)
    assert "There is no stack second on this backend" in missing.cause
    for told in (missing, refused.value):
        words = f"{told.cause} {told.next_step}"
        assert "Pulumi.second.yaml has the `stackId` of Pulumi.first.yaml: one of them is" in words
        assert "remove it, and `proself-mail init --stack second` writes a new one" in words
        assert "pulumi stack init" not in words
    own = re.search(r"stackId: (\S+)", example)
    assert own
    second = tmp_path / "Pulumi.second.yaml"
    for damaged in (own[1][:2], own[1][:-1], "", f"{own[1]}0"):
        second.write_text(example.replace(own[1], damaged), encoding="utf-8")
        assert "copy" not in str(Stack("second", tmp_path).missing()), "what is no UUID is no copy"
    second.write_text(example, encoding="utf-8")
    first = tmp_path / "Pulumi.first.yaml"
    first.write_text(example.replace(own[1], f"{own[1]}0"), encoding="utf-8")
    assert "copy" not in str(Stack("second", tmp_path).missing())
    for each in (first, second):
        each.write_text(example.replace(own[1], own[1][:2]), encoding="utf-8")
    assert "copy" not in str(Stack("second", tmp_path).missing())
    first.unlink()
    assert "`pulumi stack init second`" in Stack("second", tmp_path).missing().next_step


def test_what_is_encrypted_is_the_engines_to_read_and_lost_with_the_stack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: proself-mail\n", encoding="utf-8")
    example = (CHECKOUT / "stacks" / "Pulumi.example.yaml").read_text(encoding="utf-8")
    mailbox = "mailbox: proself@example.jp"
    start = 'from: "2027-04-01T00:00:00Z"'
    assert mailbox in example
    assert start in example
    covered = example.replace(mailbox, "mailbox: {secure: v1:a}")
    covered = covered.replace(start, "from: {secure: v1:b}")
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(covered, encoding="utf-8")
    values = yaml.safe_load(example)["config"]
    is_there = True

    def run(*_: object, **__: object) -> str:
        if is_there:
            return json.dumps({key: {"objectValue": value} for key, value in values.items()})
        raise CommandFailed(255, "", "error: no stack named 'dev' found")

    monkeypatch.setattr(Engine, "run", run)
    stack = Stack("dev", tmp_path)
    assert stack.last_settings() == Stack("dev", tmp_path).settings()
    is_there = False
    with pytest.raises(ConfigurationError, match="nothing decrypts `mailbox`, `secrets`") as lost:
        stack.last_settings()
    assert "`pulumi stack init dev`" in lost.value.next_step
    file.write_text(example, encoding="utf-8")
    assert stack.last_settings().mailbox == "proself@example.jp"


@pytest.mark.skipif(sys.platform == "win32", reason="its files have no mode and no owner's ID")
@pytest.mark.parametrize("what", [".", "Pulumi.yaml", "infra", "stacks", ".venv"])
def test_another_users_project_above_a_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """It says which program runs, and in which tenants may be deleted.

    Its Pulumi.yaml may be a link to one of this user's, beside a program of its own.
    """
    folder, path = tmp_path / "project", tmp_path / "project" / what
    below = folder / "a" / "b"
    for each in (below, folder / "infra", folder / "stacks", folder / ".venv"):
        each.mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").write_bytes((CHECKOUT / "Pulumi.yaml").read_bytes())
    (folder / "Pulumi.yaml").symlink_to(tmp_path / "Pulumi.yaml")
    (folder / "infra").chmod(0o775)
    assert find_project(below) == folder
    really = Path.lstat

    def lstat(self: Path) -> os.stat_result:
        found = really(self)
        return os.stat_result((*found[:4], 4712, *found[5:])) if self == path else found

    with monkeypatch.context() as patch:
        patch.setattr(Path, "lstat", lstat)
        with pytest.raises(Refused, match=r"is another user's.*owner 4712, mode 0"):
            find_project(below)
        assert find_project(CHECKOUT / "docs") == CHECKOUT
    path.chmod(path.stat().st_mode | 0o1002)
    with pytest.raises(Refused, match="others may write to it") as refused:
        find_project(below)
    assert f"`chmod o-w {path}`" in refused.value.next_step


@pytest.mark.skipif(sys.platform == "win32", reason="its files have no mode")
def test_a_rehearsals_project_is_trusted_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        rehearse.make_project(tmp_path)
    finally:
        os.umask(before)
    assert find_project(tmp_path) == tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="a link is an administrator's to make there")
def test_a_project_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    """The next one above, or the checkout, is another project with other stacks."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").write_text("name: proself-mail\n", encoding="utf-8")
    (tmp_path / "a" / "Pulumi.yaml").mkdir()  # which is none to Pulumi either
    assert find_project(below) == tmp_path
    assert find_project(tmp_path / "Pulumi.yaml") == tmp_path
    subprocess.run(["mkfifo", below / "Pulumi.yaml"], check=True)  # nobody ever writes to it
    assert find_project(below) == tmp_path
    (below / "Pulumi.yaml").unlink()
    unreadable = below / "Pulumi.yaml"
    unreadable.symlink_to(unreadable)
    with pytest.raises(ConfigurationError, match=r"a/b/Pulumi\.yaml cannot be read"):
        find_project(below)


_AZUREBLOB = """goroutine 1 [running]:
runtime/debug.Stack()
\truntime/debug/stack.go:26 +0x5e
main.panicHandler(0x3a7600bfeef)
\tgithub.com/pulumi/pulumi/pkg/v3@v3.259.0/cmd/pulumi/main.go:42 +0x39
panic({0x3a1aa80?, 0x7129a60?})
\truntime/panic.go:860 +0x13a
io.(*PipeReader).Close(...)
\tio/pipe.go:140
gocloud.dev/blob/azureblob.(*writer).Close.func1()
\tgocloud.dev@v0.46.1/blob/azureblob/azureblob.go:1075 +0x16
gocloud.dev/blob.(*Writer).Close(0x3a7602e6c60)
\tgocloud.dev@v0.46.1/blob/blob.go:470 +0x193
"""
"""What the CLI's stack has where Azure's storage refuses a write or is gone."""


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            "runtime: cannot allocate memory\nruntime stack:\nruntime.throw({0x42a0ed0?, 0x1})\n"
            "goroutine 1 gp=0xc000002380 m=0 mp=0x7fa2a0 [running]:\nr15 0x0\ngs 0x0",
            "the Pulumi CLI has no memory or threads left on this machine",
        ),
        (
            "fatal error: out of memory allocating heap arena map\n\ngoroutine 1 [running]:",
            "the Pulumi CLI has no memory or threads left on this machine",
        ),
        (
            "runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT: abort\n"
            "PC=0x7f00 m=0 sigcode=18446744073709551610\nrip 0x7f\ngs 0x0",
            "the Pulumi CLI has no memory or threads left on this machine",
        ),
        (
            "fatal error: failed to reserve page summary memory\n\nruntime stack:\n"
            "runtime.throw({0x42c2095?, 0x20000000?})\n\truntime/panic.go:1229 +0x48",
            "the Pulumi CLI has no memory or threads left on this machine",
        ),
        (
            "error: failed to load plugin /x: fork/exec /x: too many open files",
            "there may be no more open files",
        ),
        (
            "panic: runtime error: index out of range [1]\n\ngoroutine 1 [running]:\nmain.main()",
            "the Pulumi CLI crashed: panic: runtime error: index out of range [1]",
        ),
        (
            "panic: runtime error: invalid memory address or nil pointer dereference\n"
            f"[signal SIGSEGV: segmentation violation]\n\n{_AZUREBLOB}",
            "a write to the backend was refused or did not arrive",
        ),
        (
            f"{'=' * 80}\nThe Pulumi CLI encountered a fatal error. This is a bug!\n{'=' * 80}\n"
            "Go Version:       go1.26.8\nPanic:            runtime error: invalid memory address "
            f"or nil pointer dereference\n\n{_AZUREBLOB}",
            "a write to the backend was refused or did not arrive",
        ),
        (
            "Panic:            not of a backend\n\ngoroutine 1 [running]:\n"
            f"github.com/x/y.(*z).Read.func1(0xc000)\n\tz.go:2\n\n{_AZUREBLOB}",
            "the Pulumi CLI crashed: panic: not of a backend, in github.com/x/y.(*z).Read.func1",
        ),
        ("error: open /x: no space left on device", "there is no room left on a disk"),
        (
            "error: 2 errors occurred:\n    1) open /x.json.1.tmp: read-only file system\n    2) "
            "Unknown",
            "lies on a file system that can only be read",
        ),
        (
            'error: read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): open '
            "/a b/.pulumi/meta.yaml: permission denied",
            "this user may not read or write a file",
        ),
    ],
)
def test_a_cli_that_crashes_is_told_in_a_sentence(said: str, cause: str) -> None:
    told = failure.classify(words(CommandFailed(2, "", said))).error()
    assert cause.lower() in told.cause.lower()
    assert "goroutine" not in told.cause
    assert "0x" not in told.cause
