"""The example that runs for real: a network that reads digits, measured, planned and served."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from fin.api import DNNModel
from fin.api.names import DEFAULT_NAMESPACE
from fin.api.parsing import parse
from fin.cli.units import percent, seconds
from testbed.controlplane import ControlPlane
from testbed.demo.client import Answers
from testbed.demo.reading import AppView, Key, get
from testbed.demo.stage import DemoError, Stage

NETWORK: Final = "digits-alexnet"
APP: Final[Key] = (DEFAULT_NAMESPACE, "digit-reader")
APP_FILE: Final = "networks/digit-reader.yaml"
MODEL_FILE: Final = "model.yaml"
BLOCKS: Final = "blocks"
HELD_OUT: Final = "networks/heldout.npz"

_FIN = Path(sys.executable).with_name("fin")
_PROCESS = "profile"
_TIMEOUT = 240.0


def measure(cluster: ControlPlane, stage: Stage, examples: Path) -> Path:
    """Have ``fin profile`` measure the network; returns the directory of what it wrote.

    Raises
    ------
    DemoError
        It failed, or takes minutes.
    """
    directory = cluster.directory / "digits"
    directory.mkdir()
    network, data = (
        examples / "networks" / name for name in (f"{NETWORK}.onnx", "calibration.npz")
    )
    profiling = ("profile", "model", str(network), f"--data={data}")
    stage.command(f"fin {' '.join(profiling)} --output={MODEL_FILE} --blocks={BLOCKS}")
    written = (f"--output={directory / MODEL_FILE}", f"--blocks={directory / BLOCKS}")
    processes = cluster.processes
    processes.start(_PROCESS, [str(_FIN), *profiling, *written])
    stage.until(lambda: processes.status(_PROCESS) is not None, _TIMEOUT, "the measurement")
    log = processes.log_tail(_PROCESS)
    if processes.status(_PROCESS):
        raise DemoError(f"`fin profile` can't measure {network}:\n{log}")
    stage.say(log.splitlines()[-1])
    return directory


def exit_shares(cluster: ControlPlane, exits: Sequence[str]) -> dict[str, float]:
    """Return the shares of the samples that are to leave at each exit; the last takes the rest."""
    objects = get(cluster, "dnnmodels", f"--field-selector=metadata.name={NETWORK}")
    model = parse(DNNModel, objects[0])
    rates = {each.exit_name: each.exit.exit_rate for each in model.spec.blocks if each.exit}
    shares = {leaving: rates[leaving] for leaving in exits[:-1]}
    return {**shares, exits[-1]: 1 - sum(shares.values())}


def verdict(app: AppView, answers: Answers) -> str:
    """Say what was measured, beside what was planned."""
    assert app.plan is not None
    found = answers.seconds
    return (
        f"{percent(answers.accuracy)} of {len(found)} held-out samples are read right; planned: "
        f"{percent(app.plan.accuracy)}. An answer takes {seconds(found.mean())} on average, "
        f"{seconds(np.quantile(found, 0.99))} at the 99th percentile; planned: "
        f"{seconds(float(app.plan.latency))}, and {seconds(float(app.target))} is the target."
    )


def explanation(answers: Answers) -> str:
    """Say why what was measured is not what was planned."""
    return (
        "Planned is an idle server with the CPU that the plan reserves. Here the blocks have this "
        f"machine's CPU and take {seconds(answers.compute)} on average; the protocol, the "
        "processes and whatever else runs here come on top."
    )
