"""Records as JSON objects with names that stay: `export`, and `replay --json`. The fields: docs/session-log.md."""

from __future__ import annotations

from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from attrs import define, field

from wireproxy.log import format as fmt
from wireproxy.log.findings import Finding
from wireproxy.log.mysql_values import mysql_rows
from wireproxy.log.reader import RecordAt, SignedAt, Walk
from wireproxy.log.records import (
    Column,
    CompletionRecord,
    DecisionRecord,
    EndRecord,
    ErrorRecord,
    EventRecord,
    HeadRecord,
    Record,
    RowsRecord,
    SessionStart,
    StatementRecord,
    VerdictRecord,
)
from wireproxy.log.values import postgres_copy_data, postgres_rows, show_attributes, show_parameters, show_value

Json = dict[str, object]
HEADS_KEPT = 1024  # tickets whose columns are remembered: rows come soon after their head

TYPES: dict[type, str] = {
    SessionStart: "start",
    StatementRecord: "statement",
    DecisionRecord: "decision",
    VerdictRecord: "verdict",
    HeadRecord: "head",
    RowsRecord: "rows",
    CompletionRecord: "completion",
    ErrorRecord: "error",
    EventRecord: "event",
    EndRecord: "end",
}
_SIGNATURE = {None: "unchecked", True: "valid", False: "invalid"}
_KIND = {fmt.SIGNED_RUNNING: "running", fmt.SIGNED_CONTINUED: "continued", fmt.SIGNED_END: "end"}


@define
class Heads:
    """The columns of the results being read, by ticket."""

    dialect: str = "postgres"
    _columns: OrderedDict[int, tuple[Column, ...]] = field(factory=OrderedDict)

    def note(self, record: Record) -> None:
        if isinstance(record, SessionStart):
            self.dialect = record.dialect
        elif isinstance(record, HeadRecord):
            self._columns.pop(record.ticket, None)
            self._columns[record.ticket] = record.columns
            if len(self._columns) > HEADS_KEPT:
                self._columns.popitem(last=False)

    def columns(self, ticket: int) -> tuple[Column, ...]:
        return self._columns.get(ticket, ())

    def rows(self, record: RowsRecord) -> Iterator[Sequence[str | None]]:
        """Decoded values. COPY data gives rows of one value, its line."""
        columns = self.columns(record.ticket)
        if self.dialect == "mysql":
            yield from mysql_rows(record.frames, columns)
            return
        for row in postgres_rows(record.frames):
            yield [
                show_value(value, columns[index] if index < len(columns) else None) for index, value in enumerate(row)
            ]
        for data in postgres_copy_data(record.frames):
            yield [data.decode("utf-8", "backslashreplace")]


def export(walk: Walk, raw: bool = False) -> Iterator[Json]:
    """One object for each record, checkpoint and finding. `raw`: the frames of rows and unreadable texts as base64 too."""
    heads = Heads()
    started_ns = 0
    for met in walk:
        match met:
            case Finding():
                yield {"type": "finding", "session": walk.names.session, **finding_json(met)}
            case SignedAt():
                yield _checkpoint(walk, met)
            case RecordAt(number=number, record=record):
                heads.note(record)
                if isinstance(record, SessionStart):
                    started_ns = record.started_ns
                at_ns = 0 if isinstance(record, SessionStart) else record.at_ns
                place: Json = {
                    "type": TYPES[type(record)],
                    "session": walk.names.session,
                    "number": number,
                    "at_ns": at_ns,
                }
                yield {**place, "time": wall_time(started_ns + at_ns), **_fields(record, heads, raw)}


def finding_json(finding: Finding) -> Json:
    path = None if finding.path is None else str(finding.path)
    return {"kind": finding.kind.value, "message": finding.message, "path": path, "offset": finding.offset}


def wall_time(time_ns: int) -> str:
    """ISO 8601 in UTC with microseconds. Times that no calendar has are given as their number."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)).isoformat(
            timespec="microseconds"
        )
    except OverflowError:
        return str(time_ns)


def _checkpoint(walk: Walk, met: SignedAt) -> Json:
    checkpoint = met.checkpoint
    return {
        "type": "checkpoint",
        "session": walk.names.session,
        "records": checkpoint.records,
        "time": wall_time(checkpoint.at_ns),
        "kind": _KIND[checkpoint.kind],
        "signature": _SIGNATURE[met.valid],
        "link": checkpoint.link.hex(),
    }


def _fields(record: Record, heads: Heads, raw: bool) -> Json:
    match record:
        case SessionStart():
            fields = msgspec.to_builtins(record)
            names = (spec.name for spec in msgspec.structs.fields(SessionStart))
            shown: Json = dict(zip(names, fields[1:], strict=True))  # the first is the tag
            return {**shown, "format": fmt.VERSION, "started": wall_time(record.started_ns)}
        case StatementRecord():
            return _statement(record, raw)
        case HeadRecord():
            columns = [{"name": c.name, "type": c.type, "format": c.format} for c in record.columns]
            return {"ticket": record.ticket, "columns": columns}
        case RowsRecord():
            rows: Json = {
                "ticket": record.ticket,
                "rows": [list(row) for row in heads.rows(record)],
                "truncated": record.truncated,
            }
            return {**rows, "frames_base64": b64encode(record.frames).decode()} if raw else rows
        case _:
            fields = msgspec.structs.asdict(record)
            del fields["at_ns"]
            return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _statement(record: StatementRecord, raw: bool) -> Json:
    shown: Json = {
        "ticket": record.ticket,
        "stage": record.stage,
        "text": record.text.decode("utf-8", "backslashreplace"),
        "parameters": None
        if record.parameters is None
        else list(show_parameters(record.parameters, record.formats, record.types)),
        "attributes": list(show_attributes(record.attributes)),
        "action": record.action,
        "rule": record.rule,
        "reasons": list(record.reasons),
        "transaction": record.transaction,
        "request_id": record.request_id,
        "kinds": list(record.kinds),
        "truncated": record.truncated,
        "redacted": record.redacted,
        "sha256": None if record.digest is None else record.digest.hex(),
    }
    if raw:
        shown["text_base64"] = b64encode(record.text).decode()
        shown["parameters_base64"] = [
            None if value is None else b64encode(value).decode() for value in record.parameters or ()
        ]
        shown["formats"] = list(record.formats)
    return shown
