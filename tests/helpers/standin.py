"""Stands in for a next segment, to see what reaches it and to be as slow as a test wants."""

import contextlib
import threading
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import numpy as np

from fin.segment.frames import Answer, Passed, Visit, pack_answer, unpack_passed
from tests.helpers.networks import CLASSES
from tests.helpers.segments import LOOPBACK

Answering = Callable[[Passed], Answer]


def zeros(passed: Passed) -> Answer:
    """Answer zeros for each sample."""
    stage = passed.way.hops[0]
    logits = np.zeros((len(passed.batch), CLASSES), np.float32)
    return Answer(logits, ("exit-last",) * len(logits), (Visit(stage.segment, 0.0, 0.0),))


class StandIn:
    """Listens at a port, and answers when the gate is open."""

    def __init__(self, port: int, answer: Answering = zeros) -> None:
        self.seen: list[tuple[Message, Passed]] = []
        self.gate = threading.Event()
        self.gate.set()
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                passed = unpack_passed(self.rfile.read(int(self.headers["Content-Length"])))
                standin.seen.append((self.headers, passed))
                standin.gate.wait(30)
                body = pack_answer(answer(passed))
                with contextlib.suppress(ConnectionError):  # where nobody waits any more
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
