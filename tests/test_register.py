"""The register of what is known not to hold names the tests that show it."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
REGISTER = (HERE.parent / "docs/limitations.md").read_text(encoding="utf-8")


def test_every_test_that_the_register_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", REGISTER))
    there = {
        name
        for path in HERE.rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }
    assert named <= there


def entries(part: str) -> list[str]:
    return [line for line in part.splitlines() if re.match(r"\| (?!what |--)", line)]


def test_each_entry_has_a_severity() -> None:
    found = [line.strip("| ").split(" | ") for line in entries(REGISTER)]
    assert len(found) > 90
    assert {entry[1].rstrip(" |") for entry in found} <= {"high", "medium", "low"}


def test_each_entry_about_masking_names_a_test_that_shows_it() -> None:
    masking = entries(REGISTER.partition("## Masking")[2].partition("\n## ")[0])
    assert len(masking) > 50
    assert [line for line in masking if "`test_" not in line] == []


def test_of_the_other_entries_as_many_name_one_as_ever() -> None:
    others = entries(REGISTER.partition("## Masking")[0]) + entries(
        REGISTER.partition("## Masking")[2].partition("\n## ")[2]
    )
    assert len([line for line in others if "`test_" in line]) >= 39
