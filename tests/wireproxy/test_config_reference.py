"""The reference pages say what the loader takes, and their examples work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rules.checks import CHECKS
from rules.model import Effect
from wireproxy.cli.policy_cases import read_cases
from wireproxy.config import reference
from wireproxy.config.load import load_with_warnings

DOCS = Path(__file__).parents[2] / "docs"
VERIFIER = "SCRAM-SHA-256$4096:c2FsdHNhbHQ=$" + "A" * 43 + "=:" + "A" * 43 + "="
BASE = f"""
[database.shop]
url = "postgresql://app@db.internal/shop"
[database.books]
url = "postgresql://app@db.internal/books"
[user.agent]
verifier = "{VERIFIER}"
[approver.ann]
unix_users = ["ann"]
groups = ["dba"]
[approver.bob]
unix_users = ["bob"]
groups = ["dba"]
"""


def example(page: str, containing: str) -> str:
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return str(found)


@pytest.mark.parametrize("page", ["configuration.md", "policy.md"])
def test_the_page_is_not_stale(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert reference.refreshed(text) == text, "run: python -m wireproxy.config.reference"


def test_every_key_is_described_and_no_key_that_is_not_there() -> None:
    from attrs import fields

    for title, _, kind, says in reference.SECTIONS:
        assert set(says) == {attribute.name for attribute in fields(kind)}, title
    assert set(reference.CHECK_WORDS) == set(CHECKS)
    assert set(reference.EFFECT_WORDS) == set(Effect)


def test_the_first_configuration_loads_and_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "x")
    text = example("configuration.md", "[database.shop]")
    assert len([line for line in text.splitlines() if line.strip()]) < 20
    path = tmp_path / "wireproxy.toml"
    path.write_text(text.replace("SCRAM-SHA-256$4096:…", VERIFIER))
    path.chmod(0o600)
    config, warnings = load_with_warnings(path)
    assert not [each for each in warnings if "TLS" not in each.message]
    assert config.databases["shop"].policy == "shop"


def test_the_example_policy_loads(tmp_path: Path) -> None:
    path = tmp_path / "wireproxy.toml"
    path.write_text(BASE + example("policy.md", "own-notes"))
    path.chmod(0o600)
    config, _ = load_with_warnings(path)
    assert [rule.name for rule in config.policies["shop"].rules][:2] == ["own-notes", "month-end"]


def test_the_example_cases_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(example("policy.md", "[[case]]"))
    assert [(case.action, case.rule, line) for case, line in read_cases(path)] == [
        ("hold", "whole-table", 1),
        ("allow", None, 6),
    ]
