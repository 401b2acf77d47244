"""Nothing in a parse tree is overlooked: each node type is mapped on purpose, each node of a tree is visited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pglast import ast, enums, parser

from rules.classify.postgres import classify
from rules.classify.postgres.tree import FIELDS, NODE_TYPES, Node, parse
from rules.classify.postgres.walk import HANDLERS
from rules.model import Effect, Namespace
from tests.rules.test_corpus_postgres import ENTRIES

NAMESPACE = Namespace(user="agent")
READABLE = sorted({entry["sql"] for _, entry in ENTRIES if entry["kind"] != "opaque"})


def test_every_node_type_of_the_parser_is_mapped() -> None:
    assert NODE_TYPES - HANDLERS.keys() == set()
    assert HANDLERS.keys() - NODE_TYPES == {"List"}


def test_a_node_type_that_is_not_mapped_makes_the_statement_opaque(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(HANDLERS, "CoalesceExpr")
    (statement,) = classify("SELECT coalesce(a, pg_sleep(1)::text) FROM t", NAMESPACE)
    assert statement.opaque == "CoalesceExpr is not known here"
    assert Effect.SLEEP in statement.effects


def python_nodes(found: Any) -> Iterator[ast.Node]:
    if isinstance(found, tuple):
        for item in found:
            yield from python_nodes(item)
    elif isinstance(found, ast.Node):
        yield found
        if not isinstance(found, ast.A_Const):
            for name in found:
                yield from python_nodes(getattr(found, name))


def json_tags(tag: str, node: Node) -> Iterator[str]:
    yield tag
    if tag == "A_Const":
        return
    for name, value in node.items():
        if isinstance(value, dict):
            if name in FIELDS.get(tag, {}):
                yield from json_tags(FIELDS[tag][name], value)
            else:
                for inner, below in value.items():
                    yield from json_tags(inner, below)
        elif isinstance(value, list):
            for item in value:
                for inner, below in item.items():
                    yield from json_tags(inner, below)


@pytest.mark.parametrize("sql", READABLE, ids=range(len(READABLE)))
def test_the_tree_that_is_walked_has_the_same_nodes_as_the_librarys_own(sql: str) -> None:
    ours = Counter(tag for found in parse(sql) for tag in json_tags(found.tag, found.node) if tag != "List")
    theirs = Counter(type(node).__name__ for raw in parser.parse_sql(sql) for node in python_nodes(raw.stmt))
    assert ours == theirs


@pytest.mark.parametrize("sql", READABLE, ids=range(len(READABLE)))
def test_every_call_and_every_relation_in_the_tree_is_found(sql: str) -> None:
    (statement,) = classify(sql, NAMESPACE)
    found = {function.name for function in statement.functions}
    relations = {relation.name for relation in statement.relations}
    for raw in parser.parse_sql(sql):
        nodes = list(python_nodes(raw.stmt))
        queries = {node.ctename for node in nodes if isinstance(node, ast.CommonTableExpr)}
        for node in nodes:
            if isinstance(node, ast.FuncCall) and node.funcformat != enums.CoercionForm.COERCE_SQL_SYNTAX:
                assert node.funcname
                assert node.funcname[-1].sval in found
            if isinstance(node, ast.RangeVar):
                assert node.relname in relations | queries


# Wherever an expression can stand, there is no place from which a call is not seen.
PLACES = """
SELECT {}
SELECT DISTINCT ON ({}) 1 FROM t
SELECT 1 FROM {} AS f
SELECT 1 FROM LATERAL {} AS f
SELECT 1 FROM ROWS FROM ({}, generate_series(1, 2)) AS f
SELECT 1 FROM t JOIN u ON {} IS NULL
SELECT 1 FROM t TABLESAMPLE system ({})
SELECT 1 FROM t TABLESAMPLE system (1) REPEATABLE ({})
SELECT 1 FROM XMLTABLE('/a' PASSING {} COLUMNS a int PATH 'a')
SELECT 1 FROM XMLTABLE('/a' PASSING x COLUMNS a int PATH 'a' DEFAULT {})
SELECT 1 FROM XMLTABLE(XMLNAMESPACES ({} AS x), '/a' PASSING y COLUMNS a int)
SELECT 1 FROM JSON_TABLE({}, '$' COLUMNS (a int PATH '$.a')) AS j
SELECT 1 FROM JSON_TABLE(x, '$' PASSING {} AS v COLUMNS (a int PATH '$.a' DEFAULT 0 ON EMPTY)) AS j
SELECT 1 FROM JSON_TABLE(x, '$' COLUMNS (a int PATH '$.a' DEFAULT {} ON EMPTY)) AS j
SELECT 1 FROM JSON_TABLE(x, '$' COLUMNS (NESTED PATH '$.b' COLUMNS (a int PATH '$.a' DEFAULT {} ON ERROR))) AS j
SELECT 1 FROM t WHERE {} IS NULL
SELECT 1 FROM t GROUP BY {}
SELECT 1 FROM t GROUP BY CUBE (a, {})
SELECT 1 FROM t HAVING {} IS NULL
SELECT 1 FROM t ORDER BY {}
SELECT 1 FROM t LIMIT {}
SELECT 1 FROM t OFFSET {}
SELECT 1 FROM t WINDOW w AS (PARTITION BY {})
SELECT 1 FROM t WINDOW w AS (ORDER BY {})
SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN {} PRECEDING AND CURRENT ROW) FROM t
SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND {} FOLLOWING) FROM t
SELECT sum(a) OVER (PARTITION BY {}) FROM t
SELECT sum({}) FROM t
SELECT sum(a ORDER BY {}) FROM t
SELECT sum(a) FILTER (WHERE {} IS NULL) FROM t
SELECT percentile_cont({}) WITHIN GROUP (ORDER BY a) FROM t
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY {}) FROM t
SELECT format(VARIADIC ARRAY[{}])
SELECT make_interval(days => {})
SELECT CASE {} WHEN 1 THEN 2 END
SELECT CASE WHEN {} IS NULL THEN 2 END
SELECT CASE WHEN a THEN {} END FROM t
SELECT CASE WHEN a THEN 1 ELSE {} END FROM t
SELECT coalesce(1, {}), greatest(1, 2)
SELECT nullif({}, 1)
SELECT ({})::text
SELECT CAST({} AS text)
SELECT ARRAY[1, {}]
SELECT (ARRAY[1, 2])[{}]
SELECT (ARRAY[1, 2])[1:{}]
SELECT a[{}] FROM t
SELECT ROW(1, {})
SELECT ({}).field
SELECT NOT {}
SELECT {} IS NOT TRUE
SELECT {} IS NULL
SELECT {} BETWEEN 1 AND 2
SELECT 1 BETWEEN 1 AND {}
SELECT {} IN (1, 2)
SELECT 1 IN (2, {})
SELECT 1 = ANY ({})
SELECT {} LIKE 'a' ESCAPE 'b'
SELECT 'a' LIKE {}
SELECT {} COLLATE "C"
SELECT {} AT TIME ZONE 'UTC'
SELECT now() AT TIME ZONE {}
SELECT extract(epoch FROM {})
SELECT substring({} FROM 1)
SELECT xmlelement(name a, xmlattributes({} AS b), 'c')
SELECT xmlserialize(CONTENT {} AS text)
SELECT {} IS DOCUMENT
SELECT JSON_OBJECT('a': {})
SELECT JSON_ARRAY({})
SELECT JSON_ARRAY(SELECT {})
SELECT JSON_OBJECTAGG('a': {}) FROM t
SELECT JSON_ARRAYAGG({}) FROM t
SELECT JSON({}), JSON_SCALAR(1)
SELECT JSON_SERIALIZE({})
SELECT JSON_VALUE({}, '$')
SELECT JSON_VALUE(a, {}) FROM t
SELECT JSON_QUERY(a, '$' PASSING {} AS x) FROM t
SELECT JSON_VALUE(a, '$' DEFAULT {} ON EMPTY) FROM t
SELECT {} IS JSON
SELECT (SELECT {})
SELECT EXISTS (SELECT {})
SELECT 1 = ALL (SELECT {})
SELECT ARRAY(SELECT {})
SELECT 1 UNION SELECT {}
(SELECT {}) EXCEPT SELECT 1
VALUES (1), ({})
WITH x AS (SELECT {}) SELECT 1
WITH x AS MATERIALIZED (SELECT {}) DELETE FROM t
WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT {}) CYCLE a SET b USING c SELECT 1
INSERT INTO t VALUES ({})
INSERT INTO t SELECT {}
INSERT INTO t VALUES (1) RETURNING {}
INSERT INTO t VALUES (1) ON CONFLICT (({})) DO NOTHING
INSERT INTO t VALUES (1) ON CONFLICT (a) WHERE {} IS NULL DO NOTHING
INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = {}
INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 1 WHERE {} IS NULL
INSERT INTO t (a[{}]) VALUES (1)
UPDATE t SET a = {}
UPDATE t SET (a, b) = ROW({}, 1)
UPDATE t SET a[{}] = 1
UPDATE t SET a = 1 FROM {} AS f
UPDATE t SET a = 1 WHERE {} IS NULL
UPDATE t SET a = 1 RETURNING {}
DELETE FROM t USING {} AS f
DELETE FROM t WHERE {} IS NULL
DELETE FROM t RETURNING {}
DELETE FROM t RETURNING WITH (OLD AS o) {}
MERGE INTO t USING (SELECT {}) u ON true WHEN MATCHED THEN DELETE
MERGE INTO t USING u ON {} IS NULL WHEN MATCHED THEN DELETE
MERGE INTO t USING u ON true WHEN MATCHED AND {} IS NULL THEN DELETE
MERGE INTO t USING u ON true WHEN MATCHED THEN UPDATE SET a = {}
MERGE INTO t USING u ON true WHEN NOT MATCHED THEN INSERT VALUES ({})
MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE RETURNING {}
COPY (SELECT {}) TO STDOUT
COPY t FROM STDIN WHERE {} IS NULL
EXPLAIN ANALYZE SELECT {}
DECLARE c CURSOR FOR SELECT {}
EXECUTE p ({})
CALL pg_catalog.p(1, {})
CREATE TABLE x AS SELECT {}
CREATE TABLE x AS EXECUTE p ({})
CREATE MATERIALIZED VIEW x AS SELECT {}
CREATE VIEW x AS SELECT {}
CREATE TABLE x (a int DEFAULT {})
CREATE TABLE x (a int CHECK ({} IS NULL))
CREATE TABLE x (a int GENERATED ALWAYS AS ({}) STORED)
CREATE TABLE x (a int, CHECK ({} IS NULL))
CREATE TABLE x (a int, EXCLUDE USING gist (a WITH =) WHERE ({} IS NULL))
CREATE TABLE x (a int) PARTITION BY RANGE (({}))
CREATE TABLE x PARTITION OF t FOR VALUES IN ({})
CREATE TABLE x PARTITION OF t FOR VALUES FROM ({}) TO (2)
CREATE INDEX ON t (({}))
CREATE INDEX ON t (a) WHERE {} IS NULL
CREATE STATISTICS s ON ({}), a FROM t
CREATE DOMAIN d AS int DEFAULT {}
CREATE DOMAIN d AS int CHECK ({} IS NULL)
ALTER DOMAIN d SET DEFAULT {}
ALTER DOMAIN d ADD CHECK ({} IS NULL)
ALTER TABLE t ADD COLUMN a int DEFAULT {}
ALTER TABLE t ALTER a SET DEFAULT {}
ALTER TABLE t ALTER a TYPE text USING {}
ALTER TABLE t ADD CONSTRAINT c CHECK ({} IS NULL)
ALTER TABLE t ATTACH PARTITION x FOR VALUES FROM ({}) TO (2)
CREATE POLICY p ON t USING ({} IS NULL)
CREATE POLICY p ON t WITH CHECK ({} IS NULL)
ALTER POLICY p ON t USING ({} IS NULL)
CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN ({} IS NULL) EXECUTE FUNCTION f()
CREATE RULE r AS ON INSERT TO t DO ALSO SELECT {}
CREATE RULE r AS ON INSERT TO t WHERE {} IS NULL DO NOTHING
CREATE FUNCTION f(a int DEFAULT {}) RETURNS int LANGUAGE sql AS 'SELECT 1'
CREATE FUNCTION f() RETURNS int RETURN {}
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT {}; END
CREATE PUBLICATION p FOR TABLE t WHERE ({} IS NULL)
CREATE SCHEMA s CREATE TABLE x (a int DEFAULT {})
CREATE FOREIGN TABLE x (a int DEFAULT {}) SERVER s
""".strip().splitlines()


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_a_call_is_seen_wherever_an_expression_can_stand(place: str) -> None:
    (statement,) = classify(place.format("pg_terminate_backend(1)"), NAMESPACE)
    assert statement.opaque is None
    assert Effect.ADMIN in statement.effects
    assert "pg_terminate_backend" in {function.name for function in statement.functions}


@pytest.mark.parametrize("place", [place for place in PLACES if place.startswith(("SELECT", "WITH", "INSERT"))])
def test_a_table_is_seen_wherever_a_subquery_can_stand(place: str) -> None:
    if " FROM {} AS f" in place or "LATERAL {}" in place or "ROWS FROM" in place:
        place = place.replace("LATERAL {}", "{}").replace("ROWS FROM ({}, generate_series(1, 2))", "{}")
    (statement,) = classify(place.format("(SELECT a FROM hidden)"), NAMESPACE)
    assert statement.opaque is None
    assert "hidden" in {relation.name for relation in statement.relations}
