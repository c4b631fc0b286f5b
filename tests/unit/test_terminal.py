"""Lines of progress, at a terminal's width."""

import argparse
import ctypes
import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.cells import cell_len
from rich.console import Console

from proself_mail.check import Check, Outcome, fail, ok
from proself_mail.cli import commands, proving, rehearsing, rotating, terminal
from proself_mail.cli.arguments import Parser
from proself_mail.cli.terminal import both, is_japanese, say
from proself_mail.errors import ConfigurationError, Error, Interrupted
from proself_mail.text import report
from proself_mail.update import up_report
from proself_mail.verification import verify_report

PATH = "/home/somebody/" + "a-long-folder/" * 8 + "pulumi-resource-azuread"


def _explained(**environment: str) -> bytes:
    command = [sys.executable, "-m", "proself_mail", "explain", "AADSTS7000222"]
    settled = ("PYTHONIOENCODING", "PYTHONUTF8")
    ours = {name: value for name, value in os.environ.items() if name not in settled}
    done = subprocess.run(command, env=ours | environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_what_goes_into_a_file_is_utf_8() -> None:
    assert "対処" in _explained().decode("utf-8")


def test_what_a_terminal_cannot_show_ends_no_command() -> None:
    for encoding in ("ascii", "cp1252"):
        shown = _explained(PYTHONIOENCODING=encoding).decode(encoding)
        assert "Cause" in shown
        assert "??" in shown
    assert "対処" in _explained(PYTHONIOENCODING="cp932").decode("cp932")


def test_toml_and_json_are_utf_8_in_any_locale() -> None:
    said = (
        "from proself_mail.cli.terminal import let_no_output_fail, print_json\n"
        "let_no_output_fail(); print('before'); print_json({'name': 'メール① 🍣'})"
    )
    environment = os.environ | {"PYTHONIOENCODING": "euc_jp"}
    done = subprocess.run([sys.executable, "-c", said], env=environment, capture_output=True)
    before, _, document = done.stdout.decode("utf-8").partition(os.linesep)
    assert (before, json.loads(document)) == ("before", {"name": "メール① 🍣"})


def test_a_ctrl_break_ends_a_command_as_ctrl_c_does() -> None:
    """What cancels a job on Windows; nothing else than Ctrl-C passes on there."""
    command = (
        "import signal, sys\n"
        "if sys.platform != 'win32': signal.SIGBREAK = signal.SIGUSR1\n"
        "from proself_mail import cli\n"
        "cli._end_in_order()\n"
        "try: signal.raise_signal(signal.SIGBREAK)\n"
        "except KeyboardInterrupt: print('in order')"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "in order")


def test_nothing_to_explain_is_said_at_once() -> None:
    command = [sys.executable, "-m", "proself_mail", "explain", ""]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin, process.stderr  # open for as long as it lasts
        assert process.wait(60) == 2
        assert process.stderr
        assert b"There is nothing to explain" in process.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_modules_are_imported_ends_it_in_order(
    name: str, ignored: Callable[..., None]
) -> None:
    ignored()
    program = f"""
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "proself_mail.errors":
            os.kill(os.getpid(), signal.{name})

sys.meta_path.insert(0, Interrupting())
from proself_mail.cli import main
main(["explain", "AADSTS7000222"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "proself-mail: interrupted.\n"
    assert done.stdout == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("proself_mail explain AADSTS7000222", 4),
        ("proself_mail --help", 4),
        ("tools.stacks", 1),
    ],
)
def test_results_that_cannot_be_written_are_told(command: str, code: int) -> None:
    arguments = [sys.executable, "-m", *command.split()]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == code
    said = " ".join(done.stderr.split())
    assert "could not be written: No space left on device. Next: Make room" in said
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's way to close a stream")
@pytest.mark.parametrize(
    ("arguments", "closed"),
    [("AADSTS7000222", "2>&-"), ("--table", ">&-"), ("AADSTS7000222", "<&- >&- 2>&-")],
)
def test_a_stream_that_is_closed_ends_no_command(arguments: str, closed: str) -> None:
    """It is as if it led nowhere: no file that is opened takes its number."""
    script = f"'{sys.executable}' -m proself_mail explain {arguments} {closed}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's way to close a stream")
def test_an_input_that_is_closed_is_an_empty_one() -> None:
    said = []
    for closed in ("<&-", "</dev/null"):
        script = f"'{sys.executable}' -m proself_mail explain {closed}"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
        said.append((done.returncode, done.stdout, done.stderr))
    assert said[0] == said[1]
    assert "Traceback" not in said[0][2]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EMFILE, "Too many open files"),
        # What Python says of a full disk, or of a limit on the size of files.
        (errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
    ],
)
def test_a_machine_that_is_out_of_something_is_told(
    monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    said: list[Error] = []

    def explain(_: argparse.Namespace) -> int:
        raise OSError(number, words)

    monkeypatch.setattr(proving, "_explain", explain)
    monkeypatch.setattr(commands, "_complain", said.append)
    monkeypatch.setattr(terminal, "let_no_output_fail", lambda: None)
    assert commands.run(["explain", "AADSTS7000222"]) == 4
    assert said[0].cause == f"This machine is out of something: {words}."
    assert said[0].next_step.startswith("Make room on its disks")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's pipeline")
@pytest.mark.parametrize("streams", ["", "2>&1"])
def test_a_reader_that_leaves_ends_no_command(streams: str) -> None:
    """Nor does it change its exit code, whatever it had to say."""
    for arguments, code in (("explain AADSTS7000222", 0), ("teardown", 2)):
        line = f"{{ sleep 0.2; '{sys.executable}' -m proself_mail {arguments}; echo $? >&3; }}"
        script = f"{{ {line} {streams} | true; }} 3>&1 >/dev/null"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
        assert done.stdout == f"{code}\n"
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    ("everything", "messages", "language", "japanese"),
    [
        ("", "", "ja_JP.UTF-8", True),
        ("C.UTF-8", "ja_JP.UTF-8", "ja_JP.UTF-8", False),
        ("ja_JP.UTF-8", "C", "", True),
        ("", "ja_JP.UTF-8", "C.UTF-8", True),
        ("", "en_GB.UTF-8", "ja_JP.UTF-8", False),
    ],
)
def test_the_language_is_that_of_the_locale_as_posix_reads_it(
    monkeypatch: pytest.MonkeyPatch, everything: str, messages: str, language: str, japanese: bool
) -> None:
    monkeypatch.setenv("LC_ALL", everything)
    monkeypatch.setenv("LC_MESSAGES", messages)
    monkeypatch.setenv("LANG", language)
    assert is_japanese() is japanese
    assert both("English", "日本語")[0] == ("日本語" if japanese else "English")


@pytest.mark.parametrize(("identifier", "japanese"), [(0x0411, True), (0x0409, False)])
def test_without_a_locale_windows_language_of_display_tells(
    monkeypatch: pytest.MonkeyPatch, identifier: int, japanese: bool
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    kernel = SimpleNamespace(GetUserDefaultUILanguage=lambda: identifier)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert is_japanese() is japanese
    monkeypatch.setenv("LANG", "en_GB" if japanese else "ja_JP")
    assert is_japanese() is not japanese


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_a_version_and_a_path_are_shown_to_their_ends(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"azuread plugin: the real one, 6.10.0, {PATH}")
    shown = capsys.readouterr().err
    assert max(map(len, shown.splitlines())) <= 80
    assert "azuread plugin: the real one, 6.10.0," in shown
    assert PATH in shown.replace("\n", "")


@pytest.mark.parametrize("name", [":lock:", ":id:"])
def test_a_name_between_colons_becomes_no_picture(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    report.show(report.output(), f"azurekeyvault{name} is not there.")
    report.show(report.commentary(), f"azurekeyvault{name} is not there.")
    report.output().print(report.checks([ok(name, f"azurekeyvault{name}")]))
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count(name) == 4


def test_a_log_has_whole_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    for line in (f"  made     Application {PATH}", f"azuread plugin: the real one, {PATH}"):
        say(line)
        assert capsys.readouterr().err == f"{line}\n"


def test_a_resource_keeps_to_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"  made     Application {PATH}")
    [shown] = capsys.readouterr().err.splitlines()
    assert shown.startswith("  made     Application /home")
    assert len(shown) in (79, 80)  # a console of the older kind on Windows keeps one free
    assert shown.endswith("…")


def test_a_command_to_be_copied_is_never_folded() -> None:
    command = f"`pulumi config set configFile '{PATH} x' --plaintext --stack contoso.test`"
    text = f"The Proself config file cannot be written where it is to lie. Next: {command}, then …"
    cause, shown, rest = report.folded(text, 60).partition(command)
    assert shown
    assert rest.split() == [",", "then", "…"]
    assert max(map(len, cause.splitlines())) <= 60


def test_japanese_is_folded_by_its_width_and_what_is_copied_stays_whole() -> None:
    command = "`proself-mail sheet --stack contoso.test`"
    address = f"https://login.microsoftonline.com/{'0' * 60}"
    text = f"設定値と手順は {command} で表示できます。" * 3 + f"管理者が {address} で同意します。"
    lines = report.folded(text, 60).splitlines()
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert sum(line.count(command) for line in lines) == 3
    [whole] = [line for line in lines if address in line]
    assert max(cell_len(line) for line in lines if line != whole) in (59, 60)
    assert not [line for line in lines if line.startswith("。")]


def test_no_line_begins_or_ends_with_what_may_not() -> None:
    text = "[制限付きエンティティ] のページか、プライベート ウィンドウで、人々の《ッ》を見ます。"
    for width in range(20, 40):
        lines = report.folded(text * 3, width).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert not {line[0] for line in lines} & set("ィェッャ々ー。、》]")
        assert not {line[-1] for line in lines} & set("《[")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _interrupted() -> str:
    raise KeyboardInterrupt


def test_what_follows_a_question_begins_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody ended the question's own: the input was at its end, or was interrupted."""
    for typed, answer, shown in (("dev\n", "dev", ""), ("dev", "dev", "\n"), ("", None, "\n")):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        assert terminal.ask("Which? ") == answer
        assert capsys.readouterr().err == f"Which? {shown}"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(readline=_interrupted))
    with pytest.raises(KeyboardInterrupt):
        terminal.ask("Which? ")
    assert capsys.readouterr().err == "Which? \n"


