"""What goes to a MySQL or MariaDB server in the place of pseudonyms; what is judged and recorded is the client's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from protocols.base import Exchange, Question, Stage
from rules.masking.exchange import LiteralSite, ParameterSite
from rules.masking.literals import replaced
from rules.masking.mysql.exchange import TEXT_OID, replacement
from rules.masking.pseudonyms import NoPseudonym, Pseudonyms
from rules.model import Namespace
from rules.reading import decode_mysql, encode_mysql

if TYPE_CHECKING:
    from wireproxy.exchanging import Sites

_TEXTS: Final = frozenset({15, 249, 250, 251, 252, 253, 254})  # VARCHAR, the BLOBs, VAR_STRING, STRING


def mysql_exchange(question: Question, sites: Sites, made: Pseudonyms, read: Namespace, now: Namespace) -> Exchange:
    """Raises NoPseudonym. `read`: in which the server reads the text, `now`: in which it reads values."""
    match question.stage:
        case Stage.QUERY:
            return Exchange(sent_text(question.text or b"", sites.literals, made, read))
        case Stage.PARSE:
            waits = frozenset(number - 1 for number in sites.parameters)
            return Exchange(sent_text(question.text or b"", sites.literals, made, read), waits=waits)
        case Stage.BIND if sites.parameters:
            if question.parameters is None:
                raise NoPseudonym("its values are longer than bind_bytes, so that they cannot be translated")
            values = sent_values(sites.parameters, question.parameters, question.types, made, now, question.row_length)
            return Exchange(parameters=values)
        case _:
            return Exchange()


def sent_text(text: bytes, literals: Iterable[LiteralSite], made: Pseudonyms, namespace: Namespace) -> bytes | None:
    """None: the client's own. Raises NoPseudonym."""
    replacements = [found for site in literals if (found := replacement(site, made)) is not None]
    if not replacements:
        return None
    decoded = decode_mysql(text, namespace)
    if decoded is None or encode_mysql(decoded, namespace) != text:
        raise NoPseudonym("the text is in no encoding in which places can be counted")
    return encode_mysql(replaced(decoded, replacements), namespace)


def sent_values(
    sites: Mapping[int, ParameterSite],
    values: Sequence[bytes | None],
    types: Sequence[int],
    made: Pseudonyms,
    namespace: Namespace,
    row_length: int,
) -> tuple[bytes | None, ...]:
    """Of a bulk execution those of all rows, one row after the other, each with `row_length` of them.

    Raises NoPseudonym.
    """
    found = list(values)
    for at, value in enumerate(values):
        if at % row_length + 1 not in sites or value is None or types[at] & 0xFF not in _TEXTS:
            continue
        text = decode_mysql(value, namespace)
        if text is None:
            continue  # no token either, which is ASCII
        real = made.real(text, TEXT_OID)
        if real == text:
            continue
        encoded = encode_mysql(real, namespace)
        if encoded is None:
            raise NoPseudonym("what a pseudonym stands for cannot be written in this session's encoding")
        found[at] = encoded
    return tuple(found)
