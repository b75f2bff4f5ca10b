"""The simulation of a pipeline: schedules, what-ifs, pictures, bad input."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.ci import chart, timing, whatif
from paceline.ci.measured import project_timing
from paceline.ci.schedule import simulate
from paceline.ci.timing import TimedJob, Timing, read
from paceline.config.model import Config
from paceline.errors import UsageError
from paceline.tasks.simulate import Wishes, run_simulate

EXAMPLE = Path(__file__).parents[3] / "docs" / "pipeline-57-minutes.toml"


@st.composite
def pipelines(draw: st.DrawFn) -> Timing:
    """Return a small pipeline with whole seconds; jobs need jobs before them."""
    jobs: list[TimedJob] = []
    for number in range(draw(st.integers(1, 6))):
        needs = draw(st.lists(st.sampled_from([job.name for job in jobs] or ["-"]), unique=True))
        shards = draw(st.integers(1, 3))
        seconds = float(draw(st.integers(1, 5)) * shards)
        name = f"job{number}"
        jobs.append(TimedJob(name, seconds, tuple(n for n in needs if n != "-"), shards=shards))
    return Timing(tuple(jobs), runners=draw(st.integers(0, 3)))


def by_the_second(given: Timing) -> dict[tuple[str, int], tuple[int, int]]:
    """Return start and end of each shard, found by looking at every second."""
    waiting = {job.name: job for job in given.jobs}
    queue: list[tuple[str, int, int]] = []
    spans: dict[tuple[str, int], tuple[int, int]] = {}
    ended: set[str] = set()
    for now in itertools.count():
        for job in given.jobs:
            of_job = [spans.get((job.name, shard)) for shard in range(1, job.shards + 1)]
            if job.name not in waiting and all(span and span[1] <= now for span in of_job):
                ended.add(job.name)
        for job in [job for job in waiting.values() if set(job.needs) <= ended]:
            queue += [
                (job.name, shard, round(job.shard_seconds(0))) for shard in range(1, job.shards + 1)
            ]
            del waiting[job.name]
        busy = sum(begin <= now < end for begin, end in spans.values())
        while queue and (not given.runners or busy < given.runners):
            name, shard, seconds = queue.pop(0)
            spans[name, shard] = (now, now + seconds)
            busy += 1
        if len(ended) == len(given.jobs):
            return spans
    raise AssertionError


def every_path(given: Timing) -> Iterator[float]:
    """Yield the length of every path through the pipeline."""
    jobs = {job.name: job for job in given.jobs}

    def to(name: str) -> Iterator[float]:
        for before in [length for need in jobs[name].needs for length in to(need)] or [0.0]:
            yield before + jobs[name].shard_seconds(0)

    for name in jobs:
        yield from to(name)


@given(pipelines())
def test_the_schedule_is_that_of_brute_force(given: Timing) -> None:
    """Each shard starts and ends when a simulation second by second says so."""
    found = {(slot.job, slot.shard): (slot.start, slot.end) for slot in simulate(given).slots}
    assert found == by_the_second(given)


@given(pipelines())
def test_without_a_limit_the_longest_path_decides(given: Timing) -> None:
    """With any number of runners the wall time is the longest of all paths, named in order."""
    unlimited = replace(given, runners=0)
    schedule = simulate(unlimited)
    assert schedule.wall_seconds == max(every_path(unlimited))
    assert schedule.total_seconds == sum(job.seconds for job in given.jobs)
    on_path = sum(unlimited.job(name).shard_seconds(0) for name in schedule.critical)
    assert on_path == schedule.wall_seconds


@given(pipelines())
def test_the_critical_path_has_no_gap(given: Timing) -> None:
    """With few runners too, the jobs on the critical path follow each other to the end."""
    schedule = simulate(given)
    assert schedule.critical
    ends = {slot.end for slot in schedule.slots if slot.job in schedule.critical}
    starts = {slot.start for slot in schedule.slots if slot.job in schedule.critical}
    assert max(ends) == schedule.wall_seconds
    assert min(starts) == 0


def test_two_thousand_jobs_take_less_than_a_second() -> None:
    """A pipeline of 2,000 jobs, each needing up to 20 others, is simulated at once."""
    jobs = tuple(
        TimedJob(f"j{n}", 10.0 + n % 7, tuple(f"j{m}" for m in range(max(0, n - 60), n - 40)))
        for n in range(2000)
    )
    begin = time.process_time()
    schedule = simulate(Timing(jobs, runners=50))
    assert time.process_time() - begin < 1
    assert len(schedule.slots) == 2000


def test_the_analysis_of_57_minutes() -> None:
    """The example takes 57 minutes, and each step toward 10 saves what the one before left."""
    start = whatif.step("as it is", read(EXAMPLE))
    assert timing.minutes(start.schedule.wall_seconds) == "56:59"
    assert start.schedule.critical == (
        "clone",
        "scan-python-dependencies",
        "backend-tests",
        "scan-backend",
        "staging",
        "health-check",
        "production",
    )
    steps = [start, *whatif.toward(start, 600)]
    walls = [step.schedule.wall_seconds for step in steps]
    assert walls[-1] < 600 <= walls[-2]
    assert walls == sorted(walls, reverse=True)
    assert [step.text for step in steps[1:3]] == [
        "backend-tests in 2 shards",
        "backend-tests in 4 shards",
    ]


def test_every_kind_of_what_if() -> None:
    """Shards, workers, early images, cache hits and runners each do what they say."""
    start = read(EXAMPLE)
    assert whatif.shards(start, "backend-tests", 5).job("backend-tests").shard_seconds(0) == 660
    two = whatif.workers(start, "backend-tests", 2).job("backend-tests")
    assert two.shard_seconds(0) == pytest.approx(45 + 3075 / 1.85)
    assert start.job("backend-tests").shard_seconds(1) == 3085
    early = whatif.early(start)
    assert early.job("build-backend").needs == ("clone",)
    assert set(early.job("scan-backend").needs) == {"build-backend", "build-frontend", "clone"}
    one = simulate(replace(start, runners=1))
    assert one.wall_seconds == one.total_seconds == simulate(start).total_seconds
    assert simulate(start).cost == pytest.approx(0.008 * simulate(start).billed_minutes)


def test_early_images_are_deployed_no_earlier() -> None:
    """Every deployment still waits, itself or through others, for every test, check and scan."""
    early = whatif.early(read(EXAMPLE))

    def before(name: str) -> set[str]:
        needs = set(early.job(name).needs)
        return needs.union(*map(before, needs)) if needs else needs

    deployments = [job.name for job in early.jobs if job.kind == "deploy"]
    others = {job.name for job in early.jobs} - set(deployments)
    assert deployments
    assert all(others <= before(name) for name in deployments)


def test_what_cannot_be_divided_ends_the_search() -> None:
    """A target below what is left serial is not promised."""
    jobs = (TimedJob("t", 100.0, kind="tests", longest_seconds=90.0),)
    steps = list(whatif.toward(whatif.step("", Timing(jobs)), 60))
    assert steps[-1].schedule.wall_seconds == 90


def test_pictures() -> None:
    """The SVG is well-formed XML with every job's name as text, however odd; the text fits."""
    jobs = (TimedJob('<&"> ${{ x }}', 61.0, shards=2), TimedJob("b", 0.0, ('<&"> ${{ x }}',)))
    schedule = simulate(Timing(jobs))
    root = ElementTree.fromstring(chart.as_svg(schedule, "<title>"))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert '<&"> ${{ x }} x2' in texts
    assert all(len(line) <= 80 for line in chart.as_text(schedule, 80).splitlines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no job"),
        ("[jobs.a]\n", 'has no "seconds"'),
        ("[jobs.a]\nseconds = -1", "seconds is a number from 0"),
        ("[jobs.a]\nseconds = nan", "seconds is a number from 0"),
        ("[jobs.a]\nseconds = 1\nshards = 0", "shards is a whole number from 1"),
        ("[jobs.a]\nseconds = 1\nshard = 2", 'unknown key "shard"'),
        ("[jobs.a]\nseconds = 1\nkind = 'x'", 'found kind "x"'),
        ("[jobs.a]\nseconds = 1\nneeds = 'b'", "needs is a list of names"),
        ("[jobs.a]\nseconds = 1\nneeds = ['b']", 'there is no job "b"'),
        ("runners = 1.5\n[jobs.a]\nseconds = 1", "runners is a whole number"),
        ("jobs = 3", "there is no job"),
        ("= 3", "not valid TOML"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong is said; nothing is simulated."""
    file = tmp_path / "pipeline.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read(file)


def test_a_circle_is_refused() -> None:
    """Jobs that wait for each other are named."""
    jobs = (TimedJob("a", 1.0, ("b",)), TimedJob("b", 1.0, ("a",)))
    with pytest.raises(UsageError, match="wait for each other: a, b"):
        simulate(Timing(jobs))


def test_json_reads_like_toml(tmp_path: Path) -> None:
    """The same pipeline may be written in JSON."""
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps({"jobs": {"a": {"seconds": 3}}}), encoding="utf-8")
    assert simulate(read(file)).wall_seconds == 3


def test_the_projects_own_pipeline_with_measured_times(config: Config) -> None:
    """GitHub's list of jobs gives the times: the shards of a group add up, others are assumed."""

    def job(name: str, end: int) -> dict[str, str]:
        start = "2026-01-01T00:00:00Z"
        return {"name": name, "started_at": start, "completed_at": f"2026-01-01T00:00:{end:02}Z"}

    measured = [job(f"tests unit {shard}/4", 10) for shard in range(1, 5)] + [job("plan", 5)]
    found, assumed = project_timing(config, {"jobs": measured})
    assert (found.job("tests-unit").seconds, found.job("tests-unit").shards) == (40, 4)
    assert found.job("plan").seconds == 5
    assert "lint" in assumed
    assert "tests-unit" not in assumed
    with pytest.raises(UsageError, match="without name, start and end"):
        project_timing(config, {"jobs": [{"name": "x"}]})
    with pytest.raises(UsageError, match="allowed: seconds from 0"):
        project_timing(config, {"lint": "fast"})


def test_the_task_shows_the_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table has a line a step; the picture is written; an unreached target is said."""
    picture = tmp_path / "schedule.svg"
    wishes = Wishes(file=str(EXAMPLE), early=True, target="10m", svg=str(picture))
    run_simulate(tmp_path, wishes)
    table = capsys.readouterr().out.split("\n\n")[-1]
    assert table == (
        """\
wall   saved  all runners  billed min  cost  step
56:59         65:12        68          0.54  as it is
55:59  1:00   65:12        68          0.54  images build and scan beside the tests
30:22  25:38  65:57        70          0.56  backend-tests in 2 shards
17:33  12:49  67:27        72          0.58  backend-tests in 4 shards
11:08  6:24   70:27        80          0.64  backend-tests in 8 shards
7:56   3:12   76:27        80          0.64  backend-tests in 16 shards
critical path: clone > scan-python-dependencies > backend-tests > staging > health-check > \
production
"""
    )
    assert ElementTree.fromstring(picture.read_text(encoding="utf-8")).tag.endswith("svg")
    run_simulate(tmp_path, Wishes(file=str(EXAMPLE), target="1m"))
    assert "1m is not reached" in capsys.readouterr().out


def test_the_task_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every step with its jobs' times is there for a program to read."""
    shards = "backend-tests=4,frontend-tests=2"
    run_simulate(tmp_path, Wishes(file=str(EXAMPLE), shards=shards, runners=3, json=True))
    steps = json.loads(capsys.readouterr().out)
    assert [step["step"] for step in steps] == [
        "as it is",
        "backend-tests: 4 shards",
        "frontend-tests: 2 shards",
        "3 runners",
    ]
    assert len(steps[-1]["jobs"]) == 16
    assert steps[-1]["wall_seconds"] > steps[-2]["wall_seconds"]


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes(target="soon"), "--target"),
        (Wishes(shards="backend-tests"), "job=number"),
        (Wishes(shards="backend-test=2"), 'did you mean "backend-tests"'),
        (Wishes(workers="backend-tests=0"), "a number from 1"),
        (Wishes(cache="1.5"), "a share from 0 to 1"),
        (Wishes(price="-1"), "a number from 0"),
        (Wishes(runners=-2), "--runners"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, wishes: Wishes, message: str) -> None:
    """Each is named with what is allowed."""
    with pytest.raises(UsageError) as caught:
        run_simulate(tmp_path, replace(wishes, file=str(EXAMPLE)))
    assert message in str(caught.value)
