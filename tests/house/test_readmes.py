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
