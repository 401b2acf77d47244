"""Commands cut out of the client's bytes: whole, as far as a limit allows, or streamed."""

from __future__ import annotations

from collections.abc import Callable

from protocols.base import CopyReader, ProtocolError, Question
from protocols.mysql.attributes import Named
from protocols.mysql.messages import Command
from protocols.mysql.packets import FULL_PAYLOAD, HEADER_BYTES
from protocols.mysql.prepared import Bound, Prepared


class Waiting:
    """A command whose question is open."""

    __slots__ = (
        "bound",
        "command",
        "file_reader",
        "gives_file",
        "head",
        "named",
        "opens_cursor",
        "packets",
        "prepared",
        "question",
        "sequence",
        "told",
    )

    def __init__(
        self,
        command: Command,
        packets: bytes,
        sequence: int,
        question: Question,
        prepared: Prepared | None = None,
        bound: Bound | None = None,
        *,
        opens_cursor: bool = False,
    ) -> None:
        self.command = command
        self.packets = packets  # as they go out if they may
        self.sequence = sequence  # of the answer's first packet
        self.question = question
        self.prepared = prepared
        self.bound = bound
        self.opens_cursor = opens_cursor
        self.gives_file = False
        self.file_reader: CopyReader | None = None  # looks at that file
        self.told = 0  # packets that the client got while it waits: its answer is numbered behind them
        self.head = bytes((command,))  # what stands in front of the text, as the server is sent it
        self.named: Named | None = None  # of an execution: what the server gets beside its parameters


class Stream:
    """The rest of a command that is not kept: passed on, thrown away, or both kept in part and passed on."""

    __slots__ = ("left", "more", "sequence", "sink")

    def __init__(self, left: int, more: bool, sequence: int, sink: Callable[[bytes, bool], None]) -> None:
        self.left = left  # bytes of the current packet
        self.more = more  # another packet follows
        self.sequence = sequence  # of that
        self.sink = sink  # given bytes, and whether they are payload


def assemble(buffer: bytes, at: int, limit: int) -> tuple[bytes | None, int, int]:
    """The payload, where it ends, and its last sequence id. No payload: it is over the limit. End -1: more bytes are needed."""
    parts: list[bytes] = []
    total = 0
    start = at
    sequence = 0
    while True:
        if len(buffer) - at < HEADER_BYTES:
            return None, -1, at - start + HEADER_BYTES
        length = int.from_bytes(buffer[at : at + 3], "little")
        if buffer[at + 3] != sequence & 0xFF:
            raise ProtocolError("packets out of order", sqlstate="08S01")
        total += length
        end = at + HEADER_BYTES + length
        if total > limit:
            # as much of it as the limit allows is what can be shown and recorded
            needed = min(end, at + HEADER_BYTES + limit - (total - length))
            return (None, 0, sequence) if len(buffer) >= needed else (None, -1, needed - start)
        if end > len(buffer):
            return None, -1, end - start
        parts.append(buffer[at + HEADER_BYTES : end])
        if length < FULL_PAYLOAD:
            return (parts[0] if len(parts) == 1 else b"".join(parts)), end, sequence
        at = end
        sequence += 1


def beginning(buffer: bytes, at: int, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size < limit and len(buffer) - at > HEADER_BYTES:
        length = int.from_bytes(buffer[at : at + 3], "little")
        part = buffer[at + HEADER_BYTES : at + HEADER_BYTES + min(length, limit - size)]
        parts.append(part)
        size += len(part)
        at += HEADER_BYTES + length
    return b"".join(parts)


def quoted(name: bytes) -> bytes:
    return b"`" + name.replace(b"`", b"``") + b"`"
