"""One run under faults and what it left, judged by the tenant with its faults taken away."""

import os
import random
import signal
import ssl
import subprocess
import sys
import time
import tomllib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil
import yaml

from bench import ground
from bench.chaos_judge import Judge
from bench.look_alikes import grant_mail
from bench.scenario import Scenario
from proself_mail.entra import token_claims
from proself_mail.rehearsal import embedded, rehearse, sandbox
from proself_mail.rehearsal.embedded import EmbeddedTenant
from proself_mail.stack import lock

_STACK = "chaos"
_COMING_SECONDS = 10
_LONGEST_SECONDS = 900
_MOST_BATCHES = 300
"""Five times as many as the budget of a small tenant is good for."""


@dataclass
class Outcome:
    """How one run ended."""

    seed: int
    completed: bool
    """The command ended with 0."""
    seconds: float
    problems: list[str] = field(default_factory=list)
    """What is not as it should be afterwards; empty is right in all respects."""
    applications: int = 0
    """With the stack's stamp, live and in the recycle bin."""
    secrets_left: int = 0
    """Client secrets beyond the one that is wanted."""
    requests: int = 0
    """From the start of the run to its end."""
    victim: str = ""
    """What was to be killed on the way; blank where nothing was, or the run ended before."""
    killed: str = ""
    """What was killed, and when; blank where nothing was."""
    said: str = ""
    """The last of what the command said, where there is a problem."""


