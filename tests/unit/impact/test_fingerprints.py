"""What is stored for testmon is what testmon itself would have stored."""

from __future__ import annotations

import importlib

from hypothesis import given
from hypothesis import strategies as st

from paceline.plugin.testmon import Fingerprints

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
    fingerprints = Fingerprints(testmon.methods_to_checksums)
    for lines in covered:
        assert fingerprints(module, frozenset(lines)) == testmon.create_fingerprint(module, lines)
