"""What `[tool.paceline]` means, seen through `load`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.config import schema
from paceline.config.loading import load
from paceline.config.model import Config
from paceline.config.report import as_json, as_text
from paceline.errors import ConfigurationError


def write(root: Path, text: str) -> Path:
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return root


def refusal(root: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(write(root, text))
    assert caught.value.exit_code == 10
    return str(caught.value)


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    """Every kind of mistake in one file is listed at once, in the file's order."""
    text = """
[project]
name = "x"
optional-dependencies = {testing = []}
[dependency-groups]
tests = ["pytest"]
[tool.paceline]
python = [3.10]
enviroment = "uv"
test-groups = ["tests"]
fail_under = 101
[tool.paceline.groups.unit]
shard = 3
shards = 0
workers = "many"
timeout = -1
prepush = "yes"
[tool.paceline.groups."Big One"]
[tool.paceline.steps.lint]
run = ["ruff 'check", []]
[tool.paceline.steps.typs]
prepush = false
[tool.paceline.ci]
providers = ["githb"]
install = 3
branch = "a b"
zzz = 1
"""
    assert refusal(tmp_path, text) == (
        """\
error: pyproject.toml: tool.paceline.python: found 3.1, allowed: versions as strings like "3.10"
error: pyproject.toml: tool.paceline.enviroment: unknown key
       did you mean "environment"?
error: pyproject.toml: tool.paceline.test-groups: unknown key
       did you mean "test_groups"?
error: pyproject.toml: tool.paceline.fail_under: found 101, allowed: a number from 0 to 100
error: pyproject.toml: tool.paceline.groups.unit.shard: unknown key
       did you mean "shards"?
error: pyproject.toml: tool.paceline.groups.unit.shards: found 0, allowed: a number from 1
error: pyproject.toml: tool.paceline.groups.unit.workers: found "many", \
allowed: "auto" or a number from 0
error: pyproject.toml: tool.paceline.groups.unit.timeout: found -1, \
allowed: "auto" or a positive number
error: pyproject.toml: tool.paceline.groups.unit.prepush: found "yes", allowed: true or false
error: pyproject.toml: tool.paceline.groups."Big One": found "Big One", \
allowed: a name of a-z, 0-9, _ and -
error: pyproject.toml: tool.paceline.steps.lint.run: found "ruff 'check", \
which cannot be split: No closing quotation
error: pyproject.toml: tool.paceline.ci.providers: found "githb", \
allowed: "github", "gitlab", "woodpecker"
       did you mean "github"?
error: pyproject.toml: tool.paceline.ci.install: found 3, \
allowed: a string or a list of strings
error: pyproject.toml: tool.paceline.ci.branch: found "a b", allowed: a branch name
error: pyproject.toml: tool.paceline.ci.zzz: unknown key, \
allowed: providers, branch, install, timeout_minutes, select, nightly, weekly, test_image, \
cache_bucket, cache_endpoint, images, deploy
error: pyproject.toml: tool.paceline.steps.typs: a step of your own needs "run"
       did you mean "types"?
16 problems; nothing was run."""
    )


def test_missing_files_and_groups_are_problems(tmp_path: Path) -> None:
    """Whatever the configuration names and is not there is refused by name."""
    text = """
[project]
name = "x"
optional-dependencies = {testing = []}
[dependency-groups]
tests = ["pytest"]
[tool.paceline]
constraints = "constraints.txt"
test_requirements = ["req.txt"]
test_groups = ["tets"]
tool_groups = ["Tests"]
test_extras = ["testng"]
[tool.paceline.groups.unit]
paths = ["tests/nope"]
"""
    assert refusal(tmp_path, text) == (
        """\
error: pyproject.toml: tool.paceline.groups.unit.paths: found "tests/nope", which does not exist
error: pyproject.toml: tool.paceline.constraints: found "constraints.txt", which is not a file
error: pyproject.toml: tool.paceline.test_requirements: found "req.txt", which is not a file
error: pyproject.toml: tool.paceline.test_groups: found "tets", \
which is not in [dependency-groups]
       did you mean "tests"?
error: pyproject.toml: tool.paceline.test_extras: found "testng", \
which is not in [project.optional-dependencies]
       did you mean "testing"?
5 problems; nothing was run."""
    )


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    """A syntax error is reported with the line it is on."""
    assert refusal(tmp_path, "[project]\nname = \n") == (
        "error: pyproject.toml: (file): line 2, column 8: not valid TOML: Invalid value\n"
        "1 problem; nothing was run."
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a = 1\nb = '\xff'\n", "line 2: not UTF-8 text"),
        (b"a = " + b"[" * 100_000, "not valid TOML: "),
        (b"a = " + b"9" * 5000, "not valid TOML: "),
    ],
    ids=["encoding", "nesting", "digits"],
)
def test_unreadable_content_is_a_problem(tmp_path: Path, content: bytes, expected: str) -> None:
    """Content that breaks the parser in unusual ways is still a configuration problem."""
    (tmp_path / "pyproject.toml").write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path)
    assert caught.value.problems[0].text.startswith(expected)


