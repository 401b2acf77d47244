"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both ends. Spec: RFC 5802, RFC 7677, RFC 5929 §4; PostgreSQL 55.3.1.

    client                                 server
      client-first   n,,n=,r=CNONCE  -->
                                     <--   server-first   r=CNONCE SNONCE,s=salt,i=iterations
      client-final   c=..,r=..,p=..  -->
                                     <--   server-final   v=signature

Nonces come in as arguments; nothing here reads a clock or a source of randomness. The user name inside the exchange is
ignored, as PostgreSQL does: the startup packet's counts.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
import stringprep
import unicodedata
from dataclasses import dataclass, field

SCRAM = "SCRAM-SHA-256"
SCRAM_PLUS = "SCRAM-SHA-256-PLUS"
END_POINT = "tls-server-end-point"
DEFAULT_ITERATIONS = 4096  # PostgreSQL's scram_iterations
SALT_BYTES = 16
NONCE_BYTES = 18  # before base64
LONGEST_MESSAGE_BYTES = 1024  # PG_MAX_SASL_MESSAGE_LENGTH; a longer one is no SCRAM
# A server names the iterations and the client has to run them: a million takes about a third of a second.
MOST_ITERATIONS = 1_000_000
_KEY_BYTES = 32


class ScramError(Exception):
    """The exchange failed. The message says why, for the log; it has no secret in it.

    `sqlstate` is 08P01 for a broken message and 28P01 for a proof that does not fit.
    """

    def __init__(self, message: str, *, sqlstate: str = "08P01") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


# --- passwords and verifiers ---------------------------------------------------------------------------------------


def prepare_password(password: str) -> bytes:
    """SASLprep (RFC 4013) as PostgreSQL does it: ASCII as it is, and what SASLprep refuses is used unprepared."""
    if password.isascii():
        return password.encode("ascii")
    raw = password.encode("utf-8", "surrogateescape")
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    if not mapped or _prohibited(mapped) or _breaks_bidi(mapped):
        return raw
    return unicodedata.normalize("NFKC", mapped).encode()


_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def _prohibited(mapped: str) -> bool:
    # RFC 4013 would look at the normalized text; PostgreSQL looks at what was normalized, and its verifiers decide
    return any(table(char) for char in mapped for table in _PROHIBITED)


def _breaks_bidi(mapped: str) -> bool:
    """RFC 3454 §6: right-to-left text has no left-to-right letter in it, and both its ends are right-to-left."""
    if not any(stringprep.in_table_d1(char) for char in mapped):
        return False
    ends_right = stringprep.in_table_d1(mapped[0]) and stringprep.in_table_d1(mapped[-1])
    return not ends_right or any(stringprep.in_table_d2(char) for char in mapped)


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a server keeps instead of a password. Spec: RFC 5802 §3."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def __str__(self) -> str:
        """PostgreSQL's form of pg_authid.rolpassword. Spec: PostgreSQL 53.8."""
        salt, stored, server = (_encode64(part) for part in (self.salt, self.stored_key, self.server_key))
        return f"{SCRAM}${self.iterations}:{salt}${stored}:{server}"


def make_verifier(password: str, salt: bytes, iterations: int = DEFAULT_ITERATIONS) -> Verifier:
    client_key, server_key = _keys(_salted(password, salt, iterations))
    return Verifier(iterations, salt, hashlib.sha256(client_key).digest(), server_key)


def parse_verifier(text: str) -> Verifier:
    """ValueError if it is not `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`; the message never repeats it."""
    try:
        scheme, head, keys = text.strip().split("$")
        iterations, salt = head.split(":")
        stored, server = (_decode64(key) for key in keys.split(":"))
        count, salt_bytes = int(iterations), _decode64(salt)
    except ValueError:
        raise ValueError(f"a verifier has the form {SCRAM}$iterations:salt$StoredKey:ServerKey") from None
    if scheme != SCRAM or not iterations.isdecimal() or count < 1 or not salt_bytes:
        raise ValueError(f"a verifier begins with {SCRAM}$iterations:salt")
    if len(stored) != _KEY_BYTES or len(server) != _KEY_BYTES:
        raise ValueError(f"the keys of a verifier are {_KEY_BYTES} bytes long, in base64")
    return Verifier(count, salt_bytes, stored, server)


def mock_verifier(
    key: bytes, user: str, iterations: int = DEFAULT_ITERATIONS, salt_bytes: int = SALT_BYTES
) -> Verifier:
    """For a user that does not exist: the same salt at every attempt, and no password fits.

    A salt that changed, or an error before the password was asked for, would tell which users exist.
    """
    name = user.encode("utf-8", "surrogateescape")
    # what no one can know: the keys are no hashes of any password
    salt, stored, server = (hmac.digest(key, label + name, "sha256") for label in (b"salt:", b"stored:", b"server:"))
    stretched = hashlib.shake_256(salt).digest(salt_bytes)
    return Verifier(iterations, stretched, stored, server)


