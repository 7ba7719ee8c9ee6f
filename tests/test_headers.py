"""Every header that slod reads, with odd values: as if not there, or bounded; never an error.

First the functions that judge them, then whole answers to the client, to receivers and to sources,
then whole requests to a daemon.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from exporter import headers
from exporter.clock import SystemClock
from exporter.config.load import parse
from exporter.config.settings import HTTP
from exporter.core.selector import parse_selector
from exporter.errors import DeliveryError, SourceError
from exporter.http import Client, Response, TransportError
from exporter.sources.promclient import PromClient
from exporter.sources.scrape import ScrapeSource
from tests.app.test_daemon import PageServer, page, write
from tests.app.test_exclusions import running
from tests.receivers.kit import FIRING, NOW, receiver
from tests.support import ManualClock

__all__ = ["page"]

T = 1_700_000_000.0
BASE = URL("http://a:1/x")

ODD = (
    "",
    " ",
    "²",
    "٣",
    "1" * 400,
    "1" * 5000,
    "-1",
    "+1",
    "1.5",
    "1e999",
    "nan",
    "inf",
    "0x10",
    "1_0",
    "1, 2",
    "Thu, 01 Jan 0000 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 99 Foo 2026 99:99:99 GMT",
    "Mon, 01 Jan 2026 00:00:00 -0000",
    "Mon, 01 Jan 99999999999 00:00:00 GMT",
    "Mon, 01 Jan 2026 00:00:00 +99999999",
    "text/plain; charset=²; charset=",
    "application/openmetrics-text; version=²",
    "application/json; charset=no-such-charset",
    "application/x-www-form-urlencoded; charset=no-such-charset",
    "application/x-www-form-urlencoded; charset=²",
    "multipart/form-data",
    ";;;=;,",
    "http://[",
    "http://a:99999999/",
    "http://\udcff/",
    "//",
    "ftp://a/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://" + "a." * 300,
    "gzip;q=²",
    "gzip;q=nan",
    "*/*;q=1e999",
    '"' * 50,
    "Basic ²",
    "Basic ====",
    "a=b; Expires=²; Max-Age=" + "9" * 400,
    "\xff\xfe",
    "x\ty",
    "\udc80\udcff",
)
ODD_FIELDS = st.one_of(
    st.sampled_from(ODD), st.text(max_size=40), st.integers().map(str), st.floats().map(str)
)


@given(st.lists(ODD_FIELDS, max_size=3), st.floats(-1e12, 1e12))
def test_no_judgement_raises_and_all_are_bounded(values: list[str], now: float) -> None:
    for name in ("Retry-After", "Content-Type", "Content-Length", "Location", "Idempotency-Key"):
        fields = CIMultiDict([(name, value) for value in values])
        wait = headers.retry_after(fields, now)
        assert wait is None or (math.isfinite(wait) and 0 <= wait <= headers.LONGEST_WAIT)
        there = headers.location(fields, BASE)
        assert there is None or (there.scheme in ("http", "https") and there.host)
        headers.is_delimited(fields)
        for text in (headers.content_type(fields), headers.idempotency_key(fields) or ""):
            assert len(text.encode()) <= 4 * 8192
        if len(values) != 1:
            assert (wait, there, headers.field(fields, name)) == (None, None, "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("9" * 9, headers.LONGEST_WAIT),
        ("9" * 300, headers.LONGEST_WAIT),
        (formatdate(T + 90, usegmt=True), 90.0),
        (formatdate(T - 90, usegmt=True), 0.0),
        (formatdate(T + 60).replace("-0000", "").strip(), 60.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", headers.LONGEST_WAIT),
        ("²", None),
        ("-5", None),
        ("", None),
    ],
)
def test_a_wait_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert headers.retry_after({"Retry-After": text}, T) == seconds


def test_an_address_is_taken_from_where_the_answer_came() -> None:
    assert headers.location({"Location": "../y?a=b"}, BASE) == URL("http://a:1/y?a=b")
    assert headers.location({"Location": "//b/z"}, BASE) == URL("http://b/z")


# --- whole answers --------------------------------------------------------------------------------

READ = (
    *("Retry-After", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding"),
    *("Location", "Set-Cookie", "Date", "ETag", "Connection", "Keep-Alive"),
)
"""By slod, or by the library for it."""
STATUSES = (200, 204, 301, 307, 403, 408, 425, 429, 500, 503)


@asynccontextmanager
async def answering() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server, and the answers that it has still to give, as bytes; no library would send them."""
    answers: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.lower().split(b"\r\n")
                sizes = [x[16:] for x in lines if x.startswith(b"content-length: ")]
                await reader.readexactly(int(sizes[0]) if sizes else 0)
                writer.write(answers[0])
                if len(answers) > 1:
                    answers.pop(0)
                break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answers
    finally:
        server.close()


