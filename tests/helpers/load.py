"""Clients that keep asking a segment, each over a connection that stays."""

import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Self

from tests.helpers.segments import LOOPBACK, MODEL, Segment

LOST = 0
"""What counts instead of a status where a connection broke while a request was under way."""


class Load:
    """Threads that send a request again and again, and count the statuses of the answers.

    A connection that is refused is nobody's loss: the client asks again. While ``routed`` is
    not set, the clients open no connection: so the Service of a segment does that is ending.
    """

    def __init__(self, segment: Segment, body: bytes, threads: int = 4) -> None:
        self.statuses: Counter[int] = Counter()
        self.bodies: list[bytes] = []
        self._segment = segment
        self._body = body
        self.routed = threading.Event()
        self.routed.set()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def _ask(self) -> None:
        connection = HTTPConnection(LOOPBACK, self._segment.http, timeout=30)
        while not self._stop.is_set():
            if connection.sock is None:
                if not self.routed.wait(0.05):
                    continue
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    time.sleep(0.01)
                    continue
            try:
                connection.request("POST", f"/v2/models/{MODEL}/infer", self._body)
                answer = connection.getresponse()
                body = answer.read()
                status = answer.status
            except (OSError, HTTPException):
                connection.close()
                status, body = LOST, b""
            with self._lock:
                self.statuses[status] += 1
                self.bodies.append(body)
        connection.close()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
