"""A pytest plugin that writes down what was collected, and with which configuration.

It is loaded into the environment of a hook, where Paceline may be missing: it imports
nothing of Paceline, and it writes its one file itself.
"""

import json
import os


def pytest_collection_finish(session):  # type: ignore[no-untyped-def] # noqa: D103
    config = session.config
    found = {
        "rootdir": str(config.rootpath),
        "configuration": str(config.inipath or ""),
        "tests": [item.nodeid for item in session.items],
        "errors": session.testsfailed,
    }
    with open(os.environ["PACELINE_HOOK_PROBE"], "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(found, file)
