"""What the body of a trigger or a stored routine of MySQL writes, read from its words."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from rules.classify.mysql.lexer import (
    NAME,
    OPERATOR,
    QUOTED,
    STRING,
    VARIABLE,
    Lexing,
    Token,
    Unreadable,
    identifier,
    lex,
)
from rules.functions.mysql import NATIVE
from rules.masking.mysql.names import folded
from rules.model import Effect

ROW = frozenset({"new", "old"})
_VERBS = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE"})
_MODIFIERS = frozenset({"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "QUICK", "INTO"})
_QUERY = frozenset({"SELECT", "WITH", "TABLE", "VALUES", "("})
_TABLES = frozenset({"UPDATE", "FROM", "JOIN", "STRAIGHT_JOIN", "DELETE", "USING", ",", "("})
_BESIDE = frozenset({"JOIN", "STRAIGHT_JOIN", ","})
_END = frozenset({";", "WHERE", "ORDER", "LIMIT", "ON", "RETURNING"})
# What else than INSERT, UPDATE and their kin puts a value where it can be read later.
_KEEPING = frozenset(
    """
    OUTFILE DUMPFILE CREATE ALTER RENAME LOAD HANDLER PREPARE EXECUTE DIAGNOSTICS LAST_INSERT_ID
    """.split()  # noqa: SIM905
)


@frozen
class Written:
    """A table that a body writes."""

    schema: str | None
    name: str
    events: frozenset[str]  # the triggers that it fires
    columns: tuple[str, ...] | None = ()  # that it puts something into, as far as they are named; None: any
    at: tuple[int, int] = (0, 0)  # where the name stands in the text


@frozen
class Assignment:
    target: tuple[str, ...]  # a path: NEW and a column, a variable, a column of what is written
    expression: tuple[Token, ...]


def cut(text: str) -> tuple[Token, ...] | None:
    """The tokens of a body; None where they depend on the sql_mode that it was made in."""
    try:
        tokens = lex(text, Lexing()).tokens
        if "\\" in text and [each.text for each in tokens] != [
            each.text for each in lex(text, Lexing(backslash=False)).tokens
        ]:
            return None
    except Unreadable:
        return None
    return tokens


def statements_of(tokens: tuple[Token, ...]) -> Iterator[tuple[Token, ...]]:
    """The parts between semicolons: one statement each, with the IF or BEGIN in front of it."""
    begin = 0
    for at, token in enumerate(tokens):
        if token.word == ";":
            yield tokens[begin:at]
            begin = at + 1
    yield tokens[begin:]


def of_the_row(tokens: tuple[Token, ...]) -> set[str]:
    """The columns that are named behind NEW and OLD, folded."""
    found: set[str] = set()
    for at, token in enumerate(tokens[:-2]):
        if _named(token).lower() in ROW and tokens[at + 1].word == ".":
            found.add(folded(_named(tokens[at + 2])))
    return found


def set_in_the_row(tokens: tuple[Token, ...]) -> set[str]:
    """The columns that are assigned by SET NEW.column, folded."""
    found: set[str] = set()
    for part in statements_of(tokens):
        at = next((at for at, token in enumerate(part) if token.word == "SET"), None)
        for each in () if at is None else assignments(part, at):
            if len(each.target) == 2 and each.target[0].lower() == "new":
                found.add(folded(each.target[1]))
    return found


def writes(tokens: tuple[Token, ...]) -> Iterator[Written]:
    """The tables that INSERT, REPLACE, UPDATE and DELETE name. What DELETE does puts nothing into a column."""
    for part in statements_of(tokens):
        for at, token in enumerate(part):
            follows = part[at + 1].word if at + 1 < len(part) else ""
            before = part[at - 1].word if at else ""
            if token.word not in _VERBS or follows == "(" or before in ("KEY", "FOR", "ON"):
                continue
            if token.word == "INSERT":
                yield from _inserted(part, at + 1, frozenset({"INSERT"}))
            elif token.word == "REPLACE":
                yield from _inserted(part, at + 1, frozenset({"INSERT", "DELETE"}))
            else:
                yield from _changed(part, at)


def _inserted(part: tuple[Token, ...], at: int, events: frozenset[str]) -> Iterator[Written]:
    while at < len(part) and part[at].word in _MODIFIERS:
        at += 1
    path, end = path_at(part, at)
    if not path:
        yield Written(None, "", events, None)  # a name between double quotes: which, no catalog says
        return
    span = part[at].start, part[end - 1].end
    columns: tuple[str, ...] | None = None
    rest = part[end:]
    if rest[:1] and rest[0].word == "(" and rest[1].word not in _QUERY:
        close = next((index for index, token in enumerate(rest) if token.word == ")"), 0)
        columns = tuple(_named(token) for token in rest[1:close] if token.word != ",")
    elif rest[:1] and rest[0].word == "SET":
        columns = tuple(each.target[-1] for each in assignments(rest, 0))
    for index, token in enumerate(rest):
        if token.word == "UPDATE" and rest[index - 1].word == "KEY":
            events |= {"UPDATE"}
            if columns is not None:
                columns += tuple(each.target[-1] for each in assignments(rest, index))
    yield Written(_schema(path), path[-1], events, columns, span)


def _changed(part: tuple[Token, ...], at: int) -> Iterator[Written]:
    """UPDATE a JOIN b … SET …, DELETE a FROM a JOIN b …: of all that it names, it is not said which it writes."""
    events = frozenset({part[at].word})
    end = next((index for index, token in enumerate(part) if index > at and token.word in ("SET", "WHERE")), len(part))
    columns = tuple(each.target[-1] for each in assignments(part, end)) if part[at].word == "UPDATE" else ()
    several = any(token.word in _BESIDE for token in part[at + 1 : end])
    for index in range(at + 1, end):
        word = part[index - 1].word
        if (word in _TABLES or word in _MODIFIERS) and part[index].word not in (*_TABLES, *_MODIFIERS, "SELECT"):
            path, behind = path_at(part, index)
            if path:
                # beside others it may be one that is read
                span = (0, 0) if several else (part[index].start, part[behind - 1].end)
                yield Written(_schema(path), path[-1], events, columns, span)


def without_targets(text: str) -> str:
    """A body without the names of the tables that it writes, since it does not read them there."""
    for each in writes(cut(text) or ()):
        begin, end = each.at
        text = text[:begin] + " " * (end - begin) + text[end:]
    return text


def assignments(part: tuple[Token, ...], at: int) -> Iterator[Assignment]:
    """What is assigned behind the SET, or the UPDATE of ON DUPLICATE KEY, that stands at `at`."""
    at += 1
    while at < len(part):
        path, end = path_at(part, at)
        if not path or end >= len(part) or part[end].word not in ("=", ":="):
            return
        depth, begin = 0, end + 1
        at = begin
        while at < len(part) and (depth or part[at].word not in (*_END, ",")):
            depth += {"(": 1, ")": -1}.get(part[at].word, 0)
            at += 1
        yield Assignment(path, part[begin:at])
        if at >= len(part) or part[at].word != ",":
            return
        at += 1


def keeps_elsewhere(tokens: tuple[Token, ...]) -> bool:
    """Whether it may put a value into a variable of the session, a file, a lock's name, or a table that it makes."""
    for part in statements_of(tokens):
        words = {token.word for token in part}
        if not _KEEPING.isdisjoint(words) or any(_acts(word) for word in words):
            return True
        into = "INTO" in words and not any(True for _ in writes(part))
        for at, token in enumerate(part):
            if token.kind != VARIABLE:
                continue
            follows = part[at + 1].word if at + 1 < len(part) else ""
            if into or follows == ":=" or (follows == "=" and part[at - 1].word in ("SET", ",", "SESSION")):
                return True
    return False


def _acts(word: str) -> bool:
    known = NATIVE.get(word)
    return known is not None and bool(known.effects - {Effect.READ}) and word not in _VERBS


def path_at(tokens: tuple[Token, ...], at: int) -> tuple[tuple[str, ...], int]:
    """A name with what stands before its dots, and where it ends; () where none stands."""
    found: list[str] = []
    while at < len(tokens) and (tokens[at].kind in (NAME, QUOTED, VARIABLE) or (found and tokens[at].kind == STRING)):
        found.append(_named(tokens[at]))
        at += 1
        if at >= len(tokens) or tokens[at].kind != OPERATOR or tokens[at].word != ".":
            break
        at += 1
    return tuple(found), at


def _named(token: Token) -> str:
    """Between double quotes may stand a name: the mode in which the body was made is not asked for."""
    return token.text[1:-1] if token.kind == STRING else identifier(token)


def _schema(path: tuple[str, ...]) -> str | None:
    return path[-2] if len(path) > 1 else None
