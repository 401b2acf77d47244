r"""The lexical fence: MySQL's own token rules, written down once, and everything doubtful refused.

What the server's scanner does (sql/sql_lex.cc) and what a naive reader gets wrong: `--` begins a comment only before
white space or a control character; `#` begins one anywhere; `/*! */` and MariaDB's `/*M! */` are *code*; a quote is
escaped by doubling and, unless NO_BACKSLASH_ESCAPES, by a backslash; `"` quotes a name under ANSI_QUOTES; a word after
a dot is never a keyword; `1e5FROM` is a number and a keyword. Forms on which servers and parsers differ, and which
nobody writes by hand, are refused here: `1.FROM`, `0X1F`, `$$`, `\N`, `{d '…'}`, `[name]`, `@ a`.

Spec: MySQL 8.4 manual §11.1 (literals), §11.2 (identifiers), §11.7 (comments); MariaDB knowledge base "Comment syntax".
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from attrs import frozen

NAME = "name"  # a word without quotes: keyword or identifier
QUOTED = "quoted"  # an identifier in backticks, or in double quotes under ANSI_QUOTES
STRING = "string"  # '…', N'…', and "…" unless ANSI_QUOTES
NUMBER = "number"  # decimal, x'…', 0x…, b'…', 0b…
VARIABLE = "variable"  # @name
SYSTEM = "system"  # @@name, with its scope
OPERATOR = "operator"  # operators, punctuation, the parameter mark

MAX_CHARACTERS = 1 << 20  # a mebibyte takes some 100 ms to read; who sends more sends data, not a statement
MAX_TOKENS = 50_000  # some 80 ms
MAX_DEPTH = 48  # parentheses; the parser's own recursion needs about 20 frames for each


class Token(NamedTuple):
    kind: str
    text: str  # as written
    word: (
        str  # of a NAME in upper case, of an OPERATOR as written; "" for all else, so that no quoted text is a keyword
    )
    start: int
    end: int


class Unreadable(Exception):
    """The text, or a part of it, is not understood. The message says why, in words for the approver."""


@frozen
class Lexing:
    """The part of sql_mode that decides how text is cut."""

    ansi_quotes: bool = False
    backslash: bool = True  # a backslash escapes inside strings


@frozen
class Text:
    tokens: tuple[Token, ...]
    hints: tuple[tuple[int, int], ...] = ()  # spans of /*+ … */
    points: tuple[tuple[int, int], ...] = ()  # spans of numbers like .5 and 5., which the parser takes for two tokens
    comments: bool = False


_WORD = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*+"
_IDENTIFIER_CHARACTER = r"[A-Za-z0-9_$\x80-\U0010ffff]"
_TEMPLATE = rf"""
  (?P<space>[ \t\n\v\f\r]++)
| (?P<name>(?![xXbBnN]'){_WORD})
| (?P<operator>->>|->|<=>|<=|>=|<>|!=|<<|>>|&&|\|\||:=|[+*%^~!=<>&|(),;?]|/(?!\*)|-(?!-)|-(?=-[^\x00-\x20\x7f])|\.(?!\d))
| (?P<string>[nN]?'@SINGLE@')
| (?P<double>"@DOUBLE@")
| (?P<quoted>`(?:[^`]|``)++`(?!`))
| (?P<number>
    (?: 0x[0-9A-Fa-f]++ | 0b[01]++ | [xX]'(?:[0-9A-Fa-f]{{2}})*+' | [bB]'[01]*+'
      | (?!0[xXbB])(?: \d++\.\d*+ | \.\d++ | \d++ )(?:[eE][+-]?\d++)? )
    (?!{_IDENTIFIER_CHARACTER}|\.) )
