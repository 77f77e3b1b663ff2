"""The operator's metrics, fetched and parsed as Prometheus does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from testbed.demo.reading import Key

BASELINES = ("source-only", "edge-only", "cloud-only", "mcp", "neurosurgeon", "edgent")

_open = build_opener(ProxyHandler({})).open  # a proxy that the user has is not for loopback


@dataclass(frozen=True)
class AppEnergy:
    """What an app costs: joules per inference, watts, joules so far; watts saved by baseline."""

    per_inference: float
    power: float
    so_far: float
    rate: float
    saved: Mapping[str, float]


@dataclass(frozen=True)
class Scrape:
    """One reading of the metrics."""

    apps: Mapping[Key, AppEnergy]
    power: float
    power_bound: float


def answers(url: str) -> bool:
    """Tell whether a URL answers with success."""
    try:
        with _open(url, timeout=10):
            return True
    except OSError:
        return False


def scrape(url: str) -> Scrape:
    """Read the metrics of every app that serves."""
    with _open(url, timeout=10) as answer:
        samples = _Samples(answer.read().decode())
    ready = [key for key, value in samples.by_app("fin_app_ready").items() if value]
    per_inference = samples.by_app("fin_app_energy_per_inference_joules")
    power = samples.by_app("fin_app_power_watts")
    so_far = samples.by_app("fin_app_energy_joules_total")
    rate = samples.by_app("fin_app_rate_per_second")
    apps = {
        key: AppEnergy(
            per_inference=per_inference[key],
            power=power[key],
            so_far=so_far[key],
            rate=rate[key],
            saved=samples.saved(key),
        )
        for key in sorted(ready)
    }
    return Scrape(apps, samples.one("fin_power_watts"), samples.one("fin_power_bound_watts"))


class _Samples:
    """Samples of a scrape, summed over the labels that don't matter."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self._samples = [sample for family in families for sample in family.samples]

    def one(self, name: str) -> float:
        return sum(sample.value for sample in self._samples if sample.name == name)

    def by_app(self, name: str) -> dict[Key, float]:
        pairs = (
            ((sample.labels["namespace"], sample.labels["app"]), sample.value)
            for sample in self._samples
            if sample.name == name
        )
        return _sums(pairs)

    def saved(self, key: Key) -> dict[str, float]:
        return {
            sample.labels["baseline"]: sample.value
            for sample in self._samples
            if sample.name == "fin_app_power_saved_watts"
            and (sample.labels["namespace"], sample.labels["app"]) == key
        }


def _sums(pairs: Iterable[tuple[Key, float]]) -> dict[Key, float]:
    sums: dict[Key, float] = {}
    for key, value in pairs:
        sums[key] = sums.get(key, 0.0) + value
    return sums
