"""The startup parameter `options`: command-line arguments for the server process, read as the server reads them.

What is judged must be what is applied, so the arguments are taken apart here and sent on as plain startup parameters: how
the server would have split them no longer matters. Spec: PostgreSQL 55.7 StartupMessage, and `postgres(1)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from protocols.base import ProtocolError

_SPACE = " \t\n\v\f\r"  # isspace() of the C locale
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*")
_NOT_PARAMETERS = frozenset(
    {"user", "database", "options", "replication"}
)  # they mean something else in a startup packet
# -f of postgres(1): planner methods to forbid
_FORBIDDEN_PLANS = {
    "s": "enable_seqscan",
    "i": "enable_indexscan",
    "o": "enable_indexonlyscan",
    "b": "enable_bitmapscan",
    "t": "enable_tidscan",
    "n": "enable_nestloop",
    "m": "enable_mergejoin",
    "h": "enable_hashjoin",
}


def split_options(text: str) -> list[str]:
    """Arguments, parted by white space that no backslash escapes; a backslash takes the next character as it is."""
    arguments: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in _SPACE:
            at += 1
            continue
        argument: list[str] = []
        while at < len(text) and text[at] not in _SPACE:
            if text[at] == "\\":
                at += 1
            argument.append(text[at : at + 1])
            at += 1
        arguments.append("".join(argument))
    return arguments


def decode_options(text: str) -> list[tuple[str, str]]:
    """The parameters that `options` sets, in order. Arguments that set none, or none that is known, are refused."""
    settings: list[tuple[str, str]] = []
    arguments = iter(split_options(text))
    for argument in arguments:
        if argument == "--":
            break  # the rest would be operands, of which the server takes none
        if argument.startswith("--"):
            settings.append(_assignment(argument[2:], argument))
        elif argument == "-e":
            settings.append(("datestyle", "euro"))
        elif argument[:2] in ("-c", "-f", "-S"):
            # a value may follow directly or as the next argument, as getopt(3) has it
            value = argument[2:] or next(arguments, None)
            if value is None:
                raise _invalid(argument)
            settings.append(_switch(argument[:2], value, argument))
        else:
            raise _invalid(argument)
    rest = next(arguments, None)
    if rest is not None:
        raise _invalid(rest)
    return settings


def _switch(switch: str, value: str, argument: str) -> tuple[str, str]:
    if switch == "-c":
        return _assignment(value, argument)
    if switch == "-S":
        return "work_mem", value
    if value not in _FORBIDDEN_PLANS:
        raise _invalid(argument)
    return _FORBIDDEN_PLANS[value], "false"


def _assignment(text: str, argument: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ProtocolError(f"{argument} requires a value", sqlstate="42601")
    name = name.replace("-", "_")
    check_name(name)
    return name, value


def check_name(name: str) -> None:
    """Refuse what cannot be a parameter's name, or would mean something else as a startup parameter."""
    if not _NAME.fullmatch(name) or name in _NOT_PARAMETERS or name.startswith("_pq_."):
        raise ProtocolError(f'unrecognized configuration parameter "{name[:63]}"', sqlstate="42704")


def _invalid(argument: str) -> ProtocolError:
    return ProtocolError(f"invalid command-line argument for server process: {argument[:63]}", sqlstate="42601")


def flatten_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Startup parameters with `options` replaced by what it sets: first those, then the rest, as the server applies them.

    `user`, `database` and `replication` are left out. Two spellings of one name become one, the last winning; a value
    is never changed.
    """
    pairs = decode_options(parameters.get("options", ""))
    for name, value in parameters.items():
        if name in _NOT_PARAMETERS:
            continue
        check_name(name)
        pairs.append((name, value))
    flat: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for name, value in pairs:
        folded = name.lower()  # names are compared without regard to case
        flat.pop(spelled.get(folded, ""), None)
        spelled[folded] = name
        flat[name] = value
    return flat
