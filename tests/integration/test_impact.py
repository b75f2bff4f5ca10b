"""`pytest --impact` and the tasks over its records, in a project that uses most kinds of input."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from paceline import process
from paceline.testing import Project

FILES = {
    "pyproject.toml": """
        [tool.paceline]
        environment = "current"
        [tool.pytest.ini_options]
        testpaths = ["tests"]
        pythonpath = ["."]
        addopts = "-p no:randomly"
    """,
    "app.py": """
        import functools
        import json
        import multiprocessing
        import os
        from pathlib import Path

        RATE = 3
        known = {}


        def add(a, b):
            return a + b


        def times(value):
            if value not in known:
                known[value] = slow(value)
            return known[value]


        def slow(value):
            return value * RATE


        @functools.lru_cache
        def settings():
            return json.loads(Path("data/settings.json").read_text())


        def mode():
            return os.environ.get("APP_MODE", "plain")


        def plugins():
            return sorted(path.name for path in Path("data").glob("*.plugin"))


        def extra():
            return Path("data/extra.txt").exists()


        def work(queue):
            queue.put(add(1, 2))


        def in_process(method):
            context = multiprocessing.get_context(method)
            queue = context.Queue()
            process = context.Process(target=work, args=(queue,))
            process.start()
            found = queue.get(timeout=60)
            process.join()
            return found
    """,
    "data/settings.json": '{"name": "one"}',
    "data/a.plugin": "",
    "tests/conftest.py": """
        import pytest
        import app


        @pytest.fixture(scope="session")
        def client():
            return {"rate": app.slow(1)}
    """,
    "tests/test_app.py": """
        import subprocess
        import sys

        import pytest

        import app


        def test_add(): assert app.add(1, 2) == 3
        def test_times(): assert app.times(2) == 6
        def test_times_again(): assert app.times(2) == 6
        def test_settings(): assert app.settings()["name"] == "one"
        def test_settings_again(): assert app.settings()["name"] == "one"
        def test_mode(): assert app.mode() == "plain"
        def test_plugins(): assert app.plugins() == ["a.plugin"]
        def test_extra(): assert not app.extra()
        def test_client(client): assert client["rate"] == 3
        def test_client_again(client): assert client["rate"] == 3


        def test_script():
            code = "import app; print(app.add(2, 2))"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            assert done.stdout.strip() == "4"


        @pytest.mark.parametrize("method", ["fork", "spawn"])
        def test_process(method): assert app.in_process(method) == 3


        @pytest.mark.inputs("data/*.plugin")
        def test_declared(): subprocess.run(["true"], check=True)


        @pytest.mark.always
        def test_always(): pass
    """,
}
ADDING = {"test_add", "test_script", "test_process[fork]", "test_process[spawn]"}
SLOW = {"test_times", "test_times_again", "test_client", "test_client_again"}
SETTINGS = {"test_settings", "test_settings_again"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Make the project and record it once; tests change it and put it back."""
    made = Project(tmp_path_factory.mktemp("impact") / "work")
    made.write(FILES)
    done = impact(made)
    assert "15 passed" in done.output, done.output
    return made


def impact(project: Project, *options: str, env: dict[str, str] | None = None) -> process.Result:
    return project.python("-m", "pytest", "--impact", "--impact-explain", *options, env=env)


def selected(project: Project) -> set[str]:
    """Return what would run, beside the one test that always does."""
    data = json.loads(project.invoke("impact.status", "--json").output)
    (one,) = data.values()
    assert not one["unknown"], one
    print(json.dumps(one, indent=1))  # shown where the test fails
    return {test.partition("::")[2] for test in one["selected"]} - {"test_always"}