def test_a_revocation_that_is_interrupted_at_its_question_says_that_it_came_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else one would go on by `rotate`, which finds nothing due and leaves the leaked secret."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(readline=_interrupted))
    with pytest.raises(Interrupted, match="not confirmed; no secret was made") as raised:
        rotating._confirm_revocation(cast(Any, SimpleNamespace(dying=["k"])), "contoso.test")
    again = "`proself-mail rotate --revoke --stack contoso.test` asks again."
    assert raised.value.next_step == again


def test_a_sentence_is_folded_on_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS")
    sentence = "The client secret of the window ends, and [somebody] pastes a new one. " * 3
    terminal, pipe = _Terminal(), io.StringIO()
    for file in (terminal, pipe):
        report.show(Console(file=file, width=80, force_terminal=True, highlight=False), sentence)
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert " ".join(lines) == sentence.strip()
    assert pipe.getvalue() == f"{sentence}\n"


@pytest.mark.parametrize("columns", ["0", "00", "7", "", "wide", "-1", "٢٢٢", "9" * 20])
def test_a_width_at_which_nothing_can_be_read_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    sentence = "The client secret of the window ends, and somebody pastes a new one. " * 3
    report.show(report.commentary(), sentence.strip())
    report.show_checks(report.output(), [fail("secret in Proself", "ends today", "paste it")])
    shown = capsys.readouterr()
    assert shown.err == f"{sentence.strip()}\n"
    assert shown.out.startswith("FAIL  secret in Proself  ends today")
    monkeypatch.setenv("COLUMNS", "30")
    report.show(report.commentary(), sentence)
    assert len(capsys.readouterr().err.splitlines()) > 5


