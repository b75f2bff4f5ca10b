"""What is installed editable is imported from the worktree, whatever way it was installed."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

import pytest

from paceline.environment import REDIRECT

#: As setuptools writes it for an editable install of single packages.
FINDER = """\
import importlib.util, sys
MAPPING = {mapping!r}
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            return importlib.util.spec_from_file_location(name, MAPPING[name] + "/__init__.py")
sys.meta_path.append(Finder)
"""


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Make an old and a new checkout with a package each, and an environment inside the old."""
    for name in ("old", "new"):
        package = tmp_path / name / "src" / "app"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"WHERE = {name!r}\n", encoding="utf-8")
    environment = tmp_path / "old" / ".venv"
    venv.create(environment, symlinks=os.name != "nt")
    return tmp_path / "old", tmp_path / "new", environment


def packages(environment: Path) -> Path:
    (found,) = environment.glob("lib/python*/site-packages")
    return found


def run(environment: Path, old: Path, new: Path, program: str) -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    env |= {"PYTHONPATH": str(REDIRECT), "PACELINE_TREE_TO": str(new)}
    env["PACELINE_TREE_FROM"] = os.pathsep.join([str(old), str(old / "other")])
    done = subprocess.run(
        [environment / "bin" / "python", "-c", program],
        check=True,
        env=env,
        cwd=environment,
        capture_output=True,
        encoding="utf-8",
    )
    return done.stdout.strip()


def test_a_path_is_moved(places: tuple[Path, Path, Path]) -> None:
    """A path in a .pth file becomes the worktree's; the environment's own folder stays."""
    old, new, environment = places
    site = packages(environment)
    (site / "app.pth").write_text(f"{old / 'src'}\n", encoding="utf-8")
    (site / "other.py").write_text("HERE = True\n", encoding="utf-8")
    program = "import app, other; print(app.WHERE, other.HERE)"
    assert run(environment, old, new, program) == "new True"


def test_what_only_the_old_checkout_has_is_not_found(places: tuple[Path, Path, Path]) -> None:
    """A module that was never committed cannot be imported."""
    old, new, environment = places
    (packages(environment) / "app.pth").write_text(f"{old / 'src'}\n", encoding="utf-8")
    (old / "src" / "forgotten.py").write_text("", encoding="utf-8")
    program = "import importlib.util as u; print(u.find_spec('forgotten'))"
    assert run(environment, old, new, program) == "None"


def test_a_path_that_is_gone_is_moved_too(places: tuple[Path, Path, Path]) -> None:
    """An environment made from a worktree that was removed serves the next one."""
    _, new, environment = places
    gone = new.with_name("gone")
    (packages(environment) / "app.pth").write_text(f"{gone / 'src'}\n", encoding="utf-8")
    assert run(environment, gone, new, "import app; print(app.WHERE)") == "new"


def test_a_finder_of_setuptools_is_moved(places: tuple[Path, Path, Path]) -> None:
    """The mapping of an editable install by a finder points at the worktree."""
    old, new, environment = places
    text = FINDER.format(mapping={"app": str(old / "src" / "app")})
    (packages(environment) / "__editable___app_finder.py").write_text(text, encoding="utf-8")
    (packages(environment) / "app.pth").write_text("import __editable___app_finder\n")
    assert run(environment, old, new, "import app; print(app.WHERE)") == "new"


def test_the_environments_own_sitecustomize_still_runs(places: tuple[Path, Path, Path]) -> None:
    """A sitecustomize that was there before runs as well."""
    old, new, environment = places
    text = "import builtins\nbuiltins.SEEN = 'seen'\n"
    (packages(environment) / "sitecustomize.py").write_text(text, encoding="utf-8")
    assert run(environment, old, new, "print(SEEN)") == "seen"
