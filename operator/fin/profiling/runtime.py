"""ONNX Runtime, as segments use it: on the CPU, with a given number of threads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fin.profiling.errors import ProfileError
from fin.segment.onnx_runtime import onnxruntime

_ERRORS_ONLY = 3


class Session:
    """A network that can be run.

    Attributes
    ----------
    shape
        The input's shape; None where any length will do.
    dtype
        The input's type.
    """

    def __init__(self, network: bytes, threads: int = 0) -> None:
        """Load a network.

        Parameters
        ----------
        network
            An ONNX file's content.
        threads
            How many threads compute; 0 for one on each core.

        Raises
        ------
        ProfileError
            If ONNX Runtime can't run it.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                network, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # it has no common class of its own
            raise ProfileError(f"ONNX Runtime can't load it: {_first_line(error)}") from error
        (given,) = self._session.get_inputs()
        self._input = given.name
        self.shape = tuple(each if isinstance(each, int) else None for each in given.shape)
        self.dtype = _dtype(given.type)

    def run(self, batch: NDArray[Any], *outputs: str) -> list[NDArray[Any]]:
        """Run a batch, and return the outputs that are named; all of them where none is.

        Raises
        ------
        ProfileError
            If the network can't take the batch.
        """
        try:
            found: list[NDArray[Any]] = self._session.run(outputs or None, {self._input: batch})
        except Exception as error:
            raise ProfileError(f"ONNX Runtime can't run it: {_first_line(error)}") from error
        return found


def _dtype(name: str) -> np.dtype[Any]:
    """Return NumPy's name of what ONNX Runtime calls ``tensor(float)``."""
    word = name.removeprefix("tensor(").removesuffix(")")
    word = {"float": "float32", "double": "float64"}.get(word, word)
    try:
        return np.dtype(word)
    except TypeError:
        raise ProfileError(f"its input is of type {name}, which NumPy has no arrays of") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
