"""The sessions lint, types, security, deps and hooks: the commands of a step, one after another."""

from __future__ import annotations

import nox

from paceline import environment, process
from paceline.config.model import Config
from paceline.errors import CheckFailed, MissingTool


def run_check(session: nox.Session, config: Config, name: str) -> None:
    """Run the step `name`.

    Raises CheckFailed if a command fails, and MissingTool if nothing is set up: a session
    that was asked for and checks nothing must not look green.
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
    ready = environment.tools(config)
    for command in commands:
        session.log(" ".join(command))
        exit_code = process.stream(command, cwd=config.root, env=ready.variables)
        if exit_code:
            raise CheckFailed(f"{command[0]} ended with exit code {exit_code}")
