"""Does a statement do what the classifier says? Asked of a real MySQL or MariaDB on this machine.

Each text is run on a connection of its own state, in a database made for it, and what changed is observed from outside:
rows, definitions, session variables, user variables, row locks held, advisory locks, time spent. A text that changes
something and was called a read is a hole. A text that the server takes and the classifier calls opaque is a nuisance, and
is counted. The texts are the corpus, the statements below, calls that act in every
position of the grammar (`mysql_positions`), statements by what they are about (`mysql_families`), and mutations of all these:
words inserted where an effect could hide, comments, quotes, other spellings. Of the mutations only those are run that were
called reads: the others are stopped whatever they do. The classifier is given the server's catalog, as in the gateway.

    python -m tools.differential_mysql --port 3306 --password … [--mutations 4000] [--seed 1] [--throwaway]

Words that act on the whole server are not run, unless it may be thrown away: then whatever was called a read is.

It speaks to 127.0.0.1 only and leaves nothing behind but its findings on standard output.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rules.classify.mysql import classify
from rules.classify.mysql.lexer import Lexing, Unreadable, lex
from rules.model import Effect, Namespace, Statement
from tools.mysql_families import families
from tools.mysql_positions import FURTHER, generated
from tools.mysql_watch import DATABASE, Server, Stuck

CORPUS = Path(__file__).parent.parent / "tests" / "corpus" / "mysql"
# Never run, whatever they are mutated into: they act on the whole server, which others may be using.
NEVER = re.compile(
    r"shutdown|restart|kill|change|reset|purge|\bstop\b|slave|replica|install|clone|backup|flush|global|persist|grant|revoke"
    r"|\buser\b|\brole\b|password|tablespace|server|outfile|dumpfile|load_file|infile|benchmark|binlog|instance|mysql\s*\."
    r"|performance_schema|master|import|xa\b|wait|gtid|database|schema\b|plugin|component|event|resource|optimize|repair",
    re.IGNORECASE,
)
HAND_MADE = """
SELECT writes_u(1)
SELECT * FROM t WHERE writes_u(id) = 1
SELECT `writes_u` (1)
SELECT wp_differential.writes_u(1)
SELECT (SELECT writes_u(2))
SELECT id FROM t ORDER BY writes_u(id)
SELECT COUNT(*) FROM t GROUP BY writes_u(a)
SELECT CASE WHEN writes_u(1) THEN 1 END
SHOW TABLES WHERE writes_u(1)
DO writes_u(1)
SET @a = writes_u(1)
SET @a = (SELECT writes_u(1))
CALL p()
EXPLAIN SELECT writes_u(1)
EXPLAIN DELETE FROM t
EXPLAIN ANALYZE SELECT * FROM t WHERE writes_u(1)
ANALYZE SELECT * FROM t WHERE writes_u(1)
ANALYZE FORMAT=JSON DELETE FROM t
ANALYZE DELETE FROM u WHERE id = 1
EXPLAIN ANALYZE UPDATE t SET a = 5
PREPARE s FROM 'DELETE FROM t'; EXECUTE s
EXECUTE IMMEDIATE 'DELETE FROM t'
SET @q = 'DELETE FROM t'; PREPARE s FROM @q; EXECUTE s
BEGIN NOT ATOMIC DELETE FROM t; END
SELECT 1 /*!; DELETE FROM t */
SELECT 1 /*M! + writes_u(1) */
SELECT 1 /*!99999 + writes_u(1) */
SELECT 1 /*!50000 + writes_u(1) */
/*! DELETE FROM t */
SELECT 1; DELETE FROM t
SELECT 1;;DELETE FROM t
SELECT '\\'; DELETE FROM t; -- '
SELECT "\\"; DELETE FROM t; -- "
SELECT 1 -- ; DELETE FROM t
SELECT 1 --1; DELETE FROM t
SELECT 1 # ; DELETE FROM t
SELECT 'it''s'; DELETE FROM t
SELECT * FROM t WHERE b = 'a' 'b'; DELETE FROM t
SET sql_mode = 'ANSI_QUOTES'; SELECT "; DELETE FROM t; -- "
SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SELECT '\\'; DELETE FROM t; -- '
SET NAMES gbk; SELECT 'x'
SELECT GET_LOCK('l', 0)
SELECT SLEEP(0.4)
SELECT BENCHMARK(1, 1)
SELECT @a := 5
SELECT a INTO @a FROM t LIMIT 1
SELECT LAST_INSERT_ID(99)
SELECT * FROM t FOR UPDATE
SELECT * FROM t LOCK IN SHARE MODE
SELECT * FROM (SELECT * FROM t FOR UPDATE) x
WITH x AS (SELECT * FROM t FOR UPDATE) SELECT * FROM x
WITH x AS (SELECT 1) DELETE FROM t
WITH x AS (SELECT 1) UPDATE t SET a = 1
INSERT INTO t (a) SELECT a FROM t
REPLACE INTO u VALUES (1, 1, 1, NULL)
DELETE t FROM t JOIN u ON t.id = u.t_id
DELETE FROM t USING t JOIN u
UPDATE t JOIN u ON t.id = u.t_id SET u.n = 0
INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 2
DELETE FROM t RETURNING *
TRUNCATE t
CREATE TABLE w AS SELECT * FROM t
CREATE TEMPORARY TABLE t (a INT)
ALTER TABLE t ADD c INT
RENAME TABLE t TO t9
DROP TABLE u
LOCK TABLES t WRITE
HANDLER t OPEN; HANDLER t READ FIRST; HANDLER t CLOSE
SELECT * FROM t PROCEDURE ANALYSE()
VALUES (1), (2)
TABLE t
SET STATEMENT max_statement_time = 1 FOR DELETE FROM t
SIGNAL SQLSTATE '45000'
SET @@session.sql_safe_updates = 1
SELECT * FROM t WHERE MATCH (b) AGAINST ('one' WITH QUERY EXPANSION)
"""
INSERTED = (
    """
