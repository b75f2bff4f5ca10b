"""From the configuration to the pipeline: which jobs there are, and what each waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paceline.ci.checking import check
from paceline.ci.image import dependency_files, test_image
from paceline.ci.pipeline import GATE, GATE_FOLDER, PLAN, REPORTS, Job, Pipeline, TestsJob, When
from paceline.ci.text import shell_word
from paceline.config.model import Commands, Config

#: Leaves what passed: the commit, and the tree, which another commit may have too.
RECORD_GATE = (
    f"mkdir -p {GATE_FOLDER}",
    f"git rev-parse HEAD 'HEAD^{{tree}}' > {GATE_FOLDER}/passed",
)
#: Succeeds only if the gate passed this very commit or this very tree. Without git or
#: without the gate's file it fails as well.
DEMAND_GATE = (
    f"git rev-parse HEAD 'HEAD^{{tree}}' | grep -qxFf - {GATE_FOLDER}/passed"
    " || { echo 'the gate has not passed this commit: nothing is deployed' >&2; exit 12; }"
)
#: Secrets that open the registry of the test image.
REGISTRY_SECRETS = ("REGISTRY_USER", "REGISTRY_TOKEN")

_COMMIT = "{commit}"
_PLAIN_PYTHON = re.compile(r"\d+\.\d+")
_OLDEST = (3, 10)


def build(config: Config) -> Pipeline:
    """Return the pipeline of `config`; raise PacelineError if a provider would refuse it."""
    check(config)
    ci = config.ci
    return Pipeline(
        branch=ci.branch,
        timeout_minutes=ci.timeout_minutes,
        install=" ".join(map(shell_word, ci.install)),
        python=newest(config.python),
        # With uv a project may test on versions that are too old for Paceline itself.
        matrix_runs_nox=config.environment != "uv",
        selects=ci.select == "impact",
        compares=config.diff_fail_under > 0 or config.max_drop < 100,
        nightly=ci.nightly,
        weekly=ci.weekly,
        image=test_image(config),
        dependency_files=tuple(dependency_files(config)) or ("pyproject.toml",),
        cache_bucket=ci.cache_bucket,
        cache_endpoint=ci.cache_endpoint,
        jobs=tuple(_jobs(config)),
    )


def _jobs(config: Config) -> Iterator[TestsJob | Job]:
    before = ("test-image",) if config.ci.test_image else ()
    if before:
        yield _image_job(test_image(config))
    verified = [*_verifying(config, before)]
    yield from verified
    names = tuple(job.name for job in verified)
    if names:
        commands = RECORD_GATE if config.ci.deploy else ('echo "every job passed"',)
        yield Job(
            "required",
            commands,
            (*before, *names),
            whatever_came=True,
            installs=False,
            keeps=GATE if config.ci.deploy else None,
        )
    yield from _delivering(config, ("required",) if names else ())
    yield from _scheduled(config, before)


def _verifying(config: Config, before: tuple[str, ...]) -> Iterator[TestsJob | Job]:
    """Yield what the gate demands."""
    groups = config.groups
    # Tests may differ between Python versions, and a plan is made on one: with several, every
    # shard works out its part from the commit instead.
    planned = bool(groups) and len(config.python) <= 1
    if planned:
        yield Job("plan", ("invoke plan",), before, keeps=PLAN, restores_records=True)
    needs = ("plan",) if planned else before
    for group in groups:
        yield TestsJob(group.name, group.shards, config.python, needs, planned, group.services)
    for step in config.steps:
        # The session deps has a check of its own where nothing is set up.
        if step.name != "hooks" and (step.run or step.name == "deps"):
            yield Job(step.name, (f"nox -s {step.name}",), before)
    if groups:
        yield Job(
            "coverage",
            ("nox -s coverage -- --store-durations",),
            tuple(f"tests-{group.name}" for group in groups),
            whatever_came=True,
            fetches_shards=True,
            keeps=REPORTS,
            saves_records=True,
            history=True,
        )


def _image_job(image: str) -> Job:
    host = image.split("/", maxsplit=1)[0]
    registry = host if "." in host or ":" in host else ""  # else Docker's own
    login = 'printf %s "$REGISTRY_TOKEN" | docker login --username "$REGISTRY_USER"'
    return Job(
        "test-image",
        (
            # Where the image is public, a pull request without secrets can still use it.
            f'if [ -n "$REGISTRY_TOKEN" ]; then {login} --password-stdin {registry}; fi',
            # The tag is the digest of what goes in: an image that is there is the right one.
            f"docker manifest inspect {image} > /dev/null"
            f" || docker build --file ci/Dockerfile.test --tag {image} --push .",
        ),
        installs=False,
        secrets=REGISTRY_SECRETS,
        docker=True,
    )


def _delivering(config: Config, gate: tuple[str, ...]) -> Iterator[Job]:
    """Yield builds, which start at once, scans, and deployments, which wait for everything."""
    scans: list[str] = []
    for image in config.ci.images:
        name = f"build-{image.name}"
        yield _shell_job(name, image.build, (), image.secrets, docker=True)
        scans.append(name)
        if image.scan:
            scans[-1] = f"scan-{image.name}"
            yield _shell_job(scans[-1], image.scan, (name,), image.secrets, docker=True)
    before: tuple[str, ...] = ()
    for target in config.ci.deploy:
        name = f"deploy-{target.name}"
        needs = (*gate, *scans, *before)
        yield _shell_job(name, target.run, needs, target.secrets, environment=target.name)
        before = (name,)
        if target.check:
            before = (f"health-{target.name}",)
            yield _shell_job(before[0], target.check, (name,), ())


def _shell_job(
    name: str,
    commands: Commands,
    needs: tuple[str, ...],
    secrets: tuple[str, ...],
    *,
    docker: bool = False,
    environment: str = "",
) -> Job:
    lines = [_shell_line(command) for command in commands]
    if any("$COMMIT" in line for line in lines):
        lines.insert(0, "COMMIT=$(git rev-parse HEAD)")
    return Job(
        name,
        (DEMAND_GATE, *lines) if environment else tuple(lines),
        needs,
        when=When.BRANCH,
        installs=False,
        fetches=(GATE.name,) if environment else (),
        secrets=secrets,
        environment=environment,
        docker=docker,
    )


def _shell_line(command: tuple[str, ...]) -> str:
    """Return `command` quoted for a shell, `{commit}` as a variable."""
    return " ".join(
        '"$COMMIT"'.join(shell_word(part) if part else "" for part in word.split(_COMMIT)) or "''"
        for word in command
    )


def _scheduled(config: Config, before: tuple[str, ...]) -> Iterator[Job]:
    if config.ci.nightly and config.groups:
        yield Job("audit", ("invoke impact.audit",), before, When.NIGHTLY, restores_records=True)
    if config.ci.weekly and config.groups:
        yield Job("bench", ("nox -s bench",), before, When.WEEKLY)


def newest(versions: tuple[str, ...]) -> str:
    """Return the newest plain version that Paceline runs on, empty if there is none."""
    plain = [
        tuple(int(part) for part in version.split("."))
        for version in versions
        if _PLAIN_PYTHON.fullmatch(version)
    ]
    found = max(plain, default=(0, 0))
    return ".".join(str(part) for part in found) if found >= _OLDEST else ""
