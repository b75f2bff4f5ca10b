"""What one process did, cut into segments: tests, imports, fixtures, collection.

A segment owns everything that happened while it was the innermost one: code that ran, files
and variables that were read, modules that were asked for, processes that were started. Links
say which other segments it builds on.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

#: Stands for the working folder where state is named.
WORKING_FOLDER: Final = "working-folder"
#: Stands for the folders that modules are looked for in.
SEARCH_FOLDERS: Final = "sys.path"

#: The label of the state of what random numbers come from.
RANDOM_NUMBERS: Final = "random-numbers"


class Kind(str, Enum):
    """What a segment is."""

    SESSION = "session"
    COLLECTION = "collection"
    IMPORT = "import"
    FIXTURE = "fixture"
    TEST = "test"
    #: What a library looked at and may have kept.
    LIBRARY = "library"
    STATE = "state"
    #: State of which a test only moved a number on; its name is the number's label.
    COUNT = "count"


class Need(str, Enum):
    """In which way a path or variable was used."""

    __hash__ = str.__hash__  # that of an Enum is a function in Python, and this one is often asked

    CONTENT = "content"
    #: The content of a file that code names; nobody saw that it is opened.
    NAMED = "named"
    TEXT = "text"
    #: Line numbers or code objects, of a test's own work: not of what it leaves behind.
    POSITIONS = "positions"
    #: The constant defaults of a function, by its file and name; before that is known, its line.
    DEFAULTS = "defaults"
    LISTING = "listing"
    EXISTS = "exists"
    STAT = "stat"
    VARIABLE = "variable"
    DECLARED = "declared"
    #: All files of the project but for Python's: of code that ran before the recording began.
    DATA = "data"
    FILES = "files"
    FOLDER = "folder"
    CONFIGURATION = "configuration"
    #: Names of state that the segment changed: known, and not compared.
    STATE = "state"
    #: How far the segment moved a number on, by its label: known, and compared after a run.
    COUNT = "count"
    #: A file or folder of the project that the segment wrote: known, and not compared.
    WRITTEN = "written"
    #: A file in a folder that the run made, or its entries, as `shared` names them: not compared.
    SHARED = "shared"
    #: That a test draws from what others left of random numbers that all share: not compared.
    RANDOM = "random"
    #: A name that generated code mentions: known, and not compared.
    NAME = "name"


#: Begins the name of the session of a process that a test started.
PROCESS: Final = "process "


@dataclass(frozen=True, slots=True)
class Child:
    """A process that was started: its id, the program, the files its command line names."""

    process: int
    program: str
    files: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class Segment:
    """One stretch of the run. Compared by identity.

    `code` maps an absolute file name to what the tracer saw in it (lines, or arcs), `early`
    the same for what ran before the project's own coverage measurement had begun. `generated` are
    names that code mentions which was made at run time.
    """

    kind: Kind
    name: str
    code: dict[str, frozenset[object]] = field(default_factory=dict)
    early: dict[str, frozenset[object]] = field(default_factory=dict)
    needs: set[tuple[Need, str]] = field(default_factory=set)
    generated: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    links: set[Segment] = field(default_factory=set)
    children: set[Child] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    #: An import that ended in an error: it did not get to all that it needs.
    failed: bool = False

    def take_over(self, other: Segment) -> None:
        """Take over what `other` ran and needs, but for its links."""
        for mine, theirs in ((self.code, other.code), (self.early, other.early)):
            for path, seen in theirs.items():
                mine[path] = mine.get(path, frozenset()) | seen
        self.needs |= other.needs
        self.generated |= other.generated
        self.modules |= other.modules
        self.missing |= other.missing
        self.children |= other.children
        self.unseen |= other.unseen


class Recorder:
    """The segments of this process.

    `take` is called before every switch and hands what the tracer holds to the segment that
    ends or is interrupted.
    """

    def __init__(self, name: str) -> None:
        self.session = Segment(Kind.SESSION, name)
        self.take: Callable[[Segment], None] = lambda _: None
        self.active = True
        #: Whether nothing is traced at the moment.
        self.paused = False
        #: Project modules by absolute file name, and the same by module name.
        self.imported: dict[str, Segment] = {}
        self.by_name: dict[str, Segment] = {}
        #: Modules that code asked for by name, but for those that pytest collects.
        self.asked: set[str] = set()
        #: Variables as they were when the run began: what a test sets itself is no input.
        self.environ: Final = dict(os.environ)
        self.folder: Final = os.getcwd()
        #: Value of each need when it first arose.
        self.values: dict[tuple[Need, str], str] = {}
        #: Files and folders this run made, with the segments that wrote to them.
        self.written: defaultdict[str, set[Segment]] = defaultdict(set)
        self._stack = [self.session]
        #: The innermost segment.
        self.current = self.session

    @contextmanager
    def inside(self, segment: Segment) -> Iterator[Segment]:
        """Attribute to `segment` what happens in this block."""
        self.enter(segment)
        try:
            yield segment
        finally:
            self.leave(segment)

    def enter(self, segment: Segment) -> None:
        """Begin `segment`, or go on with it."""
        self.take(self.current)
        self._stack.append(segment)
        self.current = segment

    def leave(self, segment: Segment) -> None:
        """Go back to the segment around `segment`."""
        if segment not in self._stack[1:]:
            return
        self.take(self.current)
        while self._stack.pop() is not segment:
            pass
        self.current = self._stack[-1]

    def forget(self) -> None:
        """Drop what was recorded, at the end: those who listen may stay for good."""
        self.reset("")
        for known in (self.imported, self.by_name, self.values):
            known.clear()

    def reset(self, name: str) -> None:
        """Begin anew in a forked child; what was imported before stays known."""
        self.session = Segment(Kind.SESSION, name)
        self._stack = [self.session]
        self.current = self.session
        self.written.clear()
