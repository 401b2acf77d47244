"""What a function can show beyond its arguments: tables that its body reads, files, other people's statements."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from attrs import define, field, frozen

from rules.catalog import Catalog, CatalogColumn, CatalogFunction, CatalogRelation
from rules.masking.marks import SAMPLES, Marks
from rules.masking.values import CLEAN, Columns, Value, union
from rules.model import Volatility

# They run text, read a table by name, or read files and stored objects: no lineage can follow them.
RUNS_TEXT = frozenset(
    """
    query_to_xml query_to_xmlschema query_to_xml_and_xmlschema table_to_xml table_to_xmlschema table_to_xml_and_xmlschema
    schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema
    database_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema ts_stat ts_rewrite currtid currtid2 dblink dblink_exec
    dblink_open dblink_fetch dblink_send_query dblink_get_result dblink_get_notify dblink_build_sql_insert
    dblink_build_sql_update dblink_build_sql_delete crosstab crosstab2 crosstab3 crosstab4 crosstabn connectby xpath_table
    get_raw_page heap_page_items heap_page_item_attrs tuple_data_split bt_page_items gin_leafpage_items gist_page_items
    gist_page_items_bytea hash_page_items brin_page_items pg_logical_slot_get_changes pg_logical_slot_peek_changes
    pg_logical_slot_get_binary_changes pg_logical_slot_peek_binary_changes pg_get_wal_record_info pg_get_wal_records_info
    pg_get_wal_block_info pg_read_file pg_read_binary_file pg_read_file_old pg_file_read pg_ls_dir pg_stat_file
    pg_read_server_files lo_get lo_open loread lo_export lo_import lo_lseek lo_lseek64 lo_tell lo_tell64
    plpgsql_check_function
    """.split()  # noqa: SIM905
)
# They show statements or sampled values, and nothing else.
SHOWS_SAMPLES = frozenset(
    """
    pg_stat_get_activity pg_stat_get_backend_activity pg_prepared_statement pg_cursor pg_stat_statements pg_stat_monitor
    pg_qualstats pg_store_plans current_query pg_get_backend_memory_contexts
    """.split()  # noqa: SIM905
)
# Extensions whose functions work on their arguments alone, except those named above.
PURE_EXTENSIONS = frozenset(
    """
    btree_gin btree_gist citext cube earthdistance fuzzystrmatch hstore intarray isn lo ltree pg_trgm pgcrypto seg tablefunc
    unaccent uuid-ossp xml2 postgis postgis_raster postgis_topology vector pg_uuidv7 pgjwt ip4r semver numeral prefix hll
    pg_similarity address_standardizer plpgsql pg_stat_statements tcn dict_int dict_xsyn bloom
    """.split()  # noqa: SIM905
)
# Volatile functions of the server that keep nothing of what they are given.
HARMLESS = frozenset(
    """
    clock_timestamp timeofday random random_normal gen_random_uuid uuidv4 uuidv7 nextval currval lastval txid_current
    txid_current_if_assigned pg_current_xact_id pg_current_xact_id_if_assigned pg_sleep pg_sleep_for pg_sleep_until
    """.split()  # noqa: SIM905
)
MADE_LATER = "?"  # the language by which the catalog tells what users put into pg_catalog
READABLE = ("sql", "plpgsql", "aggregate")  # languages whose bodies name what they call
WORD = re.compile(r"[^\W\d][\w$]*", re.UNICODE)
# A body that builds its statements as text, or spells names in a way that words do not show.
DYNAMIC = re.compile(r"\bexecute\b|\bu&|\brefcursor\b", re.IGNORECASE)

_FETCH = re.compile(r"\bfetch\b", re.IGNORECASE)
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_LONGEST_NAME = 63  # bytes: what is longer is cut by the server
# What is quoted is no comment, whatever stands in it.
_COMMENT = re.compile(
    r"""((?<![\w$])e'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$((?:[^\W\d]\w*)?)\$.*?\$\2\$)|--[^\n]*|/\*.*?\*/""",
    re.DOTALL | re.IGNORECASE,
)
DEFINES = re.compile(r"\b(?:create|alter|drop|grant|revoke|comment|refresh|reindex|import|label)\b", re.IGNORECASE)
WRITES = re.compile(
    rf"\b(?:insert\s+into|merge\s+into|update|delete\s+from|truncate)\b|{DEFINES.pattern}", re.IGNORECASE
)
# What puts a value where the session reads it later; a setting that gets a constant holds nothing of anybody's.
_SETS_CONSTANT = re.compile(r"\bset_config\s*\(\s*'[^']*'\s*,\s*'[^']*'\s*,", re.IGNORECASE)
_SAVES = re.compile(
    r"\b(?:set_config|setval|pg_\w*advisory\w*|pg_logical_emit_message|lo_\w+|lowrite)\b", re.IGNORECASE
)


