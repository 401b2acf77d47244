"""What the gateway asks the server before the client's first statement: what the session starts with.

The search_path may come from the server, the database, the role, the startup packet or its `options`; only the server knows the
outcome. It is asked once, on the session itself, before the client can send anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import trio

from protocols.base import Peer, ProtocolError
from protocols.postgres.messages import decode_fields, decode_parameter_status, encode_query
from rules.classify.postgres.text import decode
from wireproxy.config.model import Database
from wireproxy.namespace import PostgresNamespace
from wireproxy.upstream import Upstream, UpstreamError, read_message, unreachable
from wireproxy.wire import BrokenWire

_ASK = (
    b"SELECT pg_catalog.current_setting('search_path'), current_user, pg_catalog.current_setting('server_version_num')"
)
_MESSAGE_BYTES = 64 * 1024
_NUMBER = re.compile(rb"[0-9]{5,9}")


# Sent as a startup parameter where the policy has no writes, a second fence behind it: unlike a SET, it is what RESET ALL and
# DISCARD ALL go back to.
READ_ONLY = {"default_transaction_read_only": "on"}


async def open_namespace(upstream: Upstream, database: Database) -> PostgresNamespace:
    """UpstreamError where the server does not tell its settings, within `connect_timeout_s`."""
    try:
        with trio.fail_after(database.connect_timeout_s):
            row = await _run(upstream, _ASK)
    except trio.TooSlowError:
        raise unreachable(database, f"no answer within {database.connect_timeout_s:g} s") from None
    except (BrokenWire, ProtocolError) as error:
        raise unreachable(database, str(error)) from None
    path, user, version = row if len(row) == 3 else (None, None, None)
    if path is None or user is None or version is None or not _NUMBER.fullmatch(version):
        raise unreachable(database, "the server does not tell its own settings")
    parameters: Mapping[str, str] = upstream.parameter_status
    encoding = parameters.get("client_encoding", "UTF8")
    name = decode(user, encoding)
    # an unknown user is whoever "$user" in the path stands for
    found = None if name is None else decode(path, encoding)
    return PostgresNamespace(parameters, name or "", found, int(version))


async def _run(upstream: Upstream, text: bytes) -> tuple[bytes | None, ...]:
    """The only row of a simple query; empty if it gives none."""
    await upstream.wire.send_all(encode_query(text))
    row: tuple[bytes | None, ...] = ()
    while True:
        kind, body = await read_message(upstream.wire, _MESSAGE_BYTES)
        match kind:
            case b"D":
                row = _fields(body)
            case b"E":
                fields = decode_fields(body)
                raise UpstreamError("58000", "wireproxy: the session cannot be set up", _text(fields.get("M", b"")))
            case b"S":
                name, value = decode_parameter_status(body)
                upstream.parameter_status[_text(name)] = _text(value)
            case b"Z":
                return row
            case b"T" | b"C" | b"N":
                pass
            case _:
                raise ProtocolError(f"the server answered {kind!r} to a query")


def _fields(body: bytes) -> tuple[bytes | None, ...]:
    """Of a DataRow. ProtocolError where it is none."""
    found: list[bytes | None] = []
    at = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        if at + 4 > len(body):
            raise ProtocolError("a row ends early", peer=Peer.SERVER)
        length = int.from_bytes(body[at : at + 4], "big", signed=True)
        at += 4
        found.append(None if length < 0 else body[at : at + length])
        at += max(length, 0)
    if at != len(body):
        raise ProtocolError("a row has another length than its fields", peer=Peer.SERVER)
    return tuple(found)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
