"""Whatever is planned and wherever a round breaks off: apps that serve go on serving."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from fin.cluster import reading
from fin.cluster.decision import Decision
from fin.planning.problem import AppKey
from tests.helpers.objects import app, link, model, node, topology
from tests.helpers.random_plans import random_plan
from tests.helpers.simulator import Operator, SimulatedCluster, summary


def crowded_cluster(apps: int, cpu: str = "1") -> SimulatedCluster:
    """Three nodes that are all linked, with room for about as much as random plans take."""
    cluster = SimulatedCluster()
    cluster.add(
        *(node(f"edge-{i}", "edge", cpu=cpu, flops="400G") for i in range(3)),
        topology("net", link("edge", "edge")),
        model(),
        *(app(f"app-{i}", source="edge-0", priority=i % 3) for i in range(apps)),
    )
    return cluster


class Watch:
    """Tells when an app that has served stops, without an Event that says why."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.serving: set[AppKey] = set()
        self.broken: dict[AppKey, Decision] = {}

    def look(self) -> None:
        operator, decision, plan = self.operator, self.operator.decision, self.operator.plan
        assert plan is not None
        assert decision is not None
        self.broken |= {event.app: decision for event in operator.told("BrokenFirst")}
        operator.events.clear()
        for key, state in decision.states.items():
            if state.ready and self.broken.get(key) is not decision:
                self.broken.pop(key, None)
            why = operator.cluster.why_not_served(key[1], key[0])
            if key not in plan.app or key in self.broken:
                self.serving.discard(key)
            elif why is None:
                self.serving.add(key)
            else:
                assert key not in self.serving, f"{key[1]} stopped serving: {why}"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), apps=st.integers(1, 5), asks=st.booleans())
def test_random_moves_never_stop_an_app_that_serves(seed: int, apps: int, asks: bool) -> None:
    random = Random(seed)
    operator = Operator(crowded_cluster(apps), asks=asks)
    watch = Watch(operator)
    for _ in range(5):
        operator.plan = random_plan(operator.look()[1].problem, random, refuse=0.1)
        for _ in range(random.choice([1, 3, 8, 40])):
            decision = operator.decide()
            breaks_off = random.random() < 0.3
            operator.act(
                decision, random.randrange(len(decision.actions) + 1) if breaks_off else None
            )
            watch.look()
            operator.cluster.tick()
            watch.look()
            if breaks_off:
                operator.restart()
    settle(operator, watch)
    assert_as_planned(operator)


def settle(operator: Operator, watch: Watch) -> None:
    still = 0
    for _ in range(400):
        still = still + 1 if operator.round() == 0 else 0
        watch.look()
        if still >= 20:
            return
    assert operator.decision
    raise AssertionError(f"never settles: {summary(operator.decision.actions)}")


def assert_as_planned(operator: Operator) -> None:
    """Every app runs exactly what is planned, and nothing is left over."""
    assert operator.plan
    decision = operator.decide()
    expected = set()
    for (namespace, name), state in decision.states.items():
        if (namespace, name) not in operator.plan.app:
            continue
        assert state.ready, state
        assert state.serving
        assert state.wanted
        assert state.serving.digest == state.wanted.digest
        expected |= {segment.name for segment in state.wanted.segments}
    assert {reading.name(each) for each in operator.cluster.all("Deployment")} == expected
    assert {reading.name(each) for each in operator.cluster.all("PodDisruptionBudget")} == expected
    services = {reading.name(each) for each in operator.cluster.all("Service")}
    assert services == expected | {name for _, name in operator.plan.app}


def disturb(cluster: SimulatedCluster, random: Random) -> None:
    """Do one of the things that happen to a cluster."""
    apps = cluster.all("InferenceApp")
    a_node = random.choice(cluster.all("Node"))
    made = [
        key
        for key in sorted(cluster.objects)
        if key[0] in ("Deployment", "Service", "ConfigMap", "PodDisruptionBudget")
    ]
    match random.randrange(8):
        case 0:
            a_node["spec"]["unschedulable"] = not a_node["spec"].get("unschedulable")
        case 1:
            condition = a_node["status"]["conditions"][0]
            condition["status"] = "False" if condition["status"] == "True" else "True"
        case 2 if apps:
            name = random.choice(apps)["metadata"]["name"]
            cluster.edit_app(name, rate=random.choice([5, 50, 500, 2000]))
        case 3 if apps:
            name = random.choice(apps)["metadata"]["name"]
            cluster.edit_app(name, priority=random.randrange(4))
        case 4 if apps:
            cluster.remove("InferenceApp", random.choice(apps)["metadata"]["name"])
        case 5:
            name = f"app-{random.randrange(6)}"
            if cluster.get("InferenceApp", name) is None:
                cluster.add(app(name, source="edge-0", rate=random.choice([5, 500])))
        case 6 if made:
            del cluster.objects[random.choice(made)]
        case 7:
            labels = a_node["metadata"]["labels"]
            labels["finoperator.io/gflops-per-watt"] = str(random.randint(1, 20))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_whatever_happens_it_settles_with_all_that_is_planned_served(seed: int) -> None:
    random = Random(seed)
    operator = Operator(crowded_cluster(random.randrange(5), cpu="0.4"))
    for _ in range(8):
        disturb(operator.cluster, random)
        operator.run(random.choice([0, 1, 4, 20]))
        if random.random() < 0.3:
            decision = operator.decide()
            operator.act(decision, random.randrange(len(decision.actions) + 1))
            operator.restart()
    operator.settle(600)
    assert operator.decision
    for key, state in operator.decision.states.items():
        if state.wanted is None:
            assert operator.cluster.get("Service", key[1]) is None
        else:
            assert state.ready or state.stuck, state
            assert state.stuck or operator.cluster.why_not_served(key[1]) is None
