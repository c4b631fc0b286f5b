"""One command, timed, with the processor time of each kind of process below it."""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from proself_mail.stack import lock


@dataclass
class Run:
    """What a command cost."""

    wall_seconds: float
    engine_cpu_seconds: float
    """The Pulumi CLI and its language host, which are not ours."""
    our_cpu_seconds: float
    """The program and the stand-in plugin."""
    output: str = field(repr=False)


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Run:
    """Run a command to its end. Raises `CalledProcessError` where it fails."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seen: dict[int, tuple[bool, float]] = {}
    watcher = threading.Thread(target=_watch, args=(process, seen))
    watcher.start()
    output, _ = process.communicate()
    wall = time.monotonic() - began
    watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return Run(
        wall,
        sum(seconds for is_engine, seconds in seen.values() if is_engine),
        sum(seconds for is_engine, seconds in seen.values() if not is_engine),
        output,
    )


def _watch(process: "subprocess.Popen[str]", seen: dict[int, tuple[bool, float]]) -> None:
    """Note the processor time of each process below until the command has ended.

    Sampled every 20 ms, so that much of each process' end is missed.
    """
    root = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for each in family:
            try:
                times = each.cpu_times()
                is_engine = lock.is_an_engine(each) or "pulumi-language-python" in each.name()
                seen[each.pid] = (is_engine, times.user + times.system)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.02)
