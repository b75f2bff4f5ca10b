"""One trace for coverage, testmon and the impact record.

coverage's collector fills one set of lines (or arcs) a file. At every switch of segments these
sets are emptied into the segment that ends; what the project's own measurement wants is kept
aside and handed back before coverage saves it. Read in coverage 7.6 to 7.17 (collector.py).
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, Final

from paceline.errors import MissingTool
from paceline.impact import suspending
from paceline.impact.libraries import Libraries
from paceline.impact.recorder import Recorder, Segment
from paceline.impact.scope import PACKAGE

#: Cores that see every test, not only the first that reaches a line.
COMPLETE_CORES: Final = ("CTracer", "PyTracer")

#: The bit layout of an arc in coverage's C tracer (tracer.c, CTracer_record_pair).
_LINE_BITS: Final = 28
_LINE_MASK: Final = (1 << _LINE_BITS) - 1
_FIRST_NEGATIVE: Final = 1 << 56
_SECOND_NEGATIVE: Final = 1 << 57


def unpack(item: object) -> tuple[int, int]:
    """Return the arc that coverage's collector stored as `item`, (0, line) for a line alone."""
    if isinstance(item, tuple):
        return item
    packed = int(item)  # type: ignore[call-overload]
    if packed <= _LINE_MASK:
        return 0, packed
    first, second = packed & _LINE_MASK, packed >> _LINE_BITS & _LINE_MASK
    return (
        -first if packed & _FIRST_NEGATIVE else first,
        -second if packed & _SECOND_NEGATIVE else second,
    )


