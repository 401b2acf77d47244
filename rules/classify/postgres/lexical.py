"""What a body of code can do, judged by its words alone: for PL/pgSQL and DO, whose grammar is not SQL's.

The server's own lexer cuts the body (it has no recursion and cannot fail on a body that the server took). Every word
that can begin a statement with an effect counts wherever it stands, every name before a parenthesis or after a dot counts
as a call. So more is said than is true, and what nothing is said about can do nothing.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pglast import parser
from pglast.error import Error

from rules.classify.postgres.places import SAMPLES, SETTINGS_VIEWS
from rules.functions.postgres import acting
from rules.model import Effect

_LONGEST = 256 * 1024
_ANY_SETTING = frozenset({Effect.SETTING, Effect.LEXING, Effect.NAMESPACE, Effect.ROLE, Effect.ADMIN})
_OUT = frozenset({Effect.FILE_READ, Effect.FILE_WRITE})
_WRITE = frozenset({Effect.WRITE})
_DDL = frozenset({Effect.DDL, Effect.NAMESPACE})

# By the parser's name of the token.
_WORDS: dict[str, frozenset[Effect]] = {
    "INSERT": _WRITE, "UPDATE": _WRITE, "DELETE_P": _WRITE, "MERGE": _WRITE, "TRUNCATE": _WRITE,
    "VACUUM": _WRITE, "ANALYZE": _WRITE, "CLUSTER": _WRITE, "REINDEX": _WRITE, "REFRESH": _WRITE,
    "CREATE": _DDL, "ALTER": _DDL, "DROP": _DDL, "COMMENT": _DDL,
    "GRANT": frozenset({Effect.GRANT}), "REVOKE": frozenset({Effect.GRANT}), "REASSIGN": frozenset({Effect.GRANT}),
    "SECURITY": frozenset({Effect.GRANT}), "OWNER": frozenset({Effect.GRANT}),
    "COPY": _OUT | _WRITE, "PROGRAM": frozenset({Effect.PROGRAM}), "LOAD": frozenset({Effect.PROGRAM}),
    "EXECUTE": frozenset({Effect.DYNAMIC_SQL, Effect.CODE}), "CALL": frozenset({Effect.CODE}),
    "RESET": _ANY_SETTING, "DISCARD": _ANY_SETTING, "SYSTEM_P": frozenset({Effect.ADMIN}),
    "LOCK_P": frozenset({Effect.TABLE_LOCK}), "SHARE": frozenset({Effect.ROW_LOCK}),
    "NOTIFY": frozenset({Effect.NOTIFY}), "LISTEN": frozenset({Effect.NOTIFY}), "UNLISTEN": frozenset({Effect.NOTIFY}),
    "COMMIT": frozenset({Effect.TRANSACTION}), "ROLLBACK": frozenset({Effect.TRANSACTION}),
    "PREPARE": frozenset({Effect.TWO_PHASE, Effect.CODE}), "CHECKPOINT": frozenset({Effect.ADMIN}),
    "IMPORT_P": frozenset({Effect.NETWORK}), "SERVER": frozenset({Effect.NETWORK}),
    "SUBSCRIPTION": frozenset({Effect.NETWORK}), "CONSTRAINTS": frozenset({Effect.SETTING}),
}  # fmt: skip
_NOT_A_CALL_AFTER = frozenset({"INTO", "AS", "ASCII_41", "TABLE", "WITH", "REFERENCES"})
_OPERATOR_SIGNS = frozenset("+-*/<>=~!@#%^&|`?")


class Token(NamedTuple):
    name: str  # the parser's
    keyword: str  # kind of keyword, or NO_KEYWORD
    text: str  # folded and unquoted where it is a name


class Names(Protocol):
    """What the names in a body mean to whoever asks."""

    def called(self, schema: str | None, name: str) -> bool:
        """A call. False: no function of that name is known."""

    def named(self, name: str) -> None:
        """A word that may be the name of a view."""

    def symbol(self, symbol: str) -> None:
        """An operator."""


def tokens(body: str) -> list[Token] | None:
    """None: not text that the lexer can cut."""
    if len(body) > _LONGEST or "\0" in body:
        return None
    try:
        return [_token(*found, body) for found in parser.scan(body) if found.name not in ("SQL_COMMENT", "C_COMMENT")]
    except (Error, UnicodeError):
        return None


def _token(start: int, end: int, name: str, keyword: str, body: str) -> Token:
    text = body[start : end + 1]
    if name == "IDENT":
        text = text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()
    else:
        text = text.lower()
    return Token(name, keyword, text)


def code_effects(body: str, names: Names) -> frozenset[Effect]:
    """What the words of a body can do."""
    found = tokens(body)
    if found is None:
        return frozenset({Effect.UNKNOWN})
    effects: set[Effect] = set()
    columns = 0  # that many UPDATEs since the last semicolon have their SET still to come
    before = ["", ""]
    for index, token in enumerate(found):
        after = found[index + 1].name if index + 1 < len(found) else ""
        if token.name == "ASCII_59":
            columns = 0
        elif token.name == "UPDATE" and before[-1] in ("FOR", "KEY"):
            effects.add(Effect.ROW_LOCK)
        elif token.name == "UPDATE":
            columns += 1
            effects.add(Effect.WRITE)
        elif token.name == "SET":
            if columns == 0:
                effects |= _ANY_SETTING
            columns = max(0, columns - 1)
        elif token.name == "DO" and after in ("SCONST", "LANGUAGE"):
            effects.add(Effect.CODE)
        elif token.name in _WORDS:
            effects |= _WORDS[token.name]
        effects |= _by_name(token, before, after, found, index, names)
        before.append(token.name)
    return frozenset(effects)


def _by_name(
    token: Token, before: list[str], after: str, found: list[Token], index: int, names: Names
) -> frozenset[Effect]:
    if token.name == "UIDENT":
        return frozenset({Effect.UNKNOWN})
    if token.text and set(token.text) <= _OPERATOR_SIGNS:
        names.symbol(token.text)
        return frozenset()
    dotted = before[-1] == "ASCII_46"  # behind a dot every keyword is a name
    if (
        token.name != "IDENT"
        and token.keyword not in ("UNRESERVED_KEYWORD", "TYPE_FUNC_NAME_KEYWORD")
        and not (dotted and token.keyword != "NO_KEYWORD")
    ):
        return frozenset()
    names.named(token.text)
    if token.text == "set_config":
        return _ANY_SETTING
    called = after == "ASCII_40" and before[-1] not in _NOT_A_CALL_AFTER
    if called or dotted or token.text in acting():
        schema = found[index - 2].text if dotted and index > 1 and called else None
        known = names.called(schema, token.text)
        if called and not known and (dotted or token.name == "IDENT"):
            return frozenset({Effect.UNKNOWN})
    if token.text in SAMPLES:
        return frozenset({Effect.SAMPLES})
    return _ANY_SETTING if token.text in SETTINGS_VIEWS and "UPDATE" in before else frozenset()
