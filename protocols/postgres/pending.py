"""What the server still owes: one entry for each message that it will answer, in the order in which it was sent.

Pushed on send, popped on arrival. An error in the extended protocol takes every entry up to the next Sync with it, because the
server skips those messages (Spec: PostgreSQL 55.2.3, "reads and discards messages until a Sync is reached").
"""

from __future__ import annotations

from typing import Final

from protocols.base import CopyRewriter, Fields, Mender, ProtocolError
from protocols.postgres.names import Change, Named
from protocols.postgres.rows import RowRewriter


class Owed:
    """What an entry was sent for. Plain numbers: they are looked at for every message, and compile to constants."""

    QUERY: Final = 0
    PARSE: Final = 1
    BIND: Final = 2
    DESCRIBE_STATEMENT: Final = 3
    DESCRIBE_PORTAL: Final = 4
    EXECUTE: Final = 5
    CLOSE: Final = 6
    SYNC: Final = 7
    FUNCTION_CALL: Final = 8
    COPY_END: Final = 9  # no answer is owed: where CopyDone or CopyFail stands among the messages that were sent


OWED_NAMES: Final = (
    "QUERY",
    "PARSE",
    "BIND",
    "DESCRIBE_STATEMENT",
    "DESCRIBE_PORTAL",
    "EXECUTE",
    "CLOSE",
    "SYNC",
    "FUNCTION_CALL",
    "COPY_END",
)


class Entry:
    """One owed answer. Mutable: the answer to a Query or an Execute arrives in many messages."""

    __slots__ = (
        "attachment",
        "binary_copy",
        "changes",
        "columns_seen",
        "copy",
        "copying",
        "described",
        "index",
        "injected",
        "kind",
        "look",
        "mend",
        "name",
        "next",
        "plan",
        "portal",
        "record_bytes",
        "record_left",
        "refusal",
        "rows",
        "settles",
        "size_bytes",
        "taints",
        "textual",
        "ticket",
    )

    def __init__(
        self,
        kind: int,
        ticket: int = 0,
        *,
        attachment: object = None,
        refusal: Fields | None = None,
        injected: bool = False,
        look: bool = False,
        record_bytes: int = 0,
        changes: tuple[Change, ...] = (),
        taints: bool = False,
        settles: bool = False,
        name: bytes = b"",
        mend: Mender | None = None,
        portal: Named | None = None,
    ) -> None:
        self.mend = mend
        self.portal = portal  # of an Execute, until its rows are described in the record
        self.kind = kind
        self.ticket = ticket
        self.attachment = attachment
        self.refusal = refusal  # the server was sent something that must fail, and this goes out in its error's place
        self.injected = injected  # the gateway's own message: the client does not hear of its answer
        self.look = look
        self.record_bytes = record_bytes
        self.record_left = record_bytes
        self.changes = changes
        self.taints = taints
        self.settles = settles  # the ReadyForQuery behind its end is to be reported, though both may come at once
        self.name = name  # of the statement that is described
        self.index = 0  # of the statement in a batch
        self.rows = 0
        self.size_bytes = 0
        self.described = False  # a plan stands for the rows to come
        self.columns_seen = 0  # RowDescriptions within the current statement
        self.plan: RowRewriter | None = None
        self.copy: CopyRewriter | None = None
        self.copying = False
        self.next: Entry | None = None  # the one that was sent after it
        self.binary_copy = False
        self.textual: tuple[bool, ...] | None = None  # which columns may hold text; None: not known, (): none do

    def next_statement(self) -> None:
        """A batch goes on: counters and plans belong to one statement."""
        self.index += 1
        self.rows = self.size_bytes = self.columns_seen = 0
        self.record_left = self.record_bytes
        self.described = False
        self.plan = None
        self.copy = None
        self.copying = False
        self.binary_copy = False
        self.textual = None


class Pending:
    """The entries in order, linked one to the next."""

    __slots__ = ("_first", "_last", "count")

    def __init__(self) -> None:
        self._first: Entry | None = None
        self._last: Entry | None = None
        self.count = 0

    def push(self, entry: Entry) -> None:
        if self._last is None:
            self._first = entry
        else:
            self._last.next = entry
        self._last = entry
        self.count += 1

    @property
    def head(self) -> Entry | None:
        first = self._first
        while first is not None and first.kind == Owed.COPY_END:
            self.pop()  # of a copy that is over, or was none
            first = self._first
        return first

    @property
    def last(self) -> Entry | None:
        return self._last

    def pop(self) -> Entry:
        entry = self._first
        assert entry is not None
        self._first = entry.next
        if self._first is None:
            self._last = None
        entry.next = None
        self.count -= 1
        return entry

    def skip_to_sync(self) -> list[Entry]:
        """Take out, and give, the entries that the server will not answer after an error."""
        skipped = []
        while self._first is not None and self._first.kind != Owed.SYNC:
            skipped.append(self.pop())
        return skipped

    def begin_copy(self) -> tuple[bool, int]:
        """COPY FROM STDIN has begun: Syncs that were sent behind it are read as part of the copy, and eaten in silence.

        Gives whether the copy's end was sent already, and how many Syncs were taken out. Raises ProtocolError when anything
        else was sent before that end: the server takes it for part of the copy, which it fails, or, if the copy fails by
        itself before (a trigger, a bad line), for what it is. Which of the two cannot be told from its answers, and to be
        wrong is to take the answers of every later statement for those of the one before: masks and refusals misplaced.
        Spec: 55.2.6; "unexpected message type 0x51 during COPY from stdin".
        """
        head = self.pop()
        ended = False
        syncs = 0
        while self._first is not None and not ended:
            entry = self.pop()
            if entry.kind == Owed.COPY_END:
                ended = True
            elif entry.kind == Owed.SYNC:
                syncs += 1
            else:
                raise ProtocolError("a message behind COPY from stdin that is not part of the copy")
        head.next = self._first
        self._first = head
        if self._last is None:
            self._last = head
        self.count += 1
        return ended, syncs
