"""`server.web_config`: TLS, headers and basic auth in Prometheus exporter-toolkit's YAML format.

Source: github.com/prometheus/exporter-toolkit, docs/web-configuration.md. What the format has and
slod does not is refused by name, never ignored: a policy that silently does not hold is worse than
none. The file is read again when it changes; a faulty one leaves the last good one in force.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from exporter.errors import ConfigError
from exporter.web.tls import CLIENT_AUTH, VERSIONS, ServerTLS

log = structlog.get_logger()

_BCRYPT = re.compile(r"\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}")
_HEADERS = (
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
)
_LONGEST = 1024 * 1024
"""Bytes of the file; thousands of users fit."""
_TLS_KEYS = ("cert_file", "key_file", "client_ca_file", "client_auth_type")
# http2 is an offer a client may decline; slod speaks HTTP/1.1 and so declines for it.
_KNOWN = {
    "": ("tls_server_config", "http_server_config", "basic_auth_users"),
    "tls_server_config.": (
        *_TLS_KEYS,
        "min_version",
        "max_version",
        "prefer_server_cipher_suites",
    ),
    "http_server_config.": ("http2", "headers"),
    "http_server_config.headers.": _HEADERS,
}
_UNSUPPORTED = {
    "rate_limit": "leave it out, or limit in a reverse proxy",
    "tls_server_config.cert": "use cert_file",
    "tls_server_config.key": "use key_file",
    "tls_server_config.client_ca": "use client_ca_file",
    "tls_server_config.client_allowed_sans": "leave it out, or use a CA of its own for the clients",
    "tls_server_config.cipher_suites": "leave it out; OpenSSL's defaults hold",
    "tls_server_config.curve_preferences": "leave it out; OpenSSL's defaults hold",
}


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The file's meaning; `users` are names and bcrypt hashes, none for no authentication."""

    tls: ServerTLS | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class WebConfigFile:
    """The file on disk; `load` once at the start, then `current` for every request.

    A file that is changed while slod runs may be seen half-written, or emptied by a full disk. So
    one that cannot be used leaves the last good one in force, and so does one without users where
    there were some: to ask for no password any more takes a restart. `refused` says why, in one
    line, as long as the file on disk is not the one in force.
    """

    def __init__(self, path: str) -> None:
        self.refused: str | None = None
        self._path = Path(path)
        self._stamp: tuple[int, ...] | None = None
        self._config = WebConfig()

    def load(self) -> WebConfig:
        """Read the file; `ConfigError` names file and key."""
        self._stamp = self._look()
        self._config = read(self._path)
        if not self._config.users:
            log.warning(
                "web_config.no_users",
                file=str(self._path),
                outcome="nobody is asked for a password",
            )
        return self._config

    def current(self) -> WebConfig:
        """The configuration in force, read anew when the file has changed."""
        if (stamp := self._look()) != self._stamp:
            self._stamp = stamp
            try:
                config = read(self._path)
                if self._config.users and not config.users:
                    raise ConfigError(
                        f"{self._path}: there are no basic_auth_users any more; "
                        "restart slod if no password shall be asked for"
                    )
            except ConfigError as error:
                self.refused = str(error)
                log.error("web_config.refused", error=str(error), kept="the last good one")
            else:
                self._config, self.refused = config, None
                log.info("web_config.reloaded", file=str(self._path))
        return self._config

    def _look(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def read(path: Path) -> WebConfig:
    """The meaning of the file; `ConfigError` names file and key."""
    try:
        # A pipe would be waited for, and a device never ends.
        if not path.is_file() and path.exists():
            raise ConfigError(f"the web_config file {path} is not a regular file")
        with path.open("rb") as file:
            found = file.read(_LONGEST + 1)
        text = found.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the web_config file {path}: {error}") from None
    if len(found) > _LONGEST:
        raise ConfigError(f"the web_config file {path} is over {_LONGEST} bytes")
    return parse(text, path)


def parse(text: str, path: Path) -> WebConfig:
    """The meaning of the file's text; file names in it are relative to its folder."""
    try:
        import yaml
    except ImportError:
        raise ConfigError("server.web_config needs PyYAML: pip install pyyaml") from None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError(f"{path}{line}: not valid YAML: {problem}") from None
    except RecursionError:
        raise ConfigError(f"{path}: lists or mappings are nested too deeply") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # PyYAML lets Python's own refusals through, e.g. of the date 2001-13-45.
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    return _Reader(path).config({} if document is None else document)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def config(self, document: Any) -> WebConfig:
        top = self._section(document, "")
        http = self._section(top.get("http_server_config"), "http_server_config.")
        headers = self._section(http.get("headers"), "http_server_config.headers.")
        for name, value in headers.items():
            if not isinstance(value, str) or "\n" in value or "\r" in value:
                raise self._error(f"http_server_config.headers.{name}", "must be one line of text")
        tls = None
        if top.get("tls_server_config") is not None:
            tls = self._tls(self._section(top["tls_server_config"], "tls_server_config."))
        return WebConfig(tls, self._users(top.get("basic_auth_users")), headers)

    def _tls(self, section: dict[str, Any]) -> ServerTLS:
        key = "tls_server_config."
        for name in (n for n in section if n not in ("prefer_server_cipher_suites",)):
            if not isinstance(section[name], str):
                raise self._error(key + name, "must be a text")
        for name in ("cert_file", "key_file"):
            if not section.get(name):
                raise self._error(key + name, "is missing")
        auth = section.get("client_auth_type") or "NoClientCert"
        ca = section.get("client_ca_file") or None
        if auth not in CLIENT_AUTH:
            known = ", ".join(CLIENT_AUTH)
            raise self._error(key + "client_auth_type", f"{auth!r} is not supported; use {known}")
        if (ca is not None) != (auth != "NoClientCert"):
            raise self._error(key + "client_ca_file", "goes together with client_auth_type")
        versions = []
        for name, default in (("min_version", "TLS12"), ("max_version", "TLS13")):
            if (value := section.get(name, default)) not in VERSIONS:
                raise self._error(key + name, f"is not one of {', '.join(VERSIONS)}")
            versions.append(value)
        folder = self._path.parent
        return ServerTLS(
            cert_file=str(folder / section["cert_file"]),
            key_file=str(folder / section["key_file"]),
            client_ca_file=None if ca is None else str(folder / ca),
            client_auth_type=auth,
            min_version=versions[0],
            max_version=versions[1],
        )

    def _users(self, section: Any) -> dict[str, str]:
        if section is None:
            return {}
        if not isinstance(section, dict):
            raise self._error("basic_auth_users", "must map names to bcrypt hashes")
        for name, hashed in section.items():
            if not isinstance(name, str):
                raise self._error(f"basic_auth_users.{name}", "put the name in quotes")
            if not isinstance(hashed, str) or _BCRYPT.fullmatch(hashed) is None:
                # The value is not shown: it may be a password in clear.
                raise self._error(
                    f"basic_auth_users.{name}",
                    'is not a bcrypt hash; make one with: htpasswd -nBC 10 "" | tr -d ":"',
                )
        return section

    def _section(self, found: Any, prefix: str) -> dict[str, Any]:
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise self._error(prefix.rstrip(".") or "the file", "must be a mapping")
        for name in found:
            if (way := _UNSUPPORTED.get(f"{prefix}{name}")) is not None:
                raise self._error(f"{prefix}{name}", f"is not supported; {way}")
            if name not in _KNOWN[prefix]:
                known = ", ".join(_KNOWN[prefix])
                raise self._error(f"{prefix}{name}", f"unknown key; known are {known}")
        return found

    def _error(self, key: str, message: str) -> ConfigError:
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in key)
        return ConfigError(f"{self._path}: {shown}: {message}")