def test_folder_in_place_of_the_file_is_a_problem(tmp_path: Path) -> None:
    """A pyproject.toml that cannot be opened is reported, not raised as OSError."""
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        load(tmp_path)
    assert caught.value.problems[0].key == "(file)"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("fail_under = nan", "NaN"),
        ("fail_under = true", "true"),
        ("groups = 3", "3"),
        ("groups.unit = 3", "3"),
        ("groups.unit.timeout = inf", "Infinity"),
        ("groups.unit.workers = 1.5", "1.5"),
        ("groups.unit.shards = true", "true"),
        ('groups.unit.paths = [""]', '""'),
        ('python = "3.10"', '"3.10"'),
        ('python = ["3.10", "3.10"]', '"3.10" 2 times'),
        ("fail_under = 2020-01-01", '"2020-01-01"'),
        ('steps.lint.run = "ruff"', '"ruff"'),
        ('steps.lint.run = [[""]]', '[""]'),
        ("ci.timeout_minutes = 0", "0"),
        ('environment = "conda"', '"conda"'),
    ],
)
def test_wrong_value_is_shown(tmp_path: Path, line: str, found: str) -> None:
    """One wrong value is one problem, which shows the value as it was found."""
    out = refusal(tmp_path, f"[tool.paceline]\n{line}\n")
    assert f": found {found}," in out
    assert out.endswith("1 problem; nothing was run.")


def test_values_replace_what_is_discovered(tmp_path: Path) -> None:
    """Valid values arrive in the model with their types."""
    (tmp_path / "slow").mkdir()
    config = load(
        write(
            tmp_path,
            """
[tool.ruff]
[tool.paceline]
python = ["3.10", "3.13t", "pypy3.11"]
fail_under = 90
[tool.paceline.groups.slow]
paths = ["slow"]
marker = "slow and not gpu"
workers = 0
timeout = 2.5
[tool.paceline.steps.lint]
run = ["flake8 'my dir'", ["ruff", "check"]]
[tool.paceline.steps.spelling]
run = ["python -m codespell"]
inputs = ["docs/**"]
[tool.paceline.steps.types]
run = []
[tool.paceline.ci]
install = "uv pip install 'paceline>=1'"
providers = ["gitlab"]
""",
        )
    )
    assert config.python == ("3.10", "3.13t", "pypy3.11")
    assert repr(config.fail_under) == "90.0"
    (group,) = config.groups
    assert (group.paths, group.marker, group.workers, group.timeout) == (
        ("slow",),
        "slow and not gpu",
        0,
        2.5,
    )
    assert config.step("lint").run == (("flake8", "my dir"), ("ruff", "check"))
    assert config.step("types").missing == "run is empty in pyproject.toml"
    assert [step.name for step in config.steps][-1] == "spelling"
    assert config.step("spelling").inputs == ("docs/**",)
    assert config.ci.install == ("uv", "pip", "install", "paceline>=1")
    assert config.ci.providers == ("gitlab",)
    assert config.tools == ("flake8", "ruff")


def test_partial_step_keeps_its_command(tmp_path: Path) -> None:
    """Setting one key of a discovered step leaves the others as discovered."""
    config = load(write(tmp_path, "[tool.ruff]\n[tool.paceline.steps.lint]\nprepush = false\n"))
    assert config.step("lint").run == (("ruff", "check", "--no-fix", "."),)
    assert config.step("lint").prepush is False
    origins = dict(config.origins)
    assert origins["steps.lint.run"] == "discovered"
    assert origins["steps.lint.prepush"] == "pyproject.toml"


