"""`proself-mail rehearse`: the main job from end to end, on an embedded tenant, on this machine.

The same program, engine and plugin protocol that a user has for real; only the tenant is one that
lives in a process beside it and dies with it. Nothing of the user's own Pulumi is touched.
"""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from proself_mail import clock
from proself_mail.config.settings import Environment, Settings, TargetName
from proself_mail.entra import faq, session, target
from proself_mail.entra.faq import Step
from proself_mail.entra.patience import Say
from proself_mail.entra.target import Target
from proself_mail.errors import ConfigurationError, Refused
from proself_mail.files import exclusive
from proself_mail.mail import mail_proof
from proself_mail.mail.mail_proof import Person, Proof
from proself_mail.mail.smtp import Server
from proself_mail.proself import proself_file
from proself_mail.proself.proself import ProselfConfig
from proself_mail.rehearsal import embedded, rehearsed_sign_in, sandbox
from proself_mail.rehearsal.embedded import EmbeddedTenant
from proself_mail.schedule import format_instant
from proself_mail.sheet import sheet, sheet_page
from proself_mail.stack.outputs import Outputs
from proself_mail.stack.plugin import Plugin
from proself_mail.stack.project import CHECKOUT
from proself_mail.stack.stack import Stack
from proself_mail.text import shell
from proself_mail.text.command_line import shell_word
from proself_mail.update import init
from proself_mail.update.init import Answers
from tools import browser

STACK = "rehearsal"
SERVER = "proself.example.jp"

_PICTURE = (880, 4300)
"""Width and height of the sheet's picture in CSS pixels; the height is a little more than all."""


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
    proof: Proof
    mail: Mapping[str, Any] | None
    """The proof's mail as it lies in the tenant's outbox; none where it does not."""
    picture: Path | None
    """One of the setup sheet; none where there is no browser to take it."""
    took: timedelta

    @property
    def holds(self) -> bool:
        """Whether every step of the FAQ is as it should be, and the mail arrived."""
        return all(step.holds for step in self.steps) and self.mail is not None


async def run(folder: Path, say: Say, *, keep: bool) -> Rehearsal:
    """Rehearse in `folder`, which is emptied first; `say` hears each line of progress.

    Raises an `Error` where anything fails, and where another one is under way in this folder or
    was kept there. The tenant is ended unless `keep`.
    """
    began = time.monotonic()
    ready_file = folder / "tenant.json"
    with contextlib.ExitStack() as ending:
        ending.enter_context(_alone(folder, ready_file))
        _make_anew(folder)
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
            tenant_id=tenant.tenant_id,
            config_file=str(folder / "proself.toml"),
        )
        made = await init.run(answers, folder)
        say(f"stack {STACK} made; pulumi up …")
        stack = Stack(STACK, folder)
        until = clock.now() + timedelta(hours=1)
        opening = {"mailProofUntil": format_instant(until)}
        await stack.engine.awaited(lambda: stack.configure(opening))
        outputs = await _up(stack, say)
        say("signing the mailbox's user in: the rehearsal types the password …")
        where, _ = await asyncio.to_thread(target.reach, TargetName.EMBEDDED, tenant.tenant_id)
        proof = await _prove(where, tenant, stack, outputs)
        say("a picture of the setup sheet …")
        picture = await asyncio.to_thread(_picture, folder, made.settings, outputs)
        say("closing the mail proof: its redirect URI goes by another up …")
        closing = {"mailProofUntil": format_instant(clock.now())}
        await stack.engine.awaited(lambda: stack.configure(closing))
        await _up(stack, say)
        async with session.sign_in(TargetName.EMBEDDED, tenant.tenant_id) as opened:
            seen = await faq.read_back(opened.directory, opened.caller, made.settings, outputs)
        return Rehearsal(
            tenant=tenant,
            plugin=prepared.plugin,
            project=folder,
            ready_file=ready_file,
            outputs=outputs,
            steps=seen.steps,
            config=proself_file.read(Path(outputs.config_file), stack.name),
            proof=proof,
            mail=_mail(tenant, proof.mark),
            picture=picture,
            took=timedelta(seconds=time.monotonic() - began),
        )


