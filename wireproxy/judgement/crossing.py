"""What goes between the gateway and its worker processes, and how: frames of pickled values.

To the worker: a catalog in pieces (a large one pickled at once would hold up every session), a judge without its catalog and
without the key of the maskers, and questions. Back comes one judgement for each question. The worker may have been taken over
by the text that it parsed, so what comes back is read by an unpickler that makes nothing but the values of a judgement.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO, Final

import attrs

from rules.catalog import Catalog, CatalogFunction, CatalogRelation
from rules.judge import Judge
from rules.masking import MaskSet
from rules.masking.follow import World
from rules.masking.marks import Marks
from rules.masking.maskers import Maskers
from rules.masking.mysql.follow import MySqlWorld
from rules.masking.mysql.marks import MySqlMarks
from rules.masking.mysql.maskers import MySqlMaskers
from rules.masking.plan import Planner, ResultMasks
from rules.model import Judgement, Namespace

HEAD: Final = struct.Struct(">I")
FRAME_BYTES: Final = 64 * 1024 * 1024  # of what the gateway itself sends
ANSWER_BYTES: Final = 8 * 1024 * 1024  # of a judgement: its text twice at most, and what was found
PIECE: Final = 40  # relations or functions in one frame: some 2 ms of pickling

# -- frames -----------------------------------------------------------------------------------------------------------


def frame(body: bytes) -> bytes:
    return HEAD.pack(len(body)) + body


def read_frame(file: BinaryIO) -> bytes | None:
    """The next frame's body; None at the end of the stream."""
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    (length,) = HEAD.unpack(head)
    body = file.read(length) if length <= FRAME_BYTES else b""
    return body if len(body) == length else None


# -- to the worker ----------------------------------------------------------------------------------------------------


def catalog_pieces(serial: int, catalog: Catalog) -> Iterator[bytes]:
    """The frames that make `catalog` known to a worker as number `serial`."""
    # all but its relations and functions: the operators and conversions of users are few
    about = {
        each.name: getattr(catalog, each.name)
        for each in attrs.fields(Catalog)
        if each.name not in ("relations", "by_oid", "functions")
    }
    yield frame(pickle.dumps(("catalog", serial, about)))
    yield from (frame(pickle.dumps(("relations", serial, piece))) for piece in _pieces(catalog.relations))
    yield from (frame(pickle.dumps(("functions", serial, piece))) for piece in _pieces(catalog.functions))


def _pieces(entries: dict[Any, Any]) -> Iterator[list[Any]]:
    values = iter(entries.items())
    while piece := list(islice(values, PIECE)):
        yield piece


def add_relations(catalog: Catalog, piece: list[tuple[tuple[str, str], CatalogRelation]]) -> None:
    for key, relation in piece:
        catalog.relations[key] = relation
        catalog.by_oid[relation.oid] = relation


def add_functions(catalog: Catalog, piece: list[tuple[tuple[str, str], tuple[CatalogFunction, ...]]]) -> None:
    catalog.functions.update(piece)


# Made anew in the worker from what they were made of; what they found out since, and can find out again, stays here.
_REMADE: Final = (MaskSet, World, Marks, MySqlWorld, MySqlMarks)


class _JudgePickler(pickle.Pickler):
    """Without the catalog, which went before, and without the key of the maskers, which no parser needs."""

    def persistent_id(self, found: object) -> str | None:
        if isinstance(found, Catalog):
            return "catalog"
        return "maskers" if isinstance(found, Maskers | MySqlMaskers) else None

    def reducer_override(self, found: object) -> Any:
        if isinstance(found, Judge):
            made_of = (found.dialect, found.policy, found.database, found.identity, found.catalog, found.masks)
            return Judge, made_of
        if isinstance(found, _REMADE):
            names = [each.name for each in attrs.fields(type(found)) if each.init and not each.name.startswith("_")]
            return _made, (type(found), {name: getattr(found, name) for name in names})
        return NotImplemented


def _made(kind: Callable[..., object], parts: dict[str, object]) -> object:
    return kind(**parts)


class _JudgeUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, catalog: Catalog | None) -> None:
        super().__init__(file)
        self._catalog = catalog

    def persistent_load(self, name: str) -> object:
        return self._catalog if name == "catalog" else None


