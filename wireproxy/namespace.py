"""What the session's settings are, as far as they give a text its meaning.

Some are told by the server in ParameterStatus (client_encoding, standard_conforming_strings; search_path since PostgreSQL 18).
The others are followed: a SET that succeeded counts, ends with its transaction where it was local or rolled back, and a value
that is not a plain constant makes the setting unknown. Unknown is dangerous: a search_path that is not known is empty here, so
that nothing unqualified resolves.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from rules import redefining
from rules.model import Effect, Kind, Namespace, Setting, Statement

_READS_VALUES = ("DateStyle", "IntervalStyle", "TimeZone")  # reported settings that give a constant its meaning
_UNKNOWN_PATH: tuple[str, ...] = ()
_PATHS = frozenset({"search_path", "all", "role", "session_authorization"})  # settings that say what names mean
_ROAD_TO_ANYTHING = frozenset({Effect.UNKNOWN, Effect.CODE, Effect.DYNAMIC_SQL, Effect.ROLE})


def _fold(name: str) -> str:
    """An unquoted name as the server folds it where letters may take several bytes: ASCII alone."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _truncate(name: str) -> str:
    """To NAMEDATALEN - 1 bytes, never through a letter."""
    return name.encode()[:63].decode("utf-8", "ignore")


def split_search_path(value: str) -> tuple[str, ...]:
    """`"$user", public` as the server reads it (Spec: PostgreSQL, SplitIdentifierString); unreadable is unknown."""
    names: list[str] = []
    at = 0
    while at < len(value):
        if value[at] in " \t\n\r\f\v,":
            at += 1
        elif value[at] == '"':
            name = ""
            at += 1
            while True:
                end = value.find('"', at)
                if end < 0:
                    return _UNKNOWN_PATH
                name += value[at:end]
                if value[end + 1 : end + 2] != '"':
                    at = end + 1
                    break
                name += '"'
                at = end + 2
            names.append(name)
        else:
            end = at
            while end < len(value) and value[end] not in ", \t\n\r\f\v":
                end += 1
            names.append(_fold(value[at:end]))
            at = end
    return tuple(_truncate(name) for name in names if name)


