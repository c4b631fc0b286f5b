"""The Proself config file of `pulumi up`: where it lies, and what a write that fails does."""

import shutil
import subprocess
import time
import uuid
from pathlib import Path

from proself_mail import proself
from tests.journey import Journey

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
        config = proself.read(folder / "proself.toml")
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
        deadline = time.monotonic() + 60
        while not journey.writes(before):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        folder.write_text("in the way", encoding="utf-8")
        said, _ = process.communicate(timeout=60)
    journey.tenant.faults()
    assert process.returncode != 0
    assert "cannot be written" in said
    assert "pulumi config set configFile" in said
    assert "Traceback" not in said
    assert folder.read_text(encoding="utf-8") == "in the way"
