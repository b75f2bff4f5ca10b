"""Files in folders that a run makes have names that hold in other runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from paceline.impact.recorder import Kind
from paceline.impact.shared import name_of, names_of

pytestmark = pytest.mark.skipif(Path("/").anchor != "/", reason="the paths are those of POSIX")


@dataclass(frozen=True, eq=False)
class Segment:
    """A stretch of a run."""

    kind: Kind
    name: str


BOX, LIB = Segment(Kind.FIXTURE, "::box"), Segment(Kind.IMPORT, "/src/lib.py")
ONE, TWO = Segment(Kind.TEST, "test_a.py::test_one"), Segment(Kind.TEST, "test_a.py::test_two")
WRITTEN = {
    "/tmp/pytest-of-me/pytest-7": [ONE],
    "/tmp/pytest-of-me/pytest-7/test_two0": [TWO],
    "/tmp/pytest-of-me/pytest-7/box0": [BOX],
    "/tmp/x81": [LIB],
    "/tmp/y29": [ONE],
}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/tmp/pytest-of-me/pytest-7/box0/a/b.txt", "a/b.txt in a folder of ::box"),
        ("/tmp/pytest-of-me/pytest-7/box0/", "the files in a folder of ::box"),
        ("/tmp/pytest-of-me/pytest-7/box0/a/", "the files of a in a folder of ::box"),
        ("/tmp/x81/b.txt", "b.txt in a folder of lib.py"),
        ("/tmp/y29/b.txt", "b.txt in a folder of a test"),
        ("/tmp/pytest-of-me/pytest-7/test_two0/b.txt", ""),  # its own
        ("/tmp/pytest-of-me/pytest-7/test_two0", ""),  # in what is pytest's
        ("/tmp/pytest-of-me/pytest-7/", ""),
        ("/elsewhere/b.txt", ""),
    ],
)
def test_a_name_says_who_made_the_folder(path: str, name: str) -> None:
    """What only the user itself sees has none."""
    assert name_of(path, WRITTEN, TWO) == name


def test_who_writes_a_file_changes_the_entries_of_its_folder() -> None:
    """Both are looked at by others; of what nobody else made nothing is."""
    wanted = {"sub/b in a folder of ::box", "the files of sub in a folder of ::box"}
    assert names_of("/tmp/pytest-of-me/pytest-7/box0/sub/b", WRITTEN, TWO) == wanted
    assert names_of("/tmp/y29/b", WRITTEN, ONE) == set()
