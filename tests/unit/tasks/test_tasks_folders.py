"""How many folders a command line names."""

from __future__ import annotations

import pytest

from paceline.tasks.folders import count


@pytest.mark.parametrize(
    ("command", "folders"),
    [
        ("invoke --list", 0),
        ("invoke durations.merge", 0),
        ("invoke durations.merge a b c", 3),
        ("invoke --echo durations.merge a --into f b", 2),
        ("invoke team.durations.merge a --into=f b", 2),
    ],
)
def test_values_of_options_are_no_folders(command: str, folders: int) -> None:
    """What follows the task's name counts, except options and their values."""
    assert count(command.split()) == folders
