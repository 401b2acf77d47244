"""JSON that a query makes of rows: the keys of masked columns are masked and the others stay, in text and in binary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "masking_documents"
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, first text, ssn text, pay int, doc json, tags text[], born date);
INSERT INTO people VALUES
    (1, E'q"uo\\\\te, {"ssn": [1', 'canary1', 7654321,
     '{"ssn" : "x", "ssn":  [1.50, {"a": "}"}], "big": 123456789012345678901234567890.10}', '{"a,b"}', NULL),
    (2, 'été ☃ 😀', NULL, NULL, '[]', NULL, '2001-02-03'), (3, NULL, 'canary"3\\', 7654322, NULL, '{}', NULL);
CREATE TABLE orders (id int PRIMARY KEY, person int, note text);
INSERT INTO orders VALUES (1, 1, 'n1'), (2, 1, 'n2'), (3, 2, 'n3'), (4, 9, NULL);
CREATE VIEW v AS SELECT id, first AS label, ssn AS number FROM people;
CREATE TABLE holder (id int, p people);
INSERT INTO holder SELECT id, people FROM people;
CREATE TABLE other (id int, ssn text, first text);
INSERT INTO other VALUES (1, 'open', 'open2');
CREATE FUNCTION all_people() RETURNS SETOF people LANGUAGE sql STABLE AS 'SELECT * FROM people';
"""
# with the keys that are masked
DOCUMENTS = [
    "SELECT row_to_json(p) FROM people p ORDER BY id", "SELECT row_to_json(people, true) FROM people ORDER BY id",
    "SELECT to_json(p), to_jsonb(p) FROM people p ORDER BY id", "SELECT json_agg(p ORDER BY id) FROM people p",
    "SELECT jsonb_agg(p ORDER BY id) FROM people p WHERE id > 1", "SELECT json_agg(people) FROM people WHERE id = 0",
    "SELECT row_to_json(t) FROM (SELECT id, ssn, upper(first) AS loud FROM people ORDER BY id) t",
    "SELECT coalesce(json_agg(t), '[]') FROM (SELECT id, ssn FROM people WHERE id < 0) t",
    "SELECT coalesce(jsonb_agg(t), '[]'::jsonb) FROM (SELECT id, ssn, first FROM people ORDER BY id) t",
    "SELECT json_build_object('id', id, 'ssn', ssn, 'pay', pay + 1, 'first', first) FROM people ORDER BY id",
    "SELECT jsonb_build_object('pay', pay, 'id', id, 'who',"
    " jsonb_build_object('ssn', ssn, 'first', first)) FROM people ORDER BY id",
    "SELECT o.id, json_build_object('note', o.note, 'person', (SELECT row_to_json(p) FROM people p WHERE p.id = o.person))"
    " FROM orders o ORDER BY o.id",
    "SELECT p.id, json_build_object('first', p.first, 'ssn', p.ssn, 'orders', (SELECT json_agg(o ORDER BY o.id) FROM orders o"
    " WHERE o.person = p.id)) FROM people p ORDER BY p.id",
    "SELECT json_agg(json_build_object('o', o.id, 'p', p) ORDER BY o.id) FROM orders o LEFT JOIN people p ON p.id = o.person",
    "SELECT row_to_json(v) FROM v ORDER BY id", "WITH c AS (SELECT id, ssn FROM people ORDER BY id) SELECT json_agg(c) FROM c",
    "SELECT x.j FROM (SELECT id, row_to_json(p) AS j FROM people p) x ORDER BY x.id",
    "SELECT row_to_json(x) FROM (SELECT p.id, p AS person FROM people p ORDER BY id) x",
    "SELECT jsonb_agg(x) FROM (SELECT id, to_json(p) AS inside FROM people p ORDER BY id) x",
    "SELECT to_jsonb(p) - 'first' FROM people p ORDER BY id", "SELECT to_jsonb(p) - 'ssn' - 'pay' FROM people p ORDER BY id",
    "SELECT to_jsonb(p) - ARRAY['ssn', 'doc'] FROM people p ORDER BY id",
    "SELECT jsonb_build_object('id', id, 'ssn', ssn, 'pay', pay) - 'pay' FROM people ORDER BY id",
    "SELECT json_agg(to_jsonb(p) - 'ssn' ORDER BY id) FROM people p",
    "SELECT o.id, to_jsonb(p) - 'ssn' FROM orders o LEFT JOIN people p ON p.id = o.person ORDER BY o.id",
]  # fmt: skip
MASKED = {"ssn", "pay", "number"}
# what has keys that nobody can be sure of is masked whole
WHOLE = [
    "SELECT row_to_json(p) FROM people AS p (a, b)", "SELECT to_jsonb(p) FROM people AS p (id, ssn, first, pay, doc, tags, born)",
    "SELECT json_agg(p) FROM people AS p (id, ssn, first, pay, doc, tags, born)",
    "SELECT to_jsonb(t) FROM (SELECT id, ssn, first FROM people) AS t (id, first, ssn)",
    "SELECT json_build_object(first, ssn) FROM people WHERE id = 1", "SELECT json_build_object('a' || id, ssn) FROM people",
    "SELECT jsonb_build_object('a', first, 'a', ssn) FROM people", "SELECT to_json(ROW(id, ssn)) FROM people",
    "SELECT json_agg(ssn) FROM people", "SELECT json_object_agg(id, ssn) FROM people", "SELECT to_jsonb(h) FROM holder h",
    "SELECT json_agg(a) FROM all_people() a", "SELECT to_jsonb(p) - 'nothing' FROM people p",
    "SELECT to_jsonb(p) - first FROM people p WHERE first IS NOT NULL", "SELECT to_jsonb(p) - ('fi' || 'rst') FROM people p",
    "SELECT to_jsonb(p) - ARRAY['doc', first] FROM people p", "SELECT jsonb_agg(p) - 'first' FROM people p",
    "SELECT jsonb_agg(p) - 0 FROM people p", "SELECT to_jsonb(p) - 'ssn' || jsonb_build_object('x', ssn) FROM people p",
    "SELECT to_jsonb(t) - 'ssn' FROM (SELECT id, ssn, first FROM people) AS t (id, first, ssn)",
    "SELECT to_jsonb(p) - '{doc}'::text[] FROM people p",
    "SELECT to_jsonb(p) || '{\"first\": 1}' FROM people p",
    "SELECT jsonb_set(to_jsonb(p), '{first}', to_jsonb(p) -> 'ssn') FROM people p",
    "SELECT json_strip_nulls(row_to_json(p)) FROM people p",
    "SELECT to_json(to_json(p)::text) FROM people p", "SELECT to_jsonb(j) FROM (people p JOIN orders o ON o.person = p.id) AS j",
    "SELECT to_jsonb(p) FROM people p UNION ALL SELECT to_jsonb(o) FROM (SELECT id, ssn, first FROM other) o",
    "SELECT CASE WHEN id > 1 THEN to_jsonb(p) ELSE jsonb_build_object('first', ssn) END FROM people p",
    "SELECT coalesce(to_jsonb(q), to_jsonb(p)) FROM people p LEFT JOIN v q ON false",
    "SELECT json_build_object(VARIADIC ARRAY['first', ssn]) FROM people WHERE ssn IS NOT NULL",
    "SELECT lag(to_jsonb(p)) OVER () FROM people p", "SELECT array_agg(to_json(p)) FROM people p",
]  # fmt: skip


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    with psycopg.connect(found.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(found.dsn(DBNAME), autocommit=True) as connection:
        connection.execute(SCHEMA)
    return found


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    plan = GatewayPlan(
        server=server, dbname=DBNAME, masks={"public.people.ssn": "redact", "*.people.pay": "redact"}, wait_s=0
    )
    with running_gateway(plan, tmp_path_factory.mktemp("documents")) as found:
        yield found


def answer(dsn: str, sql: str, result_format: int, before: str = "") -> tuple[bytes, list[list[bytes | None]]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        if before:
            connection.execute(before.encode())
        result = connection.pgconn.exec_params(sql.encode(), None, None, None, result_format)
        width, height = range(result.nfields), range(result.ntuples)
        return result.error_message or b"", [[result.get_value(row, place) for place in width] for row in height]


def starred(text: str) -> str:
    """A document as it should arrive: members of masked keys replaced, of the rows of people alone, everything else to the byte."""

    def pairs(found: list[tuple[str, Any]]) -> Any:
        inside = {"big"} & {key for key, _ in found}  # the column `doc`, whose own key is nobody's mask
        return {key: "***" if key in MASKED and not inside else value for key, value in found}

    return json.dumps(json.loads(text, object_pairs_hook=pairs, parse_float=str, parse_int=str), sort_keys=True)


@pytest.mark.parametrize("result_format", [0, 1], ids=["text", "binary"])
@pytest.mark.parametrize("sql", DOCUMENTS)
def test_only_the_keys_of_masked_columns_are_masked(
    server: Server, gateway: Gateway, sql: str, result_format: int
) -> None:
    said, direct = answer(server.dsn(DBNAME), sql, result_format)
    assert said == b""
    said, through = answer(gateway.dsn(), sql, result_format)
    assert said == b""
    assert b"canary" not in str(through).encode()
    assert "765432" not in str(through)
    assert len(direct) == len(through)
    for one, two in zip(direct, through, strict=True):
        for before, after in zip(one, two, strict=True):
            if before is None or before[:1] not in b"[{\x01" or before[:1] == b"":
                assert after == before
                continue
            assert after is not None
            assert after[:1] == before[:1]
            old, new = before.lstrip(b"\1").decode(), after.lstrip(b"\1").decode()
            assert json.dumps(json.loads(new, parse_float=str, parse_int=str), sort_keys=True) == starred(old)
            if "canary" not in old and "765432" not in old and not any(f'"{key}"' in old for key in MASKED):
                assert new == old


def test_what_stays_of_a_document_stays_to_the_byte(gateway: Gateway) -> None:
    _, ((found,), *_) = answer(gateway.dsn(), "SELECT row_to_json(p) FROM people p ORDER BY id", 0)
    assert found == (
        b'{"id":1,"first":"q\\"uo\\\\te, {\\"ssn\\": [1","ssn":"***","pay":"***","doc":{"ssn" : "x", "ssn":  [1.50, {"a": "}"}], '
        b'"big": 123456789012345678901234567890.10},"tags":["a,b"],"born":null}'
    )


@pytest.mark.parametrize("result_format", [0, 1], ids=["text", "binary"])
def test_a_document_whose_keys_are_not_sure_is_masked_whole(
    server: Server, gateway: Gateway, result_format: int
) -> None:
    silent, shown = [], []
    for sql in WHOLE:
        said, direct = answer(server.dsn(DBNAME), sql, result_format)
        if b"canary" not in str(direct).encode():
            silent.append((sql, said))
        _, through = answer(gateway.dsn(), sql, result_format)
        if b"canary" in str(through).encode() or "765432" in str(through):
            shown.append((sql, through))
    assert silent == []
    assert shown == []


def test_keys_in_another_order_are_another_statement(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
        for _ in range(3):
            for one, two in (("x", "y"), ("y", "x")):
                sql = f"SELECT jsonb_build_object('{one}', ssn, '{two}', first) FROM people WHERE id = 3"
                assert agent.execute(sql.encode()).fetchall() == [({one: "***", two: None},)]


def test_no_encoding_moves_a_value(gateway: Gateway) -> None:
    for encoding in ("SJIS", "GBK", "BIG5", "LATIN1"):
        sql = "SELECT row_to_json(t) FROM (SELECT first || chr(9473) AS note, pay, ssn FROM people) t"
        said, rows = answer(gateway.dsn(), sql, 0, f"SET client_encoding = '{encoding}'")
        assert b"canary" not in str((said, rows)).encode()
        assert "765432" not in str(rows)


def test_a_cast_of_users_chooses_its_own_keys(server: Server, gateway: Gateway) -> None:
    """to_json of a type for which somebody made a cast to json calls that."""
    makes = """CREATE FUNCTION swapped(p people) RETURNS json LANGUAGE sql IMMUTABLE AS $$
        SELECT json_build_object('id', p.id, 'first', p.ssn, 'ssn', p.first, 'pay', 0, 'doc', 0, 'tags', p.pay, 'born', 0) $$"""
    with psycopg.connect(server.dsn(DBNAME), autocommit=True) as direct:
        direct.execute(makes.encode())
        direct.execute("CREATE CAST (people AS json) WITH FUNCTION swapped(people) AS ASSIGNMENT")
        direct.execute("CREATE TABLE seen (a int)")
    try:
        with psycopg.connect(gateway.dsn(), autocommit=True) as agent:
            agent.execute("DROP TABLE seen")  # so that the catalog is read again
            for sql in (
                "SELECT to_json(p) FROM people p",
                "SELECT jsonb_agg(p) FROM people p",
                "SELECT json_build_object('p', p) FROM people p",
            ):
                shown = str(agent.execute(sql.encode()).fetchall())
                assert "canary" not in shown
                assert "765432" not in shown
    finally:
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as direct:
            direct.execute("DROP FUNCTION swapped(people) CASCADE")
