"""What the shards did, for people: Markdown and annotations that no test id can break."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.ci.summary import annotate, markdown, read_shards
from paceline.sharding import result
from paceline.sharding.result import ShardResult

NASTY = "tests/a,b:c.py::test_x[%0A$(id)\n::error::`${{ secrets.X }}`|]"


def shard(root: Path, index: int, outcomes: dict[str, str]) -> ShardResult:
    folder = root / "unit" / f"{index}of2"
    folder.mkdir(parents=True)
    tests = tuple(outcomes)
    ran = dict.fromkeys(tests, 1)
    found = ShardResult(
        "unit", index, 2, "3.11", None, False, "d", tests, tests, ran, outcomes, 0, True, folder
    )
    result.write(found)
    return found


def test_the_summary(tmp_path: Path) -> None:
    """Each shard has a row, and each failed test its line."""
    shard(tmp_path, 1, {"tests/a.py::test_a": "passed"})
    shard(tmp_path, 2, {"tests/a.py::test_b": "failed"})
    (tmp_path / "unit" / "1of2" / "durations.json").write_text('{"tests/a.py::test_a": 1.25}')
    assert markdown(*read_shards(tmp_path)) == (
        """\
### Tests

| group | shard | tests | failed | seconds |
|---|---|--:|--:|--:|
| unit | 1of2 | 1 | 0 | 1.2 |
| unit | 2of2 | 1 | 1 | 0.0 |

- `tests/a.py::test_b`
"""
    )


def test_a_broken_shard_is_named(tmp_path: Path) -> None:
    """A result that cannot be read is said to be so; nothing at all is said as well."""
    shard(tmp_path, 1, {})
    (tmp_path / "unit" / "1of2" / "tests.json").write_text("{")
    shards, problems = read_shards(tmp_path)
    assert "unit 1of2: left no usable result" in markdown(shards, problems)
    assert "No shard left a result." in markdown(*read_shards(tmp_path / "none"))


def test_no_test_id_ends_its_line(tmp_path: Path) -> None:
    """Line ends, backticks, percent and workflow commands in a test id stay text."""
    shard(tmp_path, 1, {NASTY: "failed"})
    found, problems = read_shards(tmp_path)
    text = markdown(found, problems)
    assert len([line for line in text.splitlines() if "$(id)" in line]) == 1
    assert text.splitlines()[-1].startswith("- `` tests/a,b:c.py::test_x[")
    commands = annotate(found)
    assert len(commands) == len("".join(commands).splitlines()) == 1
    assert commands[0].startswith("::error file=tests/a%2Cb%3Ac.py,title=test failed::")
    assert "%250A" in commands[0]


@pytest.mark.parametrize("count", [0, 10, 30])
def test_many_failures_are_cut_short(tmp_path: Path, count: int) -> None:
    """Ten are named; the rest are counted."""
    found = [shard(tmp_path, 1, {f"t.py::test_{n:02}": "failed" for n in range(count)})]
    assert len(annotate(found)) == min(count, 10)
    assert ("and 20 more" in markdown(found, [])) == (count == 30)
