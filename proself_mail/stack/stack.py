"""One Pulumi stack, by the Pulumi CLI: its configuration, its outputs, its operations.

The same program and the same engine as `pulumi` typed by a person. It decides nothing: what to do
about a failure is the operations'.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from proself_mail import clock
from proself_mail.config import configuration, identity
from proself_mail.config.configuration import Standing
from proself_mail.config.settings import PROJECT, Settings
from proself_mail.config.stack_name import file_name, is_stack_name, short_name
from proself_mail.errors import ConfigurationError, Error, Refused, RemoteError, sentence
from proself_mail.stack import (
    backend,
    failure,
    integrity,
    pulumi_command,
    secrets_provider,
    stack_file,
    state,
)
from proself_mail.stack.engine import CommandFailed, Engine
from proself_mail.stack.observed import Observed, Observer
from proself_mail.stack.outputs import Outputs, outputs_of
from proself_mail.stack.project import document, stack_files
from proself_mail.stack.state import State
from proself_mail.text.command_line import shell_word
from proself_mail.text.quotation import literal


class NoStackError(ConfigurationError):
    """The backend has no stack of this name."""


_LISTING = timedelta(minutes=2)


async def names(project: Path) -> Sequence[str]:
    """Return the project's stacks on this backend, in the order of their names."""
    environment = {"PULUMI_SKIP_UPDATE_CHECK": "true", **backend.listing(project)}
    engine = Engine()
    try:
        async with asyncio.timeout(_LISTING.total_seconds()):
            listed = await engine.awaited(
                lambda: pulumi_command.run(engine, ["stack", "ls", "--json"], project, environment)
            )
    except CommandFailed as error:
        raise failure.of_command(pulumi_command.words(error)) from error
    except TimeoutError:
        raise RemoteError(
            "`pulumi stack ls` did not list the stacks within "
            f"{_LISTING.total_seconds() / 60:.0f} minutes, and was ended.",
            "See that the backend answers; `pulumi whoami --verbose` names it. On Postgres unset "
            f"{backend.PARALLEL}: with more than 3 the list may never come. Then try again.",
        ) from None
    return pulumi_command.document(
        listed, "stack ls --json", lambda found: sorted(str(entry["name"]) for entry in found)
    )


def check_name(name: str) -> None:
    """Raise `ConfigurationError` for a name that no stack of this project has."""
    *owner, own = name.split("/")
    of_this_project = len(owner) < 2 or owner[1:] == [PROJECT]
    if not of_this_project or not all(map(is_stack_name, (*owner, own))):
        raise ConfigurationError(
            f"{literal(name)} is not the name of a stack of this project: that is one such as "
            f"contoso.test, or organization/{PROJECT}/contoso.test in full.",
            "`pulumi stack ls` lists what there is.",
        )


