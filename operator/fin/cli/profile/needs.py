"""What measuring needs and planning doesn't: the extra ``profile``."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

_OF_THE_EXTRA = ("onnx", "onnx_tool", "onnxruntime", "uniplot")


@contextmanager
def extra(command: str) -> Iterator[None]:
    """Say what is missing where an import inside fails for a library of the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _OF_THE_EXTRA:
            raise
        typer.secho(
            f"error: `{command}` needs {missing}, which is not installed: "
            "pip install 'fin-operator[profile]'",
            fg="red",
            err=True,
        )
        raise typer.Exit(1) from None
