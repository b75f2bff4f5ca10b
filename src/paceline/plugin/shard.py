"""Selects the tests of one shard, the same in every process and whatever the test order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from paceline.plugin.options import is_worker
from paceline.sharding import durations, stored
from paceline.sharding.estimation import file_of
from paceline.sharding.groups import Groups, of_notebooks, without_group
from paceline.sharding.plan import Plan, make_plan, read_plans
from paceline.sharding.wall import Workers


class ShardSelection:
    """Keeps this shard's part of the group; `collected` and `selected` say what it did."""

    def __init__(self, config: pytest.Config) -> None:
        self._option = config.option
        self._root = Path(config.invocation_params.dir)
        index, total = (config.option.paceline_shard or "1/1").split("/")
        self.index, self.total = int(index), int(total)
        self.collected: tuple[str, ...] = ()
        self.selected: tuple[str, ...] = ()
        self.groups: Groups = {}
        self.digest = ""
        self.predicted = self.predicted_wall = 0.0
        #: Whether there is rightly nothing to run here: it is in other shards, or unaffected.
        self.idle = False
        self._unaffected_files: frozenset[str] = frozenset()
        self._unaffected_tests: frozenset[str] = frozenset()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Let testmon choose among the shard's tests only, after all have been collected.

        Else it would hide files from the collection, and what is left would be split anew.
        """
        testmon = session.config.pluginmanager.get_plugin("TestmonSelect")
        settings = getattr(session.config, "testmon_config", None)
        if testmon is None or settings is None or not settings.select:
            return
        self._unaffected_files = frozenset(testmon.deselected_files)
        self._unaffected_tests = frozenset(testmon.deselected_tests)
        testmon.deselected_files = testmon.deselected_tests = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Split what the group collected, then narrow by what the user asked for.

        It runs after addopts' -m and -k: tests that the project leaves out are no one's.
        """
        names = {id(item): _plain_id(item) for item in items}
        self.collected = tuple(sorted(names.values()))
        self.groups = _groups(items)
        plan = self._plan(_workers(config))
        self.digest = plan.digest
        shard = plan.shards[self.index - 1]
        self.predicted, self.predicted_wall = shard.predicted, shard.wall
        self.selected = tuple(sorted(shard.tests))
        mine = frozenset(self.selected)
        _keep(config, items, [item for item in items if not self._unaffected(item)])
        impact = config.pluginmanager.get_plugin("paceline-impact")
        if impact is not None:
            impact.leave_out(config, items)
        unaffected = bool(self.collected) and not items
        self._narrow(config, items)
        elsewhere = not mine.issuperset(names[id(item)] for item in items)
        _keep(config, items, [item for item in items if names[id(item)] in mine])
        self.idle = not items and (elsewhere or unaffected)

    def _unaffected(self, item: pytest.Item) -> bool:
        test = item.nodeid
        return test in self._unaffected_tests or file_of(test) in self._unaffected_files

    def plain(self, test: str) -> str:
        """Return the id of `test` as it was collected, without the group that xdist adds."""
        return without_group(test) if self.groups else test

    def _plan(self, workers: Workers) -> Plan:
        group = self._option.paceline_group
        frozen = read_plans(self._root / ".paceline" / "plan.json").get(group)
        if frozen is None or len(frozen.shards) != self.total or self.total == 1:
            file = Path(self._option.durations_path)
            together, shared = stored.units(file, self.groups)
            return make_plan(
                group,
                self.collected,
                durations.read(file),
                self.total,
                groups=together,
                workers=workers,
                shared=shared,
            )
        self._refuse_other_tests(frozen)
        return frozen

    def _refuse_other_tests(self, plan: Plan) -> None:
        planned = {test for shard in plan.shards for test in shard.tests}
        unplanned = sorted(set(self.collected) - planned)
        if unplanned:
            raise pytest.UsageError(
                f"{len(unplanned)} collected tests are not in .paceline/plan.json: "
                f"{_some(unplanned)}; make the plan anew with `invoke plan`, or delete it"
            )

    def _narrow(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        paths = self._option.paceline_narrow_path
        if paths:
            _keep(config, items, [item for item in items if _is_in(item.nodeid, paths)])
        if self._option.paceline_narrow_keyword or self._option.paceline_narrow_marker:
            self._narrow_by_expression(config, items)
        if self._option.paceline_narrow_failed:
            # pytest's plugin for --lf wraps this hook and goes on where we end.
            config.option.lf = True
            config.pluginmanager.get_plugin("lfplugin").active = True  # type: ignore[union-attr]

    def _narrow_by_expression(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        # pytest's own mark plugin evaluates the expressions, so they mean what they always mean.
        before = self._option.keyword, self._option.markexpr
        self._option.keyword = self._option.paceline_narrow_keyword
        self._option.markexpr = self._option.paceline_narrow_marker
        try:
            mark = config.pluginmanager.get_plugin("mark")
            mark.pytest_collection_modifyitems(items=items, config=config)  # type: ignore[union-attr]
        finally:
            self._option.keyword, self._option.markexpr = before


def _workers(config: pytest.Config) -> Workers:
    """Return how this shard runs its tests; a worker knows it from the controller."""
    if is_worker(config):
        return Workers(config.workerinput["workercount"], config.option.paceline_dist)  # type: ignore[attr-defined]
    return Workers(len(getattr(config.option, "tx", None) or ()), config.option.paceline_dist)


def _plain_id(item: pytest.Item) -> str:
    return without_group(item.nodeid) if item.get_closest_marker("xdist_group") else item.nodeid


def _groups(items: Sequence[pytest.Item]) -> Groups:
    """Return what must stay together: marked groups, named as by xdist, and notebooks."""
    found: dict[str, str] = {}
    for item in items:
        marks = item.iter_markers("xdist_group")
        names = {str(m.args[0] if m.args else m.kwargs.get("name", "default")) for m in marks}
        if names:
            found[_plain_id(item)] = "_".join(sorted(names))
    return of_notebooks(item.nodeid for item in items) | found


def _is_in(test: str, paths: Sequence[str]) -> bool:
    """Return whether `test` is one of `paths` (node ids, files or folders) or inside one."""
    return any(
        test == path or test.startswith((f"{path}/", f"{path}::", f"{path}[", f"{path}@"))
        for path in (path.rstrip("/") for path in paths)
    )


def _keep(config: pytest.Config, items: list[pytest.Item], kept: list[pytest.Item]) -> None:
    chosen = set(map(id, kept))
    dropped = [item for item in items if id(item) not in chosen]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = kept


def _some(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (" ..." if len(names) > limit else "")
