"""Pauses the recording while nothing but pytest's own code runs, between the phases of a test.

To name a test, to make its reports and to print them takes pytest as long as many a test, and
three times as long where it is traced. Set-up, call and teardown are recorded as a whole, and so
is whatever runs code of the project in between.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final

import pytest
from _pytest.runner import CallInfo

from paceline.impact.replacing import replace
from paceline.impact.tracer import Tracer
from paceline.impact.watch import Watch

#: Packages whose plugins leave it to pytest in which order the phases of a test run.
_TOOLS: Final = ("_pytest", "paceline", "pytest_cov", "testmon", "xdist")


class Pauses:
    """A plugin that pauses the recording."""

    def __init__(self, config: pytest.Config, watch: Watch, tracer: Tracer) -> None:
        self._manager = config.pluginmanager
        self._tracer = tracer
        self._watch = watch
        self._recorder = watch.recorder
        self._plugins: set[Any] = set()
        self._may_pause = True
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to go on for each phase."""
        pauses = self

        def from_call(original: Any) -> Any:
            def recorded(cls: Any, func: Callable[[], Any], *args: Any, **options: Any) -> Any:
                __tracebackhide__ = True
                going_on = partial(pauses.going_on, func) if pauses._recorder.paused else func
                return original.__func__(cls, going_on, *args, **options)

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
        # What dies with these may run code of the project: kept until that is recorded.
        kept = [getattr(item, name, None) for name in ("funcargs", "_request")]
        self._pause()
        try:
            return (yield)
        finally:
            self._resume()
            kept.clear()

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
        return self._may_pause and type(item).__module__.startswith("_pytest.")

    def _go_on_in(self, plugin: object) -> None:
        """Record what a plugin of the project does, whoever calls its hooks."""
        for caller in self._manager.get_hookcallers(plugin) or ():
            for impl in caller.get_hookimpls():
                code = getattr(impl.function, "__code__", None)
                if impl.plugin is plugin and (
                    code is None or self._watch.scope.counts(code.co_filename)
                ):
                    called = _Steps if impl.wrapper or impl.hookwrapper else Pauses.going_on
                    self._undo.append(replace(impl, "function", self._following(called)))

    def _following(self, called: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda function: partial(called, self, function)

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

    def __init__(self, pauses: Pauses, function: Callable[..., Any], *args: Any) -> None:
        self._pauses = pauses
        self._steps = function(*args)
        #: pluggy names the wrapper by it in its errors.
        self.gi_code = self._steps.gi_code

    def __next__(self) -> Any:
        __tracebackhide__ = True
        return self._pauses.going_on(next, self._steps)

    def send(self, value: object) -> Any:
        """Go on with `value`."""
        __tracebackhide__ = True
        return self._pauses.going_on(self._steps.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with an exception."""
        __tracebackhide__ = True
        return self._pauses.going_on(self._steps.throw, *error)

    def close(self) -> None:
        """End the generator."""
        self._pauses.going_on(self._steps.close)


def _package(plugin: object) -> str:
    name = getattr(plugin, "__name__", None) or type(plugin).__module__
    return str(name).partition(".")[0]
