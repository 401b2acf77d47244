"""What changing a parameter does, by its name, and the statements that change one."""

from __future__ import annotations

import re

from rules.classify.postgres.tree import Node, constant, options
from rules.model import Effect, Setting

LEXING = frozenset({"standard_conforming_strings", "client_encoding", "backslash_quote"})
NAMESPACE = frozenset({"search_path"})
ROLE = frozenset({"role", "session_authorization"})
# Only a superuser may change them in a session, and they take guards out: triggers and foreign keys, the server's own log,
# checks of the storage, what code is loaded.
ADMIN = frozenset(
    {
        "session_replication_role", "allow_system_table_mods", "ignore_system_indexes", "zero_damaged_pages",
        "ignore_checksum_failure", "ignore_invalid_pages", "lo_compat_privileges", "allow_in_place_tablespaces",
        "track_activities", "track_counts", "wal_compression", "commit_delay", "fsync", "full_page_writes",
        "backtrace_functions", "debug_discard_caches", "wal_consistency_checking", "max_stack_depth",
        "event_triggers", "restart_after_crash", "update_process_title",
    }
)  # fmt: skip
PROGRAM = frozenset(
    {
        "session_preload_libraries",
        "local_preload_libraries",
        "dynamic_library_path",
        "jit_provider",
        "extension_control_path",
    }
)
_LISTS = frozenset(
    {"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries", "datestyle"}
)

# RESET ALL leaves the role as it is.
ALL_SETTINGS = frozenset({Effect.SETTING, Effect.LEXING, Effect.NAMESPACE})
# A setting whose name is computed may be any.
NOT_CONSTANT = ALL_SETTINGS | {Effect.ROLE, Effect.ADMIN}

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_$]*")
_FOLD = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}  # as the server compares: ASCII alone


def folded(name: str) -> str:
    return name.translate(_FOLD)


def setting_effects(name: str) -> frozenset[Effect]:
    """`name` folded."""
    if name in LEXING:
        return frozenset({Effect.SETTING, Effect.LEXING})
    if name in NAMESPACE:
        return frozenset({Effect.SETTING, Effect.NAMESPACE})
    if name in ROLE:
        return frozenset({Effect.SETTING, Effect.ROLE})
    if name in PROGRAM:
        return frozenset({Effect.SETTING, Effect.PROGRAM})
    if name in ADMIN or name.startswith("log_"):
        return frozenset({Effect.SETTING, Effect.ADMIN})
    return frozenset({Effect.SETTING})


def settings_of(node: Node) -> list[Setting]:
    """What a VariableSetStmt changes."""
    name = folded(node.get("name", ""))
    scope = "local" if node.get("is_local") else "session"
    match node.get("kind"):
        case "VAR_RESET_ALL":
            return [Setting("all", None, "session")]
        case "VAR_SET_MULTI":
            return _several(name, node)
        case "VAR_SET_VALUE":
            return [Setting(name, _value(name, node.get("args", [])), "local" if scope == "local" else "session")]
        case _:
            return [Setting(name, None, "local" if scope == "local" else "session")]


def _several(name: str, node: Node) -> list[Setting]:
    """SET TRANSACTION, SET SESSION CHARACTERISTICS, SET TRANSACTION SNAPSHOT."""
    if name == "transaction snapshot":
        arguments = node.get("args", [])
        return [Setting("transaction_snapshot", constant(arguments[0]) if arguments else None, "local")]
    lasting = name == "session characteristics"
    found = []
    for option, element in options(node, "args"):
        value = constant(element["arg"]) if "arg" in element else None
        if option in ("transaction_read_only", "transaction_deferrable"):
            value = "off" if value in ("0", "false") else "on"
        found.append(Setting(f"default_{option}" if lasting else option, value, "session" if lasting else "local"))
    return found


def _value(name: str, arguments: list[Node]) -> str | None:
    values = [constant(each) for each in arguments]
    if not values or any(value is None for value in values):
        return None
    if name in _LISTS:
        return ", ".join(_quoted(value) for value in values if value is not None)
    return ", ".join(value for value in values if value is not None)


def _quoted(name: str) -> str:
    """A list element as the server keeps it: each argument is one name, whatever characters it has."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return '"' + name.replace('"', '""') + '"'
