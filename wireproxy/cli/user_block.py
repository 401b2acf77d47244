"""`[user.NAME]` blocks in a configuration that people wrote: changed in place, comments kept, nothing else touched.

TOML can be spelled in many ways, so an edit is believed only after the changed text was read back and everything but
this user is as it was.
"""

from __future__ import annotations

import fcntl
import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from attrs import evolve, frozen

Change = Callable[[str], str]
_Table = dict[str, object]
_UNSURE = "it is spelled in a way that this command does not dare to change: do it by hand"


class EditRefused(Exception):
    """The configuration is left as it was. The message says what to do by hand."""


@frozen
class User:
    name: str
    verifier: str | None
    mysql_verifier: str | None
    groups: Sequence[str] = ()
    mysql_native_verifier: str | None = None


def block(user: User) -> str:
    lines = [f"[user.{_quoted(user.name)}]"]
    if user.verifier is not None:
        lines.append(f"verifier = {_quoted(user.verifier)}")
    if user.mysql_verifier is not None:
        lines.append(f"mysql_verifier = {_quoted(user.mysql_verifier)}")
    if user.mysql_native_verifier is not None:
        lines.append(f"mysql_native_verifier = {_quoted(user.mysql_native_verifier)}")
    if user.groups:
        lines.append(f"groups = [{', '.join(_quoted(group) for group in sorted(set(user.groups)))}]")
    return "\n".join(lines) + "\n"


def listed(text: str) -> list[User]:
    """In the order of the file. Raises EditRefused if it is no TOML."""
    return [_user(name, table) for name, table in _users(_parsed(text)).items()]


def added(text: str, user: User, *, replace: bool) -> str:
    """Raises EditRefused."""
    before = _parsed(text)
    present = _users(before).get(user.name)
    if present is None:
        joint = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return _checked(before, text + joint + block(user), user.name, user)
    if not replace:
        raise EditRefused(f"there is a user {user.name!r} already; --replace gives it a new password")
    if not user.groups:
        user = evolve(user, groups=_user(user.name, present).groups)
    start, end = _span(text, user.name)
    lines = text.splitlines(keepends=True)
    return _checked(before, "".join(lines[:start]) + block(user) + "".join(lines[end:]), user.name, user)


def removed(text: str, name: str) -> str:
    """Raises EditRefused."""
    before = _parsed(text)
    if name not in _users(before):
        raise EditRefused(f"there is no user {name!r}; `wireproxy user list` shows who there is")
    start, end = _span(text, name)
    lines = text.splitlines(keepends=True)
    while end < len(lines) and not lines[end].strip():  # the blank lines above it are enough
        end += 1
    return _checked(before, "".join(lines[:start]) + "".join(lines[end:]), name, None)


def rewrite(path: Path, change: Change) -> None:
    """In one step: whoever reads the file meanwhile finds the old or the new one whole. Mode and owner stay."""
    path = path.resolve()
    with _locked(path.parent):
        _rewrite(path, change)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two who add users at once: the second one's edit starts from the first one's. The file itself is replaced, so no lock on it
    would last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _rewrite(path: Path, change: Change) -> None:
    old = path.read_bytes().decode("utf-8")  # line ends as they are
    found = path.stat()
    new = change(old)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(new)
            file.flush()
            if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), found.st_uid, found.st_gid)
            os.fchmod(file.fileno(), found.st_mode & 0o7777)
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _parsed(text: str) -> _Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EditRefused(f"it is not valid TOML: {error}") from error


def _users(data: _Table) -> dict[str, object]:
    users = data.get("user", {})
    if not isinstance(users, dict):
        raise EditRefused("`user` is not a table; each user is a [user.NAME]")
    return cast(dict[str, object], users)


def _user(name: str, table: object) -> User:
    values = table if isinstance(table, dict) else {}
    verifier, mysql, native = (values.get(f"{prefix}verifier") for prefix in ("", "mysql_", "mysql_native_"))
    groups = values.get("groups")
    return User(
        name,
        verifier if isinstance(verifier, str) else None,
        mysql if isinstance(mysql, str) else None,
        [group for group in groups if isinstance(group, str)] if isinstance(groups, list) else [],
        native if isinstance(native, str) else None,
    )


def _span(text: str, name: str) -> tuple[int, int]:
    """First line of the user's table, and the line after it; comments right above the next table are the next table's."""
    lines = text.splitlines(keepends=True)
    headers = [index for index, line in enumerate(lines) if line.lstrip().startswith("[")]
    start = next((index for index in headers if _is_header_of(lines[index], name)), None)
    if start is None:
        raise EditRefused(f"user {name!r} is not written as a [user.NAME] table: change it by hand")
    end = next((index for index in headers if index > start and _is_header(lines[index])), len(lines))
    if end < len(lines):
        while end > start + 1 and (lines[end - 1].lstrip().startswith("#") or not lines[end - 1].strip()):
            end -= 1
    return start, end


def _is_header(line: str) -> bool:
    try:
        tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _is_header_of(line: str, name: str) -> bool:
    try:
        return tomllib.loads(line) == {"user": {name: {}}}
    except tomllib.TOMLDecodeError:
        return False


def _checked(before: _Table, text: str, name: str, wanted: User | None) -> str:
    try:
        after = _parsed(text)
    except EditRefused:
        raise EditRefused(_UNSURE) from None
    expected = {**before, "user": {key: value for key, value in _users(before).items() if key != name}}
    rest = {**after, "user": {key: value for key, value in _users(after).items() if key != name}}
    present = _users(after).get(name)
    right = present is None if wanted is None else present == tomllib.loads(block(wanted))["user"][name]
    if rest != expected or not right:
        raise EditRefused(_UNSURE)
    return text


def _quoted(text: str) -> str:
    """A TOML basic string: as a key and as a value."""
    escaped = "".join(
        {"\\": "\\\\", '"': '\\"'}.get(character, character) if character.isprintable() else f"\\U{ord(character):08X}"
        for character in text
    )
    return f'"{escaped}"'
