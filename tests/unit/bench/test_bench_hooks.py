"""Timing pushes before and after consolidation: what is pushed, and what is said."""

from __future__ import annotations

from pathlib import Path

from paceline.bench import hooks
from paceline.bench.scenario import Measure
from paceline.hooks import config
from paceline.hooks.consolidate import Consolidation

FILE = """\
default_stages: [pre-push]
repos:
- repo: local
  hooks:
  - {id: a, files: ^src/}
  - {id: b, files: 'py$'}
  - {id: c, files: 'md$'}
  - {id: d, stages: [manual]}
"""


def measure(name: str, wall: float) -> Measure:
    return Measure(name, wall, wall, 0.0, 0.1, 1)


def test_the_file_of_each_kind_that_starts_most_is_pushed_alone() -> None:
    """Of each suffix the file that starts the most hooks of the stage is taken."""
    file = config.parse(Path("x"), FILE)
    names = ["a.py", "src/b.py", "src/c.txt", "d.md", "none.json"]
    assert hooks.one_of_each_kind(file, names) == ["src/b.py", "src/c.txt", "d.md"]


def test_the_gain_is_told_against_both_pushes_before() -> None:
    """One file is compared with itself before, and with the full push before."""
    file = config.parse(Path("x"), FILE)
    found = Consolidation(file, FILE, 3, 2, (), (), ())
    measures = [
        measure("hooks before: all files", 10.0),
        measure("hooks after: all files", 2.5),
        measure("hooks before: only a.py", 4.0),
        measure("hooks after: only a.py", 1.0),
    ]
    assert hooks.summary(found, measures) == [
        "3 hooks become 2",
        "all files: 10.00 s before, 2.50 s after, 75% faster",
        "only a.py: 4.00 s before, 1.00 s after, 75% faster (90% than all files before)",
    ]
