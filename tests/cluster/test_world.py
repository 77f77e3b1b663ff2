"""A snapshot becomes a problem: only what is wrong is left out."""

from collections.abc import Sequence
from typing import Any

import pytest

from fin.cluster.findings import Finding
from fin.cluster.snapshot import Snapshot
from fin.cluster.world import World, build_world
from fin.planning.problem import Node
from tests.helpers.objects import (
    app,
    container,
    link,
    model,
    node,
    pod,
    segment_deployment,
    topology,
)

MOBILE = node("mobile-0", "mobile", cpu="1", flops="12G", gflops_per_watt="1.65")
EDGE = node("edge-0")
LINKS = topology("default", link("mobile", "edge"))


def world(
    apps: Sequence[dict[str, Any]] = (),
    models: Sequence[dict[str, Any]] | None = None,
    nodes: Sequence[dict[str, Any]] = (MOBILE, EDGE),
    topologies: Sequence[dict[str, Any]] = (LINKS,),
    **rest: Any,
) -> World:
    return build_world(
        Snapshot(
            apps=tuple(apps),
            models=(model(),) if models is None else tuple(models),
            nodes=tuple(nodes),
            topologies=tuple(topologies),
            **rest,
        )
    )


def only(findings: Sequence[Finding]) -> Finding:
    (finding,) = findings
    return finding


def rejection(found: World) -> tuple[str, str]:
    assert found.problem.apps == ()
    (each,) = found.rejected.values()
    return each.reason, each.message


