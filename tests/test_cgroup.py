"""Memory that a control group leaves, by files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.cgroup import memory_left

MB = 1_000_000


def group(folder: Path, names: tuple[str, str, str], most: object, used: int, idle: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{most}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {idle}\n")


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("memory.max", "memory.current", "inactive_file")


def left(root: Path, membership: str) -> int | None:
    own = root / "membership"
    own.write_text(membership)
    return memory_left(root, own)


def test_without_a_group_or_a_limit_there_is_none(tmp_path: Path) -> None:
    assert memory_left(tmp_path, tmp_path / "nothing") is None
    assert left(tmp_path, "") is None
    assert left(tmp_path, "0::/slod\nodd\n") is None
    group(tmp_path / "slod", V2, "max", 5 * MB, 0)
    assert left(tmp_path, "0::/slod\n") is None
    group(tmp_path / "memory", V1, 9_223_372_036_854_771_712, 5 * MB, 0)
    assert left(tmp_path, "4:memory:/\n3:cpu:/\n") is None


@pytest.mark.parametrize("path", ["/", "/a/b", "/system.slice/slod.service"])
def test_pages_of_files_that_are_not_in_use_are_free(tmp_path: Path, path: str) -> None:
    group(tmp_path / path.lstrip("/"), V2, 256 * MB, 100 * MB, 30 * MB)
    assert left(tmp_path, f"0::{path}\n") == 186 * MB


def test_the_nearest_limit_of_all_groups_above_counts(tmp_path: Path) -> None:
    group(tmp_path / "pods" / "slod", V2, 256 * MB, 100 * MB, 0)
    group(tmp_path / "pods", V2, 500 * MB, 450 * MB, 0)
    assert left(tmp_path, "0::/pods/slod\n") == 50 * MB
    group(tmp_path / "pods", V2, 500 * MB, 501 * MB, 0)
    assert left(tmp_path, "0::/pods/slod\n") == 0


def test_a_container_that_is_told_the_path_of_its_host_sees_its_own_limit(tmp_path: Path) -> None:
    group(tmp_path / "memory", V1, 256 * MB, 100 * MB, 0)
    assert left(tmp_path, "9:cpu:/\n4:memory,hugetlb:/kubepods/1/2\n0::/\n") == 156 * MB
