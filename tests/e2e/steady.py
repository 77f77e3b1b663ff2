"""A client that goes on asking, whatever happens: `python -m tests.e2e.steady`.

It writes a line for each request that has ended, of JSON, and ends when its standard input does.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput

TIMEOUT = 3.0
"""Seconds after which a request counts as failed."""

_CHANNEL = [
    # By default a channel that could not connect pauses ever longer, up to two minutes: then the
    # figures would be those of its pauses.
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # A node that is gone resets no connection: who asks has to find out.
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 1000),
]


def main() -> None:
    """Send samples at a steady rate, each when its time has come."""
    address, model, samples, rate = sys.argv[1:]
    with np.load(Path(samples), allow_pickle=False) as arrays:
        inputs = arrays["inputs"]
    ended, answers = threading.Event(), Answers()
    threading.Thread(target=_await_end, args=(ended,), daemon=True).start()
    with InferenceServerClient(address, channel_args=_CHANNEL) as client:
        (described,) = client.get_model_metadata(model).inputs
        due, number = time.monotonic(), 0
        while not ended.wait(max(due - time.monotonic(), 0)):
            given = InferInput(described.name, [1, *inputs[0].shape], described.datatype)
            given.set_data_from_numpy(inputs[[number % len(inputs)]])
            client.async_infer(model, [given], answers.teller(), client_timeout=TIMEOUT)
            due, number = due + 1 / float(rate), number + 1
        answers.wait_for(number)


def _await_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


class Answers:
    """Writes what became of requests, and counts them; used in any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def teller(self) -> Callable[..., None]:
        """Return what is to be called when the request ends that begins now."""
        begin, at = time.monotonic(), time.time()

        def tell(result: Any, error: Exception | None) -> None:
            line = {"at": at, "seconds": time.monotonic() - begin, "error": str(error or "")}
            with self._changed:
                print(json.dumps(line), flush=True)
                self._count += 1
                self._changed.notify()

        return tell

    def wait_for(self, count: int) -> None:
        """Wait until so many have ended, or none can be under way any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._count == count, 2 * TIMEOUT)


if __name__ == "__main__":
    main()
