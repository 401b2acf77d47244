"""What the gateway asks the server before the client's first statement: what the session starts with.

The search_path may come from the server, the database, the role, the startup packet or its `options`; only the server knows the
outcome. It is asked once, on the session itself, before the client can send anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocols.base import ProtocolError
from protocols.postgres.messages import decode_fields, encode_query, read_cstring
from wireproxy.namespace import PostgresNamespace
from wireproxy.upstream import Upstream, UpstreamError, read_message

_ASK = (
    b"SELECT pg_catalog.current_setting('search_path'), current_user, pg_catalog.current_setting('server_version_num')"
)
_MESSAGE_BYTES = 64 * 1024


# Sent as a startup parameter where the policy has no writes, a second fence behind it: unlike a SET, it is what RESET ALL and
# DISCARD ALL go back to.
READ_ONLY = {"default_transaction_read_only": "on"}


async def open_namespace(upstream: Upstream) -> PostgresNamespace:
    """Raises UpstreamError, ProtocolError."""
    path, user, version = await _run(upstream, _ASK)
    if path is None or user is None or version is None or not version.isdigit():
        raise ProtocolError("the server does not tell its own settings")
    parameters: Mapping[str, str] = upstream.parameter_status
    return PostgresNamespace(parameters, user.decode(), path.decode(), int(version))


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
                raise UpstreamError("58000", "wireproxy: the session cannot be set up", fields.get("M", b"").decode())
            case b"S":
                name, at = read_cstring(body, 0)
                upstream.parameter_status[name.decode()] = read_cstring(body, at)[0].decode()
            case b"Z":
                return row
            case b"T" | b"C" | b"N":
                pass
            case _:
                raise ProtocolError(f"the server answered {kind!r} to a query")


def _fields(body: bytes) -> tuple[bytes | None, ...]:
    at = 2
    found: list[bytes | None] = []
    for _ in range(int.from_bytes(body[:2], "big")):
        length = int.from_bytes(body[at : at + 4], "big", signed=True)
        at += 4
        if length < 0:
            found.append(None)
        else:
            found.append(body[at : at + length])
            at += length
    return tuple(found)
