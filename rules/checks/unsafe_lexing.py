"""A setting that changes how later text is read, to a value under which it can be read in two ways.

Under UTF-8 and ASCII every quote and backslash is one; there are encodings whose second byte may look like either (SJIS,
BIG5, GBK, GB18030, JOHAB, UHC). A value that is not a constant is unsafe. RESET is not where the server reports what it
came to (client_encoding, standard_conforming_strings), and is elsewhere.
"""

from __future__ import annotations

from rules.model import Effect, Setting, Statement

_UTF8 = frozenset({"utf8", "utf-8", "unicode", "utf8mb4", "utf8mb3", "sql_ascii"})
# the value that leaves text as the standard reads it
_SAFE_VALUES: dict[str, frozenset[str]] = {
    "client_encoding": _UTF8,
    "names": _UTF8,  # SET NAMES of both dialects
    "standard_conforming_strings": frozenset({"on", "true", "yes", "1", "t", "tr", "tru", "y", "ye"}),
    "backslash_quote": frozenset({"off", "safe_encoding", "false", "no", "0"}),
    "escape_string_warning": frozenset({"on", "off", "true", "false", "1", "0"}),
    "character_set_client": _UTF8,
    "character_set_connection": _UTF8,
    "character_set_results": _UTF8 | {"null", "", "binary"},  # the last two: as it is stored
    "character set": _UTF8,
}
# modes that leave quotes, backslashes and operators as they are (not ANSI_QUOTES, NO_BACKSLASH_ESCAPES, PIPES_AS_CONCAT,
# IGNORE_SPACE, HIGH_NOT_PRECEDENCE, nor the combinations that hold one: ANSI, DB2, MSSQL, ORACLE, POSTGRESQL …)
_PLAIN_MODES = frozenset(
    {
        "",
        "allow_invalid_dates",
        "error_for_division_by_zero",
        "no_auto_create_user",
        "no_auto_value_on_zero",
        "no_dir_in_create",
        "no_engine_substitution",
        "no_unsigned_subtraction",
        "no_zero_date",
        "no_zero_in_date",
        "only_full_group_by",
        "pad_char_to_full_length",
        "strict_all_tables",
        "strict_trans_tables",
        "time_truncate_fractional",
        "traditional",
    }
)
# a statement can set several parameters, and not each of them has to do with reading
_LEXICAL = frozenset({*_SAFE_VALUES, "all", "sql_mode", "session_variables"})
_REPORTED = frozenset({"client_encoding", "standard_conforming_strings", "names", "all"})


def unsafe_lexing(statement: Statement, _batch: tuple[Statement, ...]) -> str | None:
    if Effect.LEXING not in statement.effects:
        return None
    if statement.functions or not statement.settings:
        return "it changes how later text is read, in a way that can't be foreseen"
    for setting in statement.settings:
        if setting.name in _LEXICAL and not _safe(setting, statement.root):
            value = "a value that is not in the text" if setting.value is None else setting.value
            return f"{setting.name} = {value} changes how later text is read"
    return None


def _safe(setting: Setting, root: str) -> bool:
    if setting.value is None and setting.name in _REPORTED:
        # MySQL's SET NAMES DEFAULT goes to the character set of the server, whatever that is
        return setting.name != "names" or root == "VariableSetStmt"
    if setting.name == "sql_mode" and setting.value is not None:
        return all(mode.strip().lower() in _PLAIN_MODES for mode in setting.value.split(","))
    allowed = _SAFE_VALUES.get(setting.name)
    if allowed is None:
        return False
    return setting.value is not None and setting.value.strip().lower() in allowed
