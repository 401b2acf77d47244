"""SET in all its forms, and USE.

Spec: MySQL 8.4 manual §15.7.6 "SET Statements", §15.3.7 "SET TRANSACTION"; MariaDB knowledge base "SET", "SET STATEMENT".
"""

from __future__ import annotations

from typing import Literal

from rules.classify.mysql.lexer import NAME, QUOTED, STRING, SYSTEM, VARIABLE, identifier, string_value
from rules.classify.mysql.reading import Reader, variable_name
from rules.classify.mysql.statements import classify_rest
from rules.classify.mysql.values import read_value
from rules.classify.mysql.words import word_set
from rules.model import Effect, Kind, Setting

Scope = Literal["session", "local", "global", "persist"]

_SCOPES: dict[str, Scope] = {
    "GLOBAL": "global", "SESSION": "session", "LOCAL": "session", "PERSIST": "persist", "PERSIST_ONLY": "persist",
}  # fmt: skip
_LEXING = frozenset(
    {"sql_mode", "names", "character set", "character_set_client", "character_set_connection", "character_set_results"}
)
# What acts on the server, on replication or on what is recorded, even where it is set for one session.
_ADMIN = word_set(
    """
    sql_log_bin sql_log_off gtid_next gtid_purged gtid_domain_id gtid_seq_no server_id pseudo_slave_mode
    pseudo_replica_mode pseudo_thread_id binlog_format binlog_row_image skip_replication wsrep_on wsrep_osu_method
    debug debug_sync binlog_direct_non_transactional_updates session_track_gtids original_commit_timestamp
    original_server_version immediate_server_version rbr_exec_mode transaction_write_set_extraction
    binlog_rows_query_log_events binlog_annotate_row_events check_constraint_checks secure_timestamp
    require_row_format innodb_redo_log_encrypt resultset_metadata use_secondary_engine
    secondary_engine_cost_threshold print_identified_with_as_hex sql_if_exists proxy_protocol_networks old_mode
    """
)
_ISOLATION = frozenset({"REPEATABLE", "READ", "SERIALIZABLE"})
_COMMA = frozenset({","})
_TRACKED = "session_track_system_variables"
_ANY_SCOPE = ("@@", "@@session.", "@@global.")


def read_set(reader: Reader) -> tuple[Kind, str]:
    reader.expect("SET")
    reader.draft.literal = True
    if reader.begins("STATEMENT") and reader.peek(1).word not in ("=", ":=", ""):
        return _statement(reader)
    if reader.word == "PASSWORD" or reader.begins("DEFAULT", "ROLE"):
        reader.position = reader.end  # SET PASSWORD, SET DEFAULT ROLE: who may log in, and as what
        reader.draft.effects.add(Effect.GRANT)
        return Kind.GRANT, "SetPassword"
    if reader.accept("ROLE"):
        role = identifier(reader.peek()) if reader.end - reader.position == 1 else None
        reader.position = reader.end
        reader.draft.effects.add(Effect.ROLE)
        reader.draft.settings.append(Setting("role", role))
        return Kind.SET, "SetRole"
    if reader.begins("RESOURCE", "GROUP"):
        reader.position = reader.end
        reader.draft.effects |= {Effect.SETTING, Effect.ADMIN}
        return Kind.SET, "SetResourceGroup"
    scope: Scope = "session"
    while True:
        scope = _assignment(reader, scope)
        if not reader.accept(","):
            return Kind.SET, "Set"


def _statement(reader: Reader) -> tuple[Kind, str]:
    """MariaDB: SET STATEMENT variable = value, … FOR statement. The settings hold while the statement runs."""
    reader.expect("STATEMENT")
    while True:
        name = reader.name().lower()
        reader.expect("=")
        value = read_value(reader, frozenset({",", "FOR"}))
        _note(reader, Setting(name, value))
        if not reader.accept(","):
            break
    reader.expect("FOR")
    inner = classify_rest(reader)
    reader.draft.absorb(inner)
    draft = reader.draft
    draft.has_where, draft.trivial_where = inner.has_where, inner.trivial_where
    draft.returns_rows, draft.inner, draft.transaction = inner.returns_rows, inner, inner.transaction
    return inner.kind, "SetStatement"


def _assignment(reader: Reader, scope: Scope) -> Scope:
    """One assignment. GLOBAL and SESSION go on to hold for those behind it that have no word of their own."""
    token = reader.peek()
    if token.kind == VARIABLE:
        reader.advance()
        _equals(reader)
        reader.draft.effects.add(Effect.SETTING)
        reader.draft.settings.append(Setting(variable_name(token, reader.lexing), read_value(reader, _COMMA)))
        return scope
    if token.kind == SYSTEM:
        reader.advance()
        own, name = _system_name(token.text)
        _equals(reader)
        _note(reader, Setting(name, _value(reader, name), own))
        return scope
    if token.kind == NAME and _charset(reader):
        return scope
    if token.kind == NAME and token.word in _SCOPES and reader.peek(1).word not in ("=", ":="):
        reader.advance()
        scope = _SCOPES[token.word]
    if reader.word == "TRANSACTION" and reader.peek(1).word in ("ISOLATION", "READ"):
        _transaction(reader, scope)
        return scope
    name = _name(reader)
    _equals(reader)
    _note(reader, Setting(name, _value(reader, name), scope))
    return scope


