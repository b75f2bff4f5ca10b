"""Writing the pipeline files and finding drift."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from paceline.ci.files import drift, generated, write
from paceline.ci.text import quote
from paceline.config.model import Ci, Config


def test_files_of_each_provider(config: Config) -> None:
    """GitHub's workflow is written twice with one text, the others once."""
    files = generated(config)
    assert [path.as_posix() for path in files] == [
        "ci/github.yml",
        ".github/workflows/paceline.yml",
        "ci/gitlab-ci.yml",
        "ci/woodpecker.yml",
        "ci/Dockerfile.test",
    ]
    assert files[Path("ci/github.yml")] == files[Path(".github/workflows/paceline.yml")]
    assert all(text.splitlines()[1].endswith("invoke ci.generate") for text in files.values())


def test_only_configured_providers(config: Config) -> None:
    """A provider that is not configured gets no file."""
    only = dataclasses.replace(config, ci=Ci(providers=("gitlab",)))
    assert list(generated(only)) == [Path("ci/gitlab-ci.yml"), Path("ci/Dockerfile.test")]


def test_no_drift_after_write(config: Config) -> None:
    """What was just written is equal, and a second write changes nothing."""
    assert len(write(config)) == 5
    assert drift(config) == ""
    assert write(config) == []


def test_missing_file_is_drift(config: Config) -> None:
    """A pipeline file that was never written shows as added."""
    assert "--- /dev/null\n+++ b/ci/gitlab-ci.yml\n" in drift(config)


def test_empty_file_is_drift(config: Config) -> None:
    """An emptied file is not taken for a missing one, and is drift all the same."""
    write(config)
    (config.root / "ci/woodpecker.yml").write_text("")
    assert drift(config).startswith("--- a/ci/woodpecker.yml\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"fail-fast: false", b"fail-fast: true"), (b"\n", b"\r\n"), (b"name", b"\xff")],
)
def test_edit_is_drift(config: Config, old: bytes, new: bytes) -> None:
    """An edit by hand shows, also one of line ends or bytes only."""
    write(config)
    path = config.root / "ci/github.yml"
    path.write_bytes(path.read_bytes().replace(old, new))
    assert drift(config).startswith("--- a/ci/github.yml\n+++ b/ci/github.yml\n@@")
    assert write(config) == [Path("ci/github.yml")]
    assert drift(config) == ""


@pytest.mark.parametrize(
    "text", ["plain", "it's", "a: b # c", "yes", "3.10", "- x", "a\nb", "\x00"]
)
def test_quote_keeps_any_text(text: str) -> None:
    """A YAML parser reads back exactly the string that was quoted."""
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(quote(text)) == text
