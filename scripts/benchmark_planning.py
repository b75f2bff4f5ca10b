"""Time `invoke plan` on 1,000, 10,000 and 100,000 tests over 256 shards, and its memory.

`python scripts/benchmark_planning.py [--rounds N]` prints, for each size, the CPU and wall seconds
and the largest memory of the whole process (start of invoke, reading, planning, JSON), as median
of the rounds; then the CPU seconds of the planning alone and the function calls that it makes.
The calls are the same in every run and tell how the work grows. Seconds tell it less well: they
also grow with what no longer fits into the processor's caches, and differ from run to run.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from itertools import pairwise
from pathlib import Path

from paceline.sharding.plan import make_plan

SIZES = (1_000, 10_000, 100_000)
SHARDS = 256
MEGABYTE = 1024 * 1024
#: ru_maxrss is in kilobytes, on macOS in bytes.
UNIT = 1 if sys.platform == "darwin" else 1024


def example(size: int) -> dict[str, float]:
    """Return `size` durations of a usual shape: many short tests, some long."""
    rng = random.Random(size)
    return {
        f"tests/part_{i // 5000}/test_{i // 40}.py::test_{i}": round(rng.lognormvariate(-2, 1.5), 4)
        for i in range(size)
    }


def measure(folder: Path) -> tuple[float, float, float]:
    """Run the task once; return its wall seconds, CPU seconds and megabytes."""
    command = [sys.executable, "-m", "invoke", "plan", "--tests", "ids", "--durations", "times"]
    with (folder / "plan.json").open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--shards", str(SHARDS), "--json"], cwd=folder, stdout=output
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"invoke plan ended with exit code {process.returncode}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss * UNIT / MEGABYTE


def planning(times: dict[str, float], rounds: int) -> tuple[float, int]:
    """Return the CPU seconds of the planning alone, the least of the rounds, and its calls."""

    def plan() -> None:
        make_plan("tests", list(times), times, SHARDS)

    seconds = min(timeit.repeat(plan, timer=time.process_time, number=1, repeat=rounds))
    profile = cProfile.Profile()
    profile.runcall(plan)
    return seconds, sum(entry.callcount for entry in profile.getstats())


def main() -> int:
    """Print a line for each size, and how the larger ones compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    alone: dict[int, tuple[float, int]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tasks.py").write_text(
            "from paceline import tasks\n\nns = tasks.ns\n", encoding="utf-8"
        )
        print(f"{'tests':>8}{'wall s':>9}{'CPU s':>9}{'MB':>9}{'planning':>11}{'calls':>11}")
        # The start of Python and invoke is in every figure; one test shows it alone.
        for size in (1, *SIZES):
            times = example(size)
            (folder / "ids").write_text("\n".join(times) + "\n", encoding="utf-8")
            (folder / "times").write_text(json.dumps(times), encoding="utf-8")
            found = [
                statistics.median(values)
                for values in zip(*(measure(folder) for _ in range(rounds)), strict=True)
            ]
            alone[size] = planning(times, rounds)
            print(
                f"{size:>8}{found[0]:>9.2f}{found[1]:>9.2f}{found[2]:>9.0f}"
                f"{alone[size][0]:>11.4f}{alone[size][1]:>11}"
            )
    for small, large in pairwise(SIZES):
        seconds, calls = (
            after / before for before, after in zip(alone[small], alone[large], strict=True)
        )
        allowed = large * math.log(large) / (small * math.log(small))
        print(
            f"{small} to {large} tests: {calls:.1f} times the calls, {seconds:.1f} times the CPU "
            f"time, n log n allows {allowed:.1f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
