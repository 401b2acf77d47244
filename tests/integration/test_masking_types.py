"""Masked values are valid for their types: the server's own input functions take every one of them, in text and in binary."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import pq

from rules.masking import formats
from rules.masking.maskers import MASKERS, Maskers
from rules.masking.values import Mark
from tests.support.servers import Server

pytestmark = pytest.mark.integration
SAMPLES = {
    16: "true", 17: "\\xc0ffee", 18: "x", 19: "name", 20: "4111111111111111", 21: "123", 23: "123456", 25: "some longer text",
    26: "17", 114: '{"a": 1}', 142: "text", 650: "10.0.0.0/8", 700: "1.5", 701: "-2.5e10", 774: "08:00:2b:01:02:03:04:05",
    829: "08:00:2b:01:02:03", 869: "192.168.0.1/24", 1042: "abc", 1043: "abcdefghijkl", 1082: "1985-07-14", 1083: "12:13:14.5",
    1114: "1985-07-14 12:13:14.5", 1184: "1985-07-14 12:13:14.5+02", 1186: "1 day 02:00", 1266: "12:13:14+02",
    1700: "-12345.678", 2950: "12345678-1234-5678-1234-567812345678", 3802: '{"a": 1}', 3904: "[1,5)",
    3912: "[2020-01-01,2021-01-01)",
    1009: "{a,b}", 1007: "{1,2}", 2951: "{12345678-1234-5678-1234-567812345678}", 4451: "{[1,5)}", 1231: "{-1.50,0,1234567.25}",
    1115: "{1985-07-14 12:13:14.5,NULL}", 1185: "{1985-07-14 12:13:14+02}", 1183: "{12:13:14.5}", 1182: "{1985-07-14}",
    1014: "{ab}",
}  # fmt: skip


def sent(connection: psycopg.Connection, type_oid: int, text: str, binary: bool) -> bytes:
    """A value as the server sends it in one format."""
    name = connection.execute("SELECT format_type(%s, NULL)", [type_oid]).fetchone()
    assert name is not None
    result = connection.pgconn.exec_params(f"SELECT $1::{name[0]}".encode(), [text.encode()], [25], None, int(binary))
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    value = result.get_value(0, 0)
    assert value is not None
    return value


def accepted(connection: psycopg.Connection, type_oid: int, value: bytes, binary: bool) -> None:
    result = connection.pgconn.exec_params(b"SELECT $1 IS NULL", [value], [type_oid], [int(binary)])
    assert result.status == pq.ExecStatus.TUPLES_OK, f"{type_oid}, {value!r}: {result.error_message}"


@pytest.fixture(scope="module")
def connection(postgres18: Server) -> psycopg.Connection:
    return psycopg.connect(postgres18.dsn(), autocommit=True)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_what_says_nothing_is_valid_for_every_type(connection: psycopg.Connection, binary: bool) -> None:
    known = {
        row[0]
        for row in connection.execute("SELECT oid::bigint FROM pg_type WHERE typtype <> 'p' AND typname <> 'xml'")
    }
    for type_oid in formats.ZERO:
        value = formats.zero(type_oid, binary)
        if type_oid in known and value is not None:
            accepted(connection, type_oid, value, binary)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("masker", [masker for masker in MASKERS if masker != "null"])
def test_masked_samples_are_valid(connection: psycopg.Connection, masker: str, binary: bool) -> None:
    mark = Mark(masker, "3" if MASKERS[masker] else None)
    for type_oid, text in SAMPLES.items():
        if type_oid == 142:
            continue  # not every server is built with XML
        before = sent(connection, type_oid, text, binary)
        after = Maskers(b"key").field(mark, type_oid, binary)(before)
        if after is not None:
            accepted(connection, type_oid, after, binary)
            if masker == "redact" and before not in (b"\x00", b"0"):
                assert after != before


@pytest.mark.parametrize("masker", ["hash", "pseudonym", "bucket", "date-to-year"])
def test_text_and_binary_say_the_same(connection: psycopg.Connection, masker: str) -> None:
    mark = Mark(masker, "1000" if MASKERS[masker] else None)
    connection.execute("SET TimeZone = 'UTC'")
    for type_oid, text in SAMPLES.items():
        if type_oid in (142, 114, 3802) or formats.zero(type_oid, True) is None:
            continue
        in_text = Maskers(b"key").field(mark, type_oid, False)(sent(connection, type_oid, text, False))
        in_binary = Maskers(b"key").field(mark, type_oid, True)(sent(connection, type_oid, text, True))
        assert in_text is not None
        assert in_binary is not None
        name = connection.execute("SELECT format_type(%s, NULL)", [type_oid]).fetchone()
        assert name is not None
        as_text = connection.pgconn.exec_params(f"SELECT $1::{name[0]}::text".encode(), [in_binary], [type_oid], [1])
        assert sent(connection, type_oid, in_text.decode(), False) == sent(
            connection, type_oid, (as_text.get_value(0, 0) or b"").decode(), False
        )
