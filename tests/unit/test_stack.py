"""Commands of the CLI that a killed engine's cut attributes stop: which are run again."""

import json
from pathlib import Path
from typing import Any

import pytest

from proself_mail import backend
from proself_mail.engine import CommandFailed, Engine
from proself_mail.stack import Stack


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("stackConfigDir: stacks/", "stacks/Pulumi.dev.yaml"),
        ("stackConfigDir: ../kept", "../kept/Pulumi.dev.yaml"),
        ("stackConfigDir: .", "Pulumi.dev.yaml"),
        ("", "Pulumi.dev.yaml"),
    ],
)
def test_a_stacks_file_is_named_as_git_takes_it(tmp_path: Path, place: str, shown: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: proself-mail\n{place}\n", encoding="utf-8")
    assert Stack("contoso/proself-mail/dev", tmp_path).file_shown == shown


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
