"""What several tests with real servers share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.real.shop import Shop


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """A service whose pods come, restart and go; stopped at the end."""
    shop = Shop(tmp_path)
    yield shop
    await shop.stop()
