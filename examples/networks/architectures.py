"""Convolutional networks with early exits, for images of 1 by 8 by 8.

Each is a chain of blocks. A block may have a classifier, through which samples may leave.
"""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

CLASSES = 10


@dataclass(frozen=True)
class Block:
    """A block, and the exit after it where there is one."""

    name: str
    body: nn.Module
    exit: str | None = None
    classifier: nn.Module | None = None


class EarlyExit(nn.Module):
    """A chain of blocks that returns what each hands to the next, and the logits of each exit."""

    def __init__(self, blocks: list[Block]) -> None:
        super().__init__()
        self.bodies = nn.ModuleDict(OrderedDict((block.name, block.body) for block in blocks))
        self.classifiers = nn.ModuleDict(
            OrderedDict((block.name, block.classifier) for block in blocks if block.exit)
        )
        last = blocks[-1]
        names = [(block.name if block is not last else None, block.exit) for block in blocks]
        self.outputs = [name for pair in names for name in pair if name]
        self.exits = [self.outputs.index(block.exit) for block in blocks if block.exit]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return what ``outputs`` names, in that order."""
        found = []
        features = image
        for name, body in self.bodies.items():
            features = body(features)
            if name in self.outputs:
                found.append(features)
            if name in self.classifiers:
                found.append(self.classifiers[name](features))
        return tuple(found)

    def logits(self, image: Tensor) -> list[Tensor]:
        """Return the logits of each exit, samples by classes."""
        outputs = self(image)
        return [outputs[position] for position in self.exits]


def lenet() -> EarlyExit:
    """LeNet with one early exit (BranchyNet: Teerapittayanon, McDanel, Kung, ICPR 2016)."""
    return EarlyExit(
        [
            Block(
                "conv1",
                nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
                "early",
                nn.Sequential(nn.Flatten(), nn.Linear(6 * 4 * 4, CLASSES)),
            ),
            Block(
                "conv2",
                nn.Sequential(nn.Conv2d(6, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            ),
            Block(
                "fc",
                nn.Sequential(
                    nn.Flatten(), nn.Linear(16 * 2 * 2, 84), nn.ReLU(), nn.Linear(84, 48), nn.ReLU()
                ),
                "final",
                nn.Linear(48, CLASSES),
            ),
        ]
    )


def alexnet() -> EarlyExit:
    """AlexNet, made small, with BranchyNet's two early exits."""
    return EarlyExit(
        [
            Block(
                "conv1",
                nn.Sequential(_convolution(1, 32), nn.MaxPool2d(2)),
                "exit1",
                nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32 * 2 * 2, CLASSES)),
            ),
            Block(
                "conv2",
                nn.Sequential(_convolution(32, 48), nn.MaxPool2d(2)),
                "exit2",
                nn.Sequential(nn.Flatten(), nn.Linear(48 * 2 * 2, CLASSES)),
            ),
            Block("conv3", _convolution(48, 64)),
            Block("conv4", _convolution(64, 64)),
            Block("conv5", _convolution(64, 48)),
            Block(
                "fc",
                nn.Sequential(nn.Flatten(), nn.Linear(48 * 2 * 2, 96), nn.ReLU()),
                "final",
                nn.Linear(96, CLASSES),
            ),
        ]
    )


def wide_resnet() -> EarlyExit:
    """A residual network on the image at four times its size, with an exit after each stage."""
    return EarlyExit(
        [
            Block(
                "stem",
                nn.Sequential(nn.Upsample(scale_factor=4, mode="bilinear"), _convolution(1, 16)),
            ),
            Block(
                "stage1",
                nn.Sequential(_Residual(16, 48), _Residual(48, 48)),
                "exit1",
                _Head(48),
            ),
            Block(
                "stage2",
                nn.Sequential(_Residual(48, 64, stride=2), _Residual(64, 64)),
                "exit2",
                _Head(64),
            ),
            Block("stage3", _Residual(64, 64, stride=2), "final", _Head(64)),
        ]
    )


NETWORKS = {"digits-lenet": lenet, "digits-alexnet": alexnet, "digits-resnet": wide_resnet}


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    """Two convolutions beside a shortcut (K. He, X. Zhang, S. Ren, J. Sun, CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(inputs, outputs, stride),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(self.body(features) + self.shortcut(features))


class _Head(nn.Sequential):
    """Average of each channel, then one layer."""

    def __init__(self, channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))
