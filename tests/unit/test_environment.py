"""Environments are made anew exactly when something they are made from changed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from paceline import environment, process, store
from paceline.config.loading import load
from paceline.config.model import Config
from paceline.errors import CheckFailed, MissingTool

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def project(root: Path, text: str = "", **files: str) -> Config:
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    for stem, content in files.items():
        (root / stem.replace("__", ".")).write_text(content, encoding="utf-8")
    return load(root)


class Uv:
    """Stands in for uv: notes each command, makes the interpreter, and fails where told to."""

    def __init__(self, failing: str = "") -> None:
        self.calls: list[list[str]] = []
        self._failing = failing

    def __call__(
        self, command: list[str | Path], *, cwd: Path, env: dict[str, str] | None = None
    ) -> process.Result:
        """Do what the command says, as far as the tests can see."""
        assert cwd.is_dir()
        assert env is None or "UV_PYTHON_DOWNLOADS" in env
        words = [str(word) for word in command]
        self.calls.append(words)
        failed = bool(self._failing) and self._failing in words
        if "venv" in words and not failed:
            python = environment._interpreter(Path(words[-1]))
            python.parent.mkdir(parents=True, exist_ok=True)
            python.write_text("", encoding="utf-8")
        return process.Result(tuple(words), int(failed), "what uv said" if failed else "", 0.0)


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> Uv:
    """Let every command go to a stand-in for uv."""
    fake = Uv()
    monkeypatch.setattr(process, "run", fake)
    return fake


def test_a_ready_environment_is_reused(tmp_path: Path, uv: Uv) -> None:
    """The second time nothing is started, and the answer is the same."""
    config = project(tmp_path)
    first = environment.tests(config)
    started = len(uv.calls)
    assert environment.tests(config) == first
    assert len(uv.calls) == started == 2
    assert first.variables["VIRTUAL_ENV"] == str(tmp_path / ".nox" / f"paceline-tests-{VERSION}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements-test.txt", "pytest\nattrs\n"),
        ("setup.cfg", "[metadata]\n"),
        ("pyproject.toml", '[dependency-groups]\ntest = ["attrs"]\n'),
        ("pyproject.toml", "[tool.uv]\npackage = false\n"),
    ],
)
def test_what_it_is_made_from_makes_it_anew(name: str, text: str, tmp_path: Path, uv: Uv) -> None:
    """A changed requirements file, set-up file or dependency table builds again."""
    files = {"requirements-test__txt": "pytest\n"}
    before = environment.tests(project(tmp_path, **files)).fingerprint
    started = len(uv.calls)
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert environment.tests(load(tmp_path)).fingerprint != before
    assert len(uv.calls) > started


def test_a_linter_setting_keeps_it(tmp_path: Path, uv: Uv) -> None:
    """What cannot change what is installed does not build again."""
    before = environment.tests(project(tmp_path)).fingerprint
    assert environment.tests(project(tmp_path, "[tool.ruff]\nfix = true\n")).fingerprint == before
    assert len(uv.calls) == 2


def test_a_requirements_file_reaches_uv(tmp_path: Path, uv: Uv) -> None:
    """The discovered requirements file is installed."""
    environment.tests(project(tmp_path))
    environment.tests(project(tmp_path, **{"requirements-test__txt": "pytest\n"}))
    install = uv.calls[-1]
    assert install[install.index("--requirements") + 1] == "requirements-test.txt"


def test_constraints_are_watched(tmp_path: Path, uv: Uv) -> None:
    """A changed constraints file builds again, and uv is held to it."""
    text = '[tool.paceline]\nconstraints = "pins.txt"\n'
    before = environment.tests(project(tmp_path, text, pins__txt="a==1")).fingerprint
    after = environment.tests(project(tmp_path, text, pins__txt="a==2")).fingerprint
    assert before != after
    install = uv.calls[-1]
    assert install[install.index("--constraints") + 1] == "pins.txt"


@pytest.mark.parametrize("damage", ["{", "[]", '{"digest": "other"}'])
def test_a_damaged_stamp_builds_again(damage: str, tmp_path: Path, uv: Uv) -> None:
    """A stamp that cannot be read or says something else never passes for ready."""
    config = project(tmp_path)
    environment.tests(config)
    stamp = tmp_path / ".nox" / f"paceline-tests-{VERSION}" / environment.STAMP
    stamp.write_text(damage, encoding="utf-8")
    environment.tests(config)
    assert len(uv.calls) == 4


def test_a_missing_interpreter_builds_again(tmp_path: Path, uv: Uv) -> None:
    """A folder whose interpreter was deleted is not ready, whatever its stamp says."""
    config = project(tmp_path)
    environment.tests(config).python.unlink()
    assert environment.tests(config).python.is_file()
    assert len(uv.calls) == 4


def test_a_python_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that uv does not find is a missing tool, with the way to get it."""
    monkeypatch.setattr(process, "run", Uv(failing="venv"))
    with pytest.raises(MissingTool) as caught:
        environment.tests(project(tmp_path), "3.99")
    assert "no environment for Python 3.99: what uv said" in caught.value.message
    assert "uv python install 3.99" in caught.value.hint


