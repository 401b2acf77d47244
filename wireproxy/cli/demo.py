"""`wireproxy demo`: a database with a sample shop, the gateway, a driver, a DBA."""

from __future__ import annotations

import signal
import sys

import click
import psycopg
import pymysql
from rich.console import Console

from wireproxy.demo.cluster import ClusterError
from wireproxy.demo.interrupts import Interrupts
from wireproxy.demo.mysql import MySqlShow
from wireproxy.demo.postgres import PostgresShow
from wireproxy.demo.screen import Screen
from wireproxy.demo.show import Show, StageError, TourError
from wireproxy.demo.stage import Stage, set_stage
from wireproxy.demo.tour import Tour

SHOWS: dict[str, type[Show]] = {"postgres": PostgresShow, "mysql": MySqlShow}


@click.command()
@click.option(
    "--dialect", type=click.Choice(sorted(SHOWS)), default="postgres", show_default=True,
    help="mysql: with a MariaDB that is on this machine.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Leave everything up afterwards and print the connection string.")
def demo(dialect: str, keep: bool) -> None:
    """A guided tour: a database with a sample shop, the gateway in front of it, a driver and a DBA.

    Everything that is shown is checked. Ends with 0, and nothing is left behind.
    """
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=110)
    interrupts = Interrupts()
    interrupts.install()
    sys.exit(take_tour(SHOWS[dialect](), Screen(console), interrupts, keep))


def take_tour(show: Show, screen: Screen, interrupts: Interrupts, keep: bool) -> int:
    """Exit status: 0 when all that was shown holds, 1 when something does not, 130 after a Ctrl-C."""
    try:
        with set_stage(show, interrupts, keep) as stage:
            return _guided(stage, screen, keep)
    except KeyboardInterrupt:
        screen.say("interrupted: everything is taken down")
        return 130
    except (ClusterError, StageError, TourError, OSError, psycopg.Error, pymysql.err.Error) as error:
        screen.failed(str(error))
        return 1


def _guided(stage: Stage, screen: Screen, keep: bool) -> int:
    try:
        Tour(stage, screen).run()
    except (TourError, psycopg.Error, pymysql.err.Error):
        screen.shell("gateway", "tail its log", stage.gateway_log())
        raise
    if keep:
        _leave(stage, screen)
    return 0


def _leave(stage: Stage, screen: Screen) -> None:
    pids = f"{stage.gateway.pid} {stage.server.process.pid}"
    screen.say("")
    screen.say("Everything stays up. As the agent:")
    screen.say(f"  {stage.show.client(stage.agent_url)}")
    screen.say("As the DBA:")
    screen.say(f"  cd {stage.config.parent} && wireproxy watch")
    screen.say("To end it:")
    screen.say(
        f"  kill -{signal.Signals(stage.server.ended_by).name.removeprefix('SIG')} {pids} && rm -r {stage.folder}"
    )
