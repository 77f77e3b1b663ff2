"""Liveness and readiness over HTTP, from a thread that answers even when all else hangs."""

import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Probe = Callable[[], list[str]]
"""Says what is wrong, each in one line; empty: all is well."""


def parse_address(address: str) -> tuple[str, int]:
    """Split ``HOST:PORT``; the host may be empty (all addresses) or a bracketed IPv6 address.

    Raises
    ------
    ValueError
        Where it is no address.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{address!r} is not HOST:PORT")
    return host.strip("[]") or "0.0.0.0", int(port)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind, without asking the DNS for this host's name."""
        socketserver.TCPServer.server_bind(self)


class ProbeServer:
    """Serves each probe at its path: 200 and ``ok``, or 503 and what is wrong."""

    def __init__(self, address: str, probes: Mapping[str, Probe]) -> None:
        self._server = _Server(parse_address(address), _handler(probes))
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="probes", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _handler(probes: Mapping[str, Probe]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            probe = probes.get(self.path.partition("?")[0])
            if probe is None:
                self._answer(HTTPStatus.NOT_FOUND, "not found: try " + ", ".join(probes))
                return
            wrong = probe()
            status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
            self._answer(status, "\n".join(wrong) or "ok")

        def _answer(self, status: HTTPStatus, text: str) -> None:
            body = f"{text}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet: probes come every few seconds."""

    return Handler
