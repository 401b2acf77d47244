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


def test_each_entry_has_a_severity_and_most_about_masking_name_a_test() -> None:
    entries = [line.strip("| ").split(" | ") for line in REGISTER.splitlines() if re.match(r"\| (?!what |--)", line)]
    assert len(entries) > 90
    assert {entry[1].rstrip(" |") for entry in entries} <= {"high", "medium", "low"}
    masking = REGISTER.partition("## Masking")[2].partition("\n## ")[0].splitlines()
    shown = [line for line in masking if "`test_" in line]
    assert len(shown) >= 27