def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", prepare_password(password), salt, iterations)


def _keys(salted: bytes) -> tuple[bytes, bytes]:
    return hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")


def _encode64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode64(text: str | bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


# --- messages ------------------------------------------------------------------------------------------------------


def _attributes(message: bytes) -> list[tuple[str, str]]:
    """`r=…,s=…` as pairs. Spec: RFC 5802 §7, attr-val: one letter, '=', and no comma in a value."""
    if len(message) > LONGEST_MESSAGE_BYTES:
        raise ScramError("SCRAM message too long")
    try:
        text = message.decode("utf-8")
    except UnicodeDecodeError:
        raise ScramError("malformed SCRAM message: not UTF-8") from None
    if "\0" in text:
        raise ScramError("malformed SCRAM message: zero byte")
    pairs = []
    for part in text.split(","):
        name, equals, value = part[:1], part[1:2], part[2:]
        if not (name.isascii() and name.isalpha() and equals == "="):
            raise ScramError("malformed SCRAM message: attribute expected")
        if name == "m":
            raise ScramError("malformed SCRAM message: a mandatory extension is not supported")
        pairs.append((name, value))
    return pairs


def _take(pairs: list[tuple[str, str]], name: str) -> str:
    """The next attribute's value; the order of those that are named by RFC 5802 is fixed."""
    if not pairs or pairs[0][0] != name:
        raise ScramError(f'malformed SCRAM message: attribute "{name}" expected')
    return pairs.pop(0)[1]


def _take_base64(pairs: list[tuple[str, str]], name: str) -> bytes:
    try:
        return _decode64(_take(pairs, name))
    except ValueError:
        raise ScramError(f'malformed SCRAM message: attribute "{name}" is not base64') from None


def _is_nonce(text: str) -> bool:
    return bool(text) and all("!" <= char <= "~" and char != "," for char in text)


# --- the server's end ----------------------------------------------------------------------------------------------


class _Step(enum.Enum):
    FIRST = enum.auto()
    FINAL = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


class ScramServer:
    """The gateway towards its client: feed it what the client sends, send what it returns; `done` only on success.

    `binding` is the tls-server-end-point data of the certificate that this connection was shown, None without TLS.
    `genuine` is False for a mock verifier: then no proof is good enough.
    """

    def __init__(self, verifier: Verifier, nonce: str, *, binding: bytes | None = None, genuine: bool = True) -> None:
        self._verifier = verifier
        self._server_nonce = nonce
        self._binding = binding
        self._genuine = genuine
        self._step = _Step.FIRST
        self._gs2_header = ""
        self._nonce = ""
        self._auth_message = b""
        self._plus = False

    @property
    def mechanisms(self) -> tuple[str, ...]:
        return (SCRAM,) if self._binding is None else (SCRAM_PLUS, SCRAM)

    @property
    def done(self) -> bool:
        return self._step is _Step.DONE

    def receive_first(self, mechanism: str, message: bytes) -> bytes:
        step, self._step = self._step, _Step.FAILED
        if step is not _Step.FIRST:
            raise ScramError("client-first out of turn")
        if mechanism not in self.mechanisms:
            raise ScramError("client selected an invalid SASL authentication mechanism")
        self._plus = mechanism == SCRAM_PLUS
        bare = self._read_gs2_header(message)
        pairs = _attributes(bare)
        _take(pairs, "n")
        client_nonce = _take(pairs, "r")
        if not _is_nonce(client_nonce):
            raise ScramError("non-printable characters in SCRAM nonce")
        self._nonce = client_nonce + self._server_nonce
        salt = _encode64(self._verifier.salt)
        answer = f"r={self._nonce},s={salt},i={self._verifier.iterations}".encode()
        self._auth_message = bare + b"," + answer + b","
        self._step = _Step.FINAL
        return answer

    def _read_gs2_header(self, message: bytes) -> bytes:
        """client-first-message-bare. Spec: RFC 5802 §5.1 and §6, gs2-cbind-flag."""
        if len(message) > LONGEST_MESSAGE_BYTES:
            raise ScramError("SCRAM message too long")
        parts = message.split(b",", 2)
        if len(parts) != 3:
            raise ScramError("malformed SCRAM message: no GS2 header")
        flag, authzid, bare = parts
        if authzid:
            raise ScramError("client uses authorization identity, but it is not supported", sqlstate="0A000")
        if flag not in (b"n", b"y", b"p=" + END_POINT.encode()):
            raise ScramError("malformed SCRAM message: unexpected channel-binding flag or type")
        if flag.startswith(b"p") != self._plus:
            raise ScramError("the client's channel binding does not go with the mechanism that it selected")
        if flag == b"y" and self._binding is not None:
            # somebody between the two has taken -PLUS out of the list: the downgrade that this flag is there to show
            raise ScramError(
                "SCRAM channel binding negotiation error: the client supports it but thinks the server does not",
                sqlstate="28000",
            )
        self._gs2_header = (flag + b",,").decode("ascii")
        return bare

    def receive_final(self, message: bytes) -> bytes:
        """server-final, or ScramError: with 28P01 when the proof does not fit."""
        step, self._step = self._step, _Step.FAILED
        if step is not _Step.FINAL:
            raise ScramError("client-final out of turn")
        without_proof, comma, _ = message.rpartition(b",p=")
        pairs = _attributes(message)
        binding = _take_base64(pairs, "c")
        nonce = _take(pairs, "r")
        while len(pairs) > 1 and pairs[0][0] != "p":
            pairs.pop(0)  # optional extensions are ignored. Spec: RFC 5802 §7
        proof = _take_base64(pairs, "p")
        if pairs or not comma or len(proof) != _KEY_BYTES:
            raise ScramError("malformed SCRAM message: the proof")
        expected = self._gs2_header.encode() + ((self._binding or b"") if self._plus else b"")
        if not hmac.compare_digest(binding, expected):
            raise ScramError("SCRAM channel binding check failed", sqlstate="28000")
        if not hmac.compare_digest(nonce.encode(), self._nonce.encode()):
            raise ScramError("malformed SCRAM message: nonce does not match")
        return self._verify(self._auth_message + without_proof, proof)

    def _verify(self, auth_message: bytes, proof: bytes) -> bytes:
        signature = hmac.digest(self._verifier.stored_key, auth_message, "sha256")
        client_key = _xor(proof, signature)
        fits = hmac.compare_digest(hashlib.sha256(client_key).digest(), self._verifier.stored_key)
        if not (fits and self._genuine):
            raise ScramError("the password does not match" if self._genuine else "no such user", sqlstate="28P01")
        self._step = _Step.DONE
        return b"v=" + base64.b64encode(hmac.digest(self._verifier.server_key, auth_message, "sha256"))


# --- the client's end ----------------------------------------------------------------------------------------------


class ScramClient:
    """The gateway towards the database. `done` only once the server has proved that it knows the password too."""

    def __init__(self, password: str, nonce: str, mechanism: str, *, flag: str, binding: bytes = b"") -> None:
        """`flag` is the GS2 channel-binding flag: n, y, or p for SCRAM-SHA-256-PLUS with `binding`."""
        if (mechanism == SCRAM_PLUS) != (flag == "p"):
            raise ScramError("channel binding goes with SCRAM-SHA-256-PLUS alone")
        self.mechanism = mechanism
        self._password = password
        self._nonce = nonce
        self._header = (f"p={END_POINT}" if flag == "p" else flag) + ",,"
        self._binding = binding
        self._bare = f"n=,r={nonce}"
        self._auth_message = b""
        self._server_key = b""
        self._step = _Step.FIRST

    @property
    def done(self) -> bool:
        return self._step is _Step.DONE

    def first(self) -> bytes:
        return (self._header + self._bare).encode()

    def receive_first(self, message: bytes) -> bytes:
        """client-final. Runs the iterations: the caller keeps it off a thread that others wait for."""
        step, self._step = self._step, _Step.FAILED
        if step is not _Step.FIRST:
            raise ScramError("server-first out of turn")
        pairs = _attributes(message)
        nonce = _take(pairs, "r")
        salt = _take_base64(pairs, "s")
        iterations = _take(pairs, "i")
        if not (_is_nonce(nonce) and nonce.startswith(self._nonce) and len(nonce) > len(self._nonce)):
            raise ScramError("the server's nonce does not begin with the client's")
        if not (iterations.isascii() and iterations.isdecimal() and 1 <= int(iterations[:10]) <= MOST_ITERATIONS):
            raise ScramError("the server asks for a number of iterations out of reason")
        if not salt:
            raise ScramError("the server's salt is empty")
        client_key, self._server_key = _keys(_salted(self._password, salt, int(iterations)))
        binding = _encode64(self._header.encode() + (self._binding if self.mechanism == SCRAM_PLUS else b""))
        without_proof = f"c={binding},r={nonce}".encode()
        self._auth_message = self._bare.encode() + b"," + message + b"," + without_proof
        stored_key = hashlib.sha256(client_key).digest()
        proof = _xor(client_key, hmac.digest(stored_key, self._auth_message, "sha256"))
        self._step = _Step.FINAL
        return without_proof + b",p=" + base64.b64encode(proof)

    def receive_final(self, message: bytes) -> None:
        step, self._step = self._step, _Step.FAILED
        if step is not _Step.FINAL:
            raise ScramError("server-final out of turn")
        pairs = _attributes(message)
        if pairs[0][0] == "e":
            raise ScramError("the server refused the proof", sqlstate="28P01")
        signature = _take_base64(pairs, "v")
        expected = hmac.digest(self._server_key, self._auth_message, "sha256")
        if not hmac.compare_digest(signature, expected):
            raise ScramError("the server does not know the password: it is not the one it claims to be")
        self._step = _Step.DONE
