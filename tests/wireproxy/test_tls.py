"""Certificates: what they bind to, how they are replaced, and what each client mode asks of the other side."""

from __future__ import annotations

import datetime
import hashlib
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

from tests.support.front_door import LISTEN, a_database
from wireproxy.config.model import TlsMode
from wireproxy.tls import ServerCertificate, TlsError, certificate_for, client_context, end_point, load_server_tls

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def a_certificate(
    key: Key, algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None, **options: object
) -> bytes:
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
    )
    signed = builder.sign(key, algorithm, **options)  # type: ignore[arg-type]
    return signed.public_bytes(serialization.Encoding.DER)


EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        (a_certificate(EC_KEY, hashes.SHA256()), "sha256"),
        (a_certificate(EC_KEY, hashes.SHA384()), "sha384"),
        (a_certificate(RSA_KEY, hashes.SHA512()), "sha512"),
        (
            a_certificate(
                RSA_KEY, hashes.SHA384(), rsa_padding=padding.PSS(padding.MGF1(hashes.SHA384()), salt_length=48)
            ),
            "sha384",
        ),
    ],
    ids=["ec-sha256", "ec-sha384", "rsa-sha512", "pss-sha384"],
)
def test_a_certificate_is_bound_by_the_hash_of_its_own_signature(certificate: bytes, name: str) -> None:
    assert end_point(certificate) == hashlib.new(name, certificate).digest()


def test_an_old_hash_is_replaced_by_sha256() -> None:
    # Spec: RFC 5929 §4.1. SHA-1 cannot be signed with any more: its identifier is put in place of SHA-256's
    sha256_with_rsa = bytes.fromhex("2a864886f70d01010b")
    old = a_certificate(RSA_KEY, hashes.SHA256()).replace(sha256_with_rsa, bytes.fromhex("2a864886f70d010105"))
    assert end_point(old) == hashlib.sha256(old).digest()


def test_a_signature_without_one_hash_cannot_be_bound() -> None:
    assert end_point(a_certificate(ed25519.Ed25519PrivateKey.generate(), None)) is None
    assert end_point(b"no certificate") is None


def write(folder: Path, authority: trustme.CA) -> tuple[Path, Path]:
    issued = authority.issue_cert("localhost")
    certificate, key = folder / "server.crt", folder / "server.key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def test_a_replaced_certificate_is_used_with_its_own_binding(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = ServerCertificate(*write(tmp_path, authority))
    before = certificate.current()
    assert certificate.current() is before
    write(tmp_path, authority)
    after = certificate.current()
    assert after.context is not before.context
    assert after.binding != before.binding
    der = ssl.PEM_cert_to_DER_cert((tmp_path / "server.crt").read_text().split("-----END")[0] + ssl.PEM_FOOTER)
    assert after.binding == hashlib.sha256(der).digest()


@pytest.mark.parametrize("broken", ["server.crt", "server.key"])
def test_a_half_written_certificate_leaves_the_old_one_in_use(tmp_path: Path, broken: str) -> None:
    said: list[str] = []
    certificate = ServerCertificate(*write(tmp_path, trustme.CA()), said.append)
    before = certificate.current()
    (tmp_path / broken).write_text("-----BEGIN CERTIFICATE-----\n")
    assert certificate.current() is before
    assert certificate.current() is before
    assert len(said) == 1, "told once, not at every connection"
    (tmp_path / broken).unlink()
    assert certificate.current() is before


def test_a_key_that_does_not_fit_or_has_a_passphrase_is_refused_at_the_start(tmp_path: Path) -> None:
    certificate, key = write(tmp_path, trustme.CA())
    key.write_bytes(trustme.CA().issue_cert("localhost").private_key_pem.bytes())
    with pytest.raises(TlsError, match=r"server\.key"):
        load_server_tls(certificate, key)
    key.write_bytes(
        EC_KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(TlsError, match="passphrase"):
        load_server_tls(certificate, key)
    with pytest.raises(TlsError):
        load_server_tls(tmp_path / "missing.crt", key)


def test_old_versions_of_tls_are_not_spoken(tmp_path: Path) -> None:
    tls = load_server_tls(*write(tmp_path, trustme.CA()))
    assert tls.context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert client_context(a_database(tls="require")).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_port_without_a_certificate_has_none() -> None:
    assert certificate_for(LISTEN) is None


@pytest.mark.parametrize(
    ("mode", "with_ca", "verifies", "hostname"),
    [
        ("prefer", False, False, False),
        ("prefer", True, False, False),
        ("require", False, False, False),
        ("require", True, True, False),  # as libpq: a root certificate makes `require` check the chain
        ("verify-ca", True, True, False),
        ("verify-ca", False, True, False),
        ("verify-full", True, True, True),
        ("verify-full", False, True, True),
    ],
)
def test_each_mode_asks_what_libpq_asks(
    tmp_path: Path, mode: TlsMode, with_ca: bool, verifies: bool, hostname: bool
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = client_context(a_database(tls=mode, tls_ca=tmp_path / "ca.pem" if with_ca else None))
    assert (context.verify_mode == ssl.CERT_REQUIRED, context.check_hostname) == (verifies, hostname)


def test_a_replaced_authority_is_read_again_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    database = a_database(tls="verify-ca", tls_ca=path)
    before = client_context(database)
    assert client_context(database) is before
    trustme.CA().cert_pem.write_to_path(str(path))
    assert client_context(database) is not before
    path.write_text("nothing")
    with pytest.raises(TlsError, match=r"ca\.pem"):
        client_context(database)
