"""What holds for all tests: none fails by the clock on the wall."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("slod", deadline=None)
settings.load_profile("slod")

# Whoever runs the tests in the background ignores Ctrl-C, and children would take that over.
signal.signal(signal.SIGINT, signal.default_int_handler)
