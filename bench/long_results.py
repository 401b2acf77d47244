"""One long result over several routes that take turns, and what each took: whatever the dialect and the consumer."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

from attrs import frozen

from bench.processes import CpuTime, cpu_time, peak_bytes
from tests.support.gateway import Gateway

C = TypeVar("C")  # what a consumer reads over: a connection


@frozen
class Run:
    """One result over one route."""

    seconds: float
    ratio: float  # to the direct run of the same round
    cpu: CpuTime  # of the gateway


@frozen
class Route:
    """Where the consumers connect to, and the gateway that stands between (None: nobody)."""

    name: str
    port: int
    user: str
    password: str
    gateway: Gateway | None = None

    @classmethod
    def through(cls, name: str, gateway: Gateway) -> Route:
        return cls(name, gateway.port, "agent", "agent-secret", gateway)

    def cpu(self) -> CpuTime:
        return CpuTime() if self.gateway is None else cpu_time(self.gateway.process.pid)


Runs = dict[str, dict[str, list[Run]]]  # by consumer and route


def measure(
    routes: Sequence[Route],
    connect: Callable[[Route], AbstractContextManager[C]],
    consumers: Mapping[str, Callable[[C, str], int]],
    query: str,
    rows: int,
    rounds: int,
) -> tuple[Runs, dict[str, int]]:
    """Every run but those of a first round to warm up; and by how many bytes the gateways' peak memory grew in all of them.

    The first route is the one that ratios are to. A consumer gives how many rows it saw, or -1 where it cannot say.
    """
    runs: Runs = {name: {route.name: [] for route in routes} for name in consumers}
    with ExitStack() as stack:
        connections = {route.name: stack.enter_context(connect(route)) for route in routes}
        for consume in consumers.values():  # what a first statement makes the gateway keep is no cost of long results
            for connection in connections.values():
                consume(connection, f"{query} LIMIT 1")
        before = _peaks(routes)
        for turn in range(rounds + 1):
            for name, consume in consumers.items():
                direct_s = 0.0
                for route in routes:
                    cpu, started = route.cpu(), time.perf_counter()
                    seen = consume(connections[route.name], query)
                    seconds = time.perf_counter() - started
                    direct_s = direct_s or seconds
                    if seen not in (rows, -1):
                        raise RuntimeError(f"{route.name}, {name}: {seen} rows")
                    if turn:
                        runs[name][route.name].append(Run(seconds, seconds / direct_s, route.cpu() - cpu))
        grown = {name: peak - before[name] for name, peak in _peaks(routes).items()}
    return runs, grown


def _peaks(routes: Iterable[Route]) -> dict[str, int]:
    return {route.name: peak_bytes(route.gateway.process.pid) for route in routes if route.gateway}


def mask_table(relation: str, name: str) -> str:
    """The TOML of a mask: `masker`, `masker:argument`, of the column `email`, or of another one by `column=masker`."""
    column, equals, masker = name.rpartition("=")
    masker, colon, argument = masker.partition(":")
    lines = [f'column = "{relation}.{column if equals else "email"}"', f'masker = "{masker}"']
    return "\n".join(["[[mask]]", *lines, *([f'argument = "{argument}"'] if colon else [])])


def report(runs: Runs, grown: Mapping[str, int]) -> None:
    for consumer, routes in runs.items():
        print(consumer)
        first_s = 0.0
        for name, found in routes.items():
            seconds, ratio = (statistics.median(getattr(run, what) for run in found) for what in ("seconds", "ratio"))
            user = statistics.median(run.cpu.user_s for run in found)
            system = statistics.median(run.cpu.system_s for run in found)
            cpu = f"   gateway {user:.2f} + {system:.2f} s of CPU" if user else ""
            fastest = min(run.seconds for run in found)
            first_s = first_s or fastest
            print(
                f"  {name:22} {seconds:6.2f} s  {ratio:5.2f}x   fastest {fastest:5.2f} s  {fastest / first_s:5.2f}x{cpu}"
            )
    for name, size in grown.items():
        print(f"peak memory of the gateway, {name}: {size / 1024 / 1024:+.1f} MiB over all results")
    seconds_of = {
        consumer: {name: [run.seconds for run in found] for name, found in each.items()}
        for consumer, each in runs.items()
    }
    print(json.dumps(seconds_of))