class TestNodes:
    def test_labels_and_allocatable_become_base_units(self) -> None:
        busy = pod("other", "edge-0", container(cpu="1", memory="1Gi"))
        found = world(pods=(busy,)).problem.node["edge-0"]
        assert found == Node(
            name="edge-0",
            tier="edge",
            millicores=3000,
            flops_per_millicore=200e9 / 4000,
            memory=7 * 2**30,
            pods=109,
            joules_per_flop=found.joules_per_flop,
        )
        assert found.joules_per_flop == pytest.approx(1e-9 / 6.7)
        assert found.capacity == pytest.approx(150e9)

    def test_free_room_counts_all_pods_and_usable_room_only_foreign_ones(self) -> None:
        ours = pod(
            "segment",
            "edge-0",
            container("segment", cpu="1500m", memory="2Gi"),
            labels={
                "app.kubernetes.io/managed-by": "fin-operator",
                "finoperator.io/segment": "abcd1234",
            },
        )
        other = pod("other", "edge-0", container(cpu="500m", memory="1Gi"))
        state = world(pods=(ours, other)).nodes["edge-0"]
        assert (state.allocatable_millicores, state.allocatable_pods) == (4000, 110)
        assert (state.usable_millicores, state.usable_memory, state.usable_pods) == (
            3500,
            7 * 2**30,
            109,
        )
        assert (state.free_millicores, state.free_memory, state.free_pods) == (
            2000,
            5 * 2**30,
            108,
        )

    def test_allocatable_cpu_is_rounded_down_and_never_below_zero(self) -> None:
        odd = node("edge-0", cpu="1000.9m", memory="10.5", pods="1")
        full = [pod(f"p{i}", "edge-0", container(cpu="2", memory="1Gi")) for i in range(2)]
        assert world(nodes=[odd]).problem.node["edge-0"].millicores == 1000
        assert world(nodes=[odd]).problem.node["edge-0"].memory == 10
        found = world(nodes=[odd], pods=tuple(full)).problem.node["edge-0"]
        assert (found.millicores, found.memory, found.pods) == (0, 0, 0)

    def test_a_node_without_allocatable_offers_its_capacity(self) -> None:
        bare = node("edge-0")
        bare["status"]["capacity"] = bare["status"].pop("allocatable")
        assert world(nodes=[bare]).problem.node["edge-0"].millicores == 4000

    def test_a_node_with_none_of_the_labels_takes_no_part_and_nothing_is_said(self) -> None:
        found = world(nodes=[node("edge-0", tier=None)])
        assert found.problem.nodes == ()
        assert found.findings == ()
        assert found.nodes["edge-0"].tier is None

    @pytest.mark.parametrize(
        ("missing", "said"),
        [
            ("tier", "label finoperator.io/tier is missing: set it, for example to 'edge'"),
            ("flops", "label finoperator.io/flops is missing"),
            ("gflops-per-watt", "label finoperator.io/gflops-per-watt is missing"),
        ],
    )
    def test_a_node_with_some_of_the_labels_is_left_out_and_told(
        self, missing: str, said: str
    ) -> None:
        partly = node("edge-0")
        del partly["metadata"]["labels"][f"finoperator.io/{missing}"]
        found = world(nodes=[MOBILE, partly])
        assert [each.name for each in found.problem.nodes] == ["mobile-0"]
        finding = only(found.findings)
        assert (finding.kind, finding.name, finding.uid) == ("Node", "edge-0", "uid-edge-0")
        assert finding.reason == "LabelsMissing"
        assert finding.message.startswith(said)
        assert not finding.accepted

    @pytest.mark.parametrize(
        ("label", "value"),
        [
            ("flops", "fast"),
            ("flops", "0"),
            ("flops", "-5G"),
            ("flops", ""),
            ("flops", 200),
            ("flops", None),
            ("gflops-per-watt", "0"),
            ("gflops-per-watt", "6,7"),
            ("tier", ""),
            ("tier", "two words"),
            ("tier", ["edge"]),
        ],
    )
    def test_a_value_that_cannot_be_read_leaves_the_node_out(
        self, label: str, value: object
    ) -> None:
        wrong = node("edge-0")
        wrong["metadata"]["labels"][f"finoperator.io/{label}"] = value
        found = world(nodes=[MOBILE, wrong])
        assert [each.name for each in found.problem.nodes] == ["mobile-0"]
        finding = only(found.findings)
        assert finding.reason == "NodeInvalid"
        assert f"label finoperator.io/{label}" in finding.message

    @pytest.mark.parametrize("resource", ["cpu", "memory", "pods"])
    def test_a_node_that_does_not_tell_its_resources_is_left_out(self, resource: str) -> None:
        silent = node("edge-0")
        del silent["status"]["allocatable"][resource]
        finding = only(world(nodes=[MOBILE, silent]).findings)
        assert f"status.allocatable.{resource}" in finding.message

    def test_a_node_that_is_not_ready_is_left_out_and_nothing_is_said(self) -> None:
        found = world(nodes=[MOBILE, node("edge-0", ready=False)])
        assert [each.name for each in found.problem.nodes] == ["mobile-0"]
        assert found.findings == ()
        assert not found.nodes["edge-0"].ready

    def test_nodes_are_in_order_whatever_the_order_of_the_input(self) -> None:
        forward, backward = world(nodes=[MOBILE, EDGE]), world(nodes=[EDGE, MOBILE])
        assert forward == backward
        assert [each.name for each in forward.problem.nodes] == ["edge-0", "mobile-0"]

    def test_links_and_limits_only_of_nodes_that_take_part(self) -> None:
        rules = topology(
            "t", link("mobile", "edge"), interfaces=[{"on": {"tier": "edge"}, "ingress": "5M"}]
        )
        nodes = [MOBILE, EDGE, node("edge-1", ready=False)]
        found = world(nodes=nodes, topologies=[rules]).problem
        assert {(each.source, each.target) for each in found.links} == {
            ("mobile-0", "edge-0"),
            ("edge-0", "mobile-0"),
        }
        assert found.node["edge-0"].ingress == 5e6
        assert found.node["mobile-0"].ingress is None


