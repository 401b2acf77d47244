"""Structuring the tables of a TOML file into attrs values, with every mistake found at once.

`Reader.table` structures one table into one attrs class; what is wrong with it is collected as `Problem`s with the path of
the key, and a suggestion where something similar exists. Whoever has the file's text turns paths into lines.
"""

from __future__ import annotations

import difflib
import enum
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

import cattrs
from attrs import Factory, define, fields, frozen
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)

Step = str | int
T = TypeVar("T")

_WORDS: dict[type, str] = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


@frozen
class Problem:
    path: tuple[Step, ...]  # ("policy", "shop", "rule", 0, "action")
    message: str
    suggestion: str = ""
    severity: Literal["error", "warning"] = "error"


class WrongValue(Exception):
    """What is wrong with one value; `.args` are (message, suggestion)."""


@define
class Reader:
    """Collects problems while it structures tables."""

    converter: cattrs.Converter
    problems: list[Problem] = Factory(list)

    def add(self, path: Sequence[Step], message: str, suggestion: str = "") -> None:
        self.problems.append(Problem(tuple(path), message, suggestion))

    def warn(self, path: Sequence[Step], message: str, suggestion: str = "") -> None:
        self.problems.append(Problem(tuple(path), message, suggestion, "warning"))

    def table(self, value: object, kind: type[T], path: Sequence[Step]) -> T | None:
        """A value of an attrs class, without the keys in which mistakes were found; None if it can't be made without them.

        So what is right in a table with mistakes can be checked further, and all mistakes are told at once.
        """
        if not isinstance(value, Mapping):
            self.add(path, f"expected a table, found {found(value)}", f"write [{dotted(path)}]")
            return None
        try:
            return self.converter.structure(value, kind)
        except ClassValidationError as error:
            before = len(self.problems)
            self._walk(error, tuple(path))
            wrong = {problem.path[len(path)] for problem in self.problems[before:] if len(problem.path) > len(path)}
        try:
            return self.converter.structure({key: each for key, each in value.items() if key not in wrong}, kind)
        except ClassValidationError:
            return None  # what is missing has been said

    def known(self, name: str, names: Iterable[str], path: Sequence[Step], what: str) -> bool:
        """Whether a name that is referred to exists."""
        names = sorted(names)
        if name in names:
            return True
        suggestion = nearest(name, names) or (
            f"there are: {', '.join(names)}" if names else f"there is no {what} at all"
        )
        self.add(path, f"there is no {what} {name!r}", suggestion)
        return False

    def keys(self, table: Mapping[str, object], known: Iterable[str], path: Sequence[Step]) -> None:
        known = list(known)
        for key in table:
            if key not in known:
                self.add((*path, key), "unknown key", nearest(key, known) or f"known here: {', '.join(known)}")

    def _walk(self, error: BaseException, path: tuple[Step, ...]) -> None:
        match error:
            case ClassValidationError() | IterableValidationError():
                for each in error.exceptions:
                    step = _step(each)
                    self._walk(each, path if step is None else (*path, step))
            case ForbiddenExtraKeysError():
                known = [attribute.name for attribute in fields(error.cl)]
                for key in sorted(error.extra_fields):
                    self.add((*path, key), "unknown key", nearest(key, known) or f"known here: {', '.join(known)}")
            case KeyError():
                self.add(path, "is missing")
            case WrongValue():
                self.add(path, *error.args)
            case _:
                self.add(path, str(error))


def nearest(name: str, names: Iterable[str]) -> str:
    found = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.6)
    return f'did you mean "{found[0]}"?' if found else ""


def dotted(path: Sequence[Step]) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step + 1}]"
        else:
            text += ("." if text else "") + (step if re.fullmatch(r"[\w-]+", step) else json.dumps(step))
    return text


def _step(error: BaseException) -> Step | None:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return note.name
        if isinstance(note, IterableValidationNote):
            return note.index if isinstance(note.index, int) else str(note.index)
    return None


def found(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"' if len(value) <= 40 else "a long string"
        case int() | float():
            return str(value)
        case list():
            return "a list"
        case Mapping():
            return "a table"
        case _:
            return type(value).__name__


def _strict(value: object, kind: type[T]) -> T:
    """No guessing: "5" is not 5, and "false" is not true."""
    accepted: tuple[type, ...] = (float, int) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        suggestion = "without the quotes" if isinstance(value, str) and kind in (int, float, bool) else ""
        raise WrongValue(f"expected {_WORDS[kind]}, found {found(value)}", suggestion)
    return kind(value)  # type: ignore[call-arg]


def _choice(value: object, choices: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        text = value if isinstance(value, str) else ""
        raise WrongValue(
            f"{found(value)} is not one of them", nearest(text, choices) or f"one of: {', '.join(choices)}"
        )
    return value


def _several(converter: cattrs.Converter, value: object, kind: Any) -> Any:
    """A list as a tuple or frozenset. A lone string is a mistake: it would be taken apart into its letters."""
    if not isinstance(value, list):
        suggestion = f"write [{found(value)}]" if isinstance(value, str | int) else ""
        raise WrongValue(f"expected a list, found {found(value)}", suggestion)
    element = get_args(kind)[0]
    out = []
    errors: list[Exception] = []
    for position, each in enumerate(value):
        try:
            out.append(converter.structure(each, element))
        except (WrongValue, ClassValidationError, IterableValidationError) as error:
            error.add_note(IterableValidationNote("", position, element))
            errors.append(error)
    if errors:
        raise IterableValidationError("", errors, kind)
    return get_origin(kind)(out)


def _origin(kind: object) -> object:
    return get_origin(kind)


def make_converter() -> cattrs.Converter:
    """Strict: nothing is converted from what merely looks like it, and unknown keys are errors."""
    converter = cattrs.Converter(detailed_validation=True, forbid_extra_keys=True)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _strict)
    converter.register_structure_hook(
        enum.StrEnum, lambda value, kind: kind(_choice(value, [member.value for member in kind]))
    )
    converter.register_structure_hook_func(
        lambda kind: _origin(kind) is Literal, lambda value, kind: _choice(value, get_args(kind))
    )
    converter.register_structure_hook_func(
        lambda kind: _origin(kind) in (tuple, frozenset), lambda value, kind: _several(converter, value, kind)
    )
    return converter
