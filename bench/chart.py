"""The measurements as a small SVG: CPU of the proxies per transaction, and throughput as a share of the direct run."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.measurements import Measurement

COLOURS = {"direct": "#9aa5b1", "pgbouncer": "#3e7cb1", "wireproxy": "#d1603d"}
LABEL, BAR, ROW, GAP, WIDTH = 190, 12, 14, 8, 380
STYLE = "font:12px system-ui,sans-serif;fill:#24292f"


def chart(results: Sequence[Measurement], subtitle: str) -> str:
    """Two panels of horizontal bars, one group for each workload."""
    shares = _shares(results)
    costs = [(str(each.workload), each.route, each.cpu_us) for each in results if each.cpu_us is not None]
    left, height_left = _panel("CPU of the proxy, µs per transaction", costs, 0)
    right, height_right = _panel("throughput, share of the direct run", shares, LABEL + WIDTH + 70)
    height = max(height_left, height_right) + 50
    total = 2 * (LABEL + WIDTH + 70)
    legend = "".join(
        f'<rect x="{20 + 110 * index}" y="30" width="10" height="10" fill="{colour}"/>'
        f'<text x="{35 + 110 * index}" y="39">{name}</text>'
        for index, (name, colour) in enumerate(COLOURS.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{height}" style="{STYLE}">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="20" y="20" style="font-weight:600">pgbench through proxies · {escape(subtitle)}</text>'
        f'{legend}<g transform="translate(0 50)">{left}{right}</g></svg>\n'
    )


def _shares(results: Sequence[Measurement]) -> list[tuple[str, str, float]]:
    direct = {each.workload: each.tps for each in results if each.route == "direct"}
    return [
        (str(each.workload), each.route, each.tps / direct[each.workload])
        for each in results
        if each.route != "direct" and direct.get(each.workload)
    ]


def _panel(title: str, bars: Sequence[tuple[str, str, float]], x: int) -> tuple[str, int]:
    """The panel's elements and its height. `bars` are (workload, route, value) in order, grouped by workload."""
    parts = [f'<text x="{x + 20}" y="15" style="font-weight:600">{escape(title)}</text>']
    longest = max((value for _, _, value in bars), default=1.0) or 1.0
    y, group = 25, ""
    for workload, route, value in bars:
        if workload != group:
            y += GAP
            group = workload
            parts.append(f'<text x="{x + LABEL}" y="{y + 11}" text-anchor="end">{escape(workload)}</text>')
        width = max(1.0, value / longest * WIDTH)
        colour = COLOURS.get(route, "#888")
        parts.append(f'<rect x="{x + LABEL + 8}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
        shown = f"{value:.0f}" if value >= 10 else f"{value:.2f}"
        parts.append(f'<text x="{x + LABEL + 12 + width:.1f}" y="{y + 10}" font-size="10">{shown}</text>')
        y += ROW
    return "".join(parts), y + 20
