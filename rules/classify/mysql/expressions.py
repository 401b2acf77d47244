"""Reading expressions: not their value, but all that hides in them.

An expression is read as a flat run of tokens up to the word that ends it. That is enough to find every subquery, every
call and every assignment, and it is linear in its length. Whether it is a well-formed expression is the server's affair.
"""

from __future__ import annotations

from rules.classify.mysql.calls import ambiguous, call
from rules.classify.mysql.lexer import NAME, QUOTED, VARIABLE, Unreadable, identifier
from rules.classify.mysql.reading import Reader, variable_name
from rules.classify.mysql.words import BEFORE_PARENTHESIS, CLAUSES, RESERVED, TYPES
from rules.functions.mysql import NATIVE, WITH_FROM
from rules.model import Access, Effect, Function, Setting, Volatility

Names = frozenset[str]  # names of the common table expressions in sight

_QUERY = frozenset({"SELECT", "WITH", "TABLE"})
_SET_OPERATORS = frozenset({"UNION", "EXCEPT", "INTERSECT"})
# Clause words that belong to a call when they stand between its parentheses, by the word that opened them.
_INSIDE_CALL: dict[str, frozenset[str]] = {
    **{name: frozenset({"FROM", "FOR"}) for name in WITH_FROM},
    "GROUP_CONCAT": frozenset({"ORDER", "LIMIT", "OFFSET"}),
    "JSON_ARRAYAGG": frozenset({"ORDER", "LIMIT"}),
    "JSON_OBJECTAGG": frozenset({"ORDER"}),
    "OVER": frozenset({"ORDER"}),
    "AS": frozenset({"ORDER"}),  # WINDOW w AS (ORDER BY …)
    "CONVERT": frozenset({"USING"}),
    "CHAR": frozenset({"USING"}),
    "AGAINST": frozenset({"WITH", "NATURAL"}),
    "JSON_TABLE": frozenset({"ON", "FOR"}),  # … ON EMPTY, FOR ORDINALITY
    "COLUMNS": frozenset({"ON", "FOR"}),
    "JSON_VALUE": frozenset({"ON", "RETURNING"}),
    "WEIGHT_STRING": frozenset(),
    "GROUP": frozenset({"ORDER"}),
    "CAST": frozenset(),
}
_NOTHING: frozenset[str] = frozenset()
_SEQUENCE_CALLS = {"NEXTVAL": Access.WRITE, "SETVAL": Access.WRITE, "LASTVAL": Access.READ}


def read_expression(reader: Reader, names: Names, stops: frozenset[str], allowed: frozenset[str] = _NOTHING) -> None:
    """Up to a word of `stops` at this level, a closing parenthesis or the end. Other clause words must be `allowed`."""
    while not reader.done:
        token = reader.peek()
        word = token.word
        if word == ")":
            return
        if word == "(":
            _open(reader, names)
            continue
        if word in stops and not _is_call(reader):
            return
        if token.kind == NAME:
            if reader.peek(1).word == "(":
                _named_parenthesis(reader, names)
                continue
            if word in CLAUSES and word not in allowed and not _belongs(reader):
                reader.fail("not understood")
            if word in _VALUE_FOR and reader.peek(1).word == "VALUE" and reader.peek(2).word == "FOR":
                _value_for(reader, word)
                continue
        elif token.kind == QUOTED:
            if reader.peek(1).word == "(":
                _named_parenthesis(reader, names)
                continue
        elif word == ":=":
            _assignment(reader)
        elif word == ";":
            reader.fail("not understood")
        reader.position += 1


def _is_call(reader: Reader) -> bool:
    """LEFT(, RIGHT(, REPLACE(, INSERT(, VALUES( … are calls wherever an expression may stand."""
    if reader.peek(1).word != "(":
        return False
    return reader.word in _CLAUSE_OR_CALL or (
        reader.word == "GROUP" and reader.tokens[reader.position - 1].word == "WITHIN"
    )


_CLAUSE_OR_CALL = frozenset({"LEFT", "RIGHT", "REPLACE", "INSERT", "IF", "REPEAT", "TRUNCATE", "VALUES", "CHAR"})
_VALUE_FOR = frozenset({"NEXT", "PREVIOUS"})


def _belongs(reader: Reader) -> bool:
    """Clause words that are part of an expression: GROUP BY a WITH ROLLUP, CAST(a AS CHAR CHARACTER SET utf8)."""
    if reader.word == "WITH":
        return reader.peek(1).word == "ROLLUP"
    return reader.word == "SET" and reader.tokens[reader.position - 1].word == "CHARACTER"


def _open(reader: Reader, names: Names, opener: str = "") -> None:
    """A parenthesis in an expression: a subquery, or an expression again."""
    reader.expect("(")
    allowed = _INSIDE_CALL.get(opener, _NOTHING)
    if reader.word in _QUERY and not (reader.word == "WITH" and opener == "AGAINST"):
        _subquery(reader, names)
    else:
        read_expression(reader, names, _SET_OPERATORS, allowed)
        if reader.word in _SET_OPERATORS:  # ((SELECT …) UNION (SELECT …)): the first operand was read as a parenthesis
            _continue_query(reader, names)
    reader.expect(")")


