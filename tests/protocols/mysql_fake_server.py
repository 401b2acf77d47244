"""A MySQL server small enough to read: enough of it for an oracle. Integration tests hold the relay against real ones.

Its language: `ok`, `rows N`, `fail`, `begin`, `commit`, `use NAME`; texts joined by `;` give several results. A `?` in a text is
a parameter, of which it writes down the value. It writes down every text that it ran, and counts packets as strictly as a server.
"""

from __future__ import annotations

from protocols.mysql.capabilities import Capability
from protocols.mysql.messages import MORE_RESULTS, Command
from protocols.mysql.packets import FULL_PAYLOAD, frame
from tests.protocols import mysql_playbook as p

SECRET = b"secret"


class FakeMySql:
    def __init__(self, flags: Capability) -> None:
        self.flags = flags
        self.buffer = b""
        self.ran: list[str] = []
        self.status = 2
        self.statements: dict[int, str] = {}
        self.long_data: dict[int, bytes] = {}
        self.numbers = 0
        self.closed = False
        self._expected = 0  # the sequence id of the next packet
        self._parts: list[bytes] = []
        self._out: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        self.buffer += data
        out = b""
        while len(self.buffer) >= 4 and not self.closed:
            length = int.from_bytes(self.buffer[:3], "little")
            if len(self.buffer) < length + 4:
                break
            assert self.buffer[3] == self._expected & 0xFF, "packets out of order"
            self._parts.append(self.buffer[4 : 4 + length])
            self.buffer = self.buffer[4 + length :]
            self._expected += 1
            if length == FULL_PAYLOAD:
                continue
            payload, self._parts = b"".join(self._parts), []
            self._out = []
            self._command(payload)
            first, self._expected = self._expected, 0
            for each in self._out:
                out += frame(each, first)
                first += 1
        return out

    @property
    def _tracks(self) -> bool:
        return bool(self.flags & Capability.SESSION_TRACK)

    def _command(self, payload: bytes) -> None:
        body = payload[1:]
        match payload[0]:
            case Command.QUIT:
                self.closed = True
            case Command.QUERY:
                self._run_all(body.decode(), b"", binary=False)
            case Command.PING | Command.RESET_CONNECTION:
                if payload[0] == Command.RESET_CONNECTION:
                    self.statements.clear()
                    self.status = 2
                self._ok()
            case Command.INIT_DB:
                self._run_all(f"use {body.decode()}", b"", binary=False)
            case Command.STMT_PREPARE:
                self._prepare(body.decode())
            case Command.STMT_CLOSE:
                self.statements.pop(int.from_bytes(body[:4], "little"), None)
            case Command.STMT_SEND_LONG_DATA:
                number = int.from_bytes(body[:4], "little")
                self.long_data[number] = self.long_data.get(number, b"") + body[6:]
            case Command.STMT_RESET:
                number = int.from_bytes(body[:4], "little")
                self.long_data.pop(number, None)
                self._ok() if number in self.statements else self._out.append(p.err(1243, "unknown"))
            case Command.STMT_EXECUTE:
                self._execute(body)
            case _:
                self._out.append(p.err(1047, "unknown command"))

    def _prepare(self, text: str) -> None:
        if not self._known(text):
            self._out.append(p.err())
            return
        self.numbers += 1
        self.statements[self.numbers] = text
        parameters = text.count("?")
        self._out.append(p.prepare_ok(self.numbers, 0, parameters))
        if parameters:
            self._out += [p.column("?")] * parameters
            if not self.flags & Capability.DEPRECATE_EOF:
                self._out.append(p.eof(self.status))

    def _execute(self, body: bytes) -> None:
        number = int.from_bytes(body[:4], "little")
        text = self.statements.get(number)
        if text is None:
            self._out.append(p.err(1243, "unknown"))
            return
        value = b""
        if "?" in text:
            # one parameter, always a short string: bitmap, flag, type, length, bytes
            assert body[10] == 1
            value = self.long_data.pop(number, b"") or body[14:]
        self._run_all(text, value, binary=True)

    def _known(self, text: str) -> bool:
        return text.partition(" ")[0] in ("ok", "rows", "fail", "begin", "commit", "use")

    def _run_all(self, text: str, value: bytes, *, binary: bool) -> None:
        texts = text.split(";")
        for position, each in enumerate(texts):
            more = MORE_RESULTS if position < len(texts) - 1 else 0
            if not self._known(each):
                self._out.append(p.err())
                return
            self.ran.append(each.replace("?", value.decode()))
            if not self._run(each.split(), more, binary=binary):
                return

    def _run(self, words: list[str], more: int, *, binary: bool) -> bool:
        state = None
        match words[0]:
            case "fail":
                self._out.append(p.err(1146, "failed over secret", "42S02"))
                return False
            case "rows":
                row = p.binary_row(p.text("secret")) if binary else p.row(SECRET)
                self._out += p.result([p.column()], [row] * int(words[1]), self.flags, self.status | more)
                return True
            case "begin":
                self.status |= 1
            case "commit":
                self.status &= ~1
            case "use":
                state = p.schema_changed(words[1])
            case _:
                pass
        self._ok(more, state)
        return True

    def _ok(self, more: int = 0, state: bytes | None = None) -> None:
        self._out.append(p.ok(self.status | more, state=state if self._tracks else None, tracks=self._tracks))
