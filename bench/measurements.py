"""What one run of pgbench gave, and what is said about several."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen


@frozen
class Workload:
    """One row of the table: what pgbench runs and how."""

    script: str  # select-only, tpcb-like
    protocol: str  # simple, extended, prepared
    clients: int

    def __str__(self) -> str:
        return f"{self.script} {self.protocol} {self.clients}"


@frozen
class Measurement:
    """One run of pgbench over one route."""

    workload: Workload
    route: str
    transactions: int
    seconds: float
    tps: float
    latency_ms: float
    p50_ms: float
    p99_ms: float
    user_us: float | None = None  # CPU of the proxy per transaction, in its own code; None: there is no proxy
    system_us: float | None = None  # and in the kernel

    @property
    def cpu_us(self) -> float | None:
        return None if self.user_us is None or self.system_us is None else self.user_us + self.system_us


class PgbenchError(Exception):
    """pgbench failed or said something that is not understood."""


def read_summary(output: str) -> tuple[int, float, float]:
    """Transactions, transactions per second without the time to connect, and mean latency in ms, of pgbench's summary."""
    failed = re.search(r"number of failed transactions: (\d+)", output)
    if failed and int(failed.group(1)):
        raise PgbenchError(f"{failed.group(1)} transactions failed:\n{output}")
    patterns = (r"actually processed: (\d+)", r"tps = ([\d.]+) \(without initial", r"latency average = ([\d.]+) ms")
    found = [re.search(pattern, output) for pattern in patterns]
    if not all(found):
        raise PgbenchError(f"a summary without its numbers:\n{output}")
    transactions, tps, latency = (match.group(1) for match in found if match)
    return int(transactions), float(tps), float(latency)


def read_latencies(logs: Iterable[Path]) -> tuple[float, float]:
    """The 50th and the 99th percentile in ms of pgbench's transaction logs. Third field: elapsed time in µs."""
    elapsed = sorted(int(line.split()[2]) for log in logs for line in log.read_text(encoding="ascii").splitlines())
    if not elapsed:
        return 0.0, 0.0
    return elapsed[len(elapsed) // 2] / 1000, elapsed[min(len(elapsed) - 1, len(elapsed) * 99 // 100)] / 1000


def median(rounds: Sequence[Measurement]) -> Measurement:
    """The middle of several runs of the same workload over the same route, number by number."""
    first = rounds[0]

    def middle(name: str) -> float:
        return float(statistics.median(getattr(each, name) for each in rounds))

    split = first.user_us is not None
    return Measurement(
        workload=first.workload,
        route=first.route,
        transactions=sum(each.transactions for each in rounds),
        seconds=sum(each.seconds for each in rounds),
        tps=middle("tps"),
        latency_ms=middle("latency_ms"),
        p50_ms=middle("p50_ms"),
        p99_ms=middle("p99_ms"),
        user_us=middle("user_us") if split else None,
        system_us=middle("system_us") if split else None,
    )
