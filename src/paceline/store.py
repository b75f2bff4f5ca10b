"""The only place that writes files: versioned, written beside and renamed."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader sees the old file or the new one, never a part.

    Two processes may write at once: the last rename wins, each file is whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def append_text(path: Path, text: str) -> None:
    """Add `text` at the end of `path`, a file that another program made and will read."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(text)


def write_json(path: Path, data: Any) -> None:
    """Write `data` as sorted, indented JSON: stable text gives small diffs."""
    write_text(path, json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path, kind: str) -> Any | None:
    """Read JSON from `path`; None if the file is absent.

    A damaged file costs one warning on standard error that names it and its `kind`,
    and counts as absent.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        print(f"warning: {path}: damaged {kind} is ignored ({error})", file=sys.stderr)
        return None


def adopt(new: Path, place: Path) -> None:
    """Put `new`, a finished file or folder on the same disk, in the place of `place`.

    A file is flushed to the disk and renamed: a reader sees the old one or the new one whole.
    """
    if new.is_dir():
        if place.exists():
            # A folder cannot be renamed over another one.
            place.replace(new.with_name(f"{new.name}.old"))
        new.replace(place)
        return
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(place)


def ignored_by_git(folder: Path) -> Path:
    """Make `folder` with a .gitignore that covers it whole, and return it.

    Else a project that does not ignore the folder would see our state as changed files.
    """
    marker = folder / ".gitignore"
    if not marker.is_file():
        write_text(marker, "*\n")
    return folder
