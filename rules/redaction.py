"""Taking passwords out of statements before anyone is shown them: the log, the approver.

This is lexical and knows no grammar: it looks for a literal (or a parameter) that stands where a secret stands. `PASSWORD
'x'`, `IDENTIFIED BY 'x'`, `api_key = 'x'`, `OPTIONS (password 'x')`, `INSERT INTO users (password) VALUES ('x')`, the
arguments of `crypt`, connection strings and URLs inside literals, SQL inside literals and dollar quotes. It replaces the
inside of literals and numbers, never anything else: a person who approves must see every word that runs, so no code can be
hidden behind the word "password". The dialect must be the right one: where a literal ends depends on it.

What it misses: secrets under names that do not say so, and values computed elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from rules.model import Dialect

REDACTED = b"[redacted]"

_NEST_LIMIT = 4  # SQL in a literal in SQL in a literal: deeper ones are redacted whole

_SECRET_NAME = re.compile(
    rb"passw|passphrase|(?:^|_)pass(?:$|_)|(?:^|_)pwd|secret|api_?key|access_?key|private_?key|encryption_?key"
    rb"|credential|(?:auth|access|refresh|bearer|session|api|id)_?token|^token$",
    re.IGNORECASE,
)
# In lower case, and beginning with one class of letters: a third of the time of a search that ignores case.
_hint = re.compile(rb"[pktcsieh:](?:ass|wd|ey|oken|rypt|ecret|dentified|redential|//|yj|cram-|mac)").search
_NAME_ONLY = re.compile(rb"[\w.$ -]{1,64}\Z")
_KEY_FUNCTIONS = frozenset(
    b"crypt encrypt decrypt encrypt_iv decrypt_iv pgp_sym_encrypt pgp_sym_encrypt_bytea pgp_sym_decrypt pgp_sym_decrypt_bytea "
    b"pgp_pub_decrypt pgp_pub_decrypt_bytea aes_encrypt aes_decrypt des_encrypt des_decrypt password old_password hmac".split()
)
# Words that may stand between the name of a secret and its value.
_PASSED = frozenset(
    b"by as to using with like ilike rlike regexp in any all some array not is distinct from similar binary cast convert "
    b"e n x b u encrypted unencrypted default current".split()
)
_IDENTIFIED_ENDS = frozenset(b"require attribute comment account failed_login_attempts password_lock_time on".split())

_INNER: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    # a URL's password; a connection string's; a JSON member's; a JWT; a SCRAM verifier
    (re.compile(rb"(://[^\s/:@'\"]*:)[^\s@'\"]+(?=@)"), rb"\1" + REDACTED),
    (
        re.compile(
            rb"((?:\b|_)(?:password|passwd|passphrase|pwd|sslpassword|secret)\s*=\s*)(?!\s)(?:''[^']*''|\\'[^']*\\'|'[^']*'|[^\s;&'\",)]+)",
            re.I,
        ),
        rb"\1" + REDACTED,
    ),
    (
        re.compile(
            rb"(\"[\w.-]{0,32}(?:passw|passphrase|pwd|secret|api_?key|token|credential)[\w.-]{0,32}\"\s*:\s*)\"(?:[^\"\\]|\\.)*+\"",
            re.I | re.S,
        ),
        rb'\1"' + REDACTED + rb'"',
    ),
    (re.compile(rb"\beyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]*"), REDACTED),
    (re.compile(rb"SCRAM-SHA-(?:1|256|512)\$[\w+/=:$-]+"), b"SCRAM" + REDACTED),
)

_STANDARD = rb"'(?:[^']|'')*+(?:'|\Z)"
_BACKSLASH = rb"'(?:[^'\\]|''|\\.)*+(?:'|\\?\Z)"
_DOUBLE_STANDARD = rb'"(?:[^"]|"")*+(?:"|\Z)'
_DOUBLE_BACKSLASH = rb'"(?:[^"\\]|""|\\.)*+(?:"|\\?\Z)'
_TICKS = rb"`(?:[^`]|``)*+(?:`|\Z)"
_WORD = rb"[A-Za-z_\x80-\xff][\w$\x80-\xff]*+"
_TAG = rb"\$(?P<tag>(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*+)?)\$"
_COMMON = (
    rb"|(?P<word>" + _WORD + rb")|(?P<parameter>\$\d++|\?)|(?P<number>0[xXbB][0-9a-fA-F]++|\d++(?:\.\d*+)?)"
    rb"|(?P<open>\()|(?P<close>\))|(?P<comma>,)|(?P<semicolon>;)|(?P<space>\s++)|(?P<other>.)"
)


def _tokens(dialect: Dialect, backslash: bool) -> re.Pattern[bytes]:
    plain = _BACKSLASH if backslash else _STANDARD
    mysql = dialect is Dialect.MYSQL
    double = (_DOUBLE_BACKSLASH if backslash else _DOUBLE_STANDARD) if mysql else _DOUBLE_STANDARD
    parts = [
        rb"(?P<comment>--[^\n]*+" + (rb"|\#[^\n]*+" if mysql else b"") + rb")",
        # MySQL runs what stands in /*! */ and /*M! */: there only the marks are taken for space
        *([rb"(?P<executable>/\*M?!\d*+|\*/)"] if mysql else []),
        rb"(?P<block>/\*)",
        rb"(?P<literal>[eE]" + _BACKSLASH + rb"|(?:[nNxXbB]|[uU]&)?" + plain + rb")",
        rb"(?P<double>" + double + rb")",
    ]
    if mysql:
        parts.append(rb"(?P<ticks>" + _TICKS + rb")")
    else:
        parts.append(rb"(?P<dollar>" + _TAG + rb")")
    return re.compile(b"|".join(parts) + _COMMON, re.DOTALL)


_LEXERS = {(dialect, backslash): _tokens(dialect, backslash) for dialect in Dialect for backslash in (False, True)}


def may_hold_secret(text: bytes) -> bool:
    """Quick, and true for every text that `redact_secrets` would change."""
    return _hint(text.lower()) is not None


def redact_secrets(text: bytes, dialect: Dialect = Dialect.POSTGRES, backslash_escapes: bool | None = None) -> bytes:
    """Give `text` with what looks like a secret replaced by `[redacted]`. Total; takes linear time.

    `backslash_escapes`: whether a backslash escapes in an ordinary literal; None: the dialect's default.
    """
    return _scanned(text, dialect, backslash_escapes)[0] if may_hold_secret(text) else text


def redact_parameters(
    text: bytes,
    parameters: Sequence[bytes | None],
    dialect: Dialect = Dialect.POSTGRES,
    backslash_escapes: bool | None = None,
) -> tuple[bytes | None, ...]:
    """Give the parameters, those that stand in `text` where a secret stands replaced."""
    if not may_hold_secret(text):
        return tuple(parameters)
    secret = _scanned(text, dialect, backslash_escapes)[1]
    return tuple(REDACTED if index in secret and value is not None else value for index, value in enumerate(parameters))


@lru_cache(maxsize=4)
def _scanned(text: bytes, dialect: Dialect, backslash_escapes: bool | None) -> tuple[bytes, frozenset[int]]:
    """The text, and which parameters are secrets. Asked for the text, for its parameters, and by the log and the approver."""
    scan = _Scan(text, dialect, backslash_escapes)
    return scan.run(), frozenset(scan.secret_parameters)


def redact_named(name: bytes, value: bytes | None, dialect: Dialect = Dialect.POSTGRES) -> bytes | None:
    """A value that stands beside a statement under a name of its own, as a query attribute does."""
    if value is not None and _SECRET_NAME.search(name):
        return REDACTED
    if value is None or not may_hold_secret(value):
        return value
    return _scrub(redact_secrets(value, dialect))


def redact_prose(text: str, dialect: Dialect = Dialect.POSTGRES) -> str:
    """The same for what is not a statement and may quote one: an error's context, a startup option, a reason."""
    encoded = text.encode("utf-8", "surrogatepass")
    if not may_hold_secret(encoded):
        return text
    return _scrub(redact_secrets(encoded, dialect)).decode("utf-8", "surrogatepass")


