"""Gates pass at their limit, fail below it, and do not pass where nothing could be computed."""

from __future__ import annotations

import pytest
from coverage.results import should_fail_under
from hypothesis import given
from hypothesis import strategies as st

from paceline.coverage.check import demand
from paceline.coverage.figures import FileFigures, Total, named, ranges, shown, total
from paceline.coverage.gates import Limits, State, Unknown, belongs, fails, judge, worst
from paceline.errors import CheckFailed, IncompleteEvidence

NOTHING = Unknown("no base")


def figures(
    path: str, executed: int, missing: int, not_taken: frozenset[tuple[int, int]] = frozenset()
) -> FileFigures:
    lines = range(1, executed + missing + 1)
    return FileFigures(
        path,
        frozenset(lines[:executed]),
        frozenset(lines[executed:]),
        not_taken=not_taken,
        statements=frozenset(lines),
    )


FILES = {
    file.path: file for file in (figures("src/pkg/a.py", 9, 1), figures("src/pkg/core/b.py", 5, 5))
}


def states(limits: Limits, changed: object = NOTHING, recorded: object = NOTHING) -> list[State]:
    return [verdict.state for verdict in judge(FILES, limits, changed, recorded)]  # type: ignore[arg-type]


def test_without_limits_nothing_is_judged() -> None:
    """A project that set no limit has no gate, so nothing can fail or be unknown."""
    assert judge(FILES, Limits(), NOTHING, NOTHING) == []


@pytest.mark.parametrize(("limit", "state"), [(70.0, State.PASSED), (70.1, State.FAILED)])
def test_total_on_both_sides_of_its_limit(limit: float, state: State) -> None:
    """A total of 70 % passes a limit of 70 and fails one just above."""
    assert states(Limits(total=limit)) == [state]


def test_a_failed_total_names_files_and_lines() -> None:
    """The verdict names the files that lack most first, with their lines."""
    [verdict] = judge(FILES, Limits(total=90.0), NOTHING, NOTHING)
    assert verdict.text == "70.00 %, fail_under is 90"
    assert verdict.details == ("src/pkg/core/b.py: 6-10", "src/pkg/a.py: 10")


@pytest.mark.parametrize(
    ("path", "limit", "state"),
    [
        ("src/pkg/core", 50.0, State.PASSED),
        ("src/pkg/core/", 51.0, State.FAILED),
        ("src/pkg/a.py", 90.0, State.PASSED),
        ("pkg.core", 51.0, State.FAILED),
        ("pkg", 70.0, State.PASSED),
        ("pkg.a", 91.0, State.FAILED),
        ("src/pkg/cor", 1.0, State.UNKNOWN),
        ("pkg.cor", 1.0, State.UNKNOWN),
    ],
)
def test_paths_and_packages_have_limits_of_their_own(path: str, limit: float, state: State) -> None:
    """A file, folder or package is judged alone; one that names nothing is not passed."""
    assert states(Limits(paths=((path, limit),))) == [state]


def test_an_unknown_path_suggests_a_known_one() -> None:
    """A misspelt folder is answered with the folder that was likely meant."""
    [verdict] = judge(FILES, Limits(paths=(("src/pkg/cor", 1.0),)), NOTHING, NOTHING)
    assert 'did you mean "src/pkg/core"?' in verdict.text


def test_changed_lines_on_both_sides() -> None:
    """Half covered changed lines pass a limit of 50 and fail 51, naming the lines."""
    changed = {"src/pkg/core/b.py": FILES["src/pkg/core/b.py"].on_lines({5, 6})}
    assert states(Limits(changed=50.0), changed) == [State.PASSED]
    [verdict] = judge(FILES, Limits(changed=51.0), changed, NOTHING)
    assert (verdict.state, verdict.details) == (State.FAILED, ("src/pkg/core/b.py: 6",))
    assert states(Limits(changed=100.0), {}) == [State.PASSED]
    assert states(Limits(changed=1.0)) == [State.UNKNOWN]


@pytest.mark.parametrize(
    ("before", "allowed", "state"),
    [
        (Total(100, 70), 0.0, State.PASSED),
        (Total(1000, 705), 0.5, State.PASSED),
        (Total(1000, 706), 0.5, State.FAILED),
        (Total(100, 60), 0.0, State.PASSED),
        (NOTHING, 99.0, State.UNKNOWN),
    ],
)
def test_a_drop_against_the_record(before: Total | Unknown, allowed: float, state: State) -> None:
    """The total may be below the recorded one by what is allowed, and no more."""
    assert states(Limits(drop=allowed), recorded=before) == [state]


def test_failed_outweighs_unknown_outweighs_passed() -> None:
    """A failed gate is a failed check; an unknown one alone is incomplete evidence, code 12."""
    failed, unknown = Limits(total=71.0, changed=1.0), Limits(total=70.0, changed=1.0)
    both = judge(FILES, failed, NOTHING, NOTHING)
    assert worst(both) is State.FAILED
    with pytest.raises(CheckFailed, match="changed lines: not known: no base"):
        demand(tuple(both))
    with pytest.raises(IncompleteEvidence) as caught:
        demand(tuple(judge(FILES, unknown, NOTHING, NOTHING)))
    assert caught.value.exit_code == 12
    demand(tuple(judge(FILES, Limits(total=70.0), NOTHING, NOTHING)))


@given(st.floats(0, 100), st.sampled_from([0.0, 50.0, 89.5, 99.99, 100.0]), st.integers(0, 3))
def test_the_verdict_is_coverages_own(percent: float, limit: float, precision: int) -> None:
    """Whatever the figure, the limit and the precision, coverage itself would say the same."""
    assert fails(percent, limit, precision) == should_fail_under(percent, limit, precision)


@given(st.floats(0, 100))
def test_a_figure_is_never_shown_higher_than_it_is(percent: float) -> None:
    """The text of a percentage is at most the percentage, and 100 only where nothing lacks."""
    text = shown(percent)
    assert float(text.removesuffix(" %")) <= percent + 1e-6
    assert (text == "100.00 %") == (percent == 100.0) or percent > 100 - 1e-6


@pytest.mark.parametrize(
    ("lines", "statements", "expected"),
    [
        ([], [1, 2], []),
        ([1, 2, 5], [1, 2, 5, 9], [(1, 5)]),
        ([1, 5], [1, 2, 5], [(1, 1), (5, 5)]),
        ([2, 4, 9], [1, 2, 4, 8, 9], [(2, 4), (9, 9)]),
    ],
)
def test_lines_are_joined_over_gaps_without_code(
    lines: list[int], statements: list[int], expected: list[tuple[int, int]]
) -> None:
    """Missing lines are one run unless a statement that ran lies between."""
    assert ranges(lines, statements) == expected


def test_branches_are_named_only_where_the_lines_do_not_tell() -> None:
    """A branch to or from a line that did not run is not named beside that line."""
    not_taken = frozenset({(1, 3), (2, -1), (4, 9)})
    assert named(figures("a.py", 3, 1, not_taken)) == "4, 1->3, 2->exit"


def test_an_empty_total_is_covered() -> None:
    """Where there is nothing to cover, nothing lacks."""
    assert total([]).percent == 100.0
    assert total([]).empty


@pytest.mark.parametrize("name", ["src/pkg/core.py", "pkg/core/x.py", "src/pkg/core/y/z.py"])
def test_packages_are_found_with_and_without_src(name: str) -> None:
    """A package's dotted name means its module or folder, in src or beside pyproject.toml."""
    assert belongs(name, "pkg.core")
    assert not belongs(name, "pkg.cor")
