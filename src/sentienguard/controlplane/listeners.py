"""The two listeners: agents over TLS 1.3 with client certificates, people on loopback or TLS.

Called by controlplane.app. They are apart so that nothing an agent may call is reachable for a
browser and the other way round. uvicorn does not hand the peer's certificate to the application;
`PeerProtocol` puts it into the request's state under `peer_certificate` (DER bytes or None).
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sentienguard.controlplane.tls_files import TlsFiles

KEEP_ALIVE_S = 75  # longer than two sampling intervals, so that agents keep their connection
CLOSE_PATIENCE_S = 2  # for requests under way when the centre stops, whose waits were ended


class PeerProtocol(HttpToolsProtocol):
    """HTTP/1.1 that knows who is on the other side of the TLS connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it too
        """Remember the certificate of the other side."""
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls else None
        self.app_state = {**self.app_state, "peer_certificate": certificate}


def agents_server(
    app: ASGIApp, files: TlsFiles, end_waits: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    """Return the agents' listener. Enrolment comes without a certificate, the rest needs one.

    `end_waits` is called when it stops: what waits for news is to be answered now.
    """
    # TLS ends here, so nobody speaks for a host: who it says it came from is not believed.
    config = uvicorn.Config(app, http=PeerProtocol, proxy_headers=False, **_common())
    config.load()
    config.ssl = _context(files)
    return _Server(config, end_waits)


def people_server(
    app: FastAPI, files: TlsFiles | None, end_waits: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    """Return the people's listener; `end_waits` as for the agents' one."""
    config = uvicorn.Config(app, **_common())
    config.load()
    if files:
        config.ssl = _context(files)
    return _Server(config, end_waits)


class _Server(uvicorn.Server):
    """A server that leaves signals to the process that runs several of them."""

    def __init__(self, config: uvicorn.Config, end_waits: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_waits = end_waits

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: once no connection is kept for a further request, nobody waits any more."""
        asyncio.get_running_loop().call_soon(self._let_go)
        await super().shutdown(sockets)

    def _let_go(self) -> None:
        self._end_waits()
        for connection in list(self.server_state.connections):
            # Closed already, yet TLS waits for a goodbye that a peer without a request never says.
            transport = connection.transport
            if transport.is_closing() and not transport.get_write_buffer_size():
                transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _common() -> dict[str, Any]:
    return {
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": CLOSE_PATIENCE_S,
        "ws": "none",
    }


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(files.certificate, files.key)
    if files.client_ca:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=files.client_ca.decode("ascii"))
    return context