@pytest.mark.parametrize(
    ("file", "old", "new", "tests"),
    [
        ("app.py", "return a + b", "return b + a", ADDING),
        ("app.py", "return value * RATE", "return RATE * value", SLOW),
        ("data/settings.json", "one", "two", SETTINGS),
        ("app.py", "RATE = 3", "RATE = 3  # percent", set()),
        ("app.py", "RATE = 3", "RATE = 4", None),
        ("tests/conftest.py", "scope=", "scope =", set()),
    ],
)
def test_a_change_selects_its_users(
    recorded: Project, file: str, old: str, new: str, tests: set[str] | None
) -> None:
    """Bodies, data and import-time code select who built on them, in whatever way."""
    path = recorded.root / file
    before = path.read_text(encoding="utf-8")
    assert old in before
    try:
        path.write_text(before.replace(old, new), encoding="utf-8")
        found = selected(recorded)
    finally:
        path.write_text(before, encoding="utf-8")
    if tests is None:
        assert len(found) == 14
    else:
        assert found == tests


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("data/b.plugin", {"test_plugins", "test_declared"}),
        ("data/extra.txt", {"test_extra", "test_plugins"}),
        ("other.txt", set()),
    ],
)
def test_a_new_file_selects_who_looked(recorded: Project, file: str, tests: set[str]) -> None:
    """A listing, an absent path and a declared pattern notice what appears."""
    recorded.write({file: ""})
    try:
        assert selected(recorded) == tests
    finally:
        (recorded.root / file).unlink()


def test_a_run_leaves_out_the_rest(recorded: Project) -> None:
    """Nothing changed: only the test that always runs does, with xdist as well."""
    for options in ((), ("-n", "2")):
        done = impact(recorded, *options)
        assert done.exit_code == 0, done.output
        assert "paceline impact: 1 tests ran, 14 unaffected" in done.output
        # Where a run was narrowed before, it also was not finished last time.
        assert re.search(r"test_always: .*cannot see through: marked to run always", done.output)


def test_a_variable_selects_who_read_it(recorded: Project) -> None:
    """The run is told why."""
    done = impact(recorded, env={"APP_MODE": "other"})
    assert done.exit_code == 1
    assert "test_mode: variable APP_MODE changed" in done.output
    assert "1 failed, 1 passed" in done.output
    again = impact(recorded)
    assert "test_mode: failed last time" in again.output
    assert again.exit_code == 0, again.output


def test_explain_names_what_a_test_depends_on(recorded: Project) -> None:
    """Code, imports and inputs are listed; an unknown test is an error with its code."""
    text = recorded.invoke("impact.explain", "tests/test_app.py::test_settings_again").output
    assert "app.py: settings" in text
    assert "reads data/settings.json" in text
    assert recorded.invoke("impact.explain", "tests/none.py::test_x").exit_code == 10


def test_records_move_to_another_checkout(recorded: Project, tmp_path: Path) -> None:
    """An export, imported elsewhere, leaves out the same tests there."""
    target = tmp_path / "records.db"
    assert recorded.invoke("impact.export", str(target)).exit_code == 0
    other = Project(tmp_path / "other")
    other.write(FILES)
    assert "15 tests" in other.invoke("impact.import", str(target)).output
    assert selected(other) == set()
    merged = other.invoke("impact.merge", "--folder", str(recorded.root / ".paceline"))
    assert re.search(r"merged the records of \d+ tests from 1 files", merged.output)


def test_damage_costs_one_warning_and_a_full_run(tmp_path: Path) -> None:
    """A damaged row, a folder in the records' place and a damaged file to import are told apart."""
    project = Project(tmp_path / "work")
    project.write(
        {"pyproject.toml": "[tool.pytest.ini_options]\n", "test_a.py": "def test_a(): pass\n"}
    )
    assert "1 passed" in impact(project).output
    store = project.root / ".paceline" / "impact" / "records.db"
    export = tmp_path / "export.db"
    assert project.invoke("impact.export", str(export)).exit_code == 0
    for file in (store, export):
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE segment SET data = x'00'")
    done = impact(project)
    assert done.exit_code == 0
    assert done.output.count("damaged impact records are ignored") == 1
    assert "1 passed" in done.output
    assert "0 tests ran, 1 unaffected" in impact(project).output
    refused = project.invoke("impact.import", str(export))
    assert refused.exit_code == 10
    assert "damaged" in refused.output
    assert export.exists()
    store.unlink()
    store.mkdir()
    done = impact(project)
    assert done.exit_code == 0
    assert "is a folder: nothing is recorded or left out, every test runs" in done.output
    assert "1 passed" in done.output


