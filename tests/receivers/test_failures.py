"""Every receiver over HTTP in the same trouble: limits, errors, silence, bad certificates."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from exporter.errors import DeliveryError
from exporter.receivers.base import Receiver
from tests.receivers.kit import FIRING, NOW, Listener, listening, receiver

KINDS = ("slack", "pagerduty", "opsgenie", "http", "webhook")


def made(kind: str, url: str, folder: Path, more: str = "", timeout: str = "300ms") -> Receiver:
    for name, text in (("url", f"{url}/s3cret"), ("key", "s3cret")):
        (folder / name).write_text(text)
    own = {
        "slack": f'url_file = "{folder}/url"',
        "pagerduty": f'url = "{url}"\nrouting_key_file = "{folder}/key"',
        "opsgenie": f'url = "{url}"\napi_key_file = "{folder}/key"',
        "http": f'url = "{url}"\nbearer_token_file = "{folder}/key"\nbody = "{{{{ title }}}}"',
        "webhook": f'url = "{url}"\nsecret_file = "{folder}/key"',
    }
    return receiver(kind, f'{own[kind]}\ntimeout = "{timeout}"\n{more}')


async def failure(told: Receiver) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await told.send([FIRING], NOW)
    await told.close()
    assert "s3cret" not in f"{caught.value} {told.endpoint}"
    assert not caught.value.permanent
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
async def test_too_many_requests_wait_as_long_as_is_asked(
    kind: str, api: Listener, tmp_path: Path
) -> None:
    api.status, api.headers = 429, {"Retry-After": "30"}
    error = await failure(made(kind, api.url, tmp_path))
    assert (error.reason, error.retry_after) == ("http_429", 30.0)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_error_is_tried_again(kind: str, api: Listener, tmp_path: Path) -> None:
    api.status = 500
    assert (await failure(made(kind, api.url, tmp_path))).reason == "http_500"


@pytest.mark.parametrize("kind", KINDS)
async def test_silence_ends_at_the_timeout(kind: str, tmp_path: Path) -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert (await failure(made(kind, f"http://127.0.0.1:{port}", tmp_path))).reason == "timeout"
    for writer in writers:
        writer.close()
    server.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_there_is_refused(kind: str, tmp_path: Path) -> None:
    assert (await failure(made(kind, "http://127.0.0.1:1", tmp_path))).reason == "refused"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_must_be_trusted(kind: str, tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    async with listening(context) as api:
        # A handshake takes longer than the usual timeout here where a machine is busy.
        untrusting = made(kind, api.url, tmp_path, timeout="30s")
        assert (await failure(untrusting)).reason == "tls"
        assert api.requests == []
        trusting = f'tls = {{ ca_file = "{tmp_path}/ca.pem" }}'
        told = made(kind, api.url, tmp_path, trusting, timeout="30s")
        await told.send([FIRING], NOW)
        await told.close()
        assert len(api.requests) == 1