def test_tuning_a_group_keeps_the_other_groups(tmp_path: Path) -> None:
    """A table that only tunes a discovered group does not drop the rest of the suite."""
    for name in ("unit", "api"):
        (tmp_path / "tests" / name).mkdir(parents=True)
    config = load(write(tmp_path, "[tool.paceline.groups.unit]\nshards = 3\n"))
    assert [(group.name, group.paths, group.shards) for group in config.groups] == [
        ("unit", ("tests/unit",), 3),
        ("api", ("tests/api",), 1),
    ]


def test_selecting_groups_replaces_the_discovered_ones(tmp_path: Path) -> None:
    """Groups that select tests themselves are the whole list, in the file's order."""
    for name in ("unit", "api"):
        (tmp_path / "tests" / name).mkdir(parents=True)
    text = '[tool.paceline.groups]\nslow.marker = "slow"\nfast.marker = "not slow"\n'
    assert [group.name for group in load(write(tmp_path, text)).groups] == ["slow", "fast"]


def test_written_dependencies_switch_off_guessing(tmp_path: Path) -> None:
    """Naming requirements files stops a discovered group from being installed too."""
    (tmp_path / "ci.txt").touch()
    text = '[dependency-groups]\ntests=[]\n[tool.paceline]\ntest_requirements=["ci.txt"]\n'
    config = load(write(tmp_path, text))
    assert config.test_groups == ()
    assert config.test_requirements == ("ci.txt",)


def test_dynamic_extras_are_not_refused(tmp_path: Path) -> None:
    """Extras that only the build backend knows cannot be checked and are let through."""
    text = (
        '[project]\nname="x"\ndynamic=["optional-dependencies"]\n'
        '[tool.paceline]\ntest_extras=["any"]\n'
    )
    assert load(write(tmp_path, text)).test_extras == ("any",)


def test_path_with_spaces_and_accents(tmp_path: Path) -> None:
    """A project and a test folder with spaces and non-ASCII letters load and report."""
    root = tmp_path / "mein Projekt äöü 日本"
    (root / "tests" / "schnelle Prüfungen").mkdir(parents=True)
    text = '[tool.paceline.groups.unit]\npaths = ["tests/schnelle Prüfungen"]\n'
    config = load(write(root, text))
    assert config.root == root
    assert config.group("unit").paths == ("tests/schnelle Prüfungen",)
    line = 'groups.unit.paths    = ["tests/schnelle Prüfungen"]  # pyproject.toml'
    assert line in as_text(config).splitlines()


def test_reports_show_value_and_origin(tmp_path: Path) -> None:
    """The text is aligned by block, and the JSON has the same keys."""
    config = load(write(tmp_path, "[tool.paceline.groups.unit]\nshards = 3\n"))
    blocks = as_text(config).split("\n\n")
    assert blocks[1] == (
        """\
groups.unit.paths    = []      # default
groups.unit.marker   = ""      # default
groups.unit.shards   = 3       # pyproject.toml
groups.unit.workers  = "auto"  # default
groups.unit.timeout  = "auto"  # default
groups.unit.prepush  = true    # default
groups.unit.services = []      # default
groups.unit.inputs   = []      # default"""
    )
    assert blocks[2].endswith("\n# not set up: no [tool.ruff] in pyproject.toml")
    content = json.loads(as_json(config))
    assert content["groups.unit.shards"] == {"value": 3, "origin": "pyproject.toml"}
    assert list(content) == [key for key, _ in config.origins]


def test_rules_name_fields_of_the_model() -> None:
    """A limit on a field that was renamed would silently stop working."""
    for owner, name in schema.RULES:
        assert name in schema.hints(owner)


def test_every_field_is_reported_or_internal(tmp_path: Path) -> None:
    """A field added to the model shows up in the report without further work."""
    keys = {key.partition(".")[0] for key, _ in load(tmp_path).origins}
    assert keys == {entry.name for entry in dataclasses.fields(Config)} - schema.INTERNAL


