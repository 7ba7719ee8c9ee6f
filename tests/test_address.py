"""Whatever text stands for an address: it is read, or a ValueError says that it is none."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from exporter.address import parsed
from exporter.config.settings import HTTP
from exporter.headers import location
from exporter.http import Client, TransportError
from exporter.printable import printable
from exporter.redaction import UNREADABLE, readable, redact
from exporter.sources.discovery.base import instance_of

ODD = ("http://[]@", "http://[]@/metrics", "p://[]@", "http://[", "http://a]b")


@given(st.text(alphabet="htp:/@[]?#%.\\a1\udcff", max_size=30))
def test_any_text_is_an_address_or_none(text: str) -> None:
    for one in (text, f"http://{text}", f"//{text}"):
        with contextlib.suppress(ValueError):
            assert isinstance(parsed(one), URL)
        assert printable(redact(one)) is not None
        assert printable(readable(f"see {one}, it failed")) is not None


@pytest.mark.parametrize("text", ODD)
async def test_what_is_no_address_is_none_wherever_one_may_stand(text: str) -> None:
    assert redact(text) == UNREADABLE
    assert instance_of(text) is None
    assert location({"Location": text}, URL("http://here/")) is None
    client = Client(HTTP())
    with pytest.raises(TransportError) as caught:
        await client.request("GET", text)
    assert caught.value.reason == "bad_url"
    await client.close()
