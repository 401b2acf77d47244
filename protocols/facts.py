"""The effects and verdicts of which several are made for each transaction: plain classes, which compile to structs.

What they are for stands in `protocols.base`, which everybody else imports them from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocols.base import ColumnDescription, Exchange, Fields, NamedValue, Stage


class Question:
    """May this go on? Answered by `decide`; nothing that the client sent later moves before."""

    __slots__ = (
        "attachment",
        "attributes",
        "formats",
        "length",
        "moved",
        "name",
        "parameters",
        "row_length",
        "stage",
        "text",
        "ticket",
        "truncated",
        "types",
    )

    def __init__(
        self,
        ticket: int,
        stage: Stage,
        text: bytes | None,
        name: bytes = b"",
        parameters: tuple[bytes | None, ...] | None = None,
        formats: tuple[int, ...] = (),
        types: tuple[int, ...] = (),
        attachment: object = None,
        truncated: bool = False,
        length: int = 0,
        moved: bool = False,
        row_length: int = 0,
        attributes: tuple[NamedValue, ...] = (),
    ) -> None:
        self.ticket = ticket
        self.stage = stage
        self.text = text  # None: the gateway does not know what stands behind the name
        self.name = name  # the prepared statement's, or for EXECUTE the portal's
        self.parameters = parameters
        self.formats = formats
        self.types = types
        self.attachment = attachment  # what the verdict on an earlier stage attached
        self.truncated = truncated  # the message is longer than its limit; text and parameters are only its beginning
        self.length = length  # bytes of the whole message
        self.row_length = (
            row_length  # MySQL: how many parameters the statement has; `parameters` may have those of many rows
        )
        self.attributes = attributes  # MySQL: named values beside the parameters
        self.moved = moved  # names or settings changed since its portal was bound, and only running it looks them up


class Described:
    """A result is about to come. Answered by `plan`; no row of it leaves before."""

    __slots__ = (
        "again",
        "attachment",
        "columns",
        "position",
        "ticket",
    )

    def __init__(
        self,
        ticket: int,
        position: int,
        columns: tuple[ColumnDescription, ...],
        attachment: object,
        again: bool,
    ) -> None:
        self.ticket = ticket
        self.position = position  # which statement of a batch
        self.columns = columns
        self.attachment = attachment
        self.again = again  # a second result of the same statement: what was planned for the first does not hold for it


class CopyOut:
    """COPY … TO STDOUT is about to send rows. Answered by `plan_copy`."""

    __slots__ = (
        "attachment",
        "binary",
        "columns",
        "position",
        "ticket",
    )

    def __init__(
        self,
        ticket: int,
        position: int,
        binary: bool,
        columns: int,
        attachment: object,
    ) -> None:
        self.ticket = ticket
        self.position = position
        self.binary = binary
        self.columns = columns
        self.attachment = attachment


class CopyIn:
    """COPY … FROM STDIN waits for rows. Answered by `plan_copy_in`; none of the client's goes on before."""

    __slots__ = (
        "attachment",
        "binary",
        "columns",
        "position",
        "ticket",
    )

    def __init__(
        self,
        ticket: int,
        position: int,
        binary: bool,
        columns: int,
        attachment: object,
    ) -> None:
        self.ticket = ticket
        self.position = position
        self.binary = binary
        self.columns = columns
        self.attachment = attachment


class Completed:
    """A statement ended well (or a portal was suspended: tag is empty)."""

    __slots__ = (
        "attachment",
        "position",
        "rows",
        "size_bytes",
        "tag",
        "ticket",
    )

    def __init__(
        self,
        ticket: int,
        position: int,
        tag: bytes,
        rows: int,
        size_bytes: int,
        attachment: object,
    ) -> None:
        self.ticket = ticket
        self.position = position
        self.tag = tag
        self.rows = rows
        self.size_bytes = size_bytes
        self.attachment = attachment


class Rows:
    """What the client was sent of a result, as frames, for the record."""

    __slots__ = (
        "frames",
        "ticket",
    )

    def __init__(
        self,
        ticket: int,
        frames: bytes,
    ) -> None:
        self.ticket = ticket
        self.frames = frames


class Failed:
    """An error on the way to the client. `ticket` is None when it belongs to no statement."""

    __slots__ = (
        "attachment",
        "fields",
        "full",
        "ticket",
    )

    def __init__(
        self,
        ticket: int | None,
        fields: Fields,
        attachment: object,
        full: Fields | None = None,
    ) -> None:
        self.ticket = ticket
        self.fields = fields
        self.attachment = attachment
        self.full = full  # as the server sent it, where the client gets less


class NameChange:
    """What a statement of SQL does to a name if it succeeds."""

    __slots__ = (
        "attachment",
        "created",
        "name",
        "position",
        "space",
        "text",
        "types",
    )

    def __init__(
        self,
        space: str,
        name: bytes | None,
        created: bool,
        text: bytes | None = None,
        attachment: object = None,
        position: int = 0,
        types: tuple[int, ...] = (),
    ) -> None:
        self.space = space  # "statement" or "portal"
        self.name = name  # None: every name of the space
        self.created = created
        self.text = text  # of a created name: its own text, where it is known
        self.attachment = attachment
        self.position = position  # which statement of the batch makes the change
        self.types = types


class Forward:
    """Let it pass, byte for byte."""

    __slots__ = (
        "attachment",
        "barrier",
        "exchange",
        "late",
        "look",
        "names",
        "record_bytes",
        "taints",
    )

    def __init__(
        self,
        attachment: object = None,
        look: bool = False,
        barrier: bool = False,
        record_bytes: int = 0,
        names: tuple[NameChange, ...] = (),
        taints: bool = False,
        late: bool = False,
        exchange: Exchange | None = None,
    ) -> None:
        self.attachment = attachment
        self.look = look  # its results are described and planned before a row of them leaves; so is what it copies in
        self.barrier = barrier  # nothing later is read before the server has answered it
        self.record_bytes = record_bytes  # of each of its results, kept as frames for the record
        self.names = names
        self.taints = taints  # it may have changed the names of statements and cursors in ways that cannot be seen
        self.late = late  # what its names mean is looked up when it runs, not when it is bound
        self.exchange = exchange  # other contents than the client's go to the server