def test_coverage_is_what_it_is_without_records(recorded: Project) -> None:
    """One trace serves both: branch coverage with records equals that of plain pytest-cov."""
    options = ("-m", "pytest", "--cov=app", "--cov-branch", "--cov-report=json:cov.json", "-q")
    env = {"COVERAGE_CORE": "ctrace", "COVERAGE_FILE": str(recorded.root / ".coverage")}
    reports = []
    for further in ((), ("--impact-noselect",)):
        assert recorded.python(*options, *further, env=env).exit_code == 0
        data = json.loads((recorded.root / "cov.json").read_text(encoding="utf-8"))
        reports.append(data["files"]["app.py"])
        (recorded.root / "cov.json").unlink()
    assert reports[0] == reports[1]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_testmon_does_not_take_what_changed_in_the_run_for_tested(
    tmp_path: Path, workers: str
) -> None:
    """Of a source that one test changes after another ran it, testmon knows that it must run."""
    project = Project(tmp_path / "work")
    project.write(
        {
            "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p no:randomly'\n",
            "app.py": "def one():\n    return 1\n",
            "test_app.py": """
                from pathlib import Path
                import app
                import pytest

                @pytest.mark.xdist_group("all")
                def test_one():
                    assert app.one() == 1

                @pytest.mark.xdist_group("all")
                def test_edits():
                    # Of another size: Python keeps bytecode for what changes in the same second.
                    Path("app.py").write_text("def one():\\n    return 1 + 1\\n")
            """,
        }
    )
    options = ("-m", "pytest", "-q")
    done = project.python(*options, "--impact", "-n", workers, "--dist=loadgroup")
    assert "2 passed" in done.output
    assert "test_one" in project.python(*options, "--testmon").output


#: A fixture of the session that cannot be made twice in one process, and fails when it ends.
LASTING = {
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p no:randomly'\npythonpath = ['.']\n",
    "app.py": """
        SEEN = []

        def value():
            return 1
    """,
    "tests/conftest.py": """
        import sys
        import pytest

        @pytest.fixture(scope="session")
        def table():
            assert not hasattr(sys, "table"), "made twice"
            sys.table = True
            yield
            print("dropping the table")
            assert False, "cannot be dropped"
    """,
    "tests/test_a.py": "import app\ndef test_a(table): app.value()\n",
    "tests/test_b.py": """
        import app
        def test_b(table): assert app.SEEN in ([], [1])
        def test_c(table): pass
    """,
}


def test_fixtures_of_the_session_last_until_the_end_of_the_run(tmp_path: Path) -> None:
    """As in a full run they are made once, and an error at their end is the last test's."""
    project = Project(tmp_path / "work")
    project.write(LASTING)
    done = impact(project)
    assert "3 passed, 1 error" in done.output
    project.write({"app.py": "SEEN = []\n\ndef value():\n    SEEN.append(1)\n"})
    done = impact(project)
    assert "1 more, affected by what these tests left behind" in done.output
    assert "3 passed, 1 deselected, 1 error" in done.output
    assert "ERROR at teardown of test_b" in done.output
    assert re.search("Captured stdout teardown -+\ndropping the table", done.output)
    assert done.exit_code == pytest.ExitCode.TESTS_FAILED


