"""Proving who one is, in both roles: the gateway as a server to its clients, and as a client of the target.

As a server the gateway holds what MySQL holds, the stored form of caching_sha2_password. Its first login of a user needs the
password itself (under TLS, or encrypted with the gateway's RSA key); afterwards a digest in memory answers the fast way. A name
without a verifier may bring a token as mysql_clear_password, and that under TLS alone.

Spec: MySQL, "Authentication Methods", "Caching SHA-2 Authentication"; MariaDB, "Authentication Plugins".
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Final, NamedTuple, Protocol

from protocols.base import Peer, ProtocolError
from protocols.mysql import ed25519
from protocols.mysql.capabilities import Capability
from protocols.mysql.handshake import NONCE_BYTES, HandshakeResponse
from protocols.mysql.messages import EOF, MORE_DATA, decode_err

CACHING_SHA2: Final = "caching_sha2_password"
NATIVE: Final = "mysql_native_password"
CLEAR: Final = "mysql_clear_password"
ED25519: Final = "client_ed25519"
LONGEST_PROOF_BYTES: Final = 64 * 1024  # of a packet that proves something; tokens are some kilobytes
_REQUEST_KEY: Final = b"\x02"
_FAST_OK: Final = bytes((MORE_DATA, 3))
_FULL: Final = bytes((MORE_DATA, 4))


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def _over(data: bytes, key: bytes) -> bytes:
    """XOR with a key that repeats."""
    return bytes(byte ^ key[index % len(key)] for index, byte in enumerate(data))


def cached_digest(password: bytes) -> bytes:
    """What caching_sha2_password keeps in memory of a password that was right."""
    return sha256(sha256(password).digest()).digest()


def caching_sha2_proof(password: bytes, nonce: bytes) -> bytes:
    if not password:
        return b""
    return _xor(sha256(password).digest(), sha256(cached_digest(password) + nonce).digest())


def check_caching_sha2(proof: bytes, nonce: bytes, digest: bytes) -> bool:
    """Whether the proof was made from the password of this digest."""
    if len(proof) != 32:
        return False
    found = sha256(_xor(proof, sha256(digest + nonce).digest())).digest()
    return hmac.compare_digest(found, digest)


def native_proof(password: bytes, nonce: bytes) -> bytes:
    if not password:
        return b""
    inner = sha1(password).digest()  # noqa: S324  the method is what it is
    return _xor(inner, sha1(nonce + sha1(inner).digest()).digest())  # noqa: S324


def read_native_verifier(text: str) -> bytes:
    """`*` and 40 hexadecimal digits, as `mysql.user` keeps them: SHA-1 twice. Raises ValueError."""
    if len(text) != 41 or text[0] != "*":
        raise ValueError("is not a * and 40 hexadecimal digits")
    return bytes.fromhex(text[1:])


def make_native_verifier(password: str) -> str:
    raw = password.encode("utf-8", "surrogateescape")
    return "*" + sha1(sha1(raw).digest()).hexdigest().upper()  # noqa: S324


def check_native(proof: bytes, nonce: bytes, stored: bytes) -> bool:
    """Whether the proof was made from the password that `stored` was made from."""
    if len(proof) != 20:
        return False
    inner = _xor(proof, sha1(nonce + stored).digest())  # noqa: S324
    return hmac.compare_digest(sha1(inner).digest(), stored)  # noqa: S324


# --- the gateway as a server


class RsaKey(Protocol):
    """The gateway's key pair for passwords that come without TLS."""

    @property
    def public_pem(self) -> bytes: ...

    def decrypt(self, data: bytes) -> bytes:
        """OAEP with SHA-1 (Spec: sha256_password). ValueError when it cannot be."""
        ...


class Send(NamedTuple):
    """Send this payload; the client's next packet is for `receive`."""

    payload: bytes


class Proved(NamedTuple):
    """The proof is right. `last` goes before the OK packet, where there is one to go."""

    last: bytes | None


class CheckPassword(NamedTuple):
    """The client said its password; whether it is right is for the verifier to say."""

    password: bytes


class CheckToken(NamedTuple):
    token: bytes


class Failed(NamedTuple):
    """The proof is wrong, or there is none. `reason` is for the log; `guessed` says that a password was tried."""

    reason: str
    guessed: bool


Step = Send | Proved | CheckPassword | CheckToken | Failed


