"""What a worker leaves in the run's folder for the process that controls the run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paceline.impact.building import Declared
    from paceline.impact.recording import Recording


@dataclass(frozen=True)
class Handed:
    """What all workers left: tests with what was declared for them, and lists of tests."""

    declared: Mapping[str, Declared] = field(default_factory=dict)
    collected: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()


def write(
    folder: Path,
    recording: Recording,
    declared: Mapping[str, Declared],
    dropped: Sequence[str],
) -> None:
    """Leave a worker's recording and what it knows of its tests in `folder`."""
    data = recording.as_json()
    data["declared"] = {name: [list(one.inputs), one.always] for name, one in declared.items()}
    data["dropped"] = list(dropped)
    place = folder / f"{recording.process}.json"
    temporary = place.with_suffix(".new")
    temporary.write_text(json.dumps(data), encoding="utf-8")
    temporary.replace(place)


def read(folder: Path) -> Handed:
    """Return what is in `folder`; recordings of other processes tell nothing of this."""
    from paceline.impact.building import Declared

    declared: dict[str, Declared] = {}
    lists: dict[str, set[str]] = {"collected": set(), "dropped": set()}
    for path in folder.glob("*.json"):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for name, (patterns, always) in data.get("declared", {}).items():
            declared[name] = Declared(tuple(patterns), always)
        for name, found in lists.items():
            found.update(data.get(name, ()))
    return Handed(declared, **{name: frozenset(found) for name, found in lists.items()})
