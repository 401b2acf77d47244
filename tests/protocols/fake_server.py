"""A PostgreSQL backend small enough to read: enough of it for an oracle. Integration tests hold it against a real one.

Its language: `ok`, `rows N`, `fail`, `begin`, `commit`, `rollback`, `prepare NAME: TEXT`, `deallocate NAME`; anything else is a
syntax error. It writes down every text that it ran.
"""

from __future__ import annotations

from protocols.postgres.messages import HEADER, decode_bind, decode_parse, read_cstring
from tests.protocols import playbook as p


class Broken(Exception):
    """The statement failed: its SQLSTATE and message."""


class FakeServer:
    def __init__(self) -> None:
        self.buffer = b""
        self.ran: list[str] = []
        self.status = "I"
        self.statements: dict[bytes, str] = {}
        self.portals: dict[bytes, str] = {}
        self.skipping = False
        self.closed = False
        self.implicit = False  # inside the implicit transaction of an extended run

    def feed(self, data: bytes) -> bytes:
        self.buffer += data
        out = b""
        while len(self.buffer) >= 5 and not self.closed:
            kind, length = HEADER.unpack_from(self.buffer)
            if len(self.buffer) < length + 1:
                break
            body, self.buffer = self.buffer[5 : length + 1], self.buffer[length + 1 :]
            out += self.message(chr(kind), body)
        return out

    def message(self, kind: str, body: bytes) -> bytes:
        if self.skipping and kind not in "SX":
            return b""
        try:
            return getattr(self, f"_on_{kind}")(body)  # type: ignore[no-any-return]
        except Broken as broken:
            if self.status == "T":
                self.status = "E"
            if kind == "Q":
                return p.error("42000", str(broken)) + self._ready()
            self.skipping = True
            return p.error("42000", str(broken))

    def _ready(self) -> bytes:
        if self.status == "I":
            self.portals.clear()
        return p.ready(self.status)

    def _on_Q(self, body: bytes) -> bytes:
        self.statements.pop(b"", None)
        self.portals.pop(b"", None)
        out = b""
        for text in body[:-1].decode().split(";"):
            if self.status == "E" and text not in ("rollback", "commit"):
                self._check(text)
                raise Broken("current transaction is aborted")
            self._check(text)
            out += self._run(text)
        return out + self._ready()

    def _on_P(self, body: bytes) -> bytes:
        name, text, _ = decode_parse(body)
        if not name:
            self.statements.pop(b"", None)
        elif name[:63] in self.statements:
            raise Broken("exists")
        self._check(text.decode())
        if self.status == "E" and text.decode() not in ("rollback", "commit"):
            raise Broken("current transaction is aborted")
        self.statements[name[:63]] = text.decode()
        return p.PARSE_COMPLETE

    def _on_B(self, body: bytes) -> bytes:
        bind = decode_bind(body)
        text = self.statements.get(bind.statement[:63])
        if text is None:
            raise Broken("no such statement")
        if self.status == "E" and text not in ("rollback", "commit"):
            raise Broken("current transaction is aborted")
        if bind.portal and bind.portal[:63] in self.portals:
            raise Broken("cursor exists")
        self.portals[bind.portal[:63]] = text
        return p.BIND_COMPLETE

    def _on_D(self, body: bytes) -> bytes:
        name, _ = read_cstring(body, 1)
        text = (self.statements if body[:1] == b"S" else self.portals).get(name[:63])
        if text is None:
            raise Broken("nothing to describe")
        answer = p.row_description(("x", 0, 0, 25, 0)) if text.startswith("rows") else p.NO_DATA
        return b"t\0\0\0\6\0\0" + answer if body[:1] == b"S" else answer

    def _on_E(self, body: bytes) -> bytes:
        name, _ = read_cstring(body, 0)
        text = self.portals.get(name[:63])
        if text is None:
            raise Broken("no such portal")
        if self.status == "E" and text not in ("rollback", "commit"):
            raise Broken("current transaction is aborted")
        return self._run(text, described=False)

    def _on_C(self, body: bytes) -> bytes:
        name, _ = read_cstring(body, 1)
        (self.statements if body[:1] == b"S" else self.portals).pop(name[:63], None)
        return p.CLOSE_COMPLETE

    def _on_H(self, _body: bytes) -> bytes:
        return b""

    def _on_S(self, _body: bytes) -> bytes:
        self.skipping = False
        return self._ready()

    def _on_X(self, _body: bytes) -> bytes:
        self.closed = True
        return b""

    def _check(self, text: str) -> None:
        words = text.split()
        known = ("ok", "rows", "fail", "begin", "commit", "rollback", "prepare", "deallocate")
        if not words or words[0] not in known:
            raise Broken("syntax error")

    def _run(self, text: str, described: bool = True) -> bytes:
        self.ran.append(text)
        words = text.split()
        match words[0]:
            case "fail":
                raise Broken("failed")
            case "begin":
                self.status = "T"
            case "commit" | "rollback":
                self.status = "I"
            case "prepare":
                name, _, inner = text[8:].partition(": ")
                if name.encode() in self.statements:
                    raise Broken("exists")
                self.statements[name.encode()] = inner
            case "deallocate":
                if self.statements.pop(words[1].encode(), None) is None:
                    raise Broken("no such statement")
            case "rows":
                if not words[1].isdecimal():
                    raise Broken("not a number")  # the text was mutated
                head = p.row_description(("x", 0, 0, 25, 0)) if described else b""
                return head + p.row(b"secret") * int(words[1]) + p.complete(f"SELECT {words[1]}")
            case _:
                pass
        return p.complete(words[0].upper())
