"""The shipped policies, as TOML that people read and copy from. They are data of the package, like a table of constants."""

from __future__ import annotations

from importlib.resources import files

PACKS = ("agent-default", "read-only", "allow-all")


def pack_text(name: str) -> str:
    """Raises KeyError for a name that is not in PACKS."""
    if name not in PACKS:
        raise KeyError(name)
    return files("rules.packs").joinpath(f"{name}.toml").read_text(encoding="utf-8")
