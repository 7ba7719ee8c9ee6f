"""Software whose pages slod reads, from Debian's packages; `tests/real/install` unpacks them."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

from tests.real.servers import answers, environment, eventually, fetch, free_port, need, process


class Program:
    """A server that is stopped and started again at the same address.

    Args:
        command: The program and its arguments.
        log: The file for its output.
        ready: A URL that answers 200 once the server is ready.
        env: Its environment.
    """

    def __init__(
        self, command: Sequence[str], log: Path, ready: str, env: dict[str, str] | None = None
    ) -> None:
        self._command, self._log, self._ready = command, log, ready
        self._env = env or environment()
        self._stack = contextlib.AsyncExitStack()
        self.child: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        child = process(self._command, self._log, self._env)
        self.child = await self._stack.enter_async_context(child)
        await answers(self._ready)

    async def stop(self) -> None:
        """End it with SIGTERM and wait until it is gone."""
        self.child = None
        await self._stack.aclose()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.child is not None
        self.child.send_signal(number)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _unprivileged() -> tuple[str, str]:
    """User and group for servers that do not serve as root: nobody's, or one's own."""
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_name, grp.getgrgid(nobody.pw_gid).gr_name
    return pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


APACHE = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
User {user}
Group {group}
PidFile {folder}/httpd.pid
ErrorLog {folder}/error.log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule status_module {modules}/mod_status.so
ExtendedStatus On
LogFormat "%U" path
CustomLog {folder}/paths.log path
<Location /server-status>
SetHandler server-status
</Location>
RedirectMatch {status} "^/(?!server-status)"
"""


class Apache:
    """An Apache that answers everything with one status, and its exporter beside it."""

    def __init__(self, folder: Path, status: int) -> None:
        self._paths, self._errors = folder / "paths.log", folder / "error.log"
        port, exporter = free_port(), free_port()
        program = need("apache2")
        user, group = _unprivileged()
        modules = Path(program).parents[1] / "lib/apache2/modules"
        (folder / "apache.conf").write_text(
            APACHE.format(
                folder=folder, port=port, user=user, group=group, modules=modules, status=status
            )
        )
        self.url = f"http://127.0.0.1:{port}"
        self.exporter_address = f"127.0.0.1:{exporter}"
        command = [program, "-f", f"{folder}/apache.conf", "-DFOREGROUND"]
        status_page = f"{self.url}/server-status?auto"
        self._server = Program(command, folder / "apache.log", status_page)
        command = [
            need("prometheus-apache-exporter"),
            f"--telemetry.address={self.exporter_address}",
            f"--scrape_uri={status_page}",
        ]
        ready = f"http://{self.exporter_address}/"
        self.exporter = Program(command, folder / "exporter.log", ready)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, status: int) -> AsyncIterator[Apache]:
        """Both of them, in a folder that is made."""
        folder.mkdir()
        apache = cls(folder, status)
        async with apache._server, apache.exporter:
            yield apache

    async def restart(self) -> None:
        """What `apachectl restart` does: its counters of requests begin at zero."""
        before = self._errors.read_text().count("resuming normal operations")
        self._server.signal(signal.SIGHUP)

        async def restarted() -> bool:
            return self._errors.read_text().count("resuming normal operations") > before

        await eventually(restarted, "Apache is restarted")

    def status_requests(self) -> int:
        """Requests for the status page so far: Apache counts them like all others."""
        return self._paths.read_text().count("/server-status\n")


@contextlib.asynccontextmanager
async def pushgateway(folder: Path) -> AsyncIterator[tuple[str, Program]]:
    """A Pushgateway that keeps what was pushed in a file; its address and the program."""
    address = f"127.0.0.1:{free_port()}"
    command = [
        need("prometheus-pushgateway"),
        f"--web.listen-address={address}",
        f"--persistence.file={folder}/pushed",
    ]
    program = Program(command, folder / "pushgateway.log", f"http://{address}/-/ready")
    async with program:
        yield address, program


HAPROXY = """
defaults
  mode http
  timeout client 5s
  timeout connect 1s
  timeout server 5s
frontend web
  bind 127.0.0.1:{port}
  # wrk looks whether the port is open, which is no request.
  option http-ignore-probes
  http-request return status 503 content-type text/plain string no if {{ path /bad }}
  http-request return status 200 content-type text/plain string yes
frontend metrics
  bind {metrics}
  http-request use-service prometheus-exporter if {{ path /metrics }}
"""