class ServerAuthentication:
    """One client's login. `digest` is what is in memory of the user's password; None: nothing yet, or no such user. `native`: what
    a proof of mysql_native_password is compared with; None: the method is not to be had. `sha2`: caching_sha2_password is.
    """

    def __init__(
        self,
        response: HandshakeResponse,
        nonce: bytes,
        *,
        token: bool,
        digest: bytes | None,
        tls: bool,
        rsa: RsaKey | None,
        native: bytes | None = None,
        sha2: bool = True,
    ) -> None:
        self._response = response
        self._nonce = nonce
        self._token = token
        self._digest = digest
        self._tls = tls
        self._rsa = rsa
        self._native = native
        self._sha2 = sha2
        self._expect: Callable[[bytes], Step] = self._nothing

    def begin(self) -> Step:
        """The proof of the handshake response, where it is one of the method that the user has; else a switch to that."""
        response = self._response
        names_plugin = bool(response.capabilities & Capability.PLUGIN_AUTH)
        plugin, expect = self._method()
        if plugin == NATIVE and not names_plugin:
            return self._native_proof(response.proof)  # of a client that knows no other
        if not names_plugin:
            return Failed(f"the client cannot do {plugin}", False)
        # a client that was told to use another method than the greeting's leaves the proof out, and waits to be asked for it
        if response.plugin == plugin and response.proof:
            return expect(response.proof)
        return self._switch(plugin, expect)

    def begin_again(self) -> Step:
        """COM_CHANGE_USER: always with a new nonce, since the old one has been used."""
        if not self._response.capabilities & Capability.PLUGIN_AUTH:
            return Failed("the client cannot be asked for a new proof", False)
        return self._switch(*self._method())

    def _method(self) -> tuple[str, Callable[[bytes], Step]]:
        if self._token:
            return CLEAR, self._clear
        if self._native is not None and (not self._sha2 or self._response.plugin in (NATIVE, "")):
            return NATIVE, self._native_proof
        if self._tls and self._response.plugin == CLEAR:
            return CLEAR, self._password
        return CACHING_SHA2, self._scramble

    def _switch(self, plugin: str, expect: Callable[[bytes], Step]) -> Step:
        if plugin == CLEAR and not self._tls:
            return Failed("a token may come under TLS alone", False)
        self._expect = expect
        return Send(bytes((EOF,)) + plugin.encode() + b"\0" + self._nonce + b"\0")

    def receive(self, payload: bytes) -> Step:
        expect, self._expect = self._expect, self._nothing
        return expect(payload)

    def _nothing(self, _payload: bytes) -> Step:
        raise ProtocolError("a packet of a login that is over")

    def _clear(self, payload: bytes) -> Step:
        if not self._tls:
            # it has been said now, but nothing is done that would make a client of it that works
            return Failed("a token came without TLS", False)
        return CheckToken(payload.removesuffix(b"\0"))

    def _password(self, payload: bytes) -> Step:
        return CheckPassword(payload.removesuffix(b"\0"))

    def _native_proof(self, proof: bytes) -> Step:
        assert self._native is not None
        if not proof:
            return Failed("no password was given", False)
        if check_native(proof, self._nonce, self._native):
            return Proved(None)
        return Failed("wrong password", True)

    def _scramble(self, proof: bytes) -> Step:
        if not proof:
            return Failed("no password was given", False)
        if len(proof) != 32:
            return Failed("the proof is none of caching_sha2_password", True)
        if self._digest is not None and check_caching_sha2(proof, self._nonce, self._digest):
            return Proved(_FAST_OK)
        # not the password of the digest, which may be an old one: the verifier has the last word
        self._expect = self._full
        return Send(_FULL)

    def _full(self, payload: bytes) -> Step:
        if self._tls:
            return CheckPassword(payload.removesuffix(b"\0"))
        if self._rsa is None:
            return Failed("a password may come under TLS alone", False)
        if payload == _REQUEST_KEY:
            self._expect = self._encrypted
            return Send(bytes((MORE_DATA,)) + self._rsa.public_pem)
        return self._encrypted(payload)

    def _encrypted(self, payload: bytes) -> Step:
        assert self._rsa is not None
        try:
            plain = self._rsa.decrypt(payload)
        except ValueError:
            return Failed("the password is not encrypted with the gateway's key", True)
        return CheckPassword(_over(plain, self._nonce).removesuffix(b"\0"))


# --- the gateway as a client


