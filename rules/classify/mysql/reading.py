"""A cursor over the tokens of one statement, and what every reader of statements needs from it."""

from __future__ import annotations

from typing import Any

from attrs import Factory, define, field, frozen

from rules.catalog import Catalog
from rules.classify.mysql.draft import Draft
from rules.classify.mysql.lexer import (
    NAME,
    NUMBER,
    QUOTED,
    STRING,
    VARIABLE,
    Lexing,
    Text,
    Token,
    Unreadable,
    identifier,
    string_value,
)
from rules.classify.mysql.words import RESERVED
from rules.model import Namespace

_END = Token("end", "", "", 0, 0)


@define
class Substitution:
    """A span of the text that the parser gets to see in other words, since it does not know them and we do."""

    start: int
    end: int
    text: str = ""


@frozen
class Parsed:
    """A tree of the parser's that was found to be the same as what was read, for whoever follows where values go."""

    tree: Any
    bare: bool  # expressions, behind a SELECT that is not in the text
    shift: int = 0  # from the places that the parser knows of its constants to those in the text


@define
class Reader:
    """Reads tokens [position, end) of one statement into a draft. Raises `Unreadable`; nothing else."""

    text: str
    cut: Text
    position: int
    end: int
    namespace: Namespace
    lexing: Lexing
    draft: Draft
    catalog: Catalog | None = None
    depth: int = 0  # of views and routines looked into
    substitutions: list[Substitution] = Factory(list)
    first: int = field(init=False)  # where the statement begins
    tokens: tuple[Token, ...] = field(init=False)
    named: set[tuple[str | None, str]] = Factory(
        set
    )  # every table reference, CTEs included: what the parser must see too
    selects: int = 0  # query blocks read
    trees: list[Parsed] = Factory(list)  # in the order in which they stand in the statement

    def __attrs_post_init__(self) -> None:
        self.tokens = self.cut.tokens
        self.first = self.position

    # -- looking ----------------------------------------------------------------------------------------------------

    def peek(self, ahead: int = 0) -> Token:
        at = self.position + ahead
        return self.tokens[at] if at < self.end else _END

    @property
    def word(self) -> str:
        """The keyword or operator at the cursor; "" for anything that is neither, and at the end."""
        return self.tokens[self.position].word if self.position < self.end else ""

    @property
    def done(self) -> bool:
        return self.position >= self.end

    def begins(self, *words: str) -> bool:
        return all(self.peek(i).word == word for i, word in enumerate(words))

    # -- moving -----------------------------------------------------------------------------------------------------

    def advance(self) -> Token:
        if self.position >= self.end:
            raise Unreadable("it ends too early")
        self.position += 1
        return self.tokens[self.position - 1]

    def accept(self, *words: str) -> bool:
        """Takes these words if all of them follow."""
        if not self.begins(*words):
            return False
        self.position += len(words)
        return True

    def accept_any(self, words: frozenset[str]) -> str:
        """Takes one of these words; "" if none follows."""
        word = self.word
        if word not in words or not word:
            return ""
        self.position += 1
        return word

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            self.fail(f"expected {' '.join(words)}")

    def fail(self, why: str) -> None:
        token = self.peek()
        place = f"before “{token.text[:40]}”" if token.text else "at its end"
        raise Unreadable(f"{why} {place}")

    def finished(self) -> None:
        """Nothing may be left over: what follows was not read by anybody."""
        if not self.done:
            self.fail("not understood")

    def substitute(self, first: int, text: str = "") -> None:
        """From token `first` up to the cursor, the parser sees `text` instead."""
        if self.position > first:
            self.substitutions.append(Substitution(self.tokens[first].start, self.tokens[self.position - 1].end, text))

    # -- names and constants ------------------------------------------------------------------------------------------

    def at_name(self, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.kind == QUOTED or (token.kind == NAME and token.word not in RESERVED)

    def name(self) -> str:
        if not self.at_name():
            self.fail("expected a name")
        return identifier(self.advance())

    def path(self) -> tuple[str | None, str]:
        """`name` or `schema.name`."""
        first = self.name()
        if not self.accept("."):
            return None, first
        if self.peek().kind not in (NAME, QUOTED):
            self.fail("expected a name after the dot")
        return first, identifier(self.advance())

    def parenthesized_names(self) -> None:
        """`( name [, name] … )`, empty allowed."""
        self.expect("(")
        while not self.accept(")"):
            if self.peek().kind not in (NAME, QUOTED):
                self.fail("expected a name")
            self.advance()
            if self.word != ")":
                self.expect(",")

    def skip_parentheses(self) -> None:
        """Over balanced parentheses whose content does not matter."""
        self.expect("(")
        depth = 1
        while depth:
            word = self.advance().word
            depth += (word == "(") - (word == ")")

    def string(self) -> str:
        if self.peek().kind != STRING:
            self.fail("expected a string")
        return string_value(self.advance(), self.lexing)

    def number(self) -> str:
        if self.peek().kind != NUMBER:
            self.fail("expected a number")
        return self.advance().text

    def variable(self) -> str:
        """The name of a user variable, with its @, in lower case."""
        if self.peek().kind != VARIABLE:
            self.fail("expected a user variable")
        return variable_name(self.advance(), self.lexing)

    def rest(self) -> str:
        """The text from the cursor to the end."""
        return self.text[self.peek().start : self.tokens[self.end - 1].end] if not self.done else ""


def variable_name(token: Token, lexing: Lexing) -> str:
    body = token.text[1:]
    if body[0] in "'\"":
        body = string_value(Token(STRING, body, "", 0, 0), lexing)
    elif body[0] == "`":
        body = body[1:-1].replace("``", "`")
    return "@" + body.lower()
