"""Runs one probe: record, change, run everything in a copy, then let the option select."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from probe_model import Change, Probe, Run

#: Files are made to look older than any change, so that Python's caches notice the change.
AGE_SECONDS = 120
#: What must not leak from the outer test run into a probe's.
OUTER = ("COVERAGE_", "COV_CORE_", "PYTEST_", "PACELINE_", "TESTMON_", "GIT_", "PYTHONPATH")
SUMMARY = re.compile(r"^(PASSED|FAILED|ERROR|XPASS|XFAIL) (\S+)", re.MULTILINE)
#: Plugins, and the module that a probe needs if it wants one. Random order would hide who is
#: first; Hypothesis takes longer to import than a probe's tests take to run.
LEFT_OUT = {
    "no:randomly": "pytest_randomly",
    "no:rerunfailures": "pytest_rerunfailures",
    "no:hypothesispytest": "hypothesis",
}
HEADER = "short test summary info"
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Tests:
    """One finished run of pytest: its exit code, which tests ran, and which of them failed."""

    exit_code: int
    ran: frozenset[str]
    failed: frozenset[str]
    output: str

    @property
    def crashed(self) -> bool:
        """Whether pytest itself broke: neither a verdict nor a collection error."""
        return self.exit_code not in (0, 1, 2, 5)


@dataclass(frozen=True)
class Outcome:
    """What a probe showed."""

    probe: Probe
    #: Failing in the full run, not failing in the measured one.
    missed: tuple[str, ...]
    #: Run although the probe says that nothing they depend on changed.
    needless: tuple[str, ...]
    ran: tuple[str, ...]
    #: What broke, in a line: a crash, or a run that ended otherwise than the probe says.
    broken: str
    output: str

    @property
    def verdict(self) -> str:
        """The outcome in a word."""
        if self.broken:
            return "crash"
        return "missed" if self.missed else "needless" if self.needless else "ok"


def missing_needs(probe: Probe) -> str:
    """Return which program or module that the probe needs is not installed, or nothing."""
    import importlib.util

    for name in probe.needs:
        if not shutil.which(name) and importlib.util.find_spec(name) is None:
            return name
    return ""


def measure(probe: Probe, option: str, folder: Path, *, verify: bool = True) -> Outcome:
    """Run `probe` in the empty `folder` with pytest's `option` ("--impact", "--testmon", or none).

    With `verify` off the probe's own word is taken for what a full run shows. Raises
    AssertionError if a full run does not show what the probe says: then the probe is wrong.
    """
    root = folder / "work" / "project"
    (folder / "work" / "outside").mkdir(parents=True)
    apply(Change(write=probe.files), root)
    apply(probe.start, root)
    _age(folder / "work")
    broken, outputs = [], []
    changed = False
    for run in probe.before:
        changed |= run.does == "change"
        done = run_tests(probe, run, option, root)
        outputs.append(done.output)
        if run.exits and done.exit_code not in run.exits:
            broken.append(f"a recording run ended with {done.exit_code}")
    if not changed:
        apply(probe.change, root)
    if probe.after:  # what is written then may be of the same size: no bytecode must fit it
        _age(folder / "work", ages=2)
    for run in probe.after:
        outputs.append(run_tests(probe, run, option, root).output)
    apply(probe.then, root)
    failing = _full_run(probe, folder) if verify else frozenset(probe.fails)
    chosen = run_tests(probe, probe.measured, option, root)
    if chosen.crashed:
        broken.append(f"the measured run ended with {chosen.exit_code}")
    allowed = chosen.ran if probe.only is None else frozenset(probe.only)
    return Outcome(
        probe,
        tuple(sorted(failing - chosen.failed)),
        tuple(sorted(chosen.ran - allowed)),
        tuple(sorted(chosen.ran)),
        "; ".join(broken),
        "\n".join([*outputs, chosen.output]),
    )


def _full_run(probe: Probe, folder: Path) -> frozenset[str]:
    """Run everything in a copy without the option; assert that the probe says which tests fail."""
    copy = folder / "full"
    shutil.copytree(folder / "work", copy, symlinks=True)
    # Bare pytest: installed plugins would only cost time here.
    env = {**probe.measured.env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = replace(probe.measured, args=(), env=env)
    full = run_tests(probe, run, "", copy / "project")
    assert full.failed == set(probe.fails), f"{probe.id}: full run\n{full.output}"
    assert not full.crashed, full.output
    return full.failed


def run_tests(probe: Probe, run: Run, option: str, root: Path) -> Tests:
    """Run pytest in the project as `run` says, with what it says happening meanwhile."""
    with ThreadPoolExecutor(len(run.beside) + 1) as pool:
        beside = [pool.submit(_run, probe, replace(run, args=a), option, root) for a in run.beside]
        done = _run(probe, run, option, root)
        for other in beside:
            other.result()
    return done


def _run(probe: Probe, run: Run, option: str, root: Path) -> Tests:
    command = [sys.executable, "-m", "pytest", "-v", "-rA", *_left_out(probe)]
    command += [*option.split(), *run.args]
    child = subprocess.Popen(
        command,
        cwd=root / run.cwd,
        env={**environment(), **run.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    watch = threading.Timer(TIMEOUT_SECONDS, _kill, [child])
    watch.start()
    try:
        output = _follow(child, run, probe, root)
    finally:
        watch.cancel()
    return _read(child.wait(), output, run.cwd)


def _left_out(probe: Probe) -> list[str]:
    return [
        part
        for name, module in LEFT_OUT.items()
        if module not in probe.needs
        for part in ("-p", name)
    ]


def environment() -> dict[str, str]:
    """Return the environment of a probe's runs: this one's, without the outer run's settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OUTER)}
    # Output line by line, so that something can be done at a line. No colour in the words read.
    return {**kept, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


def _follow(child: subprocess.Popen[str], run: Run, probe: Probe, root: Path) -> str:
    lines = []
    waiting = bool(run.at)
    assert child.stdout is not None
    for line in child.stdout:
        lines.append(line)
        if waiting and run.at in line:
            waiting = False
            if run.does == "kill":
                _kill(child)
            else:
                apply(probe.change, root)
    child.stdout.close()
    assert not waiting, f"{probe.id}: never printed {run.at!r}:\n{''.join(lines)}"
    return "".join(lines)


def _kill(child: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _read(exit_code: int, output: str, cwd: str) -> Tests:
    summary = output[output.rfind(HEADER) :] if HEADER in output else ""
    ran, failed = set(), set()
    for word, name in SUMMARY.findall(summary):
        test = posixpath.normpath(posixpath.join(cwd, name))
        ran.add(test)
        if word in ("FAILED", "ERROR"):
            failed.add(test)
    return Tests(exit_code, frozenset(ran), frozenset(failed), output)


def apply(change: Change, root: Path) -> None:
    """Change the files of the project in `root`."""
    for name in change.delete:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, text in change.write.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for old, new in change.rename.items():
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)
    for name, target in change.link.items():
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)
    if change.python:
        _python(change.python, root)


def _python(code: str, root: Path) -> None:
    arguments = [sys.executable, "-I", "-c", code]
    done = subprocess.run(
        arguments, cwd=root, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _age(folder: Path, ages: int = 1) -> None:
    then = time.time() - ages * AGE_SECONDS
    for path in folder.rglob("*"):
        if ".git" not in path.parts:
            os.utime(path, (then, then), follow_symlinks=False)
