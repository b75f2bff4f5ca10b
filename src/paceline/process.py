"""The only place that starts processes: argument lists, output captured, children ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paceline.errors import MissingTool

#: How long a child may take to end after SIGTERM before it is killed, in seconds.
GRACE_SECONDS = 1.0

#: Children that `run` waits for, in whatever thread: `end_all` needs to reach them.
_live: set[subprocess.Popen[bytes]] = set()
_live_lock = threading.Lock()


@dataclass(frozen=True)
class Result:
    """A finished process: its exit code, everything it printed, wall time in seconds."""

    command: tuple[str, ...]
    exit_code: int
    output: str
    seconds: float


def find_tool(name: str) -> Path:
    """Return the path of the program `name`; raise MissingTool if it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise MissingTool(f"{name} is not installed", f"install {name} and run this again")
    return Path(found)


def run(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None
) -> Result:
    """Run `command` in `cwd`, standard output and error together in `output`.

    `env` is laid over this process's environment. The child gets a process group of its
    own, which is ended whole if this process is interrupted.

    Raises MissingTool if the program cannot be started.
    """
    arguments = tuple(str(part) for part in command)
    started = time.monotonic()
    child = _start(arguments, cwd, env or {})
    with _live_lock:
        _live.add(child)
    try:
        output, _ = child.communicate()
    except BaseException:
        end(child)
        raise
    finally:
        with _live_lock:
            _live.discard(child)
    text = output.decode("utf-8", errors="replace")
    return Result(arguments, child.returncode, text, time.monotonic() - started)


def _start(
    arguments: tuple[str, ...], cwd: Path, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments,
            cwd=cwd,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise MissingTool(
            f"cannot start {arguments[0]}: {error.strerror}",
            f"install {Path(arguments[0]).name} and run this again",
        ) from error


def end(child: subprocess.Popen[bytes]) -> None:
    """End `child` and its process group: politely first, then by force."""
    _signal_group(child, signal.SIGTERM)
    # One that ignores the polite signal is not asked again.
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    _signal_group(child, getattr(signal, "SIGKILL", signal.SIGTERM))
    child.wait()


def end_all(grace: float = GRACE_SECONDS) -> None:
    """End every child that `run` waits for in any thread, all within one `grace` period.

    An interrupt reaches the main thread only, so `run` in a worker thread cannot see it. A
    child started during this call may be missed: call again until the workers have ended.
    """
    with _live_lock:
        children = list(_live)
    for child in children:
        _signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(child.poll() is None for child in children):
        time.sleep(0.01)  # a poll: nothing portable waits for any of several children
    for child in children:
        _signal_group(child, getattr(signal, "SIGKILL", signal.SIGTERM))


def _signal_group(child: subprocess.Popen[bytes], number: int) -> None:
    if os.name == "nt":  # no process groups in this sense; the child alone is ended
        child.terminate()
        return
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # the whole group has ended already; macOS says so with EPERM


def stream(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> int:
    """Run `command` with this process's own terminal and return its exit code, unchanged.

    `env` is laid over this process's environment. Raises MissingTool if it cannot be started.
    """
    try:
        child = subprocess.Popen(
            [str(part) for part in command], cwd=cwd, env={**os.environ, **env}
        )
    except OSError as error:
        raise MissingTool(f"cannot start {command[0]}: {error.strerror}") from error
    try:
        return child.wait()
    except BaseException:
        # Ctrl-C reached the child too; give it the time to write its reports.
        try:
            child.wait(GRACE_SECONDS * 5)
        except subprocess.TimeoutExpired:
            child.kill()
        raise
