"""One MySQL or MariaDB database behind the gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import trio
from attrs import frozen

from protocols.base import Fields
from rules.catalog import Catalog
from rules.classify.mysql.lexer import Unreadable, lex
from rules.classify.mysql.statements import lexing_of
from rules.masking.mysql.mask_set import compile_mysql_masks
from rules.masking.pseudonyms import NoPseudonym
from rules.model import Access, Effect, Namespace, Statement
from wireproxy.approvals import Binding, Request
from wireproxy.control import ControlRefused
from wireproxy.credential import CredentialError
from wireproxy.exchanging import NOWHERE, sites_of
from wireproxy.holding import ATTRIBUTE
from wireproxy.mysql.catalog import load_mysql
from wireproxy.mysql.exchanging import sent_text, sent_values
from wireproxy.mysql.namespace import MySqlNamespace, version_number
from wireproxy.mysql.side import Meaning, estimate_rows, preview, settings_at_start, wrong_text
from wireproxy.side import Parameters
from wireproxy.target import ATTEMPTS, PAUSE_S, ROLLED_BACK, CatalogError, Target, split_words

_OF_THE_SESSION: Final = frozenset({"last_insert_id", "found_rows", "row_count", "connection_id"})
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`", re.DOTALL)
_VARIABLE: Final = re.compile(r"@")


class MySqlTarget(Target):
    """What differs: where the catalog is read, and how a statement is explained or tried."""

    server_version: str | None = None  # as the server said it last
    _compile_masks = staticmethod(compile_mysql_masks)

    async def _load(self) -> Catalog:
        for attempt in range(ATTEMPTS):  # information_schema fails over a table that is being defined at the moment
            try:
                catalog, self.server_version = await load_mysql(
                    self.database, await self.password(), self._versions + 1
                )
                break
            except (CatalogError, CredentialError) as error:
                self._log.warning("catalog_unreadable", reason=str(error))
                if attempt + 1 == ATTEMPTS or isinstance(error, CredentialError):
                    raise CatalogError(f"the catalog of {self.database.name} cannot be read") from error
            await trio.sleep(PAUSE_S)
        self._loaded_at = trio.current_time()
        old = self._catalog
        if old is not None and old.says_the_same_as(catalog):
            return old  # nothing changed: what was judged against it holds
        self._versions += 1
        self._catalog = catalog
        self.catalog_version = catalog.version
        self._benches.clear()
        return catalog

    async def namespace_at_start(self) -> Namespace:
        try:
            return MySqlNamespace(await settings_at_start(self.database, await self.password())).current
        except CredentialError as error:
            raise CatalogError(str(error)) from None

    async def estimate_in(self, text: bytes, parameters: Parameters, meaning: Meaning) -> float | None:
        """Rows that the optimizer expects a statement to look at; None when it cannot say."""
        try:
            return await estimate_rows(self.database, await self.password(), text, parameters, meaning)
        except (CatalogError, CredentialError):
            return None

    async def wrong_text(self, text: bytes, namespace: Namespace, *, may_write: bool) -> Fields | None:
        """What the server says of a statement that is no SQL, or names what is not there; None when it says nothing of the kind."""
        try:
            return await wrong_text(self.database, await self.password(), text, Meaning.of(namespace), may_write)
        except (CatalogError, CredentialError):
            return None

    async def preview(self, request: Request, binding: Binding) -> Mapping[str, object]:
        bound = Bound.of(binding)
        namespace = bound.namespace(self.database.user, self.server_version or "")
        bench = await self.bench(request.facts.identity)
        judgement = await self.judged(bench, binding.statement, namespace)
        if len(judgement.statements) != 1 or (reason := not_undone(judgement.statements[0])) is not None:
            what = "several statements" if len(judgement.statements) != 1 else reason
            raise ControlRefused(
                f"a single INSERT, UPDATE, DELETE or REPLACE can be tried and rolled back; this is {what}"
            )
        (statement,) = judgement.statements
        if any(relation.name in namespace.temporary for relation in statement.relations):
            raise ControlRefused("it names a temporary table, which another connection does not see")
        if any(name.startswith(ATTRIBUTE) for name in bound.context) and (view := _view_in(statement, bench.catalog)):
            raise ControlRefused(
                f"its query attributes are not sent with a dry run, and functions in the view {view} may read them"
            )
        written = [(each.schema, each.name) for each in statement.relations if each.access is Access.WRITE]
        text = binding.statement
        parameters = Parameters(binding.parameters or (), binding.formats or (), binding.type_oids or ())
        sites = sites_of(judgement.masks) if isinstance(judgement.masks, tuple) else NOWHERE
        if sites.mends and bench.masks is not None:
            made = bench.masks.pseudonyms
            try:
                row = max(1, _places(statement, namespace))
                text = sent_text(text, sites.literals, made, namespace) or text
                values, types = sent_values(sites.parameters, parameters.values, parameters.types, made, namespace, row)
            except (NoPseudonym, CatalogError) as error:
                raise ControlRefused(f"the dry run failed: {error}") from error
            parameters = Parameters(values, parameters.formats, types)
        try:
            meaning = Meaning.of(namespace, bound.context.get("time_zone", "SYSTEM"))
            password, places = await self.password(), _places(statement, namespace) if parameters.values else 0
            seen = await preview(self.database, password, text, parameters, meaning, written, places)
        except (CatalogError, CredentialError) as error:
            if sites.mends:  # the server may quote what pseudonyms stand for
                raise ControlRefused("the dry run failed, and the server's words are withheld") from None
            raise ControlRefused(f"the dry run failed: {error}") from error
        return {"rows": seen.rows, "tag": f"{statement.kind.value.upper()} {seen.tag}"}


def _view_in(statement: Statement, catalog: Catalog) -> str | None:
    """The first view that it names. What is in one is not known without following it."""
    views = {relation.name.lower() for relation in catalog.relations.values() if relation.kind == "v"}
    return next((relation.name for relation in statement.relations if relation.name.lower() in views), None)


def _places(statement: Statement, namespace: Namespace) -> int:
    """How many parameters the statement has. Raises CatalogError where its text cannot be cut into tokens."""
    try:
        tokens = lex(statement.text, lexing_of(namespace)).tokens
    except Unreadable as error:
        raise CatalogError(str(error)) from None
    return sum(token.text == "?" for token in tokens)


@frozen
class Bound:
    """The session that a statement was held in, read back from what its approval is bound to."""

    words: Mapping[str, str]
    context: Mapping[str, str]

    @classmethod
    def of(cls, binding: Binding) -> Bound:
        words: dict[str, str] = {}
        context: dict[str, str] = {}
        for word in binding.meaning:
            name, _, value = word.partition("=")
            if name == "context":
                key, *values = split_words(value)
                context[key] = values[0] if values else ""
            else:
                words[name] = value
        return cls(words, context)

    def namespace(self, user: str, version: str) -> Namespace:
        database = self.words.get("database", "")
        return Namespace(
            search_path=split_words(self.words.get("search_path", "")),
            user=user,
            sql_mode=frozenset(split_words(self.words.get("sql_mode", ""))),
            charset=self.words.get("charset", ""),
            database=database.removeprefix("=") if database else None,
            server_version=version_number(version),
            mariadb="mariadb" in version.lower(),
            lexing_known=self.words.get("lexing_known") == "True",
            temporary=frozenset(split_words(self.words.get("temporary", ""))),
        )


def not_undone(statement: Statement) -> str | None:
    """Why trying it could leave something behind, or could show something else than running it; None: it can be tried."""
    return "something else" if Effect.WRITE not in statement.effects else not_explained(statement)


def not_explained(statement: Statement) -> str | None:
    """Why the optimizer is not asked: servers run parts of what they explain."""
    if not statement.effects <= ROLLED_BACK:
        return "something else"
    if any(function.name.lower() in _OF_THE_SESSION for function in statement.functions):
        return "one that hangs on what its session did before"
    if _VARIABLE.search(_QUOTED.sub("''", statement.text)):
        return "one with variables of its session"
    return None
