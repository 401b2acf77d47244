"""Statements that act on the server: KILL, FLUSH, RESET, PURGE, replication, plugins, shutdown.

They are recognized by their first words; what follows cannot make them anything less than they are, so it is not read,
but a subquery or a call in it is not passed over in silence either.
Spec: MySQL 8.4 manual §15.7.8 "Other Administrative Statements", §15.4 "Replication Statements", §15.7.4 "Component,
Plugin, and Loadable Function Statements"; MariaDB knowledge base "Administrative SQL Statements".
"""

from __future__ import annotations

from rules.classify.mysql.reading import Reader
from rules.classify.mysql.running import read_replication
from rules.classify.mysql.values import read_checked
from rules.classify.mysql.words import word_set
from rules.model import Access, Effect, Kind

_LOGS = word_set(
    """
    LOGS LOG STATUS HOSTS PRIVILEGES OPTIMIZER_COSTS USER_RESOURCES RELAY BINARY ENGINE ERROR GENERAL SLOW QUERY
    DES_KEY_FILE USER_STATISTICS CLIENT_STATISTICS INDEX_STATISTICS TABLE_STATISTICS SSL USER_VARIABLES
    QUERY_RESPONSE_TIME CACHE GLOBAL SESSION MASTER SLAVE FOR CHANNEL RESET QUERY_RESPONSE_TIME_READ FILES
    """
)


def read_kill(reader: Reader) -> tuple[Kind, str]:
    """KILL [HARD | SOFT] [CONNECTION | QUERY [ID]] n | USER name"""
    reader.expect("KILL")
    reader.draft.effects.add(Effect.ADMIN)
    reader.accept_any(frozenset({"HARD", "SOFT"}))
    reader.accept_any(frozenset({"CONNECTION", "QUERY"}))
    if reader.accept("USER"):
        reader.position = reader.end
        return Kind.UTILITY, "Kill"
    reader.accept("ID")
    read_checked(reader)
    return Kind.UTILITY, "Kill"


def read_flush(reader: Reader) -> tuple[Kind, str]:
    """FLUSH [NO_WRITE_TO_BINLOG | LOCAL] TABLES [names] [WITH READ LOCK | FOR EXPORT] | option, …"""
    reader.expect("FLUSH")
    draft = reader.draft
    draft.effects.add(Effect.ADMIN)
    reader.accept_any(frozenset({"NO_WRITE_TO_BINLOG", "LOCAL"}))
    if reader.accept_any(frozenset({"TABLES", "TABLE"})):
        draft.effects.add(Effect.TABLE_LOCK)
        while reader.at_name() and reader.word not in ("FOR", "WITH"):
            draft.relation(*reader.path(), Access.READ)
            reader.accept(",")
        if not (reader.accept("WITH", "READ", "LOCK") or reader.accept("FOR", "EXPORT")):
            reader.finished()
        reader.accept("AND", "DISABLE", "CHECKPOINT")
        return Kind.UTILITY, "FlushTables"
    while not reader.done:
        if reader.word not in _LOGS and reader.word != "," and not reader.at_name():
            reader.fail("not understood")
        reader.advance()
    return Kind.UTILITY, "Flush"


def _whole(reader: Reader) -> None:
    while not reader.done:
        if reader.word == "SELECT":
            reader.fail("not understood")
        reader.advance()


def read_install(reader: Reader) -> tuple[Kind, str]:
    """INSTALL | UNINSTALL PLUGIN, SONAME, COMPONENT: a library is loaded into the server, or taken out of it."""
    verb = reader.advance().word
    if reader.word not in ("PLUGIN", "SONAME", "COMPONENT"):
        reader.fail("not understood")
    reader.draft.effects |= {Effect.PROGRAM, Effect.ADMIN}
    _whole(reader)
    return Kind.UTILITY, f"{verb.capitalize()}Plugin"


