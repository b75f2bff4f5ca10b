"""Render the pipeline as a GitLab CI configuration."""

from __future__ import annotations

from paceline.ci.pipeline import (
    JUNIT_NAME,
    REPORTS_FOLDER,
    SHARDS_FOLDER,
    UV_VERSION,
    VENV,
    Job,
    Pipeline,
    TestsJob,
    venv_command,
)
from paceline.ci.text import HEADER, quote

# The buildpack variant: it has git and a compiler, which packages without wheels need.
_IMAGE = f"ghcr.io/astral-sh/uv:{UV_VERSION}-debian"
_CACHE = ".paceline/ci-cache"
# The total line of `coverage report`.
_COVERAGE = r"/^TOTAL\s.*\s(\d+(?:\.\d+)?)%/"


def render(pipeline: Pipeline) -> str:
    """Return the text of the GitLab CI file."""
    blocks = [_top(pipeline)]
    for job in pipeline.tests:
        blocks += [_tests(pipeline, job, python) for python in job.python or ("",)]
    blocks += [_check(pipeline, job) for job in pipeline.checks]
    if pipeline.coverage:
        blocks.append(_coverage(pipeline, pipeline.coverage))
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _top(pipeline: Pipeline) -> list[str]:
    branch_rule = f'$CI_COMMIT_BRANCH == "{pipeline.branch}"'
    return [
        HEADER.rstrip("\n"),
        "# Set as the project's CI configuration file, or include it from .gitlab-ci.yml.",
        "",
        "# A new push ends the run before it in a merge request, never on the branch.",
        "workflow:",
        "  rules:",
        "  - if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'",
        "    auto_cancel:",
        "      on_new_commit: interruptible",
        f"  - if: {quote(branch_rule)}",
        "    auto_cancel:",
        "      on_new_commit: none",
        "",
        "stages: [test, coverage]",
        "",
        "variables:",
        f"  UV_CACHE_DIR: '$CI_PROJECT_DIR/{_CACHE}/uv'",
        f"  PIP_CACHE_DIR: '$CI_PROJECT_DIR/{_CACHE}/pip'",
        "",
        "default:",
        f"  image: {quote(_IMAGE)}",
        "  interruptible: true",
        f"  timeout: {pipeline.timeout_minutes} minutes",
        "  cache:",
        "    key:",
        "      files: [pyproject.toml, uv.lock]",
        f"    paths: [{_CACHE}/]",
    ]


def _script(pipeline: Pipeline, python: str, command: str) -> list[str]:
    """Return the commands of a job, each a line that runs as it stands in a shell."""
    commands = [venv_command(python), f". {VENV}/bin/activate", pipeline.install, command]
    return ["  script:", *(f"  - {quote(line)}" for line in commands)]


def _job_name(job: TestsJob, python: str) -> str:
    return f"{job.name}-{python}" if python else job.name


def _tests(pipeline: Pipeline, job: TestsJob, python: str) -> list[str]:
    """Return one job a version: GitLab then counts the shards of each version by itself."""
    name = _job_name(job, python)
    # Without `parallel` GitLab does not set the node's number.
    shard = "1/1" if job.shards == 1 else '"$CI_NODE_INDEX/$CI_NODE_TOTAL"'
    return [
        f"{quote(name)}:",
        "  stage: test",
        *([f"  parallel: {job.shards}"] if job.shards > 1 else []),
        *_script(pipeline, pipeline.nox_python(python), f"nox -s {name} -- --shard {shard}"),
        "  artifacts:",
        "    when: always",
        "    expire_in: 1 week",
        f"    paths: [{SHARDS_FOLDER}/]",
        "    reports:",
        f"      junit: {quote(f'{SHARDS_FOLDER}/*/*/{JUNIT_NAME}')}",
    ]


def _check(pipeline: Pipeline, job: Job) -> list[str]:
    return [
        f"{quote(job.name)}:",
        "  stage: test",
        *_script(pipeline, pipeline.python, job.command),
    ]


def _coverage(pipeline: Pipeline, job: Job) -> list[str]:
    names = [
        _job_name(tests, python) for tests in pipeline.tests for python in tests.python or [""]
    ]
    return [
        f"{quote(job.name)}:",
        "  stage: coverage",
        "  when: always",
        "  needs:",
        *(f"  - {quote(name)}" for name in names),
        *_script(pipeline, pipeline.python, job.command),
        f"  coverage: {quote(_COVERAGE)}",
        "  artifacts:",
        "    when: always",
        "    expire_in: 1 week",
        f"    paths: [{REPORTS_FOLDER}/]",
        "    reports:",
        "      coverage_report:",
        "        coverage_format: cobertura",
        f"        path: {REPORTS_FOLDER}/coverage.xml",
    ]
