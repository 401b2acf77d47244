"""What the tour looks like in a terminal: one style for what an agent types, one for what a DBA types, one for what comes back."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

INDENT = (0, 0, 0, 4)


@frozen
class Screen:
    """Writes to a console and keeps nothing."""

    console: Console

    @property
    def columns(self) -> int:
        """What fits beside the indentation."""
        return self.console.width - INDENT[3]

    def title(self, text: str, under: str) -> None:
        self.console.print()
        self.console.print(Text(f"  {text}", style="bold"))
        self.console.print(Text(f"  {under}", style="dim"))

    def step(self, number: int, text: str) -> None:
        self.console.print()
        self.console.rule(Text(f" {number}. {text} ", style="bold"), align="left", style="dim")

    def say(self, text: str) -> None:
        self.console.print(Padding(Text(text), (0, 0, 0, 2), expand=False))

    def agent(self, sql: str, syntax: str) -> None:
        """A statement as the agent sends it."""
        self.console.print()
        prompt = Text("  agent=> ", style="bold cyan")
        code = Syntax(sql, syntax, theme="ansi_light", background_color="default", word_wrap=True)
        grid = Table.grid()
        grid.add_row(prompt, code)
        self.console.print(grid)

    def shell(self, who: str, command: str, output: str) -> None:
        """A command that somebody runs, and what it printed."""
        self.console.print()
        self.console.print(Text.assemble((f"  {who}$ ", "bold magenta"), (command, "bold")))
        self.console.print(Padding(Text.from_ansi(output.rstrip()), INDENT, expand=False))

    def rows(self, columns: Sequence[str], rows: Sequence[Sequence[object]], marked: Sequence[str] = ()) -> None:
        """A result. `marked` columns are those that were masked."""
        shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
        for name in columns:
            shown.add_column(name, style="yellow" if name in marked else None, overflow="fold")
        for row in rows:
            shown.add_row(*("" if value is None else str(value) for value in row))
        self.console.print(Padding(shown, INDENT, expand=False))

    def notice(self, severity: str, text: str) -> None:
        self.console.print(Padding(Text.assemble((f"{severity}: ", "bold yellow"), text), INDENT, expand=False))

    def error(self, fields: Sequence[tuple[str, str | None]]) -> None:
        """An error as psql shows one."""
        for name, value in fields:
            if value:
                style = "bold red" if name == "ERROR" else "dim"
                self.console.print(Padding(Text.assemble((f"{name}:  ", style), value), INDENT, expand=False))

    def fine(self, text: str) -> None:
        """Something that was checked and holds."""
        self.console.print(Text.assemble(("  ✓ ", "bold green"), text))

    def failed(self, text: str) -> None:
        self.console.print(Text.assemble(("  ✗ ", "bold red"), text))
