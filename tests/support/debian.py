"""Debian's packages without installing them: fetched by an apt with a state of its own, unpacked into a cache.

Needs no root and changes nothing outside the cache. Mirrors are those that the machine's own apt uses.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
STATUS = Path("/var/lib/dpkg/status")


class PackageError(Exception):
    """A package could not be fetched or unpacked."""


def cache_folder() -> Path:
    """Where downloaded servers are kept between runs. For root a folder that `nobody` may read."""
    if os.geteuid() == 0:
        folder = Path("/var/cache/wireproxy")
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wireproxy"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return folder


def host_release() -> str | None:
    """`bookworm`, `trixie`, …; None when this is not Debian."""
    fields: dict[str, str] = {}
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        name, found, value = line.partition("=")
        if found:
            fields[name] = value.strip('"')
    return fields.get("VERSION_CODENAME") if fields.get("ID") == "debian" else None


def unpack(release: str, *packages: str, whole: bool) -> Path:
    """Unpacks packages of a release, with what they depend on, and gives the root of the tree.

    With `whole` everything they need is unpacked, libc included: programs must be run by the tree's own loader
    (`loaded`). Without it only what this machine lacks, for its own release: run with `LD_LIBRARY_PATH`.
    """
    tree = cache_folder() / f"{release}-{packages[0]}{'-whole' if whole else ''}"
    return once(tree, lambda folder: _unpack_into(folder, release, packages, whole))


def unpack_alone(release: str, package: str) -> Path:
    """One package without what it depends on: for a plug-in that a program of another tree loads."""
    return once(cache_folder() / f"{release}-{package}-alone", lambda folder: _unpack_alone(folder, release, package))


def source_files(release: str, package: str, wanted: str) -> Path:
    """The folder `wanted` of a source package's upstream archive, like `src/test/regress`."""
    tree = cache_folder() / f"{release}-source-{package}"
    return once(tree, lambda folder: _extract_source(folder, release, package, wanted)) / wanted


def loaded(root: Path, program: Path) -> list[str | Path]:
    """The command that runs `program` with the loader and the libraries of its own tree."""
    libraries = [root / "usr/lib/x86_64-linux-gnu", root / "usr/lib/mysql/private"]
    return [root / "usr/lib64/ld-linux-x86-64.so.2", "--library-path", ":".join(map(str, libraries)), program]


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Fills a folder of the cache once, whatever runs at the same time or was interrupted before."""
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / ".done").touch()
    return folder


@frozen
class _Apt:
    """An apt whose lists, cache and idea of what is installed are its own."""

    folder: Path

    @property
    def archives(self) -> Path:
        return self.folder / "cache/archives"

    def __call__(self, *arguments: str, program: str = "apt-get") -> str:
        environment = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"}
        command = [program, "-q", *(["-y"] if program == "apt-get" else []), *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise PackageError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


@contextmanager
def _apt(release: str, scratch: Path, kind: str, status: str) -> Iterator[_Apt]:
    folder = scratch / ".apt"
    for part in ("state/lists/partial", "cache/archives/partial", "none"):
        (folder / part).mkdir(parents=True)
    (folder / "state/status").write_text(status, encoding="utf-8")
    (folder / "sources.list").write_text(_sources(release, kind), encoding="utf-8")
    (folder / "apt.conf").write_text(
        f'Dir::State "{folder}/state";\n'
        f'Dir::State::status "{folder}/state/status";\n'
        f'Dir::Cache "{folder}/cache";\n'
        f'Dir::Etc::sourcelist "{folder}/sources.list";\n'
        f'Dir::Etc::sourceparts "{folder}/none";\n'
        f'Dir::Etc::preferencesparts "{folder}/none";\n'
        'Acquire::Languages "none";\n'
        'Acquire::Retries "3";\n'
        f'APT::Sandbox::User "";\n',
        encoding="utf-8",
    )
    apt = _Apt(folder)
    apt("update")
    yield apt
    shutil.rmtree(folder)


def _sources(release: str, kind: str) -> str:
    mirror, security = _mirrors()
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    lines = [f"{kind} {signed}{mirror} {release} main"]
    if release != "sid":
        lines.append(f"{kind} {signed}{mirror} {release}-updates main")
        lines.extend([f"{kind} {signed}{security} {release}-security main"] if security else [])
    return "\n".join(lines) + "\n"


def _mirrors() -> tuple[str, str | None]:
    """The main and the security mirror that the machine's apt is set up with."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise PackageError(f"no apt here to fetch packages with: {error}") from error
    plain = [uri for uri in found if uri.rstrip("/").endswith("/debian")]
    security = [uri for uri in found if uri.rstrip("/").endswith("/debian-security")]
    if not plain:
        raise PackageError("apt on this machine knows no Debian mirror, or `apt-get update` was never run")
    return plain[0], security[0] if security else None


def _unpack_into(folder: Path, release: str, packages: tuple[str, ...], whole: bool) -> None:
    # an apt that believes nothing is installed fetches the whole closure; one that knows what is here, the rest
    status = "" if whole else _installed_but(packages)
    with _apt(release, folder, "deb", status) as apt:
        apt("install", "--download-only", "--no-install-recommends", *packages)
        # both layouts of Debian's file system land in /usr
        for part in ("bin", "sbin", "lib", "lib64"):
            (folder / "usr" / part).mkdir(parents=True)
            (folder / part).symlink_to(f"usr/{part}")
        for archive in sorted(apt.archives.glob("*.deb")):
            _untar(archive, folder)


def _unpack_alone(folder: Path, release: str, package: str) -> None:
    with _apt(release, folder, "deb", "") as apt:
        apt("download", package)
        for archive in apt.folder.glob("*.deb"):
            _untar(archive, folder)


def _installed_but(packages: tuple[str, ...]) -> str:
    """What dpkg knows of this machine, without the packages wanted and their family (`postgresql` is `postgresql-15` too)."""
    family = tuple(f"Package: {name}" for name in packages)
    stanzas = STATUS.read_text(encoding="utf-8").split("\n\n")
    return "\n\n".join(stanza for stanza in stanzas if not stanza.startswith(family))


def _untar(archive: Path, folder: Path) -> None:
    opened = subprocess.Popen(["dpkg", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
    command = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(folder)]
    done = subprocess.run(command, stdin=opened.stdout, capture_output=True, text=True)
    if opened.wait() or done.returncode:
        raise PackageError(f"{archive.name} could not be unpacked: {done.stderr}")


def _extract_source(folder: Path, release: str, package: str, wanted: str) -> None:
    with _apt(release, folder, "deb-src", "") as apt:
        archive = _source_archive(apt, package)
        command = ["tar", "-x", "-f", str(archive), "--strip-components=1", "-C", str(folder), "--no-same-owner"]
        done = subprocess.run([*command, "--wildcards", f"*/{wanted}"], capture_output=True, text=True)
        if done.returncode:
            raise PackageError(f"{archive.name} could not be unpacked: {done.stderr}")


def _source_archive(apt: _Apt, package: str) -> Path:
    """The upstream archive of the newest version that the mirrors still have: indices run ahead of some of them."""
    shown = apt("showsrc", "--only-source", package, program="apt-cache").splitlines()
    versions = [line.removeprefix("Version: ") for line in shown if line.startswith("Version: ")]
    failure = PackageError(f"no source package {package} in this release")
    for version in versions:
        try:
            apt("source", "--download-only", f"{package}={version}")
        except PackageError as error:
            failure = error
        else:
            return next(path for path in apt.folder.iterdir() if ".orig.tar" in path.name and path.suffix != ".asc")
    raise failure
