"""What a result of MySQL is to masks and to the log: which mask is its own, and its columns in their words."""

from __future__ import annotations

from protocols.mysql.messages import MySqlColumn
from rules.masking import ResultMasks
from rules.masking.mysql.charsets import WIDE
from rules.masking.mysql.plan import MySqlResultMasks
from rules.masking.mysql.types import codec_beside
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


def column_of(column: MySqlColumn, binary: bool, results_in: str = "", *, mariadb: bool = False) -> Column:
    """`results_in`: the charset that the client has asked results in, names of columns too."""
    codec = WIDE.get(results_in, "utf-8")
    table, name = column.org_table.decode(codec, "replace"), column.org_name.decode(codec, "replace")
    return Column(
        name=column.name.decode(codec, "replace"),
        type_oid=column.type,
        origin=(column.schema.decode(codec, "replace"), table, name) if table and name else None,
        binary=binary,
        charset=column.charset,
        length=column.length,
        flags=column.flags,
        decimals=column.decimals,
        codec=codec_beside(column.type, binary, results_in, mariadb=mariadb),
    )


def head_of(column: MySqlColumn, binary: bool) -> ColumnHead:
    return column.name.decode("utf-8", "replace"), column.type, int(binary), column.flags
