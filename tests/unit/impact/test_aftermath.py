"""What tests of a run leave behind, and which of the tests that were left out that concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.impact import inputs, source
from paceline.impact.aftermath import Traces, also_affected, givers, overwritten, too_early
from paceline.impact.giving import as_value, from_value
from paceline.impact.order import FileOrder
from paceline.impact.recorder import Kind, Need
from paceline.impact.records import NeedRecord, Records, SegmentRecord, SourceRecord, TestRecord
from paceline.impact.scope import Scope
from paceline.impact.usage import Usage

USER = "import app\n\n\ndef test_user():\n    assert app.KEPT\n\n\ndef test_other():\n    pass\n"
TESTS = ("test_app.py::test_giver", "test_app.py::test_user", "test_app.py::test_other")


def segment(kind: Kind, name: str, **fields: object) -> SegmentRecord:
    empty: dict[str, object] = {"code": {}, "needs": (), "links": (), "imports": ()}
    sets = {"modules": frozenset(), "missing": frozenset(), "unseen": ()}
    return SegmentRecord(kind, name, **{**empty, **sets, **fields})  # type: ignore[arg-type]


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    (tmp_path / "test_app.py").write_text(USER, encoding="utf-8")
    (tmp_path / "data.txt").write_text("1", encoding="utf-8")
    return Scope(tmp_path)


def known(scope: Scope, *more: SegmentRecord, giver: tuple[int, ...] = ()) -> Records:
    """A giver; a user, whose code mentions KEPT and which reads data.txt and MODE; another test."""
    text = (scope.root / "test_app.py").read_bytes()
    data = inputs.value(Need.CONTENT, str(scope.root / "data.txt"))
    needs = {
        1: NeedRecord(Need.CONTENT, "data.txt", data),
        2: NeedRecord(Need.VARIABLE, "MODE", inputs.ABSENT),
        3: NeedRecord(Need.STATE, ".", as_value({"KEPT": {1, 2}})),
        4: NeedRecord(Need.WRITTEN, "data.txt", ""),
        5: NeedRecord(Need.NAME, "MADE", ""),
    }
    segments = {
        1: segment(Kind.TEST, TESTS[0], needs=giver),
        2: segment(Kind.TEST, TESTS[1], code={1: 0b10}, needs=(1, 2), links=(4,)),
        3: segment(Kind.TEST, TESTS[2], code={1: 0b100}),
        4: segment(Kind.FIXTURE, "::box", needs=(5,)),
        **dict(enumerate(more, 5)),
    }
    tests = {name: TestRecord("passed", 0.1, number) for number, name in enumerate(TESTS, 1)}
    sources = {1: SourceRecord("test_app.py", inputs.digest(text), source.parse(text))}
    return Records(tests, segments, sources, needs)


def usage(scope: Scope, giver: tuple[int, ...] = ()) -> Usage:
    return Usage(known(scope, giver=giver))


def traces(**left: object) -> Traces:
    empty: dict[str, object] = {"written": {}, "changed": {}, "counts": {}}
    places = {name: place for place, name in enumerate(TESTS)}
    return Traces(**{**empty, "places": places, "order": FileOrder(), **left})  # type: ignore[arg-type]


def affected(scope: Scope, records: Records, left: Traces) -> set[str]:
    return set(also_affected(Usage(records), TESTS[1:], left, scope, {}))


@pytest.mark.parametrize(("text", "tests"), [("2", {TESTS[1]}), ("1", set())])
def test_a_file_that_a_test_wrote_concerns_who_reads_it(
    scope: Scope, text: str, tests: set[str]
) -> None:
    """Only another content is a change."""
    records = known(scope)
    (scope.root / "data.txt").write_text(text, encoding="utf-8")
    left = traces(written={str(scope.root / "data.txt"): frozenset((TESTS[0],))})
    assert affected(scope, records, left) == tests
    assert givers(Usage(records), left, scope) == {TESTS[0]}
    left = traces(written={str(scope.root / "data.txt"): frozenset(("a fixture",))})
    assert givers(Usage(records), left, scope) == set()


def test_a_file_that_nobody_looks_at_concerns_nobody(scope: Scope) -> None:
    """Nor has who wrote it to run again with others."""
    left = traces(written={str(scope.root / "more" / "own.txt"): frozenset((TESTS[0],))})
    assert affected(scope, known(scope), left) == set()
    assert givers(usage(scope), left, scope) == set()


def test_what_the_same_test_wrote_before_concerns_nobody(scope: Scope) -> None:
    """A file that differs at every turn makes its readers run no more often."""
    records = known(scope, giver=(4,))
    (scope.root / "data.txt").write_text("2", encoding="utf-8")
    written = {str(scope.root / "data.txt"): frozenset((TESTS[0],))}
    assert affected(scope, records, traces(written=written)) == set()
    assert givers(Usage(records), traces(written=written), scope) == set()


@pytest.mark.parametrize(
    ("label", "tests"),
    [("KEPT", {TESTS[1]}), ("MODE", {TESTS[1]}), ("MADE", {TESTS[1]}), ("NOBODY", set())],
)
def test_state_that_none_changed_before_concerns_who_may_use_it(
    scope: Scope, label: str, tests: set[str]
) -> None:
    """By its name in code, by a variable, or by a name in code that was made at run time."""
    left = traces(changed={(label,): {TESTS[0]: frozenset()}})
    assert affected(scope, known(scope), left) == tests
    assert givers(usage(scope), left, scope) == {TESTS[0]}


@pytest.mark.parametrize("added", [(), (1,), (1, 2)])
def test_state_that_one_changed_before_it_concerns_nobody(
    scope: Scope, added: tuple[int, ...]
) -> None:
    """A test that fills a cache alone only does what one before it did else."""
    left = traces(changed={("KEPT",): {TESTS[2]: frozenset(added)}})
    assert affected(scope, known(scope, giver=(3,)), left) == set()
    assert givers(usage(scope, giver=(3,)), left, scope) == frozenset()


def test_what_none_added_before_concerns_who_may_use_it(scope: Scope) -> None:
    """With the others it would come on top of what they added."""
    left = traces(changed={("KEPT",): {TESTS[2]: frozenset((1, 3))}})
    assert affected(scope, known(scope, giver=(3,)), left) == {TESTS[1]}
    assert givers(usage(scope, giver=(3,)), left, scope) == {TESTS[2]}
    assert too_early(usage(scope, giver=(3,)), left) == {TESTS[2]}


def test_who_ran_after_those_that_began_did_not_run_too_early(scope: Scope) -> None:
    """Then the others find what they would find in a full run."""
    changed = {TESTS[0]: frozenset((1, 2)), TESTS[2]: frozenset((3,))}
    left = traces(changed={("KEPT",): changed})
    assert affected(scope, known(scope, giver=(3,)), left) == {TESTS[1]}
    assert too_early(usage(scope, giver=(3,)), left) == frozenset()


@pytest.mark.parametrize("lost", [("KEPT", TESTS[2]), ("KEPT", TESTS[0]), None])
def test_what_was_put_back_after_a_user_runs_once_more_before_it(
    scope: Scope, lost: tuple[str, str] | None
) -> None:
    """If something may have gone there that was set; what was only added to is as it would be."""
    changed = {TESTS[0]: frozenset((1,)), TESTS[2]: frozenset((2,))}
    gone = frozenset({((lost[0],), lost[1])} if lost else ())
    left = traces(changed={("KEPT",): changed}, lost=gone)
    found = also_affected(usage(scope), [TESTS[1]], left, scope, {})
    assert found.keys() == {TESTS[1]}
    again = {TESTS[0], TESTS[2]} if lost == ("KEPT", TESTS[2]) else set()
    assert overwritten(usage(scope), left, scope, found) == again


def test_an_import_comes_before_all_tests(scope: Scope) -> None:
    """That a file with a later name changed the state as well makes no test less between."""
    changed = dict.fromkeys(("test_z.py", TESTS[0], TESTS[2]), frozenset((1,)))
    left = traces(changed={("KEPT",): changed}, lost={(("KEPT",), TESTS[2])})
    found = also_affected(usage(scope), [TESTS[1]], left, scope, {})
    assert overwritten(usage(scope), left, scope, found) == {TESTS[0], TESTS[2]}


@pytest.mark.parametrize(
    ("writers", "readers", "again"),
    [
        ({0, 2}, {TESTS[1]}, {TESTS[0], TESTS[2]}),
        ({0}, set(), set()),  # what is there now is what it found
        ({1, 2}, {TESTS[1]}, set()),  # no reader is between
    ],
)
def test_a_file_that_was_put_back_concerns_who_reads_it(
    scope: Scope, writers: set[int], readers: set[str], again: set[str]
) -> None:
    """It finds what the first writer wrote, in a full run."""
    names = frozenset(TESTS[number] for number in writers)
    left = traces(written={str(scope.root / "data.txt"): names})
    found = also_affected(usage(scope), [TESTS[1]], left, scope, {})
    assert found.keys() == readers
    assert overwritten(usage(scope), left, scope, found) == again


@pytest.mark.parametrize(
    ("node", "giver", "again"),
    [
        ("test_app.py", TESTS[0], {TESTS[0]}),
        ("test_app.py", TESTS[2], set()),  # it comes after the user
        ("test_app.py::TestClass", TESTS[0], set()),
        ("test_other.py", TESTS[0], set()),
    ],
)
def test_a_fixture_that_has_ended_begins_anew_with_who_left_something(
    scope: Scope, node: str, giver: str, again: set[str]
) -> None:
    """For a user of the same module, class or folder; else it has ended in a full run as well."""
    left = traces(changed={("KEPT",): {giver: frozenset((1,))}}, ended={node})
    found = also_affected(usage(scope), [TESTS[1]], left, scope, {})
    assert overwritten(usage(scope), left, scope, found) == again


def test_a_shared_file_concerns_who_looks_at_it(scope: Scope) -> None:
    """What is there now is not compared; who wrote it before changes nothing for the others."""
    name = "f in a folder of ::box"
    records = known(scope)
    needs = {**records.needs, 9: NeedRecord(Need.SHARED, name, "")}
    user = segment(Kind.TEST, TESTS[1], needs=(9,))
    segments = {**records.segments, 2: user}
    records = Records(records.tests, segments, records.sources, needs)
    left = traces(written={name: frozenset({TESTS[0]})})
    assert affected(scope, records, left) == {TESTS[1]}
    needs[10] = NeedRecord(Need.WRITTEN, name, "")
    segments[1] = segment(Kind.TEST, TESTS[0], needs=(10,))
    assert affected(scope, records, left) == set()


def test_damaged_state_is_that_of_nobody() -> None:
    """More tests run then."""
    assert from_value(as_value({"KEPT": {1, 2}})) == {"KEPT": {1, 2}}
    assert from_value("KEPT") == from_value("[1]") == from_value('{"KEPT": 1}') == {}


def test_what_the_same_test_adds_instead_concerns_nobody_else(scope: Scope) -> None:
    """Who uses what it left was affected with it already."""
    left = traces(changed={("KEPT",): {TESTS[0]: frozenset((3,))}})
    assert affected(scope, known(scope, giver=(3,)), left) == set()


def test_a_module_that_is_imported_late_may_use_state(scope: Scope) -> None:
    """Who imports such a module while tests run is concerned as well."""
    late = segment(Kind.IMPORT, "late.py", code={1: 0b10})
    user = segment(Kind.FIXTURE, "::late", imports=("late.py",))
    records = known(scope, late, user)
    segments = {**records.segments, 3: segment(Kind.TEST, TESTS[2], links=(6,))}
    records = Records(records.tests, segments, records.sources, records.needs)
    left = traces(changed={("KEPT",): {TESTS[0]: frozenset()}})
    assert affected(scope, records, left) == {TESTS[1], TESTS[2]}


def test_files_that_were_not_collected_come_in_the_order_of_arguments_and_names() -> None:
    """Of a test that was not collected only its file is known."""
    left = traces()
    assert left.is_before(TESTS[0], TESTS[1])
    assert left.is_before("test_a.py::test_x", TESTS[0])
    assert not left.is_before("test_z.py::test_x", TESTS[0])
    left = traces(order=FileOrder(["test_z.py", "test_app.py", "."]))
    assert left.is_before("test_z.py::test_x", TESTS[0])
    assert not left.is_before("test_a.py::test_x", TESTS[0])
