"""`python -m bench.rotation`: years of rotation, and how long one takes; writes rotation.json.

Three years pass on an embedded tenant whose clock is moved, with the real engine and the command
that a pipeline runs: some runs are killed, some never come, some are early, the lengths change. One
client signs in every day with what was pasted last. Many more such lives run on the model
(`rotation_model`). Every draw follows from the seeds that are stored.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import yaml

from bench.results import Results
from bench.rotation_model import INTERVAL, Life
from proself_mail import clock, embedded, rehearse, sandbox
from proself_mail.embedded import EmbeddedTenant
from proself_mail.schedule import format_instant

DAY = timedelta(days=1)
STACK = "bench"


@dataclass
class Place:
    """A stack on an embedded tenant, the command, and the tenant's clock."""

    tenant: EmbeddedTenant
    folder: Path
    environment: dict[str, str]
    seen: int = 0
    """The last exchange with the tenant that was looked at."""
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        import ssl

        trusted = ssl.create_default_context(cafile=str(self.tenant.ca_file))
        self.http = httpx.Client(verify=trusted, trust_env=False)

    def command(self, *arguments: str, kill_after_s: float | None = None) -> tuple[int, float, str]:
        """Run `proself-mail`; return its exit code, its seconds, and what it said."""
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "proself_mail", *arguments, "--stack", STACK],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            said, _ = process.communicate()
        return process.returncode, time.monotonic() - began, said

    def advance(self, by: timedelta) -> datetime:
        """Move the tenant's clock and ours; return the new time."""
        document = _admin(self.tenant, "/clock", {"advance_seconds": by.total_seconds()})
        now = datetime.fromisoformat(document["now"])
        offset = (now - datetime.now(UTC)).total_seconds()
        self.environment[clock.OFFSET_VARIABLE] = str(round(offset))
        return now

    def now(self) -> datetime:
        """Return the tenant's time."""
        return datetime.fromisoformat(_admin(self.tenant, "/clock")["now"])

    def exchanges(self) -> list[dict[str, Any]]:
        """Return what was asked of the tenant since the last call."""
        found: list[dict[str, Any]] = _admin(self.tenant, f"/history?since={self.seen}")
        self.seen = found[-1]["n"] if found else self.seen
        return found

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets included."""
        done = subprocess.run(
            ["pulumi", "stack", "output", "--json", "--show-secrets", "--stack", STACK],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def passwords(self, object_id: str) -> list[dict[str, Any]]:
        """List what the application holds."""
        token = self.token(self.tenant.client_id, self.tenant.client_secret.reveal()).json()
        answer = self.http.get(
            f"{self.tenant.graph}/v1.0/applications/{object_id}",
            headers={"Authorization": f"Bearer {token['access_token']}"},
        )
        found: list[dict[str, Any]] = answer.raise_for_status().json()["passwordCredentials"]
        return found

    def token(self, client_id: str, secret: str) -> httpx.Response:
        """Sign in."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            "scope": f"{self.tenant.graph}/.default",
        }
        return self.http.post(
            f"{self.tenant.authority}/{self.tenant.tenant_id}/oauth2/v2.0/token", data=form
        )

    def append(self, starts: datetime, every: int, overlap: int) -> None:
        """Append an entry to the stack file, as a person does."""
        path = self.folder / f"Pulumi.{STACK}.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        entry = {"from": format_instant(starts), "everyDays": every, "overlapDays": overlap}
        document["config"]["proself-mail:secrets"].append(entry)
        path.write_text(yaml.safe_dump(document), encoding="utf-8")


