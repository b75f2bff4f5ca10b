"""Render the pipeline as a GitHub Actions workflow."""

from __future__ import annotations

from collections.abc import Sequence

from paceline.ci.pipeline import (
    GATE,
    PLAN,
    RECORDS,
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
from paceline.ci.services import SERVICES, Service
from paceline.ci.text import HEADER, flow, indent, kept_region, quote

# Commits, not tags: a tag can be moved after it was reviewed.
_CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
_SETUP_UV = "astral-sh/setup-uv@20cfd1bf945f4377ade1205e4dbc17946fc9a30d # v10.0.1"
_UPLOAD = "actions/upload-artifact@cf430e030ddbb5b0abf93d22962f4752f3646cd9 # v7.0.2"
_DOWNLOAD = "actions/download-artifact@9000827ccba6bdab643e8b6fd33ac0654aef8333 # v8.0.2"
_RESTORE = "actions/cache/restore@55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0"
_SAVE = "actions/cache/save@55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0"
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
    lines = [HEADER, *_top(pipeline), "jobs:"]
    for job in pipeline.jobs:
        text = _tests(pipeline, job) if isinstance(job, TestsJob) else _job(pipeline, job)
        lines += [*indent(text, 2), ""]
    return "\n".join([*lines, *indent(kept_region("jobs"), 2)]) + "\n"


def _top(pipeline: Pipeline) -> list[str]:
    crons = [cron for cron in (pipeline.nightly, pipeline.weekly) if cron]
    schedule = ["  schedule:", *(f"  - cron: {quote(cron)}" for cron in crons)] if crons else []
    return [
        "name: paceline",
        "",
        "on:",
        "  push:",
        f"    branches: {flow([pipeline.branch])}",
        "  pull_request:",
        "  merge_group:",
        *schedule,
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
        "# With its errors in pipes, and alike in every container.",
        "defaults:",
        "  run:",
        "    shell: bash",
        "",
    ]


def _head(
    pipeline: Pipeline, key: str, name: str, needs: Sequence[str], condition: str
) -> list[str]:
    """Return the lines every job begins with."""
    return [
        f"{key}:",
        f"  name: {quote(name)}",
        *([f"  if: {condition}"] if condition else []),
        *([f"  needs: {flow(needs)}"] if needs else []),
        f"  runs-on: {_RUNNER}",
        f"  timeout-minutes: {pipeline.timeout_minutes}",
    ]


def _condition(pipeline: Pipeline, job: Job) -> str:
    if job.whatever_came:
        return "always()"
    crons = {When.NIGHTLY: pipeline.nightly, When.WEEKLY: pipeline.weekly}
    if job.when in crons:
        return f"github.event.schedule == {quote(crons[job.when])}"
    return "github.event_name == 'push'" if job.when is When.BRANCH else ""


def _permissions() -> list[str]:
    return ["  permissions:", "    contents: read # to check out the project"]


def _container(pipeline: Pipeline) -> list[str]:
    if not pipeline.image:
        return []
    why = "zizmor: ignore[unpinned-images] the tag is a digest of what is in the image"
    image = f"    image: {quote(pipeline.image)} # {why}"
    return ["  container:", image, "    options: --user 1001"]


def _checkout(history: bool = False) -> list[str]:
    return [
        "  - name: Check out",
        f"    uses: {_CHECKOUT}",
        "    with:",
        "      persist-credentials: false",
        *(["      fetch-depth: 0 # to find where the branch began"] if history else []),
    ]


def _install(pipeline: Pipeline, versions: Sequence[str] = ()) -> list[str]:
    """Return the steps from uv up to an installed Paceline."""
    own = versions and pipeline.matrix_runs_nox
    # Outside of CI, where nothing is set, the lines can be pasted all the same.
    venv = venv_command(f'"${{PYTHON:-{versions[0]}}}"' if own else pipeline.python)
    return [
        *([] if pipeline.image else _setup_uv(pipeline, bool(versions))),
        "  - name: Make an environment",
        "    run: |",
        f"      {venv}",
        f'      echo "$PWD/{VENV}/bin" >> "${{GITHUB_PATH:-/dev/null}}"',
        "  - name: Install Paceline",
        "    run: |",
        f"      {pipeline.install}",
    ]


def _setup_uv(pipeline: Pipeline, matrix: bool) -> list[str]:
    # A cache is written once: versions that shared one would miss each other's wheels.
    suffix = ["      cache-suffix: ${{ matrix.python }}"] if matrix else []
    return [
        "  - name: Set up uv",
        f"    uses: {_SETUP_UV}",
        "    with:",
        f"      version: {quote(UV_VERSION)}",
        "      enable-cache: true",
        "      cache-dependency-glob: |",
        *(f"        {name}" for name in pipeline.dependency_files),
        *suffix,
    ]


def _tests(pipeline: Pipeline, job: TestsJob) -> list[str]:
    name = f"tests {job.group} ${{{{ matrix.shard }}}}/{job.shards}"
    artifact = f"{job.group}-${{{{ matrix.shard }}}}of{job.shards}"
    session, matrix, variables = job.name, [], ["    SHARD: ${{ matrix.shard }}"]
    if job.python:
        name += " on Python ${{ matrix.python }}"
        artifact += "-py${{ matrix.python }}"
        session = f'"{job.name}-${{PYTHON:-{job.python[0]}}}"'
        matrix = [f"      python: {flow(job.python)}"]
        variables.append("    PYTHON: ${{ matrix.python }}")
    select = ""
    if pipeline.selects:
        select = ' "${SELECT:---impact-noselect}"'
        event = "github.event_name == 'pull_request'"
        variables.append(f"    SELECT: ${{{{ {event} && '--impact' || '--impact-noselect' }}}}")
    services = [SERVICES[name] for name in job.services]
    for service in services:
        # Jobs in a container reach a service by its name, others on their own host.
        found = service.variables(service.name if pipeline.image else "localhost")
        variables += [f"    {key}: {quote(value)}" for key, value in found]
    shards = ", ".join(str(index) for index in range(1, job.shards + 1))
    return [
        *_head(pipeline, job.name, name, job.needs, ""),
        *_permissions(),
        *_container(pipeline),
        *_services(services),
        "  strategy:",
        "    fail-fast: false",
        "    matrix:",
        *matrix,
        f"      shard: [{shards}]",
        "  env:",
        *variables,
        "  steps:",
        *_checkout(),
        *_install(pipeline, job.python),
        *(_download("Fetch the plan", PLAN) if job.planned else []),
        "  - name: Run the shard",
        "    run: |",
        f'      nox -s {session} -- --shard "${{SHARD:-1}}/{job.shards}"{select}',
        *_upload("Keep the result", Artifact(artifact, (SHARDS_FOLDER,))),
    ]


def _services(services: Sequence[Service]) -> list[str]:
    if not services:
        return []
    lines = ["  services:"]
    for service in services:
        lines += [
            f"    {service.name}:",
            f"      image: {service.image} # zizmor: ignore[unpinned-images] holds test data only",
            *(["      env:"] if service.server else []),
            *(f"        {key}: {quote(value)}" for key, value in service.server),
            f"      ports: ['{service.port}:{service.port}']",
            f"      options: {quote(service.health)}",
        ]
    return lines


def _job(pipeline: Pipeline, job: Job) -> list[str]:
    is_gate = job.name == pipeline.gate
    records = bool(job.keeps and is_gate)
    checks_out = not is_gate or records
    return [
        *(_GATE_COMMENT if is_gate else []),
        *_head(pipeline, job.name, job.name, job.needs, _condition(pipeline, job)),
        *(_permissions() if checks_out else ["  permissions: {}"]),
        *(_container(pipeline) if job.installs else []),
        *(_environment(job.environment) if job.environment else []),
        "  steps:",
        *(_gate() if is_gate else []),
        *(_checkout(job.history) if checks_out else []),
        *(_restore() if job.restores_records else []),
        *(_install(pipeline) if job.installs else []),
        *(_download("Fetch the results of all shards", None) if job.fetches_shards else []),
        *(_download("Fetch the gate's record", GATE) if job.fetches else []),
        *(_run(job) if checks_out else []),
        *(_summary() if job.fetches_shards else []),
        *(_save(pipeline) if job.saves_records else []),
        *(_upload(f"Keep {job.keeps.name}", job.keeps) if job.keeps else []),
    ]


def _environment(name: str) -> list[str]:
    return [
        f"  environment: {quote(name)}",
        "  concurrency: # one deployment at a time, and none is broken off",
        f"    group: {quote(f'deploy-{name}')}",
        "    cancel-in-progress: false",
    ]


_GATE_COMMENT = [
    "# The one check to require in the branch rules: GitHub takes a skipped job for passed."
]


def _gate() -> list[str]:
    return [
        "  - name: Demand that every job passed",
        "    env:",
        "      NEEDS: ${{ toJSON(needs) }}",
        "    run: |",
        *indent(_GATE_SCRIPT.splitlines(), 6),
    ]


def _run(job: Job) -> list[str]:
    secrets = [f"      {name}: ${{{{ secrets.{name} }}}}" for name in job.secrets]
    return [
        f"  - name: {quote(f'Run {job.name}')}",
        *(["    env:", *secrets] if secrets else []),
        "    run: |",
        *indent(job.commands, 6),
    ]


def _summary() -> list[str]:
    return [
        "  - name: Summarise",
        "    if: always()",
        "    run: |",
        "      invoke ci.summary",
    ]


def _restore() -> list[str]:
    return [
        "  - name: Restore the records of earlier runs",
        f"    uses: {_RESTORE}",
        "    with:",
        "      path: |",
        *(f"        {path}" for path in RECORDS),
        "      key: paceline-records-none # no such: the newest of all",
        "      restore-keys: paceline-records-",
    ]


def _save(pipeline: Pipeline) -> list[str]:
    return [
        "  - name: Save the records for later runs",
        f"    if: github.ref == {quote(f'refs/heads/{pipeline.branch}')}",
        f"    uses: {_SAVE}",
        "    with:",
        "      path: |",
        *(f"        {path}" for path in RECORDS),
        "      # A cache cannot be written twice: each attempt has its own, the newest is used.",
        "      key: paceline-records-${{ github.run_id }}-${{ github.run_attempt }}",
    ]


def _upload(step: str, artifact: Artifact) -> list[str]:
    return [
        f"  - name: {step}",
        *(["    if: always()"] if artifact.name not in ("plan", "gate") else []),
        f"    uses: {_UPLOAD}",
        "    with:",
        f"      name: {quote(artifact.name)}",
        "      path: |",
        *(f"        {path}" for path in artifact.paths),
        "      include-hidden-files: true",
        f"      if-no-files-found: {'error' if artifact.demanded else 'warn'}",
        "      # A re-run of this job replaces what its first attempt left.",
        "      overwrite: true",
    ]


def _download(step: str, artifact: Artifact | None) -> list[str]:
    """Return the step that fetches `artifact` to where it came from, or all shards' results."""
    what = ["      pattern: '*-*of*'", f"      path: {SHARDS_FOLDER}", "      merge-multiple: true"]
    if artifact is not None:
        folder = ".paceline" if len(artifact.paths) > 1 else artifact.paths[0]
        what = [f"      name: {quote(artifact.name)}", f"      path: {folder}"]
    return [f"  - name: {step}", f"    uses: {_DOWNLOAD}", "    with:", *what]
