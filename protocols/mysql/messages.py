"""Commands of the client and answers of the server, as far as the gateway reads or writes them.

Spec: MySQL, "Command Phase", "OK_Packet", "ERR_Packet", "EOF_Packet", "Column Definition"; MariaDB, "Result Set Packets".
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from protocols.base import Peer, ProtocolError
from protocols.mysql.packets import Cursor, encode_lenenc, encode_lenenc_int

OK: Final = 0x00
MORE_DATA: Final = 0x01
LOCAL_INFILE: Final = 0xFB
EOF: Final = 0xFE
ERR: Final = 0xFF
EOF_MOST_BYTES: Final = 9  # a packet that begins with 0xFE and is this long may be a row with a field of 16 MiB
PROGRESS_ERRNO: Final = 0xFFFF  # MariaDB's progress report comes as an ERR packet of this number

IN_TRANSACTION: Final = 0x0001
AUTOCOMMIT: Final = 0x0002
MORE_RESULTS: Final = 0x0008
CURSOR_EXISTS: Final = 0x0040
LAST_ROW_SENT: Final = 0x0080
NO_BACKSLASH_ESCAPES: Final = 0x0200
PS_OUT_PARAMS: Final = 0x1000
STATE_CHANGED: Final = 0x4000

NUM_FLAG: Final = 0x8000
UNSIGNED_FLAG: Final = 0x20


class Command(enum.IntEnum):
    QUIT = 0x01
    INIT_DB = 0x02
    QUERY = 0x03
    FIELD_LIST = 0x04
    STATISTICS = 0x09
    PROCESS_INFO = 0x0A
    PROCESS_KILL = 0x0C
    PING = 0x0E
    CHANGE_USER = 0x11
    STMT_PREPARE = 0x16
    STMT_EXECUTE = 0x17
    STMT_SEND_LONG_DATA = 0x18
    STMT_CLOSE = 0x19
    STMT_RESET = 0x1A
    SET_OPTION = 0x1B
    STMT_FETCH = 0x1C
    RESET_CONNECTION = 0x1F
    STMT_BULK_EXECUTE = 0xFA


_SERVER: Final = Peer.SERVER


class Ok(NamedTuple):
    affected_rows: int
    last_insert_id: int
    status: int
    warnings: int
    info: bytes
    state: bytes | None  # the session's changes, still encoded; None: there are none


def decode_ok(payload: bytes, *, tracks: bool) -> Ok:
    """An OK packet, or an EOF packet in the form of one. `tracks`: whether SESSION_TRACK was agreed on."""
    cursor = Cursor(payload, 1, _SERVER)
    affected = cursor.read_lenenc_int()
    insert_id = cursor.read_lenenc_int()
    status = cursor.read_int(2)
    warnings = cursor.read_int(2)
    # documented as the rest of the packet where nothing is tracked; servers have always written its length before it
    info = cursor.read_lenenc() if cursor.left else b""
    state = cursor.read_lenenc() if tracks and status & STATE_CHANGED and cursor.left else None
    cursor.finish("an OK packet")
    return Ok(affected, insert_id, status, warnings, info, state)


def encode_ok(ok: Ok, *, header: int = OK, tracks: bool = False) -> bytes:
    status = ok.status if tracks and ok.state is not None else ok.status & ~STATE_CHANGED
    head = (
        bytes((header,))
        + encode_lenenc_int(ok.affected_rows)
        + encode_lenenc_int(ok.last_insert_id)
        + status.to_bytes(2, "little")
        + ok.warnings.to_bytes(2, "little")
    )
    if tracks and ok.state is not None:
        return head + encode_lenenc(ok.info) + encode_lenenc(ok.state)
    return head + (encode_lenenc(ok.info) if ok.info else b"")


def decode_eof_status(payload: bytes) -> int:
    """Of the short EOF packet: header, warnings, status."""
    if len(payload) != 5:
        raise ProtocolError("an EOF packet has another length than its contents", peer=Peer.SERVER)
    return int.from_bytes(payload[3:5], "little")


class Err(NamedTuple):
    errno: int
    sqlstate: bytes
    message: bytes


def decode_err(payload: bytes) -> Err:
    """Before the handshake the SQLSTATE is left out."""
    cursor = Cursor(payload, 1, _SERVER)
    errno = cursor.read_int(2)
    sqlstate = b"HY000"
    if payload[3:4] == b"#":
        cursor.read_bytes(1)
        sqlstate = cursor.read_bytes(5)
    return Err(errno, sqlstate, cursor.read_rest())


def encode_err(err: Err) -> bytes:
    state = err.sqlstate if len(err.sqlstate) == 5 else b"HY000"
    return bytes((ERR,)) + err.errno.to_bytes(2, "little") + b"#" + state + err.message


# What the fields of a refusal are in MySQL's numbers. Every other SQLSTATE is ER_UNKNOWN_ERROR with the state as it is.
_NUMBERS: Final[dict[bytes, tuple[int, bytes]]] = {
    b"42501": (1142, b"42000"),  # ER_TABLEACCESS_DENIED_ERROR: drivers take it for "not permitted"
    b"57014": (1317, b"70100"),  # ER_QUERY_INTERRUPTED
    b"54000": (1153, b"08S01"),  # ER_NET_PACKET_TOO_LARGE
    b"0A000": (1235, b"42000"),  # ER_NOT_SUPPORTED_YET
    b"28000": (1045, b"28000"),  # ER_ACCESS_DENIED_ERROR
    b"28P01": (1045, b"28000"),
    b"3D000": (1049, b"42000"),  # ER_BAD_DB_ERROR
    b"53300": (1040, b"08004"),  # ER_CON_COUNT_ERROR
    b"53400": (1226, b"42000"),  # ER_USER_LIMIT_REACHED
    b"57P01": (1053, b"08S01"),  # ER_SERVER_SHUTDOWN
    b"57P03": (1053, b"08S01"),
    b"57P05": (4031, b"HY000"),  # ER_CLIENT_INTERACTION_TIMEOUT
    b"58030": (1026, b"HY000"),  # ER_ERROR_ON_WRITE
    b"08P01": (1835, b"HY000"),  # ER_MALFORMED_PACKET
    b"08006": (2013, b"08S01"),
}
_UNKNOWN_ERROR: Final = 1105
MESSAGE_BYTES: Final = 511  # MYSQL_ERRMSG_SIZE, its terminator left out: C clients cut what is longer


def error_of(fields: Mapping[str, bytes]) -> Err:
    """A refusal in the fields of PostgreSQL's ErrorResponse, as an ERR packet says it: message, reason and next step in one."""
    code = fields.get("C", b"")
    errno, sqlstate = _NUMBERS.get(code, (_UNKNOWN_ERROR, code))
    if number := fields.get("errno"):
        errno = int(number)
    parts = [part for part in (fields.get("M", b""), fields.get("D", b""), fields.get("H", b"")) if part]
    return Err(errno, sqlstate, shortened(parts).replace(b"\0", b""))


