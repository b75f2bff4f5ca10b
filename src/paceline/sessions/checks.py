"""The sessions of steps: the commands of a step, one after another."""

from __future__ import annotations

import os
import shutil

import nox

from paceline import environment, git, process
from paceline.config.model import Config, Step
from paceline.errors import CheckFailed, MissingTool


def run_check(session: nox.Session, config: Config, name: str) -> None:
    """Run the step `name`.

    Raises CheckFailed if a command fails or a fixing step changed files, and MissingTool if
    nothing is set up: a session that was asked for and checks nothing must not look green.
    """
    step = config.step(name)
    commands = step.run
    if name == "deps" and not commands:
        commands = (environment.consistency_command(config),)
    if not commands:
        raise MissingTool(
            f"{name}: nothing is set up ({step.missing})",
            f"configure a tool, or set tool.paceline.steps.{name}.run",
        )
    env = {**environment.tools(config).variables, **dict(step.env)}
    _need_tool(session, step, env["PATH"])
    before = git.content(config.root) if step.kind == "fixes" else None
    for command in commands:
        session.log(" ".join(command))
        exit_code = process.stream(command, cwd=config.root, env=env, timeout=step.timeout or None)
        if exit_code:
            raise CheckFailed(f"{command[0]} ended with exit code {exit_code}")
    if step.kind == "fixes" and git.content(config.root) != before:
        raise CheckFailed(f"{name} changed files", "look at `git diff`, and commit them")


def _need_tool(session: nox.Session, step: Step, path: str) -> None:
    tool = step.optional_tool
    if not tool or shutil.which(tool, path=path) is not None:
        return
    if os.environ.get("CI"):
        raise MissingTool(f"{step.name}: {tool} is not installed", "in CI it must be")
    session.skip(f"{tool} is not installed (it is required in CI)")
