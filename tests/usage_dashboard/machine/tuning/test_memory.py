"""How much memory there is: a container's limit counts where it is lower than the machine's memory."""

import os
from pathlib import Path

import pytest

from usage_dashboard.machine.tuning.memory import available_bytes, parse, text

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
MB = 1024**2


def made(directory: Path, memberships: str, limits: dict[str, str]) -> int:
    """What a process with these control groups may take."""
    groups = directory / "cgroups"
    for name, value in limits.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(f"{value}\n", encoding="ascii")
    (directory / "cgroup").write_text(memberships, encoding="ascii")
    return available_bytes(memberships=directory / "cgroup", cgroups=groups)


def test_without_a_container_it_is_the_machines(tmp_path: Path) -> None:
    assert available_bytes(memberships=tmp_path / "none", cgroups=tmp_path) == MACHINE
    assert made(tmp_path, "0::/\n", {"memory.max": "max"}) == MACHINE


def test_a_container_counts_as_its_limit(tmp_path: Path) -> None:
    assert made(tmp_path, "0::/\n", {"memory.max": str(512 * MB)}) == 512 * MB


def test_the_lowest_limit_of_the_groups_around_it_holds(tmp_path: Path) -> None:
    limits = {
        "memory.max": "max",
        "user.slice/memory.max": str(300 * MB),
        "user.slice/dashboard.service/memory.max": str(700 * MB),
    }
    assert made(tmp_path, "0::/user.slice/dashboard.service\n", limits) == 300 * MB


def test_control_groups_of_the_first_version_are_read_as_well(tmp_path: Path) -> None:
    """In a container the path is that of the host, and the limit stands at the root."""
    memberships = "9:name=systemd:/\n4:cpu,memory:/docker/0123\n"
    assert made(tmp_path, memberships, {"memory/memory.limit_in_bytes": str(256 * MB)}) == 256 * MB


def test_no_limit_of_the_first_version_is_a_number_beyond_all_memory(tmp_path: Path) -> None:
    assert made(tmp_path, "4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}) == MACHINE


@pytest.mark.parametrize(
    ("value", "num_bytes"),
    [("16GB", 16 * 1024 * MB), ("512 mb", 512 * MB), ("1.5GB", 1536 * MB), ("2048kB", 2 * MB), ("1TB", 1024**2 * MB)],
)
def test_amounts_are_read_as_postgresql_writes_them(value: str, num_bytes: int) -> None:
    assert parse(value) == num_bytes


@pytest.mark.parametrize("value", ["", "16", "GB", "-1GB", "16 gallons", "16GiB", "١٦GB GB"])
def test_what_is_no_amount_is_said(value: str) -> None:
    with pytest.raises(ValueError, match="must be a number with kB, MB, GB or TB"):
        parse(value)


def test_amounts_are_written_in_whole_numbers() -> None:
    assert [text(num) for num in (128 * MB, 1024 * MB, 1536 * MB, 1024 * MB + 5)] == ["128MB", "1GB", "1536MB", "1GB"]