def shortened(parts: list[bytes], size: int = MESSAGE_BYTES) -> bytes:
    """The next step is what must not be lost: the reason in the middle is cut first."""
    text = _join(parts)
    if len(text) > size and len(parts) == 3:
        room = max(0, size - len(_join([parts[0], b"", parts[2]])) - 4)
        text = _join([parts[0], _cut(parts[1], room) + "…".encode(), parts[2]])
    return _cut(text, size)


def _join(parts: list[bytes]) -> bytes:
    """`message: reason. Next step`; a reason begins in lower case, as PostgreSQL's DETAIL of the gateway does."""
    out = parts[0] if parts else b""
    for part in parts[1:]:
        ends = out.endswith((b".", b"!", b"?", b":", "…".encode()))
        out += (b" " if ends else b": " if part[:1].islower() else b". ") + part
    return out


def _cut(text: bytes, size: int) -> bytes:
    return text[:size].decode("utf-8", "ignore").encode() if len(text) > size else text


def fields_of(err: Err) -> dict[str, bytes]:
    """An ERR packet in the fields that diagnostics, logs and scrubbers of both dialects know."""
    return {"S": b"ERROR", "C": err.sqlstate, "M": err.message, "errno": str(err.errno).encode()}


class MySqlColumn(NamedTuple):
    """A column of a result as the server describes it: where it comes from, and how its values are written."""

    schema: bytes
    table: bytes  # its alias in the statement
    org_table: bytes  # empty: it comes from no table, or from one that the server does not name
    name: bytes
    org_name: bytes
    charset: int
    length: int
    type: int
    flags: int
    decimals: int


