"""Relations of the server that are more than data: by bare name, since what stands in front of it may not be known."""

from __future__ import annotations

# They show other people's statements with their literals, or values sampled from columns.
SAMPLES = frozenset(
    {
        "pg_stat_activity", "pg_stat_statements", "pg_stats", "pg_statistic", "pg_stats_ext", "pg_stats_ext_exprs",
        "pg_statistic_ext_data", "pg_qualstats", "pg_qualstats_all", "pg_store_plans", "pg_stat_monitor",
    }
)  # fmt: skip

# UPDATE of these is SET by another name.
SETTINGS_VIEWS = frozenset({"pg_settings"})

SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})

# Writing them by hand gives rights.
CREDENTIAL_WRITES = frozenset(
    {
        "pg_authid", "pg_auth_members", "pg_shadow", "pg_user", "pg_roles", "pg_group", "pg_policy", "pg_default_acl",
        "pg_init_privs", "pg_class", "pg_attribute", "pg_proc", "pg_namespace", "pg_database", "pg_user_mapping",
        "pg_parameter_acl",
        "pg_db_role_setting", "pg_largeobject_metadata", "pg_language", "pg_type",
    }
)  # fmt: skip


def is_system(schema: str | None, name: str) -> bool:
    """A catalog of the server. A name that begins with pg_ and has no schema is taken for one."""
    return schema in SYSTEM_SCHEMAS or (schema is None and name.startswith("pg_"))
