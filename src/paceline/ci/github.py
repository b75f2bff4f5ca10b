"""Render the pipeline as a GitHub Actions workflow."""

from __future__ import annotations

from paceline.ci.pipeline import (
    REPORTS_FOLDER,
    SHARDS_FOLDER,
    UV_VERSION,
    VENV,
    Job,
    Pipeline,
    TestsJob,
    venv_command,
)
from paceline.ci.text import HEADER, flow, indent, quote

# Commits, not tags: a tag can be moved after it was reviewed.
_CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
_SETUP_UV = "astral-sh/setup-uv@20cfd1bf945f4377ade1205e4dbc17946fc9a30d # v10.0.1"
_UPLOAD = "actions/upload-artifact@cf430e030ddbb5b0abf93d22962f4752f3646cd9 # v7.0.2"
_DOWNLOAD = "actions/download-artifact@9000827ccba6bdab643e8b6fd33ac0654aef8333 # v8.0.2"
_RUNNER = "ubuntu-24.04"

# Names the jobs that did not pass; skipped and cancelled are not a pass either.
_GATE_SCRIPT = """\
python3 - <<'END'
import json, os, sys
needs = json.loads(os.environ["NEEDS"])
bad = [f"{name} ({need['result']})" for name, need in needs.items() if need["result"] != "success"]
sys.exit("not passed: " + ", ".join(bad) if bad else 0)
END"""


def render(pipeline: Pipeline) -> str:
    """Return the text of the workflow file."""
    jobs = [_tests(pipeline, job) for job in pipeline.tests]
    jobs += [_check(pipeline, job) for job in pipeline.checks]
    if pipeline.coverage:
        jobs.append(_coverage(pipeline, pipeline.coverage))
    if pipeline.required:
        jobs.append(_required(pipeline))
    lines = [HEADER, *_top(pipeline.branch), "jobs:"]
    for number, job in enumerate(jobs):
        lines += ([""] if number else []) + indent(job, 2)
    return "\n".join(lines) + "\n"


def _top(branch: str) -> list[str]:
    return [
        "name: paceline",
        "",
        "on:",
        "  push:",
        f"    branches: {flow([branch])}",
        "  pull_request:",
        "  merge_group:",
        "",
        "# Each job asks for what it needs.",
        "permissions: {}",
        "",
        "# A new push to a pull request ends the run before it. Other runs have a group of",
        "# their own: in a shared one GitHub would drop all waiting runs but the last.",
        "concurrency:",
        "  group: ${{ github.workflow }}-${{ github.event.pull_request.number || github.run_id }}",
        "  cancel-in-progress: ${{ github.event_name == 'pull_request' }}",
        "",
    ]


def _head(pipeline: Pipeline, key: str, name: str, condition: str = "") -> list[str]:
    """Return the lines every job begins with."""
    return [
        f"{key}:",
        f"  name: {quote(name)}",
        *([f"  if: {condition}"] if condition else []),
        f"  runs-on: {_RUNNER}",
        f"  timeout-minutes: {pipeline.timeout_minutes}",
    ]


def _prepare(pipeline: Pipeline, matrix: bool) -> list[str]:
    """Return the steps up to an installed Paceline, from `permissions:` on."""
    # A cache is written once: versions that shared one would miss each other's wheels.
    suffix = ["      cache-suffix: ${{ matrix.python }}"] if matrix else []
    own = matrix and pipeline.matrix_runs_nox
    venv = venv_command('"$PYTHON"' if own else pipeline.python)
    return [
        "  steps:",
        "  - name: Check out",
        f"    uses: {_CHECKOUT}",
        "    with:",
        "      persist-credentials: false",
        "  - name: Set up uv",
        f"    uses: {_SETUP_UV}",
        "    with:",
        f"      version: {quote(UV_VERSION)}",
        "      enable-cache: true",
        "      cache-dependency-glob: |",
        "        **/pyproject.toml",
        "        **/uv.lock",
        "        **/*requirements*.txt",
        *suffix,
        "  - name: Make an environment",
        "    run: |",
        f"      {venv}",
        f'      echo "$PWD/{VENV}/bin" >> "$GITHUB_PATH"',
        "  - name: Install Paceline",
        "    run: |",
        f"      {pipeline.install}",
    ]


def _permissions() -> list[str]:
    return ["  permissions:", "    contents: read # to check out the project"]


def _tests(pipeline: Pipeline, job: TestsJob) -> list[str]:
    name = f"tests {job.group} ${{{{ matrix.shard }}}}/{job.shards}"
    artifact = f"{job.group}-${{{{ matrix.shard }}}}of{job.shards}"
    session, matrix, variable = job.name, [], []
    if job.python:
        name += " on Python ${{ matrix.python }}"
        artifact += "-py${{ matrix.python }}"
        session = f'"{job.name}-$PYTHON"'
        matrix = [f"      python: {flow(job.python)}"]
        variable = ["    PYTHON: ${{ matrix.python }}"]
    shards = ", ".join(str(index) for index in range(1, job.shards + 1))
    return [
        *_head(pipeline, job.name, name),
        *_permissions(),
        "  strategy:",
        "    fail-fast: false",
        "    matrix:",
        *matrix,
        f"      shard: [{shards}]",
        "  env:",
        *variable,
        "    SHARD: ${{ matrix.shard }}",
        *_prepare(pipeline, bool(job.python)),
        "  - name: Run the shard",
        "    run: |",
        f'      nox -s {session} -- --shard "$SHARD/{job.shards}"',
        *_upload("Keep the result", artifact, SHARDS_FOLDER, "error"),
    ]


def _upload(step: str, artifact: str, folder: str, missing: str) -> list[str]:
    return [
        f"  - name: {step}",
        "    if: always()",
        f"    uses: {_UPLOAD}",
        "    with:",
        f"      name: {quote(artifact)}",
        f"      path: {folder}/",
        "      include-hidden-files: true",
        f"      if-no-files-found: {missing}",
        "      # A re-run of this job replaces what its first attempt left.",
        "      overwrite: true",
    ]


def _check(pipeline: Pipeline, job: Job) -> list[str]:
    return [
        *_head(pipeline, job.name, job.name),
        *_permissions(),
        *_prepare(pipeline, matrix=False),
        f"  - name: Run {job.name}",
        "    run: |",
        f"      {job.command}",
    ]


def _coverage(pipeline: Pipeline, job: Job) -> list[str]:
    return [
        *_head(pipeline, job.name, job.name, "always()"),
        f"  needs: {flow(job.needs)}",
        *_permissions(),
        *_prepare(pipeline, matrix=False),
        "  - name: Fetch the results of all shards",
        f"    uses: {_DOWNLOAD}",
        "    with:",
        "      pattern: '*-*of*'",
        f"      path: {SHARDS_FOLDER}/",
        "      merge-multiple: true",
        "  - name: Prove, combine and report",
        "    run: |",
        f"      {job.command}",
        *_upload("Keep the reports", "coverage-reports", REPORTS_FOLDER, "warn"),
    ]


def _required(pipeline: Pipeline) -> list[str]:
    return [
        "# The one check to require in the branch rules: GitHub takes a skipped job for passed.",
        *_head(pipeline, "required", "required", "always()"),
        f"  needs: {flow(pipeline.required)}",
        "  permissions: {}",
        "  steps:",
        "  - name: Demand that every job passed",
        "    env:",
        "      NEEDS: ${{ toJSON(needs) }}",
        "    run: |",
        *indent(_GATE_SCRIPT.splitlines(), 6),
    ]
