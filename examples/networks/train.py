"""Train the networks and write them, and the samples to calibrate and test with: `make networks`.

Minutes on two cores. Seeded; other versions or processors may still give slightly other weights.
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import onnx
import torch
from architectures import NETWORKS, EarlyExit
from digits import SEED, Samples, split
from rich.progress import track
from torch import Tensor, nn

HERE = Path(__file__).parent
EPOCHS = {"digits-lenet": 120, "digits-alexnet": 60, "digits-resnet": 12}
BATCH = 64
OPSET = 20


def main() -> None:
    """Write the samples, then train and write each network that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), help="default: all")
    names = parser.parse_args().networks
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses what isn't needed
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in one order
    training, calibration, heldout = split()
    for name, samples in (("calibration", calibration), ("heldout", heldout)):
        np.savez_compressed(HERE / f"{name}.npz", inputs=samples.inputs, labels=samples.labels)
    for name in names:
        torch.manual_seed(SEED)
        network = NETWORKS[name]()
        train(network, training, EPOCHS[name], name)
        print(name, *(f"{share:.1%}" for share in accuracies(network, heldout)), "held out")
        write(network, HERE / f"{name}.onnx")


def train(network: EarlyExit, samples: Samples, epochs: int, name: str) -> None:
    """Train all exits together: the sum of their cross-entropies, each of the same weight."""
    images, labels = torch.from_numpy(samples.inputs), torch.from_numpy(samples.labels)
    steps = epochs * (len(labels) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps)
    network.train()
    for _ in track(range(epochs), description=name):
        for batch in torch.randperm(len(labels))[: BATCH * (len(labels) // BATCH)].split(BATCH):
            logits = network.logits(shifted(images[batch]))
            loss = sum(nn.functional.cross_entropy(each, labels[batch]) for each in logits)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    network.eval()


def shifted(images: Tensor) -> Tensor:
    """Return the images, each moved by up to one pixel and with a little noise."""
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    size = images.shape[-1]
    moved = [
        image[:, row : row + size, column : column + size]
        for image, (row, column) in zip(
            padded, torch.randint(0, 3, (len(images), 2)).tolist(), strict=True
        )
    ]
    return torch.stack(moved) + 0.05 * torch.randn(images.shape)


@torch.no_grad()
def accuracies(network: EarlyExit, samples: Samples) -> list[float]:
    """Return the accuracy at each exit if every sample left there."""
    logits = network.logits(torch.from_numpy(samples.inputs))
    labels = torch.from_numpy(samples.labels)
    return [float((each.argmax(dim=1) == labels).float().mean()) for each in logits]


def write(network: EarlyExit, path: Path) -> None:
    """Write one ONNX file; its outputs are the tensors between blocks and the exits' logits."""
    batch = torch.zeros(2, 1, 8, 8)
    program = torch.onnx.export(
        network,
        (batch,),
        input_names=["image"],
        output_names=network.outputs,
        dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    del model.metadata_props[:]
    for node in model.graph.node:  # traces of the exporter, larger than the small networks
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


if __name__ == "__main__":
    main()
