"""MySQL's tokens: where they begin and end, and what is refused because it can be read in two ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.classify.mysql.lexer import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_TOKENS,
    Lexing,
    Token,
    Unreadable,
    identifier,
    lex,
    string_value,
)

PLAIN = Lexing()


def cut(text: str, lexing: Lexing = PLAIN) -> list[str]:
    return [token.text for token in lex(text, lexing).tokens]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("SELECT 1", ["SELECT", "1"]),
        ("SELECT 1--1", ["SELECT", "1", "-", "-", "1"]),
        ("SELECT 1-- 1", ["SELECT", "1"]),
        ("SELECT 1--\t1\n+2", ["SELECT", "1", "+", "2"]),
        ("SELECT 1 --", ["SELECT", "1"]),
        ("SELECT 1--\x011\n2", ["SELECT", "1", "2"]),
        ("1#2\n3", ["1", "3"]),
        ("1/*2*/3", ["1", "3"]),
        ("1/*/2*/3", ["1", "3"]),
        ("1/**/3", ["1", "3"]),
        ("a/b*c", ["a", "/", "b", "*", "c"]),
        ("'it''s'", ["'it''s'"]),
        (r"'a\'b'", [r"'a\'b'"]),
        (r"'a\\'b", [r"'a\\'", "b"]),
        ("'' ''", ["''", "''"]),
        ("'a''b''c'", ["'a''b''c'"]),
        ('"a""b"', ['"a""b"']),
        ("`a``b`", ["`a``b`"]),
        ("`a\\`b", ["`a\\`", "b"]),
        ("N'x' n'y'", ["N'x'", "n'y'"]),
        ("_utf8'x'", ["_utf8", "'x'"]),
        ("x'4D' X'4d' 0x4D b'01' B'1' 0b01", ["x'4D'", "X'4d'", "0x4D", "b'01'", "B'1'", "0b01"]),
        ("1.5 .5 5. 1e5 1.5e-3 .5E+3", ["1.5", ".5", "5.", "1e5", "1.5e-3", ".5E+3"]),
        ("1a 2020_t 1e 5e_x", ["1a", "2020_t", "1e", "5e_x"]),
        ("a.b .c", ["a", ".", "b", ".", "c"]),
        ("t.select", ["t", ".", "select"]),
        ("@a @a.b @'x y' @`q` @\"d\"", ["@a", "@a.b", "@'x y'", "@`q`", '@"d"']),
        ("@@a @@global.b", ["@@a", "@@global.b"]),
        ("a:=b", ["a", ":=", "b"]),
        ("a<=>b<<c>>d<>e!=f", ["a", "<=>", "b", "<<", "c", ">>", "d", "<>", "e", "!=", "f"]),
        ("a->'$' b->>'$'", ["a", "->", "'$'", "b", "->>", "'$'"]),
        ("a&&b||c", ["a", "&&", "b", "||", "c"]),
        ("größe", ["größe"]),
        ("a\u00a0b", ["a\u00a0b"]),  # white space to Unicode, a letter to the server
        ("a\u2003b", ["a\u2003b"]),
        ("a\x0bb\x0cc", ["a", "b", "c"]),
    ],
)
def test_tokens_end_where_the_server_ends_them(text: str, tokens: list[str]) -> None:
    assert cut(text) == tokens


@pytest.mark.parametrize(
    "text",
    [
        "/*!1*/", "/*!*/", "/*!50000 1*/", "/*M!1*/", "/*M!100100 1*/", "/*m!1*/", "1/*!+1*/", "/*!40001 SQL_NO_CACHE , 1*/",
        "/* open", "/*", "/*/", "'open", "\"open", "`open", "'a\\'", "'a''", "``", "x'1'", "x'zz'", "b'2'", "n'", "N'x",
        "0X1F", "0xZZ", "0B1", "0b2", "1.a", "1.5x", "1e5x", "1.5.2", "1..2", "a.1", "a.1b", "a. 1", "`a`.1",
        "$", "$$", "$a", "{", "}", "[", "]", "\\", "\\N", ":", "a:b", "@", "@ a", "@@", "@@ a", "@@`a`", "@@a.", "\0", "a\0b",
        "\x01", "\x7f", "\x1a",
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        lex(text, PLAIN)


def test_words_behind_a_dot_are_never_keywords() -> None:
    assert [token.word for token in lex("a.select . from", PLAIN).tokens] == ["A", ".", "", ".", ""]


@pytest.mark.parametrize("text", ["\u017felect", "\u212aill", "\u0131nto", "gr\u00f6\u00dfe"])
def test_letters_that_only_unicode_folds_make_no_keyword(text: str) -> None:
    (token,) = lex(text, PLAIN).tokens
    assert token.word == text


def test_quoted_text_is_never_a_keyword() -> None:
    assert all(not token.word for token in lex("`select` 'select' \"select\" @select @@select 1", PLAIN).tokens)


def test_ansi_quotes_make_names() -> None:
    (token,) = lex('"a""b"', Lexing(ansi_quotes=True)).tokens
    assert (token.kind, identifier(token)) == ("quoted", 'a"b')
    assert cut('"a\\" b', Lexing(ansi_quotes=True)) == ['"a\\"', "b"]
    with pytest.raises(Unreadable):
        lex('""', Lexing(ansi_quotes=True))


def test_without_backslash_escapes_a_backslash_is_a_letter() -> None:
    assert cut(r"'a\' b", Lexing(backslash=False)) == [r"'a\'", "b"]
    assert cut(r'"a\" b', Lexing(backslash=False)) == [r'"a\"', "b"]


def test_the_hint_of_dump_programs_is_the_only_executable_comment() -> None:
    assert cut("SELECT /*!40001 SQL_NO_CACHE */ * FROM t") == ["SELECT", "*", "FROM", "t"]


def test_hints_are_noted_and_those_with_quotes_refused() -> None:
    assert lex("SELECT /*+ NO_ICP(t) */ 1", PLAIN).hints == ((7, 23),)
    with pytest.raises(Unreadable):
        lex("SELECT /*+ QB_NAME(`a*/b`) */ 1", PLAIN)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a'", "a"),
        ("'a''b'", "a'b"),
        (r"'a\'b'", "a'b"),
        (r"'a\nb\%c\x'", "a\nb\\%cx"),
        ('"a""b"', 'a"b'),
        ("N'x'", "x"),
    ],
)
def test_values_of_strings(text: str, value: str) -> None:
    (token,) = lex(text, PLAIN).tokens
    assert string_value(token, PLAIN) == value


def test_bounds() -> None:
    lex("(" * MAX_DEPTH, PLAIN)
    for text in ("(" * (MAX_DEPTH + 1), "1," * (MAX_TOKENS // 2 + 1), " " * (MAX_CHARACTERS + 1)):
        with pytest.raises(Unreadable):
            lex(text, PLAIN)


@given(st.text(alphabet="'\"`\\ab1.-#/*!@();x\n e0+N$\u00e9", max_size=60), st.booleans(), st.booleans())
def test_tokens_and_what_is_between_them_make_up_the_text(text: str, ansi: bool, backslash: bool) -> None:
    """Nothing is lost: between two tokens there is white space and comments only."""
    try:
        tokens = lex(text, Lexing(ansi, backslash)).tokens
    except Unreadable:
        return
    end = 0
    for token in tokens:
        assert text[token.start : token.end] == token.text
        assert _blank(text[end : token.start])
        end = token.end
    assert _blank(text[end:])


def _blank(between: str) -> bool:
    return not between.strip(" \t\n\v\f\r") or between.strip(" \t\n\v\f\r")[:1] in ("-", "#", "/")


@given(st.text(max_size=30))
def test_a_quoted_name_stands_for_what_was_quoted(name: str) -> None:
    token = Token("quoted", "`" + name.replace("`", "``") + "`", "", 0, 0)
    assert identifier(token) == name
