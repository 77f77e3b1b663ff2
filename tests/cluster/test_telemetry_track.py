"""Whatever segments say, and whichever of them can be read: what is known of an app is sound."""

from math import inf, isfinite

from hypothesis import example, given
from hypothesis import strategies as st

from fin.api import DNNModel
from fin.api.parsing import parse
from fin.cluster.answering import Pod
from fin.cluster.models import planning_model
from fin.cluster.telemetry.adapting import DECLARED, planned_with
from fin.cluster.telemetry.counts import Counts, Reading
from fin.cluster.telemetry.offplan import Promise
from fin.cluster.telemetry.pace import Pace
from fin.cluster.telemetry.subject import Subject, Terms
from fin.cluster.telemetry.track import NOT_YET, Track, advance
from fin.planning.problem import App
from tests.helpers.objects import model

PACE = Pace()
SPEC = parse(DNNModel, model())
APP = App("ns", "app", planning_model(SPEC), "node", 20.0, 0.05, 0.8)
PROMISE = Promise(20.0, {"block1": 0.4, "final": 0.6}, 0.05, "Mean", 0.002)
SUBJECT = Subject(
    revision="7c9f21ab",
    entry="first",
    exits=("block1", "final"),
    pods={"first": Pod("a", "192.0.2.1"), "second": Pod("b", "192.0.2.2")},
    terms=Terms(APP, 20.0, SPEC, DECLARED, adapt=True, promise=PROMISE),
)

number = st.floats(0, 1e15)
counts = st.builds(
    Counts,
    seconds=st.just(0.0),
    samples=st.dictionaries(st.sampled_from(["block1", "final", "other"]), number),
    asked=number,
    served=number,
    latency=number,
    buckets=st.dictionaries(st.sampled_from([0.001, 0.1, 10.0, inf]), number),
    joules=number,
)
IDLE = {"first": ("a", Counts()), "second": ("a", Counts())}
readings = st.dictionaries(
    st.sampled_from(["first", "second"]), st.tuples(st.sampled_from(["a", "b", "c"]), counts)
)


@given(st.lists(st.tuples(st.floats(1, 200), readings), max_size=20))
@example(
    [(1.0, IDLE), (30.0, {**IDLE, "second": ("a", Counts(samples={"final": 1}, served=2e-313))})]
)
def test_what_is_known_is_sound(steps: list[tuple[float, dict[str, tuple[str, Counts]]]]) -> None:
    track: Track | None = None
    now = 1000.0
    for seconds, found in steps:
        now += seconds
        read = {name: Reading(pod, now, each) for name, (pod, each) in found.items()}
        troubles = dict.fromkeys(SUBJECT.pods.keys() - read.keys(), "no answer")
        track = advance(track, SUBJECT, read, troubles, now, PACE)
        seen = track.now.seen if track.now else None
        if seen is not None:
            assert isfinite(seen.rate)
            assert min(seen.rate, seen.power, seen.batch) >= 0
        if seen is not None and seen.shares is not None:
            assert abs(sum(seen.shares.values()) - 1) < 1e-9
        if seen is not None and seen.latency is not None:
            assert 0 <= seen.latency.p99 <= 10
        if track.proposal is not None:
            planned = planned_with(APP, track.proposal)
            assert planned.rate >= 2
            assert sum(each.exit.rate for each in planned.model.blocks if each.exit) <= 1 + 1e-9


def counted(at: float, requests: float) -> dict[str, Reading]:
    entry = Counts(
        samples={"block1": 0.4 * requests},
        asked=requests,
        served=requests,
        latency=0.01 * requests,
        buckets={0.02: requests},
    )
    second = Counts(samples={"final": 0.6 * requests})
    return {"first": Reading("a", at, entry), "second": Reading("b", at, second)}


def run(track: Track | None, begin: float, seconds: float, rate: float) -> Track:
    at = begin
    while at <= begin + seconds:
        track = advance(track, SUBJECT, counted(at, rate * at), {}, at, PACE)
        at += PACE.period
    assert track is not None
    return track


def test_nothing_is_said_before_enough_is_known() -> None:
    assert run(None, 0, 30, 20.0).told is None
    track = run(None, 0, 45, 20.0)
    assert track.told is not None
    assert track.told.verdict.reason == "AsPlanned"
    assert track.told.from_source == 0.002


def test_what_lasts_is_proposed_and_what_does_not_is_not() -> None:
    track = run(None, 0, 120, 60.0)
    assert track.told is not None
    assert track.told.verdict.reason == "RateAbovePlan"
    assert track.proposal is None
    track = run(track, 135, 60, 60.0)
    assert track.proposal is not None
    assert track.proposal.rate == 60.0
    assert track.proposal.exit_rates is None


def test_another_revision_is_observed_anew() -> None:
    track = run(None, 0, 300, 60.0)
    other = Subject("b81e07aa", "first", SUBJECT.exits, SUBJECT.pods, SUBJECT.terms)
    track = advance(track, other, counted(315, 60.0 * 315), {}, 315, PACE)
    assert (track.revision, track.proposal, dict(track.off)) == ("b81e07aa", None, {})
    assert track.window == Counts()


def test_without_a_segment_for_long_nothing_is_known() -> None:
    track = run(None, 0, 300, 20.0)
    only_entry = {"first": counted(315, 20.0 * 315)["first"]}
    track = advance(track, SUBJECT, only_entry, {"second": "no answer"}, 315, PACE)
    assert track.told is not None
    assert track.told.seen is not None
    track = advance(track, SUBJECT, {}, {"second": "no answer"}, 300 + PACE.lost, PACE)
    assert track.told is not None
    assert (track.told.seen, track.told.verdict.reason) == (None, NOT_YET.reason)
    assert "second can't be read: no answer" in track.told.verdict.message