class PostgresNamespace:
    """The namespace of one session, kept true by what the server says and by what succeeded."""

    def __init__(self, parameters: Mapping[str, str], user: str, search_path: str | None, server_version: int) -> None:
        server_encoding = parameters.get("server_encoding", "")  # not told: then no letter beyond ASCII is sure
        self._folds_ascii = server_encoding == "UTF8"  # alone, and cuts names where they are cut here
        self.current = Namespace(
            search_path=self._path(search_path),
            user=user,
            standard_conforming_strings=parameters.get("standard_conforming_strings", "on") == "on",
            client_encoding=parameters.get("client_encoding", "UTF8"),
            server_encoding=server_encoding,
            server_version=server_version,
        )
        # GUC_REPORT since PostgreSQL 18: what the server said last is what holds at the next ReadyForQuery
        self._reported_path = self.current.search_path if "search_path" in parameters else None
        self._reports_beyond_ascii = not parameters.get("search_path", "").isascii()
        self._touched = False  # something in this transaction changed, or may have changed, how text is read
        self.values_read_by = {name: parameters[name] for name in _READS_VALUES if name in parameters}
        self._before: Namespace | None = None  # what a rollback brings back
        self._local: Namespace | None = None  # what the end of the transaction brings back
        self._failed = False  # since the transaction began
        self.in_transaction = False  # an explicit one
        self.unsettled = False  # the next ReadyForQuery must be looked at

    def _path(self, value: str | None) -> tuple[str, ...]:
        if value is None or not (self._folds_ascii or value.isascii()):
            return _UNKNOWN_PATH
        return split_search_path(value)

    def reported(self, name: str, value: str) -> None:
        """A ParameterStatus."""
        if name in self.values_read_by:
            self.values_read_by[name] = value
        if name == "standard_conforming_strings":
            self.current = evolve(self.current, standard_conforming_strings=value == "on")
        elif name == "client_encoding":
            if value != self.current.client_encoding and self._reported_path is not None and self._reports_beyond_ascii:
                # it may have come before this, and under the new encoding already
                self._reported_path = _UNKNOWN_PATH
                self.current = evolve(self.current, search_path=_UNKNOWN_PATH)
            self.current = evolve(self.current, client_encoding=value)
        elif name == "search_path":
            # a report comes in the client's encoding, and was read as UTF-8
            self._reports_beyond_ascii = not value.isascii()
            sure = value.isascii() or (self.current.client_encoding == "UTF8" and "\ufffd" not in value)
            self._reported_path = self._path(value if sure else None)
            self.current = evolve(self.current, search_path=self._reported_path)

    @property
    def names_are_utf8(self) -> bool:
        """Whether the bytes of a name of the protocol are those that the server compares."""
        return self.current.client_encoding == "UTF8" and self.current.server_encoding == "UTF8"

    def completed(self, statement: Statement, tag: bytes) -> None:
        """A statement that changes settings, or may, or that begins or ends a transaction, has ended well."""
        if statement.transaction is not None:
            self._transaction(statement, tag)
        for relation in statement.relations:
            if relation.access == "ddl" and Effect.NAMESPACE in statement.effects:
                self.current = evolve(self.current, temporary=self.current.temporary | {relation.name})
        for setting in statement.settings:
            # set_config in a query may run never, twice, later than its text, or stand behind another
            self._set(setting if statement.kind is Kind.SET else evolve(setting, value=None))
        after = redefining.after(self.current, statement)
        if after is not self.current:
            self.current = after
            self.unsettled = True
        if {Effect.SETTING, Effect.NAMESPACE} <= statement.effects and not any(
            setting.name in _PATHS for setting in statement.settings
        ):
            self._set(Setting("all"))  # by the body of a function, a procedure or a view, which says no name here
        if Effect.LEXING in statement.effects or statement.effects & _ROAD_TO_ANYTHING:
            # the server reports such a change at the next ReadyForQuery, not with the completion
            self.current = evolve(self.current, lexing_known=False)
            self._touched = self.unsettled = True
        if statement.effects & _ROAD_TO_ANYTHING:
            # a role that was changed, and maybe back, is not followed: for the rest of the session it may be any
            self.current = evolve(self.current, search_path=_UNKNOWN_PATH, own_role=False)

    def lost(self) -> None:
        """Something ran that may have changed any setting, in a way that nobody saw."""
        self._before = self._before or self.current
        self.current = evolve(
            self.current,
            search_path=_UNKNOWN_PATH,
            lexing_known=False,
            redefined=True,
            renamed=True,
            own_role=False,
        )
        self._touched = self.unsettled = True

    def failed(self) -> None:
        """An error: an implicit transaction is rolled back at the next ReadyForQuery, an explicit one when the client says so."""
        if self.unsettled:
            self._failed = True

    def ready(self, status: str) -> None:
        """ReadyForQuery: everything that is reported has been reported."""
        if not self.current.lexing_known:
            self.current = evolve(self.current, lexing_known=True)
        self.in_transaction = status != "I"
        if status == "I":
            back = self._before if self._failed else self._local
            if back is not None:
                self._restore(back)
            self._before = self._local = None
            self._failed = self._touched = False
            if self._defined:
                self.current = evolve(self.current, redefined=False, renamed=False, changed=frozenset())
        if self._reported_path is not None and self._reported_path != self.current.search_path:
            self.current = evolve(self.current, search_path=self._reported_path)
        pending = self._before is not None or self._local is not None
        self.unsettled = self._touched or pending or self._defined

    @property
    def _defined(self) -> bool:
        return self.current.redefined or self.current.renamed or bool(self.current.changed)

    def _transaction(self, statement: Statement, tag: bytes) -> None:
        # COMMIT of a failed transaction answers ROLLBACK: the tag is what happened
        self.unsettled = True
        if self._touched and statement.transaction not in ("begin", "begin_write", "savepoint", "release"):
            # the end of the transaction may undo it, and is reported at the next ReadyForQuery
            self.current = evolve(self.current, lexing_known=False)
        if tag == b"COMMIT":
            self._end(self._local)
        elif tag == b"ROLLBACK" and statement.transaction != "rollback_to":
            self._end(self._before)
        elif statement.transaction == "rollback_to" and self._before is not None:
            # which of the changes since lie behind the savepoint is not followed
            self.current = evolve(self.current, search_path=_UNKNOWN_PATH)
        elif statement.transaction in ("begin", "begin_write"):
            self.in_transaction = True

    def _end(self, back: Namespace | None) -> None:
        """A transaction is over. The next may have begun before any ReadyForQuery tells: AND CHAIN, a pipeline, COMMIT; BEGIN."""
        if back is not None:
            self._restore(back)
        self._before = self._local = None
        self._failed = False

    def _restore(self, namespace: Namespace) -> None:
        self.current = evolve(self.current, search_path=namespace.search_path)

    def _set(self, setting: Setting) -> None:
        before = self.current
        if setting.name == "search_path":
            path = self._path(setting.value)
        elif setting.name in _PATHS:
            path = _UNKNOWN_PATH
        else:
            return
        self._before = self._before or before
        self.unsettled = True
        if setting.scope == "local":
            self._local = self._local or before
        else:
            self._local = None  # it outlives the transaction, whatever SET LOCAL stood before it
        self.current = evolve(before, search_path=path)
