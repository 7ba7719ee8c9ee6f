"""What holds for all tests: none fails by the clock on the wall."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("slod", deadline=None)
settings.load_profile("slod")
