"""What a client is told when a statement does not run: one text for the driver, for psql and for the log.

SQLSTATE 42501 (insufficient_privilege) is what every driver already maps to "not permitted". The message names the
statement and the rule, DETAIL the reasons, HINT the next step. Nothing of a value is in any of them: names of relations
are, and these are shown in one line, cut, without control characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from rules.model import Deny, Hold, Judgement, Kind, Namespace, Statement, severity

NOT_PERMITTED = "42501"
SYNTAX_ERROR = "42601"
CANCELLED = "57014"  # query_canceled
UNAVAILABLE = "57P03"  # cannot_connect_now: the desk is not there to ask
LIMIT_REACHED = "53400"  # configuration_limit_exceeded

NOT_READ = "the parser cannot read it: "  # how a classifier begins its reason for a text that is no SQL

_SHOWN_RELATIONS = 3
_SHOWN_CHARACTERS = 400

_VERBS = frozenset(
    word
    for line in (
        "ALTER ANALYZE CALL CHECKPOINT CLUSTER COMMENT COPY CREATE DELETE DO DROP EXECUTE GRANT INSERT KILL LISTEN",
        "LOAD LOCK MERGE NOTIFY OPTIMIZE PREPARE REFRESH REINDEX RENAME REPLACE RESET REVOKE SELECT SET TRUNCATE",
        "UPDATE VACUUM",
    )
    for word in line.split()
)
_OBJECTS = frozenset(
    word
    for line in (
        "AGGREGATE CAST COLLATION CONVERSION DATABASE DOMAIN EVENT EXTENSION FOREIGN FUNCTION INDEX LANGUAGE",
        "MATERIALIZED OPERATOR OWNED POLICY PROCEDURE PUBLICATION ROLE ROUTINE RULE SCHEMA SEQUENCE SERVER",
        "STATISTICS SUBSCRIPTION SYSTEM TABLE TABLES TABLESPACE TRIGGER TYPE USER VIEW",
    )
    for word in line.split()
)
_FIRST_WORDS = re.compile(r"\s*([A-Za-z]+)(?:\s+([A-Za-z]+))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


@frozen
class Refusal:
    """The fields of an error as both dialects know them. MySQL shows the message, and appends what else there is."""

    sqlstate: str
    message: str
    detail: str
    hint: str


def refusal(decision: Deny, judgement: Judgement) -> Refusal:
    """A statement, or a whole batch for the sake of one statement, that was refused."""
    hint = (
        decision.hint
        or "Nothing was run. The operator of the gateway can say what this policy lets through (wireproxy policy explain)."
    )
    return Refusal(
        NOT_PERMITTED,
        f'wireproxy: {describe(judgement)} refused by rule "{_line(decision.rule)}"',
        _sentence(decision.reasons),
        hint,
    )


def pending(request_id: str, hold: Hold, wait_s: float) -> Refusal:
    """The notice when a statement starts to wait."""
    return Refusal(
        "00000",
        f'wireproxy: held by rule "{_line(hold.rule)}"; request {request_id} waits for approval',
        _sentence(hold.reasons),
        f"Waiting up to {_seconds(wait_s)} for {_approvers(hold)}: wireproxy approve {request_id}",
    )


def expired(request_id: str, hold: Hold) -> Refusal:
    """The wait is over and nobody has decided; the request stays open."""
    return Refusal(
        NOT_PERMITTED,
        f'wireproxy: request {request_id} is pending, held by rule "{_line(hold.rule)}"',
        _sentence(hold.reasons),
        f"{hold.hint} ".lstrip()
        + f"Run the same statement again once it is approved{_by(hold)}: wireproxy approve {request_id}",
    )


def denied(request_id: str, state: str, reason: str, approvers: Sequence[str]) -> Refusal:
    """People have decided, or the request came to its end without them. `state`: denied, expired, withdrawn, used."""
    if state == "denied":
        by = f" by {', '.join(_line(name) for name in approvers)}" if approvers else ""
        said = f"The reason given: {_line(reason)}" if reason else "No reason was given."
        return Refusal(
            NOT_PERMITTED,
            f"wireproxy: request {request_id} was denied{by}",
            said,
            "Nothing was run. Change the statement, or ask who denied it.",
        )
    return Refusal(
        NOT_PERMITTED,
        f"wireproxy: request {request_id} is {_line(state)} and can't run the statement any more",
        _line(reason),
        "Run the same statement again to make a new request.",
    )


def cancelled(request_id: str) -> Refusal:
    return Refusal(
        CANCELLED,
        "wireproxy: canceling statement due to user request"
        + (f"; request {request_id} is withdrawn" if request_id else ""),
        "It was held and has not run.",
        "",
    )


def unavailable(reason: str, hint: str = "") -> Refusal:
    """The statement had to be held and could not be: it does not run. `hint`: what to do about it."""
    return Refusal(
        NOT_PERMITTED,
        "wireproxy: the statement needs an approval, and no request could be made",
        _line(reason),
        hint or "Nothing was run. Try again later, or tell the gateway's operator.",
    )


def unreadable(judgement: Judgement) -> Refusal | None:
    """For a text that no parser reads: an ordinary syntax error at once. There is nothing in it that anybody could approve."""
    reasons = [statement.opaque or "" for statement in judgement.statements if statement.opaque is not None]
    if not reasons or not all(reason.startswith(NOT_READ) for reason in reasons):
        return None
    return Refusal(
        SYNTAX_ERROR,
        _line(reasons[0].removeprefix(NOT_READ)),
        "wireproxy could not read the statement, so it was not sent.",
        "Correct it. If the server takes it as it is, tell the gateway's operator.",
    )


def undecodable(text: bytes, namespace: Namespace) -> Refusal | None:
    """For bytes that are no text in a session's UTF-8: what PostgreSQL itself would say of them, and nobody need be asked."""
    if b"\0" in text:
        message, sqlstate = "invalid message format: a statement has no zero byte in it", "08P01"
    elif namespace.lexing_known and namespace.client_encoding.upper() in ("UTF8", "UNICODE"):
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            wrong = " ".join(f"0x{byte:02x}" for byte in text[error.start : error.end])
            message, sqlstate = f'invalid byte sequence for encoding "UTF8": {wrong}', "22021"
        else:
            return None
    else:
        return None
    detail = "wireproxy could not read the statement, so it was not sent."
    return Refusal(sqlstate, message, detail, "Send it in the session's client_encoding.")


