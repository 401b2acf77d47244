"""The corpus of PostgreSQL statements: what each is, what it touches, and what the pack agent-default says to it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rules.classify.postgres import classify
from rules.config import pack
from rules.judge import Judge
from rules.model import Dialect, Effect, Identity, Kind, Namespace, Statement

CORPUS = Path(__file__).parent.parent / "corpus" / "postgres"
IDENTITY = Identity("agent")


def namespace(path: Path) -> Namespace:
    """Captured statements are judged for the server that they were captured from."""
    major = path.stem.rpartition("_")[2]
    return Namespace(user="agent", server_version=int(major) * 10000 if major.isdigit() else 180000)


def entries() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(CORPUS.glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["statement"]:
            yield path, entry
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield path, json.loads(line)


ENTRIES = list(entries())
each = pytest.mark.parametrize(
    ("path", "entry"), ENTRIES, ids=[f"{path.stem}-{index}" for index, (path, _) in enumerate(ENTRIES)]
)


def where_of(statement: Statement) -> str | None:
    if statement.has_where is None:
        return None
    if not statement.has_where:
        return "missing"
    return "trivial" if statement.trivial_where else "present"


@each
def test_statement_is_what_the_corpus_says(path: Path, entry: dict[str, Any]) -> None:
    (statement,) = classify(entry["sql"], namespace(path))
    assert statement.kind == entry["kind"], statement.opaque
    assert {str(effect) for effect in statement.effects} == set(entry.get("effects", ["read"]))
    assert sorted(f"{found.access} {found}" for found in statement.relations) == entry.get("relations", [])
    assert where_of(statement) == entry.get("where")
    settings = [
        f"{found.scope} {found.name}" + ("" if found.value is None else f" = {found.value}")
        for found in statement.settings
    ]
    names = [found.action if found.name is None else f"{found.action} {found.name}" for found in statement.names]
    if path.suffix == ".toml":
        assert settings == entry.get("settings", [])
        assert names == entry.get("names", [])
        assert statement.transaction == entry.get("transaction")
        inner = None if statement.inner is None else f"{statement.inner.kind}: {statement.inner.text}"
        assert inner == entry.get("inner")


JUDGES: dict[Namespace, Judge] = {}


@each
def test_pack_decides_as_the_corpus_says(path: Path, entry: dict[str, Any]) -> None:
    where = namespace(path)
    judge = JUDGES.setdefault(where, Judge(Dialect.POSTGRES, pack("agent-default"), "shop", IDENTITY, None, None))
    decision = judge.judge(entry["sql"].encode(), where).decision
    assert type(decision).__name__.lower() == entry["action"], decision


def test_corpus_has_what_it_promises() -> None:
    assert len(ENTRIES) >= 400
    assert sum(entry["action"] == "allow" and entry["kind"] == "select" for _, entry in ENTRIES) >= 150
    assert len({entry["sql"] for path, entry in ENTRIES if path.suffix == ".toml"}) == sum(
        path.suffix == ".toml" for path, _ in ENTRIES
    )


def test_corpus_has_every_kind_and_every_effect() -> None:
    kinds = {entry["kind"] for _, entry in ENTRIES}
    effects = {effect for _, entry in ENTRIES for effect in entry.get("effects", ["read"])}
    assert kinds == {str(kind) for kind in Kind}
    assert effects == {str(effect) for effect in Effect}
