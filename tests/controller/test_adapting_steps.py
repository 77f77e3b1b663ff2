"""What was observed never costs an app its plan."""

from dataclasses import replace

import pytest

from fin.cluster.memory import MoveMemory
from fin.cluster.telemetry.adapting import DECLARED, Adapted
from fin.controller.settings import OperatorSettings
from fin.controller.steps import Outcome, Planned, Steps, Values
from tests.helpers.simulator import SETTINGS, Operator
from tests.helpers.small_cluster import small_cluster

KEY = ("default", "camera")
STEPS = Steps(OperatorSettings(segment_image=SETTINGS.segments.default_image))


@pytest.fixture
def operator() -> Operator:
    """An app that runs, planned with 30 inferences/s in place of 20."""
    started = Operator(small_cluster(rate=20, adapt=True))
    started.settle()
    started.proposals = {KEY: rate(30.0)}
    started.settle()
    started.proposals = {}
    return started


def rate(value: float) -> Adapted:
    return Adapted(rate=value, declared_rate=20.0)


def plan(operator: Operator, proposals: Values, last: Planned | None = None) -> Planned:
    snapshot = operator.cluster.snapshot()
    return STEPS.plan(snapshot, MoveMemory(), operator.cluster.now, last, proposals)


def decide(operator: Operator, planned: Planned) -> Outcome:
    snapshot = operator.cluster.snapshot()
    found = STEPS.decide(snapshot, MoveMemory(), operator.cluster.now, planned, {})
    assert isinstance(found, Outcome)
    return found


def told(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(each.type, each.reason, each.message) for each in outcome.adapting]


def test_what_is_proposed_is_planned_with(operator: Operator) -> None:
    found = plan(operator, {KEY: rate(40.0)})
    assert found.problem.app[KEY].rate == 40
    assert (dict(found.adopted), found.declined) == ({KEY: rate(40.0)}, {})
    outcome = decide(operator, found)
    assert told(outcome) == [("Normal", "Adapted", "Planned for 40 inferences/s (declared 20)")]
    assert outcome.decision.memory.adapted == {KEY: rate(40.0)}
    # It is in force from then on, though it may not be written yet.
    snapshot, now = operator.cluster.snapshot(), operator.cluster.now
    again = STEPS.plan(snapshot, outcome.decision.memory, now, found, {})
    assert (again.seconds, again.adapted, dict(again.adopted)) == (0, {KEY: rate(40.0)}, {})
    assert told(decide(operator, again)) == []


def test_without_a_plan_for_it_what_is_in_force_stays(operator: Operator) -> None:
    found = plan(operator, {KEY: rate(1e9)})
    assert found.adapted == {KEY: rate(30.0)}
    assert KEY in found.plan.app
    assert dict(found.adopted) == {}
    ((kind, reason, message),) = told(decide(operator, found))
    assert (kind, reason) == ("Warning", "NotAdapted")
    assert "planned for as before: RateTooHigh" in message
    assert decide(operator, found).decision.actions == ()
    assert plan(operator, {}, last=found).seconds == 0


def test_without_a_plan_for_that_either_the_declared_counts(operator: Operator) -> None:
    # 23 MFLOP are expected of each: at a utilisation of 0.8 that is 575M FLOP/s for 20 inferences.
    operator.cluster.remove("Node", "edge-1")
    edge = operator.cluster.objects["Node", "default", "edge-0"]
    edge["metadata"]["labels"]["finoperator.io/flops"] = "700M"
    found = plan(operator, {})
    assert found.adapted == {KEY: DECLARED}
    assert KEY in found.plan.app
    assert found.declined == {}
    outcome = decide(operator, found)
    assert told(outcome) == [("Normal", "Adapted", "Planned for what is declared")]
    both = plan(operator, {KEY: rate(40.0)})
    assert both.adapted == {KEY: DECLARED}
    assert both.declined.keys() == {KEY}


def test_an_app_without_any_plan_keeps_its_values(operator: Operator) -> None:
    operator.cluster.edit_app("camera", latency={"target": "1us"})
    found = plan(operator, {KEY: rate(40.0)})
    assert KEY in found.plan.refusal
    assert found.adapted == {KEY: rate(30.0)}
    assert plan(operator, {}, last=replace(found, adopted={})).seconds == 0
