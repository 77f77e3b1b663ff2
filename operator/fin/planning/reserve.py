"""Reservations: the least compute that meets the latency and carries the load.

Source: model.md, "Reserving": the Karush-Kuhn-Tucker conditions of minimising
sum y_n f_n subject to sum a_n / f_n <= D - t and bounds on every f_n.
"""

import math
from dataclasses import dataclass

from fin.planning.evaluation import evaluate
from fin.planning.plan import AppPlan, Placement
from fin.planning.problem import App, Problem

SLACK = 1e-10
"""Relative slack of the latency, inside what ``check`` allows."""

HALVINGS = 200
"""Steps of the bisection: enough for any two finite positive numbers."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """One segment to reserve for, in millicores of its node.

    ``seconds`` is its latency at one millicore (a_n / speed of a millicore), ``price``
    what a millicore costs, ``least`` what the load needs, ``most`` what is left.
    """

    node: str
    seconds: float
    price: float
    least: int
    most: int


def reserve(
    problem: Problem, app: App, placement: Placement, left: dict[str, int] | None = None
) -> AppPlan | None:
    """Reserve the least share of compute, sum of f_n / C_n, for a placement.

    ``left`` gives the millicores that are left on each node; without it all are. None
    where they do not suffice, in latency or in load. Reservations are whole millicores.
    """
    found = evaluate(problem, app, placement)
    spare = app.latency * (1 + SLACK) - found.network_latency
    segments = []
    for name, _ in placement.segments:
        node = problem.node[name]
        load = found.load[name] / problem.utilisation / node.flops_per_millicore
        segments.append(
            _Segment(
                node=name,
                seconds=found.work[name] / node.flops_per_millicore,
                price=1.0 / max(node.millicores, 1),
                least=max(app.model.min_millicores, math.ceil(load * (1 - SLACK))),
                most=node.millicores if left is None else left.get(name, 0),
            )
        )
    if any(each.least > each.most for each in segments):
        return None
    if _latency(segments, [each.most for each in segments]) > spare:
        return None
    chosen = _trim(segments, [math.ceil(each) for each in _continuous(segments, spare)], spare)
    reserved = zip((each.node for each in segments), chosen, strict=True)
    return AppPlan(app.key, placement, tuple(reserved))


def _continuous(segments: list[_Segment], spare: float) -> list[float]:
    """Real-valued optimum: clip(sqrt(theta a / y)) at the least theta that is in time."""

    def at(theta: float) -> list[float]:
        return [
            min(max(math.sqrt(theta * each.seconds / each.price), each.least), each.most)
            for each in segments
        ]

    work = [each for each in segments if each.seconds > 0]
    if not work or _latency(segments, [each.least for each in segments]) <= spare:
        return [float(each.least) for each in segments]
    low = math.log(min(each.price * each.least**2 / each.seconds for each in work))
    high = math.log(max(each.price * each.most**2 / each.seconds for each in work))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _latency(segments, at(math.exp(middle))) <= spare:
            high = middle
        else:
            low = middle
    return at(math.exp(high) * (1 + SLACK))


def _trim(segments: list[_Segment], chosen: list[int], spare: float) -> list[int]:
    """Give back whole millicores that rounding up made superfluous, the dearest first."""
    chosen = [min(value, each.most) for value, each in zip(chosen, segments, strict=True)]
    order = sorted(range(len(segments)), key=lambda index: -segments[index].price)
    for index in order:
        # Halving: a node may claim so many millicores that steps of one would take for ever.
        late, in_time = segments[index].least - 1, chosen[index]
        while in_time - late > 1:
            chosen[index] = (late + in_time) // 2
            if _latency(segments, chosen) > spare:
                late = chosen[index]
            else:
                in_time = chosen[index]
        chosen[index] = in_time
    return chosen


def _latency(segments: list[_Segment], millicores: list[int] | list[float]) -> float:
    return sum(
        each.seconds / value
        for each, value in zip(segments, millicores, strict=True)
        if each.seconds > 0
    )
