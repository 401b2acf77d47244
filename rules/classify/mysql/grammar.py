"""The second reader: sqlglot's tokenizer and parser must see the statement as we do, or it is not understood.

Neither is the server's. Ours reads structure and is strict; sqlglot's reads far more SQL than MySQL's, and takes what it
does not know for aliases (`FLUSH TABLES`), commands or empty blocks. So the tokens must lie at the same places, the root
must be of a type on a list, every node of a known type, and every table and every query block the same as ours.
The tree is judged, never written back to SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token as TheirToken
from sqlglot.tokenizer_core import TokenType

from rules.classify.mysql.lexer import NAME, NUMBER, QUOTED, STRING, SYSTEM, VARIABLE, Lexing, Token, Unreadable, lex
from rules.classify.mysql.nodes import UNDERSTOOD
from rules.classify.mysql.reading import Parsed, Reader, Substitution

MAX_RETRIED = 4
MAX_PARSED_TOKENS = 6_000  # some 100 ms of sqlglot; rows of constants in an INSERT are not among them


class _AnsiQuotes(MySQL):
    class Tokenizer(MySQL.Tokenizer):
        QUOTES: ClassVar[list[str | tuple[str, str]]] = ["'"]
        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ["`", '"']


class _NoBackslash(MySQL):
    class Tokenizer(MySQL.Tokenizer):
        STRING_ESCAPES: ClassVar[list[str]] = ["'", '"']


class _AnsiQuotesNoBackslash(MySQL):
    class Tokenizer(MySQL.Tokenizer):
        QUOTES: ClassVar[list[str | tuple[str, str]]] = ["'"]
        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ["`", '"']
        STRING_ESCAPES: ClassVar[list[str]] = ["'", '"']


_DIALECTS: dict[Lexing, MySQL] = {
    Lexing(False, True): MySQL(),
    Lexing(True, True): _AnsiQuotes(),
    Lexing(False, False): _NoBackslash(),
    Lexing(True, False): _AnsiQuotesNoBackslash(),
}
_TYPES = frozenset(MySQL.Parser.TYPE_TOKENS)
_STRINGS = frozenset({TokenType.STRING, TokenType.NATIONAL_STRING})
_NUMBERS = frozenset({TokenType.NUMBER, TokenType.HEX_STRING, TokenType.BIT_STRING})
_QUOTED = frozenset({*_STRINGS, *_NUMBERS, TokenType.IDENTIFIER})
_ROOTS: dict[str, tuple[type[exp.Expr], ...]] = {
    "Select": (exp.Select, exp.SetOperation, exp.Subquery, exp.Values),
    "Insert": (exp.Insert,),
    "Replace": (exp.Insert,),
    "Update": (exp.Update,),
    "Delete": (exp.Delete,),
}


def parse(reader: Reader, first: int, last: int, root: str, prefix: str = "") -> exp.Expr:
    """Parses tokens [first, last) with sqlglot and compares. Raises `Unreadable` where the two readers differ.

    `prefix` is put in front, as `SELECT ` before a bare expression.
    """
    text, ours = _seen_by_parser(reader, first, last, prefix)
    if len(ours) > MAX_PARSED_TOKENS:
        raise Unreadable(f"more than {MAX_PARSED_TOKENS} tokens to parse")
    dialect = _DIALECTS[reader.lexing]
    try:
        theirs = dialect.tokenize(text)
        if not _same_tokens(ours, theirs):
            raise Unreadable("words that two readers cut differently")
        if _retried(theirs) > MAX_RETRIED:
            raise Unreadable("names of types with brackets, nested: the parser tries each again and again")
        shift = reader.tokens[first].start - len(prefix)
        trees = dialect.parser().parse(_marked(theirs, shift), text)
    except SqlglotError:
        raise Unreadable("the parser does not know this syntax") from None
    except RecursionError:
        raise Unreadable("nested too deep") from None
    except Unreadable:
        raise
    except Exception as error:  # noqa: BLE001  a bug of the parser on odd input must stop the statement, never the gateway
        raise Unreadable(f"the parser failed ({type(error).__name__})") from None
    if len(trees) != 1 or (tree := trees[0]) is None or not isinstance(tree, _ROOTS[root]):
        raise Unreadable("the parser takes it for something else")
    _unmark(tree)
    _compare(reader, tree, 1 if prefix else 0)
    reader.trees.append(Parsed(tree, bool(prefix), shift))
    return tree


# The parser forgets where a parameter stood. So it gets a number in its place that nobody may write, with the place in it.
_MARK: Final = 10**30


def _is_mark(number: str) -> bool:
    return len(number) == len(str(_MARK)) and number.isascii() and number.isdigit()


def _marked(tokens: list[TheirToken], shift: int) -> list[TheirToken]:
    if any(token.token_type == TokenType.NUMBER and _is_mark(token.text) for token in tokens):
        raise Unreadable("a number that stands for a parameter here")
    return [
        TheirToken(TokenType.NUMBER, str(_MARK + token.start + shift), token.line, token.col, token.start, token.end)
        if token.token_type == TokenType.PLACEHOLDER
        else token
        for token in tokens
    ]


def _unmark(tree: exp.Expr) -> None:
    """Parameters again, whose name is where they stand in the text."""
    for literal in list(tree.find_all(exp.Literal)):
        if not literal.is_string and _is_mark(number := str(literal.this)):
            literal.replace(exp.Placeholder(this=str(int(number) - _MARK)))


def _seen_by_parser(reader: Reader, first: int, last: int, prefix: str) -> tuple[str, list[Token]]:
    """The text with hints and substitutions applied, every other character at its place, and our tokens of it."""
    start, end = reader.tokens[first].start, reader.tokens[last - 1].end
    changes = [change for change in reader.substitutions if start <= change.start and change.end <= end]
    changes += [Substitution(a, b) for a, b in reader.cut.hints if start <= a and b <= end]
    changes += [Substitution(a, b, "1") for a, b in reader.cut.points if start <= a and b <= end]
    if not changes:
        return _with_prefix(reader.text[start:end], list(reader.tokens[first:last]), start, prefix)
    changes.sort(key=lambda change: change.start)
    parts: list[str] = []
    kept: list[Token] = []
    at, token = start, first
    for change in changes:
        if change.start < at:
            continue  # inside one that was made already
        parts += (reader.text[at : change.start], change.text, " " * (change.end - change.start - len(change.text)))
        while token < last and reader.tokens[token].start < change.start:
            kept.append(reader.tokens[token])
            token += 1
        if change.text:
            kept += _words_of(change)
        while token < last and reader.tokens[token].start < change.end:
            token += 1
        at = change.end
    kept += reader.tokens[token:last]
    parts.append(reader.text[at:end])
    return _with_prefix("".join(parts), kept, start, prefix)


def _words_of(change: Substitution) -> list[Token]:
    """The tokens of what stands in for a span, at the places where they will stand."""
    return [
        token._replace(start=token.start + change.start, end=token.end + change.start)
        for token in lex(change.text, Lexing()).tokens
    ]


def _with_prefix(text: str, ours: list[Token], start: int, prefix: str) -> tuple[str, list[Token]]:
    """Shifts our tokens so that they count from the start of what the parser gets."""
    shift = len(prefix) - start
    if shift:
        ours = [Token(kind, part, word, a + shift, b + shift) for kind, part, word, a, b in ours]
    if prefix:
        ours.insert(0, Token(NAME, prefix, prefix, 0, len(prefix.rstrip())))
    return prefix + text, ours


def _same_tokens(ours: list[Token], theirs: list[TheirToken]) -> bool:
    """Whether both cut at the same places. They make one of `GROUP BY`, and several of `@@global.x`, `<<`."""
    at, count = 0, len(ours)
    pending = 0  # end of a token of ours that several of theirs make up
    for token in theirs:
        start, end = token.start, token.end + 1
        if pending:
            if end > pending:
                return False
            if end == pending:
                pending = 0
            continue
        if at >= count:
            return False
        own = ours[at]
        if own.start != start or not _same_kind(own.kind, token.token_type):
            return False
        at += 1
        if own.end > end:
            if own.kind not in (VARIABLE, SYSTEM) and own.word not in ("<<", ">>"):
                return False
            pending = own.end
        while own.end < end:
            if own.kind != NAME or at >= count or ours[at].kind != NAME:
                return False
            own = ours[at]
            at += 1
        if own.end > end and not pending:
            return False
    return at == count and not pending


def _retried(theirs: list[TheirToken]) -> int:
    """How deep brackets behind names of types are nested: `BINARY (`, `CHAR(`. Each takes three times as long as the one in it."""
    kinds: list[bool] = []
    deepest = open_ones = 0
    before: TokenType | None = None
    for token in theirs:
        kind = token.token_type
        if kind == TokenType.L_PAREN:
            kinds.append(before in _TYPES)
            open_ones += kinds[-1]
            deepest = max(deepest, open_ones)
        elif kind == TokenType.R_PAREN and kinds:
            open_ones -= kinds.pop()
        before = kind
    return deepest


def _same_kind(kind: str, theirs: TokenType) -> bool:
    if kind == STRING:
        return theirs in _STRINGS
    if kind == QUOTED:
        return theirs == TokenType.IDENTIFIER
    if kind == NUMBER:
        return theirs in _NUMBERS
    return theirs not in _QUOTED


def _compare(reader: Reader, tree: exp.Expr, selects_added: int) -> None:
    """Every node known, every table and every query block seen by both."""
    seen: set[tuple[str | None, str]] = set()
    selects = 0
    stack: list[exp.Expr] = [tree]
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind not in UNDERSTOOD and not isinstance(node, exp.Func):
            raise Unreadable(f"a {kind.__name__} that is not known to be harmless")
        if kind is exp.Table:
            _add_table(seen, node)
        elif kind is exp.Select:
            selects += 1
        for value in node.args.values():
            if isinstance(value, exp.Expr):
                stack.append(value)
            elif isinstance(value, list):
                stack.extend(_inside(value))
    seen.discard((None, "dual"))
    if seen != {name for name in reader.named if name != (None, "dual")}:
        raise Unreadable("two readers find different tables in it")
    if selects != reader.selects + selects_added:
        raise Unreadable("two readers find different queries in it")


def _inside(values: list[object]) -> Iterator[exp.Expr]:
    for value in values:
        if isinstance(value, exp.Expr):
            yield value
        elif isinstance(value, list):
            yield from _inside(value)


def _add_table(seen: set[tuple[str | None, str]], node: exp.Expr) -> None:
    this = node.args.get("this")
    if isinstance(this, exp.Identifier):
        if node.args.get("catalog") is not None:
            raise Unreadable("a table with two dots in its name")
        schema = node.args.get("db")
        name = this.name
        if schema is None and name.lower() == "dual":
            name = "dual"
        seen.add((schema.name if isinstance(schema, exp.Expr) else None, name))
    elif not isinstance(this, exp.JSONTable):
        raise Unreadable("something in place of a table")
