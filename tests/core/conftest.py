"""Stories about counting are told three times: slod runs on, or is restarted before each poll."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.core.builders import Reader

Begin = Callable[..., Reader]


@pytest.fixture(params=["", "state", "log"], ids=["runs on", "from its state", "from its log"])
def begin(request: pytest.FixtureRequest) -> Begin:
    """Begin a story, with SLOs or a plain one."""
    return partial(Reader, request.param)
