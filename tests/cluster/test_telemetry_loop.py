"""The loop from what segments count to what is planned, told and moved, in a simulated cluster."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fin.api.names import ANNOTATION_ADAPTED
from fin.api.quantity import Quantity
from fin.cluster.telemetry.adapting import read
from fin.planning.problem import App
from tests.helpers.simulator import Operator
from tests.helpers.small_cluster import small_cluster
from tests.helpers.traffic import KEY, Traffic

Json = dict[str, Any]
AS_PLANNED = {"block1": 0.4, "final": 0.6}


def started(**spec: Any) -> Operator:
    operator = Operator(small_cluster(**spec))
    operator.settle()
    return operator


def status(operator: Operator) -> Json:
    live = operator.cluster.get("InferenceApp", "camera")
    assert live is not None
    return dict(live["status"])


def drifted(operator: Operator) -> tuple[str, str]:
    (found,) = [each for each in status(operator)["conditions"] if each["type"] == "Drifted"]
    return found["status"], found["reason"]


def planned(operator: Operator) -> App:
    _, world = operator.look()
    return world.problem.app[KEY]


def annotation(operator: Operator) -> str:
    config = operator.cluster.get("ConfigMap", "camera-routes")
    assert config is not None
    return str(config["metadata"]["annotations"].get(ANNOTATION_ADAPTED, ""))


def test_what_is_as_planned_is_told_beside_the_plan() -> None:
    operator = started(rate=20)
    traffic = Traffic(operator, 20.0, AS_PLANNED)
    traffic.run(120)
    told = status(operator)
    assert drifted(operator) == ("False", "AsPlanned")
    observed, plan = told["observed"], told["plan"]
    assert observed["revision"] == plan["revision"]
    assert float(Quantity.parse(observed["rate"])) == pytest.approx(20, rel=0.15)
    assert observed["latency"]["mean"] == "20ms"
    # 3 KiB at 100 Mbit/s, and 2 ms there and back.
    assert observed["latency"]["fromSource"] == "2.25ms"
    assert [each["name"] for each in observed["exits"]] == ["block1", "final"]
    shares = [each["share"] for each in observed["exits"]]
    assert shares == pytest.approx([0.4, 0.6], abs=0.06)
    assert sum(shares) == pytest.approx(1, abs=1e-3)


def test_without_adapt_what_drifts_is_told_and_nothing_moves() -> None:
    operator = started(rate=20)
    before = planned(operator)
    traffic = Traffic(operator, 60.0, AS_PLANNED)
    traffic.run(900)
    assert drifted(operator) == ("True", "RateAbovePlan")
    assert planned(operator) == before
    assert traffic.adoptions == 0
    assert annotation(operator) == ""


def test_a_step_of_the_rate_is_followed_at_one_blow() -> None:
    operator = started(rate=20, adapt=True)
    traffic = Traffic(operator, 20.0, AS_PLANNED)
    traffic.run(300)
    assert traffic.adoptions == 0
    traffic.rate = 60.0
    traffic.run(90)
    assert planned(operator).rate == 20  # it may be a burst
    traffic.run(1500)
    assert traffic.adoptions == 1
    assert planned(operator).rate == pytest.approx(60, rel=0.2)
    assert drifted(operator) == ("False", "AsPlanned")
    assert float(Quantity.parse(status(operator)["plan"]["rate"])) == planned(operator).rate
    assert operator.cluster.why_not_served("camera") is None


def test_exits_are_followed() -> None:
    operator = started(adapt=True)
    traffic = Traffic(operator, 20.0, {"block1": 0.1, "final": 0.9})
    operator.cluster.edit_app("camera", rate=20)
    traffic.run(900)
    exits = [each.exit for each in planned(operator).model.blocks if each.exit]
    assert exits[0].rate == pytest.approx(0.1, abs=0.05)
    assert planned(operator).rate == 20
    shares = {each["name"]: each["share"] for each in status(operator)["plan"]["exits"]}
    assert shares["block1"] == exits[0].rate
    assert drifted(operator) == ("False", "AsPlanned")


def test_nothing_moves_because_the_operator_starts_again() -> None:
    operator = started(rate=20, adapt=True)
    traffic = Traffic(operator, 60.0, {"block1": 0.2, "final": 0.8})
    traffic.run(900)
    before, told = planned(operator), status(operator)
    assert before.rate != 20
    again = Operator(operator.cluster)
    assert again.decide().actions == ()
    assert again.patches == ()
    again.run(30)
    assert planned(again) == before
    assert status(again) == told
    # Even in the middle of a move, with the old revision still serving.
    traffic = Traffic(again, 200.0, {"block1": 0.2, "final": 0.8})
    while not traffic.adoptions:
        traffic.run(15)
    again.round()
    wanted = planned(again)
    assert wanted.rate != before.rate
    third = Operator(again.cluster)
    assert planned(third) == wanted
    third.settle()
    assert planned(third) == wanted


def test_an_edit_counts_more_than_what_was_observed_before() -> None:
    operator = started(rate=20, adapt=True)
    Traffic(operator, 60.0, {"block1": 0.1, "final": 0.9}).run(900)
    operator.proposals = {}
    rate = planned(operator).model.blocks[0].exit
    assert rate is not None
    assert rate.rate != 0.4
    operator.cluster.edit_app("camera", rate=30)
    operator.settle()
    assert planned(operator).rate == 30
    assert planned(operator).model.blocks[0].exit == rate
    assert read(annotation(operator)).rate is None
    model = operator.cluster.objects["DNNModel", "default", "net"]
    model["spec"]["blocks"][0]["exit"]["exitRate"] = 0.5
    operator.settle()
    assert planned(operator).model.blocks[0].exit == replace(rate, rate=0.5)
    assert annotation(operator) == ""


def test_an_app_that_adapts_no_more_is_planned_as_declared() -> None:
    operator = started(rate=20, adapt=True)
    Traffic(operator, 60.0, AS_PLANNED).run(900)
    operator.proposals = {}
    assert annotation(operator) != ""
    operator.cluster.edit_app("camera", adapt=False)
    operator.settle()
    assert planned(operator).rate == 20
    assert annotation(operator) == ""
    operator.cluster.edit_app("camera", adapt=True)
    operator.settle()
    assert planned(operator).rate == 20


def test_values_stay_while_an_app_can_not_be_planned() -> None:
    operator = started(rate=20, adapt=True)
    Traffic(operator, 60.0, AS_PLANNED).run(900)
    operator.proposals = {}
    before, written = planned(operator), annotation(operator)
    model = operator.cluster.objects["DNNModel", "default", "net"]
    operator.cluster.remove("DNNModel", "net")
    operator.settle()
    assert annotation(operator) == written
    operator.cluster.objects["DNNModel", "default", "net"] = model
    operator.settle()
    assert planned(operator) == before


@pytest.mark.parametrize(
    "text", ["nonsense", orjson.dumps({"rate": -3}).decode(), orjson.dumps({"rate": 7}).decode()]
)
def test_a_broken_annotation_is_as_good_as_none(text: str) -> None:
    operator = started(rate=20, adapt=True)
    config = operator.cluster.objects["ConfigMap", "default", "camera-routes"]
    config["metadata"]["annotations"][ANNOTATION_ADAPTED] = text
    operator.restart()
    operator.settle()
    assert planned(operator).rate == 20
    assert annotation(operator) == ""


def test_a_segment_that_can_not_be_read_is_named_and_nothing_is_made_up() -> None:
    operator = started(rate=5, adapt=True, placement={"localBlocks": 1}, latency={"target": "1s"})
    traffic = Traffic(operator, 5.0, AS_PLANNED)
    traffic.run(300)
    assert len(status(operator)["plan"]["segments"]) == 2
    assert drifted(operator) == ("False", "AsPlanned")
    second = status(operator)["plan"]["segments"][1]["name"]
    traffic.silent = {second}
    traffic.run(60)
    assert drifted(operator) == ("False", "AsPlanned")
    traffic.run(120)
    assert drifted(operator) == ("Unknown", "NotObserved")
    (found,) = [each for each in status(operator)["conditions"] if each["type"] == "Drifted"]
    assert found["message"] == f"The metrics of {second} can't be read: no answer"
    assert "observed" not in status(operator)
    traffic.silent = set()
    traffic.run(120)
    assert drifted(operator) == ("False", "AsPlanned")


def test_status_is_not_written_all_the_time() -> None:
    operator = started(rate=20)
    traffic = Traffic(operator, 20.0, AS_PLANNED)
    traffic.run(120)
    writes = 0
    for _ in range(80):
        traffic.read()
        operator.decide()
        writes += bool(operator.patches)
        operator.act(operator.decide())
        operator.cluster.now += 15
    assert writes <= 20


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(2, 30), st.floats(0.05, 0.95))
def test_chance_alone_moves_nothing(seed: int, rate: float, early: float) -> None:
    cluster = small_cluster(rate=str(round(rate, 3)), adapt=True)
    model = cluster.objects["DNNModel", "default", "net"]
    model["spec"]["blocks"][0]["exit"]["exitRate"] = early
    operator = Operator(cluster)
    operator.settle()
    traffic = Traffic(operator, round(rate, 3), {"block1": early, "final": 1 - early}, seed)
    for _ in range(240):
        traffic.read()
        operator.cluster.now += 15
    assert traffic.adoptions == 0