@given(word=st.text(max_size=40))
def test_did_you_mean_never_crashes(word: str) -> None:
    """Any text at all gets a known name or no suggestion."""
    known = schema.hints(Config)
    assert schema.did_you_mean(word, known) in {"", *known}
    assert schema.dotted("tool", word).startswith("tool.")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("90", "found 90, allowed: a table of paths and numbers"),
        ('{"src/a" = 101}', '"src/a": found 101, allowed: a number from 0 to 100'),
        ('{a = "much"}', '"a": found "much", allowed: a number from 0 to 100'),
    ],
)
def test_limits_of_paths_are_checked(tmp_path: Path, value: str, found: str) -> None:
    """A limit of a path that is no percentage is shown with its path."""
    text = refusal(tmp_path, f"[tool.paceline]\nfail_under_paths = {value}\n")
    assert f"tool.paceline.fail_under_paths: {found}" in text


def test_coverage_limits_are_read(tmp_path: Path) -> None:
    """The limits of paths, of changed lines and of the drop arrive as numbers; off by default."""
    config = load(tmp_path)
    assert (config.fail_under_paths, config.diff_fail_under, config.max_drop) == ((), 0.0, 100.0)
    text = 'fail_under_paths = {"src/a" = 95, "a.b" = 90.5}\ndiff_fail_under = 80\nmax_drop = 0'
    config = load(write(tmp_path, f"[tool.paceline]\n{text}\n"))
    assert config.fail_under_paths == (("src/a", 95.0), ("a.b", 90.5))
    assert (config.diff_fail_under, config.max_drop) == (80.0, 0.0)


@pytest.mark.parametrize(
    ("versions", "newest"),
    [((), None), (("3.9", "3.13", "3.10"), "3.13"), (("pypy3.10", "3.13t"), "pypy3.10")],
)
def test_the_newest_python(tmp_path: Path, versions: tuple[str, ...], newest: str | None) -> None:
    """Versions are compared by number; without a plain one the first stands for all."""
    assert Config(tmp_path, python=versions).newest_python == newest


def test_steps_of_ones_own_are_checked(tmp_path: Path) -> None:
    """Kinds, needs, variables and limits of steps are read, and each mistake is named."""
    good = """\
[tool.paceline.steps.docs]
run = ["make docs"]
kind = "fixes"
needs = ["lint"]
optional-tool = "make"
env = { LANG = "C" }
timeout = 5
weight = 2
[tool.paceline.prepush]
budget = "2m"
"""
    config = load(write(tmp_path, good))
    docs = config.step("docs")
    assert (docs.kind, docs.needs, docs.optional_tool) == ("fixes", ("lint",), "make")
    assert (docs.env, docs.timeout, docs.weight) == ((("LANG", "C"),), 5.0, 2)
    assert config.prepush.budget_seconds == 120.0
    bad = """\
[tool.paceline.steps.docs]
run = ["make docs"]
kind = "fix"
needs = ["lnt"]
env = { LANG = 1 }
[tool.paceline.steps.a]
run = ["x"]
needs = ["b"]
[tool.paceline.steps.b]
run = ["x"]
needs = ["a"]
[tool.paceline.steps.coverage]
run = ["x"]
[tool.paceline.prepush]
budget = "1 minute"
"""
    assert refusal(tmp_path, bad) == (
        """\
error: pyproject.toml: tool.paceline.steps.docs.kind: found "fix", allowed: "reads", "fixes"
       did you mean "fixes"?
error: pyproject.toml: tool.paceline.steps.docs.env: found {"LANG": 1}, allowed: a table of strings
error: pyproject.toml: tool.paceline.prepush.budget: found "1 minute", \
allowed: a time like "60s" or "5m"
error: pyproject.toml: tool.paceline.steps.docs.needs: found "lnt", which is no step
       did you mean "lint"?
error: pyproject.toml: tool.paceline.steps.a.needs: found "a", which needs itself in the end
error: pyproject.toml: tool.paceline.steps.b.needs: found "b", which needs itself in the end
error: pyproject.toml: tool.paceline.steps.coverage.run: found "coverage", \
which is the name of something else
7 problems; nothing was run."""
    )
