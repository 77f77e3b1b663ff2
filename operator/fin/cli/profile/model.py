"""``fin profile model``: from a trained network to a DNNModel."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fin.cli.needs import extra
from fin.cli.parameters import number


class Criterion(StrEnum):
    """What is compared with an exit's threshold."""

    CONFIDENCE = "confidence"
    ENTROPY = "entropy"


def model(
    network: Annotated[
        Path,
        typer.Argument(
            metavar="NETWORK",
            help="ONNX file whose outputs are the tensors between blocks and the exits' logits, or "
            "directory with an ONNX file for each block.",
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Samples to calibrate with: an .npz file with the arrays inputs and labels.",
        ),
    ],
    accuracy: Annotated[
        float | None,
        typer.Option(
            parser=number(0, 1),
            metavar="SHARE",
            help="Least accuracy on these samples. Default: that of the last exit, where every "
            "sample runs through.",
        ),
    ] = None,
    criterion: Annotated[
        Criterion,
        typer.Option(
            help="When a sample leaves: where the classifier's largest probability is at least the "
            "exit's threshold, or where the entropy of its probabilities is at most that."
        ),
    ] = Criterion.CONFIDENCE,
    cut: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TENSOR",
            help="Cut one ONNX file here too, though it is none of its outputs. May be given "
            "several times.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the DNNModel. Default: that of the network."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write the DNNModel."),
    ] = None,
    blocks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where to write an ONNX file for each block, as segments load them.",
        ),
    ] = None,
) -> None:
    """Measure a trained network with early exits.

    Counts the operations of its blocks, measures their memory and what passes between them, and
    seeks the thresholds of the exits that meet an accuracy at the least expected work. Prints what
    it found, and writes a DNNModel that `fin plan` and the operator take.

    Exit status: 0, or 2 for bad input or an accuracy out of reach.
    """
    with extra("profile", "fin profile model"):
        from fin.cli.profile import modelling

    raise typer.Exit(
        modelling.run(
            network,
            data,
            accuracy=accuracy,
            criterion="Entropy" if criterion is Criterion.ENTROPY else "Confidence",
            cuts=cut or (),
            name=name,
            output=output,
            directory=blocks,
        )
    )
