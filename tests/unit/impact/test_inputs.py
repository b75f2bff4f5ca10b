"""The values of inputs: equal exactly where the inputs are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paceline.impact import inputs
from paceline.impact.recorder import Need


def test_content_changes_with_the_bytes(tmp_path: Path) -> None:
    """Other bytes give another value; a new time gives none."""
    file = tmp_path / "data.bin"
    file.write_bytes(b"one")
    before = inputs.value(Need.CONTENT, str(file))
    os.utime(file, (1, 1))
    assert inputs.value(Need.CONTENT, str(file)) == before
    file.write_bytes(b"two")
    assert inputs.value(Need.CONTENT, str(file)) != before


@pytest.mark.parametrize("need", [Need.CONTENT, Need.LISTING, Need.EXISTS, Need.STAT, Need.TEXT])
def test_what_is_not_there_is_absent(tmp_path: Path, need: Need) -> None:
    """A missing path has a value of its own, also below a file."""
    assert inputs.value(need, str(tmp_path / "none")) == inputs.ABSENT
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert inputs.value(need, str(tmp_path / "file" / "none")) == inputs.ABSENT


def test_a_listing_knows_names_only(tmp_path: Path) -> None:
    """A new file changes it, a new content or a cache does not."""
    (tmp_path / "a").write_text("1", encoding="utf-8")
    before = inputs.value(Need.LISTING, str(tmp_path))
    (tmp_path / "a").write_text("2", encoding="utf-8")
    (tmp_path / "__pycache__").mkdir()
    assert inputs.value(Need.LISTING, str(tmp_path)) == before
    (tmp_path / "b").touch()
    assert inputs.value(Need.LISTING, str(tmp_path)) != before


def test_existence_knows_the_kind_and_the_link(tmp_path: Path) -> None:
    """A file, a folder and links with different targets are all told apart."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "one").symlink_to("file")
    (tmp_path / "two").symlink_to("folder")
    values = [
        inputs.value(Need.EXISTS, str(tmp_path / name)) for name in ("file", "folder", "one", "two")
    ]
    assert len(set(values)) == 4


def test_variables_come_from_the_given_environment() -> None:
    """A value, an empty value and no value differ; the value itself is not shown."""
    environ = {"SECRET": "hunter2", "EMPTY": ""}
    values = [inputs.value(Need.VARIABLE, name, environ) for name in ("SECRET", "EMPTY", "NONE")]
    assert len(set(values)) == 3
    assert "hunter2" not in "".join(values)


def test_all_variables_leave_out_what_differs_between_equal_runs() -> None:
    """PWD and the like are no inputs, others are."""
    before = inputs.value(Need.VARIABLE, "*", {"A": "1", "PWD": "/a"})
    assert inputs.value(Need.VARIABLE, "*", {"A": "1", "PWD": "/b"}) == before
    assert inputs.value(Need.VARIABLE, "*", {"A": "2", "PWD": "/a"}) != before


def test_declared_inputs_are_all_files_of_the_pattern(tmp_path: Path) -> None:
    """A changed, a new and a removed file change the value; another file does not."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "a.yaml").write_text("1", encoding="utf-8")
    pattern = str(tmp_path / "deploy" / "**" / "*.yaml")
    before = inputs.value(Need.DECLARED, pattern)
    (tmp_path / "deploy" / "a.txt").touch()
    assert inputs.value(Need.DECLARED, pattern) == before
    (tmp_path / "deploy" / "b.yaml").touch()
    assert inputs.value(Need.DECLARED, pattern) != before


@pytest.mark.parametrize(
    ("name", "text", "other", "counts"),
    [
        ("pyproject.toml", "[tool.black]\na = 1\n", "[tool.black]\na = 2\n", False),
        (
            "pyproject.toml",
            "[tool.pytest.ini_options]\n",
            "[tool.pytest.ini_options]\na='1'\n",
            True,
        ),
        ("pyproject.toml", "[tool.coverage.run]\n", "[tool.coverage.run]\nbranch = true\n", True),
        ("setup.cfg", "[metadata]\nname = a\n", "[metadata]\nname = b\n", False),
        ("setup.cfg", "[tool:pytest]\na = 1\n", "[tool:pytest]\na = 2\n", True),
        ("pytest.ini", "[pytest]\n", "[pytest]\naddopts = -x\n", True),
        ("pyproject.toml", "broken = ", "broken = [", True),
    ],
)
def test_configuration_is_what_pytest_and_coverage_read(
    tmp_path: Path, name: str, text: str, other: str, counts: bool
) -> None:
    """Sections for other tools do not count; what cannot be taken apart counts as a whole."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    before = inputs.value(Need.CONFIGURATION, str(tmp_path))
    (tmp_path / name).write_text(other, encoding="utf-8")
    assert (inputs.value(Need.CONFIGURATION, str(tmp_path)) != before) == counts


def test_files_leave_out_environments_and_caches(tmp_path: Path) -> None:
    """Folders with a pyvenv.cfg and tools' caches are not the project's."""
    for name in ("src/a.py", "env/pyvenv.cfg", "env/lib.py", ".nox/x.py", ".coverage", "b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert inputs.files(tmp_path) == ["b.txt", "src/a.py"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    """A pipe or a device has no content: it would be waited for, or read for ever."""
    os.mkfifo(tmp_path / "pipe")
    assert inputs.value(Need.CONTENT, str(tmp_path / "pipe")) == "no regular file"


def test_data_is_all_that_is_no_python(tmp_path: Path) -> None:
    """The data of a project changes with a data file, and not with a module."""
    (tmp_path / "data.json").write_text("1", encoding="utf-8")
    before = inputs.value(Need.DATA, str(tmp_path))
    (tmp_path / "app.py").write_text("", encoding="utf-8")
    assert inputs.value(Need.DATA, str(tmp_path)) == before
    (tmp_path / "data.json").write_text("2", encoding="utf-8")
    assert inputs.value(Need.DATA, str(tmp_path)) != before
