"""Render the pipeline as a GitHub Actions workflow."""

from __future__ import annotations

from collections.abc import Sequence

from paceline.ci import github_steps as steps
from paceline.ci.pipeline import GATE, PLAN, SHARDS_FOLDER, Artifact, Job, Pipeline, TestsJob, When
from paceline.ci.services import SERVICES, Service
from paceline.ci.text import HEADER, flow, indent, kept_region, quote

_RUNNER = "ubuntu-24.04"


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
        *steps.checkout(),
        *steps.install(pipeline, job.python),
        *(steps.download("Fetch the plan", PLAN) if job.planned else []),
        "  - name: Run the shard",
        "    run: |",
        f'      nox -s {session} -- --shard "${{SHARD:-1}}/{job.shards}"{select}',
        *steps.upload("Keep the result", Artifact(artifact, (SHARDS_FOLDER,))),
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
        *(steps.gate() if is_gate else []),
        *(steps.checkout(job.history) if checks_out else []),
        *(steps.restore() if job.restores_records else []),
        *(steps.install(pipeline) if job.installs else []),
        *(steps.download("Fetch the results of all shards", None) if job.fetches_shards else []),
        *(steps.download("Fetch the gate's record", GATE) if job.fetches else []),
        *(steps.run(job) if checks_out else []),
        *(steps.summary() if job.fetches_shards else []),
        *(steps.save(pipeline) if job.saves_records else []),
        *(steps.upload(f"Keep {job.keeps.name}", job.keeps) if job.keeps else []),
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
