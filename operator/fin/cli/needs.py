"""What some commands need and planning doesn't: the extras."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import typer

_LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "operator": ("kopf", "kubernetes", "prometheus_client", "tenacity"),
    "profile": ("onnx", "onnx_tool", "onnxruntime", "uniplot"),
    "segment": ("aiohttp", "google", "grpc", "onnxruntime", "prometheus_client", "tritonclient"),
}
"""Libraries of each extra."""


@contextmanager
def extra(name: str, command: str) -> Iterator[None]:
    """Say what ``command`` lacks where an import inside fails for a library of an extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _LIBRARIES[name]:
            raise
        typer.secho(
            f"error: `{command}` needs {missing}, which is not installed: "
            f"pip install 'fin-operator[{name}]'",
            fg="red",
            err=True,
        )
        raise typer.Exit(1) from None
