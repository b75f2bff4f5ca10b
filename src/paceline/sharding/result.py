"""What one shard reports about its run, and where it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paceline import store
from paceline.errors import IncompleteEvidence

VERSION = 3
FILE = "tests.json"

_FOLDER = re.compile(r"([1-9][0-9]*)of([1-9][0-9]*)")


@dataclass(frozen=True)
class ShardResult:
    """The evidence of one shard `index` of `total`, kept in `folder`.

    `ran` counts how often each test ran; `exit_code` is None until the run has ended.
    `predicted_seconds` is the sum of the expected durations of `selected`,
    `predicted_wall_seconds` what the plan made of it for the shard's workers.
    """

    group: str
    index: int
    total: int
    python: str
    commit: str | None
    dirty: bool
    plan_digest: str
    collected: tuple[str, ...]
    selected: tuple[str, ...]
    ran: Mapping[str, int]
    outcomes: Mapping[str, str]
    exit_code: int | None
    coverage: bool
    folder: Path
    predicted_seconds: float = 0.0
    predicted_wall_seconds: float = 0.0
    wall_seconds: float = 0.0

    @property
    def name(self) -> str:
        """The shard as people write it, such as 2of4."""
        return f"{self.index}of{self.total}"


def write(result: ShardResult) -> None:
    """Write `result` to its folder atomically."""
    data = {
        "version": VERSION,
        "group": result.group,
        "index": result.index,
        "total": result.total,
        "python": result.python,
        "commit": result.commit,
        "dirty": result.dirty,
        "plan_digest": result.plan_digest,
        "collected": list(result.collected),
        "selected": list(result.selected),
        "ran": dict(result.ran),
        "outcomes": dict(result.outcomes),
        "exit_code": result.exit_code,
        "coverage": result.coverage,
        "predicted_seconds": result.predicted_seconds,
        "predicted_wall_seconds": result.predicted_wall_seconds,
        "wall_seconds": result.wall_seconds,
    }
    store.write_json(result.folder / FILE, data)


def read(folder: Path) -> ShardResult:
    """Read the result in `folder`; IncompleteEvidence if there is no usable one."""
    data = store.read_json(folder / FILE, "shard result")
    if data is None:
        raise _unusable(folder, f"no readable {FILE}")
    if not isinstance(data, dict):
        raise _unusable(folder, f"{FILE} is damaged: not an object")
    if data.get("version") != VERSION:
        raise _unusable(folder, f"{FILE} has version {data.get('version')!r}, not {VERSION}")
    try:
        return _parse(data, folder)
    except (KeyError, ValueError) as error:
        raise _unusable(folder, f"{FILE} is damaged: {error}") from error


def discover(group_folder: Path) -> list[Path]:
    """Return the `<k>of<N>` folders in `group_folder`, in numeric order."""
    found: list[tuple[int, int, Path]] = []
    if group_folder.is_dir():
        for path in group_folder.iterdir():
            match = _FOLDER.fullmatch(path.name)
            if match and path.is_dir():
                found.append((int(match[2]), int(match[1]), path))
    return [path for _, _, path in sorted(found)]


def copies(group_folder: Path) -> list[Path]:
    """Return the folders in `group_folder` that hold a result under another name than its own.

    A re-run writes to the folder of the first run, so that these are results too many.
    """
    found = group_folder.glob(f"*/{FILE}")
    return sorted(path.parent for path in found if not _FOLDER.fullmatch(path.parent.name))


def _unusable(folder: Path, text: str) -> IncompleteEvidence:
    return IncompleteEvidence([f"{folder}: {text}"], "run this shard again")


def _parse(data: Mapping[str, Any], folder: Path) -> ShardResult:
    return ShardResult(
        group=_text(data, "group"),
        index=_integer(data, "index"),
        total=_integer(data, "total"),
        python=_text(data, "python"),
        commit=None if data["commit"] is None else _text(data, "commit"),
        dirty=_flag(data, "dirty"),
        plan_digest=_text(data, "plan_digest"),
        collected=_texts(data, "collected"),
        selected=_texts(data, "selected"),
        ran={test: _integer(data["ran"], test) for test in _object(data, "ran")},
        outcomes={test: _text(data["outcomes"], test) for test in _object(data, "outcomes")},
        exit_code=None if data["exit_code"] is None else _integer(data, "exit_code"),
        coverage=_flag(data, "coverage"),
        folder=folder,
        predicted_seconds=_seconds(data, "predicted_seconds"),
        predicted_wall_seconds=_seconds(data, "predicted_wall_seconds"),
        wall_seconds=_seconds(data, "wall_seconds"),
    )


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a text")
    return value


def _integer(data: Mapping[str, Any], key: str) -> int:
    value = data[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key} is not an integer")
    return value


def _seconds(data: Mapping[str, Any], key: str) -> float:
    value = data[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{key} is not a number")
    return float(value)


def _flag(data: Mapping[str, Any], key: str) -> bool:
    value = data[key]
    if not isinstance(value, bool):
        raise ValueError(f"{key} is not true or false")
    return value


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data[key]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key} is not a list of texts")
    return tuple(value)


def _object(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data[key]
    if not isinstance(value, dict):
        raise ValueError(f"{key} is not an object")
    return value
