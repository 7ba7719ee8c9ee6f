"""What `slod demo` shows: a faulty sample service, a receiver that prints, and their settings."""

from __future__ import annotations

from exporter.demo.run import DemoParts, Ports, config_text, demo_parts

__all__ = ["DemoParts", "Ports", "config_text", "demo_parts"]
