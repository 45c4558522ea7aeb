"""How much memory there is: that of the machine, or of the container if it may have less."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

KIB: Final = 1024
UNITS: Final = {"kB": KIB, "MB": KIB**2, "GB": KIB**3, "TB": KIB**4}
"""As PostgreSQL writes them."""
PROC: Final = Path("/proc/self/cgroup")
CGROUPS: Final = Path("/sys/fs/cgroup")


def available_bytes(*, memberships: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Memory that this process and others of its container may take together."""
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_limits(memberships, cgroups)])


def parse(value: str) -> int:
    """Bytes: a number with a unit of PostgreSQL's, as in 512MB or 1.5 GB. Raises ValueError with the rest of a sentence."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(kB|MB|GB|TB)", value, re.IGNORECASE)
    if found is None:
        raise ValueError(f"is “{value}”: it must be a number with kB, MB, GB or TB, as in 16GB.")
    unit = next(each for each in UNITS if each.lower() == found[2].lower())
    return int(float(found[1]) * UNITS[unit])


def text(num_bytes: int) -> str:
    """In whole megabytes, or in whole gigabytes."""
    megabytes = num_bytes // UNITS["MB"]
    return f"{megabytes // KIB}GB" if megabytes and not megabytes % KIB else f"{megabytes}MB"


def _limits(memberships: Path, cgroups: Path) -> Iterator[int]:
    """Of the control group of this process and of those around it, both versions. What a container does not see is not there."""
    try:
        lines = memberships.read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _limits_around(cgroups, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits_around(cgroups / "memory", path, "memory.limit_in_bytes")


def _limits_around(root: Path, path: str, name: str) -> Iterator[int]:
    group = PurePosixPath(path.lstrip("/"))
    for each in (group, *group.parents):
        try:
            value = (root / each / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value.isdigit():
            yield int(value)