def _subquery(reader: Reader, names: Names) -> None:
    from rules.classify.mysql.queries import read_query  # the two grammars contain each other

    read_query(reader, names)


def _continue_query(reader: Reader, names: Names) -> None:
    from rules.classify.mysql.queries import continue_query

    continue_query(reader, names)


def _named_parenthesis(reader: Reader, names: Names) -> None:
    """A name with a parenthesis behind it: a call, unless syntax says that it is none."""
    first = reader.position
    token = reader.peek()
    previous = reader.tokens[first - 1] if first else token
    qualified = previous.word == "."
    word = token.word
    if not qualified and token.kind == NAME:
        if word in BEFORE_PARENTHESIS and word not in _ALSO_CALLS:
            reader.position += 1
            _open(reader, names, word)
            if word == "COLUMNS" and reader.tokens[reader.position - 1].end - token.start >= len(_SOME_COLUMNS):
                reader.substitute(first, _SOME_COLUMNS)
            return
        if word in TYPES and (previous.word in _TYPE_FOLLOWS or (word in RESERVED and word not in NATIVE)):
            reader.position += 1  # CAST(a AS CHAR(10))
            reader.skip_parentheses()
            return
        if word in RESERVED and word not in NATIVE:
            reader.fail("not understood")
    function = _resolve(reader, qualified)
    reader.position += 1
    if word == "DEFAULT":  # DEFAULT(column), which the parser takes for a list of names
        reader.substitute(first, "ABS")
    inside = reader.position + 1
    if not qualified and function.known:
        _special_arguments(reader, word or token.text.upper(), inside)
    _open(reader, names, word or token.text.upper())
    reader.draft.function(function)


_SOME_COLUMNS = "COLUMNS(a INT PATH '$')"  # the parser knows few of the forms that columns of JSON_TABLE may have
_ALSO_CALLS = frozenset({"INTERVAL", "VALUES"})
_TYPE_FOLLOWS = frozenset({"AS", "RETURNING"})


def _resolve(reader: Reader, qualified: bool) -> Function:
    token = reader.peek()
    schema: str | None = None
    if qualified:
        before = reader.tokens[reader.position - 2] if reader.position >= 2 else token
        if before.kind not in (NAME, QUOTED):
            reader.fail("not understood")
        schema = identifier(before)
        if reader.position >= 3 and reader.tokens[reader.position - 3].word == ".":
            reader.fail("a call with more than one dot in its name")
    touching = token.end == reader.peek(1).start
    if token.kind == QUOTED and schema is None and ambiguous(reader, identifier(token)):
        reader.fail("in quotes it may be the stored function of a native one's name")
    return call(reader, schema, identifier(token), touching=touching)


def _special_arguments(reader: Reader, name: str, inside: int) -> None:
    if name in _SEQUENCE_CALLS:
        ahead = inside - reader.position
        if reader.at_name(ahead):
            schema, sequence = None, identifier(reader.peek(ahead))
            if reader.peek(ahead + 1).word == ".":
                schema, sequence = sequence, identifier(reader.peek(ahead + 2))
            reader.draft.relation(schema, sequence, _SEQUENCE_CALLS[name])
            reader.draft.effects.discard(Effect.WRITE)  # it moves a sequence, which is an effect of its own
        else:
            raise Unreadable(f"{name.lower()} of something that is not a name")
    elif name == "LAST_INSERT_ID" and reader.tokens[inside].word != ")":
        reader.draft.effects.add(Effect.SETTING)
        reader.draft.settings.append(Setting("last_insert_id"))


def _value_for(reader: Reader, word: str) -> None:
    """NEXT VALUE FOR s, PREVIOUS VALUE FOR s (MariaDB). The parser gets a NULL in its place."""
    first = reader.position
    reader.position += 3
    schema, name = reader.path()
    moves = word == "NEXT"
    effects = frozenset({Effect.SEQUENCE}) if moves else frozenset[Effect]()
    reader.draft.relation(schema, name, Access.WRITE if moves else Access.READ)
    reader.draft.effects.discard(Effect.WRITE)
    volatility = Volatility.VOLATILE if moves else Volatility.STABLE
    reader.draft.function(Function(None, "nextval" if moves else "lastval", volatility, effects, known=True))
    reader.substitute(first, "NULL")


def _assignment(reader: Reader) -> None:
    """@a := value, inside an expression."""
    target = reader.tokens[reader.position - 1] if reader.position else None
    if target is None or target.kind != VARIABLE:
        reader.fail("an assignment to something that is not a user variable")
        return
    reader.draft.effects.add(Effect.SETTING)
    reader.draft.settings.append(Setting(variable_name(target, reader.lexing)))
