"""The measurements as a table for the terminal, with ratios to the peers."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from bench.measurements import Measurement, Workload


def table(results: Sequence[Measurement]) -> Table:
    """One line for each workload and route. Ratios are to the direct run and to pgbouncer in the same workload."""
    shown = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1))
    shown.add_column("workload", no_wrap=True)
    shown.add_column("route", no_wrap=True)
    for name in ("tps", "/direct", "/pgbouncer", "mean ms", "p99 ms", "CPU µs/tx", "user + system", "/pgbouncer"):
        shown.add_column(name, justify="right", no_wrap=True)
    for workload in dict.fromkeys(each.workload for each in results):
        routes = {each.route: each for each in results if each.workload == workload}
        for index, each in enumerate(routes.values()):
            shown.add_row(*_row(each, routes, workload if index == 0 else None))
        shown.add_section()
    return shown


def _row(each: Measurement, routes: dict[str, Measurement], workload: Workload | None) -> list[str]:
    direct, bouncer = routes.get("direct"), routes.get("pgbouncer")
    cpu, split = "", ""
    if each.cpu_us is not None:
        cpu, split = f"{each.cpu_us:.1f}", f"{each.user_us:.1f} + {each.system_us:.1f}"
    return [
        str(workload or ""),
        each.route,
        f"{each.tps:,.0f}",
        ratio(each.tps, direct.tps if direct else None),
        ratio(each.tps, bouncer.tps if bouncer else None),
        f"{each.latency_ms:.3f}",
        f"{each.p99_ms:.3f}",
        cpu,
        split,
        ratio(each.cpu_us, bouncer.cpu_us if bouncer else None),
    ]


def ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.2f}" if value is not None and base else ""
