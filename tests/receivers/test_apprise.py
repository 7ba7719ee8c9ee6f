"""Apprise, telling a local server in its own JSON; and what happens without it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from exporter.config.load import parse
from exporter.errors import ConfigError, DeliveryError
from exporter.receivers.base import Receiver
from tests.receivers.kit import FIRING, NOW, RESOLVED, Listener, listening, receiver


def everything(folder: Path, *urls: str, timeout: str = "10s") -> Receiver:
    (folder / "urls").write_text("# where to\n" + "\n".join(urls) + "\n")
    return receiver("apprise", f'urls_file = "{folder}/urls"\ntimeout = "{timeout}"')


def as_apprise(api: Listener, path: str) -> str:
    """Its scheme for a POST of JSON: version, title, message, type."""
    return api.url.replace("http://", "json://") + path


# Apprise imports all its plugins, some of which import what Python is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def test_each_service_is_told_title_text_and_kind(api: Listener, tmp_path: Path) -> None:
    told = everything(tmp_path, as_apprise(api, "/a"), as_apprise(api, "/b"))
    await told.send([FIRING, RESOLVED], NOW)
    await told.close()
    assert [h.path for h in api.requests] == ["/a", "/b", "/a", "/b"]
    first, *_, last = (heard.json for heard in api.requests)
    assert first["title"] == "[page] checkout: error budget burns 20.0x over 1h"
    assert first["message"].startswith("9 bad of 99 events & <rising>.")
    assert "Budget remaining: 43.2%" in first["message"]
    assert (first["type"], last["type"]) == ("failure", "success")
    assert last["title"].startswith("[resolved] ")


async def test_only_the_service_that_failed_is_told_again(api: Listener, tmp_path: Path) -> None:
    async with listening() as ill:
        told = everything(tmp_path, as_apprise(ill, "/s3cret"), as_apprise(api, "/well"))
        ill.status = 500
        with pytest.raises(DeliveryError) as caught:
            await told.send([FIRING], NOW)
        assert (caught.value.reason, caught.value.permanent) == ("apprise", False)
        assert "s3cret" not in str(caught.value)
        ill.status = 200
        await told.send([FIRING], NOW)
        await told.close()
        assert (len(ill.requests), len(api.requests)) == (2, 1)


async def test_a_service_that_is_silent_holds_up_nobody(tmp_path: Path) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    told = everything(tmp_path, f"json://127.0.0.1:{port}/s3cret?rto=1", timeout="200ms")
    with pytest.raises(DeliveryError) as caught:
        await told.send([FIRING], NOW)
    await told.close()
    assert (caught.value.reason, caught.value.permanent) == ("timeout", False)
    assert "s3cret" not in str(caught.value)
    for writer in writers:
        writer.close()
    server.close()


async def test_an_url_that_apprise_does_not_know_is_a_failure(tmp_path: Path) -> None:
    for urls in (("nosuch://s3cret",), ()):
        told = everything(tmp_path, *urls)
        with pytest.raises(DeliveryError) as caught:
            await told.send([FIRING], NOW)
        await told.close()
        assert not caught.value.permanent
        assert "s3cret" not in str(caught.value)


def test_without_apprise_the_configuration_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError) as caught:
        parse('[receiver.x]\ntype = "apprise"\nurls_env = "X"', "slod.toml")
    [found] = caught.value.findings
    assert found.startswith("slod.toml:2: receiver.x.type: Apprise is not installed; ")
    assert "pip install 'slod[apprise]'" in found