| (?P<digits>(?!0[xXbB])\d++(?![eE][+-]?\d){_IDENTIFIER_CHARACTER}++)
| (?P<system>@@{_WORD}(?:\.{_WORD})*+(?!\.))
| (?P<variable>@(?:[A-Za-z0-9_.$]++(?![\x80-\U0010ffff])|'@SINGLE@'|"@DOUBLE@"|`(?:[^`]|``)++`(?!`)))
| (?P<comment>(?:\#|--(?=[\x00-\x20\x7f]|\Z))[^\n]*+ | /\*.*?\*/ )
"""
_SINGLE = {True: r"(?:[^'\\]|\\.|'')*+", False: r"(?:[^']|'')*+"}
_DOUBLE = {True: r'(?:[^"\\]|\\.|"")*+', False: r'(?:[^"]|"")*+'}


@cache  # of the four, made when it is asked for, most sessions need one
def _pattern(lexing: Lexing) -> re.Pattern[str]:
    source = _TEMPLATE.replace("@SINGLE@", _SINGLE[lexing.backslash])
    # between double quotes there is a string, with its escapes, or under ANSI_QUOTES a name, without any
    source = source.replace("@DOUBLE@", _DOUBLE[lexing.backslash and not lexing.ansi_quotes])
    return re.compile(source, re.VERBOSE | re.DOTALL)


# What MySQL's own client begins with: servers of before dollar quoting know no such column, others find no end of the quote.
_DOLLAR_PROBE = "select $$"


def lex(text: str, lexing: Lexing) -> Text:
    """Cuts the text into tokens. Raises `Unreadable` on everything that could be cut in two ways, or not at all."""
    if text == _DOLLAR_PROBE:
        return Text((Token(NAME, "select", "SELECT", 0, 6), Token(NAME, "$$", "", 7, 9)), (), (), False)
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(f"longer than {MAX_CHARACTERS} characters")
    match = _pattern(lexing).match
    tokens: list[Token] = []
    add = tokens.append
    hints: list[tuple[int, int]] = []
    points: list[tuple[int, int]] = []
    comments = False
    position, length, depth = 0, len(text), 0
    after_dot = False
    closing = -1  # where a comment whose inside is read ends
    while position < length:
        if position == closing:
            position, closing = position + 2, -1
            continue
        found = match(text, position)
        if found is None:
            raise Unreadable(_why(text, position))
        kind = found.lastgroup
        end = found.end()
        if kind == "space":
            position = end
            continue
        part = text[position:end]
        if kind == "name":
            # the server folds ASCII alone: Python would make a K of the Kelvin sign, and a keyword of a name
            word = "" if after_dot else part.upper() if part.isascii() else _checked(part)
            add(Token(NAME, part, word, position, end))
            after_dot = False
        elif kind == "operator":
            if part == "(":
                depth += 1
                if depth > MAX_DEPTH:
                    raise Unreadable(f"nested deeper than {MAX_DEPTH} parentheses")
            elif part == ")":
                depth = max(depth - 1, 0)
            elif part == ";":
                depth = 0
            add(Token(OPERATOR, part, part, position, end))
            after_dot = part == "."
        elif kind == "comment":
            comments = True
            if (inside := _READ_INSIDE.get(part.upper())) is not None and part.isascii():
                position, closing = position + inside, end - 2
                continue
            _check_comment(part, position, hints)
        else:
            add(_other(str(kind), part, position, end, lexing, tokens[-1] if tokens else None))
            after_dot = False
            if kind == "number" and (part[0] == "." or part[-1] == "."):
                points.append((position, end))
        if len(tokens) > MAX_TOKENS:
            raise Unreadable(f"more than {MAX_TOKENS} tokens")
        position = end
    return Text(tuple(tokens), tuple(hints), tuple(points), comments)


def _checked(name: str) -> str:
    """Names are utf8mb3. MySQL makes a question mark of each character beyond, and so one name of many; MariaDB errs."""
    if not name.isascii() and max(name) > "\uffff":
        raise Unreadable("a name with a character in whose place MySQL reads a question mark")
    return name


def _other(kind: str, part: str, position: int, end: int, lexing: Lexing, before: Token | None) -> Token:
    if kind == "double":
        kind = QUOTED if lexing.ansi_quotes else STRING
        if kind == QUOTED and part == '""':
            raise Unreadable("a name without a character")
    elif kind == "digits":
        kind = NAME
    if kind in (NAME, QUOTED):
        _checked(part)
    elif kind == NUMBER and before is not None:
        touching = part[0] == "." and before.end == position and before.kind in (NAME, QUOTED)
        if touching or before.word == ".":
            raise Unreadable("a name that begins with a digit after a dot")
    return Token(kind, part, "", position, end)


# What dump programs and client libraries write. Each is harmless whether the server runs it (by the version it names) or not, so it
# is read as if it did. The number is where what may be run begins.
_READ_INSIDE = {
    comment: comment.index(" ")
    for comment in (
        "/*!40100 SET @@SQL_MODE='' */", "/*!40103 SET TIME_ZONE='+00:00' */", "/*!40100 WITH CONSISTENT SNAPSHOT */",
        "/*!80000 SET SESSION INFORMATION_SCHEMA_STATS_EXPIRY=0 */", "/*!32332 FULL */", "/*!32311 LOCAL */",
        "/*!50013 CONSISTENT SNAPSHOT */", "/*!50002 FULL */", "/*!50002 FULL*/", "/*!40003 GLOBAL */", "/*!50002 GLOBAL */",
        "/*!40101 LOCAL */", "/*!40101 SET @@CHARACTER_SET_DATABASE=BINARY */",
        "/*M!100100 SET @@MAX_STATEMENT_TIME=0.000000 */", "/*M!100100 SET WAIT_TIMEOUT=DEFAULT */",
    )
}  # fmt: skip


def _check_comment(part: str, position: int, hints: list[tuple[int, int]]) -> None:
    if part[0] != "/":
        return
    mark = part[2:4]
    if mark[:1] == "!" or mark in ("M!", "m!"):
        # what every dump program writes: a hint, run or not. Python folds the long s to S, the server takes it for a name
        if part.upper() != "/*!40001 SQL_NO_CACHE */" or not part.isascii():
            raise Unreadable("a comment that the server executes")
        return
    if mark[:1] == "+":
        if any(quote in part for quote in "'\"`"):  # inside of quotes the server may not see where the hint ends
            raise Unreadable("an optimizer hint with quotes")
        hints.append((position, position + len(part)))


def _why(text: str, position: int) -> str:
    letter = text[position]
    if letter in "'\"`":
        return "a quote that is not closed"
    if text.startswith("/*", position):
        return "a comment that is not closed"
    if letter.isdigit():
        return "a number that can be read in two ways"
    return f"the character U+{ord(letter):04X} outside of quotes"


_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


def identifier(token: Token) -> str:
    """The name that an identifier stands for."""
    if token.kind != QUOTED:
        return token.text
    quote = token.text[0]
    return token.text[1:-1].replace(quote * 2, quote)


def string_value(token: Token, lexing: Lexing) -> str:
    """The value of a string literal as the server computes it. Spec: MySQL 8.4 manual §11.1.1."""
    body = token.text[1:] if token.text[0] in "nN" else token.text
    quote, body = body[0], body[1:-1]
    if not lexing.backslash:
        return body.replace(quote * 2, quote)
    return re.sub(
        rf"\\(.)|{quote}{quote}",
        lambda found: quote if found[1] is None else _ESCAPES.get(found[1], found[0] if found[1] in "%_" else found[1]),
        body,
        flags=re.DOTALL,
    )
