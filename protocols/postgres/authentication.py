"""Authentication messages and their two state machines: the gateway as a server, the gateway as a client.

Spec: PostgreSQL 55.2.1, 55.3 and 55.7 (Authentication*, PasswordMessage, SASLInitialResponse, SASLResponse).
"""

from __future__ import annotations

import enum
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass

from protocols.base import Peer, ProtocolError
from protocols.postgres.messages import frame, read_cstring
from protocols.postgres.scram import (
    LONGEST_MESSAGE_BYTES,
    SCRAM,
    SCRAM_PLUS,
    ScramClient,
    ScramError,
    ScramServer,
)

LONGEST_TOKEN_BYTES = 16_384  # a token with two hundred groups; PostgreSQL's own cap on tokens is 65,535
_INT32 = struct.Struct("!I")


class Method(enum.IntEnum):
    """The Int32 that begins the body of an Authentication message."""

    OK = 0
    KERBEROS_V5 = 2
    CLEARTEXT = 3
    MD5 = 5
    GSS = 7
    GSS_CONTINUE = 8
    SSPI = 9
    SASL = 10
    SASL_CONTINUE = 11
    SASL_FINAL = 12


def encode_authentication(method: Method, data: bytes = b"") -> bytes:
    return frame(b"R", _INT32.pack(method) + data)


AUTHENTICATION_OK = encode_authentication(Method.OK)
AUTHENTICATION_CLEARTEXT = encode_authentication(Method.CLEARTEXT)


def decode_password(body: bytes) -> bytes:
    """PasswordMessage: one string and nothing behind it."""
    password, at = read_cstring(body, 0)
    if at != len(body):
        raise ProtocolError("invalid password packet size")
    return password


def encode_password(password: bytes) -> bytes:
    if b"\0" in password:
        raise ProtocolError("a password has a zero byte in it", peer=Peer.SERVER)
    return frame(b"p", password + b"\0")


def encode_mechanisms(mechanisms: tuple[str, ...]) -> bytes:
    names = b"".join(name.encode() + b"\0" for name in mechanisms)
    return encode_authentication(Method.SASL, names + b"\0")


def decode_mechanisms(data: bytes) -> list[str]:
    names: list[str] = []
    at = 0
    while data[at : at + 1] != b"\0":
        name, at = read_cstring(data, at, Peer.SERVER)
        names.append(name.decode("ascii", "replace"))
    if at != len(data) - 1:
        raise ProtocolError("AuthenticationSASL has another length than its list", peer=Peer.SERVER)
    return names


def decode_initial_response(body: bytes) -> tuple[str, bytes]:
    """SASLInitialResponse: the mechanism and the first message."""
    mechanism, at = read_cstring(body, 0)
    length = body[at : at + 4]
    message = body[at + 4 :]
    # -1 would mean "no message yet"; no client sends it, since SCRAM begins with the client
    if len(length) != 4 or int.from_bytes(length, "big") != len(message):
        raise ProtocolError("malformed SASLInitialResponse")
    return mechanism.decode("ascii", "replace"), message


def encode_initial_response(mechanism: str, message: bytes) -> bytes:
    return frame(b"p", mechanism.encode() + b"\0" + _INT32.pack(len(message)) + message)


# --- the gateway as a server ---------------------------------------------------------------------------------------


class SaslServer:
    """Frames around a `ScramServer`: `begin()`, then for each of the client's two `p` messages `receive(body)`."""

    limit_bytes = LONGEST_MESSAGE_BYTES

    def __init__(self, scram: ScramServer) -> None:
        self._scram = scram
        self._begun = False

    @property
    def done(self) -> bool:
        return self._scram.done

    def begin(self) -> bytes:
        return encode_mechanisms(self._scram.mechanisms)

    def receive(self, body: bytes) -> bytes:
        """What to send. ScramError when the client has failed; AuthenticationOk is never sent from here."""
        if not self._begun:
            self._begun = True
            mechanism, message = decode_initial_response(body)
            return encode_authentication(Method.SASL_CONTINUE, self._scram.receive_first(mechanism, message))
        return encode_authentication(Method.SASL_FINAL, self._scram.receive_final(body))


