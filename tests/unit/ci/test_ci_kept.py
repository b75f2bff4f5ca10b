"""Parts of the generated files that people keep by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.ci.files import drift, generated, kept_by_hand, write
from paceline.ci.parity import compare
from paceline.config.model import Config
from paceline.errors import CheckFailed

MINE = "  mine:\n    runs-on: ubuntu-24.04\n    steps: []\n"
END = "  # end of kept by hand: jobs\n"


def fill(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(END, text + END), encoding="utf-8")


def test_a_region_survives_regeneration(config: Config) -> None:
    """A job written by hand into one of GitHub's two files stays, in both."""
    write(config)
    fill(config.root / ".github/workflows/paceline.yml", MINE)
    assert write(config) == [Path("ci/github.yml")]
    assert drift(config) == ""
    assert MINE in generated(config)[Path("ci/github.yml")]
    assert MINE in (config.root / "ci/github.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
def test_line_ends_of_an_editor_do_no_harm(config: Config, ends: bytes) -> None:
    """A file with other line ends is drift once; its region is kept all the same."""
    write(config)
    path = config.root / "ci/gitlab-ci.yml"
    text = path.read_bytes().replace(b"# end of", b"mine:\n  script: [true]\n# end of")
    path.write_bytes(text.replace(b"\n", ends))
    write(config)
    assert drift(config) == ""
    assert b"\nmine:\n  script: [true]\n# end of" in path.read_bytes()


def test_regions_that_differ_are_refused(config: Config) -> None:
    """Where both of GitHub's files have a region of their own, neither is overwritten."""
    write(config)
    fill(config.root / ".github/workflows/paceline.yml", MINE)
    fill(config.root / "ci/github.yml", MINE.replace("mine", "yours"))
    with pytest.raises(CheckFailed, match="differ in the region 'jobs'"):
        write(config)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (END, "", "does not end the region 'jobs'"),
        (END, "# end of kept by hand: other\n", "ends a region that it does not begin"),
        (END, "# kept by hand: jobs\n" + END, "begins a region twice"),
        ("kept by hand: jobs", "kept by hand: old", "not generated any more"),
    ],
)
def test_a_damaged_region_is_refused(config: Config, old: str, new: str, message: str) -> None:
    """Rather than guess what belongs to a region, nothing is written."""
    write(config)
    path = config.root / "ci/github.yml"
    text = path.read_text(encoding="utf-8").replace(old, new)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CheckFailed, match=message):
        write(config)
    assert path.read_text(encoding="utf-8") == text


def test_jobs_kept_by_hand_are_named(config: Config) -> None:
    """Parity names a job that people wrote, and says that the gate does not know it."""
    write(config)
    fill(config.root / ".github/workflows/paceline.yml", MINE)
    lines = compare(config, kept_by_hand(config))
    found = next(line for line in lines if line.name == "mine")
    assert found.side == "ci"
    assert ".github/workflows/paceline.yml: the gate does not know it" in found.note


def test_parity_of_both_sides(config: Config) -> None:
    """Steps that run here and in CI, and those of one side only, are told apart."""
    sides = {line.name: line.side for line in compare(config, {})}
    assert {name for name, side in sides.items() if side == "both"} == {
        "deps",
        "lint",
        "types",
        "tests-unit",
        "tests-db",
    }
    assert {name for name, side in sides.items() if side == "ci"} == {
        "plan",
        "coverage",
        "required",
    }
    assert sides["hooks"] == "local"
    assert sides["security"] == "none"