def test_a_failed_install_is_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When installing fails, uv's words are shown and nothing is stamped as ready."""
    config = project(tmp_path)
    monkeypatch.setattr(process, "run", Uv(failing="install"))
    with pytest.raises(CheckFailed, match="what uv said"):
        environment.tests(config)
    assert not list(tmp_path.rglob(environment.STAMP))


def test_the_real_uv_does_not_know_python_3_99(tmp_path: Path) -> None:
    """Uv itself refuses a version that nobody has; nothing is downloaded."""
    with pytest.raises(MissingTool, match=r"no environment for Python 3\.99"):
        environment.tests(project(tmp_path), "3.99")


def test_the_current_environment_is_not_built(tmp_path: Path, uv: Uv) -> None:
    """With environment = "current" the tests run in this interpreter, with its programs."""
    config = replace(project(tmp_path), environment="current")
    ready = environment.tests(config)
    assert ready.python == Path(sys.executable)
    assert ready.variables["PATH"].startswith(str(Path(sys.executable).parent))
    assert ready.fingerprint == environment.tools(config).fingerprint
    assert uv.calls == []


def test_the_current_environment_has_one_version(tmp_path: Path) -> None:
    """Another version than this interpreter's cannot be had in the current environment."""
    config = replace(project(tmp_path), environment="current")
    assert environment.tests(config, VERSION).python == Path(sys.executable)
    with pytest.raises(MissingTool, match=r"the session wants 3\.99"):
        environment.tests(config, "3.99")


def test_uv_lock_becomes_constraints(tmp_path: Path, uv: Uv) -> None:
    """A uv.lock is exported and held to, unless the project names its own constraints."""
    environment.tests(project(tmp_path, uv__lock="version = 1\n"))
    assert ["export" in call for call in uv.calls] == [False, True, False]
    assert uv.calls[-1][uv.calls[-1].index("--constraints") + 1].endswith("locked.txt")


def test_tools_have_their_own_environment(tmp_path: Path, uv: Uv) -> None:
    """Linters are installed beside the tests' environment, not into it."""
    config = project(tmp_path, "[tool.ruff]\n")
    ready = environment.tools(config)
    assert ready.python != environment.tests(config).python
    assert any("ruff" in call for call in uv.calls)


def test_the_packages_are_checked_with_uv(tmp_path: Path, uv: Uv) -> None:
    """The deps step asks uv about the tests' interpreter."""
    config = project(tmp_path)
    command = environment.consistency_command(config)
    assert command[1:4] == ("pip", "check", "--python")
    assert command[4] == str(environment.tests(config).python)
    assert store.read_json(Path(command[4]).parents[1] / environment.STAMP, "stamp")
    assert uv.calls