class _Scan:
    """One pass over the tokens. `_armed` says that the next literal is a secret."""

    def __init__(self, text: bytes, dialect: Dialect, backslash: bool | None, nested: int = 0) -> None:
        self._text = text
        self._dialect = dialect
        self._backslash = dialect is Dialect.MYSQL if backslash is None else backslash
        self._nested = nested
        self._out: list[bytes] = []
        self._armed = False
        self._sticky = False  # inside IDENTIFIED …: every literal up to its end
        self._account = False  # SET PASSWORD FOR account: up to the `=` a name stands, not a secret
        self._depth = 0  # parentheses opened since it was armed
        self._parens = 0  # and all that are open
        self._pending = False  # a word came that may be a function's name
        self._questions = 0
        self.secret_parameters: set[int] = set()
        self._insert = _InsertColumns()

    def run(self) -> bytes:
        lexer = _LEXERS[self._dialect, self._backslash]
        position, text, out = 0, self._text, self._out
        while position < len(text):
            match = lexer.match(text, position)
            assert match is not None  # `other` takes any byte
            kind = match.lastgroup if match.lastgroup != "tag" else "dollar"
            start, position = position, match.end()
            if kind == "dollar":
                position = self._dollar(match)
            elif kind == "block":
                position = self._block(start)
            elif kind in ("space", "executable"):
                out.append(match[0])
            else:
                assert kind is not None
                out.append(_ACTIONS[kind](self, match[0]))
        return b"".join(out)

    def _literal(self, token: bytes) -> bytes:
        self._pending = False
        quote = token.index(token[-1:]) if token[-1:] in (b"'", b'"') else _first_quote(token)
        closed = len(token) > quote + 1 and token[-1:] == token[quote : quote + 1]
        mark = token[quote : quote + 1]
        content = token[quote + 1 : -1] if closed else token[quote + 1 :]
        if self._is_secret():
            return token[:quote] + mark + REDACTED + (mark if closed else b"") if content else token
        inner = self._inside(content, mark)
        self._arm_by_name(content)
        return token if inner == content else token[: quote + 1] + inner + (mark if closed else b"")

    def _double(self, token: bytes) -> bytes:
        """A string in MySQL, an identifier in Postgres. It may be the name of a secret in both."""
        if self._dialect is Dialect.POSTGRES:
            return self._name(token, token[1:-1])
        return self._literal(token)

    def _ticks(self, token: bytes) -> bytes:
        return self._name(token, token[1:-1])

    def _word(self, token: bytes) -> bytes:
        lowered = token.lower()
        self._insert.word(lowered)
        if lowered == b"identified":
            self._arm(sticky=True)
            return token
        if self._sticky:
            if lowered in _IDENTIFIED_ENDS:
                self._disarm()
            return token
        if lowered == b"for" and self._armed:
            self._account = True
            return token
        if lowered == b"to" and self._account:
            self._account = False
            return token
        if lowered in _KEY_FUNCTIONS:
            self._insert.name(lowered)
            self._arm()
            return token
        return self._name(token, token)

    def _name(self, token: bytes, name: bytes) -> bytes:
        self._insert.name(name)
        if _SECRET_NAME.search(name):
            self._arm()
        elif self._armed and not self._account and not self._depth and name.lower() not in _PASSED:
            if self._pending:
                self._disarm()
            else:
                self._pending = True
        return token

    def _number(self, token: bytes) -> bytes:
        if self._is_secret() and not self._pending:
            return REDACTED
        return token

    def _parameter(self, token: bytes) -> bytes:
        if token == b"?":
            if self._dialect is Dialect.POSTGRES:
                return self._other(token)  # an operator of jsonb
            index, self._questions = self._questions, self._questions + 1
        else:
            index = int(token[1:20]) - 1
        if self._is_secret():
            self.secret_parameters.add(index)
        self._pending = False
        return token

    def _open(self, token: bytes) -> bytes:
        self._parens += 1
        self._insert.open()
        if self._armed:
            self._depth += 1
            self._pending = False
        return token

    def _close(self, token: bytes) -> bytes:
        self._parens = max(self._parens - 1, 0)
        if self._insert.close():
            self._disarm()  # the names of columns: their values come later, by place
        elif self._armed:
            self._depth = max(self._depth - 1, 0)
        return token

    def _comma(self, token: bytes) -> bytes:
        self._insert.comma()
        if self._armed and not self._depth:
            self._disarm()
        return token

    def _semicolon(self, token: bytes) -> bytes:
        self._insert = _InsertColumns()
        self._disarm()
        return token

    def _other(self, token: bytes) -> bytes:
        if token == b"=":
            self._account = False
        if self._pending and token != b".":
            self._disarm()
        return token

    def _comment(self, token: bytes) -> bytes:
        return _scrub(token)

    def _block(self, start: int) -> int:
        """A comment; Postgres's nest."""
        end = _comment_end(self._text, start, nests=self._dialect is not Dialect.MYSQL)
        self._out.append(_scrub(self._text[start:end]))
        return end

    def _dollar(self, match: re.Match[bytes]) -> int:
        """A dollar-quoted literal: a secret, or SQL or a connection string."""
        mark = match[0]
        start = match.end()
        found = self._text.find(mark, start)
        end = found if found >= 0 else len(self._text)
        content = self._text[start:end]
        shown = REDACTED if self._is_secret() else self._nest(content)
        self._out += (mark, shown, mark if found >= 0 else b"")
        return end + (len(mark) if found >= 0 else 0)

    def _inside(self, content: bytes, mark: bytes) -> bytes:
        """SQL inside a literal has its quotes doubled or escaped: take that off, look, and put it on again."""
        if not may_hold_secret(content):
            return content
        plain = content.replace(mark + mark, mark)
        if self._backslash:
            plain = re.sub(rb"\\(['\"\\])", rb"\1", plain)
        shown = self._nest(plain)
        return content if shown == plain else shown.replace(mark, mark + mark)

    def _nest(self, content: bytes) -> bytes:
        if not may_hold_secret(content):
            return content
        if self._nested >= _NEST_LIMIT:
            return REDACTED
        return _scrub(_Scan(content, self._dialect, self._backslash, self._nested + 1).run())

    def _is_secret(self) -> bool:
        return (self._armed and not self._account and not self._pending) or self._insert.at_secret()

    def _arm_by_name(self, content: bytes) -> None:
        """`set_config('app.password', 'x')`, `jsonb_build_object('secret', 'x')`: the name is a literal, a comma follows."""
        if self._parens and not self._insert.in_values and _NAME_ONLY.match(content) and _SECRET_NAME.search(content):
            self._arm()
            self._depth = 1
        elif self._armed and not (self._sticky or self._account or self._depth):
            self._disarm()

    def _arm(self, sticky: bool = False) -> None:
        self._armed, self._sticky = True, sticky or self._sticky
        self._pending = self._account = False
        if not sticky:
            self._depth = self._depth if self._sticky else 0

    def _disarm(self) -> None:
        self._armed = self._sticky = self._account = self._pending = False
        self._depth = 0


