"""A client of the Open Inference Protocol, as the source of an app would be."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MICRO = 1e-6


@dataclass(frozen=True)
class Answer:
    """What came back for a sample.

    Attributes
    ----------
    right
        Whether the class is the sample's.
    exit
        Where it left.
    segments
        Those that it went through.
    seconds, compute
        Between request and answer, and of that in the blocks.
    """

    right: bool
    exit: str
    segments: tuple[str, ...]
    seconds: float
    compute: float


@dataclass(frozen=True)
class Answers:
    """What came back for all samples."""

    each: Sequence[Answer]

    @property
    def accuracy(self) -> float:
        """The share of samples whose class is right."""
        return float(np.mean([answer.right for answer in self.each]))

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Latency of each sample."""
        return np.array([answer.seconds for answer in self.each])

    @property
    def compute(self) -> float:
        """Mean seconds that a sample was in the blocks."""
        return float(np.mean([answer.compute for answer in self.each]))

    @property
    def exits(self) -> Counter[str]:
        """How many samples left at each exit."""
        return Counter(answer.exit for answer in self.each)

    def at(self, leaving: str) -> "Answers":
        """Return those that left at an exit."""
        return Answers([answer for answer in self.each if answer.exit == leaving])


def ask(address: str, model: str, samples: Path) -> Answers:
    """Send samples one after another over gRPC, with Triton's client as it is.

    Parameters
    ----------
    address
        Host and port of the entry.
    model
        The DNNModel's name.
    samples
        An ``.npz`` file with ``inputs`` and ``labels``.
    """
    from tritonclient.grpc import InferenceServerClient, InferInput

    with np.load(samples, allow_pickle=False) as arrays:
        inputs, labels = arrays["inputs"], arrays["labels"]
    found = []
    with InferenceServerClient(address) as client:
        (tensor,) = client.get_model_metadata(model).inputs
        for sample, label in zip(inputs, labels, strict=True):
            given = InferInput(tensor.name, [1, *sample.shape], tensor.datatype)
            given.set_data_from_numpy(sample[np.newaxis])
            begin = time.perf_counter()
            result = client.infer(model, [given])
            seconds = time.perf_counter() - begin
            told = result.get_response().parameters
            found.append(
                Answer(
                    right=bool(result.as_numpy("logits").argmax() == label),
                    exit=told["exits"].string_param,
                    segments=tuple(told["segments"].string_param.split(",")),
                    seconds=seconds,
                    compute=_MICRO * sum(map(float, told["compute_us"].string_param.split(","))),
                )
            )
    return Answers(found)
