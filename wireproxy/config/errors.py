"""What is wrong with a configuration, said so that it can be mended: file, line, key, what, and what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import frozen


@frozen
class ConfigProblem:
    file: Path
    line: int  # 0 when it is about the file as a whole: it is not there, or cannot be read
    key: str  # "policy.shop.rule[2].action"; empty when it is about the file
    message: str
    suggestion: str = ""
    severity: Literal["error", "warning"] = "error"

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}: " if self.line else f"{self.file}: "

    def __str__(self) -> str:
        where = self.place + (f"{self.key}: " if self.key else "")
        return where + self.message + (f"; {self.suggestion}" if self.suggestion else "")


class ConfigErrors(Exception):
    """Everything that is wrong with a file, at once. `str` is one line for each."""

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
