"""Policies as they are written in TOML: the same form for `[policy.NAME]` of a configuration and for the shipped packs."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

import cattrs
from attrs import frozen
from cattrs.gen import make_dict_structure_fn, override

from rules.checks import CHECKS
from rules.conditions import NATURAL_EFFECTS, When
from rules.detection import NAMES as DETECTORS
from rules.model import Effect
from rules.packs import PACKS, pack_text
from rules.policy import DEFAULT_RULE, Limit, Policy, Rule
from rules.structuring import Reader, Step, WrongValue, dotted, found, make_converter

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)\Z")
_PLAIN = Rule("", "hold")
_CHANGES = frozenset({Effect.WRITE, Effect.DDL, Effect.GRANT})


@frozen
class PolicyTable:
    """`[policy.NAME]` as it is written."""

    pack: str | None = None  # the rules of this pack come after the policy's own
    default: Literal["allow", "hold", "deny"] | None = None
    derived: Literal["mask", "hold", "deny"] | None = None
    predicates: Literal["allow", "equality", "hold", "deny"] | None = None
    read_only: bool | None = None
    detect: tuple[str, ...] | None = None
    rule: tuple[Rule, ...] = ()


def read_policy(reader: Reader, name: str, table: object, path: Sequence[Step]) -> Policy | None:
    """The policy with its pack's rules behind its own; None after having said why not."""
    before = len(reader.problems)
    rules = _read_rules(reader, table, path)
    rest = {key: value for key, value in table.items() if key != "rule"} if isinstance(table, Mapping) else table
    written = reader.table(rest, PolicyTable, path)
    if written is None:
        return None
    base = Policy(name, (), "hold")
    if written.pack is not None:
        if not reader.known(written.pack, PACKS, (*path, "pack"), "pack"):
            return None
        base = pack(written.pack)
    elif not rules and written.default is None:
        reader.warn(path, "has no rules, no pack and no default: it holds every statement", 'pack = "agent-default"')
    policy = Policy(
        name,
        (*rules, *base.rules),
        written.default or base.default,
        _digest(name, table, base.version),
        written.derived or base.derived,
        written.predicates or base.predicates,
        base.read_only if written.read_only is None else written.read_only,
        base.detect if written.detect is None else written.detect,
    )
    for name_of_detector in written.detect or ():
        reader.known(name_of_detector, DETECTORS, (*path, "detect"), "detector")
    _check_policy(reader, policy, len(rules), path)
    return policy if len(reader.problems) == before or not _errors(reader, before) else None


@cache
def pack(name: str) -> Policy:
    """A shipped pack. Raises KeyError for a name that is none, and ValueError if the package is damaged."""
    reader = Reader(policy_converter())
    policy = read_policy(reader, name, tomllib.loads(pack_text(name)), ())
    if policy is None:
        raise ValueError(f"the pack {name} is damaged: {reader.problems}")
    return policy


def _errors(reader: Reader, since: int) -> bool:
    return any(problem.severity == "error" for problem in reader.problems[since:])


def _read_rules(reader: Reader, table: object, path: Sequence[Step]) -> tuple[Rule, ...]:
    written = table.get("rule", []) if isinstance(table, Mapping) else []
    if not isinstance(written, list):
        reader.add((*path, "rule"), "expected a list of tables", f"write [[{dotted((*path, 'rule'))}]]")
        return ()
    rules = []
    for position, each in enumerate(written):
        rule = reader.table(each, Rule, (*path, "rule", position))
        if rule is not None:
            rules.append(rule)
    return tuple(rules)


def _check_policy(reader: Reader, policy: Policy, own: int, path: Sequence[Step]) -> None:
    seen: dict[str, int] = {}
    for position, rule in enumerate(policy.rules[:own]):
        at = (*path, "rule", position)
        if rule.name in seen:
            reader.add((*at, "name"), f"a rule of this policy is called {rule.name!r} already")
        seen[rule.name] = position
        _check_rule(reader, rule, at)
        if not rule.when.asks_statement and rule.when == When() and position < len(policy.rules) - 1:
            reader.warn((*at, "action"), "this rule matches every statement: no rule after it is reached")
        if policy.read_only and rule.action != "deny" and (changed := _lets_change(rule)):
            words = ", ".join(sorted(changed))
            reader.add((*at, "action"), f"lets through what changes data ({words}), and the policy is read_only")


