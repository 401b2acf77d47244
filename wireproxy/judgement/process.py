"""The worker process: reads questions from its standard input, judges, and writes answers to its standard output.

    python -m wireproxy.judgement.process MEMORY_BYTES SECONDS

It has no secret, no connection and no file, and may be killed at any moment.
"""

from __future__ import annotations

import math
import os
import pickle
import resource
import signal
import sys
from collections.abc import Sequence
from typing import BinaryIO

from rules.catalog import Catalog
from rules.judge import Judge
from rules.model import Judgement
from wireproxy.judgement.crossing import (
    add_functions,
    add_relations,
    decode_judge,
    encode_judgement,
    frame,
    read_frame,
)

READY = b"ready"
# What was found, without its texts: more would hold up the gateway while it is read. 4,000 of these take it some 20 ms.
FOUND = 4_000
FILES = 64


class Worker:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._catalogs: dict[int, Catalog] = {}
        self._judges: dict[int, Judge] = {}

    def serve(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Until its input ends."""
        while (body := read_frame(source)) is not None:
            answer = self.take(body)
            if answer is not None:
                sink.write(frame(answer))
                sink.flush()

    def take(self, body: bytes) -> bytes | None:
        """One message of the gateway's own; what it answers."""
        match pickle.loads(body):  # noqa: S301  from the process that started this one
            case ("catalog", serial, about):
                self._catalogs[serial] = Catalog(**about)
            case ("relations", serial, piece):
                add_relations(self._catalogs[serial], piece)
            case ("functions", serial, piece):
                add_functions(self._catalogs[serial], piece)
            case ("judge", serial, catalog, data):
                self._judges[serial] = decode_judge(data, None if catalog is None else self._catalogs[catalog])
            case ("forget", "catalog", serial):
                del self._catalogs[serial]
            case ("forget", "judge", serial):
                del self._judges[serial]
            case ("ask", serial, text, namespace, minute, rows):
                limit_time(self._seconds)
                judge = self._judges[serial]
                judgement = judge.judge(text, namespace, minute, rows)
                if nouns(judgement) > FOUND:
                    judgement = judge.unread("it names too many things", namespace, minute)
                return encode_judgement(judgement, judge.masks)
            case other:
                raise ValueError(f"unknown message: {other!r:.40}")
        return None


def nouns(judgement: Judgement) -> int:
    """How much was found in a text."""
    count = 0
    for each in judgement.statements:
        statement = each
        while True:
            count += 2 + len(statement.relations) + len(statement.functions)
            count += len(statement.settings) + len(statement.names)
            if statement.inner is None:
                break
            statement = statement.inner
    if isinstance(judgement.masks, tuple):
        for masks in judgement.masks:
            count += len(masks.findings) + len(masks.unknown)
            count += sum(1 + len(value.origins) for _, value in masks.columns.named)
    return count + sum(len(decision.reasons) for decision in judgement.decisions)


def limit_time(seconds: float) -> None:
    """The kernel ends it some time after the gateway should have, should that have died itself."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


def main(arguments: Sequence[str] | None = None) -> int:
    memory, seconds = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    limit(int(memory))
    sink.write(frame(READY))
    sink.flush()
    Worker(float(seconds)).serve(source, sink)
    return 0


if __name__ == "__main__":
    # imported under its own name, so that what is pickled here is known there by it
    from wireproxy.judgement.process import main as run

    sys.exit(run())
