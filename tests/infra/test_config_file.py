"""The Proself config file of `pulumi up`: where it lies, and what a write that fails does."""

import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import yaml

from proself_mail.proself import proself_file
from tests.journey import Journey
from tests.waiting import until

CHECKOUT = Path(__file__).resolve().parents[2]


def test_it_lies_in_out_unless_told_otherwise(journey: Journey) -> None:
    stack = f"dev-{uuid.uuid4().hex[:8]}"
    folder = CHECKOUT / "out" / stack
    configuration = journey.make_stack(stack, configFile=None)
    try:
        done = journey.up(stack)
        assert done.returncode == 0, done.stdout
        made = journey.outputs(stack)
        assert made["configFile"] == f"out/{stack}/proself.toml"
        config = proself_file.read(folder / "proself.toml", "dev")
        assert config.mail_server.client_id == made["clientId"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    covered = journey.pulumi("stack", "output", "--stack", stack, "--json")
    assert made["clientSecret"] not in covered.stdout
    assert '"clientSecret": "[secret]"' in covered.stdout
    assert '"clientSecrets": "[secret]"' in covered.stdout
    journey.configure(stack, configuration | {"configFile": "none"})
    assert journey.up(stack).returncode == 0
    assert journey.outputs(stack)["configFile"] == "none"
    assert not folder.exists()


def test_another_checkouts_program_is_not_run_with_this_ones_code(
    journey: Journey, tmp_path: Path
) -> None:
    """Whose Python is first on PATH: its values would go to this one's files."""
    other = tmp_path / "other"
    shutil.copytree(CHECKOUT / "infra", other / "infra")
    described = journey.folder / "Pulumi.yaml"
    program = yaml.safe_load(described.read_text(encoding="utf-8"))
    as_it_was = described.read_bytes()
    journey.make_stack("dev")
    described.write_text(yaml.safe_dump(program | {"main": str(other / "infra")}), encoding="utf-8")
    try:
        before = journey.mark()
        done = journey.up("dev")
        assert done.returncode != 0
        said = " ".join((done.stdout + done.stderr).split())
        assert f"The program of {other} would run with the code of {CHECKOUT}" in said
        assert f"Next: Put {other / '.venv' / Path(sys.executable).parent.name} first" in said
        assert "Traceback" not in said
        assert journey.writes(before) == []
        assert not journey.config_file.exists()
    finally:
        described.write_bytes(as_it_was)


def test_a_write_that_fails_fails_the_update(journey: Journey) -> None:
    """Something comes into the folder's way after it was looked at."""
    folder = journey.folder / "later"
    journey.make_stack("dev", configFile=str(folder / "proself.toml"))
    slow = {"match": {"path": "/applications/*/addPassword"}, "strike": "slow", "seconds": 2}
    journey.tenant.faults(slow)
    before = journey.mark()
    with subprocess.Popen(
        ["pulumi", "--non-interactive", "up", "--stack", "dev", "--yes", "--skip-preview"],
        cwd=journey.folder,
        env=journey.environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        until(lambda: journey.writes(before))
        folder.write_text("in the way", encoding="utf-8")
        said, _ = process.communicate(timeout=60)
    journey.tenant.faults()
    assert process.returncode != 0
    assert "cannot be written" in said
    assert "pulumi config set configFile" in said
    assert "Traceback" not in said
    assert folder.read_text(encoding="utf-8") == "in the way"
