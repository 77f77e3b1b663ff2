"""Speed, power and CPUs of a machine."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from fin.profiling import flops, node, workload
from fin.profiling.errors import ProfileError
from fin.profiling.labels import labels
from fin.profiling.node import Speed
from fin.profiling.power import Counters
from fin.profiling.runtime import Session
from fin.segment.cpus import limit
from tests.profiling.conftest import network

SPEED = Speed(flops=20e9, cpus=2, seconds=10, watts=8)


def test_a_machine_runs_a_network_at_a_speed_and_keeps_its_cpus() -> None:
    before = os.sched_getaffinity(0)
    told: list[float] = []
    speed = node.measure(workload.network(), 0.5, 1, lambda _, share: told.append(share))
    assert os.sched_getaffinity(0) == before
    assert speed.cpus == 1
    assert 1e8 < speed.flops < 1e13
    assert 0.2 < speed.seconds < 5
    assert told == sorted(told)
    assert told[-1] == 1


def test_pauses_do_not_count() -> None:
    speed = node.measure(workload.network(), 1.0, 1, pause=0.2)
    assert speed.seconds > 0.2
    assert 1e8 < speed.flops < 1e13
    assert speed.watts is None
    sustained = node.measure(workload.network(), 0.5, 1)
    assert speed.flops > sustained.flops / 10


def test_more_cpus_than_there_are_are_refused() -> None:
    with pytest.raises(ProfileError, match="CPUs for this process, and not 100000"):
        node.measure(workload.network(), 0.1, 100_000)


def test_a_network_without_operations_is_refused() -> None:
    model = network([helper.make_node("Identity", ["x"], ["y"])], ["n", 4], ["y"])
    with pytest.raises(ProfileError, match="has no floating-point operations"):
        node.measure(model, 0.1, 1)


def test_the_usual_network_is_valid_and_has_the_operations_counted_by_hand() -> None:
    model = workload.network()
    onnx.checker.check_model(model, full_check=True)
    sample = np.zeros((1, 64, 56, 56), np.float32)
    large, small = 56 * 56, 28 * 28
    convolutions = 2 * (2 * 64 * 64 * 9 * large + (64 + 128) * 128 * 9 * small + 128 * 256 * small)
    counted = flops.count(model, "features", sample)
    total = sum(each for name, each in counted.items() if name.startswith("convolved"))
    assert total == convolutions
    assert sum(counted.values()) < 1.01 * convolutions
    assert Session(model.SerializeToString()).run(sample)[0].shape == (1, 1000)


def zone(root: Path, directory: str, name: str, energy: int, largest: int = 10_000_000) -> Path:
    path = root / directory
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{energy}\n")
    (path / "max_energy_range_uj").write_text(f"{largest}\n")
    return path


def test_energy_is_that_of_packages_and_memory(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    core = zone(tmp_path, "intel-rapl:0:0", "core", 0)
    memory = zone(tmp_path, "intel-rapl:0:1", "dram", 9_500_000)
    platform = zone(tmp_path, "intel-rapl:1", "psys", 0)
    counters = Counters(tmp_path)
    assert counters.joules() == 0
    (package / "energy_uj").write_text("4000000\n")
    (core / "energy_uj").write_text("2000000\n")
    (memory / "energy_uj").write_text("500000\n")  # it began anew at 10 J
    (platform / "energy_uj").write_text("9000000\n")
    assert counters.joules() == pytest.approx(3 + 1)


def test_without_counters_there_is_no_energy(tmp_path: Path) -> None:
    assert Counters(tmp_path / "none").joules() is None
    package = zone(tmp_path, "intel-rapl:0", "package-0", 5)
    (package / "energy_uj").unlink()
    (package / "energy_uj").mkdir()  # even root can't read that
    assert Counters(tmp_path).joules() is None


def machine(root: Path, cgroup: str, **quotas: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"0::{cgroup}\n")
    for path, quota in quotas.items():
        group = root / "sys/fs/cgroup" / path.replace("_", "/").strip("/")
        group.mkdir(parents=True, exist_ok=True)
        (group / "cpu.max").write_text(f"{quota}\n")
    return root


def test_the_least_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    root = machine(tmp_path, "/a/b", a="50000 100000", a_b="80000 100000", c="1000 100000")
    assert limit(root) == 0.5


def test_a_container_sees_its_quota_at_the_root(tmp_path: Path) -> None:
    assert limit(machine(tmp_path, "/", _="25000 100000")) == 0.25


def test_without_a_quota_affinity_counts(tmp_path: Path) -> None:
    assert limit(machine(tmp_path, "/a", a="max 100000")) == len(os.sched_getaffinity(0))
    assert limit(tmp_path / "nothing") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("path", ["/pods/one", "/unseen/in/a/container"])
def test_version_1_of_cgroups_has_quotas_too(tmp_path: Path, path: str) -> None:
    root = machine(tmp_path, "/")
    lines = f"4:memory:/other\n3:cpu,cpuacct:{path}\n"
    (root / "proc/self/cgroup").write_text(lines)
    for group in ("", "pods/one"):
        inner = root / "sys/fs/cgroup/cpu" / group
        inner.mkdir(parents=True, exist_ok=True)
        (inner / "cpu.cfs_period_us").write_text("100000\n")
        (inner / "cpu.cfs_quota_us").write_text("-1\n")
    assert limit(root) == len(os.sched_getaffinity(0))
    limited = "pods/one" if path == "/pods/one" else ""
    (root / "sys/fs/cgroup/cpu" / limited / "cpu.cfs_quota_us").write_text("75000\n")
    assert limit(root) == 0.75


def test_labels_are_of_the_whole_node() -> None:
    assert labels(SPEED, allocatable=3.8, watts=None, tier="edge") == {
        "finoperator.io/flops": "38G",
        "finoperator.io/gflops-per-watt": "2.5",
        "finoperator.io/tier": "edge",
    }


def test_power_that_is_given_beats_power_that_is_read() -> None:
    assert labels(SPEED, None, 10, None) == {
        "finoperator.io/flops": "20G",
        "finoperator.io/gflops-per-watt": "2",
    }


def test_without_power_there_is_no_label_for_it() -> None:
    speed = Speed(flops=20e9, cpus=2, seconds=10, watts=None)
    assert labels(speed, None, None, None) == {"finoperator.io/flops": "20G"}


def test_a_tier_that_is_no_word_is_refused() -> None:
    with pytest.raises(ProfileError, match="--tier my edge: must be letters"):
        labels(SPEED, None, None, "my edge")