class TestBarred:
    @pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
    def test_a_taint_bars_an_app_whose_model_does_not_tolerate_it(self, effect: str) -> None:
        tainted = node("edge-0", taints=[{"key": "gpu", "value": "a100", "effect": effect}])
        tolerant = model(tolerations=[{"key": "gpu", "value": "a100", "effect": effect}])
        other = model("other", tolerations=[{"key": "gpu", "value": "t4"}])
        found = world(
            apps=[app("in"), app("out", model="other")],
            models=[tolerant, other],
            nodes=[MOBILE, tainted],
        )
        assert found.problem.app["default", "in"].barred == frozenset()
        assert found.problem.app["default", "out"].barred == {"edge-0"}

    @pytest.mark.parametrize(
        "toleration",
        [
            {"operator": "Exists"},
            {"key": "gpu", "operator": "Exists"},
            {"key": "gpu", "operator": "Equal", "value": "a100", "effect": "NoSchedule"},
        ],
    )
    def test_tolerations_match_as_in_kubernetes(self, toleration: dict[str, str]) -> None:
        taints = [{"key": "gpu", "value": "a100", "effect": "NoSchedule"}]
        found = world(
            apps=[app()],
            models=[model(tolerations=[toleration])],
            nodes=[MOBILE, node("edge-0", taints=taints)],
        )
        assert found.problem.app["default", "camera"].barred == frozenset()

    @pytest.mark.parametrize(
        "toleration",
        [
            {"key": "gpu", "operator": "Equal", "value": "other"},
            {"key": "gpu", "operator": "Exists", "effect": "NoExecute"},
            {"key": "gpus", "operator": "Exists"},
            {"key": "gpu"},
        ],
    )
    def test_tolerations_that_do_not_match(self, toleration: dict[str, str]) -> None:
        taints = [{"key": "gpu", "value": "a100", "effect": "NoSchedule"}]
        found = world(
            apps=[app()],
            models=[model(tolerations=[toleration])],
            nodes=[MOBILE, node("edge-0", taints=taints)],
        )
        assert found.problem.app["default", "camera"].barred == {"edge-0"}

    def test_a_preference_bars_nobody(self) -> None:
        taints = [{"key": "gpu", "effect": "PreferNoSchedule"}]
        found = world(apps=[app()], nodes=[MOBILE, node("edge-0", taints=taints)])
        assert found.problem.app["default", "camera"].barred == frozenset()

    def test_a_cordon_bars_everybody_and_the_node_stays_part_of_the_system(self) -> None:
        everything = model(tolerations=[{"operator": "Exists"}])
        found = world(
            apps=[app()], models=[everything], nodes=[MOBILE, node("edge-0", cordoned=True)]
        )
        assert found.problem.app["default", "camera"].barred == {"edge-0"}
        assert "edge-0" in found.problem.node
        assert not found.nodes["edge-0"].schedulable

    def test_a_node_that_is_being_deleted_is_as_if_cordoned(self) -> None:
        going = node("edge-0")
        going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        found = world(apps=[app()], nodes=[MOBILE, going])
        assert found.problem.app["default", "camera"].barred == {"edge-0"}


