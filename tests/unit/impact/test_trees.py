"""Sources are taken apart while pytest or coverage has parsed them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from _pytest.assertion import rewrite
from coverage.exceptions import NotPython
from coverage.parser import PythonParser

from paceline.impact import source
from paceline.impact.parsing import Parsing
from paceline.plugin.trees import follow_coverage, follow_pytest

TEXT = "LIMIT = 3\n\n\ndef check(value):\n    assert value < LIMIT\n"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the texts of which a tree of our own was made."""
    found: list[bytes] = []
    original = source.tree_of

    def tree_of(text: bytes) -> ast.Module | None:
        found.append(text)
        return original(text)

    monkeypatch.setattr(source, "tree_of", tree_of)
    return found


def blocks(parsing: Parsing, path: Path) -> list[str]:
    """Return the names of the blocks of a file as it is."""
    found = parsing.of(str(path), path.read_bytes()).source
    return [block.name for block in found.blocks] if found else []


def parse(path: Path, text: str, parsing: Parsing) -> None:
    """Let coverage parse what it has read of a file, and be followed."""
    undo = follow_coverage(parsing)
    try:
        PythonParser(text=text, filename=str(path)).parse_source()
    finally:
        undo()


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_tree_of_coverage_is_used(tmp_path: Path, made: list[bytes], end: str) -> None:
    """Also where coverage has put a line's end to the text."""
    path = tmp_path / "app.py"
    path.write_bytes(TEXT.removesuffix("\n").encode() + end.encode())
    parsing = Parsing()
    parse(path, TEXT, parsing)
    assert blocks(parsing, path)[1:] == ["check"]
    assert made == []


@pytest.mark.parametrize("now", [None, TEXT.replace("3", "4")])
def test_a_tree_of_another_text_is_not_used(
    tmp_path: Path, made: list[bytes], now: str | None
) -> None:
    """The file was edited, or is gone, since coverage has read it."""
    path = tmp_path / "app.py"
    if now is not None:
        path.write_text(now, encoding="utf-8")
    parsing = Parsing()
    parse(path, TEXT, parsing)
    path.write_text(TEXT, encoding="utf-8")
    blocks(parsing, path)
    assert made == [TEXT.encode()]


def test_coverage_says_by_itself_what_it_cannot_parse(tmp_path: Path) -> None:
    """Its error is not replaced by one of ours."""
    with pytest.raises(NotPython, match="parse"):
        parse(tmp_path / "app.py", "def\n", Parsing())
    assert not hasattr(PythonParser.parse_source, "__wrapped__")


def test_a_tree_of_pytest_is_used_before_it_is_changed(tmp_path: Path, made: list[bytes]) -> None:
    """What is asserted is in the blocks, and not what pytest makes of it."""
    path = tmp_path / "test_app.py"
    path.write_text(TEXT, encoding="utf-8")
    plain = Parsing().of(str(path), path.read_bytes())
    made.clear()
    parsing = Parsing()
    undo = follow_pytest(parsing)
    try:
        tree = ast.parse(TEXT)
        rewrite.rewrite_asserts(tree, TEXT.encode(), str(path))
    finally:
        undo()
    assert ast.dump(tree) != ast.dump(ast.parse(TEXT))
    found = parsing.of(str(path), path.read_bytes())
    assert found._replace(owners=plain.owners) == plain
    assert made == []
