"""What a client and a server agree on before anything else. Spec: MySQL, "Capabilities Flags"; MariaDB, "Connection Phase".

The gateway offers what it can relay, and asks the target for exactly what the client took: so both legs speak in the same
frames, and what needs no look passes byte for byte. Where they do not, frames are translated:

- SESSION_TRACK: the target is always asked to report changes of the session's state, which the client's frames are freed of
  where it did not ask for them.
- OPTIONAL_METADATA: the target always describes its results, and the client gets the descriptions that it wants.
- CACHE_METADATA: the same. The target is not asked to leave descriptions out; the gateway leaves out those that the client has.
- QUERY_ATTRIBUTES: a target that cannot read attributes is not sent any.

MariaDB's own flags are bits 32 and up. A MariaDB server shows that it has them by not setting CLIENT_MYSQL (bit 0).
"""

from __future__ import annotations

import enum
from typing import Final

from protocols.base import Peer, ProtocolError


class Capability(enum.IntFlag):
    MYSQL = 1 << 0  # LONG_PASSWORD once; MariaDB gives it this meaning
    FOUND_ROWS = 1 << 1
    LONG_FLAG = 1 << 2
    CONNECT_WITH_DB = 1 << 3
    NO_SCHEMA = 1 << 4
    COMPRESS = 1 << 5
    ODBC = 1 << 6
    LOCAL_FILES = 1 << 7
    IGNORE_SPACE = 1 << 8
    PROTOCOL_41 = 1 << 9
    INTERACTIVE = 1 << 10
    SSL = 1 << 11
    IGNORE_SIGPIPE = 1 << 12
    TRANSACTIONS = 1 << 13
    RESERVED = 1 << 14
    SECURE_CONNECTION = 1 << 15
    MULTI_STATEMENTS = 1 << 16
    MULTI_RESULTS = 1 << 17
    PS_MULTI_RESULTS = 1 << 18
    PLUGIN_AUTH = 1 << 19
    CONNECT_ATTRS = 1 << 20
    PLUGIN_AUTH_LENENC = 1 << 21
    EXPIRED_PASSWORDS = 1 << 22
    SESSION_TRACK = 1 << 23
    DEPRECATE_EOF = 1 << 24
    OPTIONAL_METADATA = 1 << 25
    ZSTD = 1 << 26
    QUERY_ATTRIBUTES = 1 << 27
    MFA = 1 << 28
    CAPABILITY_EXTENSION = 1 << 29
    SSL_VERIFY = 1 << 30
    REMEMBER_OPTIONS = 1 << 31
    PROGRESS = 1 << 32
    COM_MULTI = 1 << 33
    BULK = 1 << 34
    EXTENDED_METADATA = 1 << 35
    CACHE_METADATA = 1 << 36
    BULK_UNIT_RESULTS = 1 << 37


C = Capability

# Without these a client speaks a protocol of before 2004, or has no way to prove itself.
_NEEDED: Final = C.PROTOCOL_41 | C.SECURE_CONNECTION

# The same on both legs, as the client took them: they change frames, or what a statement does.
_SHARED: Final = (
    C.FOUND_ROWS
    | C.LONG_FLAG
    | C.LOCAL_FILES
    | C.ODBC
    | C.IGNORE_SPACE
    | C.PROTOCOL_41
    | C.INTERACTIVE
    | C.IGNORE_SIGPIPE
    | C.TRANSACTIONS
    | C.MULTI_STATEMENTS
    | C.MULTI_RESULTS
    | C.PS_MULTI_RESULTS
    | C.SESSION_TRACK
    | C.DEPRECATE_EOF
    | C.OPTIONAL_METADATA
    | C.QUERY_ATTRIBUTES
    | C.PROGRESS
    | C.BULK
)
# Of one family of servers, and not of the other.
_OF_MYSQL: Final = C.MYSQL | C.OPTIONAL_METADATA | C.QUERY_ATTRIBUTES
_OF_MARIADB: Final = C.BULK | C.PROGRESS | C.CACHE_METADATA
# Of a login alone.
_LOGIN: Final = (
    C.CONNECT_WITH_DB | C.SECURE_CONNECTION | C.PLUGIN_AUTH | C.CONNECT_ATTRS | C.PLUGIN_AUTH_LENENC | C.RESERVED
)

# A server that lacks one of these speaks in other frames than a client that has it.
_FRAMES: Final = C.DEPRECATE_EOF | C.PROTOCOL_41 | C.MULTI_RESULTS | C.PS_MULTI_RESULTS | C.BULK | C.TRANSACTIONS


def offered(*, tls: bool, mariadb: bool) -> Capability:
    """What the gateway says it can do; a file of the client (LOCAL_FILES) is asked for only where the statement names it.

    Not offered: COMPRESS and ZSTD (frames inside frames), EXPIRED_PASSWORDS and MFA (the gateway has neither), NO_SCHEMA.
    """
    found = _LOGIN | (_SHARED & ~(_OF_MYSQL | _OF_MARIADB)) | (_OF_MARIADB if mariadb else _OF_MYSQL)
    if tls:
        found |= C.SSL
    return found


def agreed(offer: Capability, asked: Capability) -> Capability:
    """What holds between the gateway and a client. ProtocolError when it cannot be talked to."""
    if ~asked & _NEEDED:
        raise ProtocolError("Client does not support the protocol of MySQL 4.1 and later", sqlstate="08004")
    found = offer & asked
    if asked & C.MYSQL or offer & C.MYSQL:
        found &= Capability(0xFFFFFFFF)  # a client that did not see MariaDB's flags can have set none
    return found


def upstream(client: Capability, server: Capability) -> Capability:
    """What to ask the target for, so that both legs agree. ProtocolError when it lacks what the client was promised."""
    lacking = client & _FRAMES & ~server
    if lacking or not server & C.PROTOCOL_41:
        names = ", ".join(flag.name or "" for flag in Capability if flag & (lacking or C.PROTOCOL_41))
        raise ProtocolError(f"the server does not support {names}", peer=Peer.SERVER)
    return C.PROTOCOL_41 | (client & _SHARED & server) | (server & (_LOGIN | C.SESSION_TRACK | C.MYSQL))
