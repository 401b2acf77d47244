"""Finding a text in session logs: statements, parameters, and who the session belonged to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from attrs import frozen

from wireproxy.log.reader import RecordAt, Walk
from wireproxy.log.records import SessionStart, StatementRecord
from wireproxy.log.values import show_attributes, show_parameters

FIELD_CHARACTERS = 64 * 1024  # of each text that a regular expression sees: some take time squared, or worse
CONTEXT_CHARACTERS = 60  # shown on either side

Matcher = Callable[[str], tuple[int, int] | None]
"""Where in a text the match stands, or None."""


@frozen
class Hit:
    """One match. `where`: statement, parameter, or a field of the session's start."""

    session: str
    number: int
    at_ns: int
    where: str
    before: str
    match: str
    after: str
    statement: StatementRecord | None
    start: SessionStart | None


def plain_matcher(text: str) -> Matcher:
    """Case does not matter."""
    pattern = re.compile(re.escape(text), re.IGNORECASE)
    return lambda candidate: _span(pattern.search(candidate))


def regex_matcher(expression: str) -> Matcher:
    """Raises re.error. Sees the first 64 Ki characters of each text."""
    pattern = re.compile(expression)
    return lambda candidate: _span(pattern.search(candidate[:FIELD_CHARACTERS]))


def _span(match: re.Match[str] | None) -> tuple[int, int] | None:
    return None if match is None else match.span()


def search(walk: Walk, matcher: Matcher) -> Iterator[Hit]:
    """At most one hit for each record."""
    start: SessionStart | None = None
    for met in walk:
        if not isinstance(met, RecordAt):
            continue
        record = met.record
        if isinstance(record, SessionStart):
            start = record
            texts = _of_start(record)
        elif isinstance(record, StatementRecord):
            texts = _of_statement(record)
        else:
            continue
        for where, text in texts:
            span = matcher(text)
            if span is not None:
                at_ns = 0 if isinstance(record, SessionStart) else record.at_ns
                statement = record if isinstance(record, StatementRecord) else None
                yield Hit(walk.names.session, met.number, at_ns, where, *_cut(text, span), statement, start)
                break


def _of_start(record: SessionStart) -> Iterator[tuple[str, str]]:
    for where in ("session", "identity", "database", "subject", "issuer", "client", "application_name"):
        yield where, getattr(record, where) or ""
    for group in record.groups:
        yield "groups", group


def _of_statement(record: StatementRecord) -> Iterator[tuple[str, str]]:
    yield "statement", record.text.decode("utf-8", "backslashreplace")
    for value in show_parameters(record.parameters or (), record.formats, record.types):
        if value is not None:
            yield "parameter", value
    for name, value in show_attributes(record.attributes):
        yield "attribute", name if value is None else f"{name} = {value}"
    if record.request_id:
        yield "request", record.request_id


def _cut(text: str, span: tuple[int, int]) -> tuple[str, str, str]:
    start, end = span
    before = text[max(start - CONTEXT_CHARACTERS, 0) : start]
    found = text[start : min(end, start + 4 * CONTEXT_CHARACTERS)]
    return ("…" if start > CONTEXT_CHARACTERS else "") + before, found, text[end : end + CONTEXT_CHARACTERS]
