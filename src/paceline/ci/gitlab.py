"""Render the pipeline as a GitLab CI configuration."""

from __future__ import annotations

from collections.abc import Sequence

from paceline.ci.pipeline import (
    JUNIT_NAME,
    RECORDS,
    REPORTS_FOLDER,
    SHARDS_FOLDER,
    UV_VERSION,
    VENV,
    Artifact,
    Job,
    Pipeline,
    TestsJob,
    When,
    venv_command,
)
from paceline.ci.services import SERVICES
from paceline.ci.text import HEADER, flow, kept_region, quote

# The buildpack variant: it has git and a compiler, which packages without wheels need.
_IMAGE = f"ghcr.io/astral-sh/uv:{UV_VERSION}-debian"
_DOCKER = "docker:28"
_CACHE = ".paceline/ci-cache"
# The total line of `coverage report`.
_COVERAGE = r"/^TOTAL\s.*\s(\d+(?:\.\d+)?)%/"
_TOP = """\
# Set as the project's CI configuration file, or include it from .gitlab-ci.yml.
# The nightly and the weekly run are pipeline schedules with the variable PACELINE_SCHEDULE
# set to `nightly` or `weekly`. Secrets are CI/CD variables, masked and protected, and reach
# the jobs by their names. In the settings for merge requests, demand that pipelines succeed.
"""


def render(pipeline: Pipeline) -> str:
    """Return the text of the GitLab CI file."""
    blocks = [_top(pipeline)]
    for job in pipeline.jobs:
        if isinstance(job, TestsJob):
            blocks += [_tests(pipeline, job, python) for python in job.python or ("",)]
        else:
            blocks.append(_job(pipeline, job))
    blocks.append(kept_region("jobs"))
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _top(pipeline: Pipeline) -> list[str]:
    branch_rule = f'$CI_COMMIT_BRANCH == "{pipeline.branch}"'
    return [
        (HEADER + _TOP).rstrip("\n"),
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
        "stages: [test, coverage, required, deliver]",
        "",
        "variables:",
        f"  UV_CACHE_DIR: '$CI_PROJECT_DIR/{_CACHE}/uv'",
        f"  PIP_CACHE_DIR: '$CI_PROJECT_DIR/{_CACHE}/pip'",
        "",
        "default:",
        f"  image: {quote(pipeline.image or _IMAGE)}",
        "  interruptible: true",
        f"  timeout: {pipeline.timeout_minutes} minutes",
        "  cache:",
        *_dependency_cache(pipeline),
    ]


def _dependency_cache(pipeline: Pipeline) -> list[str]:
    # GitLab takes two files at most.
    return [
        "  - key:",
        f"      files: {flow(pipeline.dependency_files[:2])}",
        f"    paths: [{_CACHE}/]",
    ]


def _record_cache(pipeline: Pipeline, policy: str) -> list[str]:
    """Return the cache lines of a job that reads the records, or writes them too."""
    return [
        "  cache:",
        *_dependency_cache(pipeline),
        "  - key: paceline-records",
        f"    paths: {flow(RECORDS)}",
        f"    policy: {policy}",
    ]


def _script(pipeline: Pipeline, python: str, commands: Sequence[str]) -> list[str]:
    """Return the commands of a job, each a line that runs as it stands in a shell."""
    before = [venv_command(python), f". {VENV}/bin/activate", pipeline.install]
    return ["  script:", *(f"  - {quote(line)}" for line in (*before, *commands))]


def _job_name(job: TestsJob, python: str) -> str:
    return f"{job.name}-{python}" if python else job.name


def _tests(pipeline: Pipeline, job: TestsJob, python: str) -> list[str]:
    """Return one job a version: GitLab then counts the shards of each version by itself."""
    name = _job_name(job, python)
    # Without `parallel` GitLab does not set the node's number.
    # The defaults are for a developer who pastes the line.
    shard = f'"${{CI_NODE_INDEX:-1}}/${{CI_NODE_TOTAL:-{job.shards}}}"'
    shard = "1/1" if job.shards == 1 else shard
    select = ' "${SELECT:---impact-noselect}"' if pipeline.selects else ""
    command = f"nox -s {name} -- --shard {shard}{select}"
    return [
        f"{quote(name)}:",
        "  stage: test",
        f"  needs: {flow(job.needs)}",
        *([f"  parallel: {job.shards}"] if job.shards > 1 else []),
        *(_SELECT if pipeline.selects else []),
        *_services(job),
        *_script(pipeline, pipeline.nox_python(python), [command]),
        *_artifacts(Artifact(name, (SHARDS_FOLDER,))),
        "    reports:",
        f"      junit: {quote(f'{SHARDS_FOLDER}/*/*/{JUNIT_NAME}')}",
    ]