def _value(reader: Reader, name: str) -> str | None:
    """As JDBC drivers begin a session: `sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')`, what it is and a constant more.

    Given is the constant alone: by what the mode is already the text was read, IGNORE_SPACE of a driver's login included.
    """
    first = reader.position
    known = reader.namespace.lexing_known
    if name == "sql_mode" and known and (more := _more(reader, ("@@sql_mode", "@@session.sql_mode"))) is not None:
        return more
    # of what is reported nothing hangs on: the gateway asks for itself
    if name == _TRACKED and (more := _more(reader, tuple(scope + _TRACKED for scope in _ANY_SCOPE))) is not None:
        return more
    reader.position = first
    return read_value(reader, _COMMA)


def _more(reader: Reader, variables: tuple[str, ...]) -> str | None:
    """The constant in `CONCAT(variable, 'constant')`; None: it is something else."""
    if not reader.accept("CONCAT", "(") or reader.peek().text.lower() not in variables:
        return None
    reader.advance()
    if not reader.accept(",") or reader.peek().kind != STRING:
        return None
    more = string_value(reader.advance(), reader.lexing)
    return more if reader.accept(")") and (reader.done or reader.word == ",") else None


def _name(reader: Reader) -> str:
    """A variable's name, with a component's or a key cache's in front. Reserved words are names here as well."""
    if reader.peek().kind not in (NAME, QUOTED):
        reader.fail("expected the name of a variable")
    name = identifier(reader.advance())
    while reader.accept("."):
        if reader.peek().kind not in (NAME, QUOTED):
            reader.fail("expected the name of a variable")
        name += "." + identifier(reader.advance())
    return name.lower()


def _system_name(text: str) -> tuple[Scope, str]:
    scope, dot, name = text[2:].partition(".")
    if dot and scope.upper() in _SCOPES:
        return _SCOPES[scope.upper()], name.lower()
    return "session", text[2:].lower()


def _equals(reader: Reader) -> None:
    if not reader.accept("="):
        reader.expect(":=")


def _charset(reader: Reader) -> bool:
    """NAMES charset [COLLATE c] | NAMES DEFAULT | CHARACTER SET c | CHARSET c"""
    if reader.word == "NAMES" and reader.peek(1).word not in ("=", ":="):
        reader.advance()
        value = _word(reader)
        if reader.accept("COLLATE"):
            _word(reader)
        _note(reader, Setting("names", value))
        return True
    if reader.accept("CHARACTER", "SET") or (reader.peek(1).word not in ("=", ":=") and reader.accept("CHARSET")):
        _note(reader, Setting("character set", _word(reader)))
        return True
    return False


def _word(reader: Reader) -> str | None:
    if reader.accept("DEFAULT"):
        return None
    if reader.peek().kind in (NAME, QUOTED):
        return identifier(reader.advance())
    return reader.string()


def _transaction(reader: Reader, scope: Scope) -> None:
    """[GLOBAL | SESSION] TRANSACTION ISOLATION LEVEL … | READ ONLY | READ WRITE"""
    reader.expect("TRANSACTION")
    while True:
        if reader.accept("ISOLATION", "LEVEL"):
            level = [reader.advance().word]
            if level[0] in ("READ", "REPEATABLE"):
                level.append(reader.advance().word)
            if level[0] not in _ISOLATION:
                reader.fail("not understood")
            _note(reader, Setting("transaction_isolation", "-".join(level), scope))
        else:
            reader.expect("READ")
            mode = reader.advance().word
            if mode not in ("ONLY", "WRITE"):
                reader.fail("not understood")
            _note(reader, Setting("transaction_read_only", "on" if mode == "ONLY" else "off", scope))
        if not reader.accept(","):
            return


def _note(reader: Reader, setting: Setting) -> None:
    effects = reader.draft.effects
    effects.add(Effect.SETTING)
    if setting.scope in ("global", "persist") or setting.name in _ADMIN or setting.name.startswith("debug"):
        effects.add(Effect.ADMIN)
    if setting.name in _LEXING:
        effects.add(Effect.LEXING)
    reader.draft.settings.append(setting)


def read_use(reader: Reader) -> tuple[Kind, str]:
    reader.expect("USE")
    if reader.peek().kind not in (NAME, QUOTED):
        reader.fail("expected a name")
    name = identifier(reader.advance())
    reader.draft.effects.add(Effect.NAMESPACE)
    reader.draft.settings.append(Setting("database", name))
    return Kind.SET, "Use"
