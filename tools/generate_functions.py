"""Writes rules/functions/postgres.tsv and postgres_operators.txt from pg_proc and pg_operator of running servers.

    python -m tools.generate_functions DSN [DSN ...]

Give one database for each major version (the shipped table: 15 to 18), with nothing installed beyond what initdb makes.
A name stands for all its overloads: the worst volatility and the union of the effects count. What a volatile function does
is not in the catalog, so it is said here, by hand; a volatile function that nobody has looked at is `unknown`.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

import psycopg
from attrs import define, field

TABLES = Path(__file__).parent.parent / "rules" / "functions"
ORDER = "isv"  # immutable, stable, volatile: later is worse

# What can happen, by pattern over the whole name; all that match count. Tried in pg_catalog only.
EFFECTS: dict[str, tuple[str, ...]] = {
    "sequence": ("nextval", "setval"),
    "setting": ("set_config",),  # which setting, and so which other effects, depends on the arguments
    "advisory_lock": (r"pg_(try_)?advisory_.*",),
    "large_object": (
        "lo_creat(e)?", "lo_from_bytea", "lo_import", "lo_open", "lo_put", "lo_truncate(64)?", "lo_unlink", "lowrite",
    ),
    "file_read": (
        "lo_import", "pg_read_file(_old)?", "pg_read_binary_file", "pg_stat_file", r"pg_ls_.*", "pg_hba_file_rules",
        "pg_ident_file_mappings", "pg_show_all_file_settings", "pg_wal_summary_contents", "pg_available_wal_summaries",
    ),
    "file_write": ("lo_export",),
    "admin": (
        r"binary_upgrade_.*", "pg_backup_st(art|op)", "pg_cancel_backend", "pg_terminate_backend",
        r"pg_copy_(logical|physical)_replication_slot", r"pg_create_(logical|physical)_replication_slot",
        "pg_create_restore_point", "pg_drop_replication_slot", "pg_log_backend_memory_contexts", "pg_log_standby_snapshot",
        "pg_logical_emit_message", r"pg_logical_slot_.*", "pg_nextoid", "pg_promote", "pg_reload_conf",
        r"pg_replication_origin_(advance|create|drop|session_reset|session_setup|xact_reset|xact_setup)",
        "pg_replication_slot_advance", r"pg_rotate_logfile(_old)?", r"pg_stat_reset.*", "pg_stop_making_pinned_objects",
        "pg_switch_wal", "pg_sync_replication_slots", r"pg_wal_replay_(pause|resume)",
        r"pg_(clear|restore)_(attribute|relation)_stats",
    ),
    "write": (
        "brin_(de)?summarize_.*", "gin_clean_pending_list", r"pg_(clear|restore)_(attribute|relation)_stats",
        "lo_import", "lo_creat(e)?", "lo_from_bytea", "lo_put", "lo_truncate(64)?", "lo_unlink", "lowrite",
    ),
    "ddl": ("pg_import_system_collations", "pg_extension_config_dump"),
    "notify": ("pg_notify",),
    # the text, or the relation, is a value: no parse tree shows what is read
    "dynamic_sql": (
        "query_to_xml.*", "cursor_to_xml.*", "(table|schema|database)_to_xml.*", "ts_stat", "ts_rewrite",
    ),
    "sleep": ("pg_sleep(_for|_until)?",),
    "samples": ("pg_stat_get_activity", "pg_stat_get_backend_activity", "pg_mcv_list_items"),
}  # fmt: skip

# Volatile because the answer changes, not because anything is done. Each was looked up in the server's source or manual.
HARMLESS = (
    "amvalidate", "array_sample", "array_shuffle", "bernoulli", "system", ".*handler", "plpgsql_validator",
    "clock_timestamp", "current_query", "currtid2", "currval", "dsnowball_.*", "gen_random_uuid", "lastval",
    "lo_close", "lo_get", "lo_lseek(64)?", "lo_tell(64)?", "loread", "pg_blocking_pids", "pg_collation_actual_version",
    "pg_control_.*", "pg_current_logfile", "pg_current_wal_.*", "pg_database_collation_actual_version",
    r"pg_(database|indexes|relation|table|tablespace|total_relation)_size", "pg_export_snapshot", r"pg_get_.*",
    "pg_is_in_recovery", "pg_is_wal_replay_paused", "pg_isolation_test_session_is_blocked", "pg_jit_available",
    "pg_last_.*", "pg_lock_status", "pg_notification_queue_usage", "pg_partition_.*", "pg_prepared_xact",
    "pg_replication_origin_progress", "pg_replication_origin_session_(is_setup|progress)",
    "pg_safe_snapshot_blocking_pids", "pg_sequence_last_value", "pg_show_replication_origin_status",
    "pg_stat_clear_snapshot", "pg_stat_force_next_flush", r"pg_stat_get_.*", "pg_stat_have_stats",
    "pg_xact_commit_timestamp(_origin)?", "pg_xact_status", "random", "random_normal", "setseed", "timeofday",
    "txid_status", "uuidv[47]",
    # only ever called by the server itself, as triggers: by hand they end in an error
    "RI_FKey_.*", "suppress_redundant_updates_trigger", "tsvector_update_trigger(_column)?", "unique_key_recheck",
)  # fmt: skip

FUNCTIONS = """
SELECT n.nspname, p.proname, p.provolatile::text
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname IN ('pg_catalog', 'information_schema')
"""
OPERATORS = "SELECT DISTINCT oprname FROM pg_catalog.pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace"


@define
class Known:
    volatilities: set[str] = field(factory=set)
    versions: set[int] = field(factory=set)

    @property
    def worst(self) -> str:
        return max(self.volatilities, key=ORDER.index)


def effects_of(schema: str, name: str, volatility: str) -> set[str]:
    found = {
        effect
        for effect, patterns in EFFECTS.items()
        if schema == "pg_catalog" and any(re.fullmatch(pattern, name) for pattern in patterns)
    }
    if not found and volatility == "v" and not any(re.fullmatch(pattern, name) for pattern in HARMLESS):
        return {"unknown"}
    return found


def table(known: dict[tuple[str, str], Known]) -> str:
    """One line a name: [schema.]name, mixed volatilities as letters, first and last major version, effects."""
    lines = []
    for (schema, name), entry in sorted(known.items()):
        spelled = name if schema == "pg_catalog" else f"{schema}.{name}"
        letters = "".join(letter for letter in ORDER if letter in entry.volatilities)
        effects = ",".join(sorted(effects_of(schema, name, entry.worst)))
        lines.append(f"{spelled}\t{letters}\t{min(entry.versions)}\t{max(entry.versions)}\t{effects}")
    return "\n".join(lines) + "\n"


def main(dsns: list[str]) -> int:
    known: dict[tuple[str, str], Known] = defaultdict(Known)
    operators: set[str] = set()
    for dsn in dsns:
        with psycopg.connect(dsn) as connection:
            major = connection.info.server_version // 10000
            for schema, name, volatility in connection.execute(FUNCTIONS).fetchall():
                known[schema, name].volatilities.add(volatility)
                known[schema, name].versions.add(major)
            operators |= {symbol for (symbol,) in connection.execute(OPERATORS).fetchall()}
    text = table(known)
    (TABLES / "postgres.tsv").write_text(text, encoding="utf-8")
    (TABLES / "postgres_operators.txt").write_text("\n".join(sorted(operators)) + "\n", encoding="utf-8")
    for line in text.splitlines():
        if line.endswith("unknown"):
            print(f"not looked at yet: {line}", file=sys.stderr)
    print(f"{len(known)} names, {len(operators)} operators")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
