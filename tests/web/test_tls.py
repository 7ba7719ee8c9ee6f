from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest

from exporter.errors import ConfigError
from exporter.web.server import WebServer
from tests.web.kit import serving, tool


def certificate(folder: Path, name: str) -> None:
    """A fresh self-signed certificate for localhost: NAME.crt and NAME.key."""
    subprocess.run(
        [
            *(tool("openssl"), "req", "-x509", "-nodes", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")),
        ],
        check=True,
        capture_output=True,
    )


def config(folder: Path, more: str = "") -> str:
    path = folder / "web.yml"
    path.write_text(f"tls_server_config:\n  cert_file: s.crt\n  key_file: s.key\n{more}")
    return str(path)


async def ask(server: WebServer, folder: Path, client: str | None = None) -> int:
    """A request on a new connection that trusts only what s.crt is now."""
    context = ssl.create_default_context(cafile=str(folder / "s.crt"))
    if client:
        context.load_cert_chain(folder / f"{client}.crt", folder / f"{client}.key")
    url = f"https://127.0.0.1:{server.port}/-/healthy"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as response:
        return response.status


async def test_a_renewed_certificate_serves_the_next_connection(tmp_path: Path) -> None:
    certificate(tmp_path, "s")
    async with serving(web_config=config(tmp_path)) as server:
        assert await ask(server, tmp_path) == 200
        certificate(tmp_path, "s")
        os.utime(tmp_path / "s.crt", (1, 1))  # another mtime, however coarse the file system's
        assert await ask(server, tmp_path) == 200


async def test_half_a_renewal_keeps_the_old_certificate(tmp_path: Path) -> None:
    certificate(tmp_path, "s")
    old = (tmp_path / "s.crt").read_bytes()
    async with serving(web_config=config(tmp_path)) as server:
        certificate(tmp_path, "other")
        (tmp_path / "s.key").write_bytes((tmp_path / "other.key").read_bytes())
        os.utime(tmp_path / "s.key", (1, 1))
        assert (tmp_path / "s.crt").read_bytes() == old
        assert await ask(server, tmp_path) == 200
        (tmp_path / "s.crt").write_bytes((tmp_path / "other.crt").read_bytes())
        os.utime(tmp_path / "s.crt", (1, 1))
        assert await ask(server, tmp_path) == 200


async def test_clients_need_a_certificate_when_it_is_required(tmp_path: Path) -> None:
    certificate(tmp_path, "s")
    certificate(tmp_path, "client")
    certificate(tmp_path, "stranger")
    more = "  client_ca_file: client.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
    async with serving(web_config=config(tmp_path, more)) as server:
        assert await ask(server, tmp_path, "client") == 200
        for client in (None, "stranger"):
            with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
                await ask(server, tmp_path, client)


async def test_files_that_do_not_fit_are_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot use tls_server_config .*s\.crt"):
        async with serving(web_config=config(tmp_path)):
            pass
