"""Stored test durations, in the file format of pytest-split."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from paceline import store
from paceline.sharding.locking import lock

Durations = Mapping[str, float]
"""Seconds a test took, by node id."""


def read(path: Path) -> dict[str, float]:
    """Read durations from `path`; an absent file is empty.

    Understands the object of node id to seconds and the older list of pairs. Whatever is
    unusable (the whole file, or single values) costs one warning and is ignored.
    """
    data = store.read_json(path, "durations file")
    if data is None:
        return {}
    pairs = _pairs(data)
    if pairs is None:
        _warn(path, "not an object of node id to seconds, ignored")
        return {}
    usable: dict[str, float] = {}
    unusable = 0
    for name, value in pairs:
        seconds = _seconds(value)
        if isinstance(name, str) and seconds is not None:
            usable[name] = seconds
        else:
            unusable += 1
    if unusable:
        _warn(path, f"{unusable} unusable durations are ignored")
    return usable


def write(path: Path, durations: Durations) -> None:
    """Write `durations` to `path` atomically, sorted so that diffs stay small."""
    store.write_json(path, dict(durations))


def merge(parts: Iterable[Durations]) -> dict[str, float]:
    """Unite several durations; where two know a test, the later one wins."""
    merged: dict[str, float] = {}
    for part in parts:
        merged.update(part)
    return merged


def update(path: Path, new: Durations, collected: Collection[str] | None) -> None:
    """Overlay `new` on the durations in `path`, keeping only tests in `collected` if given.

    A lock makes reading and writing one step, so concurrent updates lose nothing.
    """
    with lock(path):
        known = read(path)
        if collected is not None:
            alive = frozenset(collected)
            known = {name: seconds for name, seconds in known.items() if name in alive}
        write(path, merge([known, new]))


def _pairs(data: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(data, dict):
        return list(data.items())
    if isinstance(data, list):
        # An entry that is no pair becomes one with an unusable name, and is counted.
        return [
            (item[0], item[1]) if isinstance(item, list) and len(item) == 2 else (None, None)
            for item in data
        ]
    return None


def _seconds(value: Any) -> float | None:
    """Return `value` as seconds, or None if no clock can have measured it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _warn(path: Path, text: str) -> None:
    print(f"warning: {path}: {text}", file=sys.stderr)
