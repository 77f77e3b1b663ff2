"""A client of the Open Inference Protocol, as the source of an app would be."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

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
    from tritonclient.grpc import InferenceServerClient

    inputs, labels = _load(samples)
    found = []
    with InferenceServerClient(address) as client:
        (tensor,) = client.get_model_metadata(model).inputs
        for sample, label in zip(inputs, labels, strict=True):
            given = _tensor(tensor, sample)
            begin = time.perf_counter()
            result = client.infer(model, [given])
            found.append(_answer(result, label, time.perf_counter() - begin))
    return Answers(found)


def offer(address: str, model: str, samples: Path, arrivals: Sequence[float]) -> Answers:
    """Send samples when they arise, whether those before are answered or not.

    Latency counts from when a sample arose, so that no late request is taken for a quick one.

    Parameters
    ----------
    address, model, samples
        As in `ask`; the samples are sent over and over.
    arrivals
        When each request arises, seconds from the first, ascending.

    Raises
    ------
    InferenceServerException
        A request failed.
    """
    from tritonclient.grpc import InferenceServerClient

    inputs, labels = _load(samples)
    ended: SimpleQueue[tuple[int, float, Any, Exception | None]] = SimpleQueue()
    with InferenceServerClient(address) as client:
        (tensor,) = client.get_model_metadata(model).inputs
        tensors = [_tensor(tensor, sample) for sample in inputs]
        begin = time.perf_counter()
        for number, arrival in enumerate(arrivals):
            time.sleep(max(begin + arrival - time.perf_counter(), 0.0))

            def end(result: Any, error: Exception | None, number: int = number) -> None:
                ended.put((number, time.perf_counter(), result, error))

            client.async_infer(model, [tensors[number % len(tensors)]], end)
        return Answers([_ended(ended.get(), begin, arrivals, labels) for _ in arrivals])


def _ended(
    one: "tuple[int, float, Any, Exception | None]",
    begin: float,
    arrivals: Sequence[float],
    labels: NDArray[np.int64],
) -> Answer:
    number, at, result, error = one
    if error is not None:
        raise error
    return _answer(result, labels[number % len(labels)], at - begin - arrivals[number])


def _load(samples: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    with np.load(samples, allow_pickle=False) as arrays:
        return arrays["inputs"], arrays["labels"]


def _tensor(described: Any, sample: NDArray[np.float32]) -> Any:
    from tritonclient.grpc import InferInput

    given = InferInput(described.name, [1, *sample.shape], described.datatype)
    given.set_data_from_numpy(sample[np.newaxis])
    return given


def _answer(result: Any, label: int, seconds: float) -> Answer:
    told = result.get_response().parameters
    # The logits, whatever they are called: an answer has one output.
    (output,) = result.get_response().outputs
    return Answer(
        right=bool(result.as_numpy(output.name).argmax() == label),
        exit=told["exits"].string_param,
        segments=tuple(told["segments"].string_param.split(",")),
        seconds=seconds,
        compute=_MICRO * sum(map(float, told["compute_us"].string_param.split(","))),
    )
