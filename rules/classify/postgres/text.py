"""Before anything is parsed: whether a text can be read in one way only, and whether reading it is safe and quick.

Measured with pglast 8.8 (libpg_query of PostgreSQL 18): `parse_sql_json` ends in an ordinary error when a tree is too deep
for the stack, on the main thread and on others; the time it takes is what has to be bounded here. It grows with the square of
the length of a run of operator characters (4,000 of them: 24 ms; 64,000: 2 s), because the lexer shortens such a run
character by character, and comment signs without space between them are such a run.
"""

from __future__ import annotations

import re

from pglast import parser
from pglast.error import Error

from rules.model import Namespace

MAX_BYTES = 1024 * 1024  # some 90 ms of lexing and parsing when every token is short; a longer text can be COPY data
MAX_TOKENS = 30_000  # some 100 ms of parsing and walking
_MANY_TOKENS = 30 * 1024  # below this length a text cannot have enough tokens to matter
_RUN_COST = 20_000_000  # squares of the lengths of runs of operator characters: 30 ms

_OPERATOR_RUN = re.compile(r"[-+*/<>=~!@#%^&|`?]{48,}")
_TOKEN = re.compile(r"[0-9]+\.[0-9]+|[A-Za-z0-9_$\x80-\U0010ffff]+|'[^']*'|[^\s\w]")
_SAFE_WITHOUT_LEXING = re.compile(r"[\x01-\x5b\x5d-\x7f]*")

# The server's encodings in which every byte below 0x80 is that ASCII character wherever it stands (Spec: PostgreSQL, Character Set
# Support), by Python's name for them. In BIG5, GBK, GB18030, JOHAB, SJIS, SHIFT_JIS_2004 and UHC it may be the second half of
# a character; MULE_INTERNAL and EUC_TW have no codec.
_CODECS: dict[str, str] = {
    "UTF8": "utf-8", "UNICODE": "utf-8", "SQL_ASCII": "utf-8",
    "EUC_CN": "gb2312", "EUC_JP": "euc_jp", "EUC_JIS_2004": "euc_jis_2004", "EUC_KR": "euc_kr",
    "LATIN1": "iso8859-1", "LATIN2": "iso8859-2", "LATIN3": "iso8859-3", "LATIN4": "iso8859-4", "LATIN5": "iso8859-9",
    "LATIN6": "iso8859-10", "LATIN7": "iso8859-13", "LATIN8": "iso8859-14", "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16", "ISO_8859_5": "iso8859-5", "ISO_8859_6": "iso8859-6", "ISO_8859_7": "iso8859-7",
    "ISO_8859_8": "iso8859-8", "KOI8R": "koi8-r", "KOI8": "koi8-r", "KOI8U": "koi8-u",
    "WIN866": "cp866", "WIN874": "cp874", "WIN1250": "cp1250", "WIN1251": "cp1251", "WIN": "cp1251",
    "WIN1252": "cp1252", "WIN1253": "cp1253", "WIN1254": "cp1254", "WIN1255": "cp1255", "WIN1256": "cp1256",
    "WIN1257": "cp1257", "WIN1258": "cp1258",
}  # fmt: skip

# Those of them in which a letter is one byte. To and from Unicode the server and Python convert these alike, one to one, which
# cannot be said of the others: in EUC_JP the server makes U+FF5E of what Python makes U+301C of, and takes both.
_ONE_BYTE = frozenset(name for name, codec in _CODECS.items() if codec.startswith(("iso8859", "cp", "koi8")))
_AS_IT_IS = frozenset(
    {"UTF8", "UNICODE", "SQL_ASCII"}
)  # a database in UTF8 takes such a client's bytes, if they are UTF-8
_NAME_BYTES = 63


def decode(raw: bytes, encoding: str | Namespace) -> str | None:
    """The text as the server reads it; None when that cannot be known: not valid, a NUL inside, an encoding that is not safe.

    `encoding` is the server's own name of the client_encoding, or the namespace that says it.
    """
    if b"\0" in raw:
        return None
    if raw.isascii():
        return raw.decode("ascii")  # every client encoding of the server contains ASCII
    name = encoding if isinstance(encoding, str) else encoding.client_encoding
    codec = _CODECS.get(name.upper())
    if codec is None:
        return None
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        return None


def encode(text: str, namespace: Namespace) -> bytes | None:
    """The other way; None where the client's encoding is not known or does not have a character."""
    if text.isascii():
        return text.encode("ascii")
    codec = _CODECS.get(namespace.client_encoding.upper())
    if codec is None or not namespace.lexing_known:
        return None
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return None


def ambiguous(text: str, namespace: Namespace) -> str | None:
    """Why the server may read the text in another way than the parser; None: it cannot.

    Without standard_conforming_strings a backslash in an ordinary string escapes the next character, a quote included. While
    a change of settings is in flight nobody knows whether it does, nor in which encoding bytes are read.
    """
    if namespace.lexing_known:
        if namespace.standard_conforming_strings or "\\" not in text:
            return None
        return "it has a backslash, and standard_conforming_strings is off"
    if _SAFE_WITHOUT_LEXING.fullmatch(text) is None:
        return "how the session reads backslashes and letters beyond ASCII is not known at this moment"
    return None


def doubtful_name(text: str, namespace: Namespace) -> str | None:
    """Why a name in the text may be another one to the server than to the parser, which reads all as UTF-8; None: none may.

    The server folds, cuts and compares names in the encoding of the database. In LATIN1 it cuts at 63 letters and not bytes, so
    that two names are one here and two there, and what is judged of one would be run of the other.
    """
    client, server = namespace.client_encoding.upper(), namespace.server_encoding.upper()
    if server == "UTF8" and (client in _AS_IT_IS or client in _ONE_BYTE):
        return None
    escapes = "&" in text and ("U&" in text or "u&" in text)
    if text.isascii() and not escapes:
        return None
    careful = server in _ONE_BYTE and (client in ("UTF8", "UNICODE") or client in _ONE_BYTE)
    try:
        found = parser.scan(text)
    except (Error, UnicodeError):
        return "the lexer cannot cut it"
    for token in found:
        if token.name == "UIDENT":
            return "it has a name written with escapes, in a database or session that is not in UTF8"
        if token.name != "IDENT":
            continue
        name = text[token.start : token.end + 1]
        if name.isascii():
            continue
        quoted = name.startswith('"')
        if not careful or not (quoted or name == name.lower()) or len(name.encode()) - 2 * quoted > _NAME_BYTES:
            return f"the database's encoding may make another name of {name[:_NAME_BYTES]}"
    return None


def too_big(text: str) -> str | None:
    """Why the text is not even parsed; None: it may be. Costs a few microseconds for an ordinary statement."""
    if "\0" in text:
        return "it has a NUL character"
    length = len(text)
    if length > MAX_BYTES or (length > MAX_BYTES // 4 and len(text.encode("utf-8", "replace")) > MAX_BYTES):
        return f"it is longer than {MAX_BYTES} bytes"
    if length > 48 and _runs(text) > _RUN_COST:
        return "it has long runs of operator characters"
    if length > _MANY_TOKENS:
        for count, _ in enumerate(_TOKEN.finditer(text)):
            if count == MAX_TOKENS:
                return f"it has more than {MAX_TOKENS} tokens"
    return None


def _runs(text: str) -> int:
    cost = 0
    for run in _OPERATOR_RUN.finditer(text):
        cost += (run.end() - run.start()) ** 2
    return cost
