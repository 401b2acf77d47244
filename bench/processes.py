"""CPU time of a process and of all that it started, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@frozen
class CpuTime:
    """Seconds on a CPU: in the program's own code, and in the kernel on its behalf."""

    user_s: float = 0.0
    system_s: float = 0.0

    def __add__(self, other: CpuTime) -> CpuTime:
        return CpuTime(self.user_s + other.user_s, self.system_s + other.system_s)

    def __sub__(self, other: CpuTime) -> CpuTime:
        return CpuTime(self.user_s - other.user_s, self.system_s - other.system_s)


def cpu_time(pid: int) -> CpuTime:
    """Of `pid`, its living descendants and the children that any of them has waited for. Spec: proc(5), /proc/pid/stat."""
    parents = {int(entry.name): stat for entry in Path("/proc").glob("[0-9]*") if (stat := _stat(entry)) is not None}
    family = {pid}
    while grown := {child for child, stat in parents.items() if int(stat[1]) in family} - family:
        family |= grown
    total = CpuTime()
    for member in family & parents.keys():
        user, system, waited_user, waited_system = (int(parents[member][index]) * TICK_S for index in (11, 12, 13, 14))
        total += CpuTime(user + waited_user, system + waited_system)
    return total


def _stat(entry: Path) -> list[str] | None:
    """The fields after the command's name, which is in parentheses and may hold anything; None: the process is gone."""
    try:
        return (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def resident_bytes(pid: int) -> int:
    """Memory of one process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes(pid: int) -> int:
    """The most memory that the process has had in RAM. Spec: proc(5), VmHWM in /proc/pid/status."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
