"""A reader written from docs/session-log.md alone: it shares no code with ours, and reads the same."""

from __future__ import annotations

import json
import struct
from hashlib import sha256
from pathlib import Path

import msgspec
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

CAPTURE = Path(__file__).parents[1] / "captures" / "session-log-1"
FOLDER = CAPTURE / "log" / "2026-01-01"


def gateway_key() -> Ed25519PublicKey:
    key = load_pem_public_key((CAPTURE / "gateway.pub").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    return key


def unwrap(recipients: list[list[bytes]]) -> ChaCha20Poly1305:
    private = load_pem_private_key((CAPTURE / "auditor-of-the-tests.pem").read_bytes(), None)
    assert isinstance(private, X25519PrivateKey)
    public = private.public_key().public_bytes_raw()
    (ephemeral, wrapped) = next(r[1:] for r in recipients if r[0] == sha256(public).hexdigest()[:16])
    info = b"wireproxy session log key 1\0" + ephemeral + public
    shared = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    key = HKDF(SHA256(), 32, None, info).derive(shared)
    return ChaCha20Poly1305(ChaCha20Poly1305(key).decrypt(bytes(12), wrapped, None))


def read_session(session: str) -> tuple[list[list[object]], int]:
    """Its records, and how many are signed."""
    records: list[list[object]] = []
    signed, part, kind = 0, 1, 1
    while kind == 1:
        path = FOLDER / (f"{session}.wplog" if part == 1 else f"{session}.{part:04}.wplog")
        data = path.read_bytes()
        assert data[:8] == b"WPLOG\r\n\x1a"
        version, length = struct.unpack(">HI", data[8:14])
        assert version == 1
        header = msgspec.msgpack.decode(data[14 : 14 + length])
        assert header[0] == session
        assert header[3] == part
        cipher = unwrap(header[6]) if header[6] else None
        start = link = sha256(b"wireproxy session log 1\0" + data[: 14 + length]).digest()
        at, kind = 14 + length, 0
        while at < len(data):
            kind_of, length = struct.unpack(">cI", data[at : at + 5])
            body = data[at + 5 : at + 5 + length]
            if kind_of == b"B":
                records += read_block(body, link, cipher, len(records))
            else:
                kind, count, _, _, stated = struct.unpack(">BQqQ32s", body[:-64])
                assert stated == link
                assert count == len(records)
                gateway_key().verify(body[-64:], b"wireproxy checkpoint 1\0" + start + body[:-64])
                signed = count
            link = sha256(link + data[at : at + 5 + length]).digest()
            at += 5 + length
        part += 1
    journal = FOLDER / f"{session}.open"
    return records + (read_journal(journal.read_bytes(), link, len(records)) if journal.exists() else []), signed


def read_block(body: bytes, link: bytes, cipher: ChaCha20Poly1305 | None, number: int) -> list[list[object]]:
    first, count, size, coding = struct.unpack(">QIIB", body[:17])
    assert first == number
    payload = body[17:]
    if coding & 2:
        assert cipher is not None
        payload = cipher.decrypt(b"blk\0" + first.to_bytes(8, "big"), payload, None)
    raw = zstandard.ZstdDecompressor().decompressobj().decompress(payload) if coding & 1 else payload
    assert len(raw) == size
    records, at = [], 0
    for _ in range(count):
        (length,) = struct.unpack(">I", raw[at : at + 4])
        link = sha256(link + raw[at : at + 4 + length]).digest()
        records.append(msgspec.msgpack.decode(raw[at + 4 : at + 4 + length]))
        at += 4 + length
    assert raw[at:] == link
    return records


def read_journal(data: bytes, link: bytes, number: int) -> list[list[object]]:
    magic, first, stated = struct.unpack(">8sQ32s", data[:48])
    assert (magic, first, stated) == (b"WPJRN\r\n\x1a", number, link)
    records, at = [], 48
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        link = sha256(link + data[at : at + 4 + length]).digest()
        records.append(msgspec.msgpack.decode(data[at + 4 : at + 4 + length]))
        assert data[at + 4 + length : at + 36 + length] == link
        at += 36 + length
    return records


def test_a_reader_written_from_the_specification_reads_every_capture() -> None:
    for session, signed in (("aaaa0001", 15), ("bbbb0002", 15), ("cccc0003", 28), ("dddd0004", 12)):
        records, proved = read_session(session)
        lines = [json.loads(line) for line in (CAPTURE / f"{session}.jsonl").read_text().splitlines()]
        kept = [line for line in lines if line["type"] != "checkpoint"]
        assert proved == signed
        assert len(records) == len(kept)
        for record, line in zip(records, kept, strict=True):
            tags = ["start", "statement", "decision", "verdict", "head", "rows", "completion", "error", "event", "end"]
            assert tags[int(str(record[0])) - 1] == line["type"]
            if line["type"] == "statement":
                assert isinstance(record[4], bytes)
                assert record[4].decode() == line["text"]


def test_a_ledger_is_read_from_the_specification() -> None:
    entries = 0
    for path in sorted((CAPTURE / "log" / "ledger").iterdir()):
        data = path.read_bytes()
        assert data[:12] == b"WPLEDGER1\r\n\x1a"
        link, at = sha256(b"wireproxy ledger 1\0" + path.name.encode()).digest(), 12
        while at < len(data):
            (length,) = struct.unpack(">I", data[at : at + 4])
            link = sha256(link + data[at : at + 4 + length]).digest()
            at += 4 + length
            assert data[at : at + 32] == link
            gateway_key().verify(data[at + 32 : at + 96], b"wireproxy ledger 1\0" + link)
            at, entries = at + 96, entries + 1
    assert entries == 10
