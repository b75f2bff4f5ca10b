"""Which hooks become one, which stay apart and why, with collection replaced by a table."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from paceline.hooks import config, report
from paceline.hooks.audit import audit
from paceline.hooks.collect import Collected
from paceline.hooks.command import PytestCall
from paceline.hooks.consolidate import Collect, Consolidation, consolidate


def write(root: Path, *hooks: str) -> config.HookFile:
    """Write a configuration of `hooks`, each the keys of one, and a file for each test."""
    lines = "".join(f"  - {{language: system, pass_filenames: false, {hook}}}\n" for hook in hooks)
    text = f"default_stages: [pre-push]\nrepos:\n- repo: local\n  hooks:\n{lines}"
    (root / ".pre-commit-config.yaml").write_text(text)
    for name in ("a/test_1.py", "a/test_2.py", "a/test_3.py", "b/test_4.py", "test_5.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("")
    return config.read(root)


def fake(configuration: dict[str, str] | None = None, lost: str = "") -> Collect:
    """Collect one test a target; `lost` is not collected beside others."""

    def collect(calls: Sequence[PytestCall], root: Path) -> list[Collected]:
        found = []
        for call in calls:
            targets = call.arguments.targets
            gone = [name for name in targets if not (root / name).exists()]
            tests = frozenset(name for name in targets if len(targets) == 1 or name != lost)
            ini = (configuration or {}).get(targets[0] if targets else "", "")
            found.append(Collected(tests, str(root), ini, f"gone: {gone}" if gone else ""))
        return found

    return collect


def run(root: Path, *hooks: str, collect: Collect | None = None) -> Consolidation:
    return consolidate(write(root, *hooks), root, "pre-push", collect or fake())


def pytest_hook(name: str, target: str, more: str = "files: '^x'") -> str:
    return f"id: {name}, name: {name}, entry: pytest {target}, {more}"


def test_hooks_of_one_folder_become_one(tmp_path: Path) -> None:
    """Hooks alike in all but targets and files become one a folder, and the proof is told."""
    found = run(
        tmp_path,
        pytest_hook("one", "a/test_1.py", "files: ^a/"),
        pytest_hook("two", "a/test_2.py", "files: ^b/"),
        pytest_hook("three", "b/test_4.py"),
        "id: lint, name: lint, entry: mypy",
    )
    assert "\n".join(line.text for line in report.consolidation_lines(found, None)) == (
        "new hook  tests  instead of\n"
        "tests-a   2      one, two\n"
        "\n"
        "stays apart  why\n"
        "three        the only one of b\n"
        "\n"
        "4 hooks become 3; collected before and after: the same 2 tests; "
        "all 2 files patterns still start theirs"
    )
    assert found.merged[0].keys["entry"] == "pytest a/test_1.py a/test_2.py"
    assert found.diff().startswith("--- a/.pre-commit-config.yaml\n+++ b/.pre-commit-config.yaml\n")
    assert [member.files for member in found.merged[0].members] == [3, 1]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("entry: pytest -x a/test_2.py, files: ^x", "options: none and -x"),
        ("entry: pytest -m slow a/test_2.py, files: ^x", "marker: '' and 'slow'"),
        ("entry: pytest -k name a/test_2.py, files: ^x", "keyword: '' and 'name'"),
        ("entry: env A=1 pytest a/test_2.py, files: ^x", "environment: none and A=1"),
        ("entry: python -m pytest a/test_2.py, files: ^x", "program: pytest and python -m pytest"),
        ("entry: pytest a/test_2.py", "trigger: some files and every file"),
        ("entry: pytest a/test_2.py, files: ^x, exclude: ^y", "exclude: none and '^y'"),
        ("entry: pytest a/test_2.py, files: ^x, types: [python]", "types: none and ['python']"),
        ("entry: pytest a/test_2.py, files: ^x, stages: [push, manual]", "stages: pre-push and"),
    ],
)
def test_hooks_that_clash_stay_apart_with_the_reason(
    more: str, reason: str, tmp_path: Path
) -> None:
    """Hooks that differ in what a merged hook can have only once stay, and it is said why."""
    found = run(tmp_path, pytest_hook("one", "a/test_1.py"), f"id: two, name: two, {more}")
    assert found.merged == ()
    assert found.diff() == ""
    assert found.apart[0].text.startswith(f"differs from two in {reason}")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("entry: pytest --cov=x a/test_2.py", "--cov: its coverage is that of its own tests"),
        ("entry: pytest a, pass_filenames: true", "the names of the changed files are added"),
        ("entry: pytest a, language: python", "it runs in an environment of its own"),
        (r"entry: pytest a, files: '(a)\1'", "its files pattern refers to its own groups"),
        ("entry: pytest a, files: {glob: x}", "its files are no regular expression"),
        ("entry: bash -c 'pytest a; pytest b'", "it starts pytest 2 times"),
    ],
)
def test_hooks_that_cannot_be_merged_at_all_say_why(more: str, reason: str, tmp_path: Path) -> None:
    """A hook that means something else beside more tests stays, and it is said why."""
    found = run(tmp_path, pytest_hook("one", "a/test_1.py"), f"id: two, name: two, {more}")
    assert found.merged == ()
    assert found.apart[0].id == "two"
    assert found.apart[0].text.startswith(reason)


def test_another_configuration_keeps_hooks_apart(tmp_path: Path) -> None:
    """A target that pytest runs under another configuration file is not merged with others."""
    hooks = [pytest_hook(f"h{n}", f"a/test_{n}.py") for n in (1, 2, 3)]
    found = run(tmp_path, *hooks, collect=fake({"a/test_3.py": "a/pytest.ini"}))
    assert [member.id for member in found.merged[0].members] == ["h1", "h2"]
    assert found.apart[0].text == "differs from h1 in configuration: a/pytest.ini and none"


def test_a_merge_that_loses_a_test_is_not_made(tmp_path: Path) -> None:
    """Where the merged command collects other tests, only the halves that do not are merged."""
    hooks = [pytest_hook(f"h{n}", f"a/test_{n}.py") for n in (3, 1, 2)]
    found = run(tmp_path, *hooks, collect=fake(lost="a/test_3.py"))
    assert [member.id for member in found.merged[0].members] == ["h1", "h2"]
    assert found.apart[0].text == "together with the others it would not collect the same tests"


def test_broken_hooks_are_reported_and_stay(tmp_path: Path) -> None:
    """A hook that names a file that is gone is told as broken, and nothing of it is changed."""
    hooks = [pytest_hook(f"h{n}", f"a/test_{n}.py") for n in (1, 2, 9)]
    found = run(tmp_path, *hooks)
    assert [(note.id, note.text) for note in found.broken] == [("h9", "gone: ['a/test_9.py']")]
    assert "id: h9, name: h9, entry: pytest a/test_9.py" in found.text


def test_ids_divide_a_folder_of_several_kinds(tmp_path: Path) -> None:
    """In one folder with several kinds of tests, the first word of the id tells them apart."""
    hooks = []
    for kind in ("deploy", "meta"):
        for number in range(3):
            name = f"test_{kind}_{number}.py"
            (tmp_path / name).write_text("")
            hooks.append(pytest_hook(f"test-{kind}-{number}", name, f"files: ^{kind}/"))
    found = run(tmp_path, *hooks, pytest_hook("test-other", "test_5.py"))
    assert [(group.id, len(group.members)) for group in found.merged] == [
        ("tests-deploy", 3),
        ("tests-meta", 3),
    ]


def test_folders_that_the_same_patterns_start_become_one(tmp_path: Path) -> None:
    """Hooks of several folders that start on the same files run together anyway, so they merge."""
    found = run(
        tmp_path,
        pytest_hook("one", "a/test_1.py"),
        pytest_hook("two", "b/test_4.py"),
        pytest_hook("other", "test_5.py", "files: ^y"),
    )
    assert [(group.id, len(group.members)) for group in found.merged] == [("tests-a-b", 2)]


def test_the_audit_says_what_is_started(tmp_path: Path) -> None:
    """The audit shows every hook of the stage, what it starts, the waste and what is wrong."""
    file = write(
        tmp_path,
        pytest_hook("one", "-q a/test_1.py", "files: ^a/"),
        pytest_hook("two", "-q a/test_2.py", "files: ^a/"),
        pytest_hook("gone", "a/test_9.py", "files: ^nowhere/"),
        "id: make, name: make, entry: make test, always_run: true",
        "id: early, name: early, entry: pytest a, stages: [pre-commit]",
    )
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    found = audit(file, tmp_path, "pre-push")
    assert "\n".join(line.text for line in report.audit_lines(found, 0.5, None)) == (
        "stage       hooks\n"
        "pre-commit  1\n"
        "pre-push    4\n"
        "\n"
        "pre-push  files   starts pytest on\n"
        "one       3       -q a/test_1.py\n"
        "two       3       -q a/test_2.py\n"
        "gone      0       a/test_9.py\n"
        "make      always  not looked into: what make starts\n"
        "\n"
        "4 hooks at pre-push: 3 start pytest, 3 times; Python is started 3 times\n"
        "2 starts of pytest may do, 1 fewer: at least 0.5 s of a push in which all run "
        "(0.50 s a start, by pytest --version)\n"
        "gone: names a file that is gone: a/test_9.py\n"
        "gone: never starts: its files pattern '^nowhere/' matches no file"
    )
    assert report.audit_data(found, 0.5)["hooks"][0]["pytest"][0]["options"] == ["-q"]
    nothing = report.audit_lines(audit(file, tmp_path, "pre-rebase"), None, None)
    assert nothing[-1].text == "no hook runs at pre-rebase"
