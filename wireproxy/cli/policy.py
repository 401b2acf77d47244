"""`wireproxy policy test | explain | backtest`: what a policy does, before it does it to somebody."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from rules.config import pack
from wireproxy.cli import policy_screen
from wireproxy.cli.calls import Failed, find_config, load_config
from wireproxy.cli.dry_judge import circumstances, find_policy, judges
from wireproxy.cli.log_place import console, find_place, finds_logs, print_json, since_ns
from wireproxy.cli.policy_backtest import backtest_logs
from wireproxy.cli.policy_cases import CaseErrors, read_cases, run_cases


@click.group()
def policy() -> None:
    """Test, explain and backtest policies."""


@policy.command()
@judges
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each case.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def test(as_json: bool, file: Path, **options: object) -> None:
    """Judge a table of statements and compare with the decisions that are expected. Exit status 0 if all agree, else 1.

    FILE is TOML: [[case]] tables with sql and action, and where wanted rule, user, groups, database, search_path, at.
    """
    given = circumstances(**options)  # type: ignore[arg-type]
    try:
        cases = read_cases(file)
    except CaseErrors as error:
        raise Failed(str(error)) from None
    results = run_cases(cases, given)
    if as_json:
        for result in results:
            print_json(sys.stdout, result.as_object())
    else:
        console(sys.stdout).print(policy_screen.cases(file, results))
    sys.exit(0 if all(result.agrees for result in results) else 1)


@policy.command()
@click.option("-c", "--config", "config_option", type=click.Path(path_type=Path, dir_okay=False),
              envvar="WIREPROXY_CONFIG", help="The configuration in which the policy is.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The resolved rules as one JSON object.")
@click.argument("name", required=False)
def explain(config_option: Path | None, as_json: bool, name: str | None) -> None:
    """Show the rules of a policy in the order in which they are asked, its pack's included."""
    found = find_policy(name, config_option)
    if as_json:
        click.echo(json.dumps(policy_screen.policy_object(found)))
    else:
        console(sys.stdout).print(policy_screen.policy(found))


@policy.command()
@finds_logs
@click.option("--policy", "policy_name", metavar="P",
              help="A pack, a policy of the configuration, or a TOML file of rules. With --live, if left out: the one that each "
                   "database has for the user.")  # fmt: skip
@click.option(
    "--live", is_flag=True, help="Read the catalogs of the databases, and judge with them and with the masks."
)
@click.option("--since", metavar="WHEN", help="Only sessions that began since: 2h, 3d, 2026-03-01.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each statement that changes.")
def backtest(policy_name: str | None, live: bool, since: str | None, as_json: bool, **where: object) -> None:
    """Judge what recorded sessions ran by another policy, and list what would be decided otherwise.

    Exit status 0, also when something changes: what changes is for a person to judge.
    """
    import time

    import trio

    from wireproxy.cli.backtest_judges import Judges, Live

    if policy_name is None and not live:
        raise click.UsageError("name the policy with --policy")
    config = where.get("config")
    option = config if isinstance(config, Path) else None
    found = None if policy_name is None else find_policy(policy_name, option)
    loaded = load_config(find_config(option)) if live else None
    judges = Judges(found or pack("agent-default"), None if loaded is None else Live(loaded, found))
    place = find_place(**where)  # type: ignore[arg-type]
    title = "the policies of the configuration" if found is None else found.name
    report = trio.run(backtest_logs, place, judges, title, since_ns(since, time.time_ns()))
    if as_json:
        for change in report.objects():
            print_json(sys.stdout, change)
    else:
        console(sys.stdout).print(policy_screen.backtest(report))
