"""What a stack's file says without the engine, beside what the engine reads in it."""

import json
from pathlib import Path

import pytest

from proself_mail.stack import backend
from proself_mail.stack.engine import Engine
from proself_mail.stack.stack import Stack
from proself_mail.stack.stack_file import plain_values
from tools import pulumi_cli

ALIKE = """
a|Proself mail (a.b)|プロセルフ|é|150|0|true|false|'150'|"true"|'2027-04-01T00:00:00Z'|"a\\nb"|''
'it''s'|a  b|a #b|C:\\x|/x/y|a, b|[a, 1]|{a: 1}|{a: {b: [c, false]}}|[]|{}|_1|a:b|null a|"~"
11111111-2222-3333-4444-555555555555|"\\u0041"|inf|"a\u2028b"|\U0001f600 x|y|n|NaN|999999999
"""
"""What both read, and read alike: one value between two bars."""

DIFFERENT = """
True|yes|No|on|Off|~|null|Null|007|0o17|0x1f|0b1|1_000|1e3|1.5|.5|+1|-1|12:30|9999999999|10.0.0.1
2027-04-01|2027-4-1|2027-04-01T00:00:00Z|2027-04-01 00:00:00|.inf|.NaN|=|<<|-|1a|!!int "5"|!!str 5
!!binary aGk=|!a b|[~]|[yes]|{a: }|{1: a}|{true: a}|{a: 1, a: 2}|{secure: x}|{a: {secure: x}}|@a|*x
!!bool "true"|2027-04-01 00:00:00 +0000 UTC|[a|"a
"""
"""What YAML's dialects may read differently, or no stack file holds."""


def values(table: str) -> list[str]:
    return table.strip().replace("\n", "|").split("|")


def text(*entries: str) -> str:
    lines = [f"  proself-mail:k{i}: {entry}" for i, entry in enumerate(entries)]
    return "\n".join(["config:", *lines, ""])


def test_what_is_read_without_the_engine_is_what_the_engine_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nested = [f"\n    - x: {each}" for each in values(ALIKE)]
    written = text(*values(ALIKE), *nested)
    (tmp_path / "Pulumi.yaml").write_text("name: proself-mail\nruntime: python\n", encoding="utf-8")
    (tmp_path / "state").mkdir()
    for name, value in {
        "PATH": str(pulumi_cli.locate().path.parent),
        "PULUMI_BACKEND_URL": backend.file_url(tmp_path / "state"),
        "PULUMI_CONFIG_PASSPHRASE": "x",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }.items():
        monkeypatch.setenv(name, value)
    stack = Stack("dev", tmp_path)
    stack.create()
    stack.file.write_text(written, encoding="utf-8")
    arguments = ["config", "--json", "--show-secrets", "--stack", "dev"]
    read = json.loads(Engine().run(arguments, tmp_path, {}))
    engines = {
        key.partition(":")[2]: entry.get("objectValue", entry["value"])
        for key, entry in read.items()
    }
    ours = plain_values(written, "proself-mail")
    assert ours is not None
    # At the top the CLI gives numbers and truth as text, which `Settings` takes as either.
    assert engines == {
        key: json.dumps(value) if isinstance(value, bool | int) else value
        for key, value in ours.items()
    }


@pytest.mark.parametrize("value", values(DIFFERENT))
def test_what_may_mean_something_else_is_the_engines_to_read(value: str) -> None:
    assert plain_values(text("a"), "proself-mail") == {"k0": "a"}
    assert plain_values(text("a", value), "proself-mail") is None
    assert plain_values(text("a", f"\n    - {value}"), "proself-mail") is None


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a",
        "encryptionsalt: v1:x\n",
        "config: a\n",
        "config:\n",
        f"{text('a')}environment: [shared]\n",
        f"{text('a')}---\n{text('a')}",
        f"{text('a')}  proself-mail:k0: b\n",
        f"{text('a')}  proself-mail:config:k1: b\n",
        f"{text('a')}  azuread:tenantId: b\n",
        f"{text('a')}  k1: b\n",
        "config: &x\n  proself-mail:k0: *x\n",
        f"{text('a')}  proself-mail:k1: {'[' * 2000}\n",
    ],
)
def test_a_file_that_is_not_ours_alone_is_the_engines_to_read(written: str) -> None:
    assert plain_values(written, "proself-mail") is None
