"""What is stored for testmon is what testmon itself would have stored."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from paceline.plugin.fingerprints import Fingerprints, blocks_of

testmon = importlib.import_module("testmon.process_code")

SOURCE = """
import os

LIMIT = 3


class Box:
    size = 1

    def grow(self, by):
        def add(value):
            return value + by

        return add(self.size)

    def empty(self): self.size = 0


def decorated(function): return lambda: function()


@decorated
def last():
    return [
        LIMIT,
        os.sep,
    ]
"""


@given(covered=st.lists(st.sets(st.integers(1, SOURCE.count("\n") + 2)), min_size=1))
def test_a_fingerprint_is_the_one_that_testmon_makes(covered: list[set[int]]) -> None:
    """Whichever lines ran, and whatever was asked before, the checksums are testmon's own."""
    module = testmon.Module(source_code=SOURCE)
    fingerprints = Fingerprints()
    for lines in covered:
        assert fingerprints(module, frozenset(lines)) == testmon.create_fingerprint(module, lines)


def test_blocks_are_those_that_testmon_makes() -> None:
    """Of a tree that was parsed for us come the very blocks that testmon makes of the text."""
    own = sorted(Path(__file__).parents[3].glob("src/paceline/**/*.py"))
    for text in (SOURCE, *(path.read_text(encoding="utf-8") for path in own)):
        module = testmon.Module(source_code=text)
        made = [(block.start, block.end, block.code, block.name) for block in module.blocks]
        assert blocks_of(ast.parse(text), text.encode()) == made
