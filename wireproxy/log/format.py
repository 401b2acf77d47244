"""The bytes of a session log, version 1: docs/session-log.md in code. Pure: bytes in, values out.

A log is a header and a sequence of items. An item is a block (records, compressed) or a checkpoint (a signature). One
SHA-256 value, the link, runs through the whole file: it starts from the header, every item turns the link before it
into the next one, and a checkpoint signs it. Inside a block the same is done record by record, so that the journal of
the block still open can be checked record by record too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import sha256

import msgspec
import zstandard
from attrs import frozen

from wireproxy.log.errors import FormatError
from wireproxy.log.records import Record

MAGIC = b"WPLOG\r\n\x1a"
JOURNAL_MAGIC = b"WPJRN\r\n\x1a"
VERSION = 1
LINK_BYTES = 32
SIGNATURE_BYTES = 64

HEADER_DOMAIN = b"wireproxy session log 1\0"
CHECKPOINT_DOMAIN = b"wireproxy checkpoint 1\0"

HEADER_LIMIT_BYTES = 1024 * 1024  # groups of a token with thousands of them do not stand here, but in the first record
RECORD_LIMIT_BYTES = 48 * 1024 * 1024  # a statement and its parameters, each cut at 16 MiB, and room
BLOCK_LIMIT_BYTES = 64 * 1024 * 1024  # what a reader ever has to hold: one block
JOURNAL_LIMIT_BYTES = 4 * 1024 * 1024  # the writer closes a block long before

PREFIX = struct.Struct(">8sHI")  # magic, version, length of the header that follows
ITEM = struct.Struct(">cI")  # type, length of the body
BLOCK = struct.Struct(">QIIB")  # first record's number, records, raw bytes, coding
CHECKPOINT = struct.Struct(">BQqQ")  # kind, records so far, time, offset of the last block
LENGTH = struct.Struct(">I")
JOURNAL = struct.Struct(">8sQ32s")  # magic, first record's number, link before it

BLOCK_ITEM = b"B"
CHECKPOINT_ITEM = b"C"

PLAIN = 0
ZSTD = 1
SEALED = 2  # or-ed to the above: encrypted after it was compressed

SIGNED_RUNNING = 0  # the session goes on
SIGNED_CONTINUED = 1  # this part is full; the next one carries on
SIGNED_END = 2  # the session is over
CHECKPOINT_BYTES = CHECKPOINT.size + LINK_BYTES + SIGNATURE_BYTES

_records: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
encode_record = msgspec.msgpack.Encoder().encode


class Recipient(msgspec.Struct, frozen=True, array_like=True):
    """The session's key, wrapped for one auditor."""

    key_id: str
    ephemeral: bytes
    wrapped: bytes


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What stands in the clear at the head of each part."""

    session: str
    created_ns: int
    key_id: str  # of the Ed25519 key that signs the checkpoints
    part: int = 1
    previous: bytes = b""  # the last link of the part before
    first: int = 0  # number of the first record in this part
    recipients: tuple[Recipient, ...] = ()  # none: not encrypted


_headers = msgspec.msgpack.Decoder(Header)


@frozen
class Block:
    """A block as stored; `payload` is still compressed (and sealed)."""

    first: int
    count: int
    raw_bytes: int
    coding: int
    payload: bytes


@frozen
class Checkpoint:
    """A signature over everything before it."""

    kind: int
    records: int  # in the whole session so far
    at_ns: int  # wall time
    block_at: int  # offset of the last block of this part, so that totals are found from the end; 0: none
    link: bytes
    signature: bytes


def encode_header(header: Header) -> bytes:
    body = msgspec.msgpack.encode(header)
    return PREFIX.pack(MAGIC, VERSION, len(body)) + body


def decode_prefix(prefix: bytes) -> int:
    """Give the length of the header that follows the first `PREFIX.size` bytes."""
    if len(prefix) < PREFIX.size or prefix[:8] != MAGIC:
        raise FormatError("not a session log: the first bytes are not its mark", 0)
    _, version, length = PREFIX.unpack(prefix)
    if version != VERSION:
        raise FormatError(f"format version {version} is not known to this reader, which knows {VERSION}", 8)
    if length > HEADER_LIMIT_BYTES:
        raise FormatError(f"a header of {length} bytes is longer than a header can be", 10)
    return int(length)


def decode_header(body: bytes) -> Header:
    try:
        return _headers.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise FormatError(f"the header cannot be read: {error}", PREFIX.size) from None


def first_link(header_bytes: bytes) -> bytes:
    """The link before the first item: it commits to the header, so to the session's id and the part's place."""
    return sha256(HEADER_DOMAIN + header_bytes).digest()


def next_link(link: bytes, stored: bytes) -> bytes:
    return sha256(link + stored).digest()


def frame_record(payload: bytes) -> bytes:
    return LENGTH.pack(len(payload)) + payload


def encode_block(block: Block) -> bytes:
    head = BLOCK.pack(block.first, block.count, block.raw_bytes, block.coding)
    return ITEM.pack(BLOCK_ITEM, len(head) + len(block.payload)) + head + block.payload


def decode_block(body: bytes) -> Block:
    if len(body) < BLOCK.size:
        raise FormatError("a block is shorter than its own head")
    first, count, raw_bytes, coding = BLOCK.unpack_from(body)
    if raw_bytes > BLOCK_LIMIT_BYTES:
        raise FormatError(f"a block of {raw_bytes} bytes is longer than a block can be")
    if coding & ~(ZSTD | SEALED):
        raise FormatError(f"a block has the unknown coding {coding}")
    return Block(first, count, raw_bytes, coding, body[BLOCK.size :])


def checkpoint_message(first: bytes, body: bytes) -> bytes:
    """What is signed: `first` (the part's first link) ties it to the session, `body` is the checkpoint without the signature."""
    return CHECKPOINT_DOMAIN + first + body


def encode_checkpoint_body(kind: int, records: int, at_ns: int, block_at: int, link: bytes) -> bytes:
    return CHECKPOINT.pack(kind, records, at_ns, block_at) + link


def encode_checkpoint(body: bytes, signature: bytes) -> bytes:
    return ITEM.pack(CHECKPOINT_ITEM, len(body) + len(signature)) + body + signature


def decode_checkpoint(body: bytes) -> Checkpoint:
    if len(body) != CHECKPOINT_BYTES:
        raise FormatError("a checkpoint has the wrong length")
    kind, records, at_ns, block_at = CHECKPOINT.unpack_from(body)
    if kind > SIGNED_END:
        raise FormatError(f"a checkpoint of the unknown kind {kind}")
    link = body[CHECKPOINT.size : CHECKPOINT.size + LINK_BYTES]
    return Checkpoint(kind, records, at_ns, block_at, link, body[-SIGNATURE_BYTES:])


def unpack_block(block: Block, opened: bytes) -> bytes:
    """Decompress; `opened` is the payload after decryption. Never makes more than the block says, which is capped."""
    if not block.coding & ZSTD:
        raw = opened
    else:
        raw = _decompress(opened, block.raw_bytes)
    if len(raw) != block.raw_bytes:
        raise FormatError("a block does not have the length it says")
    return raw


def _decompress(data: bytes, raw_bytes: int) -> bytes:
    """Read one byte more than is expected and no further: a bomb is cut off, and found by its length."""
    try:
        with zstandard.ZstdDecompressor(max_window_size=BLOCK_LIMIT_BYTES).stream_reader(data) as reader:
            return reader.read(raw_bytes + 1)
    except (zstandard.ZstdError, MemoryError) as error:
        raise FormatError(f"a block cannot be decompressed: {error}") from None


def cut_frames(raw: bytes, count: int) -> Iterator[bytes]:
    """Cut a block into the payloads of its records."""
    offset = 0
    for _ in range(count):
        end = _frame_end(raw, offset)
        yield raw[offset + LENGTH.size : end]
        offset = end


def iterate_frames(raw: bytes, count: int, link: bytes) -> Iterator[bytes]:
    """The same, and check their chain: `link` is the one before the block."""
    offset = 0
    for _ in range(count):
        end = _frame_end(raw, offset)
        link = next_link(link, raw[offset:end])
        yield raw[offset + LENGTH.size : end]
        offset = end
    if raw[offset:] != link:
        raise FormatError("the records of a block do not chain to its link")


def _frame_end(raw: bytes, offset: int) -> int:
    start = offset + LENGTH.size
    end = start + int.from_bytes(raw[offset:start], "big")
    if end > len(raw) or start > len(raw):
        raise FormatError("a block ends inside a record")
    return end


def decode_record(payload: bytes) -> Record:
    try:
        return _records.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise FormatError(f"a record cannot be read: {error}") from None
