"""Errors and notices of a session in which columns are masked: what names things passes, what can quote data does not.

The server quotes values in many messages (`invalid input syntax for type integer: "123-45-6789"`), and even a form that
names things can be made to quote data: `ssn::regclass` says that relation "123-45-6789" does not exist. Three cases pass:

- An error with a position in the client's own text, and no context or inner query. Such come from reading that text, before
  any row is: what they quote, the client wrote.
- A message whose form is known and names only what exists (constraints, tables, columns) or nothing at all; in other known
  forms stars stand in the places of data, and in the places of names as well where the error comes from inside of a routine:
  it can build its statements, and what they name, of data (`EXECUTE format('DROP TABLE IF EXISTS %I', ssn)`).
- Severity, position, and where in the server's source it was raised: always. The SQLSTATE too, but of what a routine raises only
  one of the server's own: it can be any five letters and digits, and so a part of a value.

Anything else keeps its SQLSTATE and gets a message of the gateway's own. What it misses: that an error happens at all, and which
one a routine raises, can depend on a masked value; conditions over masked columns are judged elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rules.masking.literals import Positions
from rules.masking.sqlstates import OF_THE_SERVER, OWN_SQLSTATE

ALWAYS = frozenset("SVCPFLR")
NAMES = frozenset("stcdn")
MAXIMUM_MESSAGE_BYTES = 8192  # of a message that is compared with forms; a longer one is of none

_RELATION = r"(?:foreign |partitioned )?table|(?:materialized )?view|index|sequence|relation"
_THING = rf"(?:{_RELATION}|schema|type|extension|role|trigger|column)"
_IDENTIFIER = r'"[^"\n]{1,200}"'
_KIND = (
    r"(?:table|view|sequence|schema|function|procedure|database|language|type|large object|column|materialized view)"
)

# Forms without a position. «» stands for the quoted name of something that exists or that the client's command names.
_FORMS = """
duplicate key value violates unique constraint «»
conflicting key value violates exclusion constraint «»
null value in column «» of relation «» violates not-null constraint
null value in column «» violates not-null constraint
(?:insert or update|update or delete) on table «» violates foreign key constraint «»(?: on table «»)?
(?:update or delete|delete|update) on table «» violates RESTRICT setting of foreign key constraint «» on table «»
new row for relation «» violates (?:check|partition) constraint(?: «»)?
new row violates row-level security policy(?: «»)? for (?:table|relation) «»
new row violates check option for view «»
no partition of relation «» found for row
permission denied to \\w[\\w ]{1,60}
cannot execute [A-Z ]{1,40} in a read-only transaction
cannot execute \\w+\\(\\) in a read-only transaction
[A-Z ]{1,40} cannot (?:run inside a transaction block|be executed from a function|run inside a subtransaction)
[A-Z ]{1,40} can only be used in transaction blocks
canceling statement due to (?:user request|statement timeout|lock timeout|conflict with recovery)
canceling autovacuum task
terminating connection due to (?:administrator command|unexpected postmaster exit|conflict with recovery)
terminating connection due to (?:idle-in-transaction|idle-session|transaction) timeout
terminating connection because of crash of another server process
the database system is (?:starting up|shutting down|in recovery mode|not accepting connections)
current transaction is aborted, commands ignored until end of transaction block
there is (?:no|already a) transaction in progress
deadlock detected
could not serialize access due to (?:concurrent (?:update|delete)|read/write dependencies among transactions)
could not obtain lock on (?:row in )?relation «»
tuple to be locked was already moved to another partition due to concurrent update
division by zero
(?:smallint|integer|bigint|oid|numeric|interval|date|time|timestamp|money|float4|float8|OID|[a-z][a-z0-9]{2,20}) out of range
value out of range: (?:overflow|underflow)
numeric field overflow
value too long for type [a-z ]{4,20}\\(\\d+\\)
bit string (?:length \\d+ does not match type bit\\(\\d+\\)|too long for type bit varying\\(\\d+\\))
cannot take (?:square root of a negative number|logarithm of (?:zero|a negative number))
more than one row returned by a subquery used as an expression
ON CONFLICT DO UPDATE command cannot affect row a second time
MERGE command cannot affect row a second time
relation «» already exists(?:, skipping)?
THING «»(?: of relation «»)? (?:already exists|does not exist), skipping
truncate cascades to table «»
identifier «» will be truncated to «»
prepared statement «» (?:does not exist|already exists)
unnamed prepared statement does not exist
(?:portal|cursor|savepoint) «» (?:does not exist|already exists|cannot be run)
bind message supplies \\d+ parameters?, but prepared statement «» requires \\d+
bind message has \\d+ parameter formats but \\d+ parameters
cached plan must not change result type
out of (?:memory|shared memory)
sorry, too many clients already
too many connections for (?:role|database) «»
remaining connection slots are reserved for .{1,100}
stack depth limit exceeded
invalid transaction termination
cannot (?:insert into|update|delete from|merge into|change|refresh|lock rows in|copy from|copy to) THING «»(?: of view «»)?
(?:LIMIT|OFFSET) must not be negative
invalid regular expression: (?:parentheses \\(\\)|brackets \\[\\]|braces \\{\\}) not balanced
invalid regular expression: (?:invalid (?:character range|backreference number|repetition count\\(s\\))|quantifier operand invalid)
(?:requested length too large|null character not permitted|step size cannot equal zero|unsupported XML feature)
(?:lower bound cannot equal upper bound|lower and upper bounds must be finite|count must be greater than zero)
cannot (?:set path in scalar|delete from (?:scalar|object using integer index)|replace existing key|get array length of a scalar)
invalid input syntax for type json
cannot cast jsonb (?:object|array|string|null|numeric|boolean|array or object) to type [a-z ]{3,30}
table «» has \\d+ columns available but \\d+ columns specified
"""

# The same, with names that stand there without quotes.
_BARE_FORMS = """
permission denied for KIND \\S{1,130}
must be owner of KIND \\S{1,130}
no binary (?:input|output) function available for type \\S{1,130}
drop cascades to (?:\\d+ other objects|KIND \\S{1,130})
cannot drop [a-z ]{1,30} \\S{1,130} because other objects depend on it
"""

# Forms of which the data is taken out, whatever it is: «*», in quotes or, of numbers, without.
_STARRED = """
invalid input syntax for type [\\w ]{1,60}: «*»
invalid input value for enum «*»
malformed (?:array|record|range|multirange) literal: «*»
value «*» is out of range for type [\\w ]{1,60}
(?:date|timestamp|time|interval) out of range: «*»
(?:date/time|interval) field value out of range: «*»
invalid value «*» for «*»
invalid value for parameter «*»: «*»
unrecognized configuration parameter «*»
unrecognized encoding: «*»
time zone «*» not recognized
unit «*» not (?:recognized|supported) for type [a-z ]{4,30}
(?:relation|type|schema|role|collation|function|operator|text search configuration) «*» does not exist
percentile value «*» is not between 0 and 1
"""

_STATIC_HINTS = """
See server log for query details\\.
You might need to increase "[a-z_]+"\\.
(?:Consider increasing|Increase) the configuration parameter "[a-z_]+".{0,120}
Use DROP \\.\\.\\. CASCADE to drop the dependent objects too\\.
The transaction might succeed if retried\\.
Ensure that no rows proposed for insertion within the same command have duplicate constrained values\\.
Ensure that not more than one source row matches any one target row\\.
"""


def _compiled(lines: str) -> re.Pattern[str]:
    forms = [
        line.replace("«»", _IDENTIFIER).replace("KIND", _KIND).replace("THING", _THING)
        for line in lines.strip().splitlines()
    ]
    return re.compile("|".join(forms))


FORMS = _compiled(_FORMS)
BARE_FORMS = _compiled(_BARE_FORMS)
_QUOTED = re.compile(_IDENTIFIER)
# A CONTEXT of COPY, and nothing of a routine's in or behind it: what its lines quote can say so, which only makes it stricter.
_OF_COPY = re.compile(rb"COPY (?!.*(?:SQL statement|SQL function|SQL expression|PL|function|type name))", re.DOTALL)
STARRED = [
    re.compile(line.replace("«*»", r'("?)(.*)\1' if line.count("«*»") == 1 else '(")(.*)"'), re.DOTALL)
    for line in _STARRED.strip().splitlines()
]
HINTS = _compiled(_STATIC_HINTS)

# The source files of procedural languages: what a routine raises can take any form. Without a file name, nobody knows.
RAISED = re.compile(rb"pl(?!an)|\?\Z")
# Those that read the client's text, and its names alone.
OF_THE_PARSER = re.compile(rb"(?:scan\.l|gram\.y|analyze\.c|parse_\w+\.c)\Z")

# DETAILs that quote a row or a key are rewritten; the columns are names, and stay.
_KEY = re.compile(
    r"Key \((?P<columns>[^()]*)\)=\(.*\) "
    r'(?P<end>already exists|is duplicated|is not present in table "[^"]*"|is still referenced from table "[^"]*")\.',
    re.DOTALL,
)
_ROW = re.compile(r"(?P<start>Failing row contains|Partition key of the failing row contains) .*", re.DOTALL)

_STATIC_DETAILS = re.compile(
    r"A field with precision \d+, scale -?\d+ must round to an absolute value less than (?:10\^-?\d+|1)\."
    r"|This functionality requires the server to be built with libxml support\."
)

GENERIC = {
    "22P02": "a value is no valid input for its type",
    "22P03": "a binary value is no valid input for its type",
    "22003": "a number is out of range",
    "22007": "a value is no valid date or time",
    "22008": "a date or time is out of range",
    "22023": "an argument has no valid value",
    "22021": "a byte sequence is not valid in its encoding",
    "42P01": "a relation does not exist",
    "42703": "a column does not exist",
    "42883": "a function or operator does not exist",
    "42704": "an object does not exist",
    "42601": "a syntax error",
    "P0001": "a routine of the database raised an error",
    "P0002": "a query of a routine returned no rows",
    "P0003": "a query of a routine returned more than one row",
}
WITHHELD = "the server's own words are withheld, since columns are masked in this session"


# Errors about names: they quote what the client called something, and no constant.
_OF_NAMES = frozenset({b"42703", b"42P01", b"42883", b"42702", b"42803", b"42P02", b"42704", b"42P18", b"3F000"})


def scrub(
    fields: Mapping[str, bytes], translated: Positions | None = None, *, constants_ask: bool = False
) -> dict[str, bytes]:
    """The fields that may pass, by field code. Total.

    `translated`: pseudonyms of the client's text were sent as what they stand for, and the server may quote that.
    `constants_ask`: a domain's check can read masked columns, and is run where the parser meets a constant of an array, a row
    or a range of it; so an error with a position there may quote them.
    """
    found = {code: text for code, text in fields.items() if code in ALWAYS}
    message = _text(fields.get("M", b""))
    own_text = "P" in fields and not fields.keys() & {"p", "q", "W"}
    if constants_ask:
        own_text = own_text and OF_THE_PARSER.match(fields.get("F", b"")) is not None
    if translated is not None:
        own_text = own_text and fields.get("C") in _OF_NAMES
        if "P" in found and found["P"].isdigit():
            found["P"] = b"%d" % translated.own(int(found["P"]))
    raised = RAISED.match(fields.get("F", b"?")) is not None
    if raised and found.get("C", OWN_SQLSTATE) not in OF_THE_SERVER:
        found["C"] = OWN_SQLSTATE
    inside = _inside(fields)
    known = not raised and message is not None and FORMS.fullmatch(message) is not None
    if known and inside and message is not None:
        found["M"] = _QUOTED.sub('"***"', message).encode()
    elif own_text or known or (not (raised or inside) and message is not None and BARE_FORMS.fullmatch(message)):
        found["M"] = fields.get("M", b"")
        found.update({code: text for code, text in fields.items() if code in NAMES})
    else:
        starred = None if raised or message is None else _starred(message)
        generic = GENERIC.get(_text(found.get("C", b"")) or "", "a message of the server")
        found["M"] = (starred or f"{generic}: {WITHHELD}").encode()
    detail, hint = _text(fields.get("D", b"")), _text(fields.get("H", b""))
    if detail and not raised and (safe := _detail(detail, inside)) is not None:
        found["D"] = safe.encode()
    if hint is not None and (own_text or (not raised and HINTS.fullmatch(hint))) and "H" in fields:
        found["H"] = fields["H"]
    return found


def _inside(fields: Mapping[str, bytes]) -> bool:
    """Whether it comes from a text that was not the client's: a routine can build it, and what is named in it, of data."""
    if fields.keys() & {"p", "q"}:
        return True
    context = fields.get("W", b"")
    return bool(context) and _OF_COPY.match(context) is None


def _text(data: bytes) -> str | None:
    try:
        return data.decode() if len(data) <= MAXIMUM_MESSAGE_BYTES else None
    except UnicodeDecodeError:
        return None


def _starred(message: str) -> str | None:
    """The message with stars for its data; None if it is of no such form."""
    for form in STARRED:
        match = form.fullmatch(message)
        if match is not None:
            for group in range(form.groups, 0, -2):
                message = message[: match.start(group)] + "***" + message[match.end(group) :]
            return message
    return None


def _detail(detail: str, inside: bool) -> str | None:
    if _STATIC_DETAILS.fullmatch(detail):
        return detail
    match = None if inside else _KEY.fullmatch(detail)
    if match is not None:
        return f"Key ({match['columns']})=(***) {match['end']}."
    match = _ROW.fullmatch(detail)
    return None if match is None else f"{match['start']} (***)."
