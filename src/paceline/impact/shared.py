"""Names for files in folders that a run makes, as a fixture of the session does for all tests.

Their paths are others in each run. So they go by who made the folder, and where they lie in it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Protocol

from paceline.impact.recorder import Kind


class Maker(Protocol):
    """What a folder was made in: a segment, as it is recorded or as it was stored."""

    @property
    def kind(self) -> Kind:
        """What the segment is."""

    @property
    def name(self) -> str:
        """Its name, which it has in each run."""


def is_own_work(path: str, written: Collection[str]) -> bool:
    """Return whether the run made the file at `path`, or a folder that holds it."""
    while path not in written:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True


def name_of(path: str, written: Mapping[str, Collection[Maker]], user: Maker) -> str:
    """Return the name of `path`, "" if `user` alone made the folder, or nobody in this run.

    `written` are absolute paths with who wrote or made them. With a separator at its end, `path`
    stands for the entries of a folder.
    """
    folder = os.path.dirname(path)  # of entries, that is the folder itself
    place = folder
    while place not in written:
        above = os.path.dirname(place)
        if above == place:
            return ""
        place = above
    makers = written[place]
    if _is_of_pytest(place):
        return ""
    if all(maker is user for maker in makers):
        return ""
    maker = min(map(_said, makers))
    inside = os.path.relpath(path, place).replace(os.sep, "/")
    if path.endswith(os.sep):
        inside = "the files" if inside == "." else f"the files of {inside}"
    return f"{inside} in a folder of {maker}"


def names_of(path: str, written: Mapping[str, Collection[Maker]], writer: Maker) -> set[str]:
    """Return by which names others look at what `writer` wrote, and at the folder's entries."""
    entries = os.path.join(os.path.dirname(path), "")
    return {name_of(path, written, writer), name_of(entries, written, writer)} - {""}


def _said(maker: Maker) -> str:
    if maker.kind is Kind.TEST:  # which one is the first to make it depends on which of them run
        return "a test"
    return os.path.basename(maker.name) if maker.kind is Kind.IMPORT else maker.name


def _is_of_pytest(folder: str) -> bool:
    """Return whether each test has a folder of its own in this one (tmpdir.py)."""
    above, name = os.path.split(folder)
    return name.startswith(("pytest-of-", "popen-gw")) or "pytest-of-" in os.path.basename(above)
