"""Errors and warnings of a masked MySQL session: what quotes data is withheld; what the client wrote, or names, passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.messages import MySqlColumn
from protocols.mysql.rows import rewrite_binary_row, rewrite_text_row
from rules.masking.mysql.diagnostics import MAXIMUM_MESSAGE_BYTES, forms, info, message, scrub, warnings_plan
from tests.protocols.mysql_playbook import binary_row, number, row, text

WITHHELD = [
    (1105, "XPATH syntax error: '~canary'"),
    (1105, "Unknown error"),
    (1644, "canary"),
    (1003, "/* select#1 */ select 'canary' AS `ssn` from `shop`.`customers` where 1"),
    (1690, "canary"),
    (1062, "Duplicate entry 'a' for key 'x canary'"),
    (1062, "Für canary gibt es schon einen Eintrag"),
    (1048, "Column 'canary mail@shop' cannot be null"),
    (1305, "the customer canary does not exist"),
    (1264, "Out of range value for column 'x' at row canary"),
    (99999, "Column 'canary' cannot be null"),
]
STARRED = [
    (1062, "Duplicate entry 'canary' for key 'customers.ssn'", "Duplicate entry '***' for key 'customers.ssn'"),
    (1062, "Duplicate entry 'a' for key 'canary' for key 'ssn'", "Duplicate entry '***' for key 'ssn'"),
    (1292, "Truncated incorrect DOUBLE value: 'canary'", "Truncated incorrect DOUBLE value: '***'"),
    (1366, "Incorrect integer value: 'ca\nry' for column 'n' at row 1",
     "Incorrect integer value: '***' for column 'n' at row 1"),
    (1366, "Incorrect integer value: 'c' for column `shop`.`t`.`n` at row 2",
     "Incorrect integer value: '***' for column `shop`.`t`.`n` at row 2"),
    (1690, "BIGINT value is out of range in '(canary + 1)'", "BIGINT value is out of range in '***'"),
    (1411, "Incorrect datetime value: 'canary' for function str_to_date",
     "Incorrect datetime value: '***' for function str_to_date"),
    (1526, "Table has no partition for value canary", "Table has no partition for value ***"),
    (1139, "Got error 'canary' from regexp", "Got error '***' from regexp"),
    (1139, "Regex error 'canary at offset 3'", "Regex error '***'"),
    (3141, 'Invalid JSON text in argument 1 to function json_type: "canary" at position 0.',
     'Invalid JSON text in argument 1 to function json_type: "***" at position 0.'),
    (1231, "Variable 'sql_mode' can't be set to the value of 'canary'", "Variable '***' can't be set to the value of '***'"),
    (1094, "Unknown thread id: 78051120", "Unknown thread id: ***"),
    (1146, "Table 'shop.canary' doesn't exist", "Table '***' doesn't exist"),
    (1054, "Unknown column 'canary' in 'field list'", "Unknown column '***' in 'field list'"),
    (3140, 'Invalid JSON text: "canary" at position 0 in value for column \'t.doc\'.',
     'Invalid JSON text: "***" at position 0 in value for column \'t.doc\'.'),
]  # fmt: skip
PASSING = [
    (1139, "Regex error 'missing closing parenthesis at offset 3'"),
    (3141, 'Invalid JSON text in argument 1 to function json_type: "Invalid value." at position 0.'),
    (4038, "Syntax error in JSON text in argument 1 to function 'json_extract' at position 9"),
    (1213, "Deadlock found when trying to get lock; try restarting transaction"),
    (1205, "Lock wait timeout exceeded; try restarting transaction"),
    (1048, "Column 'ssn' cannot be null"),
    (1264, "Out of range value for column 'total' at row 1"),
    (1406, "Data too long for column 'note' at row 3"),
    (1142, "SELECT command denied to user 'agent'@'localhost' for table 'customers'"),
    (1142, "SELECT command denied to user 'agent'@'localhost' for table `shop`.`customers`"),
    (1452, "Cannot add or update a child row: a foreign key constraint fails (`shop`.`orders`, CONSTRAINT `fk` FOREIGN KEY"
     " (`customer_id`) REFERENCES `customers` (`id`))"),
    (1451, "Cannot delete or update a parent row: a foreign key constraint fails (`shop`.`orders`, CONSTRAINT `fk` FOREIGN KEY"
     " (`a`, `b`) REFERENCES `customers` (`a`, `b`) ON DELETE CASCADE)"),
    (3819, "Check constraint 'customers_chk_1' is violated."),
    (4025, "CONSTRAINT `c` failed for `shop`.`customers`"),
    (1290, "The MySQL server is running with the --secure-file-priv option so it cannot execute this statement"),
    (1317, "Query execution was interrupted"),
    (1260, "Row 1 was cut by GROUP_CONCAT()"),
    (1365, "Division by 0"),
]  # fmt: skip
WRITTEN = [
    (1146, "Table 'shop.nope' doesn't exist", "SELECT * FROM Nope"),
    (1054, "Unknown column 'c.nope' in 'where clause'", "SELECT 1 FROM customers c WHERE c.nope = 1"),
    (1064, "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right"
     " syntax to use near 'FROM\n x' at line 1", "SELECT FROM\n x"),
    (1064, "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right"
     " syntax to use near '(SELECT total FROM orders o WHERE o.person_id = p.id ORDER BY total DESC LIMI...' at line 1",
     "SELECT 1 FROM p, LATERAL (SELECT total FROM orders o WHERE o.person_id = p.id ORDER BY total DESC LIMIT 1) x"),
    (1305, "FUNCTION shop.nope does not exist", "SELECT nope(1)"),
    (1049, "Unknown database 'nope'", "USE nope"),
    (1066, "Not unique table/alias: 't'", "SELECT 1 FROM t, t"),
]  # fmt: skip


@pytest.mark.parametrize(("errno", "said"), WITHHELD)
def test_a_message_that_can_quote_data_is_reduced_to_its_number(errno: int, said: str) -> None:
    found = scrub({"S": b"ERROR", "C": b"HY000", "errno": str(errno).encode(), "M": said.encode(), "text": b"SELECT 1"})
    assert found["C"] == b"HY000"
    assert found["errno"] == str(errno).encode()
    assert b"canary" not in found["M"]
    assert b"withheld" in found["M"]


@pytest.mark.parametrize(("errno", "said", "expected"), STARRED)
def test_data_within_a_known_form_becomes_stars(errno: int, said: str, expected: str) -> None:
    assert message(errno, said.encode(), b"SELECT 1").decode() == expected


@pytest.mark.parametrize(("errno", "said"), PASSING)
def test_a_message_that_only_names_things_passes(errno: int, said: str) -> None:
    assert message(errno, said.encode()).decode() == said


@pytest.mark.parametrize(("errno", "said", "own"), WRITTEN)
def test_what_the_client_wrote_passes_and_only_that(errno: int, said: str, own: str) -> None:
    assert message(errno, said.encode(), own.encode()).decode() == said
    assert b"nope" not in message(errno, said.encode(), b"EXECUTE IMMEDIATE @v")


def test_a_routine_that_poses_as_the_server_is_believed_where_a_name_may_stand() -> None:
    """SIGNAL with MYSQL_ERRNO: the client sees the number that the server would send."""
    assert message(1048, b"Column 'canary' cannot be null", b"CALL f()") == b"Column 'canary' cannot be null"
    assert b"canary" not in message(1644, b"Column 'canary' cannot be null", b"CALL f()")
    assert b"canary" not in message(1048, b"Column 'canary mail@shop' cannot be null", b"CALL f()")


def test_the_text_itself_never_comes_back() -> None:
    assert "text" not in scrub({"M": b"x", "text": b"SELECT 1"})


def test_warnings_are_scrubbed_row_by_row() -> None:
    plan = warnings_plan(binary=False)
    known = row(b"Warning", b"1292", b"Truncated incorrect DOUBLE value: 'canary'")
    assert rewrite_text_row(known, plan) == row(b"Warning", b"1292", b"Truncated incorrect DOUBLE value: '***'")
    assert b"canary" not in rewrite_text_row(row(b"Note", b"1003", b"select 'canary'"), plan)
    assert b"canary" not in rewrite_text_row(row(b"Note", None, b"canary"), plan)
    assert rewrite_text_row(row(b"Note", b"1365", b"Division by 0"), plan) == row(b"Note", b"1365", b"Division by 0")


def test_warnings_are_scrubbed_in_binary() -> None:
    kinds = [MySqlColumn(b"", b"", b"", b"", b"", 45, 9, kind, 0, 0) for kind in (253, 3, 253)]
    given_row = binary_row(text("Warning"), number(1062), text("Duplicate entry 'canary' for key 'k'"))
    assert rewrite_binary_row(given_row, warnings_plan(binary=True), kinds) == binary_row(
        text("Warning"), number(1062), text("Duplicate entry '***' for key 'k'")
    )


@pytest.mark.parametrize(
    "said", [b"Records: 3  Duplicates: 0  Warnings: 0", b"Rows matched: 1  Changed: 1  Warnings: 0", b""]
)
def test_counts_of_an_ok_packet_pass(said: bytes) -> None:
    assert info(said) == said == scrub({"S": b"OK", "M": said})["M"]
    assert info(said + b"canary") == b""


@given(st.sampled_from([0, 1105, *forms()]), st.binary(max_size=80), st.binary(max_size=20))
def test_scrubbing_is_total(errno: int, said: bytes, own: bytes) -> None:
    assert message(errno, said, own)


def test_no_form_takes_long_over_what_nearly_fits_it() -> None:
    for errno, several in forms().items():
        for form in several:
            nearly = ("' ".join(form.pieces) * 40).encode()[:MAXIMUM_MESSAGE_BYTES]
            assert message(errno, nearly)