#: Code that runs between the phases of a test: hooks, values that are shown or that die.
BETWEEN = {
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p no:randomly'\n",
    "app.py": """
        class Client:
            def __init__(self, name):
                self.name = name

            def __del__(self):
                closed(self.name)


        def closed(name):
            if name == "fixture":
                return 1
            return 2


        class Value:
            def __repr__(self):
                return shown("repr")

            def __str__(self):
                return shown("str")


        def shown(kind):
            if kind == "str":
                return "a string"
            return "a value"


        def status(report):
            if report.when == "call":
                return "call"
            return "other"


        def logged(report):
            if report.failed:
                return 1
            return 0
    """,
    "conftest.py": """
        import app
        import pytest


        @pytest.fixture
        def client():
            return app.Client("fixture")


        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport():
            outcome = yield
            app.status(outcome.get_result())


        def pytest_runtest_logreport(report):
            app.logged(report)
    """,
    "test_between.py": """
        import os
        import unittest

        import app
        import pytest


        def test_client(client):
            assert client.name == "fixture"


        @pytest.mark.xfail
        def test_shown():
            assert app.Value() == 1


        def test_noted(record_property):
            # No worker can send an object to the controller.
            in_worker = "PYTEST_XDIST_WORKER" in os.environ
            record_property("value", "none" if in_worker else app.Value())


        def test_skipped():
            pytest.skip("not now")


        class TestClass(unittest.TestCase):
            def setUp(self):
                self.client = app.Client("other")

            def test_other(self):
                assert self.client


        @pytest.mark.parametrize("number", range(20))
        def test_many(number, client):
            assert client
    """,
}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_coverage_of_what_runs_between_the_phases_of_a_test(tmp_path: Path, workers: str) -> None:
    """The recording pauses there for pytest's own code only: branch coverage is the same.

    So it does where Python cannot suspend tracing, as up to 3.10, and the tracer is taken away.
    """
    project = Project(tmp_path / "work")
    without = "from paceline.impact import suspending\n\nsuspending.IS_KNOWN = False\n"
    project.write({**BETWEEN, "without.py": without})
    coverage = ("--cov=.", "--cov-branch", "--cov-report=json:cov.json")
    options = ("-m", "pytest", "-q", "-n", workers, "--junitxml=report.xml", *coverage)
    env = {"COVERAGE_CORE": "ctrace", "COVERAGE_FILE": str(project.root / ".coverage")}
    files = []
    for further in ((), ("--impact",), ("--impact", "--impact-noselect", "-p", "without")):
        done = project.python(*options, *further, env=env)
        assert done.exit_code == 0, done.output
        data = json.loads((project.root / "cov.json").read_text(encoding="utf-8"))
        files.append({name: file["executed_branches"] for name, file in data["files"].items()})
        (project.root / "cov.json").unlink()
    assert files[0] == files[1] == files[2]
    assert len(files[0]["app.py"]) >= 6


@pytest.mark.parametrize("workers", ["0", "2"])
def test_coverage_from_outside_sees_every_test(tmp_path: Path, workers: str) -> None:
    """`coverage run` would measure only what is not left out: nothing is, and that is said."""
    project = Project(tmp_path / "work")
    project.write({"pyproject.toml": "", "test_one.py": "def test_one(): pass\n"})
    assert impact(project).exit_code == 0
    env = {"COVERAGE_FILE": str(project.root / "outer.data")}
    done = project.python(
        "-m", "coverage", "run", "-m", "pytest", "--impact", "-n", workers, env=env
    )
    assert done.exit_code == 0, done.output
    assert "1 passed" in done.output
    assert done.output.count("every test runs") == 1


def test_pytest_rewrites_tests_and_nothing_of_ours(tmp_path: Path) -> None:
    """Asserts in tests are explained as ever; Paceline's modules are imported as they are."""
    project = Project(tmp_path / "work")
    project.write(
        {
            "pyproject.toml": "",
            "test_one.py": """
                import sys


                def test_rewritten():
                    made = (1, 2, 3)
                    assert made == (1, 2, 4)


                def test_ours():
                    names = [name for name in sys.modules if name.startswith("paceline.impact.")]
                    loaders = {type(sys.modules[name].__loader__).__name__ for name in names}
                    assert len(names) > 20
                    assert loaders == {"SourceFileLoader"}
            """,
        }
    )
    done = impact(project)
    assert "1 failed, 1 passed" in done.output, done.output
    assert "assert (1, 2, 3) == (1, 2, 4)" in done.output