class TestModelsAndApps:
    def test_a_model_in_base_units_with_memory_in_whole_bytes(self) -> None:
        written = model(memoryOverhead="100.5")
        written["spec"]["blocks"][0]["memory"] = "1.2"
        written["spec"]["blocks"][0]["exit"]["memory"] = "0.1"
        found = world(apps=[app()], models=[written]).problem.apps[0].model
        assert found.memory_overhead == 101
        assert found.input_bytes == 3072.0
        assert [block.name for block in found.blocks] == ["block1", "block2", "block3"]
        first, last = found.blocks[0], found.blocks[-1]
        assert (first.flops, first.memory, first.output_bytes) == (10e6, 2, 4096.0)
        assert first.exit is not None
        assert last.exit is not None
        assert (first.exit.name, first.exit.memory, first.exit.rate) == ("block1", 1, 0.4)
        assert (last.exit.name, last.exit.accuracy) == ("final", 0.9)
        assert found.blocks[1].exit is None
        assert found.reach == (1.0, 0.6, 0.6)

    def test_an_app_in_base_units(self) -> None:
        written = app(
            latency={"target": "20ms", "statistic": "Max"},
            rate="0.5",
            priority=7,
            placement={"localBlocks": 1, "tiers": ["mobile", "edge"]},
        )
        written["metadata"]["annotations"] = {"finoperator.io/hold": "true"}
        found = world(apps=[written]).problem.app["default", "camera"]
        assert (found.source, found.rate, found.latency) == ("mobile-0", 0.5, 0.02)
        assert (found.statistic, found.priority, found.min_accuracy) == ("Max", 7, 0.8)
        assert found.local_blocks == 1
        assert found.tiers == frozenset({"mobile", "edge"})
        assert found.hold

    def test_older_apps_sort_first_and_those_that_are_not_there_yet_last(self) -> None:
        apps = [app("new"), app("old"), app("older"), app("unborn")]
        for each, moment in zip(
            apps,
            ["2026-03-01T00:00:00+02:00", "2025-12-31T23:59:59Z", "0001-01-01T00:00:00Z"],
            strict=False,
        ):
            each["metadata"]["creationTimestamp"] = moment
        found = sorted(world(apps=apps).problem.apps, key=lambda each: each.created)
        assert [each.name for each in found] == ["older", "old", "new", "unborn"]

    def test_two_apps_of_one_name_in_two_namespaces_do_not_meet(self) -> None:
        found = world(
            apps=[app(namespace="a"), app(namespace="b")],
            models=[model(namespace="a", blocks=2), model(namespace="b", blocks=4)],
        )
        assert [len(each.model.blocks) for each in found.problem.apps] == [2, 4]
        assert found.apps.keys() == {("a", "camera"), ("b", "camera")}

    def test_a_missing_model(self) -> None:
        reason, message = rejection(world(apps=[app(model="nett")]))
        assert reason == "ModelNotFound"
        assert message == (
            "spec.model: there is no DNNModel nett in namespace default; is net meant?"
        )

    def test_a_model_of_another_namespace(self) -> None:
        reason, message = rejection(world(apps=[app(namespace="shop")]))
        assert reason == "ModelNotFound"
        assert "one of that name is in namespace default" in message

    def test_an_invalid_model_is_told_to_its_owner_and_to_its_apps(self) -> None:
        wrong = model()
        wrong["spec"]["blocks"][1]["flops"] = "many"
        good = model("good")
        found = world(apps=[app("a"), app("b", model="good")], models=[wrong, good])
        assert [each.name for each in found.problem.apps] == ["b"]
        each = found.rejected["default", "a"]
        assert (each.reason, each.condition) == ("ModelInvalid", "Planned")
        assert "DNNModel default/net: spec.blocks[1].flops: must be a quantity" in each.message
        finding = only(found.findings)
        assert (finding.kind, finding.namespace, finding.name) == ("DNNModel", "default", "net")
        assert (finding.reason, finding.uid) == ("InvalidSpec", "uid-default-net")

    def test_an_invalid_app_is_not_accepted_and_disturbs_nobody(self) -> None:
        found = world(apps=[app("a", rate=0), app("b")])
        assert [each.name for each in found.problem.apps] == ["b"]
        each = found.rejected["default", "a"]
        assert (each.reason, each.condition) == ("InvalidSpec", "Accepted")
        assert each.message.startswith("spec.rate: must be a quantity above 0")
        assert found.findings == ()

    def test_an_invalid_topology_is_left_out_alone(self) -> None:
        wrong = topology("wrong", link("mobile", "edge", bandwidth="wide"))
        found = world(topologies=[LINKS, wrong])
        assert len(found.problem.links) == 2
        finding = only(found.findings)
        assert (finding.kind, finding.name, finding.reason) == (
            "NetworkTopology",
            "wrong",
            "InvalidSpec",
        )
        assert finding.message.startswith("spec.links[0].bandwidth: ")

    @pytest.mark.parametrize(
        ("nodes", "said"),
        [
            ([EDGE], "there is no such node; there are: edge-0"),
            ([node("mobile-1", "mobile")], "there is no such node; is mobile-1 meant?"),
            ([node("mobile-0", "mobile", ready=False)], "it is not Ready"),
            ([node("mobile-0", tier=None)], "it has none of the labels finoperator.io/tier"),
            ([node("mobile-0", "mobile", flops="x")], "label finoperator.io/flops: 'x' must be"),
        ],
    )
    def test_a_source_that_takes_no_part(self, nodes: list[dict[str, Any]], said: str) -> None:
        reason, message = rejection(world(apps=[app()], nodes=nodes))
        assert reason == "SourceUnavailable"
        assert message.startswith("spec.source.nodeName: node mobile-0 can't be a source: " + said)

    def test_requests_at_random_wait_for_each_other(self) -> None:
        (found,) = world(apps=[app(arrivals="Poisson")]).problem.apps
        assert found.waiting == pytest.approx(3)
        (found,) = world(apps=[app(arrivals="Periodic")]).problem.apps
        assert found.waiting == 1

    def test_no_latency_holds_at_random_where_reservations_may_be_full(self) -> None:
        snapshot = Snapshot(
            apps=(app(arrivals="Poisson"),), models=(model(),), nodes=(MOBILE, EDGE)
        )
        reason, message = rejection(build_world(snapshot, utilisation=1.0))
        assert reason == "LatencyUnreachable"
        assert "utilisation below 1, or spec.arrivals: Periodic" in message

    def test_a_cordoned_source_is_one(self) -> None:
        cordoned = node("mobile-0", "mobile", cordoned=True)
        assert len(world(apps=[app()], nodes=[cordoned, EDGE]).problem.apps) == 1

    def test_more_local_blocks_than_the_model_has(self) -> None:
        reason, message = rejection(world(apps=[app(placement={"localBlocks": 4})]))
        assert reason == "PlacementUnsatisfiable"
        assert message.startswith("spec.placement.localBlocks: 4 blocks can't stay")

    def test_tiers_that_no_node_has(self) -> None:
        reason, message = rejection(world(apps=[app(placement={"tiers": ["egde"]})]))
        assert reason == "PlacementUnsatisfiable"
        assert "no node of tier egde takes part; there are: edge, mobile" in message

    def test_one_tier_that_some_node_has_is_enough(self) -> None:
        assert len(world(apps=[app(placement={"tiers": ["edge", "moon"]})]).problem.apps) == 1

    def test_an_app_that_is_being_deleted_is_not_planned(self) -> None:
        going = app()
        going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        assert rejection(world(apps=[going]))[0] == "BeingDeleted"


