"""Samples whose labels are known: what a network is calibrated with."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fin.profiling.errors import ProfileError

_FORM = "an .npz file with the arrays inputs (samples first) and labels (the class of each)"


@dataclass(frozen=True)
class Samples:
    """Inputs and their classes.

    Attributes
    ----------
    inputs
        As the network takes them; samples are the first axis.
    labels
        One whole number for each sample.
    """

    inputs: NDArray[Any]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def read(path: Path) -> Samples:
    """Read samples from an ``.npz`` file with the arrays ``inputs`` and ``labels``.

    Raises
    ------
    ProfileError
        If the file is not of that form, or has no samples.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            inputs, labels = arrays["inputs"], arrays["labels"]
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror or error}") from None
    except KeyError as error:
        raise ProfileError(f"{path}: {error.args[0]}; it must be {_FORM}") from None
    except (ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile):
        raise ProfileError(f"{path}: must be {_FORM}") from None
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ProfileError(f"{path}: labels must be one whole number for each sample")
    if inputs.ndim < 1 or len(inputs) != len(labels) or not len(labels):
        raise ProfileError(
            f"{path}: there must be one label for each of at least one input, and there are "
            f"{len(labels)} labels for {len(inputs) if inputs.ndim else 'no'} inputs"
        )
    return Samples(inputs, labels.astype(np.int64))
