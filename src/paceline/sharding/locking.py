"""A lock file: the one kind of lock that works on every platform and file system."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from paceline.errors import CheckFailed

STALE_AFTER = 60.0
WAIT_AT_MOST = 180.0


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock that protects `path`: a file `.<name>.lock` beside it.

    A lock older than 60 seconds belongs to a process that died and is broken.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f".{path.name}.lock")
    token = f"{os.getpid()} {uuid.uuid4().hex}"
    deadline = time.monotonic() + WAIT_AT_MOST
    while not _create(file, token):
        if time.monotonic() > deadline:
            raise CheckFailed(
                f"{file}: still locked after {WAIT_AT_MOST:.0f} s",
                "delete it if no other run is active",
            )
        _break_if_stale(file)
        time.sleep(0.01)
    try:
        yield
    finally:
        # Somebody may have broken our lock as stale: theirs must not be removed.
        with contextlib.suppress(OSError):
            if file.read_text(encoding="utf-8") == token:
                file.unlink()


def _create(file: Path, token: str) -> bool:
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    except PermissionError:
        # Windows says this while a deleted file is still open; a real lack of rights
        # on the folder must not be waited for.
        if os.name == "nt":
            return False
        raise
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(token)
    return True


def _is_stale(file: Path) -> bool:
    try:
        return time.time() - file.stat().st_mtime > STALE_AFTER
    except OSError:
        return False


def _break_if_stale(file: Path) -> None:
    """Remove a stale lock; a second lock keeps two breakers from removing a fresh one."""
    if not _is_stale(file):
        return
    breaker = file.with_name(f"{file.name}.break")
    if _is_stale(breaker):
        with contextlib.suppress(OSError):
            breaker.unlink()
    if not _create(breaker, ""):
        return
    try:
        if _is_stale(file):
            with contextlib.suppress(OSError):
                file.unlink()
    finally:
        with contextlib.suppress(OSError):
            breaker.unlink()
