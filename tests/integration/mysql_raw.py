"""A MySQL client that keeps every byte it receives: PyMySQL logs in, the commands and their answers are packets."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from attrs import define, field

from protocols.mysql.messages import CURSOR_EXISTS, EOF, ERR, MORE_RESULTS, OK, PS_OUT_PARAMS, Command
from protocols.mysql.packets import Cursor, encode_lenenc, frame

UNPREPARABLE = 1295  # ER_UNSUPPORTED_PS
DIAGNOSTICS = ("SHOW WARNINGS", "SHOW ERRORS", "GET DIAGNOSTICS")


@define
class Heard:
    """One session. It has not agreed to do without EOF packets, as PyMySQL has not."""

    connection: Any
    data: bytearray = field(factory=bytearray)

    def take(self) -> bytes:
        data = bytes(self.data)
        self.data.clear()
        return data

    def text(self, sql: str) -> None:
        """COM_QUERY, and all of its results."""
        self._send(Command.QUERY, sql.encode())
        self._results()

    def prepared(self, sql: str) -> None:
        """COM_STMT_PREPARE and COM_STMT_EXECUTE; as a text where the server prepares no such statement.

        What asks for the diagnostics of the statement before is not prepared: that would be the statement before.
        """
        if sql.startswith(DIAGNOSTICS):
            self.text(sql)
            return
        statement = self._prepare(sql)
        if statement is not None:
            self._send(Command.STMT_EXECUTE, struct.pack("<IBI", statement, 0, 1))
            self._results()
            self._send(Command.STMT_CLOSE, struct.pack("<I", statement))

    def bound(self, sql: str, values: Sequence[str | int | None]) -> None:
        """COM_STMT_EXECUTE with values: numbers as LONGLONG, texts as VAR_STRING."""
        statement = self._prepare(sql)
        if statement is None:
            return
        nulls, types, data = bytearray((len(values) + 7) // 8), b"", b""
        for place, value in enumerate(values):
            if value is None:
                nulls[place // 8] |= 1 << place % 8
            types += struct.pack("<H", 6 if value is None else 8 if isinstance(value, int) else 253)
            if isinstance(value, int):
                data += struct.pack("<q", value)
            elif value is not None:
                data += encode_lenenc(value.encode())
        self._send(Command.STMT_EXECUTE, struct.pack("<IBI", statement, 0, 1) + bytes(nulls) + b"\1" + types + data)
        self._results()
        self._send(Command.STMT_CLOSE, struct.pack("<I", statement))

    def cursor(self, sql: str) -> None:
        """The same with a cursor of the server's, read two rows at a time."""
        statement = self._prepare(sql)
        if statement is None:
            return
        self._send(Command.STMT_EXECUTE, struct.pack("<IBI", statement, 1, 1))
        status = self._results(opens_cursor=True)
        for _ in range(20):
            if status is None or not status & CURSOR_EXISTS or status & 0x80:
                break
            self._send(Command.STMT_FETCH, struct.pack("<II", statement, 2))
            status = self._rows()
        self._send(Command.STMT_CLOSE, struct.pack("<I", statement))

    def field_list(self, table: str) -> None:
        self._send(Command.FIELD_LIST, table.encode() + b"\0%")
        while self._packet()[0] not in (EOF, ERR):
            pass

    def _prepare(self, sql: str) -> int | None:
        self._send(Command.STMT_PREPARE, sql.encode())
        begin = len(self.data)
        answer = self._packet()
        if answer[0] == ERR:
            if struct.unpack_from("<H", answer, 1)[0] == UNPREPARABLE:
                self.text(sql)
            return None
        statement, columns, parameters = struct.unpack_from("<IHH", answer, 1)
        self.data[begin + 1 : begin + 5] = bytes(4)  # the server counts over all sessions
        for count in (parameters, columns):
            if count:
                for _ in range(count + 1):
                    self._packet()
        return int(statement)

    def _results(self, *, opens_cursor: bool = False) -> int | None:
        """Up to the last result: the status that it ends with; None for an error.

        MariaDB sets CURSOR_EXISTS as well for a result that comes while a cursor of a stored program is open.
        """
        while True:
            first = self._packet()
            if first[0] == ERR:
                return None
            if first[0] == OK:
                cursor = Cursor(first, 1)
                cursor.read_lenenc_int()
                cursor.read_lenenc_int()
                status = cursor.read_int(2)
            else:
                for _ in range(Cursor(first).read_lenenc_int()):
                    self._packet()
                after = self._packet()
                if after[0] == ERR:
                    return None
                opened = int.from_bytes(after[3:5], "little")
                if opens_cursor and opened & CURSOR_EXISTS:
                    return opened
                found = self._rows()
                if found is None:
                    return None
                # behind OUT parameters comes one more, of which MySQL speaks before their row alone
                status = found | (MORE_RESULTS if opened & PS_OUT_PARAMS else 0)
            if not status & MORE_RESULTS:
                return status

    def _rows(self) -> int | None:
        while True:
            packet = self._packet()
            if packet[0] == ERR:
                return None
            if packet[0] == EOF and len(packet) < 9:
                return int.from_bytes(packet[3:5], "little")

    def _send(self, command: Command, body: bytes) -> None:
        self.connection._sock.sendall(frame(bytes((command,)) + body))

    def _packet(self) -> bytes:
        head = self.connection._rfile.read(4)
        assert len(head) == 4, f"the session ended after {self.take()[-300:]!r}"
        payload: bytes = self.connection._rfile.read(int.from_bytes(head[:3], "little"))
        self.data += payload
        return payload
