"""One MySQL or MariaDB database behind the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from rules.catalog import Catalog
from rules.masking import MaskSet
from rules.masking.mysql.mask_set import compile_mysql_masks
from rules.model import Identity
from rules.policy import Policy
from wireproxy.approvals import Binding, Request
from wireproxy.control import ControlRefused
from wireproxy.credential import CredentialError
from wireproxy.mysql.catalog import load_mysql
from wireproxy.side import Parameters
from wireproxy.target import CatalogError, Target


class MySqlTarget(Target):
    """What differs: where the catalog is read, and that neither estimates nor dry runs are to be had yet."""

    server_version: str | None = None  # as the server said it last

    async def _load(self) -> Catalog:
        try:
            catalog, self.server_version = await load_mysql(self.database, await self.password(), self._versions + 1)
        except (CatalogError, CredentialError) as error:
            self._log.warning("catalog_unreadable", reason=str(error))
            raise CatalogError(f"the catalog of {self.database.name} cannot be read") from error
        self._loaded_at = trio.current_time()
        old = self._catalog
        if old is not None and old.relations == catalog.relations and old.functions == catalog.functions:
            return old  # nothing changed: what was judged against it holds
        self._versions += 1
        self._catalog = catalog
        self.catalog_version = catalog.version
        self._benches.clear()
        return catalog

    def _masks(self, identity: Identity, catalog: Catalog, policy: Policy) -> MaskSet | None:
        name, shown = self.database.name, self._shown_to(identity)
        return compile_mysql_masks(self._config.masks, name, identity, catalog, policy, self._mask_key, shown)

    async def estimate(self, text: str, parameters: Parameters, search_path: Sequence[str]) -> float | None:  # noqa: ARG002
        """MySQL's EXPLAIN takes no parameters, and its estimates are of rows read: an approver is told none."""
        return None

    async def preview(self, request: Request, binding: Binding) -> Mapping[str, object]:  # noqa: ARG002
        raise ControlRefused("a dry run is not available for MySQL and MariaDB")
