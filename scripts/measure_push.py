"""Times the pre-push hook beside pre-commit and prek with the same steps, interleaved.

    python scripts/measure_push.py [--rounds N] [--json]

It makes a project with five checks and a test group in a temporary folder. Each round runs
every candidate once, in turn, so that a slow minute of the machine hits all alike. The yardstick
is `invoke --list` over an empty tasks file: with a receipt the hook may take 2.5 times as
long, with nothing affected and no receipt 7 times. Exit code 1 if it takes longer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from paceline.testing import PushedProject

YARDSTICK = "invoke --list, empty tasks file"
#: What a candidate may take, in multiples of the yardstick.
LIMITS = {"paceline, with receipts": 2.5, "paceline, nothing affected": 7.0}
CHECKS = ("style", "names", "types", "links", "secrets")
CHECK = """\
import ast, sys
from pathlib import Path

for file in sorted(Path("src").rglob("*.py")):
    ast.parse(file.read_text(encoding="utf-8"))
"""
TEST = "def test_{number}():\n    assert {number} == {number}\n"


@dataclass(frozen=True)
class Candidate:
    """A way to check a push: `prepare` comes before each run and is not timed."""

    name: str
    command: tuple[str, ...]
    folder: Path
    prepare: Callable[[], object] = lambda: None
    #: What is written to its standard input.
    given: str = ""
    env: Mapping[str, str] | None = None
    #: invoke calls it an error that there are no tasks.
    exit_code: int = 0


def make_project(root: Path) -> PushedProject:
    """Make the project: modules, tests, five checks for Paceline and for hook managers."""
    project = PushedProject(root)
    steps, hooks = [], []
    for name in CHECKS:
        steps.append(
            f"[tool.paceline.steps.{name}]\n"
            f'run = [["{sys.executable}", "checks/check_{name}.py"]]\n'
            'inputs = ["src/**", "checks/**"]\n'
        )
        hooks.append(
            f"  - {{id: {name}, name: {name}, language: system, pass_filenames: false,\n"
            f"     stages: [pre-push], files: '^(src|checks)/',\n"
            f"     entry: '{sys.executable} checks/check_{name}.py'}}\n"
        )
    hooks.append(
        "  - {id: tests, name: tests, language: system, pass_filenames: false,\n"
        "     stages: [pre-push], files: '^(src|tests)/',\n"
        f"     entry: '{sys.executable} -m pytest -q'}}\n"
    )
    project.write(
        {
            "pyproject.toml": '[tool.paceline]\nenvironment = "current"\n'
            "[tool.paceline.groups.unit]\nworkers = 0\n"
            "[tool.paceline.steps.deps]\nprepush = false\n" + "".join(steps),
            ".pre-commit-config.yaml": "repos:\n- repo: local\n  hooks:\n" + "".join(hooks),
            ".gitignore": "__pycache__/\n.pytest_cache/\n.coverage*\n.testmondata*\n",
            "NOTES.md": "notes\n",
            **{f"checks/check_{name}.py": CHECK for name in CHECKS},
            **{f"src/app/m{n}.py": f"VALUE = {n}\n" for n in range(100)},
            **{f"tests/test_{n}.py": TEST.format(number=n) for n in range(20)},
        }
    )
    return project


def candidates(folder: Path) -> list[Candidate]:
    """Return everything that is timed, ready to run."""
    changed, affected = make_project(folder / "changed"), make_project(folder / "unaffected")
    for project in (changed, affected):
        project.publish()
        _succeed(project.invoke("prepush", "--full"))
    changed.commit("a change", {"src/app/m1.py": "VALUE = 11\n"})
    _succeed(changed.invoke("prepush", "--full"))
    affected.commit("notes", {"NOTES.md": "other notes\n"})
    empty = folder / "empty"
    empty.mkdir()
    (empty / "tasks.py").write_text("", encoding="utf-8")
    listing = (sys.executable, "-m", "invoke", "--list")

    def forget() -> None:
        affected.invoke("receipts", "--drop", "all")

    found = [
        Candidate(YARDSTICK, listing, empty, exit_code=1),
        _hook("paceline, with receipts", changed),
        _hook("paceline, nothing affected", affected, forget),
    ]
    for manager in ("pre-commit", "prek"):
        program = Path(sys.executable).with_name(manager)
        if not program.exists():
            print(f"{manager} is not installed: left out", file=sys.stderr)
            continue
        refs = ("--from-ref", "HEAD~1", "--to-ref", "HEAD")
        command = (str(program), "run", "--hook-stage", "pre-push", *refs)
        env = {"PRE_COMMIT_HOME": str(folder / "home"), "PREK_HOME": str(folder / "prek")}
        found.append(Candidate(f"{manager}, the same change", command, changed.root, env=env))
        found.append(Candidate(f"{manager}, nothing affected", command, affected.root, env=env))
    return found


def _hook(
    name: str, project: PushedProject, prepare: Callable[[], object] = lambda: None
) -> Candidate:
    new, old = (project.git("rev-parse", rev).strip() for rev in ("HEAD", "HEAD~1"))
    hook = str(project.root / ".git" / "hooks" / "pre-push")
    line = f"refs/heads/main {new} refs/heads/main {old}\n"
    command = (hook, "origin", str(project.remote))
    return Candidate(name, command, project.root, prepare, line)


def _succeed(done: object) -> None:
    if getattr(done, "exit_code", 1):
        raise SystemExit(getattr(done, "output", "failed"))


def time_once(candidate: Candidate) -> float:
    """Return the wall seconds of one run; end the program if it failed."""
    candidate.prepare()
    env = {**os.environ, **(candidate.env or {})}
    started = time.monotonic()
    done = subprocess.run(
        candidate.command,
        check=False,
        cwd=candidate.folder,
        env=env,
        input=candidate.given,
        capture_output=True,
        encoding="utf-8",
    )
    seconds = time.monotonic() - started
    if done.returncode != candidate.exit_code:
        raise SystemExit(f"{candidate.name}: {done.stdout}{done.stderr}")
    return seconds


def measure(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the wall seconds of each candidate, a figure a round, after one to warm up."""
    found = candidates(folder)
    times: dict[str, list[float]] = {candidate.name: [] for candidate in found}
    for number in range(rounds + 1):
        for candidate in found:
            seconds = time_once(candidate)
            if number:
                times[candidate.name].append(seconds)
    return times


def main() -> int:
    """Measure, print, and say by the exit code whether the limits hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="paceline-measure-") as folder:
        times = measure(Path(folder), arguments.rounds)
    ratios = {
        name: statistics.median(
            own / base for own, base in zip(seconds, times[YARDSTICK], strict=True)
        )
        for name, seconds in times.items()
    }
    if arguments.json:
        print(json.dumps({"wall_seconds": times, "ratios": ratios, "limits": LIMITS}, indent=1))
    else:
        for name, seconds in times.items():
            limit = f" (limit {LIMITS[name]})" if name in LIMITS else ""
            median = statistics.median(seconds)
            print(f"{name:34} {median:6.2f} s  {ratios[name]:5.2f} times the yardstick{limit}")
    return int(any(ratios[name] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    raise SystemExit(main())
