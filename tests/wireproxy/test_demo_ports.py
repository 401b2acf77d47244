"""Ports for servers that start: two that look at the same time do not get the same."""

from __future__ import annotations

from wireproxy.demo import cluster
from wireproxy.demo.cluster import free_port


def test_a_process_is_given_no_port_twice_while_servers_start() -> None:
    given = [free_port() for _ in range(200)]
    assert len(set(given)) == len(given)


def test_workers_of_a_test_run_have_different_ports() -> None:
    shares = []
    for process_id in range(1000, 1000 + cluster._SHARES):
        share = cluster._share(process_id)
        shares.append({next(share) for _ in range(100)})
    assert len(set().union(*shares)) == 100 * cluster._SHARES
    assert cluster._share(1000) is cluster._share(1000), "not from its beginning each time"