# --- the gateway as a client ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Channel:
    """What is known of the connection to the server when authentication begins."""

    tls: bool
    binding: bytes | None = None  # tls-server-end-point of the server's certificate, where it has one
    private: bool = False  # a Unix socket or loopback: nobody else can listen


class ServerRefused(Exception):
    """Authentication at the server cannot go on. The message has no secret in it."""


class ClientAuthentication:
    """Answers the server's Authentication messages: `receive(body)` returns what to send; `done` after AuthenticationOk.

    `password` is called when the server first asks for one, so that none is read where the server trusts.

    Downgrades that are refused: a cleartext password on a channel that others can read; AuthenticationOk in the middle
    of SCRAM, before the server has proved itself; a second method after the first; SCRAM-SHA-256 without -PLUS where the
    server offers both and the certificate can be bound.
    """

    def __init__(self, user: str, password: Callable[[], str | None], nonce: str, channel: Channel) -> None:
        self._user = user
        self._password = password
        self._nonce = nonce
        self._channel = channel
        self._scram: ScramClient | None = None
        self._answered = False
        self.done = False

    def receive(self, body: bytes) -> bytes | None:
        if len(body) < 4:
            raise ProtocolError("Authentication ends early", peer=Peer.SERVER)
        if self.done:
            raise ProtocolError("Authentication after AuthenticationOk", peer=Peer.SERVER)
        code, data = _INT32.unpack_from(body)[0], body[4:]
        try:
            return self._step(code, data)
        except ScramError as error:
            raise ServerRefused(str(error)) from None

    def _step(self, code: int, data: bytes) -> bytes | None:
        if code == Method.OK:
            self._finish()
            return None
        if code == Method.SASL_CONTINUE and self._scram is not None:
            return frame(b"p", self._scram.receive_first(data))
        if code == Method.SASL_FINAL and self._scram is not None:
            self._scram.receive_final(data)
            return None
        if self._answered:
            raise ProtocolError("the server asks for a second kind of authentication", peer=Peer.SERVER)
        self._answered = True
        if code == Method.SASL:
            return self._begin_sasl(decode_mechanisms(data))
        if code == Method.CLEARTEXT:
            return self._cleartext()
        if code == Method.MD5:
            return self._md5(data)
        raise ServerRefused(f"the server asks for authentication method {code}, which is not supported")

    def _finish(self) -> None:
        if self._scram is not None and not self._scram.done:
            raise ServerRefused("the server broke off SCRAM before it had proved that it knows the password")
        self.done = True

    def _ask_password(self) -> str:
        password = self._password()
        if not password:
            raise ServerRefused("the server asks for a password, and none is configured")
        return password

    def _cleartext(self) -> bytes:
        if not (self._channel.tls or self._channel.private):
            raise ServerRefused("the server asks for the password in clear on a connection that is not encrypted")
        return encode_password(self._ask_password().encode("utf-8", "surrogateescape"))

    def _md5(self, salt: bytes) -> bytes:
        if len(salt) != 4:
            raise ProtocolError("AuthenticationMD5Password without its salt", peer=Peer.SERVER)
        password = self._ask_password().encode("utf-8", "surrogateescape")
        inner = hashlib.md5(password + self._user.encode(), usedforsecurity=False).hexdigest()
        outer = hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest()
        return encode_password(b"md5" + outer.encode())

    def _begin_sasl(self, mechanisms: list[str]) -> bytes:
        bindable = self._channel.binding is not None
        if SCRAM_PLUS in mechanisms and bindable:
            mechanism, flag = SCRAM_PLUS, "p"
        elif SCRAM in mechanisms:
            # y: "I could bind, but you did not offer it"; a server that did offer it then sees the downgrade
            mechanism, flag = SCRAM, "y" if bindable and SCRAM_PLUS not in mechanisms else "n"
        else:
            raise ServerRefused("the server offers no SASL mechanism that is supported")
        self._scram = ScramClient(
            self._ask_password(), self._nonce, mechanism, flag=flag, binding=self._channel.binding or b""
        )
        return encode_initial_response(mechanism, self._scram.first())
