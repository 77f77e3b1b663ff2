"""DNNModel: a dynamic deep neural network as a chain of blocks with exits."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from fin.api import names
from fin.api.base import LIST, Fault, Model, Ratio, refuse, repeated, rules
from fin.api.meta import Conditions
from fin.api.quantity import Quantity
from fin.api.resource import ACCEPTED, ACCEPTED_REASON, AGE, Column, Resource
from fin.api.segment import SegmentTemplate
from fin.api.text import LabelValue, TensorName

# Rates come from measurements, and floats don't add up exactly.
RATE_SLACK = 1e-9

_LAST_EXIT = "the last block must have an exit: no sample could leave after it"
_LAST_RATE = (
    "exitRate is not for the last block's exit: it takes all samples that remain; leave it out"
)
_UNIQUE_BLOCKS = "block names must be unique"
_UNIQUE_EXITS = "exit names must be unique (an exit without a name has its block's)"
_SUM = "exit rates are shares of all inputs and must add up to at most 1"


class Exit(Model):
    """A classifier after a block, where samples may leave."""

    name: LabelValue | None = Field(
        default=None, description="The exit's name, unique in the model. Default: the block's."
    )
    flops: Quantity = Field(
        default=Quantity.parse(0),
        description="Floating-point operations of the classifier for one sample; "
        "a multiply-add counts as two.",
    )
    memory: Quantity = Field(
        default=Quantity.parse(0),
        description="Bytes of the classifier's parameters and peak workspace.",
    )
    exit_rate: Ratio = Field(
        default=0.0,
        description="Share of all inputs that leave here. Refused on the last block, which takes "
        "all that remain; ignored where the model is cut.",
    )
    accuracy: Ratio = Field(
        description="Accuracy of the whole model, from 0 to 1, when this is its last exit."
    )
    criterion: Literal["Confidence", "Entropy"] = Field(
        default="Confidence",
        description="What says how sure the classifier is of a sample. Confidence is the largest "
        "softmax probability of its logits; Entropy is that of these probabilities, divided by "
        "the logarithm of the number of classes.",
    )
    threshold: Ratio | None = Field(
        default=None,
        description="From 0 to 1: samples whose confidence is at least this, or whose entropy is "
        "at most this, leave here while the model is served. Left out, none leave; ignored where "
        "the model is cut and on the last block, where all leave.",
    )
    output: TensorName = Field(
        default="logits",
        description="The tensor of the block's ONNX file with the classifier's logits, samples "
        "by classes.",
    )


class Block(Model):
    """A part of the model that runs on one node."""

    name: LabelValue = Field(description="The block's name, unique in the model.")
    flops: Quantity = Field(
        description="Floating-point operations of one inference; a multiply-add counts as two."
    )
    memory: Quantity = Field(description="Bytes of the block's parameters and peak workspace.")
    output_bytes: Quantity = Field(description="Bytes that the next block receives.")
    output: TensorName | None = Field(
        default=None,
        description="The tensor of the block's ONNX file that the next block receives. Left out, "
        "its only output besides the exit's.",
    )
    exit: Exit | None = Field(
        default=None, description="The exit after this block. The last block must have one."
    )

    @property
    def exit_name(self) -> str | None:
        """The name of the block's exit: its own, else the block's; None without an exit."""
        return (self.exit.name or self.name) if self.exit else None


_NAMES = "self.map(b, b.name)"
_EXIT_NAMES = "self.filter(b, has(b.exit)).map(b, has(b.exit.name) ? b.exit.name : b.name)"
_RATES = "self.filter(b, has(b.exit)).map(b, b.exit.exitRate).sum()"


# To CEL, indexOf is one step: where nested comprehensions take seconds, this takes milliseconds.
# The list around the list gives it a name.
def _all_differ(strings: str) -> str:
    return f"[{strings}].all(s, s.all(x, s.indexOf(x) == s.lastIndexOf(x)))"


def _first_repeated(strings: str) -> str:
    repeated = f"[{strings}].map(s, s.filter(x, s.indexOf(x) != s.lastIndexOf(x)))[0][0]"
    return f"{repeated} + ' is there twice'"


def _faults(blocks: tuple[Block, ...]) -> Iterator[Fault]:
    last = blocks[-1]
    if last.exit is None:
        yield (len(blocks) - 1,), _LAST_EXIT
    elif last.exit.exit_rate:
        yield (len(blocks) - 1, "exit", "exitRate"), _LAST_RATE
    for position, name in repeated(block.name for block in blocks):
        yield (position, "name"), f"{_UNIQUE_BLOCKS}; {name} is there twice"
    exits = [(i, block.exit_name) for i, block in enumerate(blocks) if block.exit_name]
    for position, name in repeated(name for _, name in exits):
        yield (exits[position][0], "exit", "name"), f"{_UNIQUE_EXITS}; {name} is there twice"
    total = sum(block.exit.exit_rate for block in blocks if block.exit)
    if total > 1 + RATE_SLACK:
        yield (), f"{_SUM}; they add up to {total:.6g}"


def _check(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    refuse(_faults(blocks))
    return blocks


class DNNModelSpec(Model):
    """What the model costs, block by block, and how accurate it is at each exit."""

    input_bytes: Quantity = Field(description="Bytes of one input, as the first block receives it.")
    blocks: Annotated[
        tuple[Block, ...], Field(min_length=1, max_length=256), LIST, AfterValidator(_check)
    ] = Field(
        description="The blocks, in the order in which they run.",
        # Atomic, not a map by name: the order is the model, so appliers must not merge theirs.
        json_schema_extra=rules(
            (_all_differ(_NAMES), _UNIQUE_BLOCKS, _first_repeated(_NAMES)),
            ("size(self) == 0 || has(self[size(self) - 1].exit)", _LAST_EXIT),
            (
                "size(self) == 0 || !has(self[size(self) - 1].exit)"
                " || self[size(self) - 1].exit.exitRate == 0.0",
                _LAST_RATE,
            ),
            (_all_differ(_EXIT_NAMES), _UNIQUE_EXITS, _first_repeated(_EXIT_NAMES)),
            (f"{_RATES} <= 1.0 + {RATE_SLACK}", _SUM),
        ),
    )
    segment: SegmentTemplate = Field(
        default_factory=SegmentTemplate,
        description="How a segment of this model runs.",
        json_schema_extra={"default": {}},
    )


class DNNModelStatus(Model):
    """What the operator found out about the model."""

    conditions: Conditions = Field(
        default=(), description="Accepted: whether the model can be planned with."
    )


class DNNModel(Resource):
    """A dynamic deep neural network: a chain of blocks, some of them with an exit after them."""

    KIND: ClassVar[str] = names.DNN_MODEL
    PLURAL: ClassVar[str] = names.PLURAL_DNN_MODEL
    SHORT_NAME: ClassVar[str] = "dnn"
    STATUS: ClassVar[type[Model]] = DNNModelStatus
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        ACCEPTED,
        Column("Input", ".spec.inputBytes", "Bytes of one input."),
        Column("Accuracy", ".spec.blocks[-1:].exit.accuracy", "Of the whole model.", type="number"),
        ACCEPTED_REASON,
        Column("Image", ".spec.segment.image", "The segments' image.", wide=True),
        AGE,
    )

    kind: Literal["DNNModel"]
    spec: DNNModelSpec
