"""The only place that starts processes: argument lists, output captured, children ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from paceline.errors import CheckFailed, MissingTool

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
    #: Whether it was ended because its time was over.
    timed_out: bool = False


def find_tool(name: str) -> Path:
    """Return the path of the program `name`; raise MissingTool if it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise MissingTool(f"{name} is not installed", f"install {name} and run this again")
    return Path(found)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Result:
    """Run `command` in `cwd`, standard output and error together in `output`.

    `env` is laid over this process's environment. The child gets a process group of its
    own, which is ended whole if this process is interrupted, or after `timeout` seconds.

    Raises MissingTool if the program cannot be started.
    """
    arguments = tuple(str(part) for part in command)
    started = time.monotonic()
    child = _start(arguments, cwd, env or {})
    with _live_lock:
        _live.add(child)
    _guard.note("+", child.pid)
    timed_out = False
    try:
        output, timed_out = _output(child, timeout)
    except BaseException:
        end(child)
        raise
    finally:
        _guard.note("-", child.pid)
        with _live_lock:
            _live.discard(child)
    text = output.decode("utf-8", errors="replace")
    return Result(arguments, child.returncode, text, time.monotonic() - started, timed_out)


def _output(child: subprocess.Popen[bytes], timeout: float | None) -> tuple[bytes, bool]:
    try:
        return child.communicate(timeout=timeout)[0], False
    except subprocess.TimeoutExpired:
        end(child)
    try:
        return child.communicate(timeout=GRACE_SECONDS)[0], True
    except subprocess.TimeoutExpired as still:  # something outside the group holds the pipe
        return still.output or b"", True


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


class _Guard:
    """Ends the children of `run` if this process is killed in a way it cannot answer.

    A shell of its own session reads their process groups from a pipe. The pipe ends with this
    process, however it ends, and then the shell ends what is left.
    """

    _SCRIPT = """
live=
while read -r sign group; do
    case $sign in
        +) live="$live $group" ;;
        -) kept=
           for one in $live; do [ "$one" = "$group" ] || kept="$kept $one"; done
           live=$kept ;;
    esac
done
for group in $live; do kill -s TERM -- "-$group"; done 2>/dev/null
[ -z "$live" ] || sleep 1
for group in $live; do kill -s KILL -- "-$group"; done 2>/dev/null
"""

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def note(self, sign: str, group: int) -> None:
        with self._lock:
            if self._shell is not None and self._shell.stdin is not None:
                with contextlib.suppress(OSError):
                    self._shell.stdin.write(f"{sign} {group}\n".encode())
                    self._shell.stdin.flush()

    def start(self) -> None:
        if os.name == "nt" or self._shell is not None:
            return
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", self._SCRIPT],
            cwd="/",  # it must not keep a worktree busy
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> None:
        with self._lock:
            shell, self._shell = self._shell, None
        if shell is not None and shell.stdin is not None:
            with contextlib.suppress(OSError):
                shell.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it has children to end
                shell.wait(GRACE_SECONDS / 5)


_guard = _Guard()


class Ended(KeyboardInterrupt):
    """This process was asked to end, by a signal or because its parent is gone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """While the block runs, no child of `run` outlives this process, whatever ends it.

    SIGTERM and SIGHUP raise Ended, so that the block can clean up as after Ctrl-C.
    """

    def raise_ended(number: int, _: object) -> NoReturn:
        raise Ended(number)

    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    in_main = threading.current_thread() is threading.main_thread()
    handled = [number for number in numbers if number is not None and in_main]
    before = [(number, signal.signal(number, raise_ended)) for number in handled]
    _guard.start()
    try:
        yield
    finally:
        _guard.stop()
        for number, handler in before:
            signal.signal(number, handler or signal.SIG_DFL)


def is_alive(number: int) -> bool:
    """Return whether there is a process with this id; True when that cannot be told."""
    if os.name == "nt":  # there, os.kill ends the process
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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


def stream(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float | None = None,
) -> int:
    """Run `command` with this process's own terminal and return its exit code, unchanged.

    `env` is laid over this process's environment. Raises MissingTool if it cannot be started,
    CheckFailed if it was ended after `timeout` seconds.
    """
    try:
        child = subprocess.Popen(
            [str(part) for part in command], cwd=cwd, env={**os.environ, **env}
        )
    except OSError as error:
        raise MissingTool(f"cannot start {command[0]}: {error.strerror}") from error
    try:
        return child.wait(timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        raise CheckFailed(f"{command[0]} was ended after its limit of {timeout:g} s") from None
    except BaseException:
        # Ctrl-C reached the child too; give it the time to write its reports.
        try:
            child.wait(GRACE_SECONDS * 5)
        except subprocess.TimeoutExpired:
            child.kill()
        raise
