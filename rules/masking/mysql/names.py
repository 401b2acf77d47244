"""When two names are one to MySQL: the case of columns never counts, that of tables as the server is configured.

Column names beyond ASCII are compared by tables of the server's that are not copied here. So two names that may be one to it
are kept apart from two that are: `same` is sure, `alike` is not.
"""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[A-Za-z0-9_$]+\Z")


def folded(name: str) -> str:
    """The server cuts spaces off the ends of an alias, and folds ASCII for certain."""
    name = name.strip(" ")
    return name.lower() if name.isascii() else name


def same(one: str, other: str) -> bool:
    return one == other or folded(one) == folded(other)


def alike(one: str, other: str) -> bool:
    """Whether any collation could take one for the other."""
    return not (one.isascii() and other.isascii()) and _bare(one) == _bare(other)


def akin(one: str, other: str) -> bool:
    """Whether they are one name where case does not count: that of tables and common table expressions may or may not."""
    return same(one, other) or alike(one, other)


def _bare(name: str) -> str:
    name = "".join(
        "?" if letter > "\uffff" else letter for letter in name
    )  # names are utf8mb3, those given as strings too
    decomposed = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def is_word(name: str) -> bool:
    """A name that an expression without an alias cannot have got from its text, which has more than a word in it."""
    return _WORD.match(name) is not None
