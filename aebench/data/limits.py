"""How much memory there is, and so how large a file, once decompressed, or an array may be."""

from pathlib import Path

from aebench.errors import InputError

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
PAGE_CACHE = ("active_file", "inactive_file")
SHARE = 0.5
"""Fraction of the free memory that a file or an array may take, since it is converted to another type, and then split."""


def free_memory() -> int | None:
    """Return the free memory in bytes, within the limit of the process's control group; None if it is unknown.

    The page cache counts as free, since the system takes it back when it needs memory.
    """
    free = [1024 * int(line.split()[1]) for line in _lines(MEMINFO) if line.startswith("MemAvailable")]
    limit, used = (_lines(CGROUP / name) for name in ("memory.max", "memory.current"))
    if limit and used and limit[0] != "max":
        cache = [int(line.split()[1]) for line in _lines(CGROUP / "memory.stat") if line.split()[0] in PAGE_CACHE]
        free.append(int(limit[0]) - int(used[0]) + sum(cache))
    return min(free, default=None)


def must_fit(needed: int, what: str, free: int | None = None, share: float = SHARE) -> None:
    """Raise `InputError` if `what` needs more bytes than this share of the memory that is `free` (default: of this machine)."""
    available = free_memory() if free is None else free
    if available is not None and needed > share * available:
        limit = f"{share * available / 1e9:,.1f} GB of {available / 1e9:,.1f} GB may be used"
        raise InputError(f"{what} must fit into memory ({limit}), got {needed / 1e9:,.1f} GB")


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
