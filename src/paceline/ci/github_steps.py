"""The steps of GitHub's jobs: the actions they use, and the lines they run."""

from __future__ import annotations

from collections.abc import Sequence

from paceline.ci.pipeline import (
    RECORDS,
    SHARDS_FOLDER,
    UV_VERSION,
    VENV,
    Artifact,
    Job,
    Pipeline,
    venv_command,
)
from paceline.ci.text import indent, quote

# Commits, not tags: a tag can be moved after it was reviewed.
_CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
_SETUP_UV = "astral-sh/setup-uv@20cfd1bf945f4377ade1205e4dbc17946fc9a30d # v10.0.1"
_UPLOAD = "actions/upload-artifact@cf430e030ddbb5b0abf93d22962f4752f3646cd9 # v7.0.2"
_DOWNLOAD = "actions/download-artifact@9000827ccba6bdab643e8b6fd33ac0654aef8333 # v8.0.2"
_RESTORE = "actions/cache/restore@55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0"
_SAVE = "actions/cache/save@55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0"

# Names the jobs that did not pass; skipped and cancelled are not a pass either.
_GATE_SCRIPT = """\
python3 - <<'END'
import json, os, sys
needs = json.loads(os.environ["NEEDS"])
bad = [f"{name} ({need['result']})" for name, need in needs.items() if need["result"] != "success"]
sys.exit("not passed: " + ", ".join(bad) if bad else 0)
END"""


def checkout(history: bool = False) -> list[str]:
    """Return the step that checks out, with the whole `history` where it is needed."""
    return [
        "  - name: Check out",
        f"    uses: {_CHECKOUT}",
        "    with:",
        "      persist-credentials: false",
        *(["      fetch-depth: 0 # to find where the branch began"] if history else []),
    ]


def install(pipeline: Pipeline, versions: Sequence[str] = ()) -> list[str]:
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


def gate() -> list[str]:
    """Return the step that fails unless every job that the gate needs has passed."""
    return [
        "  - name: Demand that every job passed",
        "    env:",
        "      NEEDS: ${{ toJSON(needs) }}",
        "    run: |",
        *indent(_GATE_SCRIPT.splitlines(), 6),
    ]


def run(job: Job) -> list[str]:
    """Return the step that runs the job's commands with its secrets."""
    secrets = [f"      {name}: ${{{{ secrets.{name} }}}}" for name in job.secrets]
    return [
        f"  - name: {quote(f'Run {job.name}')}",
        *(["    env:", *secrets] if secrets else []),
        "    run: |",
        *indent(job.commands, 6),
    ]


def summary() -> list[str]:
    """Return the step that shows on the run's page what the shards did."""
    return [
        "  - name: Summarise",
        "    if: always()",
        "    run: |",
        "      invoke ci.summary",
    ]


def restore() -> list[str]:
    """Return the step that fetches what earlier runs on the branch left."""
    return [
        "  - name: Restore the records of earlier runs",
        f"    uses: {_RESTORE}",
        "    with:",
        "      path: |",
        *(f"        {path}" for path in RECORDS),
        "      key: paceline-records-none # no such: the newest of all",
        "      restore-keys: paceline-records-",
    ]


def save(pipeline: Pipeline) -> list[str]:
    """Return the step that leaves the records to later runs, on the branch only."""
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


def upload(step: str, artifact: Artifact) -> list[str]:
    """Return the step that keeps `artifact`, results also of a job that failed."""
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


def download(step: str, artifact: Artifact | None) -> list[str]:
    """Return the step that fetches `artifact` to where it came from, or all shards' results."""
    what = ["      pattern: '*-*of*'", f"      path: {SHARDS_FOLDER}", "      merge-multiple: true"]
    if artifact is not None:
        folder = ".paceline" if len(artifact.paths) > 1 else artifact.paths[0]
        what = [f"      name: {quote(artifact.name)}", f"      path: {folder}"]
    return [f"  - name: {step}", f"    uses: {_DOWNLOAD}", "    with:", *what]
