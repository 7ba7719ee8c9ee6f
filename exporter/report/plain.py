"""A review as JSON, for programs: everything that `data.py` names, by the same names."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from exporter.report.data import Numbers, Review, SLOReview


def to_json(review: Review) -> str:
    """One object; what is not finite is null."""
    found = asdict(review) | {"slos": [_slo(one) for one in review.slos]}
    return msgspec.json.encode(found).decode() + "\n"


def _slo(one: SLOReview) -> dict[str, Any]:
    found = asdict(one)
    found["counted"] = _numbers(one.counted)
    found["unadjusted"] = _numbers(one.unadjusted)
    found["spent_by"]["spent"] = one.spent_by.spent
    return found


def _numbers(of: Numbers) -> dict[str, Any]:
    return asdict(of) | {"sli": of.sli, "spent": of.spent}
