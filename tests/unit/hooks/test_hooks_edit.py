"""Changing the hook configuration as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.errors import ConfigurationError
from paceline.hooks import config, edit

BEFORE = """\
# The hooks.
repos:
- repo: https://example.invalid/style
  rev: v1   # pinned
  hooks:
  - id: style


- repo: local
  hooks:

  # About the tests.

  # a is old
  - id: a
    entry: pytest a   # all of a
    # in here
    files: '#'
  - id: other
    entry: |
      run # no comment

      # no comment either
    name:   "kept  as it is"

  # b is new
  - id: b
    entry: pytest b
  # the end
- repo: local
  hooks:
  # alone
  - id: c
    entry: pytest c
# last
"""
AFTER = """\
# The hooks.
repos:
- repo: https://example.invalid/style
  rev: v1   # pinned
  hooks:
  - id: style


- repo: local
  hooks:

  # About the tests.

  # a is old
  # all of a
  # in here
  # b is new
  # alone
  - id: all
    entry: pytest a b c
    files: |-
      (?x)
      ^a
      | ^b
    stages: [pre-push]
  - id: other
    entry: |
      run # no comment

      # no comment either
    name:   "kept  as it is"

  # the end
# last
"""


def test_all_but_the_named_hooks_keeps_every_character() -> None:
    """Hooks go, one comes in the first one's place; comments, order and other text stay."""
    keys = {
        "id": "all",
        "entry": "pytest a b c",
        "files": "(?x)\n^a\n| ^b",
        "stages": ["pre-push"],
    }
    text = edit.replaced(BEFORE, [edit.Replacement(((1, 0), (1, 2), (2, 0)), keys)])
    assert text == AFTER
    assert config.parse(Path("x"), text).hooks[1].keys == keys


def test_what_cannot_be_taken_out_is_left_out() -> None:
    """Hooks in brackets and hooks with an anchor are not offered for editing."""
    text = "repos:\n- repo: local\n  hooks: [{id: a}]\n- repo: local\n  hooks:\n"
    text += "  - &b\n    id: b\n  - {id: c}\n  -\n    id: d\n"
    assert sorted(edit.items(text)) == [(1, 1), (1, 2)]


def test_a_long_command_is_read_back_as_it_was() -> None:
    """A command that is folded over lines, or needs quotes, means the same when read."""
    entries = [
        f"pytest {' '.join(f'tests/test_{n}.py' for n in range(30))} -k 'a or b'",
        "a: b # c",
    ]
    for entry in entries:
        text = "repos:\n- repo: local\n  hooks:\n  - id: a\n"
        new = edit.replaced(text, [edit.Replacement(((0, 0),), {"id": "a", "entry": entry})])
        assert config.parse(Path("x"), new).hooks[0].entry == entry


def test_stages_are_told() -> None:
    """A hook runs at its stages, old names too, else at the file's, else at all."""
    text = "default_stages: [commit]\nrepos:\n- repo: local\n  hooks:\n  - id: a\n"
    text += "  - {id: b, stages: [push]}\n- repo: https://example.invalid/x\n  hooks:\n  - id: c\n"
    file = config.parse(Path("x"), text)
    assert [hook.id for hook in file.at("pre-push")] == ["b"]
    assert [(hook.id, hook.stages_unknown) for hook in file.at("pre-commit")] == [
        ("a", False),
        ("c", True),
    ]


def test_all_mistakes_are_reported_together() -> None:
    """A file that is no hook configuration is refused with every place that is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        config.parse(Path("x.yaml"), "repos:\n- repo: local\n- hooks: [a, {name: b}, {id: c}]\n")
    assert str(caught.value) == (
        "error: x.yaml: repos[0].hooks: a list of hooks is needed\n"
        'error: x.yaml: repos[1].hooks[0]: a table with an "id" is needed\n'
        'error: x.yaml: repos[1].hooks[1]: a table with an "id" is needed\n'
        "3 problems; nothing was run."
    )
    for text in ("a: [", "[]", "{}"):
        with pytest.raises(ConfigurationError):
            config.parse(Path("x.yaml"), text)


def test_a_project_without_the_file_is_told(tmp_path: Path) -> None:
    """Without a hook configuration the file that is looked for is named."""
    with pytest.raises(ConfigurationError, match=r"\.pre-commit-config\.yaml.*not found"):
        config.read(tmp_path)