class Haproxy:
    """A HAProxy as master and worker."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_address = f"127.0.0.1:{free_port()}"
        self._log = folder / "haproxy.log"
        config = folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=port, metrics=self.metrics_address))
        ready = f"http://{self.metrics_address}/metrics"
        command = [need("haproxy"), "-W", "-f", str(config)]
        self._program = Program(command, self._log, ready)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[Haproxy]:
        """One that is ready."""
        haproxy = cls(folder)
        async with haproxy._program:
            yield haproxy

    async def reload(self) -> None:
        """Reload as its service does: a new worker takes over, the old one ends its requests."""
        before = self._log.read_text().count("Loading success")
        self._program.signal(signal.SIGUSR2)

        async def reloaded() -> bool:
            text = self._log.read_text()
            return text.count("Loading success") > before and "Former worker" in text

        await eventually(reloaded, "the new worker serves and the old one is gone")


DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
libexec_dir = {libexec}
protocols = imap
ssl = no
import_environment = LD_LIBRARY_PATH
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 0
first_valid_gid = 0
mail_uid = {user}
mail_gid = {group}
mail_location = maildir:{folder}/mail
service config {{
  executable = config -c {folder}/dovecot.conf
}}
# Sessions are started by hand, so nobody logs in.
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  inet_listener http {{
    address = 127.0.0.1
    port = {port}
  }}
}}
# Counters come first: behind a histogram they get lines of its buckets that are no lines of this
# format, so that Prometheus refuses the page.
metric imap_reply {{
  filter = event=imap_command_finished
  group_by = tagged_reply_state
}}
metric imap_command {{
  filter = event=imap_command_finished
  group_by = cmd_name duration:exponential:1:6:10
}}
metric imap_idle {{
  filter = event=imap_command_finished AND cmd_name=IDLE
  group_by = duration:exponential:1:6:10
}}
"""


class Dovecot:
    """A Dovecot with metrics of its IMAP commands, whose sessions are started by hand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program, doveconf = need("dovecot"), need("doveconf")
        libexec = Path(program).parents[1] / "lib/dovecot"
        port = free_port()
        user, group = _unprivileged()
        self._config = folder / "dovecot.conf"
        self._config.write_text(
            DOVECOT.format(folder=folder, libexec=libexec, user=user, group=group, port=port)
        )
        self.metrics_address = f"127.0.0.1:{port}"
        self.imap = [str(libexec / "imap")]
        self.imap_environment = environment() | {
            "CONFIG_FILE": f"{folder}/run/config",
            "USER": "joe",
            "HOME": "/",
        }
        # dovecot itself would ask doveconf at a path that is compiled in.
        command = [doveconf, "-c", str(self._config), "-f", "service=master", "-m", "master"]
        command += ["-e", program, "-F"]
        self._url = f"http://{self.metrics_address}/metrics"
        self._program = Program(command, folder / "out.log", self._url)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[Dovecot]:
        """One that is ready."""
        dovecot = cls(folder)
        async with dovecot._program:
            yield dovecot

    async def started(self) -> bytes:
        """The line of its page that says when it started."""
        _, page = await fetch(self._url)
        return b"".join(x for x in page.splitlines() if x.startswith(b"process_start_time_seconds"))

    async def reload(self) -> None:
        """What `doveadm reload` does: all metrics begin anew, with a new start time.

        That time is a whole second, so a reload within the first second would not show.
        """
        before = await self.started()
        self._program.signal(signal.SIGHUP)

        async def began_anew() -> bool:
            return await self.started() not in (before, b"")

        await eventually(began_anew, "Dovecot's metrics begin anew")


RABBITMQ = """
listeners.tcp = none
stomp.listeners.tcp.1 = 127.0.0.1:{stomp}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {metrics}
collect_statistics_interval = 1000
log.console = true
log.file = false
"""


class RabbitMQ:
    """A RabbitMQ that speaks STOMP."""

    def __init__(self, folder: Path) -> None:
        self.stomp_port = free_port()
        metrics = free_port()
        self.metrics_address = f"127.0.0.1:{metrics}"
        self.metrics_url = f"http://{self.metrics_address}/metrics"
        (folder / "rabbitmq.conf").write_text(
            RABBITMQ.format(stomp=self.stomp_port, metrics=metrics)
        )
        (folder / "enabled_plugins").write_text("[rabbitmq_prometheus,rabbitmq_stomp].\n")
        # The scripts themselves: what Debian has in sbin changes to a user of its own first.
        script = Path(need("rabbitmq-server")).parents[1] / "lib/rabbitmq/bin/rabbitmq-server"
        names = free_port()
        env = environment() | {
            "HOME": str(folder),
            "ERL_EPMD_PORT": f"{names}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_DIST_PORT": f"{free_port()}",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_NODENAME": "slod@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput "
            "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._program = Program([str(script)], folder / "rabbitmq.log", f"{self.metrics_url}", env)
        # Erlang would start this one itself, and leave it behind.
        need("erl")
        command = [need("epmd"), "-port", f"{names}", "-address", "127.0.0.1"]
        self._names = process(command, folder / "epmd.log", env)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[RabbitMQ]:
        """One that is ready."""
        rabbitmq = cls(folder)
        async with rabbitmq._names, rabbitmq._program:
            yield rabbitmq

    async def value(self, name: str) -> float:
        """A series without labels on its page; -1 if it is not there."""
        _, page = await fetch(self.metrics_url)
        for line in page.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        return -1.0
