"""The READMEs against the program: their tables of the configuration."""

import re
from pathlib import Path

import pytest

from proself_mail.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("readme", "heading"), [("README.md", "Configuration"), ("README.ja.md", "スタックの構成")]
)
def test_the_configurations_table_names_every_key(readme: str, heading: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(named) == sorted(str(field.alias) for field in Settings.model_fields.values())


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_commands_can_be_pasted_into_any_shell(path: Path) -> None:
    """Zsh, which macOS gives people, takes a comment for arguments and a bare bracket for files."""
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"^ *```\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        for line in map(str.strip, block.splitlines()):
            assert not line.startswith("cd "), "the next one is typed in the checkout's folder"
            if line.startswith(("make ", "uv ", "pulumi ", "proself-mail ", "export ", "eval ")):
                bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
                assert not re.search(r"[#\[\]*?~]", bare), line
