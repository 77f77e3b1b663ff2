"""Log lines, as text and as JSON."""

import json
import logging
from collections.abc import Iterator

import pytest

from fin.controller import logs
from fin.controller.settings import LogFormat


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, kopf = logging.getLogger(), logging.getLogger("kopf")
    handlers, levels = root.handlers[:], (root.level, kopf.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    kopf.setLevel(levels[1])
    logging.captureWarnings(False)


def logged(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> list[str]:
    logs.configure(log_format)
    log = logging.getLogger("fin.controller.rounds")
    log.info("%s/%s: planned: %s", "vision", "gate", 'exit "a"')
    log.debug("noise")
    logging.getLogger("kopf.objects").error("Handler succeeded")
    try:
        raise ValueError("a mistake")
    except ValueError:
        log.exception("failed")
    out, err = capsys.readouterr()
    assert not out
    return err.splitlines()


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    lines = logged("text", capsys)
    assert lines[0].endswith(' INFO    vision/gate: planned: exit "a"')
    assert lines[1].endswith(" ERROR   failed")
    assert lines[-1] == "ValueError: a mistake"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = map(json.loads, logged("json", capsys))
    time = first.pop("time")
    assert time.endswith("+00:00")
    assert first == {
        "level": "info",
        "logger": "fin.controller.rounds",
        "message": 'vision/gate: planned: exit "a"',
    }
    assert second["level"] == "error"
    assert second["error"].endswith("ValueError: a mistake")
