from __future__ import annotations

from tests.fuzz.kit import corpus, fuzz
from tests.fuzz.pages import Readers

KIND = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)


check = Readers(KIND, corpus("protobuf")).check


def test_protobuf_pages() -> None:
    fuzz("protobuf", check, 6000)


def test_protobuf_families_after_one_another() -> None:
    """Lengths made right again, so that changes reach what lies inside."""
    readers = Readers(KIND, corpus("protobuf"))

    def check_framed(body: bytes) -> None:
        length, framed = len(body), b""
        while length > 0x7F:
            framed += bytes([length & 0x7F | 0x80])
            length >>= 7
        readers.check(framed + bytes([length]) + body)

    inside = [
        seed[2:] if seed[1:2] >= b"\x01" and seed[0] > 0x7F else seed[1:]
        for seed in corpus("protobuf")
        if seed
    ]
    fuzz("protobuf", check_framed, 4000, seeds=inside)
