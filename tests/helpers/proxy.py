"""A TCP proxy that can be cut: the network between the operator and the API server."""

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Forwards a port of the loopback to a server, unless it is cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 443))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._whole = True
        self._closed = False
        self.port = int(self._listener.getsockname()[1])
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        self.cut()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def cut(self) -> None:
        """Cut all connections, and let no new one through."""
        with self._lock:
            self._whole = False
            for pair in self._pairs:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._whole = True

    def lead_to(self, host: str, port: int) -> None:
        """Lead new connections to another server."""
        with self._lock:
            self._target = (host, port)

    def _spawn(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            if not select.select([self._listener], [], [], 0.1)[0]:
                continue
            near, _ = self._listener.accept()
            with self._lock:
                whole, target = self._whole, self._target
            if not whole:
                near.close()
                continue
            try:
                far = socket.create_connection(target)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.add((near, far))
            self._spawn(self._forward, near, far)

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with near, far:
            while not self._closed:
                for end in select.select([near, far], [], [], 0.1)[0]:
                    data = _received(end)
                    if not data or not _sent(other[end], data):
                        with self._lock:
                            self._pairs.discard((near, far))
                        return


def _received(end: socket.socket) -> bytes:
    with contextlib.suppress(OSError):
        return end.recv(1 << 16)
    return b""


def _sent(end: socket.socket, data: bytes) -> bool:
    with contextlib.suppress(OSError):
        end.sendall(data)
        return True
    return False
