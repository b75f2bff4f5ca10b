"""Time the answer "nothing is affected" on a project of 1,000 tests and 500 files.

`python scripts/benchmark_unaffected.py` makes the project in a temporary folder, records its
tests once, and then asks `invoke impact.status` in turn with `invoke --list` over an empty tasks
file, so that both see the same load. It prints the ratio of the medians and exits with 1 if
that is over the limit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Times of `invoke --list` that the answer may take.
LIMIT = 3.0

#: How `invoke --list` ends where there is no task.
NO_TASKS = 1

#: Half of the files are modules, half of them tests with four tests each.
PAIRS = 250

MODULE = """import {below}


def value(number):
    return {below}.base() + number + {place}


def base():
    return {place}
"""
TEST = """import pytest
import module_{place}


@pytest.mark.parametrize("number", range(4))
def test_value(number):
    assert module_{place}.value(number) > -1
"""


def make(project: Path) -> None:
    """Write the project: each module uses the one before it of its package of ten."""
    (project / "tests").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\npythonpath = ["."]\ntestpaths = ["tests"]\n', encoding="utf-8"
    )
    (project / "tasks.py").write_text("from paceline.tasks import *\n", encoding="utf-8")
    (project / "module_base.py").write_text("def base():\n    return 0\n", encoding="utf-8")
    for place in range(PAIRS):
        below = f"module_{place - 1}" if place % 10 else "module_base"
        text = MODULE.format(below=below, place=place)
        (project / f"module_{place}.py").write_text(text, encoding="utf-8")
        test = project / "tests" / f"test_{place}.py"
        test.write_text(TEST.format(place=place), encoding="utf-8")


def seconds(command: list[str], folder: Path, expected: int = 0) -> float:
    """Return how long `command` takes; end with its output if it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode != expected:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return taken


def main() -> int:
    """Measure, print, and say whether the limit holds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    invoke = [sys.executable, "-m", "invoke"]
    with tempfile.TemporaryDirectory() as folder:
        empty, project = Path(folder) / "empty", Path(folder) / "project"
        empty.mkdir()
        (empty / "tasks.py").write_text("", encoding="utf-8")
        make(project)
        seconds([sys.executable, "-m", "pytest", "-q", "--impact"], project)
        ask = [*invoke, "impact.status"]
        answer = subprocess.run(ask, cwd=project, capture_output=True, text=True, check=True)
        print(answer.stdout.strip())
        listing, asking = [], []
        for _ in range(rounds):
            listing.append(seconds([*invoke, "--list"], empty, NO_TASKS))
            asking.append(seconds(ask, project))
        files = sum(len(names) for _, _, names in os.walk(project) if names)
    ratio = statistics.median(asking) / statistics.median(listing)
    print(f"{4 * PAIRS} tests, {files} files and caches, {rounds} rounds in turn")
    print(f"invoke --list, no tasks   median {statistics.median(listing):.3f} s")
    print(f"invoke impact.status      median {statistics.median(asking):.3f} s")
    print(f"ratio {ratio:.2f} (limit {LIMIT})")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
