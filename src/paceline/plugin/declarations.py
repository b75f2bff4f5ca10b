"""What a project declares for its tests: inputs that cannot be seen, and tests that always run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paceline.errors import ConfigurationError

if TYPE_CHECKING:
    from paceline.config.model import Group
    from paceline.impact.building import Declared

MARKERS = (
    "inputs(*patterns): files that the test depends on beyond what can be seen",
    "always: run this test whatever changed",
)


def declarations(items: Sequence[pytest.Item], root: Path) -> dict[str, Declared]:
    """Return what markers and the groups of `[tool.paceline]` declare, by test.

    Raises pytest.UsageError if the configuration is wrong: a misspelt input would be missed.
    """
    from paceline.impact.building import Declared

    groups = _groups_with_inputs(root)
    found: dict[str, Declared] = {}
    for item in items:
        patterns = [
            str(pattern) for marker in item.iter_markers("inputs") for pattern in marker.args
        ]
        # A group's marker expression is left aside: an input too many only runs more.
        patterns += [
            pattern for group in groups if _holds(group, item, root) for pattern in group.inputs
        ]
        always = item.get_closest_marker("always") is not None
        if patterns or always:
            found[item.nodeid] = Declared(tuple(patterns), always)
    return found


def _groups_with_inputs(root: Path) -> list[Group]:
    settings = root / "pyproject.toml"
    if not settings.is_file() or b"paceline" not in settings.read_bytes():
        return []  # as nobody declared any, the reading of settings is not even imported
    from paceline.config.loading import load

    try:
        groups = load(root).groups
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error
    return [group for group in groups if group.inputs]


def _holds(group: Group, item: pytest.Item, root: Path) -> bool:
    return not group.paths or any(item.path.is_relative_to(root / path) for path in group.paths)
