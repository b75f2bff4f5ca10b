"""Configurations, and a way to find the tools that judge the pipeline files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paceline.config.model import Ci, Config, Deployment, Group, Image, Step


def make_config(root: Path, case: str = "small") -> Config:
    """Return a configuration: small or full, or with Python versions ("versions", "current")."""
    steps = (
        Step("deps", (("paceline-deps",),)),
        Step("hooks", (("invoke", "hooks.audit"),)),
        Step("lint", (("ruff", "check"),)),
        Step("security", missing="no bandit"),
        Step("types", (("mypy", "src"),)),
    )
    if case == "small":
        ci = Ci(nightly="", weekly="")
        return Config(root, groups=(Group("unit", shards=4), Group("db")), steps=steps, ci=ci)
    if case == "full":
        groups = (Group("unit", shards=2), Group("db", services=("postgres", "redis")))
        return Config(root, groups=groups, steps=steps, ci=full_ci(), diff_fail_under=90.0)
    versions = ("3.9", "3.13", "pypy3.10") if case == "versions" else ("3.12", "3.13")
    return Config(
        root,
        python=versions,
        environment="current" if case == "current" else "uv",
        groups=(Group("unit", shards=2),),
        steps=steps[2:3],
        ci=Ci(branch="stable/2.x", install=("pip", "install", "it's: # x", "a b")),
    )


def full_ci() -> Ci:
    """Return settings with everything that a pipeline can have."""
    images = ("backend", "frontend")
    tag = "registry.example.com/{}:{{commit}}"
    return Ci(
        select="impact",
        test_image="registry.example.com/team/tests",
        cache_bucket="ci-cache",
        cache_endpoint="https://s3.example.com",
        images=tuple(
            Image(
                name,
                build=(
                    ("docker", "build", "--tag", tag.format(name), name),
                    ("docker", "push", tag.format(name)),
                ),
                scan=(("trivy", "image", "--exit-code", "1", tag.format(name)),),
                secrets=("REGISTRY_TOKEN",),
            )
            for name in images
        ),
        deploy=(
            Deployment(
                "staging",
                run=(("./deploy.sh", "staging", "it's {commit}", "${HOME} $(id)"),),
                check=(("./healthy.sh", "staging"),),
                secrets=("DEPLOY_KEY",),
            ),
            Deployment("production", run=(("./deploy.sh", "production", "{commit}"),)),
        ),
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The small configuration in an empty project."""
    return make_config(tmp_path)


@pytest.fixture
def tool() -> Callable[[str], str]:
    """Find a tool beside the interpreter or on the path; skip the test if there is none."""

    def find(name: str) -> str:
        beside = Path(sys.executable).parent / name
        found = str(beside) if beside.exists() else shutil.which(name)
        if not found:
            pytest.skip(f"{name} is not installed, so the pipeline files were not judged")
        return found

    return find


@pytest.fixture(params=["small", "versions", "current", "full"])
def any_config(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    """Each configuration in turn."""
    return make_config(tmp_path, request.param)


@pytest.fixture
def full(tmp_path: Path) -> Config:
    """A configuration with images and deployments."""
    return make_config(tmp_path, "full")