@pytest.mark.parametrize(
    ("is_consented", "said"),
    [(True, None), (False, "has not consented yet"), (None, "Unless an administrator has")],
)
def test_consent_is_asked_for_only_where_it_may_be_missing(
    is_consented: bool | None, said: str | None
) -> None:
    newest = SimpleNamespace(expires=datetime(2027, 9, 28, tzinfo=UTC))
    outputs = SimpleNamespace(client_id="c", tenant_id="t", newest=newest, consent_url="https://u")
    done = SimpleNamespace(
        changes={}, reports=(), outputs=outputs, is_consented=is_consented, config_file=None
    )
    asked = [line for line in up_report.done(cast(Any, done)) if "https://u" in line]
    assert len(asked) == (said is not None)
    assert said is None or said in asked[0]


def test_japanese_is_folded_in_a_table_of_checks_too(capsys: pytest.CaptureFixture[str]) -> None:
    step = "Proself にシークレットを設定し、テストメールの到着を確認したら、実行してください。" * 2
    report.show_checks(report.output(), [fail("secret in Proself", "no", step)])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()[1:]]
    assert max(map(cell_len, lines)) <= 80
    assert "Next: Proself にシークレットを設定し" in lines[0]  # not broken at its space
    assert min(map(cell_len, lines[:-1])) >= 76


def test_a_next_step_in_both_languages_begins_with_the_readers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check = Check(
        "secret in Proself", Outcome.FAIL, "no", next_step="Paste.", next_step_ja="入力。"
    )
    for japanese_first in (False, True):
        report.show_checks(report.output(), [check], japanese_first=japanese_first)
        steps = [line.split()[-2:] for line in capsys.readouterr().out.splitlines()[1:]]
        both = [["Next:", "Paste."], ["対処:", "入力。"]]
        assert steps == (both[::-1] if japanese_first else both)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (["--smtp-host", "h", "--smtp-port", "25"], "--smtp-host and --smtp-port are for a mail"),
        (["--timeout", "1"], "--timeout is for a mail"),
    ],
)
def test_what_is_of_a_mail_is_refused_where_none_is_sent(options: list[str], cause: str) -> None:
    parser = Parser()
    proving.add_verify(parser.add_subparsers())
    for what in (["--stack", "dev"], ["--all"]):
        arguments = parser.parse_args(["verify", *what, *options])
        with pytest.raises(ConfigurationError, match=cause) as refused:
            arguments.run(arguments)
        assert "Give --mail too" in refused.value.next_step


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _parsers(each)


