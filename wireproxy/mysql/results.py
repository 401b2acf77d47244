"""What a result of MySQL is to masks and to the log: which mask is its own, and its columns in their words."""

from __future__ import annotations

from protocols.mysql.messages import MySqlColumn
from rules.masking import ResultMasks
from rules.masking.mysql.plan import MySqlResultMasks
from rules.model import Column
from wireproxy.log.writer import ColumnHead
from wireproxy.weighed import Weighed


def mask_of(weighed: Weighed, position: int) -> ResultMasks | None:
    """What the result at that place of an answer may carry; None where that is not known.

    Each statement of a text gives one result, but for those that may give any number.
    """
    masks = weighed.masks
    if len(masks) == 1:
        mask = masks[0]
        if isinstance(mask, MySqlResultMasks) and mask.results:
            return mask.at(position)
        return mask if position == 0 or (mask is not None and _gives_several(mask)) else None
    if position >= len(masks) or any(mask is None or _gives_several(mask) for mask in masks[:position]):
        return None
    return masks[position]


def _gives_several(mask: ResultMasks) -> bool:
    return not isinstance(mask, MySqlResultMasks) or mask.several


def column_of(column: MySqlColumn, binary: bool) -> Column:
    table, name = column.org_table.decode("utf-8", "replace"), column.org_name.decode("utf-8", "replace")
    return Column(
        name=column.name.decode("utf-8", "replace"),
        type_oid=column.type,
        origin=(column.schema.decode("utf-8", "replace"), table, name) if table and name else None,
        binary=binary,
        charset=column.charset,
        length=column.length,
        flags=column.flags,
        decimals=column.decimals,
    )


def head_of(column: MySqlColumn, binary: bool) -> ColumnHead:
    return column.name.decode("utf-8", "replace"), column.type, int(binary), column.flags
