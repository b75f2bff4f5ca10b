"""Keeps what fixtures of the session have made while more tests may come, as in a full run.

To make it again in the same process may fail where a project never had to: a table is there
already, a port is taken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest


@contextlib.contextmanager
def kept(session: pytest.Session) -> Iterator[None]:
    """Tear down all but the session when an item is done that none follows."""
    setup: Any = session._setupstate
    tear_down = setup.teardown_exact

    def keep(nextitem: pytest.Item | None) -> None:
        tear_down(_Following(session) if nextitem is None else nextitem)

    setup.teardown_exact = keep
    try:
        yield
    finally:
        del setup.teardown_exact


class _Following:
    """Stands for an item that may come, of which only the session is known."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        """Return the nodes around it."""
        return [self._session]


def tear_down(session: pytest.Session) -> None:
    """Tear the session down; an error is reported as one of the last test, as pytest does."""
    if not session.items:
        return
    item = session.items[-1]
    capture: Any = session.config.pluginmanager.getplugin("capturemanager")
    captured = capture.item_capture("teardown", item) if capture else contextlib.nullcontext()

    def finish() -> None:
        with captured:
            session._setupstate.teardown_exact(None)

    stops = (pytest.exit.Exception, KeyboardInterrupt)
    call = pytest.CallInfo.from_call(finish, when="teardown", reraise=stops)
    if call.excinfo is not None:
        report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        item.ihook.pytest_runtest_logreport(report=report)


def folders(items: Iterable[pytest.Item]) -> dict[Path, pytest.Collector]:
    """Return the nodes of the folders that `items` lie in, by their paths."""
    return {
        node.path: node
        for item in items
        for node in item.listchain()
        if isinstance(node, pytest.Directory)
    }
