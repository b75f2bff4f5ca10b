"""Receipts count only for what they prove; fingerprints change with all that matters."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from paceline.prepush import fingerprint
from paceline.prepush.checkout import Checkout
from paceline.prepush.receipts import DAY_SECONDS, Receipt, Receipts
from paceline.prepush.steps import PlannedStep

PLACE = Checkout(Path("/a"), Path("/a"), "abc")
STEP = PlannedStep("lint", (("ruff", "check"),), inputs=("**/*.py",), packages="p")
CONTENT = {"a.py": "100644 1", "b.md": "100644 2"}


def receipt(name: str = "lint", print_: str = "f" * 64, age_days: float = 0.0) -> Receipt:
    return Receipt(print_, name, time.time() - age_days * DAY_SECONDS, "abc", 1.5)


def test_a_receipt_is_found_by_its_fingerprint_until_it_expires(tmp_path: Path) -> None:
    """A receipt counts for its days, not longer, and not before it was made."""
    receipts = Receipts(tmp_path / "receipts", 7)
    for days, counts in ((6.9, True), (7.1, False), (-1, False)):
        made = receipt(age_days=days)
        receipts.add(made)
        assert (receipts.find(made.fingerprint) == made) is counts
    assert receipts.find("0" * 64) is None


def test_receipts_are_listed_and_dropped(tmp_path: Path) -> None:
    """They are listed newest first, and dropped by step or by the start of their name."""
    receipts = Receipts(tmp_path / "receipts", 7)
    for name, print_, days in (("lint", "a" * 64, 2.0), ("types", "b" * 64, 1.0)):
        receipts.add(receipt(name, print_, days))
    assert [found.step for found in receipts.all()] == ["types", "lint"]
    assert [found.step for found in receipts.drop("types")] == ["types"]
    assert [found.step for found in receipts.drop("aaa")] == ["lint"]
    assert receipts.all() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [('"step": "lint"', '"step": "types"'), ('"made": 1', '"made": 2'), ("}", "")],
)
def test_a_changed_receipt_counts_for_nothing(old: str, new: str, tmp_path: Path) -> None:
    """A receipt whose text was changed or cut is no receipt."""
    receipts = Receipts(tmp_path / "receipts", 7)
    receipts.add(receipt())
    (file,) = (tmp_path / "receipts").glob("*.json")
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    assert receipts.find("f" * 64) is None


def test_a_receipt_under_another_name_counts_for_nothing(tmp_path: Path) -> None:
    """A receipt that was copied to another fingerprint proves nothing there."""
    receipts = Receipts(tmp_path / "receipts", 7)
    receipts.add(receipt())
    (file,) = (tmp_path / "receipts").glob("*.json")
    file.rename(file.with_name(f"{'e' * 64}.json"))
    assert receipts.find("e" * 64) is None


@pytest.mark.parametrize(
    ("step", "content"),
    [
        (STEP, {**CONTENT, "a.py": "100644 9"}),
        (STEP, {**CONTENT, "a.py": "100755 1"}),
        (STEP, {**CONTENT, "c.py": "100644 1"}),
        (STEP, {"c.py": "100644 1"}),
        (replace(STEP, commands=(("ruff", "format"),)), CONTENT),
        (replace(STEP, settings={"X": "1"}), CONTENT),
        (replace(STEP, packages="q"), CONTENT),
        (replace(STEP, inputs=("**/*",)), CONTENT),
    ],
)
def test_what_matters_changes_the_fingerprint(step: PlannedStep, content: dict[str, str]) -> None:
    """Content, names and modes of inputs, commands, settings and packages all count."""
    before = fingerprint.of_step(STEP, CONTENT, PLACE)
    assert fingerprint.of_step(step, content, PLACE) != before


def test_what_does_not_matter_leaves_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no input, the place of the checkout and git's variables do not count."""
    step = replace(STEP, commands=(("ruff", "/a/src"),))
    before = fingerprint.of_step(step, CONTENT, PLACE)
    moved = replace(step, commands=(("ruff", "/tmp/b/src"),))
    monkeypatch.setenv("GIT_DIR", "x")
    monkeypatch.setenv("SHLVL", "7")
    place = Checkout(Path("/tmp/b"), Path("/a"), "abc")
    assert fingerprint.of_step(moved, {**CONTENT, "b.md": "100644 3"}, place) == before


def test_variables_and_programs_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another variable or another build of the program makes another fingerprint."""
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    step = replace(STEP, commands=((str(program),),))
    seen = {fingerprint.of_step(step, CONTENT, PLACE)}
    monkeypatch.setenv("DATABASE_URL", "elsewhere")
    seen.add(fingerprint.of_step(step, CONTENT, PLACE))
    program.write_text("#!/bin/sh\necho 2\n", encoding="utf-8")
    seen.add(fingerprint.of_step(step, CONTENT, PLACE))
    program.unlink()
    seen.add(fingerprint.of_step(step, CONTENT, PLACE))
    assert len(seen) == 4
