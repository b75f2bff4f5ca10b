"""Joining the patterns that start hooks, and turning them into globs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.hooks import patterns
from paceline.prepush.steps import matches

PATTERNS = st.sampled_from(
    [
        "",
        "^src/",
        "^src",
        "src/",
        r"\.py$",
        r"\.(md|rst)$",
        r"\.ya?ml$",
        r"^(src|tests)/.*\.py$",
        r"^deploy/a\.yaml$",
        r"^docs/.*/x\.md$",
        "^a|b$",
        "(?i)^SRC/",
        "(?x)^( src/ | docs/ )",
        "(?x)\n^src/  # code\n| ^docs/\n",
        r"[.]py$",
        r"src/\w+",
        "a b",
        "^a#b",
    ]
)
PARTS = st.sampled_from(["src", "docs", "a", "b", "a#b", "a b", "srcs", "deploy"])
PATHS = st.tuples(
    st.lists(PARTS, max_size=3), PARTS, st.sampled_from(["", ".py", ".md", ".yaml", ".yml"])
).map(lambda found: "/".join([*found[0], found[1] + found[2]]))


@given(st.lists(PATTERNS, min_size=1, max_size=5), PATHS)
def test_a_joined_pattern_finds_what_any_of_its_parts_finds(parts: list[str], path: str) -> None:
    """A joined pattern finds a path if and only if one of its parts does."""
    joined = patterns.join(parts)
    assert bool(re.search(joined, path)) == any(re.search(part, path) for part in parts)


@given(PATTERNS, PATHS)
def test_globs_match_at_least_what_the_pattern_finds(pattern: str, path: str) -> None:
    """No path that starts a hook is lost when its pattern becomes globs."""
    if re.search(pattern, path):
        assert matches(path, patterns.globs(pattern))


@pytest.mark.parametrize(
    ("pattern", "globs"),
    [
        ("^src/", ("src/**",)),
        (r"^(src|tests)/.*\.py$", ("src/**/*.py", "tests/**/*.py")),
        (r"\.ya?ml$", ("**/*.yaml", "**/*.yml")),
        (r"(?x)^deploy/a\.yaml$ | \.md$", ("deploy/a.yaml", "**/*.md")),
        ("(^docs/|README)", ("**/*",)),
    ],
)
def test_plain_patterns_become_narrow_globs(pattern: str, globs: tuple[str, ...]) -> None:
    """Folders, files and suffixes become themselves; what is not understood, everything."""
    assert patterns.globs(pattern) == globs


def test_patterns_that_cannot_be_joined_are_told() -> None:
    """A pattern with a reference to its own groups, or none at all, is not joined."""
    assert patterns.joinable("^src/")
    assert not patterns.joinable(r"(a)\1")
    assert not patterns.joinable("(")
    assert "'('" in patterns.problem("(")
