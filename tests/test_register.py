"""The register of what is known not to hold names the tests that show it."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_test_that_the_register_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (HERE.parent / "docs/limitations.md").read_text(encoding="utf-8")))
    there = {
        name
        for path in HERE.rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }
    assert len(named) >= 8
    assert named <= there
