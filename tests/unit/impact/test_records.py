"""The store of impact records: whole, or set aside; shared, merged and cleaned."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from paceline.errors import UsageError
from paceline.impact import database, inputs, merging, rows, saving
from paceline.impact.building import Builder, Declared
from paceline.impact.database import Store, StoreInUse
from paceline.impact.parsing import Parsing
from paceline.impact.recorder import Kind, Need
from paceline.impact.recording import RawSegment, RawTest, Recording, from_json
from paceline.impact.records import Records
from paceline.impact.scope import Scope

APP = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"


def raw(kind: Kind, name: str, **fields: object) -> RawSegment:
    values: dict[str, object] = {
        "code": {},
        "early": {},
        "needs": (),
        "modules": (),
        "missing": (),
        "links": (),
        "children": (),
        "unseen": (),
        **fields,
    }
    return RawSegment(kind, name, **values)  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text(APP, encoding="utf-8")
    return folder


def recording(root: Path, test: str, line: int, status: str = "passed") -> Recording:
    app = str(root / "app.py")
    return Recording(
        process=line,
        segments=(
            raw(Kind.SESSION, "session"),
            raw(Kind.IMPORT, app, code={app: frozenset({(1, 0), (5, 0)})}),
            raw(Kind.TEST, test, code={app: frozenset({(line, 0)})}, links=(0, 1)),
        ),
        values={(Need.CONTENT, app): inputs.value(Need.CONTENT, app)},
        modules={"app": app},
        tests=(RawTest(test, status, 0.5, 2, 1),),
        collected=(test,),
    )


def keep(store: Store, root: Path, one: Recording, disturbed: tuple[str, ...] = ()) -> None:
    nodes, tests = Builder(Scope(root), Parsing(), disturbed, {}, str(root)).build([one], {})
    with store.open() as connection:
        number = rows.environment_number(connection, "env", "{}", here=True)
        rows.mark(connection, number, [test.name for test, _ in tests], "running x")
        saving.save(connection, number, nodes, tests, "running x")
        saving.clean(connection, number)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store" / "records.db")


def blocks_of(found: Records, test: str) -> set[str]:
    segment = found.segments[found.tests[test].segment]
    return {
        block.name
        for item, bits in segment.code.items()
        for index, block in enumerate(found.sources[item].source.blocks)  # type: ignore[union-attr]
        if bits >> index & 1
    }


def test_what_is_saved_is_loaded(store: Store, root: Path) -> None:
    """A test comes back with its blocks and the module that it imported."""
    keep(store, root, recording(root, "t.py::t", 2))
    found = store.load("env")
    assert found.tests["t.py::t"].status == "passed"
    assert blocks_of(found, "t.py::t") == {"one"}
    assert found.segments[found.tests["t.py::t"].segment].imports == ("app.py",)
    assert store.load("another environment") == Records()


def test_a_recording_crosses_processes_whole(root: Path) -> None:
    """JSON and back gives the same recording."""
    one = recording(root, "t.py::t", 2)
    assert from_json(one.as_json()) == one


def test_a_second_run_replaces_and_leaves_nothing_behind(store: Store, root: Path) -> None:
    """Segments that nobody builds on any more are dropped."""
    for _ in range(3):
        keep(store, root, recording(root, "t.py::t", 2))
    found = store.load("env")
    assert len(found.tests) == 1
    assert sorted(item.kind.value for item in found.segments.values()) == [
        "import",
        "session",
        "test",
    ]


def test_a_disturbed_file_takes_the_pass_away(store: Store, root: Path) -> None:
    """A file that changed while the tests ran leaves no test passed that builds on it."""
    keep(store, root, recording(root, "t.py::t", 2), (str(root / "app.py"),))
    assert store.load("env").tests["t.py::t"].status == "unfinished"


def test_a_test_that_another_run_took_on_has_not_passed(store: Store, root: Path) -> None:
    """Only the run that marked a test last can tell that it passed; a failure always counts."""
    for status, kept in (("passed", "unfinished"), ("failed", "failed")):
        nodes, tests = Builder(Scope(root), Parsing(), (), {}, str(root)).build(
            [recording(root, "t::t", 2, status)], {}
        )
        with store.open() as connection:
            number = rows.environment_number(connection, "env", "{}", here=True)
            rows.mark(connection, number, ["t::t"], "running other")
            saving.save(connection, number, nodes, tests, "running mine")
        assert store.load("env").tests["t::t"].status == kept


def test_files_are_settled(store: Store, root: Path) -> None:
    """Unknown tests get a row, gone ones lose it, a part of a file never stands for the whole."""
    keep(store, root, recording(root, "a.py::old", 2))
    with store.open() as connection:
        number = rows.environment_number(connection, "env", "{}", here=True)
        saving.settle_files(connection, number, {"a.py::new", "b.py::one"}, ["a.py"], ["b.py"])
    statuses = {name: test.status for name, test in store.load("env").tests.items()}
    assert statuses == {"a.py::new": "unfinished", "b.py::": "unfinished"}


def test_declared_inputs_and_always(root: Path) -> None:
    """Declared patterns become inputs; "always" cannot be left out."""
    declared = {"t.py::t": Declared(("deploy/*.yaml",), always=True)}
    nodes, tests = Builder(Scope(root), Parsing(), (), {}, str(root)).build(
        [recording(root, "t.py::t", 2)], declared
    )
    node = nodes[tests[0][1]]
    assert {need.name for need in node.needs} == {"deploy/*.yaml"}
    assert node.unseen == {"marked to run always"}


@pytest.mark.parametrize("content", [b"garbage\0" * 50, b"", b"SQLite format 3\0" + b"x" * 200])
def test_a_damaged_store_is_set_aside(
    store: Store, root: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """One warning at most, nothing known, and the next run can save."""
    keep(store, root, recording(root, "t.py::t", 2))
    store.path.write_bytes(content)
    assert store.load("env") == Records()
    assert capsys.readouterr().err.count("warning") == (1 if content else 0)
    keep(store, root, recording(root, "t.py::t", 2))
    assert store.load("env").tests.keys() == {"t.py::t"}


def test_a_store_that_another_run_holds_is_left_alone(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person is told which file is held, and what to do; nothing is lost."""
    keep(store, root, recording(root, "t.py::t", 2))
    monkeypatch.setattr(database, "_PATIENCE_SECONDS", 0.01)
    held = pytest.raises(StoreInUse, match=r"records.db: another run has held")
    with store.open(), held as told:
        Store(store.path).load("env")
    assert told.value.exit_code == 12
    assert store.load("env").tests.keys() == {"t.py::t"}


