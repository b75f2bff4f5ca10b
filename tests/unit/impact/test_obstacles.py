"""A run that cannot record says so, and runs everything."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import pytest

from paceline.plugin.obstacles import obstacle


def test_a_place_that_can_be_written_is_no_obstacle(tmp_path: Path) -> None:
    """The folder of the records need not be there."""
    assert obstacle(tmp_path) == ""


def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so that the system's answer is made up here."""
    (tmp_path / ".testmondata").touch()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != ".testmondata")
    assert obstacle(tmp_path) == f"{tmp_path / '.testmondata'} cannot be written"


def test_an_unknown_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that the recording was not written for is named."""
    monkeypatch.setattr(metadata, "version", lambda _: "99.1")
    assert obstacle(tmp_path) == "pytest-testmon 99.1 is not known to this version of Paceline"
