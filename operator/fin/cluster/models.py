"""DNNModel to the planner's model."""

from math import ceil

from fin.api.dnnmodel import Block as BlockSpec
from fin.api.dnnmodel import DNNModel
from fin.planning.problem import MIN_MILLICORES, Block, Exit, Model


def planning_model(model: DNNModel) -> Model:
    """Turn a valid model into the planner's; memory and CPU in whole units, rounded up."""
    return Model(
        name=model.metadata.name,
        input_bytes=float(model.spec.input_bytes),
        blocks=tuple(map(_block, model.spec.blocks)),
        memory_overhead=ceil(model.spec.segment.memory_overhead.value),
        min_millicores=max(MIN_MILLICORES, ceil(1000 * model.spec.segment.cpu_minimum.value)),
    )


def _block(block: BlockSpec) -> Block:
    return Block(
        name=block.name,
        flops=float(block.flops),
        memory=ceil(block.memory.value),
        output_bytes=float(block.output_bytes),
        exit=_exit(block),
    )


def _exit(block: BlockSpec) -> Exit | None:
    if block.exit is None:
        return None
    return Exit(
        name=block.exit.name or block.name,
        flops=float(block.exit.flops),
        memory=ceil(block.exit.memory.value),
        rate=block.exit.exit_rate,
        accuracy=block.exit.accuracy,
    )
