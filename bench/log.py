"""What the session log costs: µs of CPU for a statement with its completion, MB/s of rows, and reading it all again.

Run it as `python -m bench.log [--json]`. Nothing is compared with the network: this is the part of a transaction that
recording adds. The budget is 6 µs for a short statement and its completion.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wireproxy.log import Auditor, SessionLog, SessionStart, Signer, close_ledgers, new_session_id
from wireproxy.log.books import key_ring, read_books
from wireproxy.log.reader import Walk, find_session
from wireproxy.log.verify import verify_session

PAIRS = 60_000
ROUNDS = 5
TEXT = b"SELECT abalance FROM pgbench_accounts WHERE aid = %d"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder))
    if "--json" in sys.argv:
        print(json.dumps(results))
        return
    for name, value in results.items():
        print(f"{name:<52} {value:10.2f}")


def measure(folder: Path) -> dict[str, float]:
    signer = Signer.generate()
    results = {
        "statement + completion, prepared, µs": best(lambda: pairs(log_in(folder, signer), same_text)),
        "statement + completion, other text each time, µs": best(lambda: pairs(log_in(folder, signer), other_text)),
        "the same, encrypted, µs": best(lambda: pairs(log_in(folder, signer, encrypted=True), other_text)),
        "denied statement, signed, µs": best(lambda: denials(log_in(folder, signer))),
        "session begun and ended, µs": best(lambda: sessions(folder, signer)),
    }
    log = log_in(folder, signer)
    results["rows, MB/s"] = -best(lambda: -rows(log, text_rows()))
    results["rows that do not compress, MB/s"] = -best(lambda: -rows(log, random_rows()))
    log.end("done")
    return {**results, **reading(folder, signer)}


def best(run: Callable[[], float]) -> float:
    """The least of several rounds: what the code takes, without what else the machine did."""
    return min(run() for _ in range(ROUNDS))


def log_in(folder: Path, signer: Signer, encrypted: bool = False) -> SessionLog:
    auditors = (Auditor(X25519PrivateKey.generate().public_key().public_bytes_raw()),) if encrypted else ()
    start = SessionStart(new_session_id(), time.time_ns(), "agent", "shop")
    return SessionLog(folder, start, signer, sync="never", auditors=auditors)


def same_text(_number: int) -> bytes:
    return TEXT


def other_text(number: int) -> bytes:
    return TEXT % number


def pairs(log: SessionLog, text: Callable[[int], bytes]) -> float:
    before = time.process_time()
    for number in range(PAIRS):
        log.statement(number, "query", text(number), None, (), "allow", "reads", (), "I", kinds=("select",))
        log.completion(number, "SELECT 1", 1, 50, 120_000)
    elapsed = time.process_time() - before
    log.end("done")
    return elapsed / PAIRS * 1e6


def denials(log: SessionLog) -> float:
    count = 2000
    before = time.process_time()
    for number in range(count):
        log.statement(number, "query", b"DROP TABLE x", None, (), "deny", "no-ddl", ("refused",), "I", kinds=("ddl",))
    elapsed = time.process_time() - before
    log.end("done")
    return elapsed / count * 1e6


def sessions(folder: Path, signer: Signer) -> float:
    count = 200
    before = time.process_time()
    for _ in range(count):
        log_in(folder, signer).end("done")
    return (time.process_time() - before) / count * 1e6


def text_rows() -> bytes:
    row = b"D\0\0\0\x30\0\3\0\0\0\x06%06d\0\0\0\x10customer %06d \0\0\0\x08 2024-01"
    return b"".join(row % (number, number) for number in range(1000))


def random_rows() -> bytes:
    return os.urandom(60_000)


def rows(log: SessionLog, frames: bytes) -> float:
    count = 300
    before = time.process_time()
    for number in range(count):
        log.rows(number, None, frames)
    return count * len(frames) / (time.process_time() - before) / 1e6


def reading(folder: Path, signer: Signer) -> dict[str, float]:
    log = log_in(folder, signer)
    pairs(log, other_text)
    close_ledgers()
    names = find_session(folder, log.session_id)
    ring = key_ring([signer.verifier])
    books = read_books(folder, ring, log.session_id)
    before = time.process_time()
    assert verify_session(names, ring, books).ok
    verified = time.process_time() - before
    before = time.process_time()
    count = sum(1 for _ in Walk(names))
    walked = time.process_time() - before
    return {
        "verified, thousand records/s": count / verified / 1000,
        "read, thousand records/s": count / walked / 1000,
        "bytes on disk for a statement and its completion": log.path.stat().st_size / PAIRS,
    }


if __name__ == "__main__":
    main()
