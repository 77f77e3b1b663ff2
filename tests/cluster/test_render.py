"""A plan as objects: names, Deployments, Services, budgets and hops."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fin.cluster import annotation
from fin.cluster.naming import segment_name
from fin.cluster.render import (
    CannotRenderError,
    named,
    objects_for_plan,
    planned_revision,
    templates,
)
from fin.cluster.revision import Revision
from fin.cluster.settings import SegmentSettings
from fin.cluster.snapshot import Snapshot
from fin.cluster.world import World, build_world
from fin.planning.plan import AppPlan, Placement, Plan
from fin.segment.config import read_routes, read_segment
from tests.helpers.objects import app, link, model, node, topology

Json = dict[str, Any]
SETTINGS = SegmentSettings(default_image="registry.example/fin-segment:1")
KEY = ("default", "camera")


def world_of(segment: Json | None = None, **spec: Any) -> World:
    return build_world(
        Snapshot(
            nodes=(node("mobile-0", "mobile"), node("edge-0"), node("edge-1")),
            topologies=(topology("net", link("mobile", "edge"), link("edge", "edge")),),
            models=(model(**(segment or {})),),
            apps=(app(**spec),),
        )
    )


def placed(*nodes: str, cpu: int = 250) -> AppPlan:
    routes, here = [], "mobile-0"
    for there in nodes:
        routes.append((here,) if here == there else (here, there))
        here = there
    placement = Placement(nodes, tuple(routes))
    return AppPlan(KEY, placement, tuple((each, cpu) for each, _ in placement.segments), bound=0.01)


SPLIT = placed("mobile-0", "edge-0", "edge-0")


def revision(plan: AppPlan = SPLIT, world: World | None = None) -> Revision:
    return planned_revision(world or world_of(), plan, SETTINGS)


def made(
    plan: AppPlan = SPLIT, world: World | None = None, settings: SegmentSettings = SETTINGS
) -> dict[str, list[Json]]:
    objects = objects_for_plan(world or world_of(), Plan("fixed", (plan,), ()), settings)
    found: dict[str, list[Json]] = {}
    for obj in objects:
        found.setdefault(obj["kind"], []).append(obj)
    return found


def pod_of(deployment: Json) -> Json:
    return dict(deployment["spec"]["template"]["spec"])


def test_one_deployment_service_and_budget_for_each_segment() -> None:
    objects = made()
    names = [segment.name for segment in revision().segments]
    assert len(names) == 2
    assert all(re.fullmatch(r"camera-[0-9a-f]{8,}", name) for name in names)
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert [obj["metadata"]["name"] for obj in objects[kind]] == names
    assert [obj["metadata"]["name"] for obj in objects["Service"]] == [*names, "camera"]
    assert [obj["metadata"]["name"] for obj in objects["ConfigMap"]] == ["camera-routes"]


def test_everything_is_labelled_and_owned() -> None:
    for objects in made().values():
        for obj in objects:
            metadata = obj["metadata"]
            assert metadata["namespace"] == "default"
            assert metadata["ownerReferences"] == [
                {
                    "apiVersion": "finoperator.io/v1alpha1",
                    "kind": "InferenceApp",
                    "name": "camera",
                    "uid": "uid-default-camera",
                    "controller": True,
                }
            ]
            labels = {
                "app.kubernetes.io/managed-by": "fin-operator",
                "app.kubernetes.io/name": "fin-segment",
                "app.kubernetes.io/instance": "camera",
                "app.kubernetes.io/part-of": "camera",
                "app.kubernetes.io/component": "segment",
                "finoperator.io/app": "camera",
            }
            assert labels.items() <= metadata["labels"].items()


def test_without_a_cluster_there_is_no_owner_to_name() -> None:
    offline = app()
    del offline["metadata"]["uid"]
    world = build_world(
        Snapshot(
            nodes=(node("mobile-0", "mobile"), node("edge-0")),
            topologies=(topology("net", link("mobile", "edge")),),
            models=(model(),),
            apps=(offline,),
        )
    )
    for objects in made(world=world).values():
        assert all("ownerReferences" not in obj["metadata"] for obj in objects)


def test_a_deployment_runs_one_pod_on_its_node_and_never_two() -> None:
    for deployment, segment in zip(made()["Deployment"], revision().segments, strict=True):
        spec = deployment["spec"]
        assert spec["replicas"] == 1
        assert spec["revisionHistoryLimit"] == 0
        assert spec["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
        }
        terms = pod_of(deployment)["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]["nodeSelectorTerms"]
        fields = [{"key": "metadata.name", "operator": "In", "values": [segment.node]}]
        assert terms == [{"matchFields": fields}]
        labels = spec["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert labels["finoperator.io/segment"] == segment.digest


def test_requests_are_limits_and_hold_what_the_plan_reserves() -> None:
    # m0 = 128Mi, block1 with its exit 1Mi + 10Ki, two more blocks of 1Mi.
    memory = ["132106Ki", "130Mi"]
    for deployment, size in zip(made()["Deployment"], memory, strict=True):
        resources = pod_of(deployment)["containers"][0]["resources"]
        assert resources["limits"] == resources["requests"] == {"cpu": "250m", "memory": size}


def test_the_pod_is_hardened() -> None:
    pod = pod_of(made()["Deployment"][0])
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    container = pod["containers"][0]["securityContext"]
    assert container["readOnlyRootFilesystem"] is True
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert container["privileged"] is False


def test_the_container_and_its_probes() -> None:
    container = pod_of(made()["Deployment"][0])["containers"][0]
    assert container["name"] == "segment"
    assert container["args"] == ["segment", "--config", "/etc/fin"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "http": 8080,
        "grpc": 9000,
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"


def test_what_the_model_says_of_its_segments_is_followed() -> None:
    segment = {
        "image": "registry.example/mine:2",
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccountName": "runner",
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "memoryOverhead": "10Mi",
    }
    pod = pod_of(made(world=world_of(segment))["Deployment"][1])
    assert pod["containers"][0]["image"] == "registry.example/mine:2"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["serviceAccountName"] == "runner"
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert pod["containers"][0]["resources"]["limits"]["memory"] == "12Mi"


def test_nothing_is_tolerated_that_the_model_does_not_ask_for() -> None:
    assert "tolerations" not in pod_of(made()["Deployment"][0])


def test_an_artifact_volume_is_mounted_for_reading() -> None:
    world = world_of({"artifact": {"persistentVolumeClaim": {"claimName": "weights"}}})
    deployment = made(world=world)["Deployment"][0]
    pod = pod_of(deployment)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["models"]["persistentVolumeClaim"] == {"claimName": "weights", "readOnly": True}
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["models"] == {"name": "models", "mountPath": "/models", "readOnly": True}
    assert own_config(deployment)["artifact"] == {"path": "/models"}


def test_an_artifact_at_an_address_is_for_the_segment_to_load() -> None:
    remote = {"url": "https://models.example/net.onnx", "sha256": "0" * 64}
    deployment = made(world=world_of({"artifact": remote}))["Deployment"][0]
    assert own_config(deployment)["artifact"] == remote
    assert all(volume["name"] != "models" for volume in pod_of(deployment)["volumes"])


def own_config(deployment: Json) -> Json:
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    return dict(json.loads(annotations["finoperator.io/config"]))


def test_a_segment_finds_what_it_runs_and_its_hops_in_files() -> None:
    deployment = made()["Deployment"][0]
    assert own_config(deployment) == {
        "name": deployment["metadata"]["name"],
        "app": "camera",
        "model": "net",
        "blocks": [{"name": "block1", "logits": "logits"}],
        "finalExit": "final",
    }
    pod = pod_of(deployment)
    config = next(volume for volume in pod["volumes"] if volume["name"] == "config")
    sources = config["projected"]["sources"]
    assert sources[0]["configMap"]["name"] == "camera-routes"
    own = sources[1]["downwardAPI"]["items"][0]
    assert own["fieldRef"]["fieldPath"] == "metadata.annotations['finoperator.io/config']"
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["config"] == {"name": "config", "mountPath": "/etc/fin", "readOnly": True}


def routes(objects: dict[str, list[Json]]) -> Json:
    return dict(json.loads(objects["ConfigMap"][0]["data"]["routes.json"]))


def test_the_hops_lead_from_segment_to_segment() -> None:
    entry, last = (segment.name for segment in revision().segments)
    digest = revision().digest
    assert routes(made()) == {
        "entries": {entry: digest},
        "revisions": {
            digest: {
                "hops": [
                    {
                        "segment": entry,
                        "host": f"{entry}.default.svc",
                        "http": 8080,
                        "blocks": ["block1"],
                        "exits": [{"name": "block1", "block": "block1", "criterion": "Confidence"}],
                        "blockJoules": [pytest.approx(11e6 * 1e-9 / 6.7)],
                        "inputJoules": 0.0,
                    },
                    {
                        "segment": last,
                        "host": f"{last}.default.svc",
                        "http": 8080,
                        "blocks": ["block2", "block3"],
                        "exits": [{"name": "final", "block": "block3", "criterion": "Confidence"}],
                        "blockJoules": [pytest.approx(10e6 * 1e-9 / 6.7)] * 2,
                        "inputJoules": pytest.approx(4096 * 8 * 1e-8),
                    },
                ]
            }
        },
    }


def of_exits(criterion: str = "Entropy", threshold: float = 0.25) -> World:
    """The same world with a model whose exits and tensors are told."""
    written = model()
    first, *_ = written["spec"]["blocks"]
    first["exit"] |= {"criterion": criterion, "threshold": threshold, "output": "scores"}
    first["output"] = "features"
    return build_world(
        Snapshot(
            nodes=(node("mobile-0", "mobile"), node("edge-0"), node("edge-1")),
            topologies=(topology("net", link("mobile", "edge"), link("edge", "edge")),),
            models=(written,),
            apps=(app(),),
        )
    )


def test_segments_are_told_when_samples_leave_and_what_tensors_are_called() -> None:
    objects = made(world=of_exits())
    (found,) = routes(objects)["revisions"].values()
    assert found["hops"][0]["exits"] == [
        {"name": "block1", "block": "block1", "criterion": "Entropy", "threshold": 0.25}
    ]
    assert own_config(objects["Deployment"][0])["blocks"] == [
        {"name": "block1", "output": "features", "logits": "scores"}
    ]


def test_another_threshold_is_another_revision_of_the_same_segments() -> None:
    one, other = (revision(world=of_exits(threshold=threshold)) for threshold in (0.25, 0.5))
    assert one.names == other.names
    assert one.digest != other.digest


def test_segments_can_read_what_they_are_told(tmp_path: Path) -> None:
    objects = made(world=of_exits())
    (tmp_path / "routes.json").write_text(objects["ConfigMap"][0]["data"]["routes.json"])
    told = read_routes(tmp_path)
    ways = [way.hops for way in told.revisions.values()]
    assert [[stage.segment for stage in way] for way in ways] == [
        [segment.name for segment in revision(world=of_exits()).segments]
    ]
    for deployment in objects["Deployment"]:
        config = own_config(deployment)
        (tmp_path / "segment.json").write_text(json.dumps(config))
        found = read_segment(tmp_path)
        assert found.name == deployment["metadata"]["name"]
        assert found.artifact.path == "/models"
        asked = [stage.blocks for stage in ways[0] if stage.segment == found.name]
        assert asked == [tuple(block.name for block in found.blocks)]


def test_a_node_that_the_way_comes_back_to_has_one_segment_and_two_visits() -> None:
    plan = placed("mobile-0", "edge-0", "mobile-0")
    segments = revision(plan).segments
    assert [segment.blocks for segment in segments] == [(0, 2), (1,)]
    hops = routes(made(plan))["revisions"][revision(plan).digest]["hops"]
    assert [(hop["segment"], hop["blocks"]) for hop in hops] == [
        (segments[0].name, ["block1"]),
        (segments[1].name, ["block2"]),
        (segments[0].name, ["block3"]),
    ]


def test_a_model_cut_at_its_first_exit() -> None:
    cut = revision(placed("edge-0"))
    assert cut.exit == "block1"
    assert cut.blocks == ("block1",)
    assert cut.facts.accuracy == 0.7


def test_every_service_has_both_ports_and_the_apps_leads_to_the_entry() -> None:
    services = made()["Service"]
    for service in services:
        assert service["spec"]["type"] == "ClusterIP"
        ports = {
            port["name"]: (port["port"], port["appProtocol"]) for port in service["spec"]["ports"]
        }
        assert ports == {"http": (8080, "http"), "grpc": (9000, "kubernetes.io/h2c")}
    entry = revision().entry
    assert services[-1]["spec"]["selector"] == {
        "finoperator.io/app": "camera",
        "finoperator.io/segment": entry.digest,
    }


def test_prometheus_is_asked_to_scrape_each_segment_once() -> None:
    *segments, app = made()["Service"]
    for service in segments:
        assert service["metadata"]["annotations"] == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "8080",
            "prometheus.io/path": "/metrics",
        }
    assert "annotations" not in app["metadata"]


def test_a_budget_lets_no_ready_pod_be_evicted() -> None:
    for budget, segment in zip(made()["PodDisruptionBudget"], revision().segments, strict=True):
        assert budget["spec"]["maxUnavailable"] == 0
        labels = budget["spec"]["selector"]["matchLabels"]
        assert labels["finoperator.io/segment"] == segment.digest


def test_only_the_entry_carries_the_plan_and_it_can_be_read_back() -> None:
    entry, other = made()["Deployment"]
    assert "annotations" not in other["metadata"]
    text = entry["metadata"]["annotations"]["finoperator.io/plan"]
    assert annotation.read(text) == revision()


def test_the_name_of_a_segment_follows_from_what_it_runs_and_not_from_its_neighbours() -> None:
    entry = revision().entry.name
    assert revision(placed("mobile-0", "edge-1", "edge-1")).entry.name == entry
    assert revision(placed("mobile-0", "mobile-0", "edge-0")).entry.name != entry  # blocks
    assert revision(placed("edge-0", "mobile-0", "mobile-0")).entry.name != entry  # node
    assert revision(placed("mobile-0")).entry.name != entry  # final exit
    assert revision(placed("mobile-0", "edge-0", "edge-0", cpu=251)).entry.name != entry
    for segment in ({"memoryOverhead": "65Mi"}, {"image": "other:1"}, {"serviceAccountName": "x"}):
        assert revision(world=world_of(segment)).entry.name != entry
    assert revision(world=world_of(rate=11)).entry.name == entry


def test_the_revision_follows_from_segments_and_routes_alone() -> None:
    direct = revision()
    assert revision(world=world_of(rate=11)).digest == direct.digest
    around = Placement(
        SPLIT.placement.nodes,
        (("mobile-0",), ("mobile-0", "edge-1", "edge-0"), ("edge-0",)),
    )
    other = revision(AppPlan(KEY, around, SPLIT.millicores))
    assert other.names == direct.names
    assert other.digest != direct.digest


def test_facts_are_those_of_the_plan() -> None:
    facts = revision().facts
    energy = (11e6 + 0.6 * 20e6) * 1e-9 / 6.7 + 0.6 * 4096 * 8 * 1e-8
    assert facts.energy == pytest.approx(energy)
    assert facts.power == pytest.approx(10 * energy)
    speed = 0.25 * 200e9 / 4
    latency = (11e6 + 0.6 * 20e6) / speed + 0.6 * (4096 * 8 / 100e6 + 2e-3)
    assert facts.latency == pytest.approx(latency)
    assert facts.gap == pytest.approx(max((energy - 0.01) / energy, 0))
    ((ends, load),) = revision().footprint.traffic
    assert ends == ("mobile-0", "edge-0")
    assert load == pytest.approx(10 * 0.6 * 4096 * 8)


@pytest.mark.parametrize("length", [1, 53, 54, 55, 63])
def test_long_names_are_shortened_and_stay_different(length: int) -> None:
    one, other = ("a" * (length - 1) + last for last in "bc")
    names = {segment_name(name, "01234567") for name in (one, other)}
    assert len(names) == 2
    assert all(len(name) <= 63 and name.endswith("-01234567") for name in names)
    assert (f"{one}-01234567" in names) == (length <= 54)


def test_a_name_is_not_cut_behind_a_dash() -> None:
    assert "--" not in segment_name("a" * 44 + "-" + "b" * 18, "01234567")


def test_a_revision_that_another_version_made_is_not_rendered_anew() -> None:
    found = revision()
    assert templates("camera", found).keys() == found.names
    assert templates("camera", named("camera", found)).keys() == found.names
    assert templates("renamed", found) == {}


@pytest.mark.parametrize(
    ("segment", "settings", "reason", "words"),
    [
        ({}, SegmentSettings(), "ImageMissing", "spec.segment.image: must be set"),
        (
            {"artifact": {"hostPath": {"path": "/srv"}}},
            SETTINGS,
            "HostPathNotAllowed",
            "spec.segment.artifact.hostPath: paths of the node are not allowed",
        ),
    ],
)
def test_what_can_not_be_rendered_is_named(
    segment: Json, settings: SegmentSettings, reason: str, words: str
) -> None:
    with pytest.raises(CannotRenderError) as caught:
        made(world=world_of(segment), settings=settings)
    assert caught.value.reason == reason
    assert f"DNNModel default/net: {words}" in caught.value.message


def test_a_path_of_the_node_where_it_is_allowed() -> None:
    world = world_of({"artifact": {"hostPath": {"path": "/srv"}}})
    settings = SegmentSettings("registry.example/fin-segment:1", allow_host_path=True)
    volumes = pod_of(made(world=world, settings=settings)["Deployment"][0])["volumes"]
    assert {"name": "models", "hostPath": {"path": "/srv", "type": "Directory"}} in volumes
