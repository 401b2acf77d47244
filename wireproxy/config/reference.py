"""The tables of docs/configuration.md and docs/policy.md, made from the classes that the loader fills.

Run `python -m wireproxy.config.reference` in the project's folder after a change; a test fails while the pages are stale.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from attrs import NOTHING, Attribute, Factory, fields

from rules.checks import CHECKS
from rules.conditions import When
from rules.config import PolicyTable
from rules.model import Dialect, Effect, Kind
from rules.policy import Limit, MaskRule, Rule
from wireproxy.config.model import Api, Approvals, Limits, Secret
from wireproxy.config.tables import (
    ApproverTable,
    DatabaseTable,
    GatewayTable,
    ListenTable,
    LogTable,
    OidcTable,
    UserTable,
)

_BLOCK = re.compile(r"(<!-- begin (\S+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)

GATEWAY = {
    "name": "The gateway's name in logs.",
    "state_dir": "Where the gateway keeps its keys, its requests and, unless told otherwise, its logs. Default: `state` "
    "beside the file, `/var/lib/wireproxy` for a file under `/etc`.",
    "control_socket": "The Unix socket for approvers and operators. Default: `control.sock` in `state_dir`.",
    "http": 'Address of health and metrics, as `"127.0.0.1:9432"`; loopback only. Default: none.',
    "drain_s": "On SIGTERM, sessions may finish their transactions this long.",
}
LISTEN = {
    "host": "Address to listen on.",
    "port": "Default: 6432 for `[listen.postgres]`, 6306 for `[listen.mysql]`.",
    "tls_certificate": "PEM file with the certificate and its chain.",
    "tls_key": "PEM file with the certificate's key.",
    "require_tls": "Refuse clients that do not use TLS.",
}
DATABASE = {
    "dialect": "Default: what `url` says, else `postgres`.",
    "url": "`postgresql://user@host:port/dbname?sslmode=…` or `mysql://…`: the five keys below in one. No password in it.",
    "host": "Name, address, or the folder of a Unix socket.",
    "port": "Default: 5432 for Postgres, 3306 for MySQL.",
    "dbname": "Its name on the server. Default: NAME.",
    "user": "The role that the gateway logs in as. Give it the least privileges that its users need.",
    "password": 'Where its password is: `{ env = "NAME" }`, `{ file = "PATH" }` or `{ command = ["pass", "show", "db"] }`.',
    "tls": "As libpq's sslmode. Default: `prefer`.",
    "tls_ca": "PEM file of the authorities that the server's certificate is checked against.",
    "policy": "A policy of this file or a shipped pack.",
    "users": "Who may connect. With `groups` empty too: every user.",
    "groups": "Groups whose members may connect.",
    "policy_by_group": '`{ dba = "allow-all" }`: another policy for a group; the first group that fits counts.',
    "forbidden_parameters": "Startup parameters that clients may not set.",
    "connect_timeout_s": "How long a connection to the server may take.",
}
SECRET = {
    "env": "An environment variable of the gateway.",
    "file": "A file; its first line is the password.",
    "command": "A program and its arguments, run without a shell; the first line that it prints is the password.",
}
USER = {
    "verifier": "SCRAM-SHA-256 verifier, as `wireproxy user add NAME` prints it. Not a password.",
    "groups": "Groups that policies, databases and masks refer to.",
    "mysql_verifier": "The same for MySQL clients (caching_sha2_password).",
    "mysql_native_verifier": "For MySQL drivers that know mysql_native_password alone; `user add --mysql-native`. Weaker.",
}
OIDC = {
    "issuer": "The `iss` that tokens must have.",
    "audience": "The `aud` that tokens must have.",
    "algorithms": "Signature algorithms that are accepted; with a public key only.",
    "jwks_url": "Where the issuer's keys are, over https. One of this and `jwks_file`.",
    "jwks_file": "A file with the issuer's keys.",
    "user_claim": "The claim that must equal the user name of the connection.",
    "groups_claim": "The claim that lists groups.",
    "leeway_s": "How far the clocks may be apart.",
    "jwks_max_age_s": "How long fetched keys are used before they are fetched again.",
}
APPROVER = {
    "unix_users": "Accounts of this machine that are this person; the kernel says who is at the control socket.",
    "groups": "Groups that rules name in `approvers`.",
    "oidc_users": 'For the HTTP API: `"ISSUER:USER"`, ISSUER as in `[oidc.ISSUER]`, USER as its `user_claim` has it.',
    "token_sha256": "For the HTTP API: SHA-256 of bearer tokens, as `wireproxy approver token` prints it.",
}
API = {
    "host": "Address to listen on; one that is not loopback needs TLS.",
    "port": "Where the desk answers HTTP.",
    "tls_certificate": "PEM file with the certificate and its chain.",
    "tls_key": "PEM file with the certificate's key.",
    "audience": "The `aud` of the tokens that approvers may use, not one that opens databases. Default: no tokens of issuers.",
}
POLICY = {
    "pack": "A shipped pack whose rules come after this policy's own: `agent-default`, `read-only`, `allow-all`.",
    "default": "What happens to a statement that no rule matches. Default: the pack's, else `hold`.",
    "derived": "What an expression over a masked column gets. Default: the pack's, else `mask`.",
    "predicates": "What a condition over a masked column gets. Default: the pack's, else `equality`.",
    "read_only": "Open the session on the server read-only as well. Default: the pack's, else false.",
    "detect": "What is overwritten in results' text: `secrets`, `cards`, `emails`, `national-ids`. Default: the pack's.",
    "rule": "Written as `[[policy.NAME.rule]]`.",
}
RULE = {
    "name": "Shown to the client, the approver and in the log.",
    "action": "`observe` allows, and marks the statement in the log.",
    "reason": "Said to the client and the approver.",
    "hint": "Said to the client: what to do instead.",
    "when": "Conditions, all of which must hold; without any, the rule matches every statement that was understood.",
    "approvers": "With hold: groups of approvers who may decide. Empty: every approver.",
    "quorum": "With hold: how many of them must approve.",
    "wait_s": "With hold: how long the client waits; 0: it is told at once to come back. Default: `[approvals]`.",
    "expires_s": "With hold: how long the request stays open. Default: `[approvals]`.",
    "maximum_rows": "With hold: an approval is void if more rows are touched.",
    "limit": "With allow and observe: how much of this an identity may do in a window of time.",
}
LIMIT = {
    "statements": "Statements in the window.",
    "rows": "Rows returned or changed.",
    "bytes": "Bytes of results.",
    "time_s": "The server's time.",
    "window_s": "Length of the window. It begins with the first statement, and gives everything back at its end.",
}
MASK = {
    "column": "Glob over `schema.table.column`.",
    "masker": "What a value becomes: `redact`, `pseudonym`, …: see docs/masking.md.",
    "databases": "Globs over the names of databases.",
    "except_groups": "Groups that see the column as it is.",
    "argument": "Of maskers that take one.",
}
APPROVALS = {
    "wait_s": "How long a held statement waits before its client is told to come back; 0: not at all.",
    "expires_s": "How long a request stays open.",
    "store": "Empty: SQLite in `state_dir`. A `postgresql://` URL for several gateways.",
    "webhook": "Each new request is announced to this URL, without SQL or values; https, or http on this machine.",
    "webhook_secret": "Signs what is sent, as `password` of a database. Needed with `webhook`.",
}
LOG = {
    "directory": "Where session logs are written. Default: `sessions` in `state_dir`.",
    "rows": "How much of results is kept: none of the rows, the first, or all. Always masked.",
    "head_bytes": 'Of each result, with `rows = "head"`.',
    "signing_key": "Ed25519 key as PEM. Default: `gateway.key` in `state_dir`, made at the first start.",
    "sync": "When records are written through to the disk itself: see docs/session-log.md.",
    "auditors": "PEM files of X25519 public keys: logs are encrypted to them. Empty: not encrypted.",
}
LIMITS = {
    "sessions": "Open at once, over all listeners.",
    "sessions_per_user": "Open at once for one user.",
    "startup_bytes": "Longest first message of a client; the server's own limit.",
    "startup_timeout_s": "From the connection to the end of authentication.",
    "statement_bytes": "Longest statement; it is in memory whole to be judged.",
    "bind_bytes": "Longest parameters that are kept for log and approver.",
    "message_bytes": "Longest message of the server that must be seen whole.",
    "masked_row_bytes": "Longest row that is rewritten; rows without masks stream.",
    "prepared_statements": "Prepared statements of one session, and as many portals.",
    "names_bytes": "Their texts and values, in one session.",
    "read_bytes": "One read of a socket.",
    "judging_workers": "Processes in which long statements are judged.",
    "judging_worker_bytes": "Memory of each.",
    "judging_s": "A statement that takes longer to judge is opaque.",
    "idle_session_s": "End a session that has been idle this long. 0: never.",
}
WHEN = {
    "kinds": "The statement is of one of these kinds.",
    "effects": "It has any of these effects. With allow: these are let through besides what the kind is for.",
    "only_effects": "It has no effect but these.",
    "relations": "Globs over `schema.name`: some table, view or sequence of the statement is named. With allow: all are.",
    "only_relations": "Every one is named.",
    "access": "Which relations the globs look at: those that are read, written, (re)defined, or any.",
    "functions": "Globs over `schema.name` of called functions: some is named. With allow: every one that can do something.",
    "missing_where": "An UPDATE or DELETE without WHERE, or with one that excludes nothing (`WHERE true`, `1 = 1`, `id = id`).",
    "batch": "It is one of several statements in one text.",
    "identities": "Sent by one of these users.",
    "groups": "Sent by a member of one of these groups.",
    "databases": "Globs over the names of databases.",
    "hours": 'As `"08:00-18:00"`, the gateway\'s local time; may wrap midnight.',
    "days": 'As `["mon", "tue"]` or `"mon-fri"`.',
    "estimated_rows_over": "The planner expects more rows than this; asked over the side connection, only where it decides.",
    "roots": "Globs over the parser's name of the statement, as `DropStmt`; for what kinds do not tell apart.",
    "settings": "Globs over the names of changed settings: some is named. With allow: all are.",
    "checks": "Some of these checks finds something.",
    "masked": "Some column of the database is masked for this user.",
}
CHECK_WORDS = {
    "back-to-start": "RESET, DISCARD, SET … TO DEFAULT: the session goes back to how it began.",
    "early-commit": "A change in a text that also ends a transaction.",
    "role-change": "The session would go on with the rights of another role.",
    "subscriptions-counted": "The very query by which `pg_dump` counts subscriptions that it may not read.",
    "unknown-setting-value": "A setting gets a value that is computed when it runs.",
    "unsafe-lexing": "A setting changes how later text is read, and not to UTF-8 or to the standard's reading of strings.",
    "write-access": "A transaction or session asks for write access (BEGIN READ WRITE).",
}
EFFECT_WORDS = {
    "read": "reads; everything does",
    "write": "rows of a table change",
    "ddl": "a definition changes",
    "grant": "who may do what changes: GRANT, REVOKE, roles, owners, policies",
    "row_lock": "FOR UPDATE, FOR SHARE",
    "table_lock": "LOCK TABLE and what takes such locks",
    "advisory_lock": "advisory locks, GET_LOCK",
    "sequence": "nextval, setval",
    "setting": "a session or server parameter changes",
    "lexing": "a setting that changes how later text is read: sql_mode, client_encoding",
    "namespace": "search_path, USE, temporary tables: what a later name means",
    "role": "SET ROLE, SET SESSION AUTHORIZATION",
    "file_read": "a file of the server's host is read",
    "file_write": "a file of the server's host is written",
    "program": "a program is run on the server's host, or a library loaded into the server",
    "network": "the server opens a connection: dblink, subscriptions, foreign servers",
    "admin": "other sessions or the server itself: terminate, reload, replication, backup",
    "notify": "a message to other sessions",
    "large_object": "written large objects",
    "dynamic_sql": "a text that is a value is run as SQL: query_to_xml, EXECUTE IMMEDIATE",
    "code": "a body that is not looked into: DO, CALL",
    "two_phase": "PREPARE TRANSACTION, XA",
    "transaction": "BEGIN, COMMIT, ROLLBACK, savepoints",
    "sleep": "pg_sleep, SLEEP, BENCHMARK",
    "samples": "other people's statements or sampled values: pg_stats, pg_stat_activity",
    "unknown": "a function, operator or construct about which nothing is known",
}
SECTIONS: tuple[tuple[str, str, type[Any], Mapping[str, str]], ...] = (
    ("[gateway]", "These keys may also stand at the top of the file.", GatewayTable, GATEWAY),
    ("[listen.postgres], [listen.mysql]", "Left out: a listener on loopback for each dialect in use.", ListenTable, LISTEN),
    ("[database.NAME]", "NAME is what clients connect to.", DatabaseTable, DATABASE),
    ("password = { … }", "Exactly one of:", Secret, SECRET),
    ("[user.NAME]", "A user who logs in with a password.", UserTable, USER),
    ("[oidc.NAME]", "An issuer whose tokens are accepted as passwords, over TLS.", OidcTable, OIDC),
    ("[approver.NAME]", "A person who may decide.", ApproverTable, APPROVER),
    ("[policy.NAME]", "See docs/policy.md.", PolicyTable, POLICY),
    ("[[policy.NAME.rule]]", "See docs/policy.md.", Rule, RULE),
    ("limit = { … }", "Of a rule.", Limit, LIMIT),
    ("[[mask]]", "", MaskRule, MASK),
    ("[approvals]", "Defaults of holds.", Approvals, APPROVALS),
    ("[api]", "The desk over HTTP, when this table is there: docs/approvals.md.", Api, API),
    ("[log]", "", LogTable, LOG),
    ("[limits]", "Each bounds what one client can cost. The defaults are for 500 sessions in 2 GiB.", Limits, LIMITS),
)  # fmt: skip


def configuration() -> str:
    return "\n".join(_section(*each) for each in SECTIONS)


def conditions() -> str:
    return _table(When, WHEN)


def kinds() -> str:
    return ", ".join(f"`{kind}`" for kind in Kind) + "\n"


def effects() -> str:
    return "| effect | |\n|---|---|\n" + "".join(f"| `{effect}` | {EFFECT_WORDS[effect]} |\n" for effect in Effect)


def checks() -> str:
    return "| check | finds |\n|---|---|\n" + "".join(f"| `{name}` | {CHECK_WORDS[name]} |\n" for name in CHECKS)


BLOCKS = {
    "configuration": configuration,
    "conditions": conditions,
    "kinds": kinds,
    "effects": effects,
    "checks": checks,
}


def refreshed(page: str) -> str:
    """The page with its generated blocks as they are now."""
    return _BLOCK.sub(lambda found: found[1] + BLOCKS[found[2]]() + found[3], page)


def _section(title: str, words: str, kind: type[Any], says: Mapping[str, str]) -> str:
    return f"### {title}\n\n" + (f"{words}\n\n" if words else "") + _table(kind, says)


def _table(kind: type[Any], says: Mapping[str, str]) -> str:
    hints = get_type_hints(kind)
    rows = [
        f"| `{each.name}` | {_type(hints[each.name])} | {_default(each)} | {says[each.name]} |\n"
        for each in fields(kind)
    ]
    return "| key | value | default | |\n|---|---|---|---|\n" + "".join(rows)


def _type(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _type(next(each for each in arguments if each is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin in (tuple, frozenset):
        return (
            "hours"
            if arguments == (int, int)
            else "days"
            if arguments == (int,)
            else f"list of {_PLURAL[arguments[0]]}"
        )
    if origin is dict or hint in (When, Limit, Secret):
        return "table"
    if hint is Dialect:
        return ", ".join(f"`{each.value}`" for each in Dialect)
    return {str: "text", int: "number", float: "number", bool: "true, false", Path: "path"}[hint]


_PLURAL: dict[Any, str] = {Path: "paths", Kind: "kinds", Effect: "effects", str: "texts", Rule: "tables"}


def _default(attribute: Attribute[Any]) -> str:
    default = attribute.default
    if default is NOTHING:
        return "required"
    if isinstance(default, Factory) or default in (None, "", (), frozenset()):  # type: ignore[arg-type]
        return ""
    if isinstance(default, tuple):
        return ", ".join(f"`{each}`" for each in default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def main(root: Path) -> int:
    for name in ("configuration.md", "policy.md"):
        path = root / "docs" / name
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
