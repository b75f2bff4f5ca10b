"""What is recorded of a project's tests, as it is kept between runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from paceline.impact.recorder import Kind, Need
from paceline.impact.source import Source


@dataclass(frozen=True, slots=True, eq=False)
class SourceRecord:
    """A file version: project-relative path, digest of its content, its blocks if it is Python.

    There is one object of each, which is compared by identity: that is many times as fast.
    """

    path: str
    sha: str
    source: Source | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NeedRecord:
    """An input and the value it had."""

    need: Need
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A stored segment.

    `code` maps the number of a source to the bits of the blocks that ran; `needs` are numbers
    of needs, `links` of segments, `imports` paths of modules it builds on. `sees_lines` says
    that a test looks at the line numbers, or the text, of the code that it runs.
    """

    kind: Kind
    name: str
    code: Mapping[int, int]
    needs: tuple[int, ...]
    links: tuple[int, ...]
    imports: tuple[str, ...]
    modules: frozenset[str]
    missing: frozenset[str]
    unseen: tuple[str, ...]
    sees_lines: bool = False


#: The status of a test that the project's own settings leave out, as with -m in addopts, and of
#: what stands for the tests of a file or folder that has none.
NEVER_RUN: Final = "never run"

#: The status of a test that was skipped by what ran and not by a mark: it may have missed another.
SKIPPED: Final = "skipped"

#: How a test has ended that can be left out.
SETTLED: Final = frozenset(("passed", SKIPPED, NEVER_RUN))

#: Stands after the id of a file, folder or class for tests of it that are not known.
UNKNOWN_TESTS: Final = "::"


@dataclass(frozen=True, slots=True)
class TestRecord:
    """How a test ended when it last ran, and its segment. Only what is SETTLED can be left out."""

    __test__ = False

    status: str
    seconds: float
    segment: int


@dataclass(frozen=True)
class Records:
    """All records of one environment.

    `files` are those that were there when all was collected, `starts` the files and folders that
    pytest began with then, in its order.
    """

    tests: Mapping[str, TestRecord] = field(default_factory=dict)
    segments: Mapping[int, SegmentRecord] = field(default_factory=dict)
    sources: Mapping[int, SourceRecord] = field(default_factory=dict)
    needs: Mapping[int, NeedRecord] = field(default_factory=dict)
    files: frozenset[str] = frozenset()
    starts: tuple[str, ...] = ()

    @property
    def skipped(self) -> frozenset[str]:
        """The tests that were skipped by what ran when all others ran, too, and passed."""
        return frozenset(name for name, test in self.tests.items() if test.status == SKIPPED)