def encode_judge(judge: Judge) -> bytes:
    into = io.BytesIO()
    _JudgePickler(into, pickle.HIGHEST_PROTOCOL).dump(judge)
    return into.getvalue()


def decode_judge(data: bytes, catalog: Catalog | None) -> Judge:
    judge = _JudgeUnpickler(io.BytesIO(data), catalog).load()
    assert isinstance(judge, Judge)
    return judge


def judge_frame(serial: int, catalog_serial: int | None, judge: Judge) -> bytes:
    return frame(pickle.dumps(("judge", serial, catalog_serial, encode_judge(judge))))


def forget_frame(what: str, serial: int) -> bytes:
    return frame(pickle.dumps(("forget", what, serial)))


def question_frame(serial: int, text: bytes, namespace: Namespace, minute: int | None, rows: int | None) -> bytes:
    return frame(pickle.dumps(("ask", serial, text, namespace, minute, rows)))


# -- and back ---------------------------------------------------------------------------------------------------------


class NotAnAnswer(Exception):
    """What came is no judgement."""


def encode_judgement(judgement: Judgement, masks: MaskSet | None) -> bytes:
    into = io.BytesIO()
    _JudgementPickler(into, masks).dump(judgement)
    return into.getvalue()


def decode_judgement(data: bytes, masks: MaskSet | None) -> Judgement:
    """Raises NotAnAnswer. What `masks` masks with is the gateway's own, whatever the worker says."""
    try:
        found = _JudgementUnpickler(io.BytesIO(data), masks).load()
    except Exception as error:  # noqa: BLE001  bytes that somebody made can fail in any way
        raise NotAnAnswer(type(error).__name__) from None
    if not isinstance(found, Judgement) or len(found.decisions) != len(found.statements):
        raise NotAnAnswer("not a judgement")
    if found.masks is not None and not (
        masks is not None
        and isinstance(found.masks, tuple)
        and len(found.masks) == len(found.statements)
        and all(isinstance(each, ResultMasks) for each in found.masks)
    ):
        raise NotAnAnswer("not the masks of its statements")
    return found


class _JudgementPickler(pickle.Pickler):
    def __init__(self, into: BinaryIO, masks: MaskSet | None) -> None:
        super().__init__(into, pickle.HIGHEST_PROTOCOL)
        self._everything = masks.world.marks.everything if masks is not None else None

    def persistent_id(self, found: object) -> str | None:
        if isinstance(found, Planner):
            return "planner"
        return "everything" if found is self._everything and found is not None else None


class _JudgementUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, masks: MaskSet | None) -> None:
        super().__init__(file)
        self._masks = masks

    def find_class(self, module: str, name: str) -> Any:
        if name in _VALUES.get(module, ()):
            return super().find_class(module, name)
        raise NotAnAnswer(f"{module}.{name} is not part of a judgement")

    def persistent_load(self, name: str) -> object:
        if self._masks is None:
            raise NotAnAnswer("masks where nothing is masked")
        return self._masks.planner if name == "planner" else self._masks.world.marks.everything


# What a judgement is made of: frozen values, and nothing with a method that acts.
_VALUES: Final = {
    "rules.model": frozenset(
        {"Access", "Allow", "Deny", "Effect", "Function", "Hold", "Judgement", "Kind", "NameEffect", "Relation",
         "Setting", "Statement", "Volatility"}
    ),
    "rules.masking.plan": frozenset({"ResultMasks"}),
    "rules.masking.mysql.loading": frozenset({"Loading"}),
    "rules.masking.mysql.plan": frozenset({"MySqlResultMasks"}),
    "rules.masking.mysql.standing": frozenset({"Quoted"}),
    "rules.masking.copying": frozenset({"CopyShape", "Incoming"}),
    "rules.masking.exchange": frozenset({"Exchange", "LiteralSite", "ParameterSite"}),
    "rules.masking.inheriting": frozenset({"Move"}),
    "rules.masking.literals": frozenset({"Constant"}),
    "rules.masking.values": frozenset({"Columns", "Mark", "MaskFinding", "Origin", "Value"}),
}  # fmt: skip
