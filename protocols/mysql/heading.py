"""The beginning of a result: read from the server, described to the session, and told to the client as it wants it.

A head that came before is not read again (see `heads`). Which descriptions the client gets is in `describing`.
"""

from __future__ import annotations

from typing import Final

from protocols.base import ParameterChanged, Peer, ProtocolError, RowPlan
from protocols.mysql import describing
from protocols.mysql.capabilities import Capability
from protocols.mysql.describing import Gathered
from protocols.mysql.exchange import Exchange, Phase
from protocols.mysql.heads import LONGEST_HEAD_BYTES, Head, Heads
from protocols.mysql.messages import PS_OUT_PARAMS, Command, decode_column
from protocols.mysql.packets import Cursor, frame
from protocols.mysql.shared import ResultDescribed, Shared

_ROWS: Final = Phase.ROWS
_AFTER: Final = Phase.AFTER
_DEFINITIONS: Final = Phase.DEFINITIONS
_FETCH: Final = Command.STMT_FETCH
_SERVER: Final = Peer.SERVER
MOST_COLUMNS: Final = 65_535
# Servers give at most 4,096 columns, whose names of 256 characters take 12 MB; 65,535 descriptions could be 64 GiB
MOST_HEAD_BYTES: Final = 16 * 1024 * 1024


def bad(text: str) -> ProtocolError:
    return ProtocolError(text, peer=Peer.SERVER)


