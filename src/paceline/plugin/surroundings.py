"""Which of pytest's options can change how a test ends: with others, there are other records."""

from __future__ import annotations

import pytest

#: pytest options that choose, show or measure tests, but do not change how a test ends.
_HARMLESS = frozenset(
    (
        "file_or_dir", "keyword", "markexpr", "lf", "failedfirst", "newfirst", "stepwise",
        "stepwise_skip", "stepwise_reset", "maxfail", "verbose", "quiet", "no_header",
        "no_summary", "tbstyle", "showlocals", "color", "code_highlight", "reportchars",
        "xmlpath", "junitprefix", "durations", "durations_min", "durations_path", "cacheclear",
        "cacheshow", "last_failed_no_failures", "capture", "collectonly", "deselect", "ignore",
        "ignore_glob", "fold_skipped", "fulltrace", "force_short_summary", "showcapture",
        "numprocesses", "maxprocesses", "tx", "dist", "distload", "px", "maxworkerrestart",
        "rsyncdir", "rsyncignore", "testrunuid", "looponfail", "loadscopereorder", "usepdb",
        "usepdb_cls", "trace", "help", "version", "debug", "basetemp", "rootdir", "pastebin",
        "disable_warnings", "traceconfig", "markers", "showfixtures", "show_fixtures_per_test",
        "setupplan", "setupshow", "setuponly", "no-testmon", "tmnet", "splits",
        "group", "store_durations", "clean_durations", "splitting_algorithm", "reruns",
        "reruns_delay", "only_rerun", "rerun_except", "xmlpath", "exitfirst", "xfail_tb",
        "environment_expression", "verbosity_test_cases", "continue_on_collection_errors",
    )
)  # fmt: skip
#: The same of pytest-cov, testmon, pytest-randomly and Paceline, and of pytest's log file. Not by a
#: prefix, which the project's own options may have.
_OF_PLUGINS = frozenset(
    (
        "cov_source", "cov_report", "cov_config", "cov_append", "cov_branch", "cov_context",
        "cov_fail_under", "cov_precision", "no_cov", "no_cov_on_fail", "no_cov_should_warn",
        "testmon", "testmon_env", "testmon_forceselect", "testmon_nocollect", "testmon_noselect",
        "no-testmon", "tmnet", "impact", "impact_noselect", "impact_explain", "randomly_seed",
        "randomly_reorganize", "randomly_reset_seed", "log_file", "log_file_mode",
        "log_file_level", "log_file_format", "log_file_date_format",
    )
)  # fmt: skip


def options(config: pytest.Config) -> dict[str, str]:
    """Return the options by which a test may end differently."""
    return {
        name: repr(value)
        for name, value in vars(config.option).items()
        if name == "paceline_marker"
        or not (name in _HARMLESS or name in _OF_PLUGINS or name.startswith("paceline_"))
    }
