"""On which line of a TOML text a key stands. The parser of the standard library gives values without positions.

The text has been parsed before, so it is valid TOML (https://toml.io/en/v1.0.0); what cannot be followed ends the search early
and costs lines in messages, nothing else. Paths are those of the parsed document: ("policy", "shop", "rule", 0, "name").
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")
_SIMPLE_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)


def locate(text: str) -> Mapping[Path, int]:
    """Each path of the document to its line, from 1."""
    scan = _Scan(text)
    try:
        scan.document()
    except (IndexError, ValueError):
        pass  # see the module's first words
    return scan.lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of a key, or of the nearest table around it that is written down; 1 if there is none."""
    for length in range(len(path), 0, -1):
        if (line := lines.get(path[:length])) is not None:
            return line
    return 1


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0  # lines before this offset are counted
        self._last: dict[Path, int] = {}  # the last element of each array of tables
        self.lines: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while True:
            self._take(_BLANK)
            if self._at >= len(self._text):
                return
            line = self._here()
            if self._text.startswith("[[", self._at):
                table = self._element(self._header(2))
            elif self._text[self._at] == "[":
                table = self._resolve(self._header(1))
            else:
                self._pair(table)
                continue
            for length in range(1, len(table)):
                self.lines.setdefault(table[:length], line)
            self.lines[table] = line

    def _header(self, brackets: int) -> list[str]:
        self._at += brackets
        names = self._dotted()
        self._at += brackets
        return names

    def _resolve(self, names: list[str]) -> Path:
        path: Path = ()
        for name in names:
            path += (name,)
            if path in self._last:
                path += (self._last[path],)
        return path

    def _element(self, names: list[str]) -> Path:
        path = (*self._resolve(names[:-1]), names[-1])
        self._last[path] = self._last.get(path, -1) + 1
        self.lines.setdefault(path, self._here())
        return (*path, self._last[path])

    def _pair(self, table: Path) -> None:
        line = self._here()
        path = table
        for name in self._dotted():
            path += (name,)
            self.lines.setdefault(path, line)
        if self._text[self._at] != "=":
            raise ValueError("no value")
        self._at += 1
        self._take(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        self.lines.setdefault(path, self._here())
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first in "\"'":
            self._string()
        else:
            self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        position = 0
        while True:
            self._take(_BLANK)
            if self._text[self._at] == "]":
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                position += 1
                continue
            self._value((*path, position))

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while True:
            self._take(_BLANK)
            if self._text[self._at] == "}":
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._pair(path)

    def _dotted(self) -> list[str]:
        names = []
        while True:
            self._take(_SPACE)
            names.append(self._string() if self._text[self._at] in "\"'" else self._bare())
            self._take(_SPACE)
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _bare(self) -> str:
        start = self._at
        self._take(_BARE)
        if start == self._at:
            raise ValueError("no key")
        return self._text[start : self._at]

    def _string(self) -> str:
        start = self._at
        self._take(_STRING)
        if start == self._at:
            raise ValueError("no string")
        found = self._text[start : self._at]
        return _ESCAPE.sub(_unescape, found[1:-1]) if found[0] == '"' else found[1:-1]

    def _take(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _SIMPLE_ESCAPES.get(match[3], match[3])
