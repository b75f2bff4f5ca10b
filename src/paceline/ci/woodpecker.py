"""Render the pipeline as a Woodpecker workflow.

Woodpecker's workflows share no files, so the shards are parallel steps of one workflow,
whose workspace they share. A matrix, which Woodpecker cuts silently at 27, is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paceline.ci.pipeline import (
    PLAN,
    RECORDS,
    SHARDS_FOLDER,
    UV_VERSION,
    VENV,
    Job,
    Pipeline,
    Shard,
    TestsJob,
    When,
    venv_command,
)
from paceline.ci.services import SERVICES
from paceline.ci.text import HEADER, flow, kept_region, quote

_IMAGE = f"ghcr.io/astral-sh/uv:{UV_VERSION}-debian"
_DOCKER = "docker:28"
_CACHE_PLUGIN = "meltwater/drone-cache:v1.4.0"
# The same path in every container: coverage data of two steps then speak of the same files.
_CLONE = '"${TMPDIR:-/tmp}/paceline"'
#: In the workspace that all steps share: what jobs hand on, and the caches.
_ARTIFACTS = ".paceline/artifacts"
_CACHE = ".paceline/ci-cache"
_TOP = """\
# Set ci/woodpecker.yml as the repository's pipeline path. Every step has a container, and
# works in a clone of its own inside it: in the shared workspace parallel steps would
# rebuild each other's environments. Only results and caches are shared. The status of the
# workflow is the gate to require: Woodpecker reports a failed step as a failed workflow.
# The nightly and the weekly run are cron jobs named `nightly` and `weekly`, set up in the
# repository's settings, as are the secrets.
"""


# Woodpecker's own clone has one commit. It takes this image for its own by this very name.
_CLONE_ALL = [
    "# The whole history, to find where the branch began.",
    "clone:",
    "- name: git",
    "  image: woodpeckerci/plugin-git",
    "  settings:",
    "    depth: 0",
    "    partial: false",
    "",
]


def render(pipeline: Pipeline) -> str:
    """Return the text of the Woodpecker file."""
    lines = [HEADER + _TOP, *_when(pipeline), "", *(_CLONE_ALL if pipeline.compares else [])]
    lines += [*_services(pipeline), "steps:", *_prepare(pipeline)]
    for job in pipeline.jobs:
        if isinstance(job, TestsJob):
            for shard in job.expand():
                lines += _tests(pipeline, job, shard)
        else:
            lines += _job(pipeline, job)
    return "\n".join([*lines, *_save(pipeline), *kept_region("steps")]) + "\n"


def _when(pipeline: Pipeline) -> list[str]:
    crons = [name for name in ("nightly", "weekly") if getattr(pipeline, name)]
    return [
        "when:",
        "- event: pull_request",
        "- event: push",
        f"  branch: {quote(pipeline.branch)}",
        *(["- event: cron", f"  cron: {flow(crons)}"] if crons else []),
    ]


def _services(pipeline: Pipeline) -> list[str]:
    """Return the services of all groups; in one workflow they are shared."""
    names = dict.fromkeys(name for job in pipeline.tests for name in job.services)
    lines = ["services:"] if names else []
    for name in names:
        service = SERVICES[name]
        lines += [f"- name: {name}", f"  image: {service.image}"]
        lines += ["  environment:"] if service.server else []
        lines += [f"    {key}: {quote(value)}" for key, value in service.server]
    return [*lines, ""] if lines else []


def _prepare(pipeline: Pipeline) -> list[str]:
    """Return the step that all others wait for, so that they start side by side."""
    folders = f"{SHARDS_FOLDER} {_ARTIFACTS} {_CACHE}"
    return [
        *_cache_step(pipeline, "restore-cache", "restore", []),
        "- name: prepare",
        f"  image: {quote(_IMAGE)}",
        *(["  depends_on: ['restore-cache']"] if pipeline.cache_bucket else []),
        "  commands:",
        f"  - {quote(f'mkdir -p {folders}')}",
        *(_STATUS if pipeline.cache_bucket else []),
    ]


_STATUS = [
    "  when:",
    "  # Without this a failed step keeps the ones that did not start yet from running.",
    "  - status: [success, failure]",
]


def _cache_step(pipeline: Pipeline, name: str, action: str, after: Sequence[str]) -> list[str]:
    if not pipeline.cache_bucket:
        return []
    key = "".join(f'-{{{{ checksum "{file}" }}}}' for file in pipeline.dependency_files)
    endpoint = pipeline.cache_endpoint
    return [
        f"- name: {name}",
        f"  image: {_CACHE_PLUGIN}",
        *([f"  depends_on: {flow(after)}"] if after else []),
        "  settings:",
        "    backend: s3",
        f"    {action}: true",
        f"    bucket: {quote(pipeline.cache_bucket)}",
        *([f"    endpoint: {quote(endpoint)}", "    path_style: true"] if endpoint else []),
        f"    cache_key: {quote('paceline' + key)}",
        "    access_key:",
        "      from_secret: cache_access_key",
        "    secret_key:",
        "      from_secret: cache_secret_key",
        f"    mount: {flow([_CACHE])}",
        # A cache that cannot be had costs time, never the verdict.
        "  failure: ignore",
    ]


def _save(pipeline: Pipeline) -> list[str]:
    step = _cache_step(pipeline, "save-cache", "rebuild", [pipeline.gate])
    return [*step, "  when:", "  - event: push"] if step else []


def _tests(pipeline: Pipeline, job: TestsJob, shard: Shard) -> list[str]:
    command = shard.command
    lines: list[str] = []
    if pipeline.selects:
        command += ' "$SELECT"'
        lines = [
            "SELECT=--impact-noselect",
            'if [ "${CI_PIPELINE_EVENT:-}" = pull_request ]; then SELECT=--impact; fi',
        ]
    fetches = (PLAN.name,) if job.planned else ()
    variables = [pair for name in job.services for pair in SERVICES[name].variables(name)]
    return [
        f"- name: {quote(f'tests-{shard.artifact}')}",
        f"  image: {quote(pipeline.image or _IMAGE)}",
        f"  depends_on: {flow(['prepare', *job.needs])}",
        *(["  environment:"] if variables else []),
        *(f"    {name}: {quote(value)}" for name, value in variables),
        *_commands([*_own_clone(pipeline, shard.python, fetches), *lines, command]),
        *_STATUS,
    ]


def _own_clone(pipeline: Pipeline, python: str, fetches: Sequence[str]) -> Iterator[str]:
    """Yield the commands up to an installed Paceline in a clone of the step's own."""
    yield 'SHARED="$PWD"'
    yield f"git clone --quiet . {_CLONE}"
    yield f"mkdir -p {_CLONE}/.paceline"
    yield f'ln -s "$SHARED/{SHARDS_FOLDER}" {_CLONE}/{SHARDS_FOLDER}'
    yield f"cd {_CLONE}"
    for name in fetches:
        yield f'cp -R "$SHARED/{_ARTIFACTS}/{name}/." .'
    if pipeline.cache_bucket:
        yield f'export UV_CACHE_DIR="$SHARED/{_CACHE}/uv" PIP_CACHE_DIR="$SHARED/{_CACHE}/pip"'
    yield venv_command(pipeline.nox_python(python))
    yield f". {VENV}/bin/activate"
    yield pipeline.install