SKIPPING = {
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p no:randomly'\n",
    "app.py": "def one(): return 1\ndef two(): return 1\n",
    "test_one.py": """
        import unittest

        import app
        import pytest

        DONE = set()


        def test_one():
            DONE.add(app.one())


        def test_two():
            if 1 not in DONE:
                pytest.skip("needs one")
            assert app.two() == 1


        class Test(unittest.TestCase):
            def test_three(self):
                if 1 not in DONE:
                    self.skipTest("needs one")
                self.assertEqual(app.two(), 1)
    """,
}


def test_what_was_skipped_as_others_did_not_run_runs_with_them(tmp_path: Path) -> None:
    """In the same run, and until it was: a test that skips itself alone is no pass."""
    project = Project(tmp_path / "work")
    project.write(SKIPPING)
    assert "3 passed" in impact(project).output
    project.write({"app.py": "def one(): return 1\ndef two(): return 2\n"})
    first = impact(project, "-n", "1")
    assert (first.exit_code, "more to run, as a test was skipped" in first.output) == (1, True)
    again = impact(project)
    assert "2 failed, 1 passed" in again.output, again.output
    project.write({"app.py": "def one(): return 1\ndef two(): return 1\n"})
    assert "3 passed" in impact(project).output
    project.write({"app.py": "def one(): return 1\n\n\ndef two(): return 2 - 1\n"})
    mended = impact(project)
    assert "3 more, as a test was skipped that had not been" in mended.output, mended.output
    assert "3 passed, 2 skipped" in mended.output


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers by signal on Windows")
def test_signal_handlers_of_the_project_do_not_lock_up_the_run(tmp_path: Path) -> None:
    """A signal may come at any moment, also while what was traced is taken from coverage."""
    project = Project(tmp_path / "work")
    project.write(
        {
            "pyproject.toml": "",
            "conftest.py": """
                import faulthandler
                import signal

                faulthandler.dump_traceback_later(60, exit=True)
                signal.signal(signal.SIGPROF, lambda number, frame: None)
                signal.setitimer(signal.ITIMER_PROF, 0.0005, 0.0005)
            """,
            "test_one.py": """
                import pytest


                @pytest.mark.parametrize("number", range(400))
                def test_one(number):
                    assert number >= 0
            """,
        }
    )
    assert "400 passed" in impact(project).output
    env = {"COVERAGE_FILE": str(project.root / ".coverage")}
    measured = impact(project, "--impact-noselect", "--cov=.", "--cov-branch", env=env)
    assert "400 passed" in measured.output


def test_parts_of_a_split_run_one_after_the_other(tmp_path: Path) -> None:
    """pytest-split divides all tests, not those that earlier parts left over: none is lost."""
    project = Project(tmp_path / "work")
    settings = '[tool.pytest.ini_options]\naddopts = "-p no:randomly"\n'
    project.write({"pyproject.toml": settings, "app.py": "def one():\n    return 1\n"})
    for name in "abcd":
        text = f"import app\ndef test_one(): assert app.one()\ndef test_{name}(): assert app.one()"
        project.write({f"test_{name}.py": text})
    assert "8 passed" in impact(project).output
    project.write({"app.py": "def one():\n    return 2\n"})
    parts = [impact(project, "--splits", "2", "--group", part).output for part in "12"]
    assert all("4 passed" in output for output in parts), parts
    assert "paceline impact: 0 tests ran, 8 unaffected" in impact(project).output


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_keyword_that_fits_nothing_is_no_pass(recorded: Project, workers: str) -> None:
    """A mistyped -k ends as with plain pytest; one that fits tests without a change passes."""
    assert impact(recorded, "-n", workers, "-k", "no_such_test").exit_code == 5
    done = impact(recorded, "-n", workers, "-k", "test_settings_again")
    assert done.exit_code == 0, done.output
    assert "paceline impact: 0 tests ran" in done.output


