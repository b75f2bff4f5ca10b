"""Defaults read from the project itself, so that most projects configure nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from paceline.config import document as toml
from paceline.config.model import Config, Group, Step

Commands = tuple[tuple[str, ...], ...]

GROUP_FOLDERS = ("unit", "integration", "api")
TEST_NAMES = ("test", "tests", "testing")
TOOL_NAMES = ("typing", "types", "mypy", "lint", "style")
REQUIREMENTS_FILES = (
    "requirements/tests.txt",
    "requirements/test.txt",
    "requirements-test.txt",
    "requirements-tests.txt",
    "test-requirements.txt",
    "requirements-dev.txt",
    "requirements/dev.txt",
)
TOOL_FILES = tuple(f"requirements/{name}.txt" for name in TOOL_NAMES)
PYTHON_INPUTS = (
    *("**/*.py", "**/*.pyi", "**/*.toml", "*.cfg", "*.ini", ".flake8", "pyrightconfig.json"),
    # linters leave out what git ignores
    "**/.gitignore",
)
DEPS_INPUTS = ("pyproject.toml", "requirements*", "requirements/**", "uv.lock")
#: What to install for a program; others come from the project's own groups.
REQUIREMENTS = {
    "ruff": "ruff",
    "flake8": "flake8",
    "mypy": "mypy",
    "pyright": "pyright",
    "bandit": "bandit[toml]",
    "pre-commit": "pre-commit",
}
#: Folders and files beside the package that are not the package.
NOT_SOURCE = frozenset(
    {"tests", "test", "testing", "docs", "doc", "examples", "scripts", "bench", "benchmarks"}
    | {"build", "dist", "ci", "tools"}
)
NOT_MODULES = frozenset({"setup", "conftest", "noxfile", "tasks"})


def discover(root: Path, document: Mapping[str, Any]) -> Config:
    """Return the configuration that the project in `root` suggests by itself.

    `document` is its parsed pyproject.toml.
    """
    groups, extras, files = test_dependencies(root, document)
    return Config(
        root=root,
        groups=test_groups(root),
        steps=steps(root, document),
        test_groups=groups,
        test_extras=extras,
        test_requirements=files,
        tool_groups=_named(toml.table(document, "dependency-groups"), TOOL_NAMES),
        tool_requirements=tuple(file for file in TOOL_FILES if (root / file).is_file()),
    )


def test_groups(root: Path) -> tuple[Group, ...]:
    """Return a group for each well-known test folder, else one for all of pytest's paths."""
    found = (name for name in GROUP_FOLDERS if (root / "tests" / name).is_dir())
    return tuple(Group(name, paths=(f"tests/{name}",)) for name in found) or (Group("unit"),)