def _job(pipeline: Pipeline, job: Job) -> list[str]:
    secrets = [
        line
        for name in job.secrets
        for line in (f"    {name}:", f"      from_secret: {name.lower()}")
    ]
    commands = [*job.commands]
    if job.installs:
        commands = [*_own_clone(pipeline, "", job.fetches)]
        commands += _restore() if job.restores_records and pipeline.cache_bucket else []
        commands += job.commands
        commands += _hand_on(pipeline, job)
    return [
        f"- name: {quote(job.name)}",
        f"  image: {quote(_image(pipeline, job))}",
        f"  depends_on: {flow(_after(pipeline, job))}",
        *(["  environment:", *secrets] if secrets else []),
        *_commands(commands),
        *_conditions(pipeline, job),
    ]


def _image(pipeline: Pipeline, job: Job) -> str:
    return _DOCKER if job.docker else pipeline.image or _IMAGE


def _restore() -> Iterator[str]:
    # The first run has none.
    yield f'if [ -d "$SHARED/{_CACHE}/records" ]; then cp -R "$SHARED/{_CACHE}/records/." .; fi'


def _hand_on(pipeline: Pipeline, job: Job) -> Iterator[str]:
    """Yield the commands that copy what the job keeps to where other steps find it."""
    kept = [(f"{_ARTIFACTS}/{job.keeps.name}", job.keeps.paths)] if job.keeps else []
    if job.saves_records and pipeline.cache_bucket:
        kept.append((f"{_CACHE}/records", RECORDS))
    for folder, paths in kept:
        yield f'mkdir -p "$SHARED/{folder}"'
        for path in paths:
            copy = f'cp -R --parents {path} "$SHARED/{folder}"'
            yield f"if [ -e {path} ]; then {copy}; fi"


def _after(pipeline: Pipeline, job: Job) -> list[str]:
    """Return the steps that `job` waits for, each shard a step of its own."""
    tests = {tests.name: tests for tests in pipeline.tests}
    found = ["prepare"] if not job.needs else []
    for name in job.needs:
        matrix = tests.get(name)
        found += [f"tests-{shard.artifact}" for shard in matrix.expand()] if matrix else [name]
    return found


def _conditions(pipeline: Pipeline, job: Job) -> list[str]:
    if job.when is When.BRANCH:
        return ["  when:", "  - event: push"]
    if job.when in (When.NIGHTLY, When.WEEKLY):
        cron = "nightly" if job.when is When.NIGHTLY else "weekly"
        return ["  when:", "  - event: cron", f"    cron: {cron}"]
    if job.name == pipeline.gate:
        return ["  when:", "  - status: success"]
    return _STATUS


def _commands(commands: Sequence[str]) -> list[str]:
    return ["  commands:", *(f"  - {quote(_escape(line))}" for line in commands)]


def _escape(command: str) -> str:
    """Hide variables from Woodpecker, which replaces them before it reads the file."""
    return command.replace("${", "$${")
