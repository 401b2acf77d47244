"""The plans that EXPLAIN shows, without the expressions in them: what a pseudonym was translated into stands there as a constant.

What stays is known by its form: names of nodes, of what they scan, and figures. Everything else is overwritten: unknown properties,
lines of an unknown form (a constant may go over several lines), a plan that is not written as expected.

Spec: PostgreSQL documentation, EXPLAIN; src/backend/commands/explain*.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from pglast import ast

PlanFormat = Literal["text", "json", "xml", "yaml"]
Rewriter = Callable[[bytes | None], bytes | None]

_STARS = b"***"
_NAME = rb'(?:"(?:[^"\n]|"")*"|[^\s"\'().:]+)(?:\.(?:"(?:[^"\n]|"")*"|[^\s"\'().:]+))*'
_NODES = (
    rb"(?:Parallel |Async |Partial |Finalize )*"
    rb"(?:Seq|Sample|Index|Index Only|Bitmap Index|Bitmap Heap|Tid|Tid Range|Subquery|Function|Table Function|Values|CTE|"
    rb"Named Tuplestore|WorkTable|Foreign|Custom) Scan(?: Backward)?"
    rb"|(?:Foreign )?(?:Insert|Update|Delete)|Merge|Result|ProjectSet|Append|Merge Append|Recursive Union|BitmapAnd|BitmapOr"
    rb"|(?:Parallel )?(?:Nested Loop|Hash|Merge)(?: (?:Left |Right |Full )?(?:Semi |Anti )?Join| (?:Left|Right|Full|Semi|Anti))?"
    rb"|Gather|Gather Merge|Materialize|Memoize|Sort|Incremental Sort|Group|WindowAgg|Unique|LockRows|Limit"
    rb"|(?:Partial |Finalize )?(?:Group|Hash|Mixed)?Aggregate|(?:Hash)?SetOp(?: (?:Intersect|Except)(?: All)?)?"
)
_FIGURES = rb"(?: +\((?:cost|actual|never executed|rows|estimated)[\w .=,]*\))+"
# With its figures it is no line of a constant; without, only the kind of the node is told.
_NODE = re.compile(rb" *(?:->  )?(?:%s)(?: using %s)?(?: on %s(?: %s)?)?%s" % (_NODES, _NAME, _NAME, _NAME, _FIGURES))
_BARE_NODE = re.compile(rb"( *(?:->  )?(?:%s))(?: (?:using|on) .*)?" % _NODES)
_PART = re.compile(rb"( *(?:(?:InitPlan|SubPlan) \d+(?: \(returns [$\d,]+\))?|CTE))(?: .*)?")
_TRIGGER = re.compile(rb"Trigger (?:for constraint )?%s(?: on %s)?: (?:time=[\d.]+ )?calls=[\d.]+" % (_NAME, _NAME))
# Of figures, and of words of the server's own.
_MEASURE = re.compile(
    rb" *(?:Planning|Planning Time|Execution Time|Buffers|I/O Timings|WAL|Rows Removed by [A-Z][A-Za-z ]*|Heap Fetches|Heap Blocks"
    rb"|Index Searches|Workers Planned|Workers Launched|Worker \d+|Single Copy|Sort Methods?|Full-sort Groups|Pre-sorted Groups"
    rb"|Buckets|Batches|Planned Partitions|Storage|Subplans Removed|Hits|Cache Mode|Tuples Inserted|Conflicting Tuples|Tuples"
    rb"|Query Identifier|Inner Unique|Disabled|Memory|Serialization|JIT|Functions|Options|Timing):"
    rb"(?: *+(?:[\d.,:=()%+-]++|(?:kB|MB|ms|shared|hit|read|dirtied|written|write|extend|local|temp|records|fpi|bytes|full"
    rb"|exact|lossy|quicksort|top-N|heapsort|external|merge|sort|still|in|progress|Average|Peak|Sort|Method|Methods|Memory|Disk|Usage|Maximum"
    rb"|Storage|Batches|originally|Hits|Misses|Evictions|Overflows|logical|binary|true|false|used|allocated|time|rows|loops)\b))*+"
)
_PROPERTY = re.compile(
    rb"( *(?:Filter|Index Cond|Recheck Cond|Join Filter|Hash Cond|Merge Cond|TID Cond|One-Time Filter|Order By|Sort Key"
    rb"|Presorted Key|Group Key|Hash Key|Sort Key|Output|Function Call|Table Function Call|Sampling|Repeatable Seed|Cache Key"
    rb"|Conflict Filter|Remote SQL|Run Condition|Window|Params Evaluated|Settings): ).*",
    re.DOTALL,
)
# Properties whose texts are names or the server's own words, as JSON and YAML spell them.
_WORDS = frozenset(
    f'"{name}"'.encode()
    for name in (
        "Node Type", "Parent Relationship", "Join Type", "Scan Direction", "Strategy", "Partial Mode", "Operation", "Command",
        "Sort Method", "Sort Space Type", "Cache Mode", "Storage", "Subplan Name", "CTE Name", "Relation Name", "Schema", "Alias",
        "Index Name", "Function Name", "Tuplestore Name", "Trigger Name", "Constraint Name", "Relation", "Conflict Resolution",
    )
)  # fmt: skip
_FIGURE = rb"-?\d[\d.e+-]*|true|false|null"
_JSON = re.compile(rb'( *)(?:("[^"\\]*"): )?(%s|"(?:[^"\\]|\\.)*"|[\[{]|\[\]|\{\}|\[.*\])(,?)' % _FIGURE, re.DOTALL)
_CLOSING = re.compile(rb" *[\]}],?")
_YAML = re.compile(rb"([ -]*)(?:([A-Z][\w /-]*): ?)?(%s|\"(?:[^\"\\]|\\.)*\"|)" % _FIGURE)
_XML = re.compile(rb"<([A-Za-z][\w/-]*)>([^<>]*)</\1>")
_TAGS = re.compile(rb"</?[A-Za-z][\w/-]*(?: xmlns=\"[^\"<>]*\")?/?>|\s+")


def format_of(options: Any) -> PlanFormat | None:
    """In which form the plan comes; None: in none that is known."""
    given: PlanFormat | None = "text"
    for option in options or ():
        if option.defname == "format":
            match str(option.arg.sval).lower() if isinstance(option.arg, ast.String) else "":
                case "text" | "json" | "xml" | "yaml" as named:
                    given = named
                case _:
                    given = None
    return given


def without_expressions(style: PlanFormat) -> Rewriter:
    """What rewrites a field of a plan. A row is a line in text, the whole plan otherwise."""
    return {"text": _text, "json": _json, "xml": _xml, "yaml": _yaml}[style]


def _text(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    if any(each.fullmatch(value) for each in (_NODE, _TRIGGER, _MEASURE)) or value == b"":
        return value
    for each in (_BARE_NODE, _PART):
        bare = each.fullmatch(value)
        if bare is not None:
            return value if bare[1] == value else bare[1] + b" " + _STARS
    named = _PROPERTY.fullmatch(value)
    return _STARS if named is None else named[1] + _STARS


def _json(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    lines = [_json_line(line) for line in value.split(b"\n")]
    return b'"***"' if None in lines else b"\n".join(line for line in lines if line is not None)


def _json_line(line: bytes) -> bytes | None:
    if _CLOSING.fullmatch(line):
        return line
    found = _JSON.fullmatch(line)
    if found is None:
        return None
    indent, key, value, comma = found.groups()
    start = indent + (b"" if key is None else key + b": ")
    if value[:1] == b'"':
        return start + (value if key in _WORDS else b'"***"') + comma
    return start + (b'["***"]' if value[:1] == b"[" and len(value) > 2 else value) + comma


def _yaml(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    lines = [_yaml_line(line) for line in value.split(b"\n")]
    return _STARS if None in lines else b"\n".join(line for line in lines if line is not None)


def _yaml_line(line: bytes) -> bytes | None:
    found = _YAML.fullmatch(line)
    if found is None:
        return None
    indent, key, value = found.groups()
    if value[:1] != b'"' or (key is not None and b'"%s"' % key in _WORDS):
        return line
    return indent + (b"" if key is None else key + b": ") + b'"***"'


def _xml(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    if _TAGS.sub(b"", _XML.sub(b"", value)):
        return b"<explain/>"
    return _XML.sub(_element, value)


def _element(found: re.Match[bytes]) -> bytes:
    name, text = found.groups()
    if b'"%s"' % name.replace(b"-", b" ") in _WORDS or re.fullmatch(rb"%s|\s*" % _FIGURE, text):
        return found[0]
    return b"<%s>***</%s>" % (name, name)
