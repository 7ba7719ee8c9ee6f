"""The labels of every metric of an SLO."""

from __future__ import annotations

from exporter.core.naming import own_labels
from tests.core.builders import slo


def test_own_labels_stand_beside_slo_and_service_and_never_in_their_place() -> None:
    found = own_labels(slo("a"), {"team": "x", "window": "y", "slo": "z"})
    assert found == {
        "slo": "a",
        "service": "shop",
        "team": "x",
        "exported_window": "y",
        "exported_slo": "z",
    }
