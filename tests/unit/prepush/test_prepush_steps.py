"""Planning: which steps a change needs."""

from __future__ import annotations

import glob
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.config.model import Step
from paceline.git import Change
from paceline.prepush.steps import matches, plan_step

# as in git's output: no component is "." or ".."
NAMES = st.text(alphabet="ab.*[?é", min_size=1, max_size=4).filter(
    lambda name: "**" not in name and name.strip(".")
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
GLOBS = st.lists(st.sampled_from(["a", "*", "**", "a*", "?b"]), min_size=1, max_size=4)
STEP = Step("lint", (("ruff", "check"),), inputs=("**/*.py", "*.toml"))


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a.py", "**/*.py", True),
        ("x/a.py", "**/*.py", True),
        ("x/y/a.py", "**/*.py", True),
        ("x/a.pyi", "**/*.py", False),
        ("pyproject.toml", "*.toml", True),
        ("x/pyproject.toml", "*.toml", False),
        ("src", "src/**", False),
        ("src/a/b", "src/**", True),
        ("src/a/b", "src/", True),
        ("src/a/b.py", "./src/**/*.py", True),
        ("src/b.py", "src/**/*.py", True),
        ("srcs/b.py", "src/**", False),
        (".hidden/x", "**/*", True),
        ("A.py", "*.py", True),
        ("a.PY", "*.py", False),
        ("a/b", "a[!x]b", False),
        ("axb", "a[xy]b", True),
        ("lib/", "lib/**", True),
        ("lib/", "lib/", True),
        ("lib/", "lib/x/*.py", True),
        ("lib/", "**/*.py", True),
        ("lib/", "lib", False),
        ("lib/", "src/**", False),
    ],
)
def test_globs(path: str, pattern: str, expected: bool) -> None:
    """A glob matches the paths its documentation says, and no others."""
    assert matches(path, [pattern]) is expected


@given(PATHS)
def test_every_path_matches_itself_and_everything(path: str) -> None:
    """An escaped path, `**` and `**/*` match the path."""
    assert matches(path, [glob.escape(path)])
    assert matches(path, ["**"])
    assert matches(path, ["**/*"])


@given(PATHS, NAMES)
def test_star_stays_in_its_folder(path: str, name: str) -> None:
    """`*` matches a path only if it has one component."""
    assert matches(path, ["*"]) is ("/" not in path)
    assert not matches(f"{path}/{name}", [glob.escape(path)])


def as_regex(parts: list[str]) -> str:
    """Translate a glob independently of the implementation."""
    text = "/".join(parts)
    text = re.sub(r"(\*\*/)+", "\0", text)
    text = re.sub(r"^\*\*$|(?<=[\0/])\*\*$", "\1", text)
    for old, new in (("*", "[^/]*"), ("?", "[^/]"), ("\0", "([^/]+/)*"), ("\1", ".+")):
        text = text.replace(old, new)
    return text


@given(PATHS, GLOBS)
def test_globs_agree_with_a_regex(path: str, parts: list[str]) -> None:
    """Matching agrees with an independent translation into a regular expression."""
    expected = re.fullmatch(as_regex(parts), path, re.DOTALL) is not None
    assert matches(path, ["/".join(parts)]) is expected


def test_unchanged_inputs_skip_the_step() -> None:
    """A step none of whose inputs changed is skipped, with what was compared."""
    change = Change(frozenset({"docs/a.md", "x/b.toml"}), "against origin/main")
    planned = plan_step(STEP, change, full=False)
    assert planned.skip == "no input changed against origin/main"
    assert planned.verdict_if_skipped == "skipped"


@pytest.mark.parametrize(
    ("files", "full"),
    [(frozenset({"a.py"}), False), (None, False), (frozenset(), True)],
)
def test_step_runs(files: frozenset[str] | None, full: bool) -> None:
    """A changed input, an unknown change or a full run each make the step run."""
    planned = plan_step(STEP, Change(files, "why"), full)
    assert (planned.skip, planned.commands) == ("", STEP.run)


@pytest.mark.parametrize("full", [True, False])
def test_step_without_commands_is_not_set_up(full: bool) -> None:
    """A step with nothing to run says what is missing, however much is asked for."""
    planned = plan_step(Step("types", missing="no mypy settings"), Change(None, ""), full)
    assert (planned.skip, planned.verdict_if_skipped) == ("no mypy settings", "not set up")
