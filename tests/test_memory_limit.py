"""What cgroups leave: folders as Linux mounts them, of both versions and inside a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.memory_limit import memory_left, memory_share

MIB = 2**20
NO_LIMIT_V1 = "9223372036854771712"


def v2(folder: Path, limit: str, usage: int, cache: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cache}\nactive_file 7\n")


def v1(folder: Path, limit: str, usage: int, cache: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"cache 9\ntotal_inactive_file {cache}\n")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def test_the_nearest_limit_of_all_outer_groups_counts(tmp_path: Path, own: Path) -> None:
    own.write_text("0::/system.slice/slod.service\n")
    v2(tmp_path / "system.slice", str(600 * MIB), 500 * MIB)
    v2(tmp_path / "system.slice" / "slod.service", str(512 * MIB), 100 * MIB)
    assert memory_left(tmp_path, own) == 100 * MIB


def test_page_cache_that_is_not_in_use_is_left(tmp_path: Path, own: Path) -> None:
    own.write_text("0::/\n")
    v2(tmp_path, str(160 * MIB), 150 * MIB, cache=40 * MIB)
    assert memory_left(tmp_path, own) == 50 * MIB


@pytest.mark.parametrize("limit", ["max", "", "none", "²", "1e9"])
def test_without_a_limit_there_is_none(limit: str, tmp_path: Path, own: Path) -> None:
    own.write_text("0::/a\n")
    v2(tmp_path / "a", limit, MIB)
    assert memory_left(tmp_path, own) is None


def test_version_1_has_its_own_folder_and_writes_no_limit_as_a_number(
    tmp_path: Path, own: Path
) -> None:
    own.write_text("5:cpu:/x\n4:cpuset,memory:/docker/abc\n0::/\n")
    v1(tmp_path / "memory", NO_LIMIT_V1, 5 * MIB)
    assert memory_left(tmp_path, own) is None
    # Inside of a container its own group is mounted, and the path of the outer one is not there.
    v1(tmp_path / "memory", str(64 * MIB), 60 * MIB, cache=6 * MIB)
    assert memory_left(tmp_path, own) == 10 * MIB


def test_a_path_out_of_the_namespace_is_the_mount_itself(tmp_path: Path, own: Path) -> None:
    own.write_text("0::/../../other\nnonsense\n")
    v2(tmp_path / "mount", str(64 * MIB), 60 * MIB)
    assert memory_left(tmp_path / "mount", own) == 4 * MIB


def test_where_there_are_no_cgroups_there_is_no_limit(tmp_path: Path, own: Path) -> None:
    assert memory_left(tmp_path, own) is None


def test_a_share_is_a_quarter_and_bounded() -> None:
    shares = [memory_share(64 * MIB, left) for left in (None, 512 * MIB, 100 * MIB, 0, -5)]
    assert shares == [64 * MIB, 64 * MIB, 25 * MIB, 0, 0]