@contextlib.contextmanager
def _alone(folder: Path, ready_file: Path) -> Iterator[None]:
    """Have the folder for this rehearsal alone."""
    refusal = f"Another rehearsal is under way in {folder}."
    with exclusive.hold(folder.with_name(f"{folder.name}.lock"), refusal):
        if kept := _kept(ready_file):
            shown = shell.path_from(Path.cwd(), ready_file)
            raise Refused(
                f"An embedded tenant that was kept runs in {folder} (process {kept.pid}).",
                f"`proself-mail emulator stop --ready-file {shell_word(shown)}`, then try again.",
            )
        yield


def _make_anew(folder: Path) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            f"{folder}, in which a rehearsal works, cannot be made anew: "
            f"{error.strerror or error}.",
            "Move it away, then try again.",
        ) from error


def _kept(ready_file: Path) -> EmbeddedTenant | None:
    """Return the tenant that runs here since an earlier rehearsal, if one does."""
    with contextlib.suppress(ConfigurationError):
        tenant = EmbeddedTenant.read(ready_file)
        return tenant if tenant.process() else None
    return None


async def _up(stack: Stack, say: Say) -> Outputs:
    for found in (await stack.updating(say, {})).failures:
        raise found.error()
    return await stack.engine.awaited(stack.outputs)


async def _prove(where: Target, tenant: EmbeddedTenant, stack: Stack, outputs: Outputs) -> Proof:
    """Send the mail proof's mail, with the person played who would sign in."""

    def type_password(address: str) -> None:
        rehearsed_sign_in.sign_in(
            address, tenant.mailbox, tenant.mailbox_password, str(tenant.ca_file)
        )

    person = Person(type_password, lambda _: None, timedelta(seconds=30))
    server = Server(*target.smtp_server(TargetName.EMBEDDED))
    settings = await stack.engine.awaited(stack.settings)
    return await mail_proof.prove(where, STACK, settings, outputs, server, person, clock.now())


def _picture(folder: Path, settings: Settings, outputs: Outputs) -> Path | None:
    """Have a browser take a picture of the setup sheet, its secret covered.

    Not of the one that is served: a browser takes pictures of what its arguments name, which every
    user of the machine can read, and who opens that address first can have the secret.
    """
    found = browser.locate()
    if found is None:
        return None
    to = folder / "sheet.png"
    shown = sheet_page.covered(sheet.of(STACK, settings, outputs, clock.now()))
    with (
        contextlib.suppress(OSError),
        tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch,
    ):
        page = Path(scratch) / "sheet.html"
        page.write_text(shown.html, encoding="utf-8")
        if found.picture(page.as_uri(), to, *_PICTURE):
            return to
    return None


def _mail(tenant: EmbeddedTenant, mark: str) -> Mapping[str, Any] | None:
    """Find the proof's mail in the tenant's outbox."""
    found = httpx.get(f"{tenant.admin_url}/outbox", trust_env=False).raise_for_status().json()
    for mail in found:
        if [mail_proof.MARK, mark] in mail["headers"]:
            return dict(mail)
    return None


def make_project(folder: Path, test_tenant: str | None = None) -> None:
    """Make a Pulumi project in an empty folder, which runs this checkout's program.

    `test_tenant` is the tenant that test stacks may be torn down in.
    """
    project = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text(encoding="utf-8"))
    project["main"] = str(CHECKOUT / project["main"])
    project["runtime"]["options"]["virtualenv"] = sys.prefix
    project["stackConfigDir"] = "."
    project["testTenants"] = [test_tenant] if test_tenant else []
    file = folder / "Pulumi.yaml"
    file.touch(0o644)  # whatever the umask: one that others may write to is taken for no project
    file.write_text(yaml.safe_dump(project), encoding="utf-8")
