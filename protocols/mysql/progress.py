"""MariaDB's progress reports: packets in the form of an error that say how far a long statement has come, and end nothing.

They come wherever the server has a packet to send: before an answer, and between the rows of CHECK TABLE. Spec: MariaDB, "Progress
Reporting" (the format of a progress packet). The server sends no more than one in a second of its `progress_report_time`.
"""

from __future__ import annotations

from typing import Final

from protocols.base import Peer
from protocols.mysql.packets import Cursor, encode_lenenc

HEAD: Final = b"\xff\xff\xff"  # ERR, and the number 65535, which no error has
_NUMBERS_AT: Final = 3
_WORDS_AT: Final = 9  # behind: number of strings, stage, stages, thousandths of a per cent
WORDS_BYTES: Final = 192  # a server cuts them there too
# What the server is doing is said in fixed words, but an engine may put anything in their place: names, or a statement.
STAGES: Final = frozenset(
    {
        b"",
        b"altering table",
        b"Adding indexes",
        b"Checking table",
        b"Committing alter table to storage engine",
        b"Converting HEAP to Aria",
        b"copy to tmp table",
        b"Copying to group table",
        b"Copying to tmp table",
        b"Copying to tmp table on disk",
        b"Creating sort index",
        b"Creating tmp table",
        b"Enabling keys",
        b"End bulk insert",
        b"End of update loop",
        b"manage keys",
        b"Optimizing",
        b"preparing for alter table",
        b"Reading file",
        b"Repair by sorting",
        b"Repair by sorting indexes",
        b"Repair done",
        b"Repair with keycache",
        b"Searching rows for update",
        b"Sending data",
        b"Sorting",
        b"Sorting for group",
        b"Sorting for order",
        b"Sorting result",
        b"Updating",
        b"Verifying table",
        b"Waiting to finalize termination",
    }
)


def encode_progress(words: bytes) -> bytes:
    """A report of the gateway's own: nothing is done yet, and why."""
    return HEAD + bytes((1, 1, 1)) + bytes(3) + encode_lenenc(words[:WORDS_BYTES])


def fixed_words_only(payload: bytes) -> bytes:
    """A report without what its words may tell beside the stage."""
    cursor = Cursor(payload, _NUMBERS_AT, Peer.SERVER)
    numbers = cursor.read_bytes(_WORDS_AT - _NUMBERS_AT)
    words = cursor.read_lenenc()
    return payload if words in STAGES and not cursor.left else HEAD + numbers + b"\0"
