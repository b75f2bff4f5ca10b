"""What is read from the project's own pytest and coverage settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.coverage.settings import (
    addopts,
    config_file,
    fail_under_of_pytest,
    measuring,
    measuring_options,
)
from paceline.errors import ConfigurationError
from paceline.testing import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for variable in ("PYTEST_ADDOPTS", "COVERAGE_RCFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.toml", '[pytest]\naddopts = ["--cov=a b", "-q"]\n'),
        ("pytest.ini", "[pytest]\naddopts = '--cov=a b'\n  -q\n"),
        (".pytest.ini", "[pytest]\naddopts = '--cov=a b' -q\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = \"'--cov=a b' -q\"\n"),
        ("pyproject.toml", '[tool.pytest]\naddopts = ["--cov=a b", "-q"]\n'),
        ("tox.ini", "[pytest]\naddopts = '--cov=a b' -q\n"),
        ("setup.cfg", "[tool:pytest]\naddopts = '--cov=a b' -q\n"),
    ],
)
def test_addopts_are_found_where_pytest_finds_them(
    project: Project, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file that pytest reads its options from is read, then the environment variable."""
    project.write({name: text})
    monkeypatch.setenv("PYTEST_ADDOPTS", "--cov=last")
    assert addopts(project.root) == ["--cov=a b", "-q", "--cov=last"]


def test_an_empty_pytest_ini_hides_the_others(project: Project) -> None:
    """pytest.ini counts even if it is empty, as it does for pytest."""
    project.write({"pytest.ini": "", "tox.ini": "[pytest]\naddopts = --cov\n"})
    assert addopts(project.root) == []


def test_options_that_change_what_is_measured() -> None:
    """Of all arguments those remain that choose the code, the file or branches."""
    arguments = ["-x", "--cov", "pkg", "--cov", "--cov-branch", "--cov-report=xml", "--cov=a"]
    assert measuring_options([*arguments, "--no-cov"]) == [
        *("--cov=pkg", "--cov", "--cov-branch", "--cov=a", "--no-cov"),
    ]


def test_the_limit_in_addopts_is_not_lost(project: Project) -> None:
    """--cov-fail-under of addopts, that no shard is held to, is the limit of the whole."""
    assert fail_under_of_pytest(project.root) is None
    project.write({"pytest.ini": "[pytest]\naddopts = --cov-fail-under 80 --cov-fail-under=85.5"})
    assert fail_under_of_pytest(project.root) == 85.5
    project.write({"pytest.ini": "[pytest]\naddopts = --cov-fail-under=much"})
    with pytest.raises(ConfigurationError) as caught:
        fail_under_of_pytest(project.root)
    assert str(caught.value) == (
        'error: addopts: --cov-fail-under: found "much", allowed: a number\n'
        "1 problem; nothing was run."
    )


def test_coverages_own_settings_are_used(project: Project) -> None:
    """The file that --cov-config names is read, else the one that coverage finds by itself."""
    project.write({"other.cfg": "[run]\nomit = a.py\n", ".coveragerc": "[run]\nbranch = true\n"})
    assert config_file(project.root) is True
    assert measuring(project.root)["run:branch"] is True
    project.write({"tox.ini": "[pytest]\naddopts = --cov-config=other.cfg\n"})
    assert config_file(project.root) == "other.cfg"
    found = measuring(project.root, ["--cov-branch"])
    assert (found["run:branch"], found["run:omit"]) == (False, ["a.py"])
    assert found["pytest"] == ["--cov-config=other.cfg", "--cov-branch"]
