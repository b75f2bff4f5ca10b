"""The pipeline as data."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from paceline.ci.building import build
from paceline.config.model import Ci, Config, Group, Step
from paceline.errors import PacelineError


def test_each_shard_runs_its_own_session(config: Config) -> None:
    """A group becomes one job with a shard for each part of it."""
    shards = [(shard.command, shard.artifact, shard.folder) for shard in build(config).shards()]
    assert shards[1] == (
        "nox -s tests-unit -- --shard 2/4",
        "unit-2of4",
        ".paceline/shards/unit/2of4",
    )
    assert len(shards) == 5


def test_versions_multiply_shards(tmp_path: Path) -> None:
    """Every Python version has all shards, with names of their own."""
    config = Config(tmp_path, python=("3.12", "3.13"), groups=(Group("unit", shards=2),))
    shards = list(build(config).shards())
    assert [shard.command for shard in shards[2:]] == [
        "nox -s tests-unit-3.13 -- --shard 1/2",
        "nox -s tests-unit-3.13 -- --shard 2/2",
    ]
    assert shards[3].artifact == "unit-2of2-py3.13"
    assert shards[3].folder == ".paceline/shards/unit-3.13/2of2"
    assert len({shard.artifact for shard in shards}) == len({s.folder for s in shards}) == 4


def test_only_steps_with_commands_become_jobs(config: Config) -> None:
    """A step that is not set up, and the hooks step, have no job."""
    pipeline = build(config)
    tests = ("plan", "tests-unit", "tests-db")
    assert pipeline.required == (*tests, "deps", "lint", "types", "coverage")


def test_coverage_needs_all_tests(config: Config) -> None:
    """The coverage job waits for every tests job and for no check."""
    assert build(config).job("coverage").needs == ("tests-unit", "tests-db")


def test_no_groups_no_coverage(tmp_path: Path) -> None:
    """Without test groups there is nothing to combine."""
    pipeline = build(Config(tmp_path, steps=(Step("lint", (("ruff",),)),)))
    assert pipeline.required == ("lint",)
    assert [job.name for job in pipeline.jobs] == ["lint", "required"]


def test_newest_version_by_number_runs_the_other_jobs(tmp_path: Path) -> None:
    """3.13 is newer than 3.9, though its text sorts before."""
    assert build(Config(tmp_path, python=("3.13", "3.9", "pypy3.10"))).python == "3.13"


@pytest.mark.parametrize(
    ("provider", "shards", "python", "limit"),
    [("github", 129, ("3.12", "3.13"), "256"), ("gitlab", 201, (), "200")],
)
def test_too_large_a_matrix_is_refused(
    tmp_path: Path, provider: str, shards: int, python: tuple[str, ...], limit: str
) -> None:
    """One job over the limit is an error that names the group and a way out."""

    def config(count: int) -> Config:
        groups = (Group("unit", shards=count),)
        return Config(tmp_path, python=python, groups=groups, ci=Ci(providers=(provider,)))

    with pytest.raises(PacelineError, match=f"'unit'.*{limit}") as caught:
        build(config(shards))
    assert "lower `shards`" in caught.value.hint
    build(config(shards - 1))


def test_limits_of_unused_providers_do_not_count(tmp_path: Path) -> None:
    """A project without GitLab and GitHub files may have any number of shards."""
    ci = Ci(providers=("woodpecker",))
    assert (
        len(list(build(Config(tmp_path, groups=(Group("u", shards=300),), ci=ci)).shards())) == 300
    )


def test_gitlab_needs_limit_is_refused(tmp_path: Path) -> None:
    """GitLab would reject a coverage job that needs more than 50 jobs."""
    groups = tuple(Group(f"g{number}") for number in range(51))
    with pytest.raises(PacelineError, match="51 jobs; GitLab takes 50"):
        build(Config(tmp_path, groups=groups))


@pytest.mark.parametrize("name", ["a.b", "a/b", "a b", "${{ x }}", "a'b", "-a", "", "a\nb"])
def test_group_names_that_no_job_can_have_are_refused(tmp_path: Path, name: str) -> None:
    """A name that would break an id, a path or the file's syntax never reaches a renderer."""
    with pytest.raises(PacelineError, match="cannot name a CI job"):
        build(Config(tmp_path, groups=(Group(name),)))


@pytest.mark.parametrize(
    "change",
    [
        {"ci": Ci(branch='x" || true')},
        {"ci": Ci(install=("pip", "${{ secrets.X }}"))},
        {"ci": Ci(install=("pip", "a\nb"))},
        {"ci": Ci(install=())},
        {"python": ("3.13; rm",)},
        {"groups": (Group("unit", shards=0),)},
    ],
)
def test_text_that_a_provider_would_interpret_is_refused(
    config: Config, change: dict[str, object]
) -> None:
    """Branch, install command, versions and shard counts are checked before rendering."""
    with pytest.raises(PacelineError) as caught:
        build(dataclasses.replace(config, **change))  # type: ignore[arg-type]
    assert caught.value.hint


@pytest.mark.parametrize(("environment", "expected"), [("uv", "3.13"), ("current", "3.9")])
def test_old_versions_do_not_run_nox_with_uv(
    tmp_path: Path, environment: str, expected: str
) -> None:
    """Paceline cannot be installed on 3.9; with uv it need not be, to test on it."""
    config = Config(tmp_path, python=("3.9", "3.13"), environment=environment)
    assert build(config).nox_python("3.9") == expected


def test_only_old_versions_leave_the_choice_to_uv(tmp_path: Path) -> None:
    """With no version that Paceline runs on, no version is asked for."""
    assert build(Config(tmp_path, python=("3.8", "3.9"))).python == ""