def limit_reached(rule: str, what: str, allowed: float, window_s: float, resets_in_s: float) -> Refusal:
    """`what`: statements, rows, bytes, seconds."""
    return Refusal(
        LIMIT_REACHED,
        f'wireproxy: the limit of rule "{_line(rule)}" is used up; it resets in {_seconds(resets_in_s)}',
        f"The rule lets through {allowed:,.10g} {what} in {_seconds(window_s)}.",
        f"Run the statement again in {_seconds(resets_in_s)}.",
    )


def masked_copy(table: str, place: str, column: str, what: str) -> Refusal:
    """The data of a copy holds what a masked column looks like. `place`: the line or row, `what`: what stands there."""
    return Refusal(
        NOT_PERMITTED,
        f'wireproxy: COPY {_line(table)} FROM STDIN stopped by rule "mask"',
        f"{place.capitalize()}, column {_line(column)}: {what} would be written into a table.",
        "Nothing was written. Leave the column out, or take its values from where they are stored (UPDATE … FROM)."
        " INSERT shows the row to an approver, who can let it be written as it is.",
    )


def masked_load(table: str, place: str, column: str, what: str) -> Refusal:
    """The same of the file of LOAD DATA LOCAL. MySQL's clients keep 511 bytes of a message."""
    return Refusal(
        NOT_PERMITTED,
        f'wireproxy: LOAD DATA INTO TABLE {_line(table)} stopped by rule "mask"',
        f"{place.capitalize()}, column {_line(column)}: {what} would be written into a table.",
        "Nothing was written. Leave the column out, or take its values from where they are stored (UPDATE … JOIN)."
        " INSERT shows the row to an approver.",
    )


def describe(judgement: Judgement) -> str:
    """The statement that decided, in a few words: DROP TABLE public.orders."""
    if not judgement.statements:
        return "an empty statement"
    pairs = list(zip(judgement.statements, judgement.decisions, strict=False))
    statement = max(pairs, key=lambda pair: severity(pair[1]))[0] if pairs else judgement.statements[0]
    text = describe_statement(statement)
    if len(judgement.statements) > 1:
        text += f" (statement {statement.index + 1} of {len(judgement.statements)})"
    return text


def describe_statement(statement: Statement) -> str:
    if statement.opaque is not None or statement.kind is Kind.OPAQUE:
        return "a statement that could not be understood"
    changed = [relation for relation in statement.relations if relation.access != "read"] or statement.relations
    names = ", ".join(str(relation) for relation in changed[:_SHOWN_RELATIONS])
    more = ", …" if len(changed) > _SHOWN_RELATIONS else ""
    return _line(f"{_verb(statement)} {names}{more}".rstrip())


def _verb(statement: Statement) -> str:
    """The words that the client wrote if they are words we know, else the kind: no free text gets into a message."""
    if (found := _FIRST_WORDS.match(statement.text)) is None or (verb := found[1].upper()) not in _VERBS:
        return statement.kind.value.upper()
    second = (found[2] or "").upper()
    return f"{verb} {second}" if second in _OBJECTS else verb


def _approvers(hold: Hold) -> str:
    groups = " or ".join(_line(group) for group in sorted(hold.approvers))
    if hold.quorum > 1:
        return f"{hold.quorum} of {groups}" if groups else f"{hold.quorum} approvers"
    return groups or "an approver"


def _by(hold: Hold) -> str:
    return f" by {_approvers(hold)}" if hold.approvers or hold.quorum > 1 else ""


def _sentence(reasons: Sequence[str]) -> str:
    return _line("; ".join(reasons))


def _line(text: str) -> str:
    """One line of bounded length: a name can hold newlines and terminal escapes, and a message is shown to people."""
    text = _CONTROL.sub(" ", text).encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
