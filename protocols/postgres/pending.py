"""What the server still owes: one entry for each message that it will answer, in the order in which it was sent.

Pushed on send, popped on arrival. An error in the extended protocol takes every entry up to the next Sync with it, because the
server skips those messages (Spec: PostgreSQL 55.2.3, "reads and discards messages until a Sync is reached").
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable

from protocols.base import CopyRewriter, Fields, Mender
from protocols.postgres.names import Change
from protocols.postgres.rows import RowRewriter


class Owed(enum.IntEnum):
    QUERY = 1
    PARSE = 2
    BIND = 3
    DESCRIBE_STATEMENT = 4
    DESCRIBE_PORTAL = 5
    EXECUTE = 6
    CLOSE = 7
    SYNC = 8
    FUNCTION_CALL = 9
    COPY_END = 10  # no answer is owed: where CopyDone or CopyFail stands among the messages that were sent


class Entry:
    """One owed answer. Mutable: the answer to a Query or an Execute arrives in many messages."""

    __slots__ = (
        "attachment",
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
        "plan",
        "record_bytes",
        "record_left",
        "refusal",
        "rows",
        "settles",
        "size_bytes",
        "taints",
        "ticket",
    )

    def __init__(
        self,
        kind: Owed,
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
    ) -> None:
        self.mend = mend
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

    def next_statement(self) -> None:
        """A batch goes on: counters and plans belong to one statement."""
        self.index += 1
        self.rows = self.size_bytes = self.columns_seen = 0
        self.record_left = self.record_bytes
        self.described = False
        self.plan = None
        self.copy = None
        self.copying = False


class Pending:
    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()

    def __len__(self) -> int:
        return len(self.entries)

    def push(self, entry: Entry) -> None:
        self.entries.append(entry)

    @property
    def head(self) -> Entry | None:
        entries = self.entries
        while entries and entries[0].kind is Owed.COPY_END:
            entries.popleft()  # of a copy that is over, or was none
        return entries[0] if entries else None

    def pop(self) -> Entry:
        return self.entries.popleft()

    def skip_to_sync(self) -> Iterable[Entry]:
        """Take out, and give, the entries that the server will not answer after an error."""
        while self.entries and self.entries[0].kind is not Owed.SYNC:
            yield self.entries.popleft()

    def begin_copy(self) -> tuple[bool, Entry | None]:
        """COPY FROM STDIN has begun: what was sent behind it, up to CopyDone or CopyFail, was read as part of the copy.

        Syncs are eaten in silence. The first other message fails the copy, is eaten with it, and is returned: it will never
        be answered (Spec: 55.2.6; "unexpected message type 0x51 during COPY from stdin"). The first value says whether the
        copy's end was sent already. Without this, every later answer would be taken for that of the message before it.
        """
        entries = self.entries
        head = entries.popleft()
        eaten: Entry | None = None
        ended = False
        while entries and eaten is None and not ended:
            entry = entries.popleft()
            if entry.kind is Owed.COPY_END:
                ended = True
            elif entry.kind is not Owed.SYNC:
                eaten = entry
        entries.appendleft(head)
        return ended, eaten
