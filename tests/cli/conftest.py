from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from fin.cli import app
from tests.helpers import objects

Fin = Callable[..., Result]


@pytest.fixture
def fin() -> Fin:
    """Run the program in this process; whatever it raises but an exit fails the test."""

    def run(*arguments: object, stdin: str | bytes | None = None, **env: str) -> Result:
        result = CliRunner(env={"COLUMNS": "200", **env}).invoke(
            app, [str(each) for each in arguments], input=stdin, prog_name="fin"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.stderr
        return result

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write objects, or text, to a file below the test's own directory."""

    def put(name: str, content: Sequence[Any] | str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_text(yaml.safe_dump_all(content), encoding="utf-8")
        return path

    return put


@pytest.fixture
def small() -> list[dict[str, Any]]:
    """Return one app that can be planned, and all that it needs."""
    mobile = objects.node("mobile-0", "mobile", cpu="1", flops="12G", gflops_per_watt="1.65")
    return [
        mobile,
        objects.node("edge-0"),
        objects.topology("default", objects.link("mobile", "edge")),
        objects.model(),
        objects.app(),
    ]
