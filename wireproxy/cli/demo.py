"""`wireproxy demo`: an embedded PostgreSQL, the gateway, a driver, a DBA."""

from __future__ import annotations

import sys

import click
import psycopg
from rich.console import Console

from wireproxy.demo.cluster import ClusterError
from wireproxy.demo.interrupts import Interrupts
from wireproxy.demo.screen import Screen
from wireproxy.demo.stage import Stage, StageError, set_stage
from wireproxy.demo.tour import Tour, TourError


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything up afterwards and print the connection string.")
def demo(keep: bool) -> None:
    """A guided tour: an embedded PostgreSQL with a sample shop, the gateway in front of it, a driver and a DBA.

    Everything that is shown is checked. Ends with 0, and nothing is left behind.
    """
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=110)
    interrupts = Interrupts()
    interrupts.install()
    sys.exit(take_tour(Screen(console), interrupts, keep))


def take_tour(screen: Screen, interrupts: Interrupts, keep: bool) -> int:
    """Exit status: 0 when all that was shown holds, 1 when something does not, 130 after a Ctrl-C."""
    try:
        with set_stage(interrupts, keep) as stage:
            return _guided(stage, screen, keep)
    except KeyboardInterrupt:
        screen.say("interrupted: everything is taken down")
        return 130
    except (ClusterError, StageError, TourError, OSError, psycopg.Error) as error:
        screen.failed(str(error))
        return 1


def _guided(stage: Stage, screen: Screen, keep: bool) -> int:
    try:
        Tour(stage, screen).run()
    except (TourError, psycopg.Error):
        screen.shell("gateway", "tail its log", stage.gateway_log())
        raise
    if keep:
        _leave(stage, screen)
    return 0


def _leave(stage: Stage, screen: Screen) -> None:
    pids = f"{stage.gateway.pid} {stage.cluster.process.pid}"
    screen.say("")
    screen.say("Everything stays up. As the agent:")
    screen.say(f"  psql '{stage.agent_dsn}'")
    screen.say("As the DBA:")
    screen.say(f"  cd {stage.config.parent} && wireproxy watch")
    screen.say("To end it:")
    screen.say(f"  kill -INT {pids} && rm -r {stage.folder}")