class Run:
    """A tenant, a project and a stack for one run."""

    def __init__(self, tenant: EmbeddedTenant, folder: Path, seed: int) -> None:
        self._tenant = tenant
        self._folder = folder
        self._seed = seed
        self._environment = dict(os.environ) | sandbox.prepare(folder / "tenant.json").environment
        self._project = folder / "project"
        self._project.mkdir()
        rehearse.make_project(self._project)
        trusted = ssl.create_default_context(cafile=str(tenant.ca_file))
        self._http = httpx.Client(verify=trusted, trust_env=False, base_url=tenant.graph)
        self._admin = httpx.Client(base_url=tenant.admin_url, trust_env=False)
        self._stack_id = uuid.UUID(int=seed + 1)
        self._said = ""

    def close(self) -> None:
        """Close the connections to the tenant."""
        self._http.close()
        self._admin.close()

    def carry_out(self, scenario: Scenario, how: str) -> Outcome:
        """Run it and judge what it left."""
        self._make_stack(ground.sign_in(self._http, self._tenant))
        if scenario.foreign:
            self._plant_look_alikes()
        judge = Judge(self._http, self._stack_id)
        faults = {"seed": self._seed, **scenario.faults}
        self._admin.post("/faults", json=faults).raise_for_status()
        if scenario.budget_spent:
            self._spend_budget()
        before = len(self._admin.get("/history").json())
        began = time.monotonic()
        if scenario.kills(self._seed):
            victim, killed, code = self._kill_midway(how)
        else:
            victim, killed, code = "", "", self._run(how)
        seconds = time.monotonic() - began
        self._admin.delete("/faults").raise_for_status()
        outcome = Outcome(self._seed, code == 0, seconds, victim=victim, killed=killed)
        outcome.requests = len(self._admin.get("/history").json()) - before
        self._judge(judge, outcome)
        if outcome.problems or not outcome.completed:
            outcome.said = self._said[-3000:]
        return outcome

    def _make_stack(self, token: str) -> None:
        claims = token_claims.read(token)
        values = {
            "tenantId": self._tenant.tenant_id,
            "target": "embedded",
            "stackId": str(self._stack_id),
            "server": rehearse.SERVER,
            "mailbox": self._tenant.mailbox,
            "secrets": [
                {"from": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "everyDays": 150,
                 "overlapDays": 30}
            ],
            "environment": "test",
            "owners": [claims["oid"]],
            "configFile": str(self._folder / "proself.toml"),
        }  # fmt: skip
        document = {"config": {f"proself-mail:{key}": value for key, value in values.items()}}
        path = self._project / f"Pulumi.{_STACK}.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        self._pulumi("stack", "init", _STACK)

    def _plant_look_alikes(self) -> None:
        """Put in what a tool that goes by names would take for ours, a grant with each kind."""
        other = "proself-mail:stack=00000000-0000-4000-8000-00000000beef"
        kinds = (
            {"display_name": "Proself mail", "count": 5},
            {"display_name": "Proself mail {n}", "body": {"tags": ["proself-mail"]}, "count": 5},
            {
                "display_name": "Proself mail",
                "body": {"tags": ["proself-mail", other, "proself-mail:environment=test"]},
                "count": 5,
            },
        )
        body = {"applications": [{"service_principal": True, **kind} for kind in kinds]}
        made = self._admin.post("/seed", json=body).raise_for_status().json()["applications"]
        for each in made[::5]:
            grant_mail(self._http, each["servicePrincipalId"])

    def _spend_budget(self) -> None:
        """Ask the most costly there is until Graph has no resource units for us any more."""
        costly = {"method": "GET", "url": "/applications?$expand=owners"}
        body = {"requests": [{"id": str(number), **costly} for number in range(20)]}
        for _ in range(_MOST_BATCHES):
            answer = self._http.post("/v1.0/$batch", json=body)
            if answer.status_code == HTTPStatus.OK and any(
                each.get("headers", {}).get("x-ms-throttle-information")
                == "ResourceUnitLimitExceeded"
                for each in answer.json()["responses"]
            ):
                return
        raise TimeoutError("the tenant answers too slowly to spend its budget within 10 s")

    def _command(self, how: str) -> list[str]:
        if how == "proself-mail up":
            return [sys.executable, "-m", "proself_mail", "up", "--stack", _STACK]
        return ["pulumi", "--non-interactive", "up", "--yes", "--stack", _STACK]

    @contextmanager
    def _started(self, how: str) -> Iterator["subprocess.Popen[str]"]:
        with (self._folder / "said.log").open("a+", encoding="utf-8") as log:
            process = subprocess.Popen(
                self._command(how), cwd=self._project, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, text=True,
                start_new_session=True,
            )  # fmt: skip
            yield process
        self._said = (self._folder / "said.log").read_text(encoding="utf-8")

    def _run(self, how: str) -> int:
        with self._started(how) as process:
            try:
                return process.wait(_LONGEST_SECONDS)
            except subprocess.TimeoutExpired:
                _kill_family(process.pid)
                return process.wait()

    def _kill_midway(self, how: str) -> tuple[str, str, int]:
        """Kill us, the engine, the plugin or all at an instant that follows from the seed.

        The instant is told in requests, which machines of any speed have in common. A victim that
        does not run then, as an engine between two updates, is waited for, and where it does not
        run within seconds, we are it. Returns what was to be killed, what was and when,
        and the exit code of the run after it; of the only run, and blanks, where that ended before
        its instant: a second one would hide how.
        """
        chance = random.Random(self._seed)  # noqa: S311
        victim = wanted = chance.choice(("us", "engine", "plugin", "all"))
        after, moment = chance.randint(0, 50), chance.uniform(0, 0.4)
        since = len(self._admin.get("/history").json())
        with self._started(how) as process:
            while process.poll() is None and self._fewer_than(since + after):
                time.sleep(0.03)
            time.sleep(moment)
            if process.poll() is not None:
                return "", "", process.returncode
            deadline = time.monotonic() + _COMING_SECONDS
            while not _kill(process.pid, victim):
                if process.poll() is not None:
                    return "", "", process.returncode
                if time.monotonic() > deadline:
                    victim = "us"
                time.sleep(0.03)
            if victim in ("us", "all"):
                process.wait()
            else:
                try:  # what is left of the run may go on, as it does for real
                    process.wait(_LONGEST_SECONDS)
                except subprocess.TimeoutExpired:
                    _kill_family(process.pid)
                    process.wait()
        return wanted, f"{victim} after {after} requests", self._run(how)

    def _fewer_than(self, number: int) -> bool:
        """Whether the tenant has had fewer requests than that."""
        if number == 0:
            return False
        return not self._admin.get("/history", params={"since": number - 1}).json()

    def _judge(self, judge: Judge, outcome: Outcome) -> None:
        found = outcome.problems
        # First, and whatever came of it: a run that failed must keep its secrets too.
        issued = self._issued()
        found += self._leaks_on_disk(issued)
        verdict = judge.verdict()
        outcome.applications = verdict.applications
        outcome.secrets_left = verdict.secrets_left
        found += verdict.problems
        if found or not outcome.completed:
            return
        clean = self._pulumi("preview", "--refresh", "--expect-no-changes", "--stack", _STACK)
        if any(secret in clean.stdout + clean.stderr for secret in issued):
            found.append("a secret in what the preview said")
        elif clean.returncode:
            found.append(f"the state differs: {clean.stdout[-600:]}")
        self._judge_config_file(verdict.live[0], found)

    def _judge_config_file(self, ours: Mapping[str, Any], found: list[str]) -> None:
        path = self._folder / "proself.toml"
        if not path.exists():
            found.append("no config file")
            return
        server = tomllib.loads(path.read_text(encoding="utf-8"))["mail_server"]
        if server["client_id"] != ours["appId"]:
            found.append("the config file names another application")
            return
        secret = server["client_secret"]
        if ground.ask_token(self._http, self._tenant, server["client_id"], secret).is_error:
            found.append("the config file's secret does not sign in")

    def _issued(self) -> list[str]:
        """Return every secret that the tenant ever issued."""
        bearer = {"Authorization": f"Bearer {self._tenant.client_secret.reveal()}"}
        found: list[str] = self._admin.get("/secrets", headers=bearer).raise_for_status().json()
        return found

    def _leaks_on_disk(self, issued: Sequence[str]) -> list[str]:
        """Look for them in whatever is left on the disk, what the command said included."""
        secrets = [text.encode() for text in issued]
        allowed = {self._folder / "proself.toml", self._folder / "tenant.json"}
        return [
            f"a secret in {path.relative_to(self._folder)}"
            for path in self._folder.rglob("*")
            if path.is_file() and path not in allowed
            for content in [path.read_bytes()]
            if any(secret in content for secret in secrets)
        ]

    def _pulumi(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments], cwd=self._project,
            env=self._environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def run(scenario: Scenario, how: str, seed: int) -> Outcome:
    """Carry one run out, in a tenant of its own."""
    with TemporaryDirectory() as folder:
        ready_file = Path(folder) / "tenant.json"
        with embedded.running(ready_file, ["--seed", str(seed)]) as tenant:
            one = Run(tenant, Path(folder), seed)
            try:
                return one.carry_out(scenario, how)
            finally:
                one.close()


def _family(pid: int) -> list[psutil.Process]:
    """Return a process and all below it, which are in sessions of their own."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _kill(pid: int, victim: str) -> int:
    """Kill what is meant of a process and all below it; return how many that were."""
    killed = 0
    for process in _family(pid):
        try:
            command = " ".join(process.cmdline())
            is_engine = lock.is_an_engine(process)
            is_plugin = "azuread" in command
            if (
                victim == "all"
                or (victim == "us" and process.pid == pid)
                or (victim == "engine" and is_engine)
                or (victim == "plugin" and is_plugin)
            ):
                process.send_signal(signal.SIGKILL)
                killed += 1
        except psutil.NoSuchProcess:
            continue
    return killed


def _kill_family(pid: int) -> None:
    _kill(pid, "all")
