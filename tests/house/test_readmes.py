"""The READMEs against the program, and commands wherever they are shown to a person."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proself_mail.config.settings import Settings
from proself_mail.schedule import parse_instant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("readme", "heading"), [("README.md", "Configuration"), ("README.ja.md", "スタックの構成")]
)
def test_the_configurations_table_names_every_key(readme: str, heading: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(named) == sorted(str(field.alias) for field in Settings.model_fields.values())


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_the_table_of_rights_names_what_a_check_may_lack(readme: str) -> None:
    asking = [ROOT / "proself_mail/update/preflight.py", *ROOT.glob("proself_mail/verification/*")]
    read = "".join(path.read_text(encoding="utf-8") for path in asking if path.suffix == ".py")
    optional = set(re.findall(r'"((?:Organization|Policy|User)\.[\w.]+)"', read))
    assert len(optional) == 3
    named = (ROOT / readme).read_text(encoding="utf-8")
    assert [each for each in optional if f"| `{each}`" not in named] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_commands_can_be_pasted_into_any_shell(path: Path) -> None:
    """Zsh, which macOS gives people, takes a comment for arguments and a bare bracket for files."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    for line in lines:
        assert not line.startswith("cd "), "the next one is typed in the checkout's folder"
    for line in (*lines, *re.findall(r"`([^`\n]+)`", text)):
        if line.startswith(("make ", "uv ", "pulumi ", "proself-mail ", "export ", "eval ", "gh ")):
            bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
            assert not re.search(r"[#\[\]*?~]", bare), line


@pytest.mark.parametrize("path", [ROOT / "README.ja.md", *sorted(ROOT.glob("docs/**/*.ja.md"))])
def test_a_japanese_bracket_has_a_blank_before_it(path: Path) -> None:
    """As on the command line and the sheet; a label of Proself's stays as its screen has it."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^ *```\n.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]*`", "`", re.sub(r"\]\([^)]*\)", "]", text))
    text = re.sub(r"「[^」]*」", "」", text)
    assert re.findall(r".{0,9}[\w`*]\(.{0,9}", text) == []


@pytest.mark.parametrize(
    "word",
    [
        "端末",  # コンピューター; デバイス where Entra speaks of one
        "マシン",
        "この PC",
        "失効",  # 期限が切れる, or 無効にする where somebody does it
        "キーID",  # キー ID: Proself's own labels alone are written without a blank
    ],
)
def test_one_thing_has_one_japanese_word(word: str) -> None:
    read = [ROOT / "README.ja.md", ROOT / "docs/diagnosis.md", *ROOT.glob("docs/**/*.ja.md")]
    for room in ("proself_mail", "emulator"):
        read += [each for each in (ROOT / room).rglob("*.*") if each.suffix in _WORDED]
    assert [each for each in read if word in each.read_text(encoding="utf-8")] == []


_WORDED = {".py", ".toml", ".html", ".js"}


def test_what_an_application_is_given_is_called_as_in_microsofts_portal() -> None:
    """アクセス許可 (learn.microsoft.com/ja-jp: user-admin-consent-overview); 権限 is a person's."""
    rows = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8").splitlines()
    of_persons = "差出人 (From) のアドレスで送信する権限"
    assert [row for row in rows if "権限" in row and of_persons not in row] == []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_line_that_opens_the_mail_proof_writes_an_instant_in_an_hour(shell: str) -> None:
    lines = {
        line
        for readme in ("README.md", "README.ja.md")
        for line in (ROOT / readme).read_text(encoding="utf-8").splitlines()
        if line.startswith("soon=")
    }
    [line] = lines
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    said = subprocess.run([shell, "-c", f'{line}; echo "$soon"'], capture_output=True, text=True)
    ahead = parse_instant(said.stdout.strip()) - datetime.now(UTC)
    assert timedelta(minutes=58) < ahead <= timedelta(hours=1)


_CHANGING = re.compile(
    r"pulumi (-C \S+ )?(destroy|cancel|up|refresh|state|import|stack (rm|import|rename|change))\b"
)
_WITHOUT_A_STACK = {"pulumi up"}
"""The name of what people do, in sentences; no line of a document that is to be typed."""


def shown_in(path: Path) -> Iterator[str]:
    """Every command in a document, or in what a module may print."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from re.findall(r"^ *(pulumi .*)$", text, re.MULTILINE)
        yield from re.findall(r"`(pulumi [^`\n]*)`", text)
        yield from re.findall(r'^ *"(pulumi .*)",$', text, re.MULTILINE)
        return
    if "pulumi " not in text:  # most modules have none, and need not be parsed
        return
    tree = ast.parse(text)
    bodies = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    )
    notes = {id(each.value) for body in bodies for each in body.body if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes
        ):
            yield from re.findall(r"`(pulumi [^`]*)`", ast.unparse(node))


def test_a_command_that_changes_a_stack_names_it() -> None:
    """The one that is selected may be another."""
    changing = [
        (path.relative_to(ROOT).as_posix(), command)
        for path in (
            *ROOT.glob("README*.md"),
            *ROOT.glob("docs/runbooks/*.md"),
            ROOT / "docs/failures.md",
            *ROOT.glob("proself_mail/**/*.py"),
            *ROOT.glob("proself_mail/diagnosis/refusals/*.toml"),
            *ROOT.glob("infra/**/*.py"),
        )
        for command in shown_in(path)
        if _CHANGING.match(command) and command not in _WITHOUT_A_STACK
    ]
    assert len({path for path, _ in changing}) > 10  # of documents and of code, or none was found
    assert [
        each
        for each in changing
        if "--stack " not in each[1] and not each[1].startswith("pulumi up  ")
    ] == []
