"""Configurations, and a way to find the tools that judge the pipeline files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paceline.config.model import Ci, Config, Group, Step


def make_config(root: Path, case: str = "small") -> Config:
    """Return a configuration without Python versions ("small") or with ("versions", "current")."""
    steps = (
        Step("deps", (("paceline-deps",),)),
        Step("hooks", (("invoke", "hooks.audit"),)),
        Step("lint", (("ruff", "check"),)),
        Step("security", missing="no bandit"),
        Step("types", (("mypy", "src"),)),
    )
    if case == "small":
        return Config(root, groups=(Group("unit", shards=4), Group("db")), steps=steps)
    versions = ("3.9", "3.13", "pypy3.10") if case == "versions" else ("3.12", "3.13")
    return Config(
        root,
        python=versions,
        environment="current" if case == "current" else "uv",
        groups=(Group("unit", shards=2),),
        steps=steps[2:3],
        ci=Ci(branch="stable/2.x", install=("pip", "install", "it's: # x", "a b")),
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The small configuration in an empty project."""
    return make_config(tmp_path)


@pytest.fixture
def tool() -> Callable[[str], str]:
    """Find a tool beside the interpreter or on the path; skip the test if there is none."""

    def find(name: str) -> str:
        beside = Path(sys.executable).parent / name
        found = str(beside) if beside.exists() else shutil.which(name)
        if not found:
            pytest.skip(f"{name} is not installed, so the pipeline files were not judged")
        return found

    return find


@pytest.fixture(params=["small", "versions", "current"])
def any_config(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    """Each configuration in turn."""
    return make_config(tmp_path, request.param)
