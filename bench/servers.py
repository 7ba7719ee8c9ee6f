"""Processes and pages for benchmarks: slod and its peers as children, what they scrape, a webhook.

Every child gets a free port of 127.0.0.1 and is ended by its own id.
"""

from __future__ import annotations

import compileall
import contextlib
import functools
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PEERS = ("prometheus", "prometheus-alertmanager")


def here(*programs: str) -> bool:
    """Whether all these programs are installed."""
    return all(shutil.which(program) for program in programs)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def child(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended when the block is left."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def get(url: str) -> bytes | None:
    """A page; None while there is none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None


def until(look: Callable[[], bool], what: str, seconds: float = 60.0, pause: float = 0.01) -> None:
    """Return as soon as `look` says so; `TimeoutError` when it does not in time."""
    end = time.monotonic() + seconds
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


@contextlib.contextmanager
def slod(folder: Path, config: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The daemon as its own process, once it is ready; the process and its URL."""
    command, url = slod_command(folder, config)
    with child(command, folder / "slod.log") as process:
        until(lambda: get(f"{url}/-/ready") is not None, f"slod is ready, see {folder}/slod.log")
        yield process, url


def slod_command(folder: Path, config: str) -> tuple[list[str], str]:
    """How to start the daemon with a configuration, and its URL."""
    _compile()
    port, file = free_port(), folder / "slod.toml"
    file.write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\n[state]\npath = "{folder}/slod.db"\n{config}'
    )
    run = [sys.executable, "-m", "exporter", "run", "-c", str(file)]
    return run, f"http://127.0.0.1:{port}"


@functools.cache
def _compile() -> None:
    """Start-up and memory are measured as installed, with compiled bytecode."""
    compileall.compile_dir(Path(__file__).parent.parent / "exporter", quiet=1)


@contextlib.contextmanager
def prometheus(
    folder: Path, config: str, *flags: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A Prometheus that is ready; the process and its URL."""
    url = f"127.0.0.1:{free_port()}"
    (folder / "prometheus.yml").write_text(config)
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address={url}",
        *flags,
    ]
    with child(command, folder / "prometheus.log") as process:
        until(lambda: get(f"http://{url}/-/ready") is not None, f"see {folder}/prometheus.log")
        yield process, f"http://{url}"


@contextlib.contextmanager
def alertmanager(folder: Path, config: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An Alertmanager that is ready; the process and its `host:port`."""
    url = f"127.0.0.1:{free_port()}"
    (folder / "alertmanager.yml").write_text(config)
    command = [
        "prometheus-alertmanager",
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address={url}",
        "--cluster.listen-address=",
    ]
    with child(command, folder / "alertmanager.log") as process:
        until(lambda: get(f"http://{url}/-/ready") is not None, f"see {folder}/alertmanager.log")
        yield process, url


@contextlib.contextmanager
def site(
    page: Callable[[str], bytes], posted: Callable[[str, bytes], None] | None = None
) -> Iterator[str]:
    """Serves `page(path)` to every GET and hands over what is posted; its `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer(page(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if posted is not None:
                posted(self.path, body)
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
            """Nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 1024

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever asked may be gone by now."""
            if not isinstance(sys.exception(), ConnectionError):
                traceback.print_exc()

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