def read_change(reader: Reader) -> tuple[Kind, str]:
    """CHANGE MASTER TO, CHANGE REPLICATION SOURCE | FILTER"""
    reader.expect("CHANGE")
    if reader.word not in ("MASTER", "REPLICATION"):
        reader.fail("not understood")
    reader.draft.effects |= {Effect.ADMIN, Effect.NETWORK}
    _whole(reader)
    return Kind.UTILITY, "ChangeReplication"


def read_reset(reader: Reader) -> tuple[Kind, str]:
    """RESET MASTER | REPLICA | SLAVE | QUERY CACHE | PERSIST | BINARY LOGS AND GTIDS"""
    reader.expect("RESET")
    if reader.word not in ("MASTER", "SLAVE", "REPLICA", "QUERY", "PERSIST", "BINARY"):
        reader.fail("not understood")
    reader.draft.effects.add(Effect.ADMIN)
    _whole(reader)
    return Kind.UTILITY, "Reset"


def read_stop(reader: Reader) -> tuple[Kind, str]:
    reader.expect("STOP")
    return read_replication(reader)


def read_cache(reader: Reader) -> tuple[Kind, str]:
    """CACHE INDEX name [, …] IN cache"""
    reader.expect("CACHE", "INDEX")
    reader.draft.relation(*reader.path(), Access.READ)
    reader.draft.effects.add(Effect.ADMIN)
    _whole(reader)
    return Kind.MAINTENANCE, "CacheIndex"


def read_import(reader: Reader) -> tuple[Kind, str]:
    """IMPORT TABLE FROM 'file', …"""
    reader.expect("IMPORT", "TABLE", "FROM")
    reader.draft.effects |= {Effect.DDL, Effect.FILE_READ}
    _whole(reader)
    return Kind.DDL, "ImportTable"


def read_binlog(reader: Reader) -> tuple[Kind, str]:
    """BINLOG 'base64': events of a binary log are run, whatever they are."""
    reader.expect("BINLOG")
    reader.draft.effects |= {Effect.WRITE, Effect.DDL, Effect.ADMIN, Effect.CODE}
    _whole(reader)
    return Kind.UTILITY, "Binlog"


def read_purge(reader: Reader) -> tuple[Kind, str]:
    """PURGE BINARY | MASTER LOGS TO 'file' | BEFORE expression"""
    reader.expect("PURGE")
    if not reader.accept_any(frozenset({"BINARY", "MASTER"})):
        reader.fail("not understood")
    reader.expect("LOGS")
    reader.draft.effects.add(Effect.ADMIN)
    if reader.accept("BEFORE"):
        read_checked(reader)
    else:
        _whole(reader)
    return Kind.UTILITY, "PurgeLogs"


def read_shutdown(reader: Reader) -> tuple[Kind, str]:
    """SHUTDOWN [WAIT FOR ALL SLAVES], RESTART"""
    reader.advance()
    reader.draft.effects.add(Effect.ADMIN)
    _whole(reader)
    return Kind.UTILITY, "Shutdown"


def read_clone(reader: Reader) -> tuple[Kind, str]:
    """CLONE LOCAL DATA DIRECTORY … | CLONE INSTANCE FROM …"""
    reader.expect("CLONE")
    if reader.word not in ("LOCAL", "INSTANCE"):
        reader.fail("not understood")
    reader.draft.effects |= {Effect.ADMIN, Effect.NETWORK, Effect.FILE_WRITE, Effect.WRITE}
    _whole(reader)
    return Kind.UTILITY, "Clone"


def read_backup(reader: Reader) -> tuple[Kind, str]:
    """MariaDB: BACKUP STAGE …, BACKUP LOCK table, BACKUP UNLOCK"""
    reader.expect("BACKUP")
    if reader.word not in ("STAGE", "LOCK", "UNLOCK"):
        reader.fail("not understood")
    reader.draft.effects |= {Effect.ADMIN, Effect.TABLE_LOCK}
    _whole(reader)
    return Kind.UTILITY, "Backup"
