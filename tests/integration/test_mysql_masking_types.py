"""Masked values of every type, through the gateway: drivers decode them in text and in binary, and the server takes them back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mysql.connector
import pymysql
import pytest
from attrs import frozen

from protocols.mysql.packets import encode_lenenc
from rules.masking.maskers import MASKERS
from rules.masking.mysql.maskers import MySqlMaskers
from rules.masking.mysql.types import Facts
from rules.masking.values import Mark
from tests.integration import mysql_gateway as gateway
from tests.integration.mysql_raw import Heard
from tests.support import programs
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "wp_mask_types"
NODE = Path(__file__).parent / "node"
COLUMNS = {
    "tinyint": "-5", "tinyint unsigned": "200", "tinyint(3) unsigned zerofill": "17",
    "smallint": "-300", "smallint unsigned": "65000",
    "mediumint": "-8000000", "mediumint unsigned": "16000000", "int": "-2000000000", "int unsigned": "4000000000",
    "int(8) unsigned zerofill": "12345678", "bigint": "4111111111111234", "bigint unsigned": "18446744073709551615",
    "float": "1.5", "float(7, 3)": "-12.345", "double": "-2.5e10", "double(10, 2)": "12345678.25", "decimal(8, 3)": "-12345.678",
    "decimal(3, 3)": "0.125", "decimal(5, 0) unsigned": "99999", "decimal(30, 10)": "12345678901234567890.0123456789",
    "date": "1985-07-14", "time": "-101:02:03", "time(6)": "12:13:14.567891", "datetime": "1985-07-14 12:13:14",
    "datetime(6)": "1985-07-14 12:13:14.567891", "timestamp": "2001-07-14 12:13:14", "timestamp(3)": "2001-07-14 12:13:14.567",
    "year": "1985", "char(1)": "x", "char(2)": "xy", "char(30)": "some text of its own", "varchar(40)": "alice@example.com",
    "varchar(40) character set latin1": "grüße an alle", "varchar(40) character set ucs2": "grüße an alle",
    "varchar(40) character set gbk": "grusse an alle", "tinytext": "some longer text", "text": "some longer text",
    "longtext": "1985-07-14", "binary(4)": "abcd", "varbinary(20)": "some longer bytes", "blob": "some longer bytes",
    "enum('small', 'large')": "large", "set('a', 'b', 'c')": "a,c", "bit(1)": "b'1'",
    "bit(9)": "b'101010101'", "json": '{"a": [1]}', "geometry": "ST_GeomFromText('POINT(8765 4321)')",
    "polygon": "ST_GeomFromText('POLYGON((0 0,8765 0,8765 4321,0 0))')",
}  # fmt: skip
ONLY = {
    True: {"uuid": "12345678-1234-5678-1234-567812345678", "inet6": "2001:db8::1", "inet4": "192.0.2.7"},
    False: {"vector(3)": "x'0000803f0000803f0000803f'"},
}
LONGER = ("decimal(3, 3)", "decimal(5, 0) unsigned")  # numbers of few digits are permuted among those of six
ARGUMENTS = {"first-n": "3", "bucket": "1000", "constant": "7"}


def table(masker: str) -> str:
    return f"t_{masker.replace('-', '_')}"


@frozen
class Masked:
    """A table of every type for each masker, and the way to them through the gateway."""

    server: Server
    port: int
    types: dict[str, str]
    mariadb: bool


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def masked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Masked]:
    server: Server = request.getfixturevalue(request.param)
    mariadb = request.param == "mariadb"
    types = COLUMNS | ONLY[mariadb]
    places = [f"c{number} {kind} NOT NULL" for number, kind in enumerate(types)]
    values = [value if value.endswith(("'", "')")) else f"'{value}'" for value in types.values()]
    masks = ""
    for masker in MASKERS:
        argument = f"\nargument = '{ARGUMENTS[masker]}'" if masker in ARGUMENTS else ""
        masks += f"\n[[mask]]\ncolumn = '{DBNAME}.{table(masker)}.c*'\nmasker = '{masker}'{argument}\n"
    with closing(gateway.direct(server, "mysql")) as admin, admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DBNAME}")
        cursor.execute(f"CREATE DATABASE {DBNAME} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {DBNAME}")
        for masker in MASKERS:
            cursor.execute(f"CREATE TABLE {table(masker)} (id int PRIMARY KEY, {', '.join(places)})")
            cursor.execute(f"INSERT INTO {table(masker)} VALUES (1, {', '.join(values)})")
        cursor.execute(f"CREATE TABLE again LIKE {table('redact')}")
        cursor.execute(f"INSERT INTO again SELECT * FROM {table('redact')}")
        with gateway.in_a_thread(server, DBNAME, tmp_path_factory.mktemp("types"), extra=masks) as port:
            yield Masked(server, port, types, mariadb)
        cursor.execute(f"DROP DATABASE {DBNAME}")


def row(connection: Any, masker: str, columns: str = "*", **options: Any) -> list[Any]:
    cursor = connection.cursor(**options)
    cursor.execute(f"SELECT {columns} FROM {table(masker)}")
    (found,) = cursor.fetchall()
    cursor.close()
    assert int(found[0]) == 1
    return list(found[1:])


def raw(connection: Any, masker: str) -> list[Any]:
    """The bytes of the text protocol."""
    connection.decoders = {}
    connection.use_unicode = False
    try:
        return row(connection, masker)
    finally:
        connection.decoders = pymysql.converters.decoders
        connection.use_unicode = True


def _connector(pure: bool) -> Callable[[int], Any]:
    def connect(port: int) -> Any:
        return mysql.connector.connect(
            host="127.0.0.1", port=port, user="agent", password=gateway.PASSWORD, database="shop", use_pure=pure,
            ssl_disabled=True, charset="utf8mb4", collation="utf8mb4_general_ci",
        )  # fmt: skip

    return connect


@pytest.mark.parametrize("masker", MASKERS)
def test_the_server_takes_back_what_stands_in_a_columns_place(masked: Masked, masker: str) -> None:
    """Each in a column of its own type, in strict mode; read again, it is the same."""
    with closing(gateway.connect(masked.port, charset="utf8mb4")) as connection:
        values = raw(connection, masker)
    with closing(gateway.direct(masked.server, DBNAME, charset="utf8mb4")) as admin:
        for number, (kind, value) in enumerate(zip(masked.types, values, strict=True)):
            if value is None or (masker == "pseudonym" and ("char" in kind or kind in LONGER)):
                continue  # a pseudonym may be longer than its column: it is never written
            bytes_of_it = kind.startswith(("binary", "varbinary", "blob", "bit", "vector"))
            with admin.cursor() as cursor:
                cursor.execute(f"UPDATE again SET c{number} = %s", (value if bytes_of_it else value.decode(),))
                assert cursor.rowcount in (0, 1)
            with admin.cursor() as cursor:
                admin.decoders, admin.use_unicode = {}, False
                cursor.execute(f"SELECT c{number} FROM again")
                assert cursor.fetchone() == (value,) or kind.startswith("binary"), kind
                admin.decoders, admin.use_unicode = pymysql.converters.decoders, True


@pytest.mark.parametrize("masker", ["hash", "pseudonym"])
def test_mariadb_takes_back_every_uuid_that_it_had_whatever_the_key(mariadb: Server, masker: str) -> None:
    """It refuses some: of all versions and variants, those that it takes become those that it takes."""
    facts = Facts(254, 0, 45, 144, declared="uuid")
    heads = [
        (six, eight) for six in range(0, 256, 16) for eight in (0, 1, 0x3F, 0x7F, 0x80, 0x81, 0xA0, 0xBF, 0xC0, 0xFF)
    ]
    with closing(gateway.direct(mariadb, "mysql")) as admin, admin.cursor() as cursor:
        cursor.execute("SET sql_mode = 'STRICT_ALL_TABLES'")
        cursor.execute("CREATE TEMPORARY TABLE test.uuids (a uuid)")
        for number in range(8):
            field = MySqlMaskers(os.urandom(32)).field(Mark(masker), facts, False)
            for six, eight in heads:
                value = str(uuid.UUID(bytes=os.urandom(6) + bytes([six, number, eight]) + os.urandom(7)))
                try:
                    cursor.execute("INSERT INTO test.uuids VALUES (%s)", (value,))
                except pymysql.err.Error:
                    assert six >= 0x80, "what it refuses is of a version that nobody gives out"
                    continue
                shown = field(value.encode())
                assert shown is not None
                cursor.execute("INSERT INTO test.uuids VALUES (%s)", (shown.decode(),))
                cursor.execute("SELECT count(*) FROM test.uuids WHERE a IN (%s, %s)", (value, shown.decode()))
                assert cursor.fetchone() == (2,)
            cursor.execute("TRUNCATE test.uuids")


def test_what_a_masker_hides_is_hidden_in_every_type(masked: Masked) -> None:
    with closing(gateway.direct(masked.server, DBNAME)) as admin:
        real = raw(admin, "redact")
    with closing(gateway.connect(masked.port)) as connection:
        for masker in ("redact", "null", "hash", "pseudonym"):
            for kind, hidden, shown in zip(masked.types, real, raw(connection, masker), strict=True):
                assert shown != hidden, f"{masker} of {kind}"
        assert set(raw(connection, "null")) == {None}
        nulls = [kind for kind, value in zip(masked.types, raw(connection, "redact"), strict=True) if value is None]
    assert nulls == ["enum('small', 'large')", "geometry", "polygon"]


@pytest.mark.parametrize("masker", MASKERS)
@pytest.mark.parametrize("pure", [True, False], ids=["pure", "c"])
def test_mysqls_own_driver_decodes_text_and_binary_alike(masked: Masked, masker: str, pure: bool) -> None:
    # the pure one cannot read a prepared YEAR, from the server either
    kinds = {f"c{number}": kind for number, kind in enumerate(masked.types) if kind != "year"}
    columns = ", ".join(["id", *kinds])
    with closing(_connector(pure)(masked.port)) as connection:
        in_text, in_binary = row(connection, masker, columns), row(connection, masker, columns, prepared=True)
    for kind, text, binary in zip(kinds.values(), in_text, in_binary, strict=True):
        if isinstance(text, set):
            binary = binary or set()
        if not kind.startswith(("set", "bit", "vector", "json")):  # it decodes these in another way itself
            assert _plain(text) == _plain(binary), kind


def _plain(value: Any) -> Any:
    """The driver gives some strings as bytes, in one protocol or the other."""
    if isinstance(value, bytearray | bytes):
        return bytes(value).decode("utf-8", "replace")
    return (
        value % 2**64 if isinstance(value, int) else value
    )  # of a prepared BIGINT it does not heed that it is unsigned


CODECS = {"utf16": "utf_16_be", "utf16le": "utf_16_le", "ucs2": "utf_16_be", "utf32": "utf_32_be"}


def fields(connection: Any, masker: str, charset: str) -> list[bytes | None]:
    """The bytes of the text protocol, in results of that character set."""
    connection.decoders, connection.use_unicode = {}, False
    with connection.cursor() as cursor:
        cursor.execute(f"SET character_set_results = {charset}")
        cursor.execute(f"SELECT * FROM {table(masker)}")
        (found,) = cursor.fetchall()
        cursor.execute("SET character_set_results = utf8mb4")
    return list(found[1:])


@pytest.mark.parametrize("charset", CODECS)
def test_what_stands_in_a_columns_place_comes_in_the_character_set_of_results(masked: Masked, charset: str) -> None:
    """Whatever the server converts comes converted, and what it does not as it is: as a driver that asked for it expects."""

    def wide(value: bytes | None) -> bytes | None:
        return None if value is None else value.decode().encode(CODECS[charset])

    with closing(gateway.direct(masked.server, DBNAME)) as admin, closing(gateway.connect(masked.port)) as connection:
        plain, there = (fields(admin, "redact", each) for each in ("utf8mb4", charset))
        converted = [one != other for one, other in zip(plain, there, strict=True)]
        assert sum(converted) > 10
        for masker in MASKERS:
            wanted, got = (fields(connection, masker, each) for each in ("utf8mb4", charset))
            for kind, one, other, converts in zip(masked.types, wanted, got, converted, strict=True):
                assert other == (wide(one) if converts else one), f"{masker} of {kind}"


def test_prepared_statements_heed_the_character_set_of_results(masked: Masked) -> None:
    """In binary that of JSON in MySQL, and in MariaDB of DECIMAL."""
    kind, value = ("decimal(8, 3)", "0.000") if masked.mariadb else ("json", '"***"')
    with closing(gateway.connect(masked.port)) as connection:
        session = Heard(connection)
        session.text("SET character_set_results = utf16le")
        session.take()
        session.prepared(f"SELECT c{list(masked.types).index(kind)} FROM {table('redact')}")
        data = session.take()
    assert encode_lenenc(value.encode("utf_16_le")) + b"\xfe\x00\x00" in data


def test_a_session_with_results_in_utf16_is_judged_and_warned_as_any(masked: Masked) -> None:
    with closing(gateway.connect(masked.port)) as connection:
        session = Heard(connection)
        session.text("SET character_set_results = utf16")
        session.text(f"SELECT c0 FROM {table('redact')} WHERE c0 > 3")
        assert b"pending" in session.take(), "held for its condition, and for nothing else"
        session.text("SELECT CAST('x y' AS signed)")
        session.text("SHOW WARNINGS")
        data = session.take()
        assert "Truncated incorrect INTEGER value: '***'".encode("utf_16_be") in data
        session.text("SET character_set_results = utf8mb4")
        session.text("SELECT 'it goes on'")
        assert b"it goes on" in session.take()


def test_pymysql_decodes_every_type_as_the_server_s_own(masked: Masked) -> None:
    # a VECTOR it takes for ASCII, from the server too; masked it is an empty one
    kinds = {f"c{number}": kind for number, kind in enumerate(masked.types) if not kind.startswith("vector")}
    columns = ", ".join(["id", *kinds])
    with closing(gateway.direct(masked.server, DBNAME, charset="utf8mb4")) as admin:
        models = row(admin, "redact", columns)
    with closing(gateway.connect(masked.port, charset="utf8mb4")) as connection:
        for masker in MASKERS:
            assert len(row(connection, masker)) == len(masked.types)
            for kind, value, model in zip(kinds.values(), row(connection, masker, columns), models, strict=True):
                assert value is None or type(value) is type(model), f"{masker} of {kind}"


def mysql2(port: int, user: str, password: str, database: str) -> dict[str, list[dict[str, Any]]]:
    """By table, its row in text and in binary."""
    run_node, _ = programs.node()
    place = programs.node_modules(NODE)
    arguments = ["127.0.0.1", str(port), user, password, database, *map(table, MASKERS)]
    done = subprocess.run(
        [*run_node, NODE / "masked.js", *arguments], capture_output=True, text=True, timeout=60,
        env={**os.environ, "NODE_PATH": str(place / "node_modules")},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def test_mysql2_of_node_decodes_text_and_prepared_alike(masked: Masked) -> None:
    found = mysql2(masked.port, "agent", gateway.PASSWORD, "shop")
    models = mysql2(masked.server.port, masked.server.user, masked.server.password, DBNAME)
    for masker in MASKERS:
        in_text, in_binary = found[table(masker)]
        assert len(in_text) == len(masked.types) + 1
        for number, kind in enumerate(masked.types):
            name = f"c{number}"
            one, other = in_text[name], in_binary[name]
            if kind == "time(6)":  # it writes ".072068" as ".72068" in binary, the server's own too
                one, other = (re.sub(r"\.0*", ".", value or "").rstrip(".") for value in (one, other))
            if not kind.startswith("vector"):  # it takes NULL for an empty one in text
                assert one == other or _number(one) == _number(other), f"{masker} of {kind}"
            if kind == "json":
                continue  # what stands there says what it becomes
            for value, model in zip((in_text[name], in_binary[name]), models[table(masker)], strict=True):
                assert value is None or _sort(value) is _sort(model[name]), f"{masker} of {kind}"


def _sort(value: Any) -> type:
    """JavaScript has one type of numbers, of which JSON shows some as integers."""
    return float if isinstance(value, int) else type(value)


def _number(value: Any) -> Any:
    """ZEROFILL has leading zeros in text alone, and a fraction of nothing too."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return re.sub(r"\.0+$", "", value) if isinstance(value, str) else value
