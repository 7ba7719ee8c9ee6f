"""The settings of the edges, as frozen structs that are both the file's shape and its meaning.

An unknown key is an error (`forbid_unknown_fields`). Durations are seconds once read. A secret is
never a value here, only where to find one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from exporter.errors import ConfigError


class Duration(float):
    """Seconds; written in the file as a Prometheus duration (`500ms`, `1h30m`, `30d`)."""


class Size(int):
    """Bytes; written in the file as a whole number, or with a unit (`64MiB`, `1GiB`)."""


class Secret(msgspec.Struct, frozen=True):
    """Where a secret stands: a file or an environment variable; read anew at every use, so that a
    rotated token needs no reload."""

    file: str | None = None
    env: str | None = None

    def read(self) -> str:
        """The secret itself, without a trailing newline; `ConfigError` when it is not there."""
        if self.file is not None:
            try:
                return Path(self.file).read_text("utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"cannot read the secret file {self.file}: {error}") from None
        value = os.environ.get(self.env or "")
        if value is None:
            raise ConfigError(f"the environment variable {self.env} of a secret is not set")
        return value


class TLS(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to speak TLS to a server: its CA, our client certificate, the name to expect."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False


class BasicAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """User and where the password stands."""

    username: str
    password_file: str | None = None
    password_env: str | None = None

    @property
    def password(self) -> Secret:
        """Where the password stands."""
        return Secret(self.password_file, self.password_env)


class HTTP(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every HTTP client of slod can be told; the base of sources and receivers."""

    headers: dict[str, str] = {}
    basic_auth: BasicAuth | None = None
    bearer_token_file: str | None = None
    bearer_token_env: str | None = None
    tls: TLS | None = None
    timeout: Duration = Duration(10)
    follow_redirects: bool = False
    """Redirects to the same host are always followed; to another one only with this."""
    max_body_bytes: int = 64 * 1024 * 1024

    @property
    def bearer_token(self) -> Secret | None:
        """Where the bearer token stands, if there is one."""
        if self.bearer_token_file is None and self.bearer_token_env is None:
            return None
        return Secret(self.bearer_token_file, self.bearer_token_env)


# --- sources ------------------------------------------------------------------------------------


class KubernetesSD(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pods from the Kubernetes API; `$NAME` in a value stands for an environment variable.

    `port` is a container port's name or number; `api_server`, `token_file` and `ca_file` default to
    those of the pod slod runs in.
    """

    node: str | None = None
    namespace: str | None = None
    selector: str | None = None
    port: str | int | None = None
    path: str = "/metrics"
    scheme: Literal["http", "https"] = "http"
    api_server: str | None = None
    token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 (a path)
    ca_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"


class Discover(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where targets come from besides the configuration; any of these, several at once.

    `file`: glob of file_sd files (JSON or YAML). `http`: a http_sd URL. `dns`: `name:port` for A
    and AAAA records, or `_metrics._tcp.app.svc` (a leading underscore) for SRV.
    """

    file: str | tuple[str, ...] | None = None
    http: str | None = None
    dns: str | tuple[str, ...] | None = None
    kubernetes: KubernetesSD | None = None
    refresh: Duration = Duration(30)
    path: str = "/metrics"
    scheme: Literal["http", "https"] = "http"


class ScrapeSource(
    HTTP, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="scrape", tag_field="type"
):
    """Pages in the Prometheus text, OpenMetrics or protobuf format."""

    name: str = ""
    targets: tuple[str, ...] = ()
    interval: Duration = Duration(15)
    labels: dict[str, str] = {}
    discover: Discover | None = None
    protobuf: bool | None = None
    """Ask for protobuf first; by default where it says more of what is wanted than text does."""
    target_labels: tuple[str, ...] = ("instance", "job")
    """Labels that tell processes apart on a page that passes others on: a series of the page that
    has one of them is not of the page's own process."""
    honor_timestamps: bool = True
    max_series: int = 100_000
    """Wanted series of one target; a page with more is refused."""


class PrometheusSource(
    HTTP, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="prometheus", tag_field="type"
):
    """Prometheus, Thanos, Mimir, VictoriaMetrics: anything with Prometheus' HTTP API."""

    name: str = ""
    url: str
    interval: Duration = Duration(15)
    backfill: Duration = Duration(0)
    chunk: Duration = Duration(86_400)
    """The longest range asked for at once when catching up; where there are many samples, or the
    server refuses so many, it is less."""
    concurrency: int = 4
    target_labels: tuple[str, ...] = ()
    """Labels that tell processes apart; by default learnt from `up` and process start times, and
    else those that do by convention."""


Source = ScrapeSource | PrometheusSource


# --- the daemon itself --------------------------------------------------------------------------


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One port for metrics, API and page."""

    listen: str = "127.0.0.1:9947"
    web_config: str | None = None
    external_url: str | None = None
    compat: tuple[Literal["sloth"], ...] = ()
    hosts: tuple[str, ...] = ()
    """Names under which slod may be asked; `*.svc` for all that end so. Empty: any, for reading."""
    roles: dict[str, Literal["read", "write"]] = {}
    """What the users of `web_config` may; one that is not named may write."""


class API(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bounds of the APIs under /api/, and who may read them."""

    query_memory: Size | None = None
    """Memory that all PromQL, series and label queries together may take. By default 64 MiB, or a
    quarter of what the control group leaves where that is less."""
    allow_origins: tuple[str, ...] = ()
    """Origins whose pages may read the APIs in a browser."""


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where counts, alerts and undelivered notifications are kept; `:memory:` keeps nothing."""

    path: str = "slod.db"
    keep_removed: Duration = Duration(30 * 86_400)
    """Seconds for which ledgers are kept whose SLO is gone or was edited; 0 drops them at once."""


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`auto` is the console format on a terminal and JSON elsewhere."""

    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