def decode_column(payload: bytes, *, extended: bool = False, default: bool = False) -> MySqlColumn:
    """`extended`: MariaDB's EXTENDED_METADATA was agreed on. `default`: the column's default may follow, as in COM_FIELD_LIST."""
    cursor = Cursor(payload, peer=_SERVER)
    cursor.read_lenenc()  # always "def"
    schema, table, org_table, name, org_name = (cursor.read_lenenc() for _ in range(5))
    if extended:
        cursor.read_lenenc()
    if cursor.read_lenenc_int() != 12:
        raise ProtocolError("a column definition of an unknown form", peer=Peer.SERVER)
    charset = cursor.read_int(2)
    length = cursor.read_int(4)
    kind = cursor.read_int(1)
    flags = cursor.read_int(2)
    decimals = cursor.read_int(1)
    cursor.read_bytes(2)
    if default and cursor.left and payload[cursor.at :] != b"\xfb":
        cursor.read_lenenc()
    elif default:
        cursor.at = len(payload)
    cursor.finish("a column definition")
    return MySqlColumn(schema, table, org_table, name, org_name, charset, length, kind, flags, decimals)


class Prepared(NamedTuple):
    """The answer to COM_STMT_PREPARE."""

    statement: int
    columns: int
    parameters: int


def decode_prepare_ok(payload: bytes) -> Prepared:
    cursor = Cursor(payload, 1, _SERVER)
    statement = cursor.read_int(4)
    columns = cursor.read_int(2)
    return Prepared(statement, columns, cursor.read_int(2))


_SYSTEM_VARIABLE: Final = 0
_SCHEMA: Final = 1
_LAST_KNOWN: Final = 5  # state changed or not, GTIDs, the characteristics and the state of the transaction


def state_changes(state: bytes) -> Iterator[tuple[str, bytes]]:
    """Variables and the schema (named "schema") that changed. Spec: MySQL, "Session State Information"."""
    for kind, entry in _entries(state):
        data = Cursor(entry, peer=Peer.SERVER)
        if kind == _SYSTEM_VARIABLE:
            while data.left:  # MariaDB puts several into one entry
                name = data.read_lenenc().decode("utf-8", "replace")
                yield name, data.read_lenenc()
        elif kind == _SCHEMA:
            yield "schema", data.read_lenenc()
            data.finish("a change of the schema")


def known_changes(state: bytes) -> bytes:
    """Without what a newer server may have to say: nobody knows whether that is data."""
    if all(kind <= _LAST_KNOWN for kind, _ in _entries(state)):
        return state
    return b"".join(bytes((kind,)) + encode_lenenc(entry) for kind, entry in _entries(state) if kind <= _LAST_KNOWN)


def _entries(state: bytes) -> Iterator[tuple[int, bytes]]:
    cursor = Cursor(state, peer=Peer.SERVER)
    while cursor.left:
        kind = cursor.read_int(1)
        yield kind, cursor.read_lenenc()
