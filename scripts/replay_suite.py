"""A real project's test suite, ready to be replayed: fetched, installed, and run with records."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What each known suite needs beside itself; the versions that the figures were taken with.
SUITES = {
    "jinja2": ("jinja2==3.1.6", ("trio",)),
    "click": ("click==8.5.1", ()),
    "attrs": ("attrs==26.1.0", ("cloudpickle", "hypothesis", "pympler")),
    "flask": ("flask==3.1.3", ("asgiref", "python-dotenv")),
    "itsdangerous": ("itsdangerous==2.2.0", ("freezegun",)),
    "sqlparse": ("sqlparse==0.6.1", ()),
}
#: Where pytest and Paceline keep what they know between runs, relative to the project.
STORE = (".paceline", ".testmondata", ".testmondata-shm", ".testmondata-wal")
#: A mutant that grows without end is stopped here, in bytes of address space.
MEMORY_LIMIT = 6 * 2**30
TIMED_OUT = -1


@dataclass(frozen=True)
class Result:
    """One run of pytest: seconds of wall and of CPU time, and what happened to which test."""

    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    #: Test id to the seconds that it took, set-up and teardown included.
    ran: Mapping[str, float]
    failed: frozenset[str]
    #: Files that could not be collected.
    broken: frozenset[str]
    output: str


@dataclass(frozen=True)
class Suite:
    """A copy of the project in `root`, and the Python that runs its tests."""

    name: str
    root: Path
    python: Path

    def run(
        self, options: Sequence[str], limit_seconds: float, env: Mapping[str, str] | None = None
    ) -> Result:
        """Run the tests with `options` of pytest; exit code TIMED_OUT if that takes too long."""
        log = self.root.parent / "report.jsonl"
        log.unlink(missing_ok=True)
        fixed = ["-q", "--continue-on-collection-errors", f"--report-log={log}"]
        command = [str(self.python), "-m", "pytest", *fixed, *options]
        before, started = os.times(), time.monotonic()
        exit_code, output = _run(
            command, self.root, {**self._environment(), **(env or {})}, limit_seconds
        )
        after = os.times()
        cpu = sum(after[2:4]) - sum(before[2:4])
        return _result(log, exit_code, time.monotonic() - started, cpu, output)

    def python_module(
        self, name: str, arguments: Sequence[str]
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a module of the suite's Python in the project."""
        command = [str(self.python), "-m", name, *arguments]
        return subprocess.run(
            command,
            cwd=self.root,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def select(self, options: Sequence[str], limit_seconds: float) -> Result:
        """Collect the tests with `options`; `ran` of the result holds what would have run."""
        result = self.run([*options, "--collect-only"], limit_seconds)
        lines = (line.strip() for line in result.output.splitlines())
        chosen = {line: 0.0 for line in lines if "::" in line and not line.startswith("ERROR")}
        return replace(result, ran=chosen)

    def _environment(self) -> dict[str, str]:
        outer = ("COVERAGE_", "COV_CORE_", "PYTEST_", "PACELINE_", "TESTMON_", "GIT_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(outer)}
        source = self.root / "src" if (self.root / "src").is_dir() else self.root
        # The copy's own code, not the installed one, which is there for its metadata.
        return {**kept, "PYTHONPATH": str(source), "PYTHONHASHSEED": "0"}

    def save(self, place: Path) -> None:
        """Keep the records of the last run in `place`."""
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _copy_store(self.root, place)

    def restore(self, place: Path) -> None:
        """Put the records kept in `place` back."""
        for name in (*STORE, ".pytest_cache"):
            _remove(self.root / name)
        _copy_store(place, self.root)


class Snapshot:
    """The files of a project, to be put back after tests of a broken project wrote into it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files = {path: path.read_bytes() for path in self._paths()}

    def restore(self) -> None:
        """Bring every file back, and remove those that are new."""
        for path in self._paths():
            if path not in self._files:
                path.unlink()
        for path, content in self._files.items():
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def _paths(self) -> list[Path]:
        skipped = {*STORE, "__pycache__", ".pytest_cache", ".hypothesis"}
        return [
            path
            for path in self._root.rglob("*")
            if path.is_file() and not skipped.intersection(path.relative_to(self._root).parts)
        ]


def _copy_store(source: Path, target: Path) -> None:
    for name in STORE:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        elif (source / name).exists():
            shutil.copy2(source / name, target / name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _run(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], limit_seconds: float
) -> tuple[int, str]:
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_limit_memory,  # noqa: PLW1509 - no threads run in this script
    )
    try:
        output, _ = child.communicate(timeout=limit_seconds)
        return child.returncode, output.decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, _ = child.communicate()
        return TIMED_OUT, output.decode(errors="replace")


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))


def _result(log: Path, exit_code: int, wall: float, cpu: float, output: str) -> Result:
    ran: dict[str, float] = {}
    failed, broken = set(), set()
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:  # cut off where the run was killed
            continue
        if entry.get("$report_type") == "TestReport":
            ran[entry["nodeid"]] = ran.get(entry["nodeid"], 0.0) + entry["duration"]
            if entry["outcome"] == "failed":
                failed.add(entry["nodeid"])
        elif entry.get("$report_type") == "CollectReport" and entry["outcome"] == "failed":
            broken.add(entry["nodeid"])
    return Result(exit_code, wall, cpu, ran, frozenset(failed), frozenset(broken), output)


@dataclass(frozen=True)
class Source:
    """A fetched project, and the Python that has what its tests need."""

    name: str
    tree: Path
    python: Path

    def copy(self, folder: Path) -> Suite:
        """Return a fresh copy of the suite below `folder`."""
        shutil.rmtree(folder, ignore_errors=True)
        left_out = shutil.ignore_patterns(*STORE, ".git", "__pycache__", ".pytest_cache")
        shutil.copytree(self.tree, folder / "project", symlinks=True, ignore=left_out)
        return Suite(self.name, folder / "project", self.python)


def prepare(name: str, folder: Path) -> Source:
    """Return the suite `name`, one of SUITES or a path, fetched and installed below `folder`."""
    if name not in SUITES:
        return Source(Path(name).name, Path(name).resolve(), Path(sys.executable))
    requirement, needs = SUITES[name]
    return Source(name, _download(requirement, folder), _environment(folder, [*needs, requirement]))


def _download(requirement: str, folder: Path) -> Path:
    target = folder / "sdist"
    if not target.exists():
        pip = [_uv(), "run", "--no-project", "--with", "pip", "python", "-m", "pip"]
        archives = folder / "archives"
        where = ["--no-deps", "--no-binary", ":all:", "--dest", str(archives), requirement]
        subprocess.run([*pip, "download", "--quiet", *where], check=True)
        with tarfile.open(next(archives.glob("*.tar.gz"))) as archive:
            archive.extractall(target, filter="data")
    return next(path for path in target.iterdir() if path.is_dir())


def _environment(folder: Path, requirements: Sequence[str]) -> Path:
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        make = [_uv(), "venv", "-q", "--python", sys.executable, str(folder / "venv")]
        subprocess.run(make, check=True)
        # Paceline with the very tools that it is tested with here.
        pins = ["--constraints", str(ROOT / "ci" / "constraints.txt")]
        wanted = ["--editable", str(ROOT), "pytest-reportlog", *requirements]
        install = [_uv(), "pip", "install", "-q", "--python", str(python)]
        subprocess.run([*install, *pins, *wanted], check=True)
    return python


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else "uv"
