"""What changes about masks while the gateway runs: columns unmasked for a time, and columns that inherited a mask.

Both live in the approval store, so that they outlive the gateway and hold for every gateway that shares it. `Exemptions` keeps
them at hand, and says when something changed: sessions then judge anew before their next statement.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from attrs import evolve, frozen

from rules.masking import Move
from rules.masking.marks import glob
from rules.model import Identity
from wireproxy.config.model import Approver
from wireproxy.store import Store
from wireproxy.store.model import NotAllowed, displayable

GRANTS: Final = "unmasking"
MARKS: Final = "inherited"
LONGEST_S: Final = 30 * 86400.0  # whoever needs it longer is named in the configuration
POLL_S: Final = 2.0  # how late what another gateway wrote is seen
_TEXT: Final = 2000


class GrantRefused(Exception):
    """The message says why."""


@frozen
class Unmasking:
    """One column, or those of a pattern, shown to one user or group until a moment."""

    id: str
    column: str  # glob over schema.table.column
    to: str  # a user's name, or a group's
    database: str  # "*": every database
    begins_ns: int
    ends_ns: int
    approver: str
    principal: str
    reason: str

    def is_for(self, database: str, identity: Identity) -> bool:
        return self.database in ("*", database) and (self.to == identity.name or self.to in identity.groups)


@frozen
class Inherited:
    """A column that holds what people let be written into it from masked ones."""

    database: str
    move: Move
    identity: str
    session: str
    at_ns: int

    @property
    def key(self) -> str:
        move = self.move
        return msgspec.json.encode([self.database, move.schema, move.relation, move.column]).decode()


class Exemptions:
    def __init__(
        self, store: Store, clock_ns: Callable[[], int], note: Callable[..., None], changed: Callable[[], None]
    ) -> None:
        """`note` writes an event into the gateway's log, or raises; `changed` has everybody judge anew."""
        self._changed = changed
        self._store = store
        self._clock_ns = clock_ns
        self._note = note
        self._grants: dict[str, Unmasking] = {}
        self._marks: dict[str, Inherited] = {}
        self._kept: tuple[dict[str, bytes], dict[str, bytes]] = ({}, {})
        self._in_force: frozenset[str] = frozenset()
        self._temporary: dict[str, dict[Move, None]] = {}  # of tables that die with their session: not kept

    # -- what holds now

    def unmasked(self, database: str, identity: Identity) -> tuple[Unmasking, ...]:
        now_ns = self._clock_ns()
        return tuple(
            grant for grant in self._grants.values() if grant.ends_ns > now_ns and grant.is_for(database, identity)
        )

    def moves(self, database: str) -> tuple[Move, ...]:
        kept = (each.move for each in self._marks.values() if each.database == database)
        return (*kept, *self._temporary.get(database, ()))

    def grants(self) -> Sequence[Unmasking]:
        now_ns = self._clock_ns()
        return sorted((each for each in self._grants.values() if each.ends_ns > now_ns), key=lambda each: each.ends_ns)

    def marks(self) -> Sequence[Inherited]:
        return list(self._marks.values())

    # -- following the store and the clock

    async def refresh(self) -> None:
        """Reads what the store has. Raises StoreError."""
        kept = (await self._store.kept(GRANTS), await self._store.kept(MARKS))
        changed = kept != self._kept
        if changed:
            self._grants = {key: msgspec.json.decode(each, type=Unmasking) for key, each in kept[0].items()}
            self._marks = {key: msgspec.json.decode(each, type=Inherited) for key, each in kept[1].items()}
            self._kept = kept
            self._changed()
        self.elapsed()

    def elapsed(self) -> None:
        """What is over by time alone is noticed here, once a second."""
        now_ns = self._clock_ns()
        in_force = frozenset(key for key, each in self._grants.items() if each.ends_ns > now_ns)
        over, self._in_force = self._in_force - in_force, in_force
        if over:
            self._changed()
        for key in over & self._grants.keys():
            self._note("unmask_ended", grant=key, column=self._grants[key].column, to=self._grants[key].to)

    async def sweep(self) -> None:
        """Forgets what is over. Raises StoreError."""
        now_ns = self._clock_ns()
        for key, each in list(self._grants.items()):
            if each.ends_ns <= now_ns:
                await self._store.drop(GRANTS, key)

    # -- what people do

    async def grant(
        self, approver: Approver, principal: str, column: str, to: str, for_s: float, database: str, reason: str
    ) -> Unmasking:
        """Raises GrantRefused, NotAllowed, StoreError."""
        if column.count(".") < 2 or not all(column.split(".")):
            raise GrantRefused("name the column as schema.table.column; * and ? stand for any letters")
        if not 0 < for_s <= LONGEST_S:
            raise GrantRefused(f"a column can be unmasked for {LONGEST_S / 86400:.0f} days at most")
        if not to:
            raise GrantRefused("say to whom: a user or a group")
        check_not_to_oneself(approver, principal, to)
        glob(column)
        now_ns = self._clock_ns()
        found = Unmasking(
            f"um-{secrets.token_hex(3)}", displayable(column), displayable(to), displayable(database) or "*", now_ns,
            now_ns + int(for_s * 1e9), approver.name, principal, displayable(reason)[:_TEXT],
        )  # fmt: skip
        # recorded first: a grant that is not in the log must not hold
        self._note(
            "unmask_granted", grant=found.id, column=found.column, to=found.to, database=found.database,
            for_s=f"{for_s:g}", approver=found.approver, principal=principal, reason=found.reason,
        )  # fmt: skip
        await self._store.keep(GRANTS, found.id, msgspec.json.encode(found))
        await self.refresh()
        return found

    async def revoke(self, approver: Approver, principal: str, grant_id: str) -> Unmasking:
        """Raises GrantRefused, StoreError."""
        await self.refresh()
        found = self._grants.get(grant_id)
        if found is None:
            raise GrantRefused(f"there is no grant {grant_id}")
        await self._store.drop(GRANTS, grant_id)
        self._note("unmask_revoked", grant=grant_id, column=found.column, approver=approver.name, principal=principal)
        await self.refresh()
        return found

    async def inherit(self, database: str, moves: Iterable[Move], identity: str, session: str) -> None:
        """Before a write runs that people let through: what it writes into is masked from now on. Raises StoreError."""
        for move in moves:
            if (move.schema or "").startswith("pg_temp"):
                self._temporary.setdefault(database, {})[evolve(move, schema="pg_temp")] = None
                self._changed()
                continue
            found = Inherited(database, move, identity, session, self._clock_ns())
            known = self._marks.get(found.key)
            if known is not None:
                sources = tuple(dict.fromkeys((*known.move.sources, *move.sources)))
                plain = known.move.plain and move.plain and len(sources) == 1
                found = Inherited(
                    database,
                    Move(move.schema, move.relation, move.column, sources, plain),
                    identity,
                    session,
                    found.at_ns,
                )
                if found.move == known.move:
                    continue
            named = ", ".join(str(source) for source in move.sources)
            self._note(
                "mask_inherited", database=database, column=f"{move.schema}.{move.relation}.{move.column}",
                sources=named, identity=identity, session=session,
            )  # fmt: skip
            await self._store.keep(MARKS, found.key, msgspec.json.encode(found))
        await self.refresh()

    async def forget(self, approver: Approver, principal: str, database: str, column: str) -> None:
        """Takes an inherited mask away, because the column was emptied or dropped. Raises GrantRefused, StoreError."""
        await self.refresh()
        for key, each in self._marks.items():
            if each.database == database and f"{each.move.schema}.{each.move.relation}.{each.move.column}" == column:
                await self._store.drop(MARKS, key)
                self._note(
                    "mask_forgotten", database=database, column=column, approver=approver.name, principal=principal
                )
                await self.refresh()
                return
        raise GrantRefused(f"{column} of {database} has inherited no mask")


def check_not_to_oneself(approver: Approver, principal: str, to: str) -> None:
    """Raises NotAllowed. Letters are compared without case, as for requests."""
    account = principal.partition(":")[2]
    mine = {each.casefold() for each in (approver.name, account, *approver.unix_users, *approver.groups)}
    if to.casefold() in mine:
        raise NotAllowed(
            f"{approver.name} may not unmask a column for {to}, which is or holds the same person: ask another approver"
        )
