"""Imports structlog for the first time, without rich.

structlog takes rich for its tracebacks wherever that can be imported: 3 MiB and 80 ms in every
daemon, and another look of the log, while only `slod status` needs it.
"""

from __future__ import annotations

import sys

_HIDDEN = "rich" not in sys.modules
if _HIDDEN:
    sys.modules["rich"] = None  # type: ignore[assignment] # What the import system takes for "no".
try:
    import structlog
finally:
    if _HIDDEN:
        del sys.modules["rich"]

__all__ = ["structlog"]