class Stack:
    """One stack of a project."""

    def __init__(self, name: str, project: Path, secrets_provider: str | None = None) -> None:
        """Prepare it. Raises `ConfigurationError` for a name that is none of this project's."""
        check_name(name)
        self.name = name
        self.engine = Engine()
        # A Python language host that was built from its Go module knows no `virtualenv` option.
        venv = str(Path(sys.executable).parent)
        self._environment = {"PATH": os.pathsep.join([venv, os.environ.get("PATH", "")])}
        self.project = project
        self.updates: list[Observed] = []
        """What the engine did in each update that began here, one that was cut short included."""
        self._secrets_provider = secrets_provider

    @property
    def backend_folder(self) -> Path | None:
        """The folder of the file backend that it lies on; none on any other backend."""
        return backend.folder(self.project)

    def create(self) -> None:
        """Make it, empty, or go on with an empty one. Raises `Refused` where it holds anything."""
        provider = ["--secrets-provider", self._secrets_provider] if self._secrets_provider else []
        try:
            self._command("stack", "init", *provider)
        except CommandFailed as error:
            if not _EXISTS.search(error.stderr):
                raise self._converted(error) from error
            self._check_begun()

    def _check_begun(self) -> None:
        """Refuse to go on with a stack that exists, unless `create` just has been cut off."""
        found = self.covered_state()
        if found is not None and found.holds_anything and not self.is_configured:
            lost = configuration.lost(self.name, str(self.file))
            raise Refused(lost.cause, f"{lost.next_step} Or choose another name.")
        if found is None or found.holds_anything or self.is_configured:
            raise Refused(
                f"A stack {self.name} exists already.",
                f"Change it by `pulumi config set KEY VALUE --plaintext --stack {self.name}`, or "
                "choose another name.",
            )
        asked = self._secrets_provider
        given = stack_file.document(self.file).get("secretsprovider")
        if asked not in (None, "default", "passphrase", given):
            raise Refused(
                f"A stack {self.name} exists already, empty, with another secrets provider.",
                f"`pulumi stack change-secrets-provider {shell_word(asked)} --stack {self.name}`, "
                "then try again.",
            )

    @property
    def is_configured(self) -> bool:
        """Whether its file holds keys of ours, or cannot be read."""
        return self.keys is None or bool(self.keys)

    @property
    def keys(self) -> Sequence[str] | None:
        """The keys of ours in its file, without their namespace; None where it cannot be read."""
        try:
            return list(stack_file.values(self.file, PROJECT))
        except stack_file.UNREADABLE:
            return None

    async def read(self, *, covered: bool = False) -> tuple[Settings, State]:
        """Return its configuration and its state, with `covered` without the values of secrets.

        Those take the CLI twice as long. Raises `ConfigurationError` where there is no such stack
        or its configuration cannot be used, and `Refused` where that has the UUID of another, or
        no update is to use the state.
        """
        settings, found = await asyncio.gather(
            self.engine.awaited(self.settings),
            self.engine.awaited(self.covered_state if covered else self.state),
        )
        if found is None:
            raise self.missing()
        integrity.check(self.name, found)
        self.check_identity(settings, found)
        await self.engine.awaited(lambda: self._check_secrets_provider(found))
        return settings, found

    def _check_secrets_provider(self, found: State) -> None:
        """Raise `ConfigurationError` where the file names another secrets provider than the state.

        Reading needs the state's alone; an update encrypts by the file's, and undoes a change of
        it. Of two passphrases the engine is asked whether the one at hand opens the file too, by
        the ciphertext that is part of a salt.
        """
        try:
            given = secrets_provider.of_file(stack_file.document(self.file))
        except stack_file.UNREADABLE:  # which the engine has read, or will refuse
            return
        kept = found.secrets_provider
        if not found.holds_anything:
            return
        if given.is_other_than(kept):
            by = "another data key of it" if given.url == kept.url != "" else kept.told
            lines = " and ".join(f"`{each}`" for each in kept.lines)
            raise ConfigurationError(
                f"The secrets provider of {self.file_shown} is {given.told}, and the state of "
                f"{self.name} is encrypted by {by}: an update would change that. Pulumi's `stack "
                "change-secrets-provider` was run since this file, or an update by an older one "
                "undid it.",
                "Bring the newest stack file (`git pull`) and set what its secrets provider needs; "
                "then try again. Where there is none, "
                f"{f'put {lines} in place of' if lines else 'take out'} this one's "
                "`secretsprovider`, `encryptedkey` and `encryptionsalt`. Do not run `stack "
                "change-secrets-provider` before: by a file that is not the state's it can leave "
                "secrets that nothing opens.",
            )
        if given.salt not in ("", kept.salt):
            self._check_passphrase(given.salt)

    def _check_passphrase(self, salt: str) -> None:
        told = {f"{PROJECT}:salt": {"secure": salt.split(":", 2)[-1]}}
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / self.file.name
            copy.write_text(json.dumps({"encryptionsalt": salt, "config": told}), encoding="utf-8")
            try:
                self._command("config", "--json", "--show-secrets", "--config-file", str(copy))
            except CommandFailed as error:
                if "passphrase" not in pulumi_command.words(error):
                    raise self._converted(error) from error
                raise ConfigurationError(
                    f"The passphrase does not open {self.file_shown}, whose `encryptionsalt` is "
                    f"not that of the state of {self.name}: no update could use it. It was changed "
                    "since this file (Pulumi's `stack change-secrets-provider`), or the file is "
                    "another stack's.",
                    "Bring the newest stack file (`git pull`) and set the passphrase that goes "
                    "with it; then try again.",
                ) from error

    def missing(self) -> NoStackError:
        """Return the error for a backend that does not have it."""
        listed = "`pulumi stack ls` lists what there is."
        if self.is_configured:
            if copied := self._copied():
                return NoStackError(
                    f"There is no stack {self.name} on this backend. {copied.cause}",
                    copied.next_step,
                )
            return NoStackError(
                f"There is no stack {self.name} on this backend, though its file "
                f"{self.file_shown} is there.",
                f"{self.from_its_file()} If a teardown has removed all of it, delete the "
                f"file. {listed}",
            )
        return NoStackError(
            f"There is no stack {self.name} on this backend.",
            f"`proself-mail init --stack {short_name(self.name)}` makes it; {listed}",
        )

    def from_its_file(self) -> str:
        """Say how it comes to this backend where its file alone is there."""
        if copied := self._copied():
            return f"{copied.cause} {copied.next_step}"
        return (
            f"If that stack is on another backend, {backend.how_to_change()}; `pulumi stack init "
            f"{self.name}` makes it on this one from that file."
        )

    def _copied(self) -> Refused | None:
        """Return the error for a file that is a copy of another stack's, or is copied in one.

        None also where the file cannot be read, or its `stackId` is none.
        """
        try:
            own = UUID(str(stack_file.values(self.file, PROJECT).get("stackId")))
        except stack_file.UNREADABLE:
            return None
        return identity.copied(self.name, own, self.file.parent)

    def settings(self) -> Settings:
        """Return its configuration, validated. Raises `ConfigurationError`.

        That there is a stack, and what is wrong with its configuration, only the CLI knows.
        """
        with suppress(OSError, UnicodeDecodeError, ConfigurationError):
            text = self.file.read_text(encoding="utf-8")
            own = stack_file.plain_values(text, PROJECT)
            if own and "config" not in document(self.project):
                return configuration.parse(own, self.name)
        values: dict[str, object] = {}
        said = self._run("config", "--json", "--show-secrets")
        for key, value in pulumi_command.document(said, "config --json", _values).items():
            namespace, _, name = key.partition(":")
            configuration.check_namespace(namespace, key, self.name)
            if namespace == PROJECT:
                values[name] = value
        if not values:
            self._check_not_lost()
        return configuration.parse(values, self.name, self._standing)

    def check_identity(self, configured: Settings, found: State | None) -> None:
        """Refuse a `stackId` that is not this stack's own, by its state. Raises `Refused`."""
        identity.check(
            self.name,
            configured.stack_id,
            found.stack_id if found else None,
            self.file.parent,
            is_set_up=found is not None and found.application_id is not None,
        )

    def _standing(self) -> Standing:
        """Say what its state tells about what its configuration should be."""
        try:
            found = self.covered_state()
        except Error:
            return Standing(clock.now(), None, None)
        if found is None:
            return Standing(clock.now(), is_set_up=False, stack_id=None)
        return Standing(clock.now(), found.holds_anything, found.stack_id)

    def configure(self, values: Mapping[str, str]) -> None:
        """Set keys of its configuration; a key may be a path such as `secrets[0].from`."""
        entries = [
            part
            for path, value in values.items()
            for part in ("--plaintext", f"{PROJECT}:{path}={value}")
        ]
        self._run("config", "set-all", "--path", *entries)

    def state(self) -> State:
        """Return what the engine knows to be there. Raises `ConfigurationError` without a stack."""
        return self._state(self._exported("--show-secrets"))

    @property
    def file(self) -> Path:
        """Where its configuration lies; `pulumi config` writes it there."""
        return stack_files(self.project) / file_name(self.name)

    @property
    def file_shown(self) -> str:
        """Its file as a person in the project's folder names it, to git too."""
        project, path = self.project, self.file
        return (path.relative_to(project) if path.is_relative_to(project) else path).as_posix()

    def covered_state(self) -> State | None:
        """Return its state with secrets covered, which needs no passphrase; None without a stack.

        Only `Error`s about the backend are raised.
        """
        try:
            exported = self._exported()
        except NoStackError:
            return None
        return self._state(exported)

    def _state(self, exported: Mapping[str, Any]) -> State:
        try:
            return state.read(exported.get("deployment") or {})
        except state.UNREADABLE:
            # Without the error, which may quote a secret.
            raise RemoteError(
                f"The state of the stack {self.name} is not what the engine writes.",
                sentence(f"{failure.STATE_BEFORE}, then try again"),
            ) from None

    def last_settings(self) -> Settings:
        """Return its configuration, or what its file alone holds where there is no stack any more.

        Raises `ConfigurationError` where there is no file or it cannot be used.
        """
        try:
            return self.settings()
        except NoStackError:
            return self._file_settings()

    def _file_settings(self) -> Settings:
        path = self.file
        try:
            own = stack_file.values(path, PROJECT)
        except stack_file.UNREADABLE as error:
            raise ConfigurationError(
                f"The file of the stack {self.name}, {path}, cannot be read "
                f"({getattr(error, 'strerror', None) or 'it is not what Pulumi writes'}).",
                configuration.BRING_BACK,
            ) from error
        if not own:
            raise ConfigurationError(
                f"There is no stack {self.name}: its file {path} is not there or holds none of "
                "this project's keys.",
                f"`pulumi stack ls` lists what there is. {configuration.BRING_BACK}",
            )
        if covered := [key for key, value in own.items() if stack_file.is_encrypted(value)]:
            raise ConfigurationError(
                f"There is no stack {self.name} any more, without which nothing decrypts "
                f"{', '.join(f'`{key}`' for key in covered)} in its file {path}.",
                f"`pulumi stack init {shell_word(self.name)}` makes it again, empty; then try "
                "again.",
            )
        return configuration.parse(own, self.name, self._standing)

    def _check_not_lost(self) -> None:
        """Raise `ConfigurationError` where it was set up, so that its file must have been lost."""
        found = self.covered_state()
        if found is not None and found.holds_anything:
            raise configuration.lost(self.name, str(self.file))

    def empty(self) -> None:
        """Forget every resource; nothing is deleted anywhere."""
        self._run("state", "delete", "--all", "--yes")

    def remove(self) -> None:
        """Remove it and the backend's copies of its state, but not its file."""
        self._run("stack", "rm", "--yes", "--force", "--preserve-config", "--remove-backups")
        with suppress(OSError):  # it is gone all the same
            backend.drop_half_written(self.project, PROJECT, short_name(self.name))

    def mend_state(self) -> None:
        """Take out of the state what blocks the engine (`state.mend`). Secrets stay encrypted."""
        exported = self._exported()
        if deployment := exported.get("deployment"):
            state.mend(deployment)
            self._run("stack", "import", stdin=json.dumps(exported))

    def outputs(self) -> Outputs:
        """Return what its last `up` gave. Raises `ConfigurationError` before the first one."""
        return outputs_of(self.state(), self.name)

    def up(
        self,
        say: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
    ) -> Observed:
        """Run `pulumi up` once, without a preview before it; `say` hears what is made.

        Returns what happened, failures included; one that will not mend ends it at once.
        """
        from proself_mail.stack.engine_events import events  # 0.3 s, for an update only

        observer = Observer(self.name, say, self.engine.end_refused)
        self.updates.append(observer.observed)
        with events(observer) as address:
            arguments = ["up", "--yes", "--skip-preview", "--suppress-outputs", "--color=never"]
            # Whatever Pulumi.yaml says: a refresh forgets what a trailing reader does not show, a
            # live secret included.
            arguments.append("--refresh=false")
            try:
                self._command(
                    *arguments,
                    f"--event-log={address}",
                    environment={"PULUMI_DEBUG_COMMANDS": "true", **(environment or {})},
                )
            except CommandFailed as error:
                # Most failures came as events; a locked stack or a missing plugin comes alone.
                if not observer.observed.failures:
                    found = failure.classify(pulumi_command.words(error), stack=self.name)
                    observer.observed.failures.append(found)
        return observer.observed

    async def updating(
        self, say: Callable[[str], None], environment: Mapping[str, str]
    ) -> Observed:
        """Do the same beside a loop. Cancelled, it ends the engine in order, and says so."""
        return await self.engine.awaited(
            lambda: self.up(say, environment),
            lambda: say("ending in order: what is under way is finished first …"),
        )

    def _exported(self, *options: str) -> dict[str, Any]:
        """Return its deployment as the CLI exports it.

        A file backend puts it in its place in one step, but not what it notes beside it; an engine
        whose `proself-mail` was killed may be doing so at this moment. That is read again.
        """
        for wait in _WRITING:
            time.sleep(wait.total_seconds())
            try:
                said = self._command("stack", "export", *options)
            except CommandFailed as error:
                if not _HALF_WRITTEN.search(error.stderr):
                    raise self._converted(error) from error
            else:
                return pulumi_command.document(said, "stack export", dict)
        own = short_name(self.name)
        raise RemoteError(
            f"The state of the stack {self.name} is cut short on its backend.",
            "If no run is writing it: make room where its disk is full, and put the last state "
            f"that is whole in its place. On a file backend `{own}.json.bak` lies beside it; where "
            "that is cut short too, take the newest `*.checkpoint.json` of "
            f"`.pulumi/history/{PROJECT}/{own}`. Where there is none, `pulumi cancel --stack "
            f"{own}`, remove both, and `pulumi stack init {own}`. Then `proself-mail up --stack "
            f"{self.name}`.",
        )

    def _run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command and return what it printed. Raises the error that it means."""
        try:
            return self._command(*arguments, stdin=stdin)
        except CommandFailed as error:
            raise self._converted(error) from error

    def _command(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> str:
        return pulumi_command.run(
            self.engine,
            [*arguments, "--stack", self.name],
            self.project,
            {**self._environment, **(environment or {})},
            stdin,
        )

    def _converted(self, error: CommandFailed) -> Error:
        words = pulumi_command.words(error)
        if _MISSING.search(error.stderr) or "failed to load stack" in words:
            return self.missing()
        return failure.of_command(words, self.name)


def _values(entries: Mapping[str, Any]) -> Mapping[str, object]:
    return {key: each.get("objectValue", each.get("value")) for key, each in entries.items()}


_HALF_WRITTEN = re.compile(r"failed to load checkpoint: .*(EOF|unexpected end of JSON input)")
_WRITING = tuple(timedelta(seconds=wait) for wait in (0, 0.1, 0.2, 0.4, 0.8, 1.5))
"""How long each reading of a half-written state waits after the one before."""
_EXISTS = re.compile(r"stack.*already exists")
_MISSING = re.compile(r"no stack named.*found")
