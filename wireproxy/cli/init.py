"""`wireproxy init`: a folder with all that a first start needs."""

from __future__ import annotations

import contextlib
import datetime
import getpass
import ipaddress
import json
import os
import socket
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wireproxy.cli.calls import Failed

CERTIFICATE_DAYS = 365
CONFIG = "wireproxy.toml"
SIGNING_KEY = "gateway.key"
PUBLIC_KEY = "gateway.pub"
TLS_KEY = "server.key"
TLS_CERTIFICATE = "server.crt"
_MODES = {CONFIG: 0o640, SIGNING_KEY: 0o600, PUBLIC_KEY: 0o644, TLS_KEY: 0o600, TLS_CERTIFICATE: 0o644}
# it is its own root: clients that check strictly want to see that it may be. Spec: RFC 5280 §4.2.1.3
_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), default=Path())
def init(folder: Path) -> None:
    """Write a commented wireproxy.toml, a key that signs the session logs, and a certificate to try it out.

    Nothing that is there already is overwritten.
    """
    host = socket.gethostname()
    tls_key, certificate = self_signed(host, datetime.datetime.now(datetime.UTC))
    signing_key = ed25519.Ed25519PrivateKey.generate()
    contents = {
        CONFIG: configuration(folder.absolute(), _whoever_asked()).encode(),
        SIGNING_KEY: _pem(signing_key),
        PUBLIC_KEY: signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        TLS_KEY: tls_key,
        TLS_CERTIFICATE: certificate,
    }
    write_new(folder, contents)
    click.echo(f"In {folder.absolute()}:")
    click.echo(f"  {CONFIG}   what is listened on, the database, who may log in and who may approve: edit it")
    click.echo(f"  {SIGNING_KEY}      signs the session logs; auditors need {PUBLIC_KEY}, and a copy of it elsewhere")
    click.echo(
        f"  {TLS_CERTIFICATE}, {TLS_KEY}  a certificate of its own making for {host} and localhost, to try it out"
    )
    click.echo("Next:")
    path = folder / CONFIG
    for command in ("user add claude --group agents --generate", "config check", "serve"):
        click.echo(f"  wireproxy {command} -c {path}")
    if os.geteuid() == 0:
        click.echo(f"A gateway with an account of its own must be able to read them: chown -R wireproxy: {folder}")


def _whoever_asked() -> str:
    """The account to approve with: who called sudo, rather than root."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def configuration(folder: Path, account: str) -> str:
    """The text of a first wireproxy.toml."""
    template = files("wireproxy.cli").joinpath("init.toml").read_text(encoding="utf-8")
    state = "/var/lib/wireproxy" if folder.is_relative_to("/etc") else "state"
    return (
        template.replace("@STATE@", state)
        .replace("@APPROVER@", json.dumps(account))
        .replace("@ACCOUNT@", json.dumps(account))
    )


def write_new(folder: Path, contents: Mapping[str, bytes]) -> None:
    """All of the files, or none. Raises Failed."""
    there = [name for name in contents if (folder / name).is_symlink() or (folder / name).exists()]
    if there:
        raise Failed(f"{folder} has {', '.join(there)} already: name another folder, or move them away")
    made: list[Path] = []
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for name, content in contents.items():
            path = folder / name
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            made.append(path)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), _MODES[name])
    except OSError as error:
        for path in made:
            with contextlib.suppress(OSError):
                path.unlink()
        raise Failed(f"{error.filename or folder}: {error.strerror or error}") from error


def self_signed(host: str, now: datetime.datetime) -> tuple[bytes, bytes]:
    """Key and certificate in PEM, for `host` and this machine's own names.

    ECDSA: channel binding needs a signature with a hash, which Ed25519 has none of. Spec: RFC 5929 §4.1.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wireproxy")])
    hosts = [each for each in dict.fromkeys((host, "localhost")) if each and each.isascii()]
    names: list[x509.GeneralName] = [x509.DNSName(each) for each in hosts]
    addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pem(key), certificate.public_bytes(Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
