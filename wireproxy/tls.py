"""TLS on both legs: contexts, channel-binding data, and certificates that are replaced while the gateway runs."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable
from pathlib import Path

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from protocols.postgres.startup import ALPN
from wireproxy.config.model import Api, Database, Listen


class TlsError(Exception):
    """A certificate, key or CA file cannot be used. The message names the file, never what is in a key."""


def end_point(certificate: bytes) -> bytes | None:
    """tls-server-end-point of a DER certificate. Spec: RFC 5929 §4.1.

    The hash is that of the certificate's signature, SHA-256 in place of MD5 and SHA-1. None where the signature has no
    single hash (Ed25519): the RFC leaves that undefined, so such a certificate cannot be bound.
    """
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    if algorithm is None:
        return None
    if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate)
    return digest.finalize()


# --- the gateway as a server


@frozen
class ServerTls:
    """A context and the binding data of the certificate in it: they change together."""

    context: ssl.SSLContext = field(repr=False)
    binding: bytes | None


def load_server_tls(certificate: Path, key: Path, protocol: str = ALPN) -> ServerTls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # no session outlives its connection: a ticket would be one more key to keep
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    context.set_alpn_protocols([protocol])
    try:
        # a key with a passphrase would make OpenSSL ask for it on the terminal
        context.load_cert_chain(certificate, key, password=_no_passphrase)
        first = ssl.PEM_cert_to_DER_cert(_first_certificate(certificate.read_text(encoding="ascii")))
    except (OSError, ValueError) as error:
        raise TlsError(f"{certificate} and {key}: {_reason(error)}") from None
    return ServerTls(context, end_point(first))


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase; a gateway that starts alone needs one without")


def _first_certificate(text: str) -> str:
    """The chain's first certificate is the server's own. Spec: RFC 5246 §7.4.2."""
    start = text.index(ssl.PEM_HEADER)
    return text[start : text.index(ssl.PEM_FOOTER, start) + len(ssl.PEM_FOOTER)]


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not a certificate and its key").replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


class ServerCertificate:
    """The certificate of one listening port, read again when its files change.

    A pair that cannot be used (half written, or a key that does not fit) leaves the old one in use; `report` hears why.
    """

    def __init__(
        self, certificate: Path, key: Path, report: Callable[[str], None] = lambda _: None, protocol: str = ALPN
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._report = report
        self._protocol = protocol
        self._seen = self._stamp()
        self._tls = load_server_tls(certificate, key, protocol)

    def current(self) -> ServerTls:
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._tls = load_server_tls(self._certificate, self._key, self._protocol)
            except TlsError as error:
                self._report(str(error))
        return self._tls

    def _stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_file_stamp(path) for path in (self._certificate, self._key))


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def certificate_for(listen: Listen, report: Callable[[str], None] = lambda _: None) -> ServerCertificate | None:
    """None where the port has no certificate. TlsError at start when it has one that cannot be used."""
    if listen.tls_certificate is None or listen.tls_key is None:
        return None
    return ServerCertificate(listen.tls_certificate, listen.tls_key, report)


def certificate_for_api(api: Api, report: Callable[[str], None] = lambda _: None) -> ServerCertificate | None:
    if api.tls_certificate is None or api.tls_key is None:
        return None
    return ServerCertificate(api.tls_certificate, api.tls_key, report, "http/1.1")


# --- the gateway as a client


def client_context(database: Database) -> ssl.SSLContext:
    """What `tls` asks for, in libpq's words. `require` with a `tls_ca` checks the chain too, as libpq does. TlsError."""
    stamp = None if database.tls_ca is None else _file_stamp(database.tls_ca)
    return _client_context(verifies(database), database.tls == "verify-full", database.tls_ca, stamp)


@functools.lru_cache(maxsize=64)  # reading the system's authorities takes tens of milliseconds
def _client_context(verify: bool, hostname: bool, authorities: Path | None, _stamp: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols([ALPN])
    context.check_hostname = hostname
    if not verify:
        context.verify_mode = ssl.CERT_NONE
        return context
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        if authorities is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            context.load_verify_locations(authorities)
    except (OSError, ValueError) as error:
        raise TlsError(f"{authorities}: {_reason(error)}") from None
    return context


def verifies(database: Database) -> bool:
    return database.tls.startswith("verify") or (database.tls == "require" and database.tls_ca is not None)
