"""The whole text of every pipeline file, compared with the one on disk.

After a wanted change: PACELINE_UPDATE_SNAPSHOTS=1 pytest tests/unit/ci, then read the diff.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from paceline.ci.files import generated
from paceline.config.model import Config

_FOLDER = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("name", ["github.yml", "gitlab-ci.yml", "woodpecker.yml"])
def test_text_is_the_snapshot(any_config: Config, name: str) -> None:
    """The generated file is letter for letter the reviewed one."""
    case = "full" if any_config.ci.images else "small"
    if any_config.python:
        case = "current" if any_config.environment == "current" else "versions"
    path = _FOLDER / f"{case}-{name}"
    text = generated(any_config)[Path("ci") / name]
    if os.environ.get("PACELINE_UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    compare(path.read_text(encoding="utf-8"), text, path.name)


def compare(expected: str, found: str, name: str) -> None:
    """Fail with a unified diff if the texts differ."""
    diff = "\n".join(
        difflib.unified_diff(
            expected.splitlines(), found.splitlines(), name, "generated", lineterm=""
        )
    )
    if expected != found:
        pytest.fail(f"{name} differs:\n{diff}", pytrace=False)