def test_dependencies(
    root: Path, document: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the dependency groups, extras and requirements files for the tests.

    Only the first of the three that exists is used: they usually repeat each other.
    """
    groups = toml.table(document, "dependency-groups")
    named = _named(groups, TEST_NAMES)[:1]
    if not named and any(map(_is_pytest, toml.requirements(groups, "dev"))):
        named = _named(groups, ("dev",))
    if named:
        return named, (), ()
    extras = _named(toml.table(document, "project", "optional-dependencies"), TEST_NAMES)[:1]
    if extras:
        return (), extras, ()
    files = (name for name in REQUIREMENTS_FILES if (root / name).is_file())
    return (), (), tuple(files)[:1]


def _named(known: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    names = {toml.normalized(name): name for name in known}
    return tuple(names[name] for name in wanted if name in names)


def _is_pytest(requirement: str) -> bool:
    return bool(re.match(r"\s*pytest(?![A-Za-z0-9])", requirement, re.IGNORECASE))


def steps(root: Path, document: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return lint, types, security, deps and hooks as far as the project has set them up."""
    hooks = (root / ".pre-commit-config.yaml").is_file()
    return (
        _step("lint", _lint(root, document), "no [tool.ruff] in pyproject.toml"),
        _step("types", *_types(root, document)),
        _step("security", _security(root, document), "no [tool.bandit] in pyproject.toml"),
        # The session itself audits what the environment holds, so there is no command.
        Step("deps", inputs=DEPS_INPUTS),
        Step(
            "hooks",
            run=(("pre-commit", "run", "--all-files"),) if hooks else (),
            prepush=False,
            missing="" if hooks else "no .pre-commit-config.yaml",
        ),
    )


def _step(name: str, run: Commands, missing: str) -> Step:
    return Step(name, run=run, inputs=PYTHON_INPUTS, missing="" if run else missing)


def _lint(root: Path, document: Mapping[str, Any]) -> Commands:
    # A check must not write, even where the project's own setting is `fix = true`.
    check, style = ("ruff", "check", "--no-fix", "."), ("ruff", "format", "--check", ".")
    if toml.has(document, "tool", "ruff"):
        return (check, style) if toml.has(document, "tool", "ruff", "format") else (check,)
    for name in ("ruff.toml", ".ruff.toml"):
        if (root / name).is_file():
            return (check, style) if _has_section(root / name, "format") else (check,)
    configured = (root / ".flake8").is_file() or any(
        _has_section(root / name, "flake8") for name in ("setup.cfg", "tox.ini")
    )
    # An `exclude` of the project replaces the default one, in which .nox and .venv are.
    return (("flake8", "--extend-exclude=.nox,.paceline,.venv"),) if configured else ()


def _types(root: Path, document: Mapping[str, Any]) -> tuple[Commands, str]:
    """Return the commands, and why there are none.

    Where mypy is configured without saying for which files, a guess would report errors in
    code that the project never meant to check (attrs checks a few stubs only).
    """
    unnamed = (), "mypy's configuration names no files"
    if toml.has(document, "tool", "mypy"):
        options = toml.table(document, "tool", "mypy")
        named = any(options.get(key) for key in ("files", "packages", "modules"))
        return ((("mypy",),), "") if named else unnamed
    for name in ("mypy.ini", ".mypy.ini", "setup.cfg"):
        if _has_section(root / name, "mypy"):
            named = _sets_option(root / name, "files|packages|modules")
            return ((("mypy",),), "") if named else unnamed
    pyright = toml.has(document, "tool", "pyright") or (root / "pyrightconfig.json").is_file()
    return ((("pyright",),), "") if pyright else ((), "no [tool.mypy] in pyproject.toml")


def _security(root: Path, document: Mapping[str, Any]) -> Commands:
    if not toml.has(document, "tool", "bandit"):
        return ()
    return (("bandit", "-q", "-r", *_targets(root), "-c", toml.FILE),)


def _has_section(file: Path, section: str) -> bool:
    return bool(re.search(rf"^\[{section}(\.[^\]]*)?\]", _text(file), re.MULTILINE))


def _sets_option(file: Path, option: str) -> bool:
    """Whether the INI `file` sets `option` in its `[mypy]` section."""
    section = re.search(r"^\[mypy\](.*?)(?=^\[|\Z)", _text(file), re.MULTILINE | re.DOTALL)
    return bool(section and re.search(rf"^({option})\s*[=:]", section[1], re.MULTILINE))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _targets(root: Path) -> list[str]:
    return packages(root) or ["src" if (root / "src").is_dir() else "."]


def packages(root: Path) -> list[str]:
    """Return the project's own packages or modules as paths relative to `root`, sorted.

    Packages in `src` come first; without any, those beside pyproject.toml; else modules.
    """
    for folder, prefix in ((root / "src", "src/"), (root, "")):
        found = sorted(entry.parent.name for entry in folder.glob("*/__init__.py"))
        names = [prefix + name for name in found if _is_source(name, prefix)]
        if names:
            return names
    for folder, prefix in ((root / "src", "src/"), (root, "")):
        modules = [
            prefix + entry.name
            for entry in sorted(folder.glob("*.py"))
            if entry.stem not in NOT_MODULES and not entry.name.startswith((".", "test_"))
        ]
        if modules:
            return modules
    return []


def _is_source(name: str, prefix: str) -> bool:
    # Inside src even a package called "tools" is the product.
    return not name.startswith(".") and (bool(prefix) or name not in NOT_SOURCE)


def tools(found: Iterable[Step]) -> tuple[str, ...]:
    """Return the requirements that bring the programs of the given steps."""
    programs: list[str] = []
    for step in found:
        for command in step.run:
            as_module = command[1:2] == ("-m",) and len(command) > 2
            programs.append(command[2] if as_module else command[0])
    return tuple(dict.fromkeys(REQUIREMENTS[name] for name in programs if name in REQUIREMENTS))
