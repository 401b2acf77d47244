"""The command line. Each command lives in the module named here and is imported when it is called: `--help` stays quick."""

from __future__ import annotations

import gc
import importlib
import sys

import click

from wireproxy import __version__

# command -> (module, attribute, one line of help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("wireproxy.cli.init", "init", "Write a commented wireproxy.toml, a key and a certificate to try it out."),
    "serve": ("wireproxy.cli.serve", "serve", "Run the gateway."),
    "reload": ("wireproxy.cli.control", "reload", "Make the running gateway read its configuration again."),
    "status": ("wireproxy.cli.control", "status", "Show the running gateway: sessions, holds, versions."),
    "config": ("wireproxy.cli.config", "config", "Check a configuration file."),
    "demo": ("wireproxy.cli.demo", "demo", "A guided tour: an embedded PostgreSQL, the gateway, a driver, a DBA."),
    "check": ("wireproxy.cli.check", "check", "How would this SQL be judged?"),
    "policy": ("wireproxy.cli.policy", "policy", "Test, explain and backtest policies."),
    "approvals": ("wireproxy.cli.approvals", "approvals", "List the requests that wait for a decision."),
    "show": ("wireproxy.cli.approvals", "show", "Show one request in full."),
    "approve": ("wireproxy.cli.approvals", "approve", "Approve a request."),
    "deny": ("wireproxy.cli.approvals", "deny", "Deny a request."),
    "preview": (
        "wireproxy.cli.approvals",
        "preview",
        "Run a held statement in a transaction that is rolled back, and show its effect.",
    ),
    "watch": ("wireproxy.cli.approvals", "watch", "Follow the requests as they come."),
    "unmask": ("wireproxy.cli.unmask", "unmask", "Show a masked column to somebody for a time."),
    "masks": ("wireproxy.cli.unmask", "masks", "List the columns that inherited a mask."),
    "sessions": ("wireproxy.cli.sessions", "sessions", "List the recorded sessions."),
    "replay": ("wireproxy.cli.sessions", "replay", "Show a recorded session as it happened."),
    "verify": ("wireproxy.cli.sessions", "verify", "Prove that session logs are whole and unchanged."),
    "search": ("wireproxy.cli.sessions", "search", "Find a text in the recorded sessions."),
    "export": ("wireproxy.cli.sessions", "export", "Export a recorded session as JSON Lines."),
    "user": ("wireproxy.cli.user", "user", "Add, list and revoke users of the gateway."),
    "approver": ("wireproxy.cli.approver", "approver", "Tokens with which approvers use the HTTP API."),
    "token": ("wireproxy.cli.user", "token", "Look into an OIDC token: would it be accepted, and as whom?"),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        # what modules are made of is no garbage: to look for some while they are loaded takes a quarter of the time
        collecting = gc.isenabled()
        gc.disable()
        try:
            command = getattr(importlib.import_module(module), attribute)
        finally:
            if collecting:
                gc.enable()
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wireproxy")
def cli() -> None:
    """A gateway on the wire between AI agents and production databases."""


def main() -> None:
    sys.exit(cli.main(standalone_mode=True))
