"""What has to hold for the demonstration to say that it does."""

import math
from collections.abc import Iterable, Mapping, Sequence

from testbed.demo.client import Answers
from testbed.demo.metrics import Scrape
from testbed.demo.reading import AppView, Workload
from testbed.demo.stage import DemoError

_ROUNDING = 0.005
"""Of the numbers in a status: three significant digits."""


def check_targets(apps: Iterable[AppView]) -> None:
    """Every plan meets the latency and the accuracy that its app asks for."""
    for app in apps:
        _require(app.plan is not None, f"{app.name} has no plan in its status")
        assert app.plan is not None
        in_time = float(app.plan.latency) <= float(app.target) * (1 + _ROUNDING)
        _require(in_time, f"{app.name} takes {app.plan.latency}, its target is {app.target}")
        good = app.plan.accuracy >= app.min_accuracy
        _require(good, f"{app.name} has accuracy {app.plan.accuracy}, less than it asks for")


def check_workloads(apps: Iterable[AppView], workloads: Mapping[tuple[str, str], Workload]) -> None:
    """Each segment of the plans has its Deployment, on its node, with its limits, and Ready."""
    for app in apps:
        for segment in app.plan.segments if app.plan else ():
            found = workloads.get((app.key[0], segment.name))
            _require(found is not None, f"there is no Deployment {segment.name}")
            assert found is not None
            wanted = {"cpu": segment.cpu, "memory": segment.memory}
            limits = found.limits == found.requests == wanted
            _require(limits, f"Deployment {found.name} has other limits than the plan")
            placed = found.node == segment.node_name
            _require(placed, f"{found.name} runs on {found.node or 'no node'}, not as planned")
            _require(found.ready, f"Deployment {found.name} is not Ready")


def agree(apps: Iterable[AppView], found: Scrape) -> bool:
    """Tell whether the metrics are of exactly these apps and plans, and each has used energy."""
    plans = {app.key: app.plan for app in apps}
    return plans.keys() == found.apps.keys() and all(
        plan is not None
        and math.isclose(found.apps[key].power, float(plan.power), rel_tol=_ROUNDING)
        and found.apps[key].so_far > 0
        for key, plan in plans.items()
    )


def check_metrics(apps: Iterable[AppView], found: Scrape) -> None:
    """The metrics are those of the plans, add up, and compare each app with a baseline."""
    _require(agree(apps, found), "the metrics tell of other apps or plans than the status")
    total = sum(app.power for app in found.apps.values())
    adds_up = math.isclose(found.power, total, rel_tol=1e-6)
    _require(adds_up, f"the apps' powers don't add up to fin_power_watts, {found.power:g} W")
    for (_, name), app in found.apps.items():
        is_product = math.isclose(app.power, app.rate * app.per_inference, rel_tol=1e-6)
        _require(is_product, f"power of {name} is not its rate times its energy per inference")
        _require(bool(app.saved), f"there is no baseline to compare {name} with")


def check_answers(app: AppView, segments: Sequence[str], answers: Answers) -> None:
    """The samples went the way of the plan, and were in time and right as the app asks for."""
    for answer in answers.each:
        taken = answer.segments == tuple(segments[: len(answer.segments)])
        _require(taken, f"a sample went through {', '.join(answer.segments)}, not as planned")
    split = any(len(answer.segments) > 1 for answer in answers.each)
    _require(split, f"no sample left {segments[0]}")
    found = answers.accuracy
    good = found >= app.min_accuracy
    _require(good, f"{app.name} has accuracy {found:.4f}, less than {app.min_accuracy}")
    mean = answers.seconds.mean()
    in_time = mean <= float(app.target)
    _require(in_time, f"{app.name} takes {mean:.3g} s, its target is {app.target}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoError(otherwise)