_SELECT = [
    "  rules:",
    "  - if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'",
    "    variables:",
    "      SELECT: --impact",
    "  - variables:",
    "      SELECT: --impact-noselect",
]


def _services(job: TestsJob) -> list[str]:
    services = [SERVICES[name] for name in job.services]
    if not services:
        return []
    lines = ["  services:"]
    for service in services:
        lines += [f"  - name: {service.image}", f"    alias: {service.name}"]
    lines.append("  variables:")
    for service in services:
        found = (*service.server, *service.variables(service.name))
        lines += [f"    {key}: {quote(value)}" for key, value in found]
    return lines


def _job(pipeline: Pipeline, job: Job) -> list[str]:
    needs = _needs(pipeline, job)
    is_gate = job.name == pipeline.gate
    script = ["  script:", *(f"  - {quote(line)}" for line in job.commands)]
    if job.installs:
        script = _script(pipeline, pipeline.python, job.commands)
    return [
        *(["# Runs only if every job before it passed."] if is_gate else []),
        f"{quote(job.name)}:",
        f"  stage: {_stage(job, is_gate)}",
        # Without `needs` a job waits for all stages before its own.
        *(["  dependencies: []"] if is_gate else [f"  needs: {flow(needs)}"]),
        *_rules(job),
        *(_environment(job.environment) if job.environment else []),
        *_docker(job),
        *(["  variables:", '    GIT_DEPTH: "0"'] if job.history else []),
        *(_record_cache(pipeline, "pull") if job.restores_records else []),
        *(_record_cache(pipeline, "$RECORDS_POLICY") if job.saves_records else []),
        *script,
        *(_reports(job) if job.fetches_shards else []),
        *(_artifacts(job.keeps) if job.keeps and not job.fetches_shards else []),
    ]


def _stage(job: Job, is_gate: bool) -> str:
    if is_gate:
        return "required"
    if job.fetches_shards:
        return "coverage"
    # With `needs` a job starts before its stage; in an earlier one the gate would wait for it.
    return "test" if job.when is When.EVERY else "deliver"


def _needs(pipeline: Pipeline, job: Job) -> list[str]:
    """Return the ids of the jobs that `job` waits for, each Python version a job of its own."""
    found: list[str] = []
    tests = {tests.name: tests for tests in pipeline.tests}
    for name in job.needs:
        matrix = tests.get(name)
        found += (
            [_job_name(matrix, python) for python in matrix.python or ("",)] if matrix else [name]
        )
    return found


def _rules(job: Job) -> list[str]:
    if job.fetches_shards:
        # Always: the report must also say which shard is missing. Only the branch saves records.
        return [
            "  rules:",
            "  - if: '$CI_COMMIT_BRANCH'",
            "    when: always",
            "    variables:",
            "      RECORDS_POLICY: pull-push",
            "  - when: always",
            "    variables:",
            "      RECORDS_POLICY: pull",
        ]
    rules = {
        When.BRANCH: '$CI_COMMIT_BRANCH && $CI_PIPELINE_SOURCE == "push"',
        When.NIGHTLY: '$PACELINE_SCHEDULE == "nightly"',
        When.WEEKLY: '$PACELINE_SCHEDULE == "weekly"',
    }
    return ["  rules:", f"  - if: {quote(rules[job.when])}"] if job.when in rules else []


def _environment(name: str) -> list[str]:
    # One deployment at a time.
    return [f"  environment: {quote(name)}", f"  resource_group: {quote(f'deploy-{name}')}"]


def _docker(job: Job) -> list[str]:
    return (
        [f"  image: {_DOCKER}", f"  services: [{quote(f'{_DOCKER}-dind')}]"] if job.docker else []
    )


def _artifacts(artifact: Artifact) -> list[str]:
    return [
        "  artifacts:",
        "    when: always",
        "    expire_in: 1 week",
        f"    paths: {flow(artifact.paths)}",
    ]


def _reports(job: Job) -> list[str]:
    return [
        f"  coverage: {quote(_COVERAGE)}",
        *(_artifacts(job.keeps) if job.keeps else ["  artifacts:"]),
        "    reports:",
        "      coverage_report:",
        "        coverage_format: cobertura",
        f"        path: {REPORTS_FOLDER}/coverage.xml",
    ]
