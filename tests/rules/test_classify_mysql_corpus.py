"""The corpus of MySQL and MariaDB: what each statement is, what it touches, and what an agent may do with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rules.classify.mysql import classify
from rules.config import pack
from rules.model import Allow, Decision, Deny, Hold, Identity, Namespace, Statement
from rules.policy import Facts, decide_batch, worst

CORPUS = Path(__file__).parent.parent / "corpus" / "mysql"
NAMESPACE = Namespace(database="shop")
# What clients sent, as a server's general log has it, is judged for the server that they sent it to.
SERVERS = {
    "clients_mariadb": Namespace(database="shop", mariadb=True, server_version=101100),
    "clients_mysql": Namespace(database="shop", server_version=90700),
}
ENTRIES = [
    pytest.param({**json.loads(line), "file": path.stem}, id=f"{path.stem}-{number}")
    for path in sorted(CORPUS.glob("*.jsonl"))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
]
POLICY = pack("agent-default")
ACTIONS: dict[type[Decision], str] = {Allow: "allow", Hold: "hold", Deny: "deny"}


def namespace_of(entry: dict[str, Any]) -> Namespace:
    return SERVERS.get(entry["file"], NAMESPACE)


def described(statement: Statement) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": statement.kind.value, "effects": sorted(e.value for e in statement.effects)}
    if statement.relations:
        found["relations"] = [f"{relation.access} {relation}" for relation in statement.relations]
    if statement.functions:
        found["functions"] = [str(function) for function in statement.functions]
    if statement.has_where is not None:
        found["where"] = "none" if not statement.has_where else "trivial" if statement.trivial_where else "some"
    if statement.opaque is not None:
        found["opaque"] = True
    if statement.transaction is not None:
        found["transaction"] = statement.transaction
    if statement.settings:
        found["settings"] = [f"{setting.scope} {setting.name}={setting.value}" for setting in statement.settings]
    if statement.inner is not None:
        found["inner"] = statement.inner.kind.value
    return found


@pytest.mark.parametrize("entry", ENTRIES)
def test_each_statement_is_what_the_corpus_says(entry: dict[str, Any]) -> None:
    assert [described(statement) for statement in classify(entry["sql"], namespace_of(entry))] == entry["statements"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_agent_default_does_with_each_statement_what_the_corpus_says(entry: dict[str, Any]) -> None:
    namespace = namespace_of(entry)
    statements = classify(entry["sql"], namespace)
    facts = Facts(identity=Identity("agent"), database="shop", namespace=namespace)
    assert ACTIONS[type(worst(decide_batch(POLICY, statements, facts)))] == entry["action"]


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    reads = [line for line in (CORPUS / "reads.jsonl").read_text(encoding="utf-8").splitlines() if '"allow"' in line]
    assert len(ENTRIES) >= 400
    assert len(reads) >= 150


def test_what_clients_ask_when_they_connect_look_around_and_dump_passes() -> None:
    clients: dict[str, set[str]] = {}
    for file in SERVERS:
        for line in (CORPUS / f"{file}.jsonl").read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            assert entry["action"] == "allow", entry["sql"]
            clients.setdefault(file, set()).add(entry["client"])
    assert clients["clients_mariadb"] >= {
        "mariadb", "mariadb-dump", "jdbc", "sqlalchemy", "django", "node", "peewee", "mysql-connector"
    }  # fmt: skip
    assert clients["clients_mysql"] >= {"mysqldump", "jdbc", "connector-j", "sqlalchemy", "django", "node", "peewee"}


@pytest.mark.parametrize("entry", [e for e in ENTRIES if str(e.id).startswith("reads")])
def test_ordinary_reads_have_no_effect_but_reading(entry: dict[str, Any]) -> None:
    for statement in classify(entry["sql"], NAMESPACE):
        assert {effect.value for effect in statement.effects} <= {"read"}
        assert statement.opaque is None
