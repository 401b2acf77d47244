"""One command and its answer: what of the answer has come, and what may come next.

Theory of operation. MySQL has no pipelining: the server reads a command when it has answered the one before, and so does the
gateway. An exchange begins when a command goes out and ends with the last packet of its answer; the phase says what the next
packet of the server may be. Anything else ends the session, because a gateway that has lost its place can neither mask nor refuse.

    FIRST        OK → end or FIRST (more results) · ERR → end · a count of columns → DEFINITIONS · a file's name → FILE
    FILE         nothing: the client sends its file, up to an empty packet → FIRST. Where it must not be stored, the session
                 has the server's statement killed, and a few rows of nothing and the file's end are sent in its place: ERR → end
    DEFINITIONS  as many column definitions as were announced → AFTER or ROWS
    AFTER        the EOF packet behind them, where the client has not agreed to do without → ROWS; or end: a cursor was opened
    ROWS         rows · EOF (or OK in its form) → end or FIRST · ERR → end
    PREPARING    ERR → end · the statement's number → PARAMETERS, COLUMNS or end
    PARAMETERS   definitions, then EOF → COLUMNS or end
    COLUMNS      definitions, then EOF → end
    FIELDS       definitions up to EOF · ERR
    SINGLE       OK, EOF or ERR → end
    TEXT         one packet of any content (COM_STATISTICS), or ERR → end

Spec: MySQL, "Command Phase"; MariaDB, "Result Set Packets".
"""

from __future__ import annotations

import enum
from typing import Final

from protocols.base import CopyReader, Fields, NameChange, RowPlan
from protocols.mysql.describing import Gathered
from protocols.mysql.messages import Command, MySqlColumn
from protocols.mysql.prepared import Prepared
from protocols.mysql.runs import Run

ANY_SEQUENCE = -1  # the command is still on its way: the answer's first packet says where it stands


class Phase(enum.IntEnum):
    FIRST = 1
    DEFINITIONS = 2
    AFTER = 3
    ROWS = 4
    PREPARING = 5
    PARAMETERS = 6
    COLUMNS = 7
    FIELDS = 8
    SINGLE = 9
    TEXT = 10
    FILE = 11


BEGINS: dict[Command, Phase] = {
    Command.QUERY: Phase.FIRST,
    Command.PROCESS_INFO: Phase.FIRST,
    Command.STMT_EXECUTE: Phase.FIRST,
    Command.STMT_BULK_EXECUTE: Phase.FIRST,
    Command.STMT_PREPARE: Phase.PREPARING,
    Command.STMT_FETCH: Phase.ROWS,
    Command.FIELD_LIST: Phase.FIELDS,
    Command.STATISTICS: Phase.TEXT,
    Command.INIT_DB: Phase.SINGLE,
    Command.PING: Phase.SINGLE,
    Command.PROCESS_KILL: Phase.SINGLE,
    Command.STMT_RESET: Phase.SINGLE,
    Command.SET_OPTION: Phase.SINGLE,
    Command.RESET_CONNECTION: Phase.SINGLE,
}
# whose rows come in the binary protocol
_BINARY: Final = frozenset({Command.STMT_EXECUTE, Command.STMT_BULK_EXECUTE, Command.STMT_FETCH})
_FIRST: Final = Phase.FIRST


class Exchange:
    """Mutable: the answer arrives in many packets."""

    __slots__ = (
        "attachment",
        "binary",
        "collected",
        "columns",
        "command",
        "continues",
        "defined",
        "described",
        "file_reader",
        "gathered",
        "head",
        "head_sequence",
        "injected",
        "left",
        "look",
        "names",
        "opens_cursor",
        "out_parameters",
        "own",
        "parameters_left",
        "phase",
        "plan",
        "planned",
        "position",
        "prepared",
        "record_bytes",
        "record_left",
        "refusal",
        "results",
        "rows",
        "run",
        "sequence",
        "shift",
        "size_bytes",
        "stopped",
        "taints",
        "takes_file",
        "text",
        "textual",
        "ticket",
        "waits",
    )

    def __init__(
        self,
        command: Command,
        sequence: int,
        ticket: int = 0,
        *,
        attachment: object = None,
        look: bool = False,
        record_bytes: int = 0,
        names: tuple[NameChange, ...] = (),
        taints: bool = False,
        prepared: Prepared | None = None,
        text: bytes = b"",
        refusal: Fields | None = None,
        injected: bool = False,
    ) -> None:
        self.command = command
        self.phase = BEGINS[command]
        self.sequence = sequence  # of the next packet that the server sends
        self.shift = (
            0  # what the client's next packet is ahead of that: rewriting may change how many packets a row takes
        )
        self.ticket = ticket
        self.attachment = attachment
        self.look = look
        self.record_bytes = record_bytes
        self.record_left = record_bytes
        self.names = names
        self.taints = taints
        self.prepared = prepared
        self.text = text
        self.own = text  # what a message may quote because the client wrote it
        self.waits: frozenset[int] = frozenset()  # parameters whose long data goes with the execution
        self.refusal = refusal  # goes to the client in place of the answer
        self.injected = injected  # the gateway's own: its answer is collected, and the client does not hear of it
        self.file_reader: CopyReader | None = None
        self.stopped = False  # that file must not be stored: the server was told to give the statement up
        self.takes_file = False  # its text is LOAD DATA LOCAL: the server may ask for the file that it names
        self.binary = command in _BINARY
        self.position = 0  # of the result within the answer
        self.results = 0  # that ended well
        self.opens_cursor = False  # the client asked for one: what describes it is kept for COM_STMT_FETCH
        self.out_parameters = False  # the result holds a procedure's OUT parameters, and is not the last
        self.left = 0  # definitions to come
        self.parameters_left = 0
        self.columns: tuple[MySqlColumn, ...] = ()
        self.defined: list[MySqlColumn] = []  # the same while their definitions come
        self.head: list[bytes] = []  # payloads of the packets that describe the result, until they are all there
        self.head_sequence = 0  # id of the first of them
        self.described = True  # the client gets the descriptions of the columns
        self.gathered: Gathered | None = None  # descriptions that it may have already
        self.plan: RowPlan | None = None
        self.run: Run | None = None  # what rewrites by the plan
        self.planned = False
        self.textual: bool | None = None  # whether any column may hold text; None: nobody has asked
        self.continues = False  # the next packet goes on with the row of the one before
        self.rows = 0
        self.size_bytes = 0
        self.collected: list[tuple[bytes | None, ...]] = []

    def next_result(self) -> None:
        self.phase = _FIRST
        self.position += 1
        self.rows = self.size_bytes = 0
        self.record_left = self.record_bytes
        self.columns = ()
        self.described = True
        self.gathered = None
        self.plan = None
        self.run = None
        self.textual = None
        self.planned = False