def _admin(tenant: EmbeddedTenant, path: str, body: Mapping[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{tenant.admin_url}{path}", data=data)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


@contextmanager
def place(seed: int, latency_ms: int, every: int, overlap: int) -> Iterator[Place]:
    """Make a stack that is up."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        folder.mkdir()
        ready_file = Path(temporary) / "tenant.json"
        options = ["--seed", str(seed), "--latency-ms", str(latency_ms)]
        with embedded.running(ready_file, options) as tenant:
            rehearse.make_project(folder)
            prepared = sandbox.prepare(ready_file)
            found = Place(tenant, folder, dict(os.environ) | prepared.environment)
            answers = ["--server", rehearse.SERVER, "--mailbox", tenant.mailbox]
            where = ["--target", "embedded", "--environment", "test"]
            code, _, said = found.command("init", *answers, *where)
            assert code == 0, said  # noqa: S101
            path = folder / f"Pulumi.{STACK}.yaml"
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
            entry = document["config"]["proself-mail:secrets"][0]
            entry["everyDays"], entry["overlapDays"] = every, overlap
            path.write_text(yaml.safe_dump(document), encoding="utf-8")
            code, _, said = found.command("up")
            assert code == 0, said  # noqa: S101
            yield found


def measure_times(results: Results, rounds: int, seed: int) -> None:
    """Measure one rotation, one run without work, one removal, at 100 ms a request."""
    found: dict[str, list[tuple[float, int]]] = {}
    for number in range(rounds):
        with place(seed + number, 100, 60, 20) as at:
            for name, days in (
                ("nothing due", 0),
                ("a new secret, made and proven", 60),
                ("an expired secret, removed", 20),
            ):
                at.advance(days * DAY)
                at.exchanges()
                code, seconds, said = at.command("rotate")
                if code not in (0, 6):
                    raise RuntimeError(said)
                found.setdefault(name, []).append((seconds, len(at.exchanges())))
    for name, samples in found.items():
        results.add(
            f"{name}, 100 ms a request",
            "s",
            [seconds for seconds, _ in samples],
            requests=samples[-1][1],
        )


def simulate(results: Results, seed: int, years: float) -> None:
    """Let years pass with the real engine."""
    draw = random.Random(seed)  # noqa: S311
    tally: Counter[str] = Counter({"refused": 0, "removed alive": 0})
    codes: Counter[int] = Counter()
    began = time.monotonic()
    every, overlap = 60, 21
    with place(seed, 0, every, overlap) as at:
        start = now = at.now()
        made = at.outputs()
        client_id, object_id = made["clientId"], made["applicationObjectId"]
        known = {each["keyId"]: each for each in made["clientSecrets"]}
        in_proself = made["clientSecrets"][-1]
        overlaps = {in_proself["keyId"]: overlap}
        since_run = timedelta()
        paste_at: datetime | None = None
        early_until = start
        while now < start + years * 365 * DAY:
            now = at.advance(DAY)
            since_run += DAY
            if since_run >= INTERVAL:
                spare = since_run + 2 * INTERVAL <= overlap * DAY
                if spare and draw.random() < 0.15:
                    tally["missed"] += 1
                else:
                    arguments, kill = ["rotate"], None
                    if draw.random() < 0.12 and now >= early_until:
                        if draw.random() < 0.5:
                            arguments.append("--now")
                        else:
                            every, overlap = draw.choice([45, 60, 75]), draw.choice([21, 28])
                            at.append(now - timedelta(minutes=1), every, overlap)
                        early_until = now + (every + 30) * DAY
                        tally["early"] += 1
                    elif spare and draw.random() < 0.2:
                        kill = draw.uniform(0.5, 4.0)
                    holders = {e["keyId"]: e for e in at.passwords(object_id)}
                    at.exchanges()
                    code, _, said = at.command(*arguments, kill_after_s=kill)
                    codes[code] += 1
                    tally["killed"] += code < 0
                    if code > 0 and code != 6:
                        sys.stdout.write(f"{now}: exit {code}: {said[-400:]}\n")
                    since_run = since_run if code < 0 else timedelta()
                    _judge(at.exchanges(), holders, now, tally)
            secrets = at.outputs()["clientSecrets"] if since_run == timedelta() else []
            for each in secrets:
                overlaps.setdefault(each["keyId"], overlap)
                tally["rotations"] += each["keyId"] not in known
                known[each["keyId"]] = each
            newest = max(known.values(), key=lambda each: each["starts"])
            if newest is not in_proself and paste_at is None:
                superseded = min(
                    e["starts"] for e in known.values() if e["starts"] > in_proself["starts"]
                )
                late = draw.random() * (overlaps[in_proself["keyId"]] * DAY - INTERVAL)
                paste_at = datetime.fromisoformat(superseded) + late
            if paste_at is not None and now >= paste_at:
                in_proself, paste_at = newest, None
                acknowledged, _, _ = at.command("rotate", "--acknowledge")
                tally["acknowledged"] += acknowledged == 0
            answer = at.token(client_id, in_proself["value"])
            tally["sign-ins"] += 1
            tally["refused"] += answer.status_code != 200
            if since_run == timedelta():
                alive = sum(_end(e) > now for e in at.passwords(object_id))
                kind = "most valid" if now >= early_until else "most valid after an early one"
                tally[kind] = max(tally[kind], alive)
    results.add(
        f"{years:g} years with the real engine, seed {seed}",
        "s",
        [time.monotonic() - began],
        **{name.replace(" ", "_").replace("-", "_"): tally[name] for name in sorted(tally)},
        exit_codes={str(code): count for code, count in sorted(codes.items())},
    )


def _end(password: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(password["endDateTime"])


def _judge(
    exchanges: Sequence[Mapping[str, Any]],
    holders: Mapping[str, Mapping[str, Any]],
    now: datetime,
    tally: Counter[str],
) -> None:
    """Look in the tenant's own history for a removal of what was alive."""
    for each in exchanges:
        if each["method"] == "POST" and each["path"].endswith("/removePassword"):
            held = holders.get(each["request"]["keyId"])
            tally["removed"] += 1
            tally["removed alive"] += held is None or _end(held) > now + timedelta(minutes=10)


def measure_model(results: Results, seeds: Sequence[int]) -> None:
    """Let years pass on the model, many times."""
    began = time.monotonic()
    tallies = [Life(seed).live() for seed in seeds]
    results.add(
        "3 years on the model",
        "s",
        [time.monotonic() - began],
        seeds=f"{seeds[0]}–{seeds[-1]}",
        sign_ins=sum(each.sign_ins for each in tallies),
        refused=sum(each.refused for each in tallies),
        rotations=sum(each.rotations for each in tallies),
        early=sum(each.early for each in tallies),
        killed=sum(each.kills for each in tallies),
        missed=sum(each.missed for each in tallies),
        removed=sum(each.removed for each in tallies),
        removed_alive=sum(each.removed_alive for each in tallies),
        most_valid=max(each.most_valid for each in tallies),
        most_valid_after_an_early_one=max(each.most_valid_early for each in tallies),
    )


def main() -> None:
    """Measure what is asked for; all of it by default, which takes a quarter of an hour."""
    parser = argparse.ArgumentParser(prog="python -m bench.rotation", description=__doc__)
    parser.add_argument("--only", choices=["times", "model", "engine"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lives", type=int, default=200, help="on the model")
    parser.add_argument("--years", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    results = Results("rotation", options.seed)
    if options.only in (None, "times"):
        measure_times(results, options.rounds, options.seed)
    if options.only in (None, "model"):
        measure_model(results, range(options.seed, options.seed + options.lives))
    if options.only in (None, "engine"):
        simulate(results, options.seed, options.years)
    results.store()


if __name__ == "__main__":
    main()
