"""The proof: each way in which shards can fail to prove something has its message."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paceline.errors import IncompleteEvidence
from paceline.sharding.proof import prove
from paceline.sharding.result import ShardResult, discover, read, write

TESTS = ("a", "b", "c", "d")


def shard(index: int, total: int = 2, **changes: Any) -> ShardResult:
    """Return a good result of one shard of two, with `changes`."""
    selected = TESTS[(index - 1) * 2 : index * 2]
    result = ShardResult(
        group="unit",
        index=index,
        total=total,
        python="3.12",
        commit="abc",
        dirty=False,
        plan_digest="0123456789abcdef",
        collected=TESTS,
        selected=selected,
        ran=dict.fromkeys(selected, 1),
        outcomes=dict.fromkeys(selected, "passed"),
        exit_code=0,
        coverage=True,
        folder=Path(f"{index}of{total}"),
    )
    return replace(result, **changes)


def problems(*results: ShardResult) -> tuple[str, ...]:
    """Return the problems the proof finds."""
    with pytest.raises(IncompleteEvidence) as caught:
        prove(results)
    return caught.value.problems


def test_complete_shards_are_proof() -> None:
    """Two shards that ran everything once prove it, in any order and with failures."""
    prove([shard(2, exit_code=1), shard(1)])


def test_no_result_is_no_proof() -> None:
    """Without any result nothing is proved."""
    assert problems() == ("no shard has a result",)


def test_missing_shard_is_the_only_message() -> None:
    """A missing shard is named, without its tests as further noise."""
    assert problems(shard(1)) == ("shard 2of2 is missing: it has no result",)


def test_two_results_for_a_shard_are_named() -> None:
    """A shard that reported twice is one problem, not one for each of its tests."""
    assert problems(shard(1), shard(1), shard(2)) == ("shard 1of2 has 2 results, expected one",)


def test_mixed_totals_are_named() -> None:
    """Results of two different divisions prove nothing together."""
    found = problems(shard(1), shard(2), shard(3, total=3, selected=(), ran={}))
    assert "different shard counts are mixed: shard 1of2, shard 2of2, shard 3of3" in found[0]
    assert "shard 1of3 is missing: it has no result" in found
    assert "shard 2of3 is missing: it has no result" in found


def test_shard_beyond_the_total_is_named() -> None:
    """A third shard of two does not exist."""
    found = problems(shard(1), shard(2), shard(3, selected=(), ran={}))
    assert found == ("shard 3of2 does not exist: shards are numbered 1 to 2",)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"plan_digest": "ffff"}, "plans: 0123456789abcdef in shard 1of2; ffff in shard 2of2"),
        ({"commit": "def"}, "commits: abc in shard 1of2; def in shard 2of2"),
        ({"commit": None}, "commits: abc in shard 1of2; no commit in shard 2of2"),
        ({"python": "3.13"}, "Pythons: 3.12 in shard 1of2; 3.13 in shard 2of2"),
        ({"group": "slow"}, "groups: unit in shard 1of2; slow in shard 2of2"),
    ],
)
def test_disagreement_names_the_shards(changes: dict[str, Any], kind: str) -> None:
    """Shards of different plans, commits, Pythons or groups are named with what they had."""
    assert problems(shard(1), shard(2, **changes)) == (f"the shards have different {kind}",)


def test_different_collections_name_tests_and_shard() -> None:
    """Who did not collect what is named, ten tests at most."""
    more = (*TESTS, *(f"n{i:02}" for i in range(12)))
    ran = more[2:]
    found = problems(shard(1), shard(2, collected=more, selected=ran, ran=dict.fromkeys(ran, 1)))
    names = ", ".join(f"n{i:02}" for i in range(10))
    assert found == (f"shard 1of2 did not collect {names} and 2 more, which another shard did",)


def test_test_in_no_shard_is_named() -> None:
    """A collected test that nobody selected is named."""
    found = problems(shard(1), shard(2, selected=("c",), ran={"c": 1}))
    assert found == ("in no shard (1of2, 2of2): d",)


def test_test_in_two_shards_is_named() -> None:
    """A test that two shards selected is named with both."""
    both = ("b", "c", "d")
    found = problems(shard(1), shard(2, selected=both, ran=dict.fromkeys(both, 1)))
    assert found == ("in more than one shard (1of2, 2of2): b",)


@pytest.mark.parametrize("ran", [{"c": 1}, {"c": 1, "d": 0}])
def test_test_that_did_not_run_is_named(ran: dict[str, int]) -> None:
    """A selected test that did not run is named with its shard."""
    assert problems(shard(1), shard(2, ran=ran)) == ("shard 2of2 did not run d",)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ran": {"c": 1, "d": 2}}, "shard 2of2 ran more than once d"),
        ({"ran": {"c": 1, "d": 1, "x": 1}}, "shard 2of2 ran without selecting x"),
        ({"selected": ("c", "d", "d")}, "shard 2of2 selected more than once d"),
        ({"exit_code": None}, "shard 2of2 did not finish: it has no exit code"),
    ],
)
def test_irregular_run_names_the_shard(changes: dict[str, Any], text: str) -> None:
    """What one shard did wrong by itself is said with its name."""
    assert problems(shard(1), shard(2, **changes)) == (text,)


def test_selected_but_never_collected_is_named() -> None:
    """A test of the plan that is not there any more is named."""
    found = problems(shard(1), shard(2, selected=("c", "d", "x"), ran={"c": 1, "d": 1}))
    assert found == (
        "shard 2of2 selected without collecting x",
        "shard 2of2 did not run x",
    )


def test_all_problems_are_listed_at_once() -> None:
    """One run shows everything that is wrong."""
    found = problems(
        shard(1, total=3, exit_code=None, ran={}), shard(3, total=3, commit="x", selected=())
    )
    assert found == (
        "shard 2of3 is missing: it has no result",
        "the shards have different commits: abc in shard 1of3; x in shard 3of3",
        "shard 1of3 did not finish: it has no exit code",
        "shard 1of3 did not run a, b",
    )


def test_result_survives_its_file(tmp_path: Path) -> None:
    """A result is the same after writing and reading."""
    for code, commit in ((0, "abc"), (None, None)):
        result = shard(1, folder=tmp_path / "1of2", exit_code=code, commit=commit)
        write(result)
        assert read(tmp_path / "1of2") == result


@pytest.mark.parametrize(
    "change",
    [
        "{",
        "[]",
        "version=1",
        "index=null",
        "index=true",
        "total=1.5",
        "ran=[]",
        'ran={"a": "1"}',
        'outcomes={"a": 1}',
        "collected=3",
        "selected=[1]",
        "dirty=0",
        "group=1",
        "commit=1",
        'exit_code="0"',
        "coverage=null",
        "wall_seconds=null",
        "plan_digest",
    ],
)
def test_damaged_result_names_the_folder(tmp_path: Path, change: str) -> None:
    """A result that cannot be trusted is incomplete evidence and names its folder."""
    folder = tmp_path / "1of2"
    write(shard(1, folder=folder))
    file = folder / "tests.json"
    if change in ("{", "[]"):
        file.write_text(change, encoding="utf-8")
    else:
        data = json.loads(file.read_text(encoding="utf-8"))
        key, _, value = change.partition("=")
        del data[key]
        if value:
            data[key] = json.loads(value)
        file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(IncompleteEvidence) as caught:
        read(folder)
    assert str(folder) in str(caught.value)


def test_absent_result_names_the_folder(tmp_path: Path) -> None:
    """A folder without a result is incomplete evidence."""
    with pytest.raises(IncompleteEvidence, match="9of9"):
        read(tmp_path / "9of9")


def test_folders_are_found_in_numeric_order(tmp_path: Path) -> None:
    """Shard 10 comes after shard 2, and what is no shard is not found."""
    for name in ("10of12", "2of12", "1of12", "0of2", "xof2", "1of2.old", "merged"):
        (tmp_path / name).mkdir()
    (tmp_path / "3of12").write_text("a file", encoding="utf-8")
    assert [path.name for path in discover(tmp_path)] == ["1of12", "2of12", "10of12"]
    assert discover(tmp_path / "none") == []
