"""Names of prepared statements and portals, as the server will know them.

A change is *tentative* from when the message that makes it is sent until the server confirms it or errs. A look-up finds the
last tentative change, and says whether it is *certain*: within one run of extended-query messages up to Sync it is, because
if the change fails, the server skips everything behind it; across a Sync, or when a simple Query makes the change, it is not.
Acting on an uncertain name would let a client swap the statement behind it (prepare an existing name again in one pipeline:
the Parse fails, the old statement stays, and the Bind behind Sync runs it), so the caller waits until the server has answered.

SQL's PREPARE/DECLARE and the protocol's Parse/Bind share one space each (Spec: PostgreSQL, PREPARE; 55.2.3), and the server
keeps the first 63 bytes (NAMEDATALEN - 1) of a name.
"""

from __future__ import annotations

from protocols.base import Mender, NameChange

NAME_BYTES = 63
UNCERTAIN = -1  # the segment of changes made by a simple Query: its failure does not make the server skip anything


class Named:
    """What stands behind a name. A plain class: two of these are made for every Parse and Bind."""

    __slots__ = (
        "attachment",
        "barrier",
        "declared",
        "description",
        "epoch",
        "formats",
        "late",
        "look",
        "mend",
        "names",
        "parameters",
        "record_bytes",
        "results",
        "source",
        "statement",
        "taints",
        "text",
        "ticket",
        "types",
        "version",
    )

    def __init__(
        self,
        text: bytes | None,
        attachment: object = None,
        ticket: int = 0,
        *,
        types: tuple[int, ...] = (),
        look: bool = False,
        record_bytes: int = 0,
        epoch: int = 0,
        declared: bool = False,
        statement: bytes = b"",
        parameters: tuple[bytes | None, ...] | None = None,
        formats: tuple[int, ...] = (),
        barrier: bool = False,
        names: tuple[NameChange, ...] = (),
        taints: bool = False,
        late: bool = False,
        mend: Mender | None = None,
        source: Named | None = None,
        results: bytes = b"",
    ) -> None:
        self.mend = mend  # another text than this was sent: what is said about it is put right
        self.text = text
        self.attachment = attachment
        self.ticket = ticket
        self.types = types
        self.look = look
        self.record_bytes = record_bytes
        self.epoch = epoch
        self.declared = declared  # by SQL: may outlive the transaction (WITH HOLD)
        self.statement = statement  # of a portal: the prepared statement it was bound from
        self.parameters = parameters
        self.formats = formats
        self.barrier = barrier
        self.names = names
        self.taints = taints
        self.late = late  # of a portal: what it refers to is looked up when it runs
        self.version = 0  # of the names, when the portal was bound
        self.source = source  # of a portal: what stood behind `statement` when it was bound
        self.results = results  # of a portal: the formats of its columns, as its Bind ends
        self.description = b""  # of a statement: its RowDescription, once its client has asked for it


class Change:
    """A tentative change, compared by identity. `named` None: the name goes; `name` None: all names go."""

    __slots__ = ("name", "named", "position", "segment", "space")

    def __init__(self, space: str, name: bytes | None, named: Named | None, segment: int, position: int = 0) -> None:
        self.space = space
        self.name = name
        self.named = named
        self.segment = segment
        self.position = position


class Found:
    """A look-up's answer: what stands behind the name, if anything, and whether that can still turn out otherwise."""

    __slots__ = ("certain", "named")

    def __init__(self, named: Named | None, certain: bool) -> None:
        self.named = named
        self.certain = certain


class NameSpace:
    __slots__ = ("confirmed", "tentative")

    def __init__(self) -> None:
        self.confirmed: dict[bytes, Named] = {}
        self.tentative: list[Change] = []

    def look_up(self, name: bytes, segment: int) -> Found:
        name = name[:NAME_BYTES]
        for change in reversed(self.tentative):
            if change.name == name or (change.name is None and name):
                return Found(change.named, change.segment == segment)
        return Found(self.confirmed.get(name), True)


class Names:
    """Both name spaces of one session. `tainted`: the server may know names, or meanings of names, that this does not."""

    __slots__ = ("_kept_bytes", "portals", "statements", "tainted", "version")

    def __init__(self) -> None:
        self.statements = NameSpace()
        self.portals = NameSpace()
        self.tainted = False
        self._kept_bytes = 0  # at most this much; the exact figure is found when it seems too much
        self.version = 0  # grows with every change of what a name that SQL can use means

    def _space(self, change: Change) -> NameSpace:
        return self.statements if change.space == "statement" else self.portals

    def has_room(self, size_bytes: int, limit_bytes: int) -> bool:
        """Whether as much more may be kept under a name. Names are the client's to make, and to keep as long as it likes."""
        self._kept_bytes += size_bytes
        if self._kept_bytes > limit_bytes:
            kept = (
                len(named.text or b"")
                + len(named.description)
                + sum(len(value) for value in named.parameters or () if value is not None)
                for space in (self.statements, self.portals)
                for name, named in space.confirmed.items()
                if name
            )
            self._kept_bytes = sum(kept) + size_bytes
        return self._kept_bytes <= limit_bytes

    def describe(self, statement: bytes, description: bytes, limit_bytes: int) -> None:
        """The server's word on a statement's columns. For the record alone, which does without where there is no room."""
        named = self.statements.confirmed.get(statement)
        if named is not None and self.has_room(len(description), limit_bytes):
            named.description = description

    def propose(self, change: Change) -> None:
        self._space(change).tentative.append(change)
        if change.name != b"":
            self.version += 1
        if change.named is not None:
            change.named.version = self.version

    def confirm(self, change: Change) -> None:
        space = self._space(change)
        space.tentative.remove(change)
        if change.name is None:
            # The unnamed statement is out of SQL's reach: DEALLOCATE ALL and DISCARD ALL leave it, and what is forgotten here
            # could still be bound. The unnamed portal they close; the server says so when it is asked for.
            space.confirmed = {name: named for name, named in space.confirmed.items() if name == b""}
        elif change.named is None:
            space.confirmed.pop(change.name, None)
        else:
            space.confirmed[change.name] = change.named

    def roll_back(self, change: Change) -> None:
        self._space(change).tentative.remove(change)

    def transaction_ended(self) -> None:
        """Portals of the protocol die with their transaction; cursors declared WITH HOLD may stay."""
        confirmed = self.portals.confirmed
        if confirmed:
            self.portals.confirmed = {name: named for name, named in confirmed.items() if named.declared}

    def taint(self) -> None:
        """Something ran that could PREPARE, DEALLOCATE or DECLARE by itself: what stands behind a name is unknown now.

        The empty names stay: SQL cannot reach them.
        """
        self.tainted = True
        self.version += 1
        for space in (self.statements, self.portals):
            space.confirmed = {name: named for name, named in space.confirmed.items() if name == b""}
