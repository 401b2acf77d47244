"""What a MySQL session's settings are, as far as they give a text its meaning.

The server reports them where it is asked to (SESSION_TRACK), and the gateway asks itself (`PROBE`) after every statement that may
have changed one: neither a client that turns the reports off nor a routine that nobody looked into leaves them unknown for long.
Until the answer is here no further statement is judged. What the answer does not say is unknown, and unknown is dangerous.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import evolve

from protocols.mysql.capabilities import Capability
from protocols.mysql.describing import VARIABLE
from rules.model import Effect, Namespace, Statement

TRACKED = "autocommit,character_set_client,character_set_connection,character_set_results,sql_mode,time_zone"
_SETUP = (b"SET SESSION session_track_schema = ON, session_track_system_variables = '" + TRACKED.encode() + b"'",)
_SETUP_DESCRIBED = (
    b"SET SESSION session_track_schema = ON, session_track_system_variables = '"
    + f"{TRACKED},{VARIABLE}".encode()
    + b"'",
)
_READ_ONLY = (b"SET SESSION TRANSACTION READ ONLY",)
DESCRIBE = f"SET SESSION {VARIABLE} = FULL".encode()
_ASKED = (
    "@@SESSION.sql_mode", "@@SESSION.character_set_client", "DATABASE()", "@@SESSION.time_zone", "@@SESSION.autocommit + 0",
    "@@SESSION.character_set_results", "VERSION()", "CURRENT_USER()",
)  # fmt: skip
# bytes come as they are, whatever character set the client has asked results in
PROBE = f"SELECT {', '.join(f'CAST(CONVERT({each} USING utf8mb4) AS BINARY)' for each in _ASKED)}".encode()
_WORDS = re.compile(r"[A-Za-z0-9_,]*\Z")
_VERSION = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)")


def setup(server: Capability, *, read_only: bool) -> tuple[bytes, ...]:
    """What a session is set up with. `server`: the flags of the target's leg; `read_only`: a second fence behind the policy."""
    tracked = _SETUP_DESCRIBED if server & Capability.OPTIONAL_METADATA else _SETUP
    return (*tracked, *_READ_ONLY) if read_only else tracked


def version_number(text: str) -> int:
    """8.0.36 → 80036, 10.11.6-MariaDB → 101106."""
    found = _VERSION.match(text)
    return 0 if found is None else int(found[1]) * 10000 + int(found[2]) * 100 + int(found[3])


class MySqlNamespace:
    """The namespace of one session, kept true by what the server says."""

    def __init__(self, row: Sequence[bytes | None]) -> None:
        self._now = Namespace(search_path=(), lexing_known=False)
        self._then: Namespace | None = None
        self.values_read_by: dict[str, str] = {}  # settings that change what a value means, for what is approved
        self.results_in = ""  # character_set_results
        self.unsettled = False  # nothing is in flight when a statement is judged
        self.in_transaction = False
        self.answered(row)

    @property
    def current(self) -> Namespace:
        """What the text under judgement means: as the session is now, or as it was when the text was prepared."""
        return self._then or self._now

    @property
    def reading(self) -> tuple[object, ...]:
        """What a text's meaning hangs on that the server keeps with a text once it is prepared."""
        return self._now.sql_mode, self._now.charset, self._now.database

    def read_as(self, prepared: Namespace | None) -> None:
        """The next statement was read by the server when the session was `prepared`; None: it is read now.

        The server keeps the current database with a statement; but when a table's definition has changed it reads the text
        again, by the settings of that moment. So where these are others by now, text that could be read in two ways is not known.
        """
        now = self._now
        if prepared is None or prepared is now or _reads_alike(prepared, now):
            self._then = None  # the same object: what was judged in it is found by that
            return
        self._then = evolve(
            self._now,
            sql_mode=prepared.sql_mode,
            charset=prepared.charset,
            database=prepared.database,
            search_path=prepared.search_path,
            lexing_known=prepared.lexing_known
            and self._now.lexing_known
            and (prepared.sql_mode, prepared.charset) == (self._now.sql_mode, self._now.charset),
        )

    def answered(self, row: Sequence[bytes | None] | None) -> None:
        """The answer to PROBE; None: there was none."""
        texts = [None if value is None else value.decode("utf-8", "replace") for value in row or ()]
        if (
            len(texts) != 8
            or texts[0] is None
            or texts[1] is None
            or not (_WORDS.match(texts[0]) and _WORDS.match(texts[1]))
        ):
            self.lose()
            return
        version, user = texts[6] or "", texts[7] or ""
        told = evolve(
            self._now,
            sql_mode=_modes(texts[0]),
            charset=texts[1].lower(),
            server_version=version_number(version),
            mariadb="mariadb" in version.lower(),
            user=user,
            lexing_known=True,
        )
        if told != self._now:
            self._now = told
        self._use(texts[2])
        self.results_in = (texts[5] or "").lower()
        self.values_read_by = {"time_zone": texts[3] or "", "sql_mode": texts[0], "autocommit": texts[4] or ""}

    def lose(self) -> None:
        """How text is read is not known: everything is opaque until it is."""
        self._now = evolve(self._now, lexing_known=False, database=None, search_path=())

    def reported(self, name: str, value: str) -> None:
        """A change that the server tells of. Spec: MySQL, "Session State Information"."""
        match name:
            case "schema":
                self._use(value or None)
            case "sql_mode":
                self._now = evolve(self._now, sql_mode=_modes(value))
            case "character_set_client":
                self._now = evolve(self._now, charset=value.lower())
            case "character_set_results":
                self.results_in = value.lower()
        if name in self.values_read_by:
            self.values_read_by[name] = value

    def keep_masked(self, made: frozenset[str] = frozenset()) -> None:
        """Something that was approved may have put masked values into variables or temporary tables: `made`, by routines."""
        if not self._now.holds_masked or not made <= self._now.temporary:
            self._now = evolve(self._now, holds_masked=True, temporary=self._now.temporary | made)

    def completed(self, statement: Statement) -> None:
        """A temporary table shadows one of the same name for the rest of the session."""
        for relation in statement.relations:
            if relation.access == "ddl" and Effect.NAMESPACE in statement.effects:
                self._now = evolve(self._now, temporary=self._now.temporary | {relation.name})

    def failed(self) -> None:
        """An error leaves the settings as they are; what may have changed before it is asked for."""

    def _use(self, database: str | None) -> None:
        path = () if database is None else (database,)
        if database != self._now.database or path != self._now.search_path:
            self._now = evolve(self._now, database=database, search_path=path)


def _reads_alike(then: Namespace, now: Namespace) -> bool:
    return (
        then.lexing_known == now.lexing_known
        and then.database == now.database
        and then.search_path == now.search_path
        and then.charset == now.charset
        and then.sql_mode == now.sql_mode
    )


def _modes(value: str) -> frozenset[str]:
    return frozenset(mode for mode in value.upper().split(",") if mode)
