"""Startup parameters: which ones a client may set before its first statement.

They reach the server as they would directly, except for the ones below, and those that the database's
`forbidden_parameters` name. What is refused here can still be asked for by SET, which is a statement and is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from protocols.postgres.options import flatten_parameters
from wireproxy.identity import AccessRefused

# name or pattern, lower case -> why no startup packet may carry it
REFUSED: dict[str, str] = {
    "role": "it changes who the session is on the target",
    "session_authorization": "it changes who the session is on the target",
    "session_preload_libraries": "it loads code into the server",
    "local_preload_libraries": "it loads code into the server",
    "dynamic_library_path": "it says where the server finds code",
    "extension_control_path": "it says where the server finds code",
    "*.start_proc": "it runs a function that no one has judged",
    "plperl.on_*": "it runs code that no one has judged",
    "session_replication_role": "it turns triggers and foreign keys off",
    "event_triggers": "it turns event triggers off",
    "lo_compat_privileges": "it turns the privileges of large objects off",
    "allow_system_table_mods": "it opens the system catalogs to changes",
    "zero_damaged_pages": "it lets the server throw data away",
    "ignore_checksum_failure": "it lets the server read damaged data",
    "ignore_system_indexes": "it is for repairing a broken catalog",
    "allow_in_place_tablespaces": "it writes into the server's own directory",
    "log_*": "it changes what the server's own log says of the session",
    "pgaudit.*": "it changes what the server's own audit says of the session",
    "auto_explain.*": "it makes the server log plans and values",
    "track_activities": "it hides the session from the server's own views",
    "debug_*": "it is for developers of the server",
    "post_auth_delay": "it is for developers of the server",
    "trace_*": "it is for developers of the server",
}


def plan_parameters(parameters: Mapping[str, str], forbidden: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What goes to the server, `options` taken apart, and the same by lower-cased name: the session's first settings.

    `forbidden` has names or patterns with `*`. AccessRefused names the parameter; ProtocolError as the server would.
    """
    flat = flatten_parameters(parameters)
    settings = {name.lower(): value for name, value in flat.items()}
    for name in settings:
        for pattern, reason in REFUSED.items():
            if fnmatchcase(name, pattern):
                raise _refused(name, reason)
        if any(fnmatchcase(name, pattern.lower()) for pattern in forbidden):
            raise _refused(name, "the gateway's configuration forbids it for this database")
    return flat, settings


def _refused(name: str, reason: str) -> AccessRefused:
    return AccessRefused(
        "42501",
        f'parameter "{name}" cannot be set when connecting',
        f"startup parameter {name}: {reason}",
        detail=f"Reason: {reason}.",
        hint="Leave it out of the connection string and PGOPTIONS; a SET statement is judged by the policy.",
    )