class ServerRefused(Exception):
    """The target did not let the gateway in. The message is the server's own: for the log, never for a client."""

    def __init__(self, errno: int, sqlstate: str, message: str) -> None:
        super().__init__(f"{errno} ({sqlstate}): {message}")
        self.errno = errno
        self.sqlstate = sqlstate
        self.message = message


Encrypt = Callable[[bytes, bytes], bytes]  # the server's public key (PEM), the data -> OAEP with SHA-1


class Channel(NamedTuple):
    """`encrypted`: under TLS. `private`: nobody is in between (a Unix socket, loopback)."""

    encrypted: bool
    private: bool


class ClientAuthentication:
    """The gateway's login at a target. `password` is asked for when it is needed, and not kept."""

    def __init__(self, password: Callable[[], bytes | None], channel: Channel, encrypt: Encrypt) -> None:
        self._password = password
        self._channel = channel
        self._encrypt = encrypt
        self._plugin = ""
        self._nonce = b""
        self._switched = False
        self._wants_key = False
        self.done = False

    def first(self, plugin: str, nonce: bytes) -> tuple[str, bytes]:
        """The plugin to name in the handshake response, and its proof. One that is not known here is left to a switch."""
        self._plugin = plugin if plugin in (CACHING_SHA2, NATIVE, ED25519) else CACHING_SHA2
        self._nonce = nonce
        if plugin == ED25519:
            return plugin, b""  # its nonce is longer than the greeting's: it comes with the switch
        return self._plugin, self._proof()

    def receive(self, payload: bytes) -> bytes | None:
        """What to answer; None while nothing is. Raises ServerRefused, ProtocolError."""
        match payload[:1]:
            case b"\x00":
                self.done = True
                return None
            case b"\xff":
                err = decode_err(payload)
                raise ServerRefused(
                    err.errno, err.sqlstate.decode("ascii", "replace"), err.message.decode("utf-8", "replace")
                )
            case b"\xfe":
                return self._switch(payload)
            case b"\x01":
                return self._more(payload[1:])
            case _:
                raise ProtocolError("the server sent something else than authentication", peer=Peer.SERVER)

    def _switch(self, payload: bytes) -> bytes:
        if self._switched:
            raise ProtocolError("the server asks for a second authentication method", peer=Peer.SERVER)
        self._switched = True
        name, _, nonce = payload[1:].partition(b"\0")
        plugin = name.decode("ascii", "replace")
        if plugin not in (CACHING_SHA2, NATIVE, ED25519, CLEAR):
            raise ProtocolError(
                f"the server asks for {plugin or 'a method of before 4.1'}, which the gateway cannot do",
                peer=Peer.SERVER,
            )
        self._plugin = plugin
        length = 32 if plugin == ED25519 else NONCE_BYTES
        self._nonce = nonce[:length]
        if len(self._nonce) != length and plugin != CLEAR:
            raise ProtocolError("the server's nonce is too short", peer=Peer.SERVER)
        return self._proof()

    def _secret(self) -> bytes:
        return self._password() or b""

    def _proof(self) -> bytes:
        match self._plugin:
            case "mysql_native_password":
                return native_proof(self._secret(), self._nonce)
            case "client_ed25519":
                return ed25519.sign(self._secret(), self._nonce)
            case "mysql_clear_password":
                self._check_private()
                return self._secret() + b"\0"
            case _:
                return caching_sha2_proof(self._secret(), self._nonce)

    def _check_private(self) -> None:
        if not self._channel.encrypted:
            raise ProtocolError("the server asks for the password in clear, and there is no TLS", peer=Peer.SERVER)

    def _more(self, data: bytes) -> bytes | None:
        if self._plugin != CACHING_SHA2:
            raise ProtocolError("the server continues a method that has only one step", peer=Peer.SERVER)
        if self._wants_key:
            self._wants_key = False
            return self._encrypt(data, _over(self._secret() + b"\0", self._nonce))
        match data:
            case b"\x03":
                return None
            case b"\x04" if self._channel.encrypted:
                return self._secret() + b"\0"
            case b"\x04" if self._channel.private:
                # a key that came without TLS is whose ever sits in between: nobody does here
                self._wants_key = True
                return _REQUEST_KEY
            case b"\x04":
                raise ProtocolError("the server wants the password itself, and there is no TLS", peer=Peer.SERVER)
            case _:
                raise ProtocolError("the server continues the login in an unknown way", peer=Peer.SERVER)
