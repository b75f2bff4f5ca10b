"""Takes one measurement: wall and CPU time of a command, and of a loop to compare it with."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paceline import process
from paceline.errors import MissingTool

#: Turns of the calibration loop: some tens of milliseconds on a machine of today.
CALIBRATION_TURNS = 500_000


@dataclass(frozen=True)
class Sample:
    """What one run of a command took."""

    wall_seconds: float
    #: User and system time of the command and of the descendants it waited for.
    cpu_seconds: float
    exit_code: int


def measure(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None
) -> Sample:
    """Run `command` in `cwd`, `env` laid over this process's environment, and time it.

    Nothing else may run children meanwhile: the system counts CPU time for all of them
    together. Raises MissingTool if the command cannot be started.
    """
    before = cpu_of_children()
    done = process.run(command, cwd=cwd, env=env)
    return Sample(done.seconds, cpu_of_children() - before, done.exit_code)


def calibrate(turns: int = CALIBRATION_TURNS) -> float:
    """Return the seconds a fixed loop takes now: how fast this machine is at this moment."""
    started = time.perf_counter()
    total = 0
    for number in range(turns):
        total += number & 7
    return time.perf_counter() - started


def cpu_of_children() -> float:
    """Return the user and system seconds of all children that have ended and been waited for.

    Raises MissingTool where the system does not count them.
    """
    try:
        import resource
    except ImportError as error:
        raise MissingTool(
            "CPU time of child processes cannot be measured on this system",
            "run the benchmarks on Linux or macOS",
        ) from error
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