def saves(body: str) -> bool:
    """Whether a routine's body, without its comments, may keep a value in the session or beside the tables."""
    return _SAVES.search(_SETS_CONSTANT.sub(" ", body)) is not None


def uncommented(body: str) -> str:
    return _COMMENT.sub(lambda found: found[1] or " ", body)


def words_of(text: str) -> set[str]:
    """Every name that a text of SQL can mean, and more."""
    found = WORD.findall(text)
    words = {*found, *(each.lower() for each in found), *(each.translate(_ASCII_LOWER) for each in found)}
    words.update(quoted.replace('""', '"') for quoted in re.findall(r'"((?:[^"]|"")+)"', text))
    cut = [
        each.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
        for each in words
        if len(each.encode("utf-8", "replace")) > _LONGEST_NAME
    ]
    return words.union(cut)


@frozen
class Called:
    """What a call of that name can mean."""

    shows: Value = CLEAN  # beyond its arguments
    runs_text: bool = False
    stores: bool = False  # volatile or unknown: it may keep an argument where it can be read later
    sets: bool = False  # how many rows it returns depends on its arguments
    columns: tuple[str | None, ...] | None = None  # of its result in FROM; None: not known
    rows: tuple[Value, ...] | None = (
        None  # what each of these columns shows beyond the arguments; None: not known one by one
    )
    scalar: bool = False  # one column, named by the alias or the function
    pure: bool = False  # of the server's own: constants in, a constant out
    asks: bool = False  # its conditions over masked columns take their terms from its arguments
    tests: bool = False  # users' code that may end in an error, or not, for some values of its arguments
    supplied: bool = False  # some routine of that name is the server's own
    known: bool = True


@frozen
class Answered:
    """What a routine's body gives away."""

    shows: Value  # of its result
    asks: bool = False  # its conditions over masked columns go beyond equality, or cannot be followed
    tests: bool = True  # so do those over its arguments, if these are masked
    rows: Columns | None = None  # of a result that was followed, column by column