class Tracer:
    """Empties coverage's collector into segments, whichever Coverage is active.

    `wanted` tells which files matter, `measuring` returns the Coverage of the project's own
    measurement once there is one. Until then a Coverage of our own traces. What coverage asks
    of the file system itself is `unwatched`. `libraries` are told what runs of their files.
    """

    def __init__(
        self,
        recorder: Recorder,
        wanted: Callable[[str], bool],
        measuring: Callable[[], Any | None],
        unwatched: Callable[[], AbstractContextManager[None]],
        libraries: Libraries,
    ) -> None:
        self._recorder = recorder
        self._wanted = wanted
        self._measuring = measuring
        self._unwatched = unwatched
        self._libraries = libraries
        self._own: Any = None
        self._collector: Any = None
        self._measured = False
        self._is_aside = False
        #: The tracers that were stopped, and whether Python collected garbage before.
        self._stopped: list[Any] = []
        self._collecting = False
        self._accepted: dict[str, bool] = {}
        #: What the project's own measurement wants back: of each file what was taken from it.
        self._kept: defaultdict[str, set[frozenset[object]]] = defaultdict(set)
        self._distinct: dict[frozenset[object], frozenset[object]] = {}

    def start(self) -> None:
        """Begin to trace; raise MissingTool if coverage's core cannot tell tests apart."""
        measuring = self._measuring()
        if measuring is not None and measuring._collector is not None:
            self._attach(measuring, measured=True)
        else:
            self._start_own()

    @contextmanager
    def going_on(self, segment: Segment) -> Iterator[None]:
        """Trace in this block even where the project's measurement pauses, for our own records.

        So it does for a test marked `no_cover` (pytest-cov).
        """
        if not self._measured or self._is_active():
            yield
            return
        collector = self._collector
        self._measured = False
        self._start_own()
        try:
            yield
        finally:
            self._empty(segment)
            self._own.stop()
            self._own = None
            self._collector, self._measured = collector, True

    def _is_active(self) -> bool:
        """Return whether our collector is the one that collects."""
        return bool(type(self._collector)._collectors[-1:] == [self._collector])

    def _start_own(self) -> None:
        # Not made before: it would keep coverage from saving what it began by itself in a child.
        from coverage import Coverage

        self._own = Coverage(data_file=None, config_file=False, source=[os.getcwd()])
        self._own._warn_no_data = False
        self._own._warn_unimported_source = False
        self._own.start()
        self._attach(self._own, measured=False)

    def stop(self) -> None:
        """Stop our own Coverage, if it is the one that runs, and keep nothing."""
        if (
            self._own is not None
            and self._own._started
            and type(self._own._collector)._collectors[-1:] == [self._own._collector]
        ):
            self._own.stop()
        self._distinct.clear()
        self._kept.clear()

    @property
    def arcs(self) -> bool:
        """Whether the active Coverage records arcs, not lines."""
        return bool(self._collector.branch)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Do not trace in this block, which is our own work and would run at half the speed."""
        # A tracer can be stopped, and a thread suspended, in its own thread only.
        if self._is_aside or threading.current_thread() is not threading.main_thread():
            yield
            return
        self._suspend()
        try:
            yield
        finally:
            self._go_on()

    def pause(self) -> bool:
        """Stop tracing until `resume` is called, one function call deep as here.

        Return whether it did: it does not where aside already, and not with coverage's tracer in
        Python, which counts calls and returns in another way.
        """
        if (
            self._is_aside
            or not self._is_active()
            or self._collector.tracer_name() != "CTracer"
            or threading.current_thread() is not threading.main_thread()
        ):
            return False
        self._suspend()
        return True

    def resume(self) -> None:
        """Go on after a pause."""
        self._go_on()

    def _suspend(self) -> None:
        self._is_aside = True
        # Nor may the project's finalisers run now, where nobody would see them.
        self._collecting = gc.isenabled()
        gc.disable()
        if suspending.IS_KNOWN:
            suspending.suspend()
            return
        # The first one is the main thread's. Begun again after the measurement has ended, it would
        # go on for nobody.
        self._stopped = self._collector.tracers[:1] if self._is_active() else []
        for tracer in self._stopped:
            tracer.stop()

    def _go_on(self) -> None:
        self._is_aside = False
        if self._collecting:
            gc.enable()
        if suspending.IS_KNOWN:
            suspending.go_on()
        for tracer in self._stopped:
            tracer.start()

    def untraced(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what calls `function` of a test tool aside, unless its file is measured.

        It must run no code of the project: pytest takes test files apart like that.
        """
        file = function.__code__.co_filename

        def call(*args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            collector = self._collector
            known = collector.should_trace_cache.get(file)
            if (known or collector.should_trace(file, sys._getframe())).trace:
                return function(*args, **options)
            with self.aside():
                return function(*args, **options)

        return call

    def take(self, segment: Segment) -> None:
        """Move what was traced since the last call into `segment`."""
        self._follow()
        self._empty(segment)
        for file in self._libraries.take_new():
            self._collector.should_trace_cache.pop(file, None)  # to ask once more

    def _follow(self) -> None:
        if self._measured:
            return
        measuring = self._measuring()
        if measuring is not None and measuring._collector is not None:
            self._retire()
            self._attach(measuring, measured=True)

    def _retire(self) -> None:
        """Give up our own Coverage, which lies below the project's own: nothing takes its data.

        Else it would go on, and trace all that we do, when the other one ends.
        """
        collector = self._own._collector
        collector.data.clear()
        type(collector)._collectors.remove(collector)
        self._own._started = False
        self._own = None

    def _empty(self, segment: Segment) -> None:
        filled = [(name, seen) for name, seen in list(self._collector.data.items()) if seen]
        sets = [seen for _, seen in filled]
        # Without coverage's lock, which its tracer asks for as a function of a traced file begins:
        # that of a signal handler or finaliser would begin here and wait for ever. So it is all
        # one call in C, in which nothing is traced between the copy of a set and its end. Emptied
        # in place: frames still hold these sets (coverage, _clear_data).
        taken = [*zip(map(frozenset, sets), map(set.clear, sets), strict=True)]
        for (name, _), (seen, _) in zip(filled, taken, strict=True):
            measured = self._measured and self._accepted.get(name, True)
            if name in self._libraries:
                lines = {abs(line) for item in seen for line in unpack(item)}
                self._libraries.ran(segment, name, lines)
                if not measured:
                    continue
            # Most tests run what others ran: one object for all of them.
            found = self._distinct.setdefault(seen, seen)
            code = segment.code if measured else segment.early
            if not name.startswith(PACKAGE) or self._wanted(name):  # else our own work, measured
                both = code[name] | found if name in code else found
                code[name] = self._distinct.setdefault(both, both)
            if measured:
                self._kept[name].add(found)

    def _attach(self, cov: Any, *, measured: bool) -> None:
        collector = cov._collector
        if collector.tracer_name() not in COMPLETE_CORES:
            raise MissingTool(
                f"coverage's core {collector.tracer_name()} reports a line to one test only, "
                "so it cannot tell what each test ran",
                "set COVERAGE_CORE=ctrace in the environment and run this again",
            )
        self._collector, self._measured = collector, measured
        self._widen()
        self._lock_directly()
        if measured:
            self._hand_back()

    def _lock_directly(self) -> None:
        """Let the tracer lock the data without a call of coverage's method, a Python function.

        It does so whenever a function of a traced file begins (tracer.c, CTracer_handle_call).
        """
        collector = self._collector
        if collector.data_lock is None:
            return
        for part in (collector, *collector.tracers):  # the collector's are for threads to come
            part.lock_data = collector.data_lock.acquire
            part.unlock_data = collector.data_lock.release

    def _widen(self) -> None:
        """Trace the project's files that its own measurement leaves out, tests above all."""
        collector = self._collector
        original = collector.should_trace
        measured = self._measured

        def should_trace(filename: str, frame: FrameType) -> Any:
            with self._unwatched():
                disposition = original(filename, frame)
            if measured and disposition.trace:
                self._accepted[disposition.source_filename] = True
                return disposition
            name = disposition.canonical_filename or os.path.abspath(filename)
            if filename in self._libraries:
                name = filename
            elif filename.startswith("<") or not self._wanted(name):
                disposition.trace = False
                return disposition
            if not disposition.trace:
                self._accepted[name] = False
                disposition.canonical_filename = disposition.source_filename = name
                disposition.trace = True
                disposition.file_tracer = None
            return disposition

        collector.should_trace = should_trace
        for tracer in collector.tracers:
            tracer.should_trace = should_trace
        collector.should_trace_cache.clear()

    def _hand_back(self) -> None:
        """Give coverage back what is its own whenever it stores data."""
        collector = self._collector
        original = collector.flush_data

        def flush_data() -> bool:
            self._empty(self._recorder.current)
            for name, parts in self._kept.items():
                collector.data.setdefault(name, set()).update(*parts)
            self._kept.clear()
            return bool(original())

        collector.flush_data = flush_data
