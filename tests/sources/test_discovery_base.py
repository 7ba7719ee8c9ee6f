"""From an address and its meta labels to a URL, an instance and a name that may be shown."""

from __future__ import annotations

import pytest

from exporter.sources.discovery.base import instance_of, shown, target_url


@pytest.mark.parametrize(
    ("address", "labels", "url"),
    [
        ("a:1", {}, "http://a:1/metrics"),
        ("a", {"__scheme__": "https"}, "https://a/metrics"),
        ("a:1", {"__metrics_path__": "x/y"}, "http://a:1/x/y"),
        ("a:1", {"__param_target": "b c"}, "http://a:1/metrics?target=b+c"),
        ("a:1", {"__metrics_path__": "/p?m=1", "__param_t": "2"}, "http://a:1/p?m=1&t=2"),
        ("https://a/m", {"__scheme__": "http"}, "https://a/m"),
    ],
)
def test_meta_labels_make_the_url_as_in_prometheus(
    address: str, labels: dict[str, str], url: str
) -> None:
    assert target_url(address, labels, "http", "/metrics") == url


@pytest.mark.parametrize(
    ("url", "instance"),
    [
        ("http://a/metrics", "a:80"),
        ("https://a/metrics", "a:443"),
        ("http://me:pw@a:81/metrics", "a:81"),
        ("http://[fd00::1]:9100/metrics", "[fd00::1]:9100"),
        ("ftp://a/metrics", None),
        ("http:///metrics", None),
        ("http://a:port/metrics", None),
    ],
)
def test_an_instance_is_host_and_port(url: str, instance: str | None) -> None:
    assert instance_of(url) == instance


def test_a_name_is_told_without_login_and_without_what_a_query_says() -> None:
    assert shown("http://me:pw@a:1/m") == "http://a:1/m"
    one, two = shown("http://a/p?key=s3cret"), shown("http://a/p?key=other")
    assert one != two
    assert one == shown("http://me@a/p?key=s3cret")
    assert "s3cret" not in one
