"""A real project from the registry, set up with nothing but a noxfile and a tasks file."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest

from paceline import process
from paceline.testing import NOXFILE, TASKS, Project

pytestmark = [pytest.mark.online, pytest.mark.long]


@pytest.fixture
def jinja2(tmp_path: Path) -> Project:
    """Unpack the source of jinja2; skip, with the reason, where it cannot be had."""
    for python in (sys.executable, str(getattr(sys, "_base_executable", sys.executable))):
        options = ["--no-deps", "--no-binary", ":all:", "--dest", str(tmp_path / "sdist")]
        command = [python, "-m", "pip", "download", "-q", *options, "jinja2"]
        done = process.run(command, cwd=tmp_path)
        archives = list((tmp_path / "sdist").glob("*.tar.gz"))
        if done.exit_code == 0 and archives:
            break
    else:
        pytest.skip(f"jinja2 cannot be downloaded: {done.output.strip()[-300:]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    root = next(path.parent for path in tmp_path.glob("*/pyproject.toml"))
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    project = Project(root)
    # The fixture's own settings are taken back: this project configures nothing.
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    project.write({"noxfile.py": NOXFILE, "tasks.py": TASKS})
    return project


def test_jinja2_needs_no_configuration(jinja2: Project) -> None:
    """Two shards, their proof and the pre-push flow all succeed."""
    shards = [("-s", "tests-unit", "--", "--shard", f"{index}/2") for index in (1, 2)]
    for arguments in [*shards, ("-s", "coverage")]:
        done = jinja2.nox(*arguments)
        assert done.exit_code == 0, done.output
    done = jinja2.invoke("prepush")
    assert done.exit_code == 0, done.output
