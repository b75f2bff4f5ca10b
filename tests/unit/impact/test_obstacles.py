"""A run that cannot record says so, and runs everything."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coverage
import pytest

from paceline.plugin.obstacles import has_obstacle_of_its_run, obstacle


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What a run in `tmp_path` is told by, but for what it was told by an outer run."""
    monkeypatch.delenv("PACELINE_IMPACT_OBSTACLE", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    # These tests may be measured themselves.
    monkeypatch.setattr(coverage.Coverage, "current", lambda: None)
    with contextlib.ExitStack() as at_the_end:
        yield SimpleNamespace(rootpath=tmp_path, add_cleanup=at_the_end.callback)


def test_a_place_that_can_be_written_is_no_obstacle(config: Any) -> None:
    """The folder of the records need not be there."""
    assert obstacle(config) == ""


def test_a_place_that_cannot_be_written(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so that the system's answer is made up here."""
    (config.rootpath / ".testmondata").touch()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != ".testmondata")
    assert obstacle(config) == f"{config.rootpath / '.testmondata'} cannot be written"


def test_an_unknown_tool(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that the recording was not written for is named."""
    monkeypatch.setattr(metadata, "version", lambda _: "99.1")
    assert obstacle(config) == "pytest-testmon 99.1 is not known to this version of Paceline"


def test_coverage_that_measures_pytest_itself(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`coverage run -m pytest` is told apart from a child that a measured test has started."""
    measuring = object()
    monkeypatch.setattr(coverage.Coverage, "current", lambda: measuring)
    assert obstacle(config) == "coverage measures this run from outside, use pytest --cov"
    monkeypatch.setattr(coverage.process_startup, "coverage", measuring, raising=False)
    assert obstacle(config) == ""


def test_the_workers_of_a_run_have_its_obstacle(
    config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the way of a run its workers cannot always see; they only follow their own."""
    monkeypatch.setattr(metadata, "version", lambda _: "99.1")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert obstacle(config)
    assert not has_obstacle_of_its_run()
    controller = os.getpid()
    monkeypatch.setattr(os, "getppid", lambda: controller)
    assert has_obstacle_of_its_run()
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    assert not has_obstacle_of_its_run()
