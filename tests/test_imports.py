"""The arrows of docs/design.md §3: `wireproxy` imports `protocols` and `rules`; these two know neither each other nor the world."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORLD = {
    "trio",
    "socket",
    "time",
    "os",
    "random",
    "logging",
    "asyncio",
    "subprocess",
    "threading",
    "secrets",
    "select",
    "ssl",
    "io",
}
PURE = sorted(path for package in ("protocols", "rules") for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_packages_do_not_touch_the_world(path: Path) -> None:
    forbidden = WORLD | {"wireproxy", "rules" if path.relative_to(ROOT).parts[0] == "protocols" else "protocols"}
    assert not imported(path) & forbidden


@pytest.mark.parametrize(
    "path", sorted((ROOT / "protocols").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_protocols_need_nothing_but_the_standard_library_and_what_reads_and_writes_bytes(path: Path) -> None:
    assert imported(path) - native_types(path) <= set(sys.stdlib_module_names) | {"protocols", "librt"}


def native_types(path: Path) -> set[str]:
    """mypy_extensions where nothing runs it: names of machine integers, for the compiler alone."""
    guarded = [
        statement
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
    ]
    alone = all(isinstance(each, ast.ImportFrom) and each.module == "mypy_extensions" for each in guarded)
    return {"mypy_extensions"} if guarded and alone else set()
