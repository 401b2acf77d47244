"""LOAD DATA LOCAL: what the file's fields are, into which columns they go, and what is looked for in them as they pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from rules.classify.mysql.lexer import NAME, NUMBER, QUOTED, STRING, VARIABLE, Token, identifier, string_value
from rules.classify.mysql.statements import lexing_of
from rules.masking.mysql.domains import NO_DOMAIN, TEXT
from rules.masking.mysql.follow import Follow
from rules.masking.mysql.reading import Read
from rules.masking.mysql.scope import member
from rules.masking.pseudonyms import token_in
from rules.masking.values import Unsure
from rules.masking.writeback import MaskForms
from rules.model import Access, Effect

_FIELDS: Final = frozenset({"FIELDS", "COLUMNS"})
_OVERLAPPING: Final = frozenset({"BIG5", "CP932", "GB18030", "GBK", "SJIS"})  # a second byte may be a backslash
_PLAIN: Final = re.compile(r"[!-~]+")
_EVERYTHING: Final = re.compile(rb"")


@frozen
class Loading:
    """A file of LOAD DATA LOCAL, for who looks at it as it comes. Both terminators have at least a byte."""

    table: str
    columns: tuple[str, ...]  # and variables, as they come; (): not known
    field_end: str = "\t"
    line_end: str = "\n"
    enclosed: str = ""
    escape: str = "\\"
    skipped_lines: int = 0
    hashed: bool = False  # it goes into a table with hashed columns


class LoadCheck:
    """What is looked for in the fields of one file: masks on their way back, as in the constants of other writes."""

    def __init__(self, forms: MaskForms, loading: Loading) -> None:
        self._forms = forms
        self._hashed = loading.hashed
        hints = [rb"\*\*\*|wpx?_", *([rb"[0-9a-f]{16}"] if loading.hashed else [])]
        signs = loading.field_end + loading.line_end + loading.enclosed + loading.escape
        plain = all(_PLAIN.fullmatch(each) and not set(each) & set(signs) for each in forms.constants)
        hints += [re.escape(each.encode()) for each in forms.constants]
        self.hint = re.compile(b"|".join(hints)) if plain else _EVERYTHING

    def why(self, value: bytes) -> str | None:
        """What a field looks like; None: like no mask."""
        return self._forms.why(value.decode("utf-8", "replace"), self._hashed)

    def why_part(self, value: bytes) -> str | None:
        """The same of a piece of a long field: only pseudonyms stand among other text."""
        return "a pseudonym" if token_in(value.decode("latin-1")) else None


def loaded(follow: Follow, read: Read) -> Loading | None:
    """None: the file is one of the server's. Findings go to `follow`. Raises Unsure where the file cannot be looked into."""
    statement = read.statement
    if Effect.FILE_READ in statement.effects:
        return None
    target = next(each for each in statement.relations if each.access is Access.WRITE)
    columns = follow.relation(target.schema, target.name)
    known = follow.candidates(target.schema, target.name)
    loading = _Options(follow, read, target.name).read()
    names = loading.columns
    if not names and len(known) == 1:
        names = tuple(each.name for each in known[0].columns if not each.generated and not each.hidden)
    for name in names:
        held = None if name.startswith("@") else member(columns, name)
        if held is not None and follow.world.pseudonymised(held) not in (None, NO_DOMAIN, TEXT):
            follow.find(
                "writeback",
                "hold",
                f"what is loaded into {target.name}.{name} may be a pseudonym: of its type every value is one",
            )
    if any(not each.transactional for each in known):
        follow.find(
            "writeback",
            "hold",
            f"{target.name} takes nothing back: rows in front of a mask in the file would stay in it",
        )
    marks = [mark for each in known for mark in follow.world.marks.of(each).values()]
    return Loading(
        target.name, names, loading.field_end, loading.line_end, loading.enclosed, loading.escape, loading.skipped_lines,
        any(mark.masker == "hash" for mark in marks),
    )  # fmt: skip


class _Options:
    """The clauses behind the table's name. Raises Unsure for those under which rows cannot be told apart here."""

    def __init__(self, follow: Follow, read: Read, table: str) -> None:
        self._lexing = lexing_of(follow.namespace)
        self._tokens = read.tokens
        self._table = table
        words = [token.word for token in read.tokens]
        self._xml = "XML" in words[:2]
        self._at = words.index("TABLE", words.index("INTO")) + 2 if not self._xml else 0
        if self._word(0) == ".":
            self._at += 2
        self._found: dict[str, str] = {}
        self._skipped = 0
        self._columns: tuple[str, ...] = ()

    def read(self) -> Loading:
        if self._xml:
            raise Unsure("LOAD XML")
        while self._at < len(self._tokens) and self._word(0) != "SET":
            self._clause()
        field_end, line_end = self._found.get("FIELDS TERMINATED", "\t"), self._found.get("LINES TERMINATED", "\n")
        if not field_end or not line_end or self._found.get("LINES STARTING"):
            raise Unsure("lines of a file that begin with words, or fields without an end")
        enclosed, escape = self._found.get("FIELDS ENCLOSED", ""), self._found.get("FIELDS ESCAPED", "\\")
        if (
            not all(each.isascii() for each in (field_end, line_end, enclosed, escape))
            or len(enclosed) > 1
            or len(escape) > 1
        ):
            raise Unsure("fields of a file that end in letters")
        return Loading(self._table, self._columns, field_end, line_end, enclosed, escape, self._skipped)

    def _word(self, ahead: int) -> str:
        at = self._at + ahead
        return self._tokens[at].word if at < len(self._tokens) else ""

    def _clause(self) -> None:
        word = self._word(0)
        if word == "PARTITION":
            self._at += 1
            self._names()
        elif word == "CHARACTER" and self._word(1) == "SET":
            if self._word(2) in _OVERLAPPING:
                raise Unsure("a file in whose characters separators may be parts")
            self._at += 3
        elif word in _FIELDS or word == "LINES":
            self._at += 1
            self._separators("FIELDS" if word in _FIELDS else "LINES")
        elif word == "IGNORE" and self._word(2) in ("LINES", "ROWS"):
            token = self._tokens[self._at + 1]
            if token.kind != NUMBER or not token.text.isdigit():
                raise Unsure("lines that are left out")
            self._skipped = int(token.text)
            self._at += 3
        elif word == "(":
            self._columns = tuple(self._names())
        else:
            raise Unsure("a clause of LOAD DATA that is not known")

    def _separators(self, of: str) -> None:
        while (word := self._word(0)) in ("TERMINATED", "OPTIONALLY", "ENCLOSED", "ESCAPED", "STARTING"):
            self._at += 1
            if word == "OPTIONALLY":
                continue
            if self._word(0) != "BY" or self._tokens[self._at + 1].kind != STRING:
                raise Unsure("a separator that is no string")
            self._found[f"{of} {word}"] = string_value(self._tokens[self._at + 1], self._lexing)
            self._at += 2

    def _names(self) -> Iterator[str]:
        if self._word(0) != "(":
            raise Unsure("a list that does not begin")
        found: list[str] = []
        self._at += 1
        while self._at < len(self._tokens) and self._word(0) != ")":
            token = self._tokens[self._at]
            if token.word != ",":
                found.append(_name(token))
            self._at += 1
        self._at += 1
        return iter(found)


def _name(token: Token) -> str:
    if token.kind == VARIABLE:
        return token.text
    if token.kind not in (NAME, QUOTED):
        raise Unsure("something else than a column")
    return identifier(token)
