"""The arguments of a test session, and pytest's exit codes in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from paceline.config.model import Config, Group
from paceline.errors import UsageError
from paceline.testrun import (
    EXIT_CODES,
    Arguments,
    command,
    explain,
    parse,
    parse_shard,
    result_folder,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project with one test file, and files named like options' values."""
    for name in ("tests/test_a.py", "no:randomly", "2"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Arguments()),
        (["--shard", "2/4"], Arguments(2, 4)),
        (["--shard=2/4", "-x"], Arguments(2, 4, rest=("-x",))),
        (["--store-durations"], Arguments(store_durations=True)),
        (["-k", "a or b", "-m", "slow"], Arguments(keyword="a or b", marker="slow")),
        (["tests/test_a.py::test_b"], Arguments(paths=("tests/test_a.py::test_b",))),
        (["tests", "-v"], Arguments(paths=("tests",), rest=("-v",))),
        (["tests/absent.py"], Arguments(rest=("tests/absent.py",))),
        (["-p", "no:randomly", "-n", "2"], Arguments(rest=("-p", "no:randomly", "-n", "2"))),
        (["--durations", "2", "tests"], Arguments(paths=("tests",), rest=("--durations", "2"))),
        (["--maxfail=2"], Arguments(rest=("--maxfail=2",))),
        (["-k"], Arguments(rest=("-k",))),
    ],
)
def test_arguments(arguments: list[str], expected: Arguments, root: Path) -> None:
    """Each argument goes to the shard, to the selection inside it, to the paths or to pytest."""
    assert parse(arguments, root) == expected


@pytest.mark.parametrize("arguments", [["--shard"], ["--shard="], ["--shard", "--store-durations"]])
def test_a_shard_without_numbers(arguments: list[str], root: Path) -> None:
    """--shard without k/N is refused."""
    with pytest.raises(UsageError, match="allowed: k/N with 1 <= k <= N"):
        parse(arguments, root)


@given(index=st.integers(-3, 40), total=st.integers(-3, 40))
def test_every_shard_that_exists_is_read(index: int, total: int) -> None:
    """k/N is read back exactly if 1 <= k <= N, and refused with the text found if not."""
    text = f"{index}/{total}"
    if 1 <= index <= total:
        assert parse_shard(text) == (index, total)
    else:
        with pytest.raises(UsageError) as caught:
            parse_shard(text)
        assert f'found "{text}"' in caught.value.message
        assert caught.value.exit_code == 10


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    """No text makes parse_shard fail in another way than by its own error."""
    try:
        index, total = parse_shard(text)
    except UsageError:
        return
    assume(text)
    assert 1 <= index <= total
    assert [int(part) for part in text.split("/")] == [index, total]


def test_command_line(tmp_path: Path) -> None:
    """Paths named by the user replace the group's own, and the rest stands before them."""
    group = Group("unit", paths=("tests",), workers=0, marker="fast", timeout=5.0)
    config = Config(tmp_path, groups=(group,))
    run = Arguments(2, 3, keyword="word", marker="slow", rest=("-x",))
    folder = result_folder(config, group, None, run)
    assert folder == tmp_path / ".paceline" / "shards" / "unit" / "2of3"
    assert result_folder(config, group, "3.12", run).parent.name == "unit-3.12"
    line = command(config, group, Path("python"), folder, run)
    assert line[:3] == ["python", "-m", "pytest"]
    assert line[-3:] == ["-x", "--cov-fail-under=0", "tests"]
    assert line[line.index("--splits") + 1] == "3"
    assert line[line.index("--group") + 1] == "2"
    assert {
        "--paceline-workers=0",
        "--paceline-timeout=5.0",
        "--paceline-narrow-keyword=word",
        "--paceline-narrow-marker=slow",
    } <= set(line)
    chosen = command(config, group, Path("python"), folder, Arguments(paths=("tests/a.py",)))
    assert chosen[-1] == "tests/a.py"
    assert "tests" not in chosen


def test_exit_codes_in_words() -> None:
    """Every way in which pytest ends has words, a signal and unknown codes included."""
    assert all(explain(code) == text for code, text in EXIT_CODES.items())
    assert explain(-6) == "pytest was ended by signal 6"
    assert explain(77) == "pytest ended with exit code 77"
