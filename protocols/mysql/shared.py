"""What the two directions of one relay share: the command under way, prepared statements, outboxes and effects."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from protocols.base import Effect, Fields, NameChange, Refuse
from protocols.detecting import Detector
from protocols.mysql.capabilities import Capability
from protocols.mysql.exchange import Exchange
from protocols.mysql.handshake import HandshakeResponse
from protocols.mysql.messages import AUTOCOMMIT, IN_TRANSACTION, Err, MySqlColumn, encode_err, error_of
from protocols.mysql.packets import frame
from protocols.mysql.prepared import Statements

Scrubber = Callable[[Fields], Fields]


class Limits(NamedTuple):
    """Caps on what is kept in memory, in bytes; each with its reason in `wireproxy.config.model.Limits`."""

    statement_bytes: int = 4 * 1024 * 1024
    bind_bytes: int = 4 * 1024 * 1024
    message_bytes: int = 1024 * 1024
    masked_row_bytes: int = 16 * 1024 * 1024
    prepared_statements: int = 10_000
    prepared_bytes: int = 64 * 1024 * 1024  # of the texts of all of them: many long ones must not fill the memory


class ResultDescribed(NamedTuple):
    """A result is about to come. Where `asks`, it is answered by `plan`, and no row of it leaves before."""

    ticket: int
    position: int  # of the result within the answer; a CALL gives several
    columns: tuple[MySqlColumn, ...]
    binary: bool
    attachment: Any
    asks: bool


class Answered(NamedTuple):
    """The server's answer to a question of the gateway's own."""

    rows: tuple[tuple[bytes | None, ...], ...]
    error: Err | None


class FileStopped(NamedTuple):
    """The file of LOAD DATA LOCAL must not be stored, and these fields are its error. Answered by `end_file`, once the
    server has been told to give the statement up: the file's end would be taken for a good one."""

    ticket: int
    fields: Fields


class ConnectionReset(NamedTuple):
    """COM_RESET_CONNECTION succeeded: every setting is the server's default again, the gateway's own included."""


class UserChanging(NamedTuple):
    """COM_CHANGE_USER. Answered by `login_send`, `change_allowed` or the end of the session."""

    request: HandshakeResponse


class LoginPacket(NamedTuple):
    """What the client answers to a packet of `login_send`."""

    payload: bytes


MySqlEffect = Effect | ResultDescribed | Answered | FileStopped | ConnectionReset | UserChanging | LoginPacket


class Named(NamedTuple):
    """What stands behind a name of SQL's PREPARE. `text` None: it is not known."""

    text: bytes | None
    attachment: Any = None  # of the change that made it


class Found(NamedTuple):
    named: Named | None
    certain: bool = True  # there is no pipelining: what a name means is settled when the next command is read


MOST_NAMES: Final = 1_000
LONGEST_NAMED_BYTES: Final = 64 * 1024  # a longer text is not kept, and so not known when it is run


class SqlNames:
    """Names of SQL's PREPARE. They are apart from the numbers of the protocol, and their case does not count."""

    __slots__ = ("known", "tainted")

    def __init__(self) -> None:
        self.known: dict[bytes, Named] = {}
        self.tainted = False

    def apply(self, changes: tuple[NameChange, ...], *, failed: bool) -> None:
        """A PREPARE that fails has dropped the name; in a batch that fails, it is not said which of them did."""
        if len(self.known) > MOST_NAMES:
            self.taint()  # what is forgotten is not known, and what is not known is not let through
        for change in changes:
            if change.name is None:
                self.known.clear()
            elif change.created:
                alone = failed and len(changes) == 1
                unknown = failed or len(change.text or b"") > LONGEST_NAMED_BYTES
                self.known[_folded(change.name)] = Named(None if unknown else change.text, change.attachment)
                if alone:
                    del self.known[_folded(change.name)]
            elif not failed:
                self.known.pop(_folded(change.name), None)

    def apply_reset(self) -> None:
        """COM_RESET_CONNECTION drops every statement."""
        self.known.clear()
        self.tainted = False

    def forget_texts(self) -> None:
        """The settings by which the texts were read are others now: what they mean is not known any more."""
        self.known = dict.fromkeys(self.known, Named(None))

    def find(self, name: bytes) -> Found:
        return Found(self.known.get(_folded(name)))

    def taint(self) -> None:
        self.tainted = True
        self.known.clear()


def _folded(name: bytes) -> bytes:
    return name.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")


class Shared:
    __slots__ = (
        "caches",
        "capabilities",
        "describes",
        "detector",
        "discards_file",
        "effects",
        "epoch",
        "exchange",
        "limits",
        "marked_by_server",
        "marked_for_client",
        "marks_statements_for_client",
        "names",
        "names_for_server",
        "names_of_client",
        "own",
        "progress_for_client",
        "progress_of_server",
        "scrub",
        "statements",
        "status",
        "tickets",
        "to_client",
        "to_server",
        "tracks_client",
        "tracks_server",
    )

    def __init__(self, limits: Limits, client: Capability, server: Capability) -> None:
        self.limits = limits
        self.capabilities = client
        # whether a result's count of columns is followed by a mark that says if they are described;
        # in MySQL's way the answer to COM_STMT_PREPARE has one as well
        self.marked_for_client = bool(client & (Capability.OPTIONAL_METADATA | Capability.CACHE_METADATA))
        self.marks_statements_for_client = bool(client & Capability.OPTIONAL_METADATA)
        self.marked_by_server = bool(server & Capability.OPTIONAL_METADATA)
        self.caches = bool(client & Capability.CACHE_METADATA)
        self.describes = True  # the client wants its results described
        self.progress_for_client = bool(client & Capability.PROGRESS)
        self.progress_of_server = bool(server & Capability.PROGRESS)
        self.names_of_client = bool(client & Capability.QUERY_ATTRIBUTES)
        self.names_for_server = bool(server & Capability.QUERY_ATTRIBUTES)
        self.tracks_client = bool(client & Capability.SESSION_TRACK)
        self.tracks_server = bool(server & Capability.SESSION_TRACK)
        self.statements = Statements()
        self.names = SqlNames()
        self.exchange: Exchange | None = None
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []
        self.effects: list[MySqlEffect] = []
        self.own: deque[bytes] = deque()  # questions of the gateway's own that wait for their turn
        self.scrub: Scrubber | None = None
        self.detector: Detector | None = None  # looks at the text of results
        self.discards_file = False  # the client sends the rest of one that was stopped, and hears of it at its end
        self.status = AUTOCOMMIT
        self.tickets = 0
        self.epoch = 0

    def next_ticket(self) -> int:
        self.tickets += 1
        return self.tickets

    @property
    def in_transaction(self) -> bool:
        return bool(self.status & IN_TRANSACTION)

    def pass_on(self, exchange: Exchange, payload: bytes) -> None:
        """To the client: the packet just counted, or one in its place that is as long as one packet."""
        if not exchange.injected and exchange.refusal is None:
            self.to_client.append(frame(payload, exchange.sequence - 1 + exchange.shift))

    def refuse(self, verdict: Refuse, sequence: int) -> None:
        self.to_client.append(frame(encode_err(error_of(verdict.fields)), sequence))
