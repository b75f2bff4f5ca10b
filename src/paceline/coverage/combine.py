"""Combines the shards' coverage data with coverage.py itself, into one ordinary data file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paceline.errors import IncompleteEvidence

if TYPE_CHECKING:
    from coverage import Coverage


@dataclass(frozen=True)
class Part:
    """One shard's data: its name for messages, its file, and the folder its tests ran in."""

    name: str
    file: Path
    root: str


def combine(measured: Coverage, parts: Sequence[Part], root: Path) -> None:
    """Combine `parts` into the data file of `measured`; the parts stay as they are.

    A path below a part's root becomes the same path below `root`; other paths are mapped by
    the project's own `[paths]`, which come first. Raises IncompleteEvidence naming the part
    that coverage cannot use.
    """
    # Imported here: listing the sessions must not pay for coverage.
    from coverage.exceptions import CoverageException

    measured.set_option("paths", _paths(measured, parts, root))
    # One by one, so that the part that cannot be used is named.
    for part in parts:
        try:
            measured.combine([str(part.file)], strict=True, keep=True)
        except CoverageException as error:
            raise IncompleteEvidence([f"shard {part.name}: {error}"]) from error


def _paths(measured: Coverage, parts: Sequence[Part], root: Path) -> Mapping[str, list[str]]:
    own = measured.get_option("paths")
    paths = {name: list(values) for name, values in own.items()} if isinstance(own, dict) else {}
    elsewhere = sorted({part.root for part in parts} - {str(root)})
    return {**paths, "paceline: the shards' checkouts": [str(root), *elsewhere]}