def answer(status: int, *fields: tuple[str, str]) -> bytes:
    """With a page as its body."""
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in fields)]
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape").replace(b"\n\n", b"")
    return head + b"\r\nConnection: close\r\n\r\n" + b"a_total 1\n"


def every_answer() -> list[bytes]:
    """Each header with each odd value, once and twice; statuses take turns."""
    answers = []
    for i, name in enumerate(READ):
        for j, value in enumerate(ODD):
            status = STATUSES[(i + j) % len(STATUSES)]
            answers.append(answer(status, (name, value)))
            answers.append(answer(429, (name, value), (name, "5")))
    return answers


async def test_no_answer_is_anything_but_an_answer_or_a_failure_with_a_reason(
    tmp_path: Path,
) -> None:
    text = '[source.app]\ntype = "prometheus"\nurl = "{}"\n[source.page]\ntype = "scrape"\n'
    async with answering() as (url, answers):
        config = parse(text.format(url) + f'targets = ["{url}/metrics"]\n', "slod.toml")
        client = Client(HTTP(timeout=2.0))
        prometheus = PromClient(config.sources["app"], client, SystemClock())  # type: ignore[arg-type]
        hook = receiver("webhook", f'url = "{url}"\ntimeout = "2s"')
        for given_answer in every_answer():
            answers[:] = [given_answer]
            try:
                assert isinstance(await client.request("GET", url), Response)
            except TransportError as error:
                assert error.reason and str(error).isprintable(), given_answer
            try:
                await prometheus.raw("a", 0.0, 10.0)
            except SourceError as error:
                assert error.reason, given_answer
            try:
                await hook.send([FIRING], NOW)
            except DeliveryError as error:
                wait = error.retry_after
                assert wait is None or 0 <= wait <= headers.LONGEST_WAIT, given_answer
        await client.close()
        await hook.close()


async def test_no_header_of_a_page_is_more_than_a_failed_scrape() -> None:
    async with answering() as (url, answers):
        text = f'[source.page]\ntype = "scrape"\ntargets = ["{url}/metrics"]\ntimeout = "2s"\n'
        settings = parse(text, "slod.toml").sources["page"]
        client = Client(HTTP(timeout=2.0))
        from exporter.sources.exposition import PageReader
        from exporter.sources.formats import Formats
        from exporter.sources.page_client import PageClient

        want = parse_selector("a_total")
        for kind in ODD:
            answers[:] = [answer(200, ("Content-Type", kind))]
            reader = PageReader([want], url, {}, max_series=10)
            pages = PageClient(client, url, reader, Formats(settings.protobuf, [want]), 2.0)  # type: ignore[union-attr]
            try:
                await pages.page(url, SystemClock())
            except SourceError as error:
                assert error.reason
        assert ScrapeSource
        await client.close()


# --- whole requests -------------------------------------------------------------------------------

OF_REQUESTS = (
    *("Accept", "Accept-Encoding", "If-None-Match", "Authorization", "Content-Type", "Origin"),
    *("Content-Length", "Idempotency-Key", "X-Requested-With", "Host", "Cookie", "Expect"),
    *("X-Forwarded-For", "Forwarded", "Content-Encoding", "Range", "If-Modified-Since"),
)
ASKED = (
    "GET /metrics",
    "GET /",
    "GET /static/slod.css",
    "GET /api/slo/v1/slos",
    "POST /api/slo/v1/events",
    "POST /api/v1/query",
)


async def test_no_header_of_a_request_is_a_fault_of_the_daemon(
    tmp_path: Path, page: PageServer
) -> None:
    async with running(write(tmp_path, page), ManualClock()) as daemon:
        faults = []
        for i, name in enumerate(OF_REQUESTS):
            for j, value in enumerate(ODD):
                asked = ASKED[(i + j) % len(ASKED)]
                status = await status_of(daemon.port, asked, name, value)
                if status >= 500:
                    faults.append((asked, name, value, status))
        assert faults == []


async def status_of(port: int, asked: str, name: str, value: str) -> int:
    """The status of one request with one more header; 0 if the connection was closed."""
    body = b'{"kind": "deploy", "service": "shop"}' if asked.startswith("POST") else b""
    lines = [f"{asked} HTTP/1.1", f"{name}: {value}"]
    usual = {
        "Host": f"127.0.0.1:{port}",
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        "Connection": "close",
    }
    lines += [f"{key}: {text}" for key, text in usual.items() if key != name]
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head + body)
        writer.write_eof()
        line = await asyncio.wait_for(reader.readline(), 20)
        return int(line.split()[1]) if line else 0
    except OSError:
        return 0
    finally:
        writer.close()