def test_every_option_says_what_it_is() -> None:
    options = [
        (parser.prog, action.option_strings, action.help)
        for parser in _parsers(commands._parser())
        for action in parser._actions
        if action.option_strings
    ]
    assert len(options) > 50
    assert [each for each in options if not each[-1]] == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sweep --tenant foo", "'foo' is no tenant ID (Directory (tenant) ID on Entra's overview"),
        ("sweep --tenant x --stack-id y", "'x' is no tenant ID"),
        (f"sweep --tenant {'0' * 32} --stack-id y", "'y' is no stack ID (`stackId` in the stack's"),
        ("up --stack dev --deadline 0", "'0' is no number of minutes above 0, at most 1440"),
    ],
)
def test_a_value_of_the_wrong_form_is_told_by_the_right_one(line: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        commands._parser().parse_args(line.split())
    assert words in refused.value.cause


@pytest.mark.skipif(sys.platform == "win32", reason="its names of files are in no encoding")
def test_a_file_that_the_locale_has_no_name_for_is_told() -> None:
    """As a shell whose locale is of EUC-JP hands on 試験 in UTF-8."""
    told = r"is no name of a file in this shell's locale"
    with pytest.raises(ConfigurationError, match=told):
        commands._parser().parse_args(["sheet", "--stack", "dev", "--out", "\ud800.html"])
    with pytest.raises(ConfigurationError, match=told):
        rehearsing.emulator_start(["--ready-file", "\ud800.json"])


def test_a_value_of_two_hyphens_is_none() -> None:
    """argparse takes it for the mark that ends the options, and gives an empty list."""
    for option in ("stack", "to"):
        with pytest.raises(ConfigurationError, match=f"--{option}: expected one argument"):
            commands._parser().parse_args(["handover", f"--{option}=--"])


def test_below_a_table_of_checks_its_commands_stand_unfolded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = [f"pulumi config set configFile {PATH}", "proself-mail up --stack dev"]
    step = f"`{commands[0]}`, then `{commands[1]}`; see `consentUrl`"
    held = fail("lock", "held", "wait; if it is surely gone, `pulumi cancel --stack dev`")
    failed = fail("config file", "no", step)
    report.show_checks(report.output(), [ok("tenant", "Contoso"), failed, held])
    shown = capsys.readouterr().out.splitlines()
    assert shown[-3:] == ["The commands, to be copied:", *(f"  {each}" for each in commands)]
    address = f"https://login.microsoftonline.com/{'t' * 36}/adminconsent?client_id={'c' * 36}"
    consent = Check("consent", Outcome.UNKNOWN, "unseen", next_step=f"consent at {address}")
    report.show_checks(report.output(), [failed, consent])
    shown = capsys.readouterr().out.splitlines()
    assert shown[-3:] == ["", "The addresses, to be copied:", f"  {address}"]
    assert f"  {commands[-1]}" in shown
    report.show_checks(report.output(), [ok("tenant", "Contoso")])
    assert capsys.readouterr().out.split() == ["OK", "tenant", "Contoso"]
    # What a person is reminded of stands in the midst of a sentence, and of what passed too.
    noted = "proself-mail rotate --acknowledge --stack contoso.test"
    reminder = Check(
        "secret in Proself", Outcome.OK, "?", next_step=f"Then `{noted}`.", next_step_ja="後で。"
    )
    report.show_checks(report.output(), [reminder])
    assert capsys.readouterr().out.splitlines()[-1] == f"  {noted}"


def test_optional_is_what_wants_a_permission(capsys: pytest.CaptureFixture[str]) -> None:
    unseen = Check("quota", Outcome.UNKNOWN, "denied", False, "Organization.Read.All")
    lag = Check("application", Outcome.UNKNOWN, "just made", required=False)
    report.show_checks(report.output(), [unseen, lag])
    assert re.findall(r"(\w+) \(optional\)", capsys.readouterr().out) == ["denied"]


def test_a_command_of_a_stack_that_cannot_be_looked_at_is_not_folded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = "proself-mail up --stack contoso.production"
    error = ConfigurationError("The stack contoso.production has no outputs yet.", f"`{command}`.")
    found = {"contoso.production": error, "contoso.test": error}
    verify_report.show(report.output(), found, japanese_first=False)
    shown = capsys.readouterr().out
    assert shown.count(command) == 2
    assert max(map(len, shown.splitlines())) <= 80
