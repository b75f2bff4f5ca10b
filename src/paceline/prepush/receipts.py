"""Receipts: proof that a step passed for exactly these inputs in exactly this environment.

A receipt is a file named by the fingerprint. Another machine's has another fingerprint, and a
damaged one does not agree with its own digest: either counts for nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paceline import store

VERSION = 1
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Receipt:
    """A step that passed."""

    fingerprint: str
    step: str
    #: Wall clock, seconds since 1970.
    made: float
    #: The commit that was checked; empty for a working tree with changes.
    commit: str
    wall_seconds: float

    def age_seconds(self, now: float) -> float:
        """Return how long ago it was made; negative if the clock was set back since."""
        return now - self.made


class Receipts:
    """The receipts kept in `folder`, each of which counts for `days` days."""

    def __init__(self, folder: Path, days: int) -> None:
        self._folder = folder
        self._seconds = days * DAY_SECONDS

    def find(self, fingerprint: str) -> Receipt | None:
        """Return the receipt for `fingerprint` if there is one that still counts."""
        receipt = _read(self._file(fingerprint))
        return receipt if receipt is not None and self._counts(receipt) else None

    def add(self, receipt: Receipt) -> None:
        """Keep `receipt`, and remove those that no longer count."""
        data = asdict(receipt)
        store.ignored_by_git(self._folder.parent)
        store.write_json(
            self._file(receipt.fingerprint), {**data, "version": VERSION, "digest": _digest(data)}
        )
        for file in self._folder.glob("*.json"):
            kept = _read(file)
            if kept is None or not self._counts(kept):
                file.unlink(missing_ok=True)

    def all(self) -> list[Receipt]:
        """Return the receipts that count, newest first."""
        found = (_read(file) for file in self._folder.glob("*.json"))
        counting = (receipt for receipt in found if receipt is not None and self._counts(receipt))
        return sorted(counting, key=lambda receipt: -receipt.made)

    def drop(self, which: str) -> list[Receipt]:
        """Drop the receipts of the step `which`, or whose fingerprint starts so; return them."""
        chosen = [
            receipt
            for receipt in self.all()
            if which == receipt.step or receipt.fingerprint.startswith(which)
        ]
        for receipt in chosen:
            self._file(receipt.fingerprint).unlink(missing_ok=True)
        return chosen

    def _file(self, fingerprint: str) -> Path:
        return self._folder / f"{fingerprint}.json"

    def _counts(self, receipt: Receipt) -> bool:
        # one from the future: the clock cannot be believed
        return 0 <= receipt.age_seconds(time.time()) < self._seconds


def _read(file: Path) -> Receipt | None:
    data = store.read_json(file, "receipt")
    if not isinstance(data, dict) or data.get("version") != VERSION:
        return None
    try:
        receipt = _from_json(data)
    except (KeyError, TypeError, ValueError):
        return None
    whole = data.get("digest") == _digest(asdict(receipt)) and file.stem == receipt.fingerprint
    return receipt if whole else None


def _from_json(data: dict[str, Any]) -> Receipt:
    return Receipt(
        fingerprint=str(data["fingerprint"]),
        step=str(data["step"]),
        made=float(data["made"]),
        commit=str(data["commit"]),
        wall_seconds=float(data["wall_seconds"]),
    )


def _digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
