"""From what rules know of a COPY to the rewriter of its rows."""

from __future__ import annotations

from attrs import asdict

from protocols.base import CopyRewriter, Peer, ProtocolError
from protocols.postgres.copy import MAXIMUM_ROW_BYTES, CopyFormat, copy_rewriter
from rules.masking import ResultMasks


def rewriter(
    masks: ResultMasks, binary: bool, columns: int, maximum_row_bytes: int = MAXIMUM_ROW_BYTES
) -> CopyRewriter | None:
    """The rewriter for the data that a CopyOutResponse announces; None when nothing is masked in it.

    Raises ProtocolError when the rows cannot be told apart: a statement that is not known, or another number of columns.
    """
    shape = masks.copy
    if shape is None or (shape.style == "binary") is not binary:
        if not masks.touches:
            return None
        raise ProtocolError("copy data of a statement that is not known cannot be masked", peer=Peer.SERVER)
    try:
        plan = masks.copy_plan(shape.style, columns)
    except ValueError as error:
        raise ProtocolError(f"copy data: {error}", peer=Peer.SERVER) from None
    return None if plan is None else copy_rewriter(CopyFormat(**asdict(shape)), plan, maximum_row_bytes)
