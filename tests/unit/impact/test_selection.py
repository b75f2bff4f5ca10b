"""Selection: what changed since a record, and who built on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paceline.impact import inputs, source
from paceline.impact.project import Project
from paceline.impact.recorder import Kind, Need
from paceline.impact.records import NeedRecord, Records, SegmentRecord, SourceRecord, TestRecord
from paceline.impact.selection import Selection, Selector

APP = "LIMIT = 1\n\n\ndef one():\n    return LIMIT\n\n\ndef two():\n    return 2\n"


def segment(kind: Kind, name: str, **fields: object) -> SegmentRecord:
    values: dict[str, object] = {
        "code": {},
        "needs": (),
        "links": (),
        "imports": (),
        "modules": frozenset(),
        "missing": frozenset(),
        "unseen": (),
        **fields,
    }
    return SegmentRecord(kind, name, **values)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    (tmp_path / "data.txt").write_text("1", encoding="utf-8")
    return tmp_path


def recorded(root: Path, **changes: object) -> Records:
    """Two tests import app; t1 runs one() and reads data.txt, t2 runs two()."""
    app = (root / "app.py").read_bytes()
    sources = {1: SourceRecord("app.py", inputs.digest(app), source.parse(app))}
    needs = {
        1: NeedRecord(Need.CONTENT, "data.txt", inputs.value(Need.CONTENT, str(root / "data.txt"))),
        2: NeedRecord(Need.FILES, ".", "\n".join(inputs.files(root))),
        3: NeedRecord(Need.VARIABLE, "MODE", inputs.ABSENT),
    }
    segments = {
        1: segment(Kind.SESSION, "session", needs=(2,)),
        2: segment(Kind.IMPORT, "app.py", code={1: 1}),
        3: segment(Kind.TEST, "t1", code={1: 2}, needs=(1,), links=(1,), imports=("app.py",)),
        4: segment(
            Kind.TEST, "t2", code={1: 4}, needs=(3,), links=(1,), imports=("app.py",),
            modules=frozenset(("json",)), missing=frozenset(("extra",)),
        ),
    }  # fmt: skip
    tests = {"t1": TestRecord("passed", 0.1, 3), "t2": TestRecord("passed", 0.1, 4)}
    fields = {"tests": tests, "segments": segments, "sources": sources, "needs": needs, **changes}
    return Records(**fields)  # type: ignore[arg-type]


def selected(
    root: Path, records: Records, environ: dict[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    found: Selection = Selector(records, Project(root, environ or {})).select()
    assert found.reasons.keys() | found.unaffected == records.tests.keys()
    assert not found.reasons.keys() & found.unaffected
    return dict(found.reasons)


def test_nothing_changed_selects_nothing(project: Path) -> None:
    """Every test that passed is left out."""
    assert selected(project, recorded(project)) == {}


@pytest.mark.parametrize(
    ("old", "new", "tests"),
    [
        ("return LIMIT", "return LIMIT + 1", {"t1"}),
        ("return 2", "return 3", {"t2"}),
        ("LIMIT = 1", "LIMIT = 2", {"t1", "t2"}),
        ("LIMIT = 1", "LIMIT = 1  # one", set()),
        ("def two():", "def unheard_of():\n    return 4\n\n\ndef two():", set()),
        ("def two():", "@property\ndef two():", {"t1", "t2"}),
        ("def two():", "def (", {"t1", "t2"}),
    ],
)
def test_a_changed_source_selects_who_ran_it(
    project: Path, old: str, new: str, tests: set[str]
) -> None:
    """A body concerns its users, import-time code everyone who imported it."""
    records = recorded(project)
    (project / "app.py").write_text(APP.replace(old, new), encoding="utf-8")
    assert selected(project, records).keys() == tests


def test_moved_lines_select_who_looks_at_them(project: Path) -> None:
    """Only for a test that sees lines it counts where the code that it runs stands."""
    records = recorded(project)
    segments = {
        number: replace(one, sees_lines=number == 3) for number, one in records.segments.items()
    }
    (project / "app.py").write_text("# A comment.\n" + APP, encoding="utf-8")
    assert selected(project, records) == {}
    assert selected(project, replace(records, segments=segments)) == {
        "t1": ("lines that it runs in app.py are not as they were",)
    }


def test_a_new_function_counts_where_its_name_is_known(project: Path) -> None:
    """A name that stands anywhere else in the project may be looked up."""
    records = recorded(project)
    (project / "app.py").write_text(f"{APP}\n\ndef extra_one():\n    return 1\n", encoding="utf-8")
    (project / "data.yaml").write_text("call: extra_one\n", encoding="utf-8")
    assert selected(project, records).keys() == {"t1", "t2"}


def test_reasons_name_what_changed(project: Path) -> None:
    """Each reason is a sentence with the file or variable."""
    records = recorded(project)
    (project / "data.txt").unlink()
    assert selected(project, records, {"MODE": "x"}) == {
        "t1": ("data.txt is gone",),
        "t2": ("variable MODE changed",),
    }


@pytest.mark.parametrize(
    ("name", "tests"),
    [
        ("json.py", {"t2"}),
        ("extra.py", {"t2"}),
        ("other.py", set()),
        ("conftest.py", {"t1", "t2"}),
        ("__init__.py", {"t1", "t2"}),
        ("notes.txt", set()),
    ],
)
def test_a_new_file_selects_who_may_import_it(project: Path, name: str, tests: set[str]) -> None:
    """A module that shadows or completes an import counts, one that nobody asked for does not."""
    records = recorded(project)
    (project / name).touch()
    assert selected(project, records).keys() == tests


@pytest.mark.parametrize("status", ["failed", "unfinished", "running 1234", "anything"])
def test_only_a_pass_can_be_left_out(project: Path, status: str) -> None:
    """Whatever else a test came to, it runs again."""
    tests = {"t1": TestRecord(status, 0.1, 3)}
    assert selected(project, recorded(project, tests=tests)).keys() == {"t1"}


def test_a_record_with_a_hole_selects(project: Path) -> None:
    """A segment, source or input that is missing from the store runs its tests."""
    whole = recorded(project)
    without_segment = {k: v for k, v in whole.segments.items() if k != 3}
    assert "t1" in selected(project, recorded(project, segments=without_segment))
    assert "t1" in selected(project, recorded(project, needs={}))
    assert "t1" in selected(project, recorded(project, sources={}))
    without_import = {k: v for k, v in whole.segments.items() if k != 2}
    assert "t1" in selected(project, recorded(project, segments=without_import))


def test_what_cannot_be_seen_through_is_always_run(project: Path) -> None:
    """An unseen child process selects its test, with its name."""
    whole = recorded(project)
    segments = {**whole.segments, 3: segment(Kind.TEST, "t1", unseen=("git",))}
    assert selected(project, recorded(project, segments=segments)) == {
        "t1": ("cannot see through: git",)
    }


def test_reasons_spread_along_links_in_circles(project: Path) -> None:
    """Modules that import each other hand reasons on, and the walk ends."""
    whole = recorded(project)
    segments = {
        **whole.segments,
        5: segment(Kind.IMPORT, "a.py", imports=("b.py",)),
        6: segment(Kind.IMPORT, "b.py", imports=("a.py", "app.py")),
        7: segment(Kind.TEST, "t3", links=(1,), imports=("a.py",)),
    }
    tests = {**whole.tests, "t3": TestRecord("passed", 0.1, 7)}
    records = recorded(project, segments=segments, tests=tests)
    (project / "app.py").write_text(APP.replace("LIMIT = 1", "LIMIT = 2"), encoding="utf-8")
    assert selected(project, records).keys() == {"t1", "t2", "t3"}


SWAPPED = "import app\n\n\ndef test_two():\n    app.two()\n\n\ndef test_one():\n    app.one()\n"
INSERTED = SWAPPED.replace("def test_one", "def test_new():\n    pass\n\n\ndef test_one")


@pytest.mark.parametrize(("text", "chosen"), [(INSERTED, set()), ("", {"one", "two", "user"})])
def test_tests_in_another_order_select_who_uses_what_they_leave(
    project: Path, text: str, chosen: set[str]
) -> None:
    """A swap of two tests selects both and the users of their state, a new one between neither."""
    file = project / "test_app.py"
    file.write_text(SWAPPED, encoding="utf-8")
    content = file.read_bytes()
    written = SourceRecord("test_app.py", inputs.digest(content), source.parse(content))
    known = recorded(project)
    names = {"one": "test_app.py::test_one", "two": "test_app.py::test_two", "user": "t.py::user"}
    segments = {
        1: segment(Kind.SESSION, "session"),
        2: segment(Kind.TEST, names["two"], code={2: 2}),
        3: segment(Kind.TEST, names["one"], code={2: 4}),
        4: segment(Kind.TEST, names["user"], links=(3,)),
    }
    tests = {
        names["two"]: TestRecord("passed", 0.1, 2),
        names["one"]: TestRecord("passed", 0.1, 3),
        names["user"]: TestRecord("passed", 0.1, 4),
    }
    known = replace(known, tests=tests, segments=segments, sources={2: written})
    first, second = SWAPPED.split("\n\n\n")[1:]
    swapped = "\n\n\n".join(["import app", second.strip(), first]) + "\n"
    file.write_text(text or swapped, encoding="utf-8")
    selection = Selector(known, Project(project, {})).select()
    assert selection.reasons.keys() == {names[name] for name in chosen}