@define
class Routines:
    """Looks functions up by name alone: overloads count together, and so do schemas, since a search_path may change."""

    catalog: Catalog
    marks: Marks
    relation_shows: Callable[[str], Value]  # bare name → all that relations of that name can reveal
    follow_sql: Callable[[CatalogFunction], Answered]
    _by_name: dict[str, list[CatalogFunction]] = field(factory=dict)
    _called: dict[tuple[str | None, str], Called] = field(factory=dict)
    _answered: dict[int, Answered] = field(factory=dict)
    _keeping: dict[int, bool] = field(factory=dict)
    _relations: frozenset[str] = frozenset()

    def __attrs_post_init__(self) -> None:
        for (_, name), overloads in self.catalog.functions.items():
            self._by_name.setdefault(name, []).extend(overloads)
        self._relations = frozenset(name for _, name in self.catalog.relations)

    def called(self, schema: str | None, name: str) -> Called:
        found = self._called.get((schema, name))
        if found is None:
            found = self._called[schema, name] = self._look(schema, name)
        return found

    def named(self, name: str) -> Sequence[CatalogFunction]:
        """Every routine of that name in any schema."""
        return self._by_name.get(name, ())

    @cached_property
    def writers(self) -> frozenset[str]:
        """Names of users' routines whose bodies, or those of routines that they call, write, into whatever."""
        words: dict[str, set[str]] = {}
        found: set[str] = set()
        for name, overloads in self._by_name.items():
            for each in overloads:
                if each.schema != "pg_catalog" and each.extension is None and each.body is not None:
                    words.setdefault(name, set()).update(self.words_run(each.body, each.types))
                    own = uncommented(each.body)
                    if WRITES.search(own) or saves(own):
                        found.add(name)
        new = found
        while new:
            new = {name for name, called in words.items() if name not in found and called & new}
            found |= new
        return frozenset(found)

    def shown_by_name(self, name: str) -> Value:
        """What users' routines of that name can show; of no other."""
        return union(self.shows(each) for each in self._by_name.get(name, ()) if not built_in(each))

    def _look(self, schema: str | None, name: str) -> Called:
        everything = self.marks.everything
        overloads = self._by_name.get(name, [])
        if schema is not None:
            overloads = [each for each in overloads if each.schema == schema]
        if name in RUNS_TEXT or any(
            map(fetches, [*overloads, *(one for each in overloads for one in self._reached(each))])
        ):
            return Called(everything, runs_text=True, stores=True, sets=True)
        if not overloads:
            return Called(everything, stores=True, sets=True, known=False)
        shows = union([everything if name in SHOWS_SAMPLES else CLEAN, *(self.shows(each) for each in overloads)])
        stores = any(self.keeps(each) or self.converting_keeps(each.types) for each in overloads)
        sets = any(each.returns.startswith("SETOF") for each in overloads)
        shapes = {self._shape(each) for each in overloads}
        shape = shapes.pop() if len(shapes) == 1 else None
        own = all(built_in(each) and each.kind == "f" for each in overloads)
        return Called(
            shows,
            stores=stores,
            sets=sets,
            columns=shape or None,
            rows=self._rows(overloads[0], shape) if shape and len(overloads) == 1 else None,
            scalar=shape == (),
            pure=own and not (stores or sets or shows.origins),
            asks=any(each.arguments and self._answer(each).asks for each in overloads),
            tests=any(not supplied(each) and self._answer(each).tests for each in overloads),
            supplied=any(map(built_in, overloads)),
        )

    def _rows(self, function: CatalogFunction, shape: tuple[str | None, ...]) -> tuple[Value, ...] | None:
        """What a routine in language sql shows in each column of its result. A column stays the one it is where the type does."""
        found = self._answer(function).rows
        return None if found is None else self._typed(function, found, shape)

    def _typed(
        self, function: CatalogFunction, found: Columns, shape: tuple[str | None, ...]
    ) -> tuple[Value, ...] | None:
        if found.rest is not None or len(found.named) != len(shape):
            return None
        types = [column.type_oid for column in self._result_columns(function)] or [0] * len(shape)
        pairs = zip((value for _, value in found.named), types, strict=True)
        return tuple(
            Value(value.origins, value.plain, None, value.type_oid)
            if type_oid and type_oid == value.type_oid
            else value.derived()
            for value, type_oid in pairs
        )

    def rows_of(self, schema: str | None, name: str, found: Columns) -> tuple[Value, ...] | None:
        """What a routine shows that was followed with its arguments, in each column of its result in FROM; None: not known."""
        overloads, called = self.named(name), self.called(schema, name)
        return self._typed(overloads[0], found, called.columns) if called.columns and len(overloads) == 1 else None

    def _result_columns(self, function: CatalogFunction) -> tuple[CatalogColumn, ...]:
        """Of a table or composite type that it returns; none where its columns are arguments of its own."""
        schema, _, name = function.returns.removeprefix("SETOF ").rpartition(".")
        found = self.catalog.relations.get((schema.strip('"') or "pg_catalog", name.strip('"')))
        return () if found is None or function.columns else found.columns

    def _shape(self, function: CatalogFunction) -> tuple[str | None, ...] | None:
        """Column names of a result in FROM: () for a single value, None when they are not known."""
        if function.columns:
            # One OUT argument makes a plain value, whose column the alias names.
            return function.columns if len(function.columns) > 1 else None
        returns = function.returns.removeprefix("SETOF ")
        if returns in ("record", "") or returns.startswith("any"):
            return None
        relation = self.relation_of(returns)
        if relation is not None:
            return tuple(relation)
        return () if "." not in returns else None

    def relation_named(self, type_name: str) -> CatalogRelation | None:
        """The composite type or table of that name, as format_type spells it."""
        schema, _, name = type_name.rpartition(".")
        return self.catalog.relations.get((schema.strip('"') or "pg_catalog", name.strip('"')))

    def relation_of(self, type_name: str) -> tuple[str, ...] | None:
        """Its column names."""
        found = self.relation_named(type_name)
        return None if found is None else tuple(column.name for column in found.columns)

    def shows(self, function: CatalogFunction) -> Value:
        return self._answer(function).shows

    def _answer(self, function: CatalogFunction) -> Answered:
        known = self._answered.get(id(function))
        if known is None:
            known = self._answered[id(function)] = self._body(function)
        return known

    def _body(self, function: CatalogFunction) -> Answered:
        if function.extension in PURE_EXTENSIONS or (function.extension is None and supplied(function)):
            return Answered(CLEAN, tests=False)
        if fetches(function):
            return Answered(self.marks.everything)
        match function.language:
            case "sql" if not self.calls_itself(function):
                return self.follow_sql(function)
            case "plpgsql" | "aggregate" | "sql":
                # of routines that call each other, each shows what all of them do
                shown = union(map(self._shows_itself, [function, *self._reached(function)]))
                return Answered(shown, asks=function.language == "sql" and bool(shown.masked))
            case _:
                return Answered(self.marks.everything)

    def calls_itself(self, function: CatalogFunction) -> bool:
        return any(each is function for each in self._reached(function))

    def _shows_itself(self, function: CatalogFunction) -> Value:
        """Without what it calls."""
        legible = function.language in READABLE and not supplied(function) and not fetches(function)
        return self._text_itself(function.body) if legible else self.shows(function)

    def _reached(self, function: CatalogFunction) -> list[CatalogFunction]:
        """The users' routines that its body may call, those that theirs may call, and so on."""
        found: dict[int, CatalogFunction] = {}
        waiting = [function]
        while waiting:
            each = waiting.pop()
            if each.language not in READABLE or supplied(each):
                continue
            for other in self.users_in(each.body or ""):
                if id(other) not in found:
                    found[id(other)] = other
                    waiting.append(other)
        return list(found.values())

    def users_in(self, text: str) -> Iterator[CatalogFunction]:
        """The routines of users and extensions that a text may call: by name, behind an operator, to make a value of a type."""
        for word in self.words_run(text):
            yield from (each for each in self.named(word) if not built_in(each))
        for symbol, behind in self.catalog.operators.items():
            if symbol in text:
                yield from (
                    each for key in behind for each in self.catalog.functions.get(key, ()) if not supplied(each)
                )

    def words_run(self, text: str, types: Iterable[str] = ()) -> set[str]:
        """The words of a text, and those of what runs to make values of the types that it names, or of `types`."""
        words = words_of(text)
        for name in self.catalog.conversions.keys() & words.union(types):
            for expression in self.catalog.conversions[name]:
                words |= words_of(expression)
        return words

    def keeps(self, function: CatalogFunction) -> bool:
        """Whether it may put an argument where it can be read later, whatever volatility it was declared with.

        The server does not check that: a routine that is said to be immutable may change a setting or a sequence.
        """
        known = self._keeping.get(id(function))
        if known is None:
            known = self._keeping[id(function)] = any(map(self._keeps_itself, [function, *self._reached(function)]))
        return known

    def _keeps_itself(self, function: CatalogFunction) -> bool:
        if function.kind != "a" and function.volatility not in (Volatility.IMMUTABLE, Volatility.STABLE):
            return True
        if supplied(function):
            return False
        if function.language not in READABLE or function.body is None or DYNAMIC.search(function.body):
            return True
        words = words_of(function.body) - HARMLESS
        return not words.isdisjoint(RUNS_TEXT) or any(
            each.volatility is Volatility.VOLATILE for word in words for each in self.named(word) if built_in(each)
        )

    def converting_keeps(self, types: Iterable[str]) -> bool:
        """Whether what runs to make a value of such a type may keep that value."""
        expressions = [each for name in types for each in self.catalog.conversions.get(name, ())]
        return any(self.keeps(each) for expression in expressions for each in self.users_in(expression))

    def text_shows(self, text: str | None) -> Value:
        """All that the relations and routines named by any word of a text can reveal."""
        found = self._text_itself(text)
        return found if text is None else union([found, *(self.shows(each) for each in self.users_in(text))])

    def _text_itself(self, text: str | None) -> Value:
        """The same without what the routines do that it names."""
        if text is None or DYNAMIC.search(text):
            return self.marks.everything
        words = words_of(text)
        if words & RUNS_TEXT or words & SHOWS_SAMPLES or words & SAMPLES.keys():
            return self.marks.everything
        return union(self.relation_shows(word) for word in words & self._relations)


def fetches(function: CatalogFunction) -> bool:
    """Whether it reads from cursors that others opened."""
    return "refcursor" in function.types and _FETCH.search(function.body or "") is not None


def built_in(function: CatalogFunction) -> bool:
    return function.schema == "pg_catalog" and function.language != MADE_LATER


def supplied(function: CatalogFunction) -> bool:
    """By the server or an extension."""
    return built_in(function) or function.extension is not None
