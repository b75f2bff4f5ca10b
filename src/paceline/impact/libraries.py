"""What libraries look at of the project: they may keep it for whoever calls them next.

A library that has loaded a template, a feature or a module may give it to a later test without
looking at it again. So whoever runs a function of that library which ran at that time builds on
what it looked at until then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Set
from types import CodeType, FrameType, FunctionType

from paceline.impact.askers import Askers
from paceline.impact.recorder import Kind, Need, Recorder, Segment

#: Methods that are given the name of an attribute, which may be there without them next time.
_GIVING = ("__getattr__", "__getattribute__")

#: The name of the function that a module's import-time code is.
_MODULE = "<module>"


class Libraries:
    """Keeps for each library a segment with what it has looked at, which links to the one before.

    A library is a package or module that is installed, but for test tools.
    """

    def __init__(self, recorder: Recorder, askers: Askers) -> None:
        self._recorder = recorder
        self._askers = askers
        #: The functions that ran when a library looked at something: file, first line, name.
        self._functions: set[tuple[str, int, str]] = set()
        #: By file the lines of all these.
        self._lines: defaultdict[str, set[int]] = defaultdict(set)
        #: The library of each such file, and of modules whose import-time code ran then.
        self._files: dict[str, str] = {}
        self._modules: dict[str, str] = {}
        self._new: set[str] = set()
        #: Files of which any line may be of a function that had others look.
        self._whole: set[str] = set()
        #: By library the latest segment, and the segment that was the current one then.
        self._latest: dict[str, tuple[Segment, Segment]] = {}
        self._known: defaultdict[str, set[object]] = defaultdict(set)
        self._shown: list[tuple[Segment, str]] = []
        #: Whether all tests have run, so that nothing builds on anything any more.
        self.ended = False

    def look_at(self, need: Need, name: str) -> bool:
        """Note that the running code looks at an input; return whether that counts for nobody.

        So it is with what plugins look at when all tests have run.
        """
        if self.ended:
            return bool(self._askers.libraries()[0])
        for segment in self._looking((need, name)):
            segment.needs.add((need, name))
        return False

    def load(self, imported: Segment) -> None:
        """Note that the running code imports a module of the project for the first time."""
        for segment in self._looking(imported):
            segment.links.add(imported)

    def ask_for(self, module: str) -> None:
        """Note that the running code asks for a module by its name."""
        for segment in self._looking(module):
            segment.modules.add(module)

    def __contains__(self, file: object) -> bool:
        """Return whether it matters which lines of `file` run."""
        return file in self._files

    def take_new(self) -> set[str]:
        """Return the files that came to matter, each once."""
        found, self._new = self._new, set()
        return found

    def ran(self, segment: Segment, file: str, lines: Set[int]) -> None:
        """Let `segment`, which ran these lines of a file, build on what that library has kept."""
        ran = file in self._whole or not self._lines[file].isdisjoint(lines)
        if ran and not self.ended:
            segment.links.add(self._latest[self._files[file]][0])

    def imported(self, modules: Collection[str]) -> None:
        """Let the current segment, which imports `modules`, build on what their import kept."""
        for module in self._modules.keys() & modules:
            self._recorder.current.links.add(self._latest[self._modules[module]][0])

    def take_shown(self) -> list[tuple[Segment, str]]:
        """Return the names by which what was kept can be reached without a call, each once."""
        found, self._shown = self._shown, []
        return found

    def forget(self) -> None:
        """Keep nothing, at the end of the run."""
        for known in (self._lines, self._files, self._modules, self._latest, self._known):
            known.clear()
        self._whole.clear()
        self._functions.clear()

    def _looking(self, what: object) -> Iterator[Segment]:
        """Yield the segments of the libraries that look now, and have not looked at `what` yet."""
        frames, indirect = self._askers.libraries()
        # What was looked at before may be kept once more, for whoever came by another way.
        ways = [frame for library, frame in frames if self._note(library, frame)]
        new = {library for library, _ in frames if what not in self._known[library]}
        for library in new:
            self._known[library].add(what)
            yield self._segment(library)
        if indirect:
            self._whole.update(frame.f_code.co_filename for _, frame in frames)
        if new or ways:
            outermost, frame = frames[-1]
            if name := _shown_as(frame):
                self._shown.append((self._latest[outermost][0], name))

    def _note(self, library: str, frame: FrameType) -> bool:
        """Note a function of a library that looks at something; return whether it is another."""
        code = frame.f_code
        if code.co_name == _MODULE:  # which runs once
            self._modules[frame.f_globals.get("__name__", "")] = library
            return False
        file = code.co_filename
        if file not in self._files:
            self._files[file] = library
            self._new.add(file)
        function = (file, code.co_firstlineno, code.co_name)
        if function in self._functions:
            return False
        self._functions.add(function)
        self._lines[file].update(line for _, _, line in code.co_lines() if line)
        return True

    def _segment(self, library: str) -> Segment:
        current = self._recorder.current
        before, reader = self._latest.get(library, (None, None))
        if before is not None and reader is current:
            return before
        segment = Segment(Kind.LIBRARY, library)
        if before is not None:
            segment.links.add(before)
        self._latest[library] = segment, current
        return segment


def _shown_as(frame: FrameType) -> str:
    """Return by which name code may get at what was kept without running this function, or "".

    Where a plain function stands under its own name, a call runs it. Something else may keep what
    it returned, as `functools.lru_cache` and `cached_property` do.
    """
    code, name = frame.f_code, frame.f_code.co_name
    if _is(code, frame.f_globals.get(name)):
        return ""
    given = [frame.f_locals.get(argument) for argument in code.co_varnames[: code.co_argcount]]
    if name in _GIVING:
        return given[1] if len(given) > 1 and isinstance(given[1], str) else ""
    if given:
        owner = given[0] if isinstance(given[0], type) else type(given[0])
        if any(_is(code, vars(each).get(name)) for each in owner.__mro__):
            return ""
    return name


def _is(code: CodeType, one: object) -> bool:
    """Return whether to call `one`, or to ask for it, runs `code`."""
    function = one.__func__ if isinstance(one, (classmethod, staticmethod)) else one
    function = function.fget if isinstance(function, property) else function
    return isinstance(function, FunctionType) and function.__code__ is code