def test_another_format_is_set_aside(store: Store, root: Path) -> None:
    """Records of another version of the format count for nothing."""
    keep(store, root, recording(root, "t.py::t", 2))
    with store.open() as connection:
        connection.execute("PRAGMA user_version = 99")
    assert store.load("env") == Records()


def test_records_of_shards_are_merged(tmp_path: Path, root: Path) -> None:
    """Two stores give one with both tests; what did not pass anywhere runs again."""
    stores = [Store(tmp_path / name / "records.db") for name in ("one", "two")]
    keep(stores[0], root, recording(root, "t.py::a", 2))
    keep(stores[1], root, recording(root, "t.py::b", 6))
    keep(stores[1], root, recording(root, "t.py::a", 2, "failed"))
    whole = Store(tmp_path / "whole" / "records.db")
    assert merging.merge(whole, [store.path for store in stores]) == 3
    found = whole.load("env")
    assert {name: test.status for name, test in found.tests.items()} == {
        "t.py::a": "failed",
        "t.py::b": "passed",
    }
    assert blocks_of(found, "t.py::b") == {"two"}


def test_only_records_are_merged(tmp_path: Path, store: Store) -> None:
    """A missing file and one of another kind are refused, with the file named."""
    other = tmp_path / "other.db"
    other.write_text("no database", encoding="utf-8")
    for path in (tmp_path / "none.db", other):
        with pytest.raises(UsageError, match=path.name):
            merging.merge(store, [path])


def test_an_export_is_imported_elsewhere(tmp_path: Path, store: Store, root: Path) -> None:
    """The copy holds what the store holds; it replaces no file."""
    keep(store, root, recording(root, "t.py::t", 2))
    target = tmp_path / "out" / "records.db"
    merging.export(store, target)
    copied, known = Store(target).load("env"), store.load("env")
    assert str(copied.sources) == str(known.sources)
    assert replace(copied, sources={}) == replace(known, sources={})
    with pytest.raises(UsageError, match="already"):
        merging.export(store, target)
    with pytest.raises(UsageError, match="no impact records"):
        merging.export(Store(tmp_path / "nothing.db"), tmp_path / "other.db")


def test_what_a_shard_did_not_run_another_did(store: Store, root: Path, tmp_path: Path) -> None:
    """Of two shards' records those count that tell of a run; what failed anywhere runs again."""
    tests = ("t.py::one", "t.py::two", "t.py::bad")
    others = []
    for shard, status in ((0, "passed"), (1, "failed")):
        other = Store(tmp_path / f"shard{shard}.db")
        keep(other, root, recording(root, tests[shard], 2))
        keep(other, root, recording(root, tests[2], 5, status))
        with other.open() as connection:
            saving.settle_files(connection, 1, set(tests), ["t.py"], [])
        others.append(other.path)
    assert merging.merge(store, others) == 4
    found = {name: test.status for name, test in store.load("env").tests.items()}
    assert found == dict(zip(tests, ("passed", "passed", "failed"), strict=True))


def test_what_a_child_was_given_is_no_input(root: Path) -> None:
    """A variable and a folder that the parent set are its doing; those handed on count."""
    one = (Need.VARIABLE, "ONE")
    two = (Need.VARIABLE, "TWO")
    folder = (Need.FOLDER, str(root))
    child = Recording(
        process=2,
        segments=(raw(Kind.SESSION, "process 2", needs=(one, two, folder)),),
        values={
            one: inputs.variable("ONE", {"ONE": "given"}),
            two: inputs.variable("TWO", {"TWO": "2"}),
            folder: "sub",
        },
        modules={},
    )
    nodes, _ = Builder(Scope(root), Parsing(), (), {"TWO": "2"}, str(root)).build([child], {})
    assert {need.name for need in nodes[0].needs} == {"TWO"}


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes no such names")
def test_names_of_no_encoding_are_kept(store: Store, root: Path) -> None:
    """The name of a file may be any bytes; it comes back as it was."""
    name = os.fsdecode(b"caf\xe9.txt")
    (root / name).write_text("one", encoding="utf-8")
    need = (Need.CONTENT, str(root / name))
    one = recording(root, "t.py::t", 2)
    test = replace(one.segments[2], needs=(need,))
    keep(store, root, replace(one, segments=(*one.segments[:2], test)))
    assert name in {need.name for need in store.load("env").needs.values()}
