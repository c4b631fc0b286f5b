"""`proself-mail rehearse`: the main job from end to end, on an embedded tenant, on this machine.

The same program, engine and plugin protocol that a user has for real; only the tenant is one that
lives in a process beside it and dies with it. Nothing of the user's own Pulumi is touched.
"""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import yaml

from proself_mail import embedded, faq, init, proself, sandbox, session
from proself_mail.embedded import EmbeddedTenant
from proself_mail.faq import Step
from proself_mail.init import Answers
from proself_mail.plugin import Plugin
from proself_mail.proself import ProselfConfig
from proself_mail.settings import Environment, TargetName
from proself_mail.stack import CHECKOUT, Outputs, Stack

STACK = "rehearsal"
SERVER = "proself.example.jp"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal made, and how long it took."""

    tenant: EmbeddedTenant
    plugin: Plugin
    project: Path
    """The folder to type further `pulumi` commands in."""
    ready_file: Path
    outputs: Outputs
    steps: Sequence[Step]
    config: ProselfConfig
    took: timedelta

    @property
    def holds(self) -> bool:
        """Whether every step of the FAQ is as it should be."""
        return all(step.holds for step in self.steps)


async def run(folder: Path, say: Say, *, keep: bool) -> Rehearsal:
    """Rehearse in `folder`, which is emptied first; `say` hears each line of progress.

    Raises an `Error` where anything fails. The tenant is ended unless `keep`.
    """
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    ready_file = folder / "tenant.json"
    with contextlib.ExitStack() as ending:
        say("starting the embedded tenant …")
        tenant = embedded.start(ready_file, ["--port", "0"])
        if not keep:
            ending.callback(embedded.stop, ready_file)
        make_project(folder, tenant.tenant_id)
        prepared = sandbox.prepare(ready_file)
        os.environ.update(prepared.environment)
        say(f"tenant {tenant.tenant_id} on {tenant.metadata_host}")
        say(f"azuread plugin: {prepared.plugin.description}")
        answers = Answers(
            STACK,
            SERVER,
            tenant.mailbox,
            TargetName.EMBEDDED,
            Environment.TEST,
            config_file=str(folder / "proself.toml"),
        )
        made = await init.run(answers, folder)
        say(f"stack {STACK} made; pulumi up …")
        stack = Stack(STACK, folder)
        done = stack.up(say)
        for found in done.failures:
            raise found.error()
        outputs = stack.outputs()
        async with session.sign_in(TargetName.EMBEDDED, tenant.tenant_id) as opened:
            steps = await faq.read_back(opened.directory, opened.caller, made.settings, outputs)
        return Rehearsal(
            tenant=tenant,
            plugin=prepared.plugin,
            project=folder,
            ready_file=ready_file,
            outputs=outputs,
            steps=steps,
            config=proself.read(Path(outputs.config_file)),
            took=timedelta(seconds=time.monotonic() - began),
        )


def make_project(folder: Path, test_tenant: str | None = None) -> None:
    """Make a Pulumi project in an empty folder, which runs this checkout's program.

    `test_tenant` is the tenant that test stacks may be torn down in.
    """
    project = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text(encoding="utf-8"))
    project["main"] = str(CHECKOUT / project["main"])
    project["runtime"]["options"]["virtualenv"] = sys.prefix
    project["stackConfigDir"] = "."
    project["testTenants"] = [test_tenant] if test_tenant else []
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
