"""Reading and proving logs that somebody had in their hands: never ok, never a crash, never more memory than a block."""

from __future__ import annotations

import os
import shutil
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.wireproxy.log_samples import KEY, Shelf, allow, data_row, deny, findings_of, play, recorded, walk
from wireproxy.log import Signer
from wireproxy.log import format as fmt
from wireproxy.log.books import key_ring
from wireproxy.log.errors import FormatError, UnknownSession
from wireproxy.log.export import export
from wireproxy.log.findings import FindingKind
from wireproxy.log.reader import Walk, find_session
from wireproxy.log.summary import summarize_all
from wireproxy.log.verify import stray_files, verify_session

MANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "log")
    yield shelf
    shelf.close()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Two sessions that ended, one of them in three parts, in a directory that was closed."""
    shelf = Shelf(tmp_path_factory.mktemp("closed") / "log")
    for session in ("aaaa0001", "bbbb0001"):
        log = shelf.log(session)
        play(log, shelf.clock)
        log.end("x")
    log = shelf.log("cccc0001", part_bytes=3000)
    for ticket in range(6):
        allow(log, ticket, os.urandom(1500))
        deny(log, 10 + ticket)
    log.end("x")
    shelf.close()
    assert shelf.findings() == []
    return shelf


def read_all(shelf: Shelf, session: str = "aaaa0001") -> None:
    """Everything that reads logs, to the end."""
    list(export(walk(shelf, session), raw=True))
    list(export(walk(shelf, session, running=True)))
    list(summarize_all(shelf.directory, shelf.books()))


def copy_of(closed: Shelf, target: Path) -> Shelf:
    """A copy that may be changed; of a second call, only the log that the tests change is put right."""
    if target.exists():
        shutil.copy(log_path(closed), target / log_path(closed).relative_to(closed.directory))
    else:
        shutil.copytree(closed.directory, target)
    return Shelf(target, closed.signer)


def assert_found(shelf: Shelf) -> None:
    names = find_session(shelf.directory, "aaaa0001")
    assert verify_session(names, shelf.ring, None).findings
    assert verify_session(names, shelf.ring, shelf.books(), shelf.directory).findings
    read_all(shelf)


def log_path(shelf: Shelf, session: str = "aaaa0001") -> Path:
    return find_session(shelf.directory, session).part(1)


# -- what Hypothesis does to a file


def items_of(data: bytes) -> list[bytes]:
    """The header and each item."""
    end = fmt.PREFIX.size + fmt.decode_prefix(data[: fmt.PREFIX.size])
    found = [data[:end]]
    while end < len(data):
        _, length = fmt.ITEM.unpack_from(data, end)
        found.append(data[end : end + fmt.ITEM.size + length])
        end += len(found[-1])
    return found


@given(st.data())
@MANY
def test_a_flipped_bit_is_found(closed: Shelf, tmp_path: Path, data: st.DataObject) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    path = log_path(shelf)
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert_found(shelf)


def test_every_byte_is_protected(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    path = log_path(shelf)
    content = path.read_bytes()
    books = shelf.books()
    names = find_session(shelf.directory, "aaaa0001")
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :])
        assert verify_session(names, shelf.ring, None).findings, position
        assert verify_session(names, shelf.ring, books, shelf.directory).findings, position


def test_every_cut_is_found_even_without_a_ledger(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    path = log_path(shelf)
    content = path.read_bytes()
    names = find_session(shelf.directory, "aaaa0001")
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert verify_session(names, shelf.ring, None).findings, length


def test_a_log_cut_at_a_checkpoint_says_that_it_is_not_closed(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    items = items_of(log_path(shelf).read_bytes())
    assert [item[:1] for item in items[1:]] == [b"B", b"C"] * 5
    log_path(shelf).write_bytes(b"".join(items[:-2]))
    alone = verify_session(find_session(shelf.directory, "aaaa0001"), shelf.ring, None)
    assert [finding.kind for finding in alone.findings] == [FindingKind.NOT_CLOSED]
    assert (
        "0 records after the last checkpoint are chained but unsigned; later ones may be missing"
        in alone.findings[0].message
    )
    assert {finding.kind for finding in shelf.findings()} == {FindingKind.NOT_CLOSED, FindingKind.LEDGER}


@given(st.data())
@MANY
def test_items_in_another_order_doubled_or_left_out_are_found(
    closed: Shelf, tmp_path: Path, data: st.DataObject
) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    path = log_path(shelf)
    items = items_of(path.read_bytes())
    others = items_of(log_path(shelf, "bbbb0001").read_bytes())
    chosen = data.draw(st.lists(st.sampled_from(items + others), max_size=len(items) + 3))
    if chosen == items:
        return
    path.write_bytes(b"".join(chosen))
    assert_found(shelf)


@given(st.data())
@MANY
def test_spliced_bytes_are_found(closed: Shelf, tmp_path: Path, data: st.DataObject) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    path = log_path(shelf)
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    middle = data.draw(st.binary(max_size=40))
    if content[start:end] == middle:
        return
    path.write_bytes(content[:start] + middle + content[end:])
    assert_found(shelf)


@given(st.binary(max_size=400))
@example(b"")
@example(fmt.MAGIC)
@example(fmt.PREFIX.pack(fmt.MAGIC, 1, 0xFFFFFFFF))
@example(fmt.PREFIX.pack(fmt.MAGIC, 1, 0))
@example(fmt.PREFIX.pack(fmt.MAGIC, 9, 3) + b"abc")
@example(fmt.encode_header(fmt.Header("aaaa0001", 0, "0")) + b"B\xff\xff\xff\xff")
@example(fmt.encode_header(fmt.Header("aaaa0001", 0, "0")) + b"X\0\0\0\0")
@example(fmt.encode_header(fmt.Header("aaaa0001", 0, "0")) + b"C\0\0\0\0")
@example(fmt.encode_header(fmt.Header("aaaa0001", 0, "0")) + b"B\0\0\0\0")
@MANY
def test_any_bytes_can_be_read_and_are_never_ok(closed: Shelf, tmp_path: Path, content: bytes) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    log_path(shelf).write_bytes(content)
    assert_found(shelf)


@given(st.binary(max_size=200))
@MANY
def test_any_bytes_as_a_block_can_be_read(tmp_path: Path, raw: bytes) -> None:
    """Behind the compression too: what no writer writes, framed as if it were."""
    header = fmt.encode_header(fmt.Header("aaaa0001", 0, KEY.key_id))
    folder = tmp_path / "any" / "2026-01-01"
    folder.mkdir(parents=True, exist_ok=True)
    for coding, payload in ((fmt.PLAIN, raw), (fmt.ZSTD, zstandard.compress(raw)), (fmt.ZSTD, raw), (fmt.SEALED, raw)):
        for count in (0, 1, 3, 0xFFFFFFFF):
            block = fmt.encode_block(fmt.Block(0, count, len(raw), coding, payload))
            (folder / "aaaa0001.wplog").write_bytes(header + block)
            names = find_session(tmp_path / "any", "aaaa0001")
            assert list(findings_of(Walk(names, key_ring([KEY.verifier]))))
            list(export(Walk(names), raw=True))


@given(st.data())
@MANY
def test_a_damaged_journal_is_found_or_its_torn_end_left_out(tmp_path: Path, data: st.DataObject) -> None:
    shelf = Shelf(tmp_path / f"log{os.urandom(4).hex()}")
    log = shelf.log()
    for ticket in range(5):
        allow(log, ticket)
    shelf.die()
    before = recorded(shelf, running=False)
    path = log.path.with_suffix(".open")
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    after = recorded(shelf, running=False)
    assert after == before[: len(after)]
    assert FindingKind.NOT_CLOSED in {finding.kind for finding in findings_of(walk(shelf))}
    list(export(walk(shelf, running=True)))


# -- what a clever person does


def test_a_log_of_another_session_under_this_name_is_found(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    shutil.copy(log_path(shelf, "bbbb0001"), log_path(shelf, "aaaa0001"))
    names = find_session(shelf.directory, "aaaa0001")
    assert FindingKind.IDENTITY in {finding.kind for finding in verify_session(names, shelf.ring, None).findings}


def test_two_logs_swapped_with_their_names_are_found(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    one, other = log_path(shelf, "aaaa0001"), log_path(shelf, "bbbb0001")
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert [verdict.ok for verdict in shelf.verdicts()] == [False, False, True]


def test_a_log_made_with_another_key_is_found(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    forger = Shelf(tmp_path / "forged", Signer.generate())
    log = forger.log()
    allow(log, 1, b"SELECT 'nothing to see'")
    log.end("x")
    forger.close()
    shutil.copy(log.path, log_path(shelf))
    kinds = {finding.kind for finding in shelf.findings()}
    assert {FindingKind.KEY, FindingKind.IDENTITY, FindingKind.LEDGER} <= kinds


def test_a_log_that_claims_the_key_but_is_signed_by_another_is_found(tmp_path: Path) -> None:
    forger = Signer.generate()
    shelf = Shelf(tmp_path / "log")
    log = Shelf(tmp_path / "log", Signer(forger._key, KEY.verifier), ledger=shelf.ledger).log()
    deny(log, 1)
    log.end("x")
    kinds = [
        finding.kind for finding in verify_session(find_session(shelf.directory, "aaaa"), shelf.ring, None).findings
    ]
    assert kinds == [FindingKind.SIGNATURE, FindingKind.SIGNATURE]
    shelf.close()


def test_a_block_rewritten_with_a_right_chain_has_no_signature(closed: Shelf, tmp_path: Path) -> None:
    """Whoever edits can compute every link again; the key is what they lack."""
    shelf = copy_of(closed, tmp_path / "copy")
    items = items_of(log_path(shelf).read_bytes())
    link = fmt.first_link(items[0])
    block = fmt.decode_block(items[1][fmt.ITEM.size :])
    frames = [
        fmt.frame_record(frame)
        for frame in fmt.iterate_frames(fmt.unpack_block(block, block.payload), block.count, link)
    ]
    frames[1] = frames[1].replace(b"customers", b"weather__")
    inner = link
    for frame in frames:
        inner = fmt.next_link(inner, frame)
    raw = b"".join(frames) + inner
    forged = [items[0], fmt.encode_block(fmt.Block(0, block.count, len(raw), fmt.PLAIN, raw))]
    link = fmt.next_link(link, forged[1])
    checkpoint = fmt.decode_checkpoint(items[2][fmt.ITEM.size :])
    body = fmt.encode_checkpoint_body(checkpoint.kind, checkpoint.records, checkpoint.at_ns, checkpoint.block_at, link)
    forged.append(fmt.encode_checkpoint(body, checkpoint.signature))
    log_path(shelf).write_bytes(b"".join(forged))
    findings = verify_session(find_session(shelf.directory, "aaaa"), shelf.ring, None).findings
    assert [finding.kind for finding in findings] == [FindingKind.SIGNATURE, FindingKind.NOT_CLOSED]


def test_a_checkpoint_of_one_session_signs_nothing_in_another(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    mine = items_of(log_path(shelf).read_bytes())
    other = items_of(log_path(shelf, "bbbb0001").read_bytes())
    log_path(shelf).write_bytes(b"".join([*mine[:2], other[2]]))
    findings = verify_session(find_session(shelf.directory, "aaaa"), shelf.ring, None).findings
    assert FindingKind.SIGNATURE in {finding.kind for finding in findings}


def test_something_behind_the_signed_end_is_found(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    items = items_of(log_path(shelf).read_bytes())
    with log_path(shelf).open("ab") as file:
        file.write(items[1])
    assert FindingKind.TRAILING in {finding.kind for finding in shelf.findings()}


@pytest.mark.parametrize("gone", ["cccc0001.0002.wplog", "cccc0001.0003.wplog"])
def test_a_part_that_is_gone_is_found(closed: Shelf, tmp_path: Path, gone: str) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    (log_path(shelf, "cccc0001").parent / gone).unlink()
    findings = verify_session(find_session(shelf.directory, "cccc"), shelf.ring, None).findings
    assert FindingKind.PART in {finding.kind for finding in findings}


def test_a_last_part_that_is_gone_is_found(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    parts = sorted(log_path(shelf, "cccc0001").parent.glob("cccc0001.0*.wplog"))
    parts[-1].unlink()
    assert FindingKind.PART in {finding.kind for finding in shelf.findings()}


def test_a_part_too_many_is_found(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    path = log_path(shelf)
    shutil.copy(path, path.with_name("aaaa0001.0002.wplog"))
    assert FindingKind.PART in {finding.kind for finding in shelf.findings()}


def test_a_journal_beside_a_closed_log_is_found(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    other = Shelf(tmp_path / "other")
    allow(other.log(), 1)
    other.die()
    journal = next((tmp_path / "other").rglob("*.open"))
    stored = journal.read_bytes()
    head = fmt.JOURNAL.pack(fmt.JOURNAL_MAGIC, 15, stored[16:48])
    log_path(shelf).with_suffix(".open").write_bytes(head + stored[fmt.JOURNAL.size :])
    assert FindingKind.TRAILING in {finding.kind for finding in shelf.findings()}


def test_a_journal_and_a_part_whose_log_is_gone_are_found(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    log_path(shelf, "cccc0001").unlink()
    (shelf.directory / "2026-01-01" / "dddd0001.open").write_bytes(b"")
    names = sorted(finding.path.name for finding in stray_files(shelf.directory) if finding.path)
    assert "dddd0001.open" in names
    assert "cccc0001.0002.wplog" in names


def test_a_damaged_middle_of_a_running_session_is_found(shelf: Shelf) -> None:
    log = shelf.log()
    play(log, shelf.clock)
    content = bytearray(log.path.read_bytes())
    content[len(items_of(bytes(content))[0])] = ord("X")
    log.path.write_bytes(content)
    assert FindingKind.DAMAGED in {finding.kind for finding in shelf.findings()}


def test_a_fifo_is_not_waited_for(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    log_path(shelf).unlink()
    os.mkfifo(shelf.directory / "2026-01-01" / "aaaa0001.wplog")
    assert FindingKind.UNREADABLE in {finding.kind for finding in shelf.findings()}
    read_all(shelf)


def test_what_is_behind_a_damaged_block_is_still_shown(closed: Shelf, tmp_path: Path) -> None:
    shelf = copy_of(closed, tmp_path / "copy")
    items = items_of(log_path(shelf).read_bytes())
    items[3] = items[3][:-1] + bytes([items[3][-1] ^ 1])
    log_path(shelf).write_bytes(b"".join(items))
    numbers = [line["number"] for line in export(walk(shelf)) if "number" in line]
    assert numbers[0] == 0
    assert numbers[-1] == 14


# -- memory


def test_a_bomb_is_cut_off(tmp_path: Path) -> None:
    header = fmt.encode_header(fmt.Header("aaaa0001", 0, KEY.key_id))
    bomb = zstandard.compress(bytes(512 * 1024 * 1024))
    folder = tmp_path / "2026-01-01"
    folder.mkdir()
    (folder / "aaaa0001.wplog").write_bytes(header + fmt.encode_block(fmt.Block(0, 1, 1000, fmt.ZSTD, bomb)))
    tracemalloc.start()
    findings = list(findings_of(Walk(find_session(tmp_path, "aaaa"))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert FindingKind.DAMAGED in {finding.kind for finding in findings}
    assert peak < 1_000_000


def test_a_block_that_says_it_is_huge_is_refused() -> None:
    with pytest.raises(FormatError, match="longer than a block"):
        fmt.decode_block(struct.pack(">QIIB", 0, 1, 0xFFFFFFFF, 1))


def test_reading_a_long_log_takes_the_memory_of_a_block(shelf: Shelf) -> None:
    log = shelf.log()
    frames = data_row(*(os.urandom(50).hex().encode() for _ in range(10))) * 60
    for ticket in range(400):
        log.rows(ticket, [(f"c{index}", 25, 0) for index in range(10)], frames)
    log.end("x")
    assert (
        sum(len(record.frames) for record in recorded(shelf, running=False) if hasattr(record, "frames")) > 20_000_000
    )
    tracemalloc.start()
    for _ in walk(shelf):
        pass
    verdicts = shelf.verdicts()
    for _ in export(walk(shelf)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verdicts[0].ok
    assert peak < 4 * 1024 * 1024


# -- finding sessions


def test_a_unique_prefix_names_a_session(closed: Shelf) -> None:
    assert find_session(closed.directory, "b").session == "bbbb0001"


@pytest.mark.parametrize("prefix", ["x", "../", "*"])
def test_a_prefix_of_nothing_is_refused(closed: Shelf, prefix: str) -> None:
    with pytest.raises(UnknownSession, match="no session"):
        find_session(closed.directory, prefix)


def test_a_prefix_of_several_is_refused_and_an_exact_id_is_not(shelf: Shelf) -> None:
    for session in ("ab", "abc", "abcd"):
        shelf.log(session).end("x")
    with pytest.raises(UnknownSession, match="fits 3 sessions"):
        find_session(shelf.directory, "a")
    assert find_session(shelf.directory, "abc").session == "abc"