def _check_rule(reader: Reader, rule: Rule, at: Sequence[Step]) -> None:
    if not rule.name:
        reader.add((*at, "name"), "is empty; a client is told the rule's name")
    if rule.name == DEFAULT_RULE:
        reader.add((*at, "name"), f"{DEFAULT_RULE!r} is the name under which the policy's default appears")
    if rule.action != "hold":
        for key in ("approvers", "quorum", "wait_s", "expires_s", "maximum_rows"):
            if getattr(rule, key) != getattr(_PLAIN, key):
                reader.add((*at, key), f'has a meaning only with action = "hold", not with "{rule.action}"')
    if rule.wait_s is not None and rule.wait_s < 0:
        reader.add((*at, "wait_s"), f"expected 0 or more, found {rule.wait_s:g}")
    for key in ("quorum", "expires_s"):
        number = getattr(rule, key)
        if number is not None and number <= 0:
            reader.add((*at, key), f"expected more than 0, found {number}")
    if rule.limit is not None and not rule.lets_through:
        reader.add((*at, "limit"), f'has a meaning only with "allow" and "observe", not with "{rule.action}"')
    if rule.limit is not None:
        for key in ("statements", "rows", "bytes", "time_s", "window_s"):
            number = getattr(rule.limit, key)
            if number is not None and number <= 0:
                reader.add((*at, "limit", key), f"expected more than 0, found {number}")
        if rule.limit == Limit(window_s=rule.limit.window_s):
            reader.add((*at, "limit"), "limits nothing", "write statements, rows, bytes or time_s")
    for name in sorted(rule.when.checks):
        reader.known(name, CHECKS, (*at, "when", "checks"), "check")
    if rule.lets_through and rule.when.only_effects and not rule.when.effects <= rule.when.only_effects:
        reader.add((*at, "when", "effects"), "asks for an effect that only_effects rules out: it can never match")


def _lets_change(rule: Rule) -> frozenset[Effect]:
    if rule.when.only_effects:
        return rule.when.only_effects & _CHANGES
    accepted = rule.when.effects.union(*(NATURAL_EFFECTS.get(kind, frozenset()) for kind in rule.when.kinds))
    return accepted & _CHANGES if rule.when.kinds or rule.when.effects else _CHANGES


def _digest(name: str, table: object, base: str) -> str:
    text = json.dumps([name, table, base], sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hours(value: object, _: object) -> tuple[int, int]:
    """`"08:00-18:00"` as minutes of the day."""
    parts = value.replace(" ", "").split("-") if isinstance(value, str) else []
    matched = [_CLOCK.match(part) for part in parts]
    if len(matched) != 2 or matched[0] is None or matched[1] is None:
        raise WrongValue(f"expected hours, found {found(value)}", 'write "08:00-18:00"')
    start, end = (int(each[1]) * 60 + int(each[2]) for each in matched if each is not None)
    if max(start, end) > 24 * 60:
        raise WrongValue(f"expected hours up to 24:00, found {found(value)}")
    return start, end


def _days(value: object, _: object) -> frozenset[int]:
    """`["mon", "tue"]` or `"mon-fri"` as 0 Monday … 6 Sunday."""
    listed = value if isinstance(value, list) else [value]
    out: set[int] = set()
    for each in listed:
        first, dash, last = each.partition("-") if isinstance(each, str) else ("", "", "")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise WrongValue(f"expected days, found {found(each)}", 'write ["mon", "tue"] or "mon-fri"')
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        out |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return frozenset(out)


def policy_converter() -> cattrs.Converter:
    converter = make_converter()
    converter.register_structure_hook(
        When,
        make_dict_structure_fn(
            When,
            converter,
            _cattrs_forbid_extra_keys=True,
            hours=override(struct_hook=_hours),
            days=override(struct_hook=_days),
        ),
    )
    return converter