def test_status_knows_what_may_hold_new_tests(tmp_path: Path) -> None:
    """Files without tests, left out, new, edited, broken or gone: also where none is affected."""
    project = Project(tmp_path / "work")
    project.write(
        {
            "tests/test_one.py": "def test_one(): pass",
            "tests/test_none.py": "VALUE = 1",
            "tests/test_blank.py": "",
            "tests/test_gone.py": "def test_gone(): pass",
            "tests/test_skip.py": """
                import os, pytest
                if not os.environ.get("SLOW"):
                    pytest.skip("slow", allow_module_level=True)
                def test_slow(): pass
            """,
            "tests/deep/conftest.py": """
                import os
                collect_ignore = [] if os.environ.get("DEEP") else ["test_deep.py"]
            """,
            "tests/deep/test_deep.py": "def test_deep(): pass",
        }
    )
    impact(project)

    def status(**env: str) -> list[str]:
        return project.invoke("impact.status", env=env).output.splitlines()[1:]

    assert status() == []
    assert status(SLOW="1") == ["  tests/test_skip.py may hold new tests: variable SLOW changed"]
    assert status(DEEP="1") == ["  tests/deep may hold new tests: variable DEEP changed"]
    for file in ("one", "none", "blank"):
        with edited(project, f"tests/test_{file}.py", "\ndef test_new(): pass\n"):
            assert status() == [f"  tests/test_{file}.py may hold new tests"]
    project.write({"tests/test_new.py": "def test_new(): pass", "readme.txt": "one"})
    with edited(project, "tests/test_one.py", "\nVALUE = 2\n"):
        impact(project, "tests/test_one.py")
        new = ["  readme.txt may hold new tests", "  tests/test_new.py may hold new tests"]
        assert status() == new
        impact(project)
        assert status() == []
    (project.root / "tests/test_gone.py").unlink()
    project.write({"tests/test_new.py": "def test_new(:"})
    impact(project, "--continue-on-collection-errors")
    failed = "  tests/test_new.py may hold new tests: failed last time"
    assert any(line.startswith(failed) for line in status())
    (project.root / "tests/test_new.py").unlink()
    impact(project)
    assert status() == []


def test_a_run_of_one_folder_does_not_make_new_tests_elsewhere_known(tmp_path: Path) -> None:
    """Pytest begun in a folder below the root looks into that folder only."""
    project = Project(tmp_path / "work")
    project.write({"a/test_a.py": "def test_a(): pass", "b/test_b.py": "def test_b(): pass"})
    # As the program `pytest` does: the working folder is not searched for modules.
    begin = "import sys; sys.path.pop(0); import os, pytest; os.chdir(sys.argv[1]);"
    begin += "pytest.main(['--impact'])"
    assert "2 tests ran" in project.python("-c", begin, ".").output
    project.write({"b/test_new.py": "def test_new(): assert False"})
    assert "0 tests ran, 2 unaffected" in project.python("-c", begin, "a").output
    assert "  b/test_new.py may hold new tests" in project.invoke("impact.status").output


@contextlib.contextmanager
def edited(project: Project, file: str, more: str) -> Iterator[None]:
    """Let `more` stand at the end of the file for a while."""
    path = project.root / file
    text = path.read_text(encoding="utf-8")
    path.write_text(text + more, encoding="utf-8")
    yield
    path.write_text(text, encoding="utf-8")


def test_tests_that_addopts_leaves_out(tmp_path: Path) -> None:
    """They make no run necessary, run when they are asked for, and once their mark is gone."""
    project = Project(tmp_path / "work")
    body = """
        import pytest
        {mark}
        def test_slow(): assert True
        def test_quick(): assert True
    """
    project.write(
        {
            "pytest.ini": "[pytest]\nmarkers = slow\naddopts = -m 'not slow'\n",
            "tests/test_it.py": body.format(mark="@pytest.mark.slow"),
        }
    )
    assert "1 tests ran" in impact(project).output
    assert selected(project) == set()
    project.write({"readme.txt": "nobody reads it"})
    assert "0 tests ran" in impact(project).output
    assert "0 of 1 tests would run" in project.invoke("impact.status").output
    assert "1 passed" in impact(project, "-m", "slow").output
    project.write({"tests/test_it.py": body.format(mark="")})
    assert "test_slow" in impact(project).output


