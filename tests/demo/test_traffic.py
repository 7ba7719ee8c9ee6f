from __future__ import annotations

import random

from exporter.demo.traffic import Fault, Traffic


def counted(traffic: Traffic, **labels: str) -> float:
    return sum(
        sample.value
        for family in traffic.registry.collect()
        for sample in family.samples
        if sample.name == "http_requests_total"
        and all(sample.labels[name] == value for name, value in labels.items())
    )


def value(traffic: Traffic, name: str, **labels: str) -> float:
    found = traffic.registry.get_sample_value(name, labels)
    assert found is not None
    return found


def test_fractions_of_a_request_add_up_to_whole_ones() -> None:
    traffic = Traffic(0, random.Random(1))
    for _ in range(10):
        traffic.handle(0.25)
    assert counted(traffic) == 2


def test_every_series_is_there_from_the_start_at_zero() -> None:
    traffic = Traffic(0, random.Random(1))
    assert value(traffic, "http_requests_total", code="500", route="/pay") == 0
    assert value(traffic, "http_request_duration_seconds_count", code="500") == 0


def test_the_start_of_the_process_is_told() -> None:
    assert value(Traffic(1_700_000_000, random.Random(1)), "process_start_time_seconds") == 1.7e9


def test_healthy_traffic_stays_within_both_objectives() -> None:
    traffic = Traffic(0, random.Random(1))
    traffic.handle(30_000)
    good = value(traffic, "http_request_duration_seconds_bucket", code="200", le="0.5")
    assert counted(traffic, code="500") / 30_000 < 0.001
    assert 1 - good / 30_000 < 0.01


def test_a_fault_makes_its_shares_of_requests_fail_and_be_slow() -> None:
    traffic = Traffic(0, random.Random(1))
    traffic.fault = Fault(errors=0.3, slow=0.2)
    traffic.handle(20_000)
    count = value(traffic, "http_request_duration_seconds_count", code="200")
    quick = value(traffic, "http_request_duration_seconds_bucket", code="200", le="0.5")
    assert abs(counted(traffic, code="500") / 20_000 - 0.3) < 0.02
    assert abs(1 - quick / count - 0.2) < 0.02


def test_the_same_seed_gives_the_same_traffic() -> None:
    def errors(seed: int) -> float:
        traffic = Traffic(0, random.Random(seed))
        traffic.fault = Fault(errors=0.5)
        traffic.handle(1_000)
        return counted(traffic, code="500")

    assert errors(7) == errors(7) != errors(8)