class TestLost:
    @pytest.mark.parametrize(
        ("nodes", "lost"),
        [
            ([EDGE], False),
            ([node("edge-0", cordoned=True)], False),
            ([node("edge-0", taints=[{"key": "k", "effect": "NoSchedule"}])], False),
            ([], True),
            ([node("edge-0", ready=False)], True),
            ([node("edge-0", taints=[{"key": "k", "effect": "NoExecute"}])], True),
        ],
    )
    def test_segments_on_a_node_that_is_gone_not_ready_or_tainted_to_leave(
        self, nodes: list[dict[str, Any]], lost: bool
    ) -> None:
        found = world(
            nodes=nodes, deployments=(segment_deployment("camera", "edge-0", namespace="vision"),)
        )
        assert found.lost(("vision", "camera")) == ({"edge-0"} if lost else frozenset())
        assert found.lost(("vision", "other")) == frozenset()

    def test_what_the_running_segment_tolerates_counts(self) -> None:
        tainted = node("edge-0", taints=[{"key": "k", "effect": "NoExecute"}])
        tolerant = segment_deployment("a", "edge-0", tolerations=[{"operator": "Exists"}])
        found = world(nodes=[tainted], deployments=(tolerant, segment_deployment("b", "edge-0")))
        assert found.lost(("default", "a")) == frozenset()
        assert found.lost(("default", "b")) == {"edge-0"}

    def test_a_deployment_of_somebody_else_is_no_segment(self) -> None:
        other = segment_deployment("camera", "edge-0")
        del other["metadata"]["labels"]["app.kubernetes.io/managed-by"]
        assert world(nodes=[], deployments=(other,)).lost(("default", "camera")) == frozenset()
