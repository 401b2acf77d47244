"""Triggers of MySQL made at random, over a small schema: where they put masked values is the server's to say."""

from __future__ import annotations

from random import Random

from attrs import frozen

SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, a varchar(60), secret varchar(60), b varchar(60), n int, secretn int);
CREATE TABLE u (id int PRIMARY KEY AUTO_INCREMENT, a varchar(60), secret varchar(60), n int);
CREATE TABLE m (id int PRIMARY KEY AUTO_INCREMENT, secret varchar(60), secretn int);
CREATE TABLE lone (id int PRIMARY KEY, what varchar(60));
CREATE VIEW v AS SELECT id, a, b FROM t;
CREATE FUNCTION f_sec() RETURNS varchar(60) READS SQL DATA RETURN (SELECT MAX(secret) FROM m);
CREATE FUNCTION f_up(x varchar(60)) RETURNS varchar(60) DETERMINISTIC RETURN UPPER(x);
CREATE FUNCTION f_put(x varchar(60)) RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO u (a) VALUES (x); RETURN 1; END;
CREATE PROCEDURE p_put(x varchar(60)) MODIFIES SQL DATA INSERT INTO u (a) VALUES (x);
CREATE PROCEDURE p_masked(x varchar(60)) MODIFIES SQL DATA INSERT INTO m (secret) VALUES (x);
CREATE PROCEDURE p_out(OUT x varchar(60)) READS SQL DATA SELECT MAX(secret) INTO x FROM m;
CREATE PROCEDURE p_write() MODIFIES SQL DATA UPDATE t SET b = 'w' WHERE id = 1
""".strip().split(";\n")
ROWS = (
    "DELETE FROM t", "DELETE FROM u", "DELETE FROM m", "DELETE FROM lone", "SET @kept = NULL",
    "INSERT INTO t VALUES (1, 'a1', 'canary1', 'b1', 1, 777001), (2, 'a2', 'canary2', 'b2', 2, 777002)",
    "INSERT INTO m (secret, secretn) VALUES ('canarym', 777009)",
    "INSERT INTO u (a) VALUES ('ua')",
    "INSERT INTO lone VALUES (1, 'l')",
)  # fmt: skip
UNMASKED = ("SELECT id, a, b, n FROM t", "SELECT a, n FROM u", "SELECT what FROM lone", "SELECT @kept")
WRITES = {
    "UPDATE": (
        "UPDATE t SET n = 1 WHERE id = 1",
        "UPDATE v SET b = 'v' WHERE id = 1",
        "INSERT INTO t (id, a) VALUES (1, 'd') ON DUPLICATE KEY UPDATE n = 2",
        "UPDATE t JOIN lone ON lone.id = t.id SET t.n = 5",
        "CALL p_write()",
    ),
    "INSERT": (
        "INSERT INTO t (id, a) VALUES (9, 'i')",
        "REPLACE INTO t (id, a) VALUES (2, 'i')",
        "INSERT INTO t (id, secret) SELECT id + 20, secret FROM m",
    ),
    "DELETE": (
        "DELETE FROM t WHERE id = 1",
        "REPLACE INTO t (id, a) VALUES (1, 'i')",
        "DELETE t FROM t JOIN lone ON lone.id = t.id",
    ),
}


@frozen
class Triggers:
    random: Random
    event: str
    timing: str

    def body(self) -> str:
        statements = "; ".join(self.statement() for _ in range(self.random.randint(1, 3)))
        return f"BEGIN DECLARE loc varchar(120); {statements}; END"

    def value(self, depth: int = 0) -> str:
        row = {"INSERT": "NEW", "DELETE": "OLD"}.get(self.event) or self.random.choice(("NEW", "OLD"))
        plain = [
            *(f"{row}.{column}" for column in ("secret", "secret", "a", "b", "id", "secretn")),
            f"`{row}`.`secret`", "'x'", "loc", "@kept", "f_sec()",
            "(SELECT MAX(secret) FROM m)", "(SELECT COUNT(*) FROM m)", "(SELECT MAX(id) FROM m)",
        ]  # fmt: skip
        if depth > 1 or self.random.random() < 0.7:
            return self.random.choice(plain)
        form = self.random.choice(("CONCAT({0}, {1})", "f_up({0})", "IF(1, {0}, 'z')"))
        return form.format(self.value(depth + 1), self.value(depth + 1))

    def statement(self, depth: int = 0) -> str:
        one, other = self.value(), self.value()
        forms = [
            f"INSERT INTO u (a) VALUES ({one})", f"INSERT INTO u SET a = {one}", f"INSERT INTO m (secret) VALUES ({one})",
            f"UPDATE u SET a = {one} WHERE id > 0", f"SET @kept = {one}", f"SET loc = {one}", f"SET loc = f_put({one})",
            f"CALL p_put({one})", f"CALL p_masked({one})", "CALL p_out(loc)", "CALL p_out(@kept)",
            f"SELECT {one} INTO loc", f"SELECT {one} INTO @kept", f"REPLACE INTO lone (id, what) VALUES (1, {one})",
            f"INSERT INTO lone (id, what) VALUES (1, {one}) ON DUPLICATE KEY UPDATE what = {other}",
            f"UPDATE u, m SET u.a = {self.random.choice(('m.secret', one))} WHERE u.id > 0",
        ]  # fmt: skip
        if self.timing == "BEFORE" and self.event != "DELETE":
            forms += [f"SET NEW.{column} = {one}" for column in ("a", "b", "secret")]
            forms.append(f"SET NEW.secret = {one}, NEW.b = {other}")
        if depth < 2 and self.random.random() < 0.1:
            return f"IF 1 THEN {self.statement(depth + 1)}; ELSE {self.statement(depth + 1)}; END IF"
        return self.random.choice(forms)


def made(random: Random) -> Triggers:
    return Triggers(random, random.choice(tuple(WRITES)), random.choice(("BEFORE", "AFTER")))
