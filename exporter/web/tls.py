"""The server's side of TLS, with certificates that may be renewed while it runs."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

from exporter.errors import ConfigError

log = structlog.get_logger()

# By their names in Go. Its RequestClientCert and RequireAnyClientCert take a certificate without
# verifying it, which OpenSSL by Python cannot do and nobody should want.
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class ServerTLS:
    """Where certificate, key and the clients' CA stand, and what is asked of clients."""

    cert_file: str
    key_file: str
    client_ca_file: str | None = None
    client_auth_type: str = "NoClientCert"
    min_version: str = "TLS12"
    max_version: str = "TLS13"

    def context(self) -> ssl.SSLContext:
        """A context of the files as they are now; `ConfigError` when they cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.minimum_version = VERSIONS[self.min_version]
            context.maximum_version = VERSIONS[self.max_version]
            context.load_cert_chain(self.cert_file, self.key_file)
            if self.client_ca_file is not None:
                context.load_verify_locations(self.client_ca_file)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"cannot use tls_server_config ({self.cert_file}, {self.key_file}): {error}"
            ) from None
        context.verify_mode = CLIENT_AUTH[self.client_auth_type]
        context.set_alpn_protocols(["http/1.1"])
        return context

    def stamp(self) -> tuple[int, ...]:
        """Changes when one of the files does; `OSError` when one is not there."""
        files = (self.cert_file, self.key_file, self.client_ca_file)
        return tuple(Path(name).stat().st_mtime_ns for name in files if name is not None)


class Listener:
    """The context to listen with; each new connection gets the certificate that is on disk then.

    A renewed certificate and key take effect at once; another client policy needs a restart, since
    OpenSSL takes only the certificate over from the context a handshake is moved to.
    """

    def __init__(self, tls: ServerTLS) -> None:
        self._tls = tls
        self.context = self._latest = tls.context()
        self._stamp = tls.stamp()
        # OpenSSL asks here for every handshake, also for clients that name no server.
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, own: ssl.SSLContext) -> None:
        del name
        try:
            stamp = self._tls.stamp()
            if stamp != self._stamp:
                self._stamp = stamp
                self._latest = self._tls.context()
                log.info("tls.certificate_reloaded", file=self._tls.cert_file)
        except (OSError, ConfigError) as error:
            # Half a renewal: the next change of a file is another chance.
            log.warning("tls.certificate_refused", error=str(error), kept="the last good one")
        if self._latest is not own:
            connection.context = self._latest
