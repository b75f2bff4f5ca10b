"""The recipe of the test image, and the digest that says when it must be built anew."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from paceline.ci.image import digest, dockerfile
from paceline.ci.image import test_image as image_of
from paceline.config.loading import load
from paceline.config.model import Config
from paceline.errors import PacelineError

PYPROJECT = """\
[project]
name = "x"
version = "1"
dependencies = ["attrs"]
[dependency-groups]
test = ["pytest"]
[tool.ruff]
line-length = {length}
[tool.paceline]
python = ["3.12", "3.13"]
constraints = "ci/constraints.txt"
[tool.paceline.ci]
test_image = "registry.example.com/team/tests"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with dependencies in three places."""
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "constraints.txt").write_text("attrs==25.1.0\n")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.format(length=100))
    return tmp_path


def test_the_recipe(project: Path) -> None:
    """System first, then interpreters, then dependency files only; no root, no secret, no code."""
    text = dockerfile(load(project))
    order = ["FROM ", "RUN useradd", "USER tests", "RUN uv python install", "COPY ", "RUN uv venv"]
    places = [text.index(f"\n{word}") for word in order]
    assert places == sorted(places)
    assert text.count("\nCOPY") == 2
    assert 'COPY --chown=tests ["ci/constraints.txt", "ci/"]' in text
    assert text.count("--requirements pyproject.toml --group=test") == 2
    assert not [word for word in ("ARG ", "TOKEN", "--mount", "COPY . ") if word in text]
    assert text.rindex("USER ") == text.index("USER ")


def test_only_dependencies_change_the_tag(project: Path) -> None:
    """Code and linter settings leave the tag; constraints, dependencies and versions change it."""
    before = image_of(load(project))
    assert before.startswith("registry.example.com/team/tests:deps-")
    (project / "code.py").write_text("x = 1\n")
    (project / "pyproject.toml").write_text(PYPROJECT.format(length=80))
    assert image_of(load(project)) == before
    found = {before}
    (project / "ci" / "constraints.txt").write_text("attrs==25.2.0\n")
    found.add(image_of(load(project)))
    text = PYPROJECT.format(length=80).replace('"pytest"', '"pytest>8"')
    (project / "pyproject.toml").write_text(text)
    found.add(image_of(load(project)))
    found.add(image_of(dataclasses.replace(load(project), python=("3.13",))))
    assert len(found) == 4


def test_a_lock_file_fills_the_cache(project: Path) -> None:
    """Without constraints, uv.lock pins what goes into the image."""
    (project / "uv.lock").write_text("version = 1\n")
    config = dataclasses.replace(load(project), constraints="")
    assert "uv export --quiet --frozen" in dockerfile(config)
    assert 'COPY --chown=tests ["uv.lock", "pyproject.toml", "./"]' in dockerfile(config)
    assert digest(config) != digest(load(project))


@pytest.mark.parametrize("name", ["a$HOME.txt", "a*.txt", 'a"b.txt'])
def test_paths_that_a_recipe_would_expand_are_refused(tmp_path: Path, name: str) -> None:
    """A requirements file with `$`, a pattern or a quote in its name is an error that names it."""
    (tmp_path / name).write_text("attrs\n")
    with pytest.raises(PacelineError, match="cannot be copied"):
        dockerfile(Config(tmp_path, test_requirements=(name,)))