INTO @a|FOR UPDATE|LOCK IN SHARE MODE|; DELETE FROM t|; DELETE FROM t -- |/*!50000 ; DELETE FROM t */|/*! INTO @a */
|writes_u(1)|, writes_u(1)|+ writes_u(1)|AND writes_u(1)|OR `writes_u`(1)|@a := 1|, @a := a|GET_LOCK('l', 0)|, GET_LOCK ('l', 0)
|UNION SELECT writes_u(1)|(SELECT writes_u(1))|DELETE FROM t|UPDATE t SET a = 9|INSERT INTO t (a) VALUES (7)
|WITH x AS (SELECT 1)|EXPLAIN|ANALYZE|FORMAT = JSON|'|"|`|\\\\|--|-- |#|/*|*/|/*!|{|}|;|(|)|AS|DO|CALL p()|, (|x'|0x|@|@@|\u00a0|$$
|\\N|1e5|1.|N'|_utf8mb4|INTERVAL 1 DAY|OFFSET 1|LIMIT 1|RETURNING *|ON DUPLICATE KEY UPDATE a = 1|QUICK|IGNORE|HIGH_PRIORITY
|PARTITION (p)|USE INDEX (a)|STRAIGHT_JOIN|NATURAL JOIN u|, u|JOIN u|LATERAL|VALUES|TABLE t|SET|PREPARE s FROM|EXECUTE IMMEDIATE
|NOT ATOMIC|BEGIN|IF|END|NEXT VALUE FOR|PROCEDURE ANALYSE()|SQL_CALC_FOUND_ROWS|ROLLUP|FOR SYSTEM_TIME ALL|HANDLER t OPEN
""".replace("\n|", "|")
    .strip()
    .split("|")
)
CHANGING = frozenset(Effect) - {Effect.READ, Effect.SAMPLES}


def hand_made() -> list[str]:
    texts = [line for line in HAND_MADE.strip().splitlines() if line]
    texts += [*FURTHER, *generated(), *families()]
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            texts.append(
                re.sub(
                    r"\b(customers|orders)\b",
                    lambda name: "t" if name[0] == "orders" else "u",
                    str(json.loads(line)["sql"]),
                )
            )
    return texts


def mutations(texts: list[str], count: int, seed: int) -> Iterator[str]:
    """Texts with something put in, taken out or swapped, at token boundaries and sometimes anywhere."""
    chance = random.Random(seed)  # noqa: S311  repeatable on purpose
    for _ in range(count):
        text = chance.choice(texts)
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
            text = _mutated(text, texts, chance)
        yield text


def _mutated(text: str, texts: list[str], chance: random.Random) -> str:
    places = _places(text)
    at = chance.choice(places) if chance.random() < 0.9 else chance.randrange(len(text) + 1)
    match chance.randrange(6):
        case 0 | 1 | 2:
            space = chance.choice((" ", " ", "", "/**/", "\n"))
            return text[:at] + space + chance.choice(INSERTED) + space + text[at:]
        case 3:
            end = min(len(text), chance.choice(places))
            return text[: min(at, end)] + text[max(at, end) :]
        case 4:
            other = chance.choice(texts)
            return text[:at] + " " + other[chance.choice(_places(other)) :]
        case _:
            return re.sub(
                r"\b[tu]\b",
                chance.choice(("`t`", "t x", "t, u", "wp_differential.t", "(SELECT * FROM t) z", "v")),
                text,
                count=1,
            )


def _places(text: str) -> list[int]:
    try:
        tokens = lex(text, Lexing()).tokens
    except Unreadable:
        return [0, len(text)]
    return [0, len(text), *(token.start for token in tokens)]


def judge(found: tuple[Statement, ...]) -> tuple[bool, bool]:
    """Whether (anything of it is opaque, any effect beside reading)"""
    opaque = any(s.opaque is not None for s in found)
    acting = any(s.effects & CHANGING or any(not f.known for f in s.functions) or s.inner is not None for s in found)
    return opaque, acting


def compare(
    server: Server, texts: Sequence[str], certain: int, *, throwaway: bool
) -> tuple[Counter[str], list[str], list[str]]:
    counts: Counter[str] = Counter()
    holes: list[str] = []
    nuisances: list[str] = []
    server.prepare()
    catalog = server.catalog()
    namespace = Namespace(
        database=DATABASE, search_path=(DATABASE,), mariadb=server.mariadb, server_version=catalog.server_version
    )
    for number, text in enumerate(texts):
        found = classify(text, namespace, catalog)
        opaque, acting = judge(found)
        if NEVER.search(text) and (opaque or acting or not throwaway):
            counts["not run"] += 1
            continue
        if number >= certain and (opaque or acting):
            counts["mutations that are stopped anyway"] += 1
            continue
        try:
            seen = server.run(text)
        except Stuck:
            nuisances.insert(0, f"the server never ended this, and the comparison stopped: {text!r}")
            return counts, holes, nuisances
        counts["run"] += 1
        counts["accepted" if seen.accepted else "syntax error"] += 1
        counts["opaque" if opaque else "acting" if acting else "read"] += 1
        if seen.changed:
            counts["changed something"] += 1
            if not opaque and not acting:
                holes.append(
                    f"{', '.join(seen.changed)}: {text!r} -> {[(s.kind.value, sorted(s.effects)) for s in found]}"
                )
            if seen.stayed:
                server.prepare()
        elif opaque and seen.accepted and seen.error == 0:
            counts["taken by the server and opaque"] += 1
            nuisances.append(f"{next(s.opaque for s in found if s.opaque)}: {text!r}")
    server.ask(f"DROP DATABASE IF EXISTS {DATABASE}")
    return counts, holes, nuisances


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=3306)
    parser.add_argument("--user", default="root")
    parser.add_argument("--password", default="")
    parser.add_argument("--mutations", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nuisances", type=int, default=20, help="how many opaque and yet accepted texts to print")
    parser.add_argument("--throwaway", action="store_true", help="the server is nobody else's, and may be harmed")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="every Nth text, from the Kth on")
    options = parser.parse_args()
    first, parts = map(int, options.part.split("/"))
    server = Server.at(options.port, options.user, options.password)
    texts = hand_made()
    chosen = texts[first - 1 :: parts]
    every = [*chosen, *mutations(texts, options.mutations, options.seed)]
    counts, holes, nuisances = compare(server, every, len(chosen), throwaway=options.throwaway)
    print(f"server {server.name}, seed {options.seed}")
    for name, count in sorted(counts.items()):
        print(f"  {name}: {count}")
    print(f"holes: {len(holes)}")
    for hole in holes:
        print(f"  {hole}")
    for nuisance in nuisances[: options.nuisances]:
        print(f"  opaque: {nuisance}")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main())