def test_what_tests_leave_behind_makes_others_run(tmp_path: Path) -> None:
    """In one process they run at once, also from a file not collected; with xdist next time."""
    app = "SEEN = []\ndef value(): {body}\ndef seen(): return list(SEEN)\n"
    project = Project(tmp_path / "work")
    ordered = ("-p", "no:randomly")
    project.write(
        {
            "pyproject.toml": "[tool.pytest.ini_options]\n",
            "app.py": app.format(body="return 1"),
            "tests/test_value.py": "import app\ndef test_value(): assert app.value() or True\n",
            # Files in a folder are collected once more to run what was left out.
            "tests/conftest.py": "import pytest\n@pytest.fixture\ndef start(): return []\n",
            "tests/test_zeal.py": "import app\ndef test_seen(start): assert app.seen() == start\n",
        }
    )
    assert "2 passed" in impact(project, *ordered).output
    changed = app.format(body="SEEN.append(1)")
    project.write({"app.py": changed})
    distributed = impact(project, "-n", "2", *ordered)
    assert distributed.exit_code == 1
    assert "1 passed" in distributed.output
    assert "1 more to run, affected by what these tests left behind" in distributed.output
    alone = impact(project, *ordered)
    assert "1 failed, 1 passed" in alone.output, alone.output
    project.write({"app.py": changed.replace("append(1)", "extend([])")})
    assert "2 passed" in impact(project, *ordered).output
    project.write({"app.py": changed.replace("append(1)", "append(2)")})
    once = impact(project, *ordered)
    assert "1 failed, 1 passed" in once.output, once.output


def test_inputs_of_a_group(tmp_path: Path) -> None:
    """A file that a group declares selects its tests; a mistake in the table is an error."""
    table = '[tool.paceline.groups.unit]\npaths = ["tests/unit"]\n{inputs}\n'
    project = Project(tmp_path / "work")
    project.write(
        {
            "pyproject.toml": table.format(inputs='inputs = ["deploy/*.yaml"]'),
            "deploy/app.yaml": "replicas: 1\n",
            "tests/unit/test_unit.py": "def test_unit(): assert True\n",
            "tests/other/test_other.py": "def test_other(): assert True\n",
        }
    )
    assert impact(project).exit_code == 0
    project.write({"deploy/app.yaml": "replicas: 2\n"})
    assert selected(project) == {"test_unit"}
    project.write({"pyproject.toml": table.format(inputs='input = ["deploy/*.yaml"]')})
    wrong = impact(project)
    assert wrong.exit_code == 4
    assert "inputs" in wrong.output


def test_the_audit_finds_an_escape(tmp_path: Path) -> None:
    """A failing test that selection would have left out is named, with what changed since."""
    project = Project(tmp_path / "work")
    project.write(
        {
            "pyproject.toml": '[tool.paceline]\nenvironment = "current"\n',
            "data.txt": "1",
            # What is below this folder belongs to other tools, and is not seen.
            "node_modules/module.txt": "1",
            "tests/test_data.py": "def test_data(): assert open('data.txt').read()\n",
            "tests/test_module.py": """
                def test_module(): assert open("node_modules/module.txt").read() == "1"
            """,
        }
    )
    assert "nothing to compare" in project.invoke("impact.audit").output
    (project.root / ".paceline/impact/records.db").unlink()
    assert "2 passed" in impact(project).output
    assert "would have left out 2 tests, and all passed" in project.invoke("impact.audit").output
    project.write({"node_modules/module.txt": "2", "data.txt": "2"})
    done = project.invoke("impact.audit")
    assert done.exit_code == 1
    assert done.output.endswith(
        "escape: tests/test_module.py::test_module failed, and selection would have left it out\n"
        "  changed since, and not in its record:\n"
        "    data.txt changed\n"
    )
