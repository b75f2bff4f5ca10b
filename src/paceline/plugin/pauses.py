"""Pauses the recording while nothing but pytest's own code runs, between the phases of a test.

To name a test, to make its reports and to print them takes pytest as long as many a test, and
three times as long where it is traced. So do the wrappers around each phase that capture what is
printed and logged. Set-up, call and teardown are recorded within these, or as a whole where other
plugins have wrappers, and so is whatever runs code of the project in between.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final

import pytest
from _pytest import skipping
from _pytest.runner import CallInfo

from paceline.impact.replacing import replace
from paceline.impact.scope import PACKAGE
from paceline.impact.tracer import Tracer
from paceline.impact.watch import Watch

#: Packages whose plugins leave it to pytest in which order the phases of a test run, and whose
#: wrappers around these run no code of the project.
_TOOLS: Final = (
    "_pytest", "paceline", "pytest_cov", "testmon", "xdist", "pytest_timeout",
    "_hypothesis_pytestplugin",
)  # fmt: skip

_PHASES: Final = ("setup", "call", "teardown")


class Pauses:
    """A plugin that pauses the recording."""

    def __init__(self, config: pytest.Config, watch: Watch, tracer: Tracer) -> None:
        self._manager = config.pluginmanager
        self._tracer = tracer
        self._watch = watch
        self._recorder = watch.recorder
        self._plugins: set[Any] = set()
        self._may_pause = True
        #: The phases that are recorded within the wrappers around them.
        self._inside: frozenset[str] = frozenset()
        self._item: Any = None
        #: What must not die while the recording is paused.
        self._kept: list[Any] = []
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to go on for each phase."""
        pauses = self

        def from_call(original: Any) -> Any:
            def recorded(
                cls: Any, func: Callable[[], Any], when: str, *args: Any, **kw: Any
            ) -> Any:
                __tracebackhide__ = True
                whole = pauses._recorder.paused and not pauses._goes_on_inside(when)
                going_on = partial(pauses.going_on, func) if whole else func
                return original.__func__(cls, going_on, when, *args, **kw)

            return classmethod(recorded)

        self._undo.append(replace(CallInfo, "from_call", from_call))

    def stop(self) -> None:
        """Give pytest its own functions back."""
        while self._undo:
            self._undo.pop()()

    def going_on(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call `function`, and record what it does even in a pause."""
        __tracebackhide__ = True
        if not self._recorder.paused:
            return function(*args, **options)
        self._resume()
        try:
            return function(*args, **options)
        finally:
            self._pause()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Pause between the phases of a test that is pytest's own kind of item."""
        if not self._can_pause(item):
            return (yield)
        self._item = item
        # What dies with these may run code of the project: kept until that is recorded.
        logged = getattr(self._manager.get_plugin("logging-plugin"), "caplog_handler", None)
        self._kept = [getattr(item, name, None) for name in ("funcargs", "_request")]
        self._kept.append(getattr(logged, "records", None))
        self._pause()
        try:
            return (yield)
        finally:
            self._resume()
            self._kept.clear()
            self._item = None

    # Begun and ended at one depth of calls, which coverage's tracer counts: no `yield from`.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """Record the phase."""
        if not self._recorder.paused:
            return (yield)
        self._resume()
        try:
            return (yield)
        finally:
            self._pause()

    pytest_runtest_call = pytest_runtest_teardown = pytest_runtest_setup

    def _goes_on_inside(self, phase: str) -> bool:
        """Return whether the phase, which is about to begin, is recorded within its wrappers."""
        if phase == "teardown":  # after which what was logged dies
            self._kept += getattr(self._item.stash, "_storage", {}).values()
        return phase in self._inside and not (phase == "call" and self._is_not_measured())

    def _is_not_measured(self) -> bool:
        """Return whether pytest-cov stops the measurement in its wrapper."""
        name = "no_cover"
        return name in self._item.keywords or name in getattr(self._item, "fixturenames", ())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Record how values that an exception has to do with are shown."""
        if call.excinfo is None or not self._recorder.paused:
            return (yield)
        self._resume()
        try:
            return (yield)
        finally:
            self._pause()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(
        self, report: pytest.TestReport
    ) -> Generator[None, object, object]:
        """Record how values that a test noted for its report are shown."""
        if not report.user_properties or not self._recorder.paused:
            return (yield)
        self._resume()
        try:
            return (yield)
        finally:
            self._pause()

    def _can_pause(self, item: pytest.Item) -> bool:
        plugins = self._manager.get_plugins()
        if plugins != self._plugins:
            for plugin in plugins - self._plugins:
                self._go_on_in(plugin)
            self._plugins = plugins
            self._may_pause = all(
                impl.wrapper or impl.hookwrapper or _package(impl.plugin) in _TOOLS
                for impl in self._manager.hook.pytest_runtest_protocol.get_hookimpls()
            )
            self._inside = frozenset(filter(self._has_known_wrappers, _PHASES))
        return self._may_pause and type(item).__module__.startswith("_pytest.")

    def _has_known_wrappers(self, phase: str) -> bool:
        """Return whether all wrappers around the phase are of test tools, or of the project."""
        impls = getattr(self._manager.hook, f"pytest_runtest_{phase}").get_hookimpls()
        return all(
            _package(impl.plugin) in _TOOLS or self._counts(impl.function)
            for impl in impls
            if impl.wrapper or impl.hookwrapper
        )

    def _counts(self, function: Any) -> bool:
        """Return whether a hook's function is the project's, or may call it: not one of a tool.

        Ours stay as they are, also where they are tested.
        """
        code = getattr(function, "__code__", None)
        if code is None:
            return True
        return self._watch.scope.counts(code.co_filename) and not code.co_filename.startswith(
            PACKAGE
        )

    def _go_on_in(self, plugin: object) -> None:
        """Record what a plugin of the project does, whoever calls its hooks.

        So with pytest's wrapper for `xfail`, whose conditions may call the project's functions.
        """
        for caller in self._manager.get_hookcallers(plugin) or ():
            of_marks = plugin is skipping and caller.name == "pytest_runtest_call"
            going_on = self._going_on_if_marked if of_marks else self.going_on
            for impl in caller.get_hookimpls():
                if impl.plugin is plugin and (of_marks or self._counts(impl.function)):
                    steps = impl.wrapper or impl.hookwrapper
                    called = partial(_Steps, going_on) if steps else going_on
                    self._undo.append(replace(impl, "function", self._following(called)))

    def _going_on_if_marked(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        if self._item is not None and "xfail" in self._item.keywords:
            return self.going_on(function, *args, **options)
        return function(*args, **options)

    def _following(self, called: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda function: partial(called, function)

    def _pause(self) -> None:
        self._watch.pause()  # first: the watch need not see how a tracer is taken away
        self._recorder.paused = self._tracer.pause()
        if not self._recorder.paused:
            self._watch.resume()

    def _resume(self) -> None:
        if self._recorder.paused:
            self._recorder.paused = False
            self._tracer.resume()
            self._watch.resume()


class _Steps:
    """The generator of a hook wrapper, of which each step is recorded."""

    def __init__(
        self, going_on: Callable[..., Any], function: Callable[..., Any], *args: Any
    ) -> None:
        self._going_on = going_on
        self._steps = function(*args)
        #: pluggy names the wrapper by it in its errors.
        self.gi_code = self._steps.gi_code

    def __next__(self) -> Any:
        __tracebackhide__ = True
        return self._going_on(next, self._steps)

    def send(self, value: object) -> Any:
        """Go on with `value`."""
        __tracebackhide__ = True
        return self._going_on(self._steps.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with an exception."""
        __tracebackhide__ = True
        return self._going_on(self._steps.throw, *error)

    def close(self) -> None:
        """End the generator."""
        self._going_on(self._steps.close)


def _package(plugin: object) -> str:
    name = getattr(plugin, "__name__", None) or type(plugin).__module__
    return str(name).partition(".")[0]
