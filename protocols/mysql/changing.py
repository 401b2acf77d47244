"""COM_CHANGE_USER: the client proves anew who it is, and the connection is as new.

Theory of operation. The gateway answers it, since it is the gateway that knows the client: `UserChanging` tells of the command, the
packets of the proof go to and fro, and then it is `allowed` or refused. A change that is allowed becomes COM_RESET_CONNECTION for
the server, whose account stays: both drop every setting, temporary table and prepared statement.

    NONE ── COM_CHANGE_USER ──> DECIDING ── send ──> READING ── the client's packet ──> DECIDING … ── allowed, refused ──> NONE

Spec: MySQL, "COM_CHANGE_USER", "Protocol::AuthSwitchRequest".
"""

from __future__ import annotations

import enum
from typing import Final

from protocols.base import ProtocolError
from protocols.mysql.capabilities import Capability
from protocols.mysql.exchange import Exchange
from protocols.mysql.handshake import HandshakeResponse, decode_attributes
from protocols.mysql.messages import Command
from protocols.mysql.packets import FULL_PAYLOAD, HEADER_BYTES, Cursor, frame
from protocols.mysql.shared import LoginPacket, Shared, UserChanging

LONGEST_CHANGE_BYTES: Final = 80 * 1024  # connection attributes may take 64 KiB
LONGEST_PROOF_BYTES: Final = 64 * 1024


class Step(enum.Enum):
    NONE = "none"
    DECIDING = "deciding"
    READING = "reading"


def decode_change_user(payload: bytes, flags: Capability) -> HandshakeResponse:
    """The command in the form of a handshake response, which says the same things."""
    cursor = Cursor(payload, 1)
    user = cursor.read_cstring()
    proof = cursor.read_bytes(cursor.read_int(1))
    database = cursor.read_cstring() or None
    charset = cursor.read_int(2) if cursor.left else 0
    plugin = ""
    if flags & Capability.PLUGIN_AUTH and cursor.left:
        plugin = cursor.read_cstring().decode("ascii", "replace")
    attributes: dict[str, str] = {}
    if flags & Capability.CONNECT_ATTRS and cursor.left:
        attributes = decode_attributes(cursor.read_lenenc())
    return HandshakeResponse(flags, 0, charset, user, proof, database, plugin, attributes)


class UserChange:
    """The one that is under way, if any."""

    __slots__ = ("_sequence", "shared", "step")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.step = Step.NONE
        self._sequence = 0  # of the next packet, whoever sends it

    def begin(self, payload: bytes, sequence: int) -> None:
        self.shared.effects.append(UserChanging(decode_change_user(payload, self.shared.capabilities)))
        self._sequence = sequence
        self.step = Step.DECIDING

    def read(self, buffer: bytes, at: int) -> tuple[int, int]:
        """A packet of the proof: where the next begins, and how many bytes are needed; 0: it was here."""
        if len(buffer) - at < HEADER_BYTES:
            return at, HEADER_BYTES
        length = int.from_bytes(buffer[at : at + 3], "little")
        if length > LONGEST_PROOF_BYTES or length == FULL_PAYLOAD:
            raise ProtocolError("a proof is longer than one can be", sqlstate="54000")
        if buffer[at + 3] != self._sequence & 0xFF:
            raise ProtocolError("packets out of order", sqlstate="08S01")
        end = at + HEADER_BYTES + length
        if end > len(buffer):
            return at, end - at
        self._sequence += 1
        self.step = Step.DECIDING
        self.shared.effects.append(LoginPacket(buffer[at + HEADER_BYTES : end]))
        return end, 0

    def send(self, payload: bytes, *, reads: bool) -> None:
        """A packet of the gateway's. `reads`: the client answers it."""
        assert self.step is Step.DECIDING
        self.shared.to_client.append(frame(payload, self._sequence))
        self._sequence += 1
        if reads:
            self.step = Step.READING

    def allowed(self) -> None:
        assert self.step is Step.DECIDING
        self.step = Step.NONE
        self.shared.to_server.append(frame(bytes((Command.RESET_CONNECTION,))))
        exchange = Exchange(Command.RESET_CONNECTION, 1)
        exchange.shift = self._sequence - 1  # its OK is the last packet of the client's login
        self.shared.exchange = exchange

    @property
    def next_sequence(self) -> int | None:
        """Of an ERR packet; None: no change is under way."""
        return None if self.step is Step.NONE else self._sequence
