"""A client that goes on asking, whatever happens: `python -m tests.e2e.steady`.

It writes a line for each request that has ended, of JSON, and ends when its standard input does.
"""

import json
import sys
import threading
import time
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
    ended = threading.Event()
    threading.Thread(target=_await_end, args=(ended,), daemon=True).start()
    with InferenceServerClient(address, channel_args=_CHANNEL) as client:
        (described,) = client.get_model_metadata(model).inputs
        due, number = time.monotonic(), 0
        while not ended.wait(max(due - time.monotonic(), 0)):
            given = InferInput(described.name, [1, *inputs[0].shape], described.datatype)
            given.set_data_from_numpy(inputs[[number % len(inputs)]])
            client.async_infer(model, [given], _teller(), client_timeout=TIMEOUT)
            due, number = due + 1 / float(rate), number + 1
        _await_all(number)


def _await_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


_lock = threading.Condition()
_told = 0


def _teller() -> Any:
    begin, at = time.monotonic(), time.time()

    def tell(result: Any, error: Exception | None) -> None:
        global _told
        line = {"at": at, "seconds": time.monotonic() - begin, "error": str(error or "")}
        with _lock:
            print(json.dumps(line), flush=True)
            _told += 1
            _lock.notify()

    return tell


def _await_all(count: int) -> None:
    with _lock:
        _lock.wait_for(lambda: _told == count, 2 * TIMEOUT)


if __name__ == "__main__":
    main()
