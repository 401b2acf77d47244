"""One database behind the gateway: what it holds, and who judges for whom.

A `Judge` and its caches are shared by all sessions that are judged alike: same policy, same catalog, same identity. The catalog
is read over a side connection at the first session, again on a time limit, and at once after a definition was changed through
the gateway or when the server names a table that the snapshot does not know.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import structlog
import trio
from attrs import field, frozen

from protocols.base import Fields
from rules.catalog import Catalog
from rules.detection import Finder, finder
from rules.judge import Judge
from rules.length import is_long
from rules.limits import Usage
from rules.masking import MaskSet, Move, compile_masks
from rules.masking.pseudonyms import NoPseudonym
from rules.model import Dialect, Effect, Identity, Judgement, Namespace
from rules.policy import Policy
from wireproxy.approvals import Binding, Request
from wireproxy.catalog import CatalogError, Unreachable, load_postgres
from wireproxy.config.model import Config, Database
from wireproxy.control import ControlRefused
from wireproxy.credential import CredentialError, read_password
from wireproxy.exchanging import NOWHERE, in_one_piece, sites_of
from wireproxy.exemptions import Exemptions, Unmasking
from wireproxy.identity import policy_for
from wireproxy.judgement.workers import Workers
from wireproxy.namespace import split_search_path
from wireproxy.side import Parameters, estimate_rows, preview, settings_at_start, wrong_names
from wireproxy.tls import TlsError
from wireproxy.upstream import open_wire
from wireproxy.wire import BrokenWire

if TYPE_CHECKING:
    from wireproxy.weighed import Weighed

__all__ = ["Bench", "CatalogError", "Target", "Unreachable", "quoted_path", "search_path_of", "split_words"]

CATALOG_MAX_AGE_S = 60.0  # a change made past the gateway is noticed this late
ATTEMPTS = 3  # a view that is dropped while its definition is read makes a read fail, and the next one go well
PAUSE_S = 0.2
_FAILURES_BORNE = 5  # ages after which a catalog that cannot be renewed is not judged against any more
CATALOG_MIN_AGE_S = 2.0  # a name that does not exist must not make every statement read the catalog
PROBE_MIN_AGE_S = 5.0  # somebody who asks for readiness in a loop does not become a flood of connections
PROBE_TIMEOUT_S = 3.0
_JUDGES_KEPT = 256  # each holds a bounded cache
ROLLED_BACK = frozenset(
    {Effect.READ, Effect.WRITE, Effect.ROW_LOCK, Effect.SEQUENCE}
)  # what a rollback undoes, or nearly


@frozen
class Bench:
    """What a session judges and masks with, valid until the catalog or the configuration changes."""

    judge: Judge
    masks: MaskSet | None
    catalog: Catalog
    policy: str
    policy_version: str
    read_only: bool
    needs_catalog: bool  # False: nothing is masked and everything is let through, whatever the catalog says
    unmasked: tuple[Unmasking, ...] = ()  # what is shown for a time, to be noted in the log
    finder: Finder | None = None  # looks at the text of results
    weighed: dict[int, Weighed] = field(
        factory=dict, eq=False, repr=False
    )  # by the id of the judgement that each holds


class Target:
    _compile_masks = staticmethod(compile_masks)  # of the dialect

    def __init__(self, database: Database, config: Config, mask_key: bytes, workers: Workers) -> None:
        self.database = database
        self.workers = workers
        self._config = config
        self._mask_key = mask_key
        self._catalog: Catalog | None = None
        self._loaded_at = -math.inf
        self.stale = True  # looked at before every statement
        self.catalog_version = 0
        self.usage = Usage()
        self.exemptions: Exemptions | None = None
        self._complete = True  # all definitions of the catalog could be read
        self._versions = 0
        self._loading = trio.Lock()
        self._probing = trio.Lock()
        self._probed_at = -math.inf
        self._unreachable: str | None = None  # what the last probe found
        self._benches: OrderedDict[tuple[str, Identity, int], Bench] = OrderedDict()
        self._log = structlog.get_logger("target").bind(database=database.name)

    def reconfigure(self, database: Database, config: Config) -> None:
        self.database = database
        self._config = config
        self._benches.clear()

    @property
    def due(self) -> bool:
        """The catalog is old enough to be read again beside the sessions, which go on with the one they have."""
        return (
            self._catalog is not None
            and not self._loading.locked()
            and trio.current_time() - self._loaded_at > (CATALOG_MAX_AGE_S if self._complete else CATALOG_MIN_AGE_S)
        )

    async def renew(self) -> None:
        """Read the catalog again in the background; when that fails for long, statements wait for it."""
        async with self._loading:
            try:
                await self._load()
            except CatalogError:
                if trio.current_time() - self._loaded_at > _FAILURES_BORNE * CATALOG_MAX_AGE_S:
                    self.stale = True

    def mark_stale(self) -> None:
        """A definition changed, or a table appeared that is not known."""
        self.stale = True

    def missing(self) -> bool:
        """A name was not found: whether a newer catalog is worth reading."""
        if trio.current_time() - self._loaded_at > CATALOG_MIN_AGE_S:
            self.stale = True
        return self.stale

    async def refresh(self) -> Catalog:
        """The catalog, read again if it is stale. Raises CatalogError."""
        async with self._loading:
            if self._catalog is not None and not self.stale:
                return self._catalog
            self.stale = False  # what changes while it is being read makes it stale again
            try:
                return await self._load()
            except CatalogError:
                self.stale = True
                raise

    async def _load(self) -> Catalog:
        for attempt in range(ATTEMPTS):
            try:
                catalog = await load_postgres(self.database, await self.password(), self._versions + 1, self._catalog)
                break
            except (CatalogError, CredentialError) as error:
                if isinstance(error, Unreachable | CredentialError):
                    self._log.warning("target_unreachable", reason=str(error))
                    raise Unreachable(
                        f'the gateway cannot connect to the target of database "{self.database.name}"'
                    ) from error
                self._log.warning("catalog_unreadable", reason=str(error))
                if attempt + 1 == ATTEMPTS:
                    raise CatalogError(f"the catalog of {self.database.name} cannot be read") from error
            await trio.sleep(PAUSE_S)
        self._loaded_at = trio.current_time()
        self._complete = catalog.complete
        old = self._catalog
        if old is not None and old.says_the_same_as(catalog):
            return old  # nothing changed: what was judged against it holds
        self._versions += 1
        self._catalog = catalog
        self.catalog_version = catalog.version
        self._benches.clear()
        return catalog

    async def password(self) -> str | None:
        """Raises CredentialError."""
        password = await read_password(self.database.password)
        return password.reveal() if password is not None else None

    async def bench(self, identity: Identity) -> Bench:
        """Raises CatalogError."""
        catalog = self._catalog if self._catalog is not None and not self.stale else await self.refresh()
        name = policy_for(self.database, identity)
        key = (name, identity, catalog.version)
        bench = self._benches.get(key)
        if bench is None:
            bench = self._benches[key] = self._bench_under(name, self._config.policies[name], identity, catalog)
            if len(self._benches) > _JUDGES_KEPT:
                self._benches.popitem(last=False)
        return bench

    async def bench_under(self, policy: Policy, identity: Identity) -> Bench:
        """As `bench`, under a policy that nobody has yet. Raises CatalogError."""
        catalog = self._catalog if self._catalog is not None and not self.stale else await self.refresh()
        return self._bench_under(policy.name, policy, identity, catalog)

    def _bench_under(self, name: str, policy: Policy, identity: Identity, catalog: Catalog) -> Bench:
        masks = self.masks(identity, catalog, policy, self._moves(), self._shown_to(identity))
        judge = Judge(Dialect(self.database.dialect), policy, self.database.name, identity, catalog, masks)
        stops = policy.default != "allow" or any(
            not rule.lets_through or rule.limit is not None for rule in policy.rules
        )
        return Bench(
            judge,
            masks,
            catalog,
            name,
            policy.version,
            policy.read_only,
            masks is not None or stops,
            self.unmasked(identity),
            finder(policy.detect),
        )

    async def namespace_at_start(self) -> Namespace:
        """How a session of the target's role that begins now reads text, if its client sets nothing. Raises CatalogError."""
        try:
            found = await settings_at_start(self.database, await self.password())
        except CredentialError as error:
            raise CatalogError(str(error)) from None
        return Namespace(
            search_path=split_search_path(found["search_path"]),
            user=found["user"],
            standard_conforming_strings=found["standard_conforming_strings"] == "on",
            server_encoding=found["server_encoding"],
            server_version=int(found["server_version_num"]),
        )

    async def probe(self) -> str | None:
        """Why the target's server cannot be reached; None when it can. Asked of it at most every few seconds.

        A MySQL server counts connections that say nothing, and in the end blocks the gateway's host: it is not asked.
        """
        if self.database.dialect is Dialect.MYSQL:
            return None
        async with self._probing:
            if trio.current_time() - self._probed_at > PROBE_MIN_AGE_S:
                self._unreachable = await self._dial()
                self._probed_at = trio.current_time()
            return self._unreachable

    async def _dial(self) -> str | None:
        try:
            with trio.fail_after(PROBE_TIMEOUT_S):
                (await open_wire(self.database)).close()
        except trio.TooSlowError:
            return f"no answer within {PROBE_TIMEOUT_S:g} s"
        except (BrokenWire, TlsError) as error:
            return str(error)
        return None

    def masks(
        self,
        identity: Identity,
        catalog: Catalog,
        policy: Policy,
        moves: Sequence[Move] = (),
        unmasked: Sequence[str] = (),
    ) -> MaskSet | None:
        """The masks of the configuration. `moves`: what inherited one; `unmasked`: what the identity may see for a time."""
        rules, name = self._config.masks, self.database.name
        return self._compile_masks(rules, name, identity, catalog, policy, self._mask_key, moves, unmasked)

    def _moves(self) -> tuple[Move, ...]:
        return () if self.exemptions is None else self.exemptions.moves(self.database.name)

    def _shown_to(self, identity: Identity) -> tuple[str, ...]:
        return tuple(each.column for each in self.unmasked(identity))

    def unmasked(self, identity: Identity) -> tuple[Unmasking, ...]:
        """What is shown to this identity for a time."""
        return () if self.exemptions is None else self.exemptions.unmasked(self.database.name, identity)

    def masks_changed(self) -> None:
        """What is masked, or for whom, is another thing now: benches are made anew."""
        self._benches.clear()

    async def estimate(self, text: str, parameters: Parameters, search_path: Sequence[str]) -> float | None:
        """Rows that the planner expects a statement to touch; None when it cannot say."""
        try:
            return await estimate_rows(self.database, await self.password(), text, parameters, quoted_path(search_path))
        except (CatalogError, CredentialError):
            return None

    async def wrong_names(self, text: str, search_path: Sequence[str], types: Sequence[int] = ()) -> Fields | None:
        """What the server says of a statement that names something that is not there; None when it says nothing of the kind."""
        try:
            return await wrong_names(self.database, await self.password(), text, quoted_path(search_path), types)
        except (CatalogError, CredentialError):
            return None

    async def judged(self, bench: Bench, text: bytes, namespace: Namespace) -> Judgement:
        """For whoever may wait for it."""
        if is_long(text):
            return await self.workers.judge(bench.judge, text, namespace)
        return bench.judge.judge(text, namespace)

    async def preview(self, request: Request, binding: Binding) -> Mapping[str, object]:
        """Run what is held in a transaction that is rolled back, and tell how many rows it touched.

        Raises ControlRefused for anything that a rollback would not undo.
        """
        path = search_path_of(binding)
        bench = await self.bench(request.facts.identity)
        namespace = Namespace(search_path=path, user=self.database.user)
        judgement = await self.judged(bench, binding.statement, namespace)
        effects = frozenset().union(*(statement.effects for statement in judgement.statements))
        if len(judgement.statements) != 1 or not effects <= ROLLED_BACK or Effect.WRITE not in effects:
            raise ControlRefused("only a single INSERT, UPDATE, DELETE or MERGE can be tried and rolled back")
        text, parameters = (
            binding.statement.decode(),
            Parameters(binding.parameters or (), binding.formats or (), binding.type_oids or ()),
        )
        sites = sites_of(judgement.masks) if isinstance(judgement.masks, tuple) else NOWHERE
        if sites.mends and bench.masks is not None:
            try:
                text, parameters = in_one_piece(binding.statement, parameters, sites, bench.masks, namespace)
            except NoPseudonym as error:
                raise ControlRefused(f"the dry run failed: {error}") from error
        try:
            seen = await preview(self.database, await self.password(), text, parameters, quoted_path(path))
        except (CatalogError, CredentialError) as error:
            if sites.mends:
                # the server may quote what pseudonyms stand for
                raise ControlRefused("the dry run failed, and the server's words are withheld") from None
            raise ControlRefused(f"the dry run failed: {error}") from error
        return {"rows": seen.rows, "tag": seen.tag}


def quoted_path(path: Sequence[str]) -> str:
    return ", ".join('"' + name.replace('"', '""') + '"' for name in path)


def search_path_of(binding: Binding) -> tuple[str, ...]:
    """The search_path under which the statement was held, from the binding's length-prefixed form of it."""
    for word in binding.meaning:
        name, found, words = word.partition("=")
        if found and name == "search_path":
            return split_words(words)
    return ()


def split_words(joined: str) -> tuple[str, ...]:
    """Of the length-prefixed form in which a binding has several."""
    names: list[str] = []
    rest = joined
    while rest:
        length, _, tail = rest.partition(":")
        names.append(tail[: int(length)])
        rest = tail[int(length) :]
    return tuple(names)
