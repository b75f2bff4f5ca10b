"""What a hook's command starts, seen through what wraps it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from paceline.hooks import command
from paceline.hooks.arguments import Arguments, prune, split


@pytest.mark.parametrize(
    ("line", "rebuilt"),
    [
        ("pytest tests/a", "pytest tests/a"),
        ("python3 -X dev -m pytest -q a", "python3 -X dev -m pytest -q a"),
        ("uv run --group test pytest a", "uv run --group test pytest a"),
        ("uv run -m pytest a", "uv run -m pytest a"),
        ("poetry run python -m pytest a", "poetry run python -m pytest a"),
        ("timeout 60 pytest -x a", "timeout 60 pytest -x a"),
        ("env B=2 A='x y' pytest a", "env 'A=x y' B=2 pytest a"),
        ("bash -c 'pytest -k \"a or b\" c'", "pytest -k 'a or b' c"),
        ("sh -ec 'A=1 pytest a'", "env A=1 pytest a"),
        ("/opt/venv/bin/pytest a", "/opt/venv/bin/pytest a"),
        ("pytest -mslow -k=x a -- b", "pytest -m slow -k x a b"),
    ],
)
def test_a_start_of_pytest_is_found_and_can_be_rebuilt(
    line: str, rebuilt: str, tmp_path: Path
) -> None:
    """A start of pytest is found through each kind of wrapper and rebuilt with equal meaning."""
    found = command.read(shlex.split(line), tmp_path)
    assert [(shlex.join(call.command()), call.obstacle) for call in found.pytest] == [(rebuilt, "")]


@pytest.mark.parametrize(
    ("line", "starts", "obstacle"),
    [
        ("bash -c 'cd sub && pytest x'", 1, "a shell line that is more than one command"),
        ("bash -c 'pytest a; pytest b'", 2, "a shell line that is more than one command"),
        ("bash -c 'pytest \"$@\"'", 1, "a shell line that is more than one command"),
        ("bash -lc 'pytest a'", 1, "a login or interactive shell"),
        ("env -u HOME pytest a", 1, "env with options"),
        ("uv run env A=1 pytest a", 1, "env behind another program"),
        ("env A=1 sh -c 'pytest a'", 1, "a shell behind another program"),
        ("env PYTEST_ADDOPTS=-x pytest a", 1, "it sets PYTEST_ADDOPTS"),
        ("coverage run -m pytest a", 1, "its coverage is that of its own tests"),
        ("python -m coverage run -m pytest a", 1, "its coverage is that of its own tests"),
        ("scripts/run.sh", 1, "it starts pytest in the script scripts/run.sh"),
        ("bash scripts/run.sh", 1, "it starts pytest in the script scripts/run.sh"),
        ("python scripts/run.py", 1, "it starts pytest in the script scripts/run.py"),
    ],
)
def test_a_start_that_cannot_be_rebuilt_says_why(
    line: str, starts: int, obstacle: str, tmp_path: Path
) -> None:
    """A start of pytest in more than a plain command line is found, and keeps its reason."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "run.sh").write_text("#!/bin/sh\nset -e\n# pytest no\nuv run pytest a\n")
    (scripts / "run.py").write_text("import subprocess\nsubprocess.run(['pytest', 'a'])\n")
    found = command.read(shlex.split(line), tmp_path)
    assert [call.obstacle for call in found.pytest] == [obstacle] * starts


def test_what_starts_no_pytest() -> None:
    """Other programs start none; one that decides by itself is named as not looked into."""
    assert command.read(["mypy", "src"], Path()).pytest == ()
    assert command.read(["python", "-m", "mypy", "src"], Path()).interpreters == 1
    assert command.read(["make", "test"], Path()).unopened == "make"
    assert command.read(["bash", "-c"], Path()) == command.Command()


def test_a_script_that_starts_itself_ends(tmp_path: Path) -> None:
    """Scripts that start each other are followed to a limit only."""
    (tmp_path / "run.sh").write_text("sh run.sh\npytest a\n")
    assert command.read(["sh", "run.sh"], tmp_path).pytest


def test_arguments_are_taken_apart(tmp_path: Path) -> None:
    """Options keep their values and order; an unknown option's value is told from a target."""
    (tmp_path / "tests").mkdir()
    words = shlex.split(
        "-q --tb short --own value --flag tests -m 'not slow' -p no:x tests/a.py::b"
    )
    assert split(words, tmp_path) == Arguments(
        ("-q", "--tb", "short", "--own", "value", "--flag", "-p", "no:x"),
        "not slow",
        "",
        ("tests", "tests/a.py::b"),
    )


@pytest.mark.parametrize("option", ["--cov=src", "--cov-fail-under=90", "--lf", "--testmon"])
def test_options_that_depend_on_the_whole_run_are_known(option: str) -> None:
    """An option whose meaning changes beside more tests is a reason to stay apart."""
    assert Arguments((option,)).of_the_whole.startswith(option.split("=", maxsplit=1)[0])
    assert Arguments(("-q", "--no-cov", "--color=no")).of_the_whole == ""


def test_targets_inside_others_are_left_out() -> None:
    """A target that a folder, file, class or test before its parameters holds is not repeated."""
    targets = [
        "./tests/a.py",
        "tests/a.py::test_b",
        "tests/ab.py",
        "tests/ab.py",
        "t::C",
        "t::C::d",
    ]
    assert prune(targets) == ("tests/a.py", "tests/ab.py", "t::C")
    assert prune(["a.py::t[1]", "a.py::t"]) == ("a.py::t",)
    assert prune(["tests/x", "tests/"]) == ("tests/",)