class _InsertColumns:
    """`INSERT INTO t (a, password) VALUES (…, 'x'), …`: which places of each row of values hold a secret."""

    def __init__(self) -> None:
        self._stage = "before"  # → into → columns → after → values
        self._depth = 0
        self._place = 0
        self._secret: set[int] = set()

    def word(self, lowered: bytes) -> None:
        if lowered in (b"insert", b"replace") and self._stage == "before":
            self._stage = "into"
        elif lowered in (b"values", b"value") and self._stage == "after":
            self._stage, self._depth = "values", 0
        elif lowered in (b"select", b"on", b"returning") and self._depth == 0:
            self._stage = "before"
            self._secret.clear()

    def name(self, name: bytes) -> None:
        if self._stage == "columns" and _SECRET_NAME.search(name):
            self._secret.add(self._place)

    def open(self) -> None:
        if self._stage == "into":
            self._stage, self._place, self._depth = "columns", 0, 1
        elif self._stage in ("columns", "values"):
            self._depth += 1
            if self._depth == 1:
                self._place = 0

    @property
    def in_values(self) -> bool:
        return self._stage == "values"

    def close(self) -> bool:
        """Returns whether the list of columns ended here."""
        if self._stage in ("columns", "values"):
            self._depth = max(self._depth - 1, 0)
            if self._stage == "columns" and not self._depth:
                self._stage = "after"
                return True
        return False

    def comma(self) -> None:
        if self._depth == 1:
            self._place += 1

    def at_secret(self) -> bool:
        return self._stage == "values" and self._depth > 0 and self._place in self._secret


_ACTIONS: dict[str, Callable[[_Scan, bytes], bytes]] = {
    "literal": _Scan._literal,
    "double": _Scan._double,
    "ticks": _Scan._ticks,
    "word": _Scan._word,
    "number": _Scan._number,
    "parameter": _Scan._parameter,
    "open": _Scan._open,
    "close": _Scan._close,
    "comma": _Scan._comma,
    "semicolon": _Scan._semicolon,
    "other": _Scan._other,
    "comment": _Scan._comment,
}


def _scrub(content: bytes) -> bytes:
    for pattern, replacement in _INNER:
        content = pattern.sub(replacement, content)
    return content


def _first_quote(token: bytes) -> int:
    return min(position for position in (token.find(b"'"), token.find(b'"')) if position >= 0)


def _comment_end(text: bytes, start: int, nests: bool) -> int:
    depth = 0
    for match in _COMMENT_MARKS.finditer(text, start):
        if match[0] == b"/*":
            depth = depth + 1 if nests else 1
        else:
            depth -= 1
            if depth == 0:
                return match.end()
    return len(text)


_COMMENT_MARKS = re.compile(rb"/\*|\*/")
