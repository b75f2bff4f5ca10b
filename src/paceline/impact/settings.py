"""Settings and registries that the interpreter and libraries keep for the whole process.

Their documented functions change them, as `decimal.getcontext().prec = 5` or `shutil.
register_archive_format(...)` do, and what is left so a later test finds. Nothing is imported here:
what nobody has imported nobody has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from gc import get_referents
from typing import Any, Final

from paceline.impact.memory import identities
from paceline.impact.reached import Label
from paceline.impact.readers import settings_of_loggers
from paceline.impact.recorder import SEARCH_FOLDERS

#: A module, the names that code mentions which looks at this state of it, and how it is read.
Reader = tuple[str, Label, Callable[[Any], object]]


def _logging(logging: Any) -> object:
    named = logging.root.manager.loggerDict.items()
    loggers = [one for _, one in named if isinstance(one, logging.Logger)]
    changed = [
        one for one in loggers if one.level or one.disabled or one.handlers or not one.propagate
    ]
    names = identities(get_referents(logging._levelToName))
    return logging.root.manager.disable, names, settings_of_loggers([*changed, logging.root])


def _decimal(decimal: Any) -> object:
    context = decimal.getcontext()
    return context.prec, context.rounding, context.Emin, context.Emax, tuple(context.traps.items())


def _attributes(*names: str) -> Callable[[Any], object]:
    """Return a reader that tells whether one of these attributes is another object."""
    return lambda module: identities([getattr(module, name, None) for name in names])


def _options(module: Any) -> object:
    return list(_leaves(module._global_config))


def _leaves(options: Mapping[str, Any]) -> Iterator[object]:
    for value in options.values():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield value


def _policy(events: Any) -> object:
    policy = events._event_loop_policy  # which whoever asks first begins
    usual = policy is None or type(policy).__module__.startswith("asyncio.")
    return None if usual else identities([policy])


def _start_method(context: Any) -> object:
    """Return how processes are started: the first use takes the default."""
    return (context._actual_context or context._default_context).get_start_method()


#: Containers in which something is kept: the module, the names that code mentions which looks at
#: it, and the names of the containers in the module.
CONTAINERS: Final[tuple[tuple[str, Label, tuple[str, ...]], ...]] = (
    ("sys", Label((SEARCH_FOLDERS, "meta_path", "path_hooks")),
     ("meta_path", "path_hooks")),
    ("threading", Label(("threading", "active_count")),
     ("_active",)),
    ("warnings", Label(("warnings", "warn", "catch_warnings", "simplefilter", "filterwarnings")),
     ("filters",)),
    ("copyreg", Label(("copyreg", "dispatch_table", "pickle", "deepcopy")),
     ("dispatch_table",)),
    ("shutil", Label(("shutil", "make_archive", "unpack_archive", "get_archive_formats")),
     ("_ARCHIVE_FORMATS", "_UNPACK_FORMATS")),
    ("sqlite3", Label(("sqlite3", "register_adapter", "register_converter")),
     ("adapters", "converters")),
    ("email.charset", Label(("charset", "Charset", "MIMEText", "add_alias", "add_codec")),
     ("CHARSETS", "ALIASES", "CODEC_MAP")),
    ("xml.etree.ElementTree", Label(("ElementTree", "register_namespace", "tostring")),
     ("_namespace_map",)),
)  # fmt: skip

READERS: Final[tuple[Reader, ...]] = (
    ("sys", Label(("getrecursionlimit", "setrecursionlimit", "RecursionError")),
     lambda sys: sys.getrecursionlimit()),
    ("sys", Label(("get_int_max_str_digits", "set_int_max_str_digits")),
     lambda sys: getattr(sys, "get_int_max_str_digits", int)()),
    ("sys", Label(("getswitchinterval", "setswitchinterval")),
     lambda sys: sys.getswitchinterval()),
    ("sys", Label(("excepthook", "unraisablehook", "displayhook", "breakpointhook", "breakpoint")),
     _attributes("excepthook", "unraisablehook", "displayhook", "breakpointhook")),
    ("tracemalloc", Label(("tracemalloc",)),
     lambda tracemalloc: tracemalloc.is_tracing()),
    ("logging", Label(("logging", "getLogger", "caplog")), _logging),
    ("decimal", Label(("decimal", "Decimal", "getcontext", "localcontext")), _decimal),
    ("locale", Label(("locale", "setlocale", "localeconv", "strftime", "strcoll")),
     lambda locale: locale.setlocale(locale.LC_ALL)),
    ("tempfile", Label(("tempfile", "tempdir", "gettempdir")), _attributes("tempdir")),
    ("gettext", Label(("gettext", "textdomain", "bindtextdomain")),
     lambda gettext: (gettext._current_domain, tuple(gettext._localedirs.items()))),
    ("calendar", Label(("calendar", "firstweekday", "setfirstweekday")),
     lambda calendar: calendar.c.firstweekday),
    ("socket", Label(("socket", "create_connection", "urlopen", "getdefaulttimeout")),
     lambda socket: socket.getdefaulttimeout()),
    ("csv", Label(("csv", "DictReader", "DictWriter", "reader", "writer", "get_dialect")),
     lambda csv: csv.list_dialects()),
    ("zoneinfo._tzpath", Label(("zoneinfo", "ZoneInfo", "TZPATH")),
     lambda tzpath: tzpath.TZPATH),
    ("multiprocessing.context",
     Label(("multiprocessing", "set_start_method", "get_start_method", "Process", "Pool")),
     lambda context: _start_method(context._default_context)),
    ("asyncio.events", Label(("asyncio", "get_event_loop_policy", "set_event_loop_policy")),
     _policy),
    ("numpy", Label(("numpy", "np")),
     lambda numpy: (numpy.geterr(), sorted(numpy.get_printoptions().items(), key=str))),
    ("pandas._config.config", Label(("pandas", "pd")), _options),
    ("matplotlib", Label(("matplotlib", "rcParams", "pyplot", "plt")),
     lambda matplotlib: identities(get_referents(matplotlib.rcParams))),
)  # fmt: skip
