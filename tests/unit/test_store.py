"""Files are written whole or not at all, and a damaged one never stops a run."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline import store


def test_text_is_written_as_given(tmp_path: Path) -> None:
    """Missing folders are made, line ends stay, and the file can be read by others."""
    path = tmp_path / "a b" / "ä" / "file.txt"
    store.write_text(path, "one\ntwo ö\n")
    assert path.read_bytes() == "one\ntwo ö\n".encode()
    assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the rename fails, the old content stays and no temporary file is left."""
    path = tmp_path / "file.txt"
    store.write_text(path, "old")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(f"no rename of {self.name} to {target}")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(OSError, match="no rename"):
            store.write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_two_writers_leave_one_whole_file(tmp_path: Path) -> None:
    """Many threads that write at once leave the complete text of one of them."""
    path = tmp_path / "file.json"
    texts = [str(number) * 5000 for number in range(4)]
    threads = [threading.Thread(target=store.write_text, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text(encoding="utf-8") in texts
    assert len(list(tmp_path.iterdir())) == 1


def test_json_is_stable(tmp_path: Path) -> None:
    """The order of keys does not show in the file."""
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    store.write_json(first, {"b": 1, "a": {"d": 2, "c": "ä"}})
    store.write_json(second, {"a": {"c": "ä", "d": 2}, "b": 1})
    assert first.read_bytes() == second.read_bytes()
    assert "ä" in first.read_text(encoding="utf-8")
    assert store.read_json(first, "test file") == {"a": {"c": "ä", "d": 2}, "b": 1}


def test_an_absent_file_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file is None without a warning."""
    assert store.read_json(tmp_path / "none.json", "test file") is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"{'a': 1}"])
def test_a_damaged_file_costs_one_warning(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damaged JSON counts as absent; one line on standard error names the file and its kind."""
    path = tmp_path / "file.json"
    path.write_bytes(content)
    assert store.read_json(path, "test file") is None
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"warning: {path}: damaged test file is ignored")


def test_a_folder_in_place_of_a_file_is_ignored(tmp_path: Path) -> None:
    """A path that cannot be read as a file counts as absent."""
    assert store.read_json(tmp_path, "test file") is None


@given(st.binary(max_size=60))
def test_reading_never_raises(content: bytes) -> None:
    """Any bytes at all are read as JSON or as nothing."""
    path = Path(os.environ["PYTEST_STORE_FILE"])
    path.write_bytes(content)
    found = store.read_json(path, "test file")
    # Compared as text, as NaN is not equal to itself.
    assert found is None or json.dumps(json.loads(content)) == json.dumps(found)


@pytest.fixture(autouse=True, scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Name one file for the property above, which may not ask for a folder an example."""
    os.environ["PYTEST_STORE_FILE"] = str(tmp_path_factory.mktemp("store") / "file.json")


def test_a_folder_ignores_itself(tmp_path: Path) -> None:
    """The folder is made with a .gitignore for all of it, which is not written twice."""
    folder = store.ignored_by_git(tmp_path / "state")
    marker = folder / ".gitignore"
    assert marker.read_text(encoding="utf-8") == "*\n"
    marker.write_text("mine\n", encoding="utf-8")
    assert store.ignored_by_git(folder) == folder
    assert marker.read_text(encoding="utf-8") == "mine\n"
