"""Which data files code names."""

from __future__ import annotations

from paceline.impact.named import Named

NAMED = Named(["data/a.xml", "other/a.xml", "app.py", "LICENSE", ".env", "b.tar.gz"])


def test_a_file_is_named_by_its_name_or_a_path_that_ends_in_it() -> None:
    """Of files with the same name all are."""
    for word in ("a.xml", "data/a.xml", "../a.xml", "data\\a.xml"):
        assert NAMED.by(frozenset((word, "value"))) == {"data/a.xml", "other/a.xml"}
    assert NAMED.by(frozenset((".env", "x/b.tar.gz"))) == {".env", "b.tar.gz"}


def test_words_and_modules_name_no_data() -> None:
    """A file without an ending may be any word; Python's own files are known as code."""
    assert NAMED.by(frozenset(("LICENSE", "app.py", "a", "xml", "a.xml.bak", "."))) == frozenset()
    assert NAMED.by(frozenset()) == frozenset()
    assert Named([]).by(frozenset(("a.xml",))) == frozenset()