class Heading:
    """Of one session's results, one after the other."""

    __slots__ = ("_head_bytes", "_heads", "asked", "deprecates_eof", "shared")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._heads = Heads(marked=shared.marked_by_server)
        self._head_bytes = 0  # of the definitions that came so far of the result that is being described
        self.asked: Exchange | None = None  # whose plan is awaited
        self.deprecates_eof = bool(shared.capabilities & Capability.DEPRECATE_EOF)

    def count(self, exchange: Exchange, payload: bytes) -> None:
        """How many columns a result has, and whether they are described."""
        shared = self.shared
        cursor = Cursor(payload, peer=_SERVER)
        count = cursor.read_lenenc_int()
        told = payload[: cursor.at]
        described = self.read_mark(cursor.read_int(1)) if shared.marked_by_server else True
        cursor.finish("a count of columns")
        if not 0 < count <= MOST_COLUMNS:
            raise bad(f"a result of {count} columns")
        self._head_bytes = 0
        exchange.left = count
        exchange.head = [payload]
        exchange.head_sequence = exchange.sequence - 1
        exchange.defined = []
        exchange.phase = _DEFINITIONS
        if not described and (exchange.look or (shared.detector is not None and not exchange.injected)):
            exchange.sequence -= 1  # it is not sent: the last word of the gateway has its number
            raise bad(
                "a result without the descriptions that masking needs: resultset_metadata was set in the same text"
            )
        if not shared.marked_for_client or exchange.injected:
            self.shared.pass_on(exchange, told)
        elif not described or not shared.describes:
            exchange.described = False
            self.shared.pass_on(exchange, told + describing.NONE)
        elif self._may_be_known(exchange):
            exchange.gathered = Gathered(told, exchange.sequence - 1 + exchange.shift)
        else:
            self.shared.pass_on(exchange, told + describing.FULL)
        if not described:
            self._undescribed(exchange)

    @staticmethod
    def read_mark(value: int) -> bool:
        if value > 1:
            raise bad("a mark that is none behind a count of columns")
        return value == 1

    def _undescribed(self, exchange: Exchange) -> None:
        """The server was told to leave descriptions out in a way that the gateway did not see, or in the same text."""
        self.shared.effects.append(ParameterChanged(describing.VARIABLE, "NONE"))
        exchange.left = 0
        exchange.head = []
        exchange.record_left = 0
        exchange.phase = _ROWS if self.deprecates_eof else _AFTER

    def _may_be_known(self, exchange: Exchange) -> bool:
        prepared = exchange.prepared
        return (
            self.shared.caches
            and prepared is not None
            and prepared.described is not None
            and exchange.position == 0
            and exchange.command is not _FETCH
        )

    def _tell_gathered(self, exchange: Exchange, *, whole: bool = True) -> None:
        """`whole`: send what is here; more may follow."""
        gathered = exchange.gathered
        assert gathered is not None
        exchange.gathered = None
        if not whole:
            self._put(exchange, gathered.count + describing.NONE, gathered.sequence)
            exchange.shift -= len(gathered.definitions)
            return
        self._put(exchange, gathered.count + describing.FULL, gathered.sequence)
        for place, definition in enumerate(gathered.definitions, 1):
            self._put(exchange, definition, gathered.sequence + place)

    def _put(self, exchange: Exchange, payload: bytes, sequence: int) -> None:
        if exchange.refusal is None:
            self.shared.to_client.append(frame(payload, sequence))

    def _gather(self, exchange: Exchange, gathered: Gathered, definition: bytes) -> None:
        prepared = exchange.prepared
        assert prepared is not None
        if not gathered.add(definition):
            prepared.described = None
            self._tell_gathered(exchange)
        elif exchange.left == 1:
            now = describing.digest(gathered.definitions)
            self._tell_gathered(exchange, whole=now != prepared.described)
            prepared.described = now

    def known(self, exchange: Exchange, buffer: bytes, at: int) -> int:
        """Where the head of a result ends that is one of those that came before; 0: what stands at `at` is none."""
        # a cursor's may be all of its answer
        if exchange.opens_cursor or exchange.injected or exchange.refusal is not None:
            return 0
        if exchange.shift or exchange.sequence < 0:
            return 0
        head = self._heads.find(buffer, at, exchange.sequence & 0xFF)
        if head is None:
            return 0
        self._tell_known(exchange, head)
        exchange.sequence += head.packets
        exchange.columns = head.columns
        exchange.textual = head.holds_text
        if not self.deprecates_eof:
            self.shared.status = head.status
            exchange.out_parameters = bool(head.status & PS_OUT_PARAMS)
        exchange.phase = _ROWS
        if exchange.look or exchange.record_bytes:
            self.describe(exchange)
        return at + len(head.raw)

    def _tell_known(self, exchange: Exchange, head: Head) -> None:
        """What the client gets in the place of one that is known."""
        shared = self.shared
        if not shared.marked_for_client:
            shared.to_client.append(head.raw)
            return
        whole = shared.describes
        prepared = exchange.prepared
        if whole and prepared is not None and self._may_be_known(exchange):
            whole = head.digest != prepared.described
            prepared.described = head.digest
        if whole:
            shared.to_client.append(head.described)
        else:
            exchange.described = False
            exchange.shift = -len(head.columns)
            shared.to_client.append(head.bare)

    def ended(self, exchange: Exchange, eof: bytes, status: int) -> None:
        """The head is whole. `eof`: the packet behind the definitions, with its status, where there is one."""
        if exchange.head and not exchange.injected:
            self._heads.keep(exchange.head_sequence & 0xFF, exchange.head, eof, exchange.columns, status)
        exchange.head = []

    def definition(self, exchange: Exchange, payload: bytes) -> None:
        self._head_bytes += len(payload)
        if self._head_bytes > MOST_HEAD_BYTES:
            raise bad("the descriptions of a result are longer than those of any server")
        exchange.defined.append(decode_column(payload))  # what is no definition does not leave as one
        if self._head_bytes > LONGEST_HEAD_BYTES:
            exchange.head = []  # too long to be known again
        elif exchange.head:
            exchange.head.append(payload)
        if exchange.gathered is not None:
            self._gather(exchange, exchange.gathered, payload)
        else:
            self.tell(exchange, payload)
        exchange.left -= 1
        if exchange.left:
            return
        exchange.columns = tuple(exchange.defined)
        if self.deprecates_eof:
            exchange.phase = _ROWS
            self.ended(exchange, b"", 0)
        else:
            exchange.phase = _AFTER
        if exchange.look or exchange.record_bytes:
            self.describe(exchange)

    def tell(self, exchange: Exchange, definition: bytes) -> None:
        if exchange.described:
            self.shared.pass_on(exchange, definition)
        else:
            exchange.shift -= 1

    def describe(self, exchange: Exchange) -> None:
        described = ResultDescribed(
            exchange.ticket, exchange.position, exchange.columns, exchange.binary, exchange.attachment, exchange.look
        )
        self.shared.effects.append(described)
        if exchange.look:
            self.asked = exchange

    def plan(self, plan: RowPlan | None) -> None:
        """The answer to `ResultDescribed`."""
        exchange = self.asked
        assert exchange is not None
        if plan is not None and len(plan) != len(exchange.columns):
            raise bad("a plan for another number of columns than were described")
        self.asked = None
        exchange.plan = plan
        exchange.planned = True
