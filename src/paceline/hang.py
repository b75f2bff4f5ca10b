"""Ends a test that hangs, and names it.

Each test process notes which test it runs and until when (`Note`). The process that
started pytest watches the notes (`Watch`) and aborts a test process whose time is over. The watch
stands outside, so that also a test that never gives back the interpreter lock is ended; the
abort signal makes Python's faulthandler, which pytest enables, print every thread's stack.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import TracebackType

#: The variable that names the folder of the notes; without it nobody watches.
FOLDER_VARIABLE = "PACELINE_HANG_FOLDER"
#: Seconds between two looks at the notes.
INTERVAL_SECONDS = 0.5


class Note:
    """The note of one test process, in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}.txt"

    def start(self, test: str, limit_seconds: float) -> None:
        """Note that `test` runs from now on and may take `limit_seconds`."""
        deadline = time.monotonic() + limit_seconds
        self._path.write_text(f"{deadline}\n{limit_seconds}\n{test}\n", encoding="utf-8")

    def stop(self) -> None:
        """Note that no test runs."""
        self._path.write_text("", encoding="utf-8")


def running(folder: Path) -> list[str]:
    """Return the tests noted in `folder` as running: once pytest has ended, what it died in."""
    found = (path.read_text(encoding="utf-8").splitlines() for path in folder.glob("*.txt"))
    return sorted(lines[2] for lines in found if len(lines) > 2)


class Watch:
    """Watches the notes in `folder` while its `with` block runs; `hung` says what was ended."""

    def __init__(self, folder: Path) -> None:
        self.hung: list[str] = []
        self._folder = folder
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._ended: set[int] = set()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL_SECONDS):
            for path in self._folder.glob("*.txt"):
                self._look(path)

    def _look(self, path: Path) -> None:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            deadline, limit, test = float(lines[0]), float(lines[1]), lines[2]
        except (OSError, ValueError, IndexError):
            return  # between two tests, or just being written: the next look will see it
        number = int(path.stem)
        if time.monotonic() < deadline or number in self._ended:
            return
        self._ended.add(number)
        self.hung.append(f"{test} hung: it was ended after its limit of {limit:g} s")
        try:
            os.kill(number, signal.SIGABRT)
        except OSError:
            return  # it ended by itself in this very moment
