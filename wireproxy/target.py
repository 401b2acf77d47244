"""One database behind the gateway: what it holds, and who judges for whom.

A `Judge` and its caches are shared by all sessions that are judged alike: same policy, same catalog, same identity. The catalog
is read over a side connection at the first session, again on a time limit, and at once after a definition was changed through
the gateway or when the server names a table that the snapshot does not know.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import structlog
import trio
from attrs import frozen

from rules.catalog import Catalog
from rules.judge import Judge
from rules.masking import MaskSet, compile_masks
from rules.model import Dialect, Identity
from wireproxy.catalog import load_postgres
from wireproxy.config.model import Config, Database
from wireproxy.credential import read_password
from wireproxy.identity import policy_for

CATALOG_MAX_AGE_S = 60.0  # a change made past the gateway is noticed this late
_JUDGES_KEPT = 256  # each holds a bounded cache


class CatalogError(Exception):
    """The catalog could not be read: nothing can be judged against it."""


@frozen
class Bench:
    """What a session judges and masks with, valid until the catalog or the configuration changes."""

    judge: Judge
    masks: MaskSet | None
    catalog: Catalog
    policy: str
    policy_version: str


class Target:
    def __init__(self, database: Database, config: Config, mask_key: bytes) -> None:
        self.database = database
        self._config = config
        self._mask_key = mask_key
        self._catalog: Catalog | None = None
        self._loaded_at = -math.inf
        self._stale = True
        self._versions = 0
        self._loading = trio.Lock()
        self._benches: OrderedDict[tuple[str, Identity, int], Bench] = OrderedDict()
        self._log = structlog.get_logger("target").bind(database=database.name)

    def reconfigure(self, database: Database, config: Config) -> None:
        self.database = database
        self._config = config
        self._benches.clear()

    @property
    def catalog_version(self) -> int:
        return self._catalog.version if self._catalog is not None else 0

    @property
    def stale(self) -> bool:
        return self._stale or trio.current_time() - self._loaded_at > CATALOG_MAX_AGE_S

    def mark_stale(self) -> None:
        """A definition changed, or a table appeared that is not known."""
        self._stale = True

    async def refresh(self) -> Catalog:
        """The catalog, read again if it is stale. Raises CatalogError."""
        async with self._loading:
            if self._catalog is not None and not self.stale:
                return self._catalog
            self._stale = False  # what changes while it is being read makes it stale again
            try:
                password = await read_password(self.database)
                catalog = await load_postgres(self.database, password)
            except Exception as error:  # whatever the driver raises: without a catalog nothing may be judged
                self._stale = True
                self._log.warning("catalog_unreadable", error=type(error).__name__)
                raise CatalogError(f"the catalog of {self.database.name} cannot be read") from error
            self._versions += 1
            catalog.version = self._versions
            self._catalog = catalog
            self._loaded_at = trio.current_time()
            self._benches.clear()
            return catalog

    async def bench(self, identity: Identity) -> Bench:
        """Raises CatalogError."""
        catalog = self._catalog if self._catalog is not None and not self.stale else await self.refresh()
        name = policy_for(self.database, identity)
        key = (name, identity, catalog.version)
        bench = self._benches.get(key)
        if bench is None:
            policy = self._config.policies[name]
            masks = compile_masks(self._config.masks, self.database.name, identity, catalog, policy, self._mask_key)
            judge = Judge(Dialect(self.database.dialect), policy, self.database.name, identity, catalog, masks)
            bench = Bench(judge, masks, catalog, name, policy.version)
            self._benches[key] = bench
            if len(self._benches) > _JUDGES_KEPT:
                self._benches.popitem(last=False)
        return bench
