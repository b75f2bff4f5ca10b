"""Make a sample project with 43 pre-push hooks, as a team's file comes to look over the years.

    python scripts/make_hook_sample.py FOLDER

15 hooks test the deployment files, 8 the project itself, 5 the documents, 14 the package, one
checks the types; each test hook starts pytest for one test file. The project is committed in a
git repository of its own, with a bare repository beside it as `origin`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hook_sample import deployment, documents, package, project

HOOK = """\
      - id: {id}
        name: {name}
        entry: {entry}
        language: system
        pass_filenames: false
{filter}        stages: [pre-push]
"""
PYTEST = "python -m pytest -q -p no:cacheprovider"


def hook(kind: str, name: str, entry: str, files: str = "") -> str:
    """Return one hook as text."""
    rule = f"        files: {files}\n" if files else "        always_run: true\n"
    words = name.replace("_", " ")
    return HOOK.format(
        id=f"{kind}-{name.replace('_', '-')}",
        name=f"{kind} {words}",
        entry=json.dumps(entry) if "'" in entry else entry,
        filter=rule,
    )


def deployment_hooks() -> list[str]:
    """Return the hooks on `deploy/`: most alike, some started in ways of their own."""
    special = {
        "compose": "bash -c 'python -m pytest -q -p no:cacheprovider {}'",
        "environments": "env DEPLOY_TARGET=production " + PYTEST + " {}",
    }
    files = {"compose": "^(deploy/|tests/deployment/)"}
    return [
        hook(
            "deploy",
            name,
            special.get(name, PYTEST + " {}").format(f"tests/deployment/test_{name}.py"),
            files.get(name, "^deploy/"),
        )
        for name in deployment.TESTS
    ]


def package_hooks() -> list[str]:
    """Return the hooks on the package: unit tests, tests over several modules, one marked."""
    found = []
    for name in package.TESTS:
        folder = package.folder_of(name)
        options = ' -m "not slow"' if name == "reports" else ""
        entry = f"{PYTEST}{options} {folder}/test_{name}.py"
        kind = "flow" if folder.endswith("flows") else "unit"
        found.append(hook(kind, name, entry, r"^(src|tests)/.*\.py$"))
    return found


def configuration() -> str:
    """Return the text of .pre-commit-config.yaml."""
    meta = [hook("meta", n, f"{PYTEST} tests/meta/test_{n}.py") for n in project.TESTS]
    docs = [hook("docs", n, f"{PYTEST} tests/docs/test_{n}.py", r"\.md$") for n in documents.TESTS]
    types = hook("check", "types", "python -m mypy src", r"\.py$")
    parts = [
        "# One hook a test file: each was added with the file it checks.\nrepos:\n",
        "  - repo: local\n    hooks:\n      # The deployment files.\n",
        *deployment_hooks(),
        "\n      # The project itself.\n",
        *meta,
        "\n      # The documents.\n",
        *docs,
        "\n      # Types: the only check that is no test.\n",
        types,
        "\n      # The package.\n",
        *package_hooks(),
    ]
    return "".join(parts)


def write(folder: Path) -> None:
    """Write the project into `folder`, which must not hold one yet."""
    files = {
        **deployment.files(),
        **package.files(),
        **project.files(),
        **documents.files(),
        ".pre-commit-config.yaml": configuration(),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def commit(folder: Path) -> None:
    """Make `folder` a repository with one commit, pushed to a bare one beside it."""
    remote = folder.with_name(f"{folder.name}-origin.git")
    git(folder.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Sample")
    git(folder, "config", "user.email", "sample@example.invalid")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A shop")
    git(folder, "remote", "add", "origin", str(remote))
    git(folder, "push", "--quiet", "--no-verify", "--set-upstream", "origin", "main")


def git(folder: Path, *arguments: str) -> None:
    """Run git in `folder`."""
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def main() -> int:
    """Make the project in the folder that the argument names."""
    if len(sys.argv) != 2 or Path(sys.argv[1]).exists():
        print(__doc__, "The folder must not exist yet.", sep="\n", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1]).absolute()
    write(folder)
    commit(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
