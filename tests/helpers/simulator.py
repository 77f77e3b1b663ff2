"""A cluster in memory, for decisions that are pure functions of what the API server shows.

It plays the controllers, the scheduler and the kubelets second by second: pods start, end and
take room; EndpointSlices follow; a kubelet renews the ConfigMaps of its pods late. It follows
requests on their way, so that a test can tell whether an app serves at every moment.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from fin.cluster import reading
from fin.cluster.actions import Action, Apply, Delete, Event
from fin.cluster.answering import Pod as AnsweringPod
from fin.cluster.capacity import demands, pod_requests
from fin.cluster.decision import Decision
from fin.cluster.lost import pinned_node
from fin.cluster.memory import MoveMemory, leave_out
from fin.cluster.moves import decide
from fin.cluster.observed import controller
from fin.cluster.running import read_running
from fin.cluster.settings import MoveSettings, SegmentSettings
from fin.cluster.snapshot import Snapshot
from fin.cluster.status import StatusPatch, status_patches
from fin.cluster.telemetry.adapting import Adapted
from fin.cluster.telemetry.inforce import in_force
from fin.cluster.telemetry.track import Told
from fin.cluster.world import World, build_world
from fin.planning.plan import Plan
from fin.planning.problem import AppKey
from fin.planning.solvers import make_plan

Json = dict[str, Any]
Key = tuple[str, str, str]

START = 1_800_000_000.0
SETTINGS = MoveSettings(
    segments=SegmentSettings(default_image="registry.example/fin-segment:1"),
    drain=5.0,
    ready_timeout=60.0,
    refresh=14.0,
)
_KINDS = {
    "Node": "nodes",
    "Pod": "pods",
    "NetworkTopology": "topologies",
    "DNNModel": "models",
    "InferenceApp": "apps",
    "Deployment": "deployments",
    "Service": "services",
    "ConfigMap": "configmaps",
    "PodDisruptionBudget": "budgets",
    "EndpointSlice": "endpointslices",
}


class RefusedError(Exception):
    """The API server refuses a write: a precondition does not hold."""


@dataclass
class SimulatedCluster:
    """Objects by kind, namespace and name, and the clock (s).

    ``startup``, ``grace`` and ``refresh`` are seconds that a pod takes to be Ready, to end, and to
    see a changed ConfigMap: by itself, or, where kubelets are ``prompt``, when the pod changes.
    Pods of images in ``broken_images`` never become Ready.
    """

    startup: int = 3
    grace: int = 2
    refresh: int = 10
    prompt: bool = False
    now: float = START
    broken_images: set[str] = field(default_factory=set)
    objects: dict[Key, Json] = field(default_factory=dict)
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # --- the API server ---------------------------------------------------------------

    def add(self, *objects: Json) -> None:
        """Create objects as a user does."""
        for obj in objects:
            self._store(_copy(obj))

    def get(self, kind: str, name: str, namespace: str = "default") -> Json | None:
        return self.objects.get((kind, namespace, name))

    def all(self, kind: str) -> list[Json]:
        return [obj for (each, _, _), obj in sorted(self.objects.items()) if each == kind]

    def remove(self, kind: str, name: str, namespace: str = "default") -> None:
        """Delete an object; what it owns goes in the next second."""
        self.objects.pop((kind, namespace, name), None)

    def edit_app(self, name: str, **spec: Any) -> None:
        """Change fields of an app's spec, as a user does."""
        app = self.objects["InferenceApp", "default", name]
        app["spec"].update(_copy(spec))
        app["metadata"]["generation"] += 1

    def snapshot(self) -> Snapshot:
        kinds = {field: tuple(map(_copy, self.all(kind))) for kind, field in _KINDS.items()}
        return Snapshot(**kinds)

    def write(self, action: Action) -> None:
        """Do one action, with its preconditions."""
        if isinstance(action, Apply):
            self._apply(action)
        else:
            self._delete(action)

    def _apply(self, action: Apply) -> None:
        obj = _copy(action.object)
        live = self.objects.get(_key(obj))
        if (live is None) != (action.uid is None) or (live and reading.uid(live) != action.uid):
            raise RefusedError(f"{_key(obj)} is not as it was")
        if live is None:
            self._store(obj)
            return
        for part in ("spec", "data"):
            if part in obj and obj[part] != live.get(part):
                live[part] = obj[part]
                live["metadata"]["generation"] += 1
        if obj["kind"] == "Pod":  # of which others write the rest
            live["metadata"].setdefault("annotations", {}).update(obj["metadata"]["annotations"])
            live["sim"]["touched"] = True
            return
        for part in ("labels", "annotations", "ownerReferences"):
            live["metadata"][part] = obj["metadata"].get(part, {})

    def _delete(self, action: Delete) -> None:
        live = self.objects.get((action.kind, action.namespace, action.name))
        if live is not None and reading.uid(live) == action.uid:
            del self.objects[action.kind, action.namespace, action.name]

    def _store(self, obj: Json) -> None:
        metadata = obj.setdefault("metadata", {})
        if obj["kind"] not in ("Node", "NetworkTopology"):
            metadata.setdefault("namespace", "default")
        metadata["uid"] = f"uid-{next(self.serial)}"
        metadata["generation"] = 1
        metadata["creationTimestamp"] = self._timestamp()
        self.objects[_key(obj)] = obj

    def _timestamp(self) -> str:
        return datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # --- everything else ---------------------------------------------------------------

    def tick(self) -> None:
        """Let a second pass."""
        self.now += 1
        self._collect_garbage()
        self._end_pods()
        self._make_pods()
        self._schedule()
        self._run_kubelets()
        self._report_deployments()
        self._write_endpoints()

    def _collect_garbage(self) -> None:
        uids = {reading.uid(obj) for obj in self.objects.values()}
        for key, obj in list(self.objects.items()):
            owner = controller(obj)
            if owner and owner not in uids:
                if key[0] == "Pod":
                    self._terminate(obj)
                else:
                    del self.objects[key]

    def _terminate(self, pod: Json) -> None:
        if not reading.text(pod, "spec", "nodeName"):
            self.objects.pop(_key(pod))
        else:
            pod["metadata"].setdefault("deletionTimestamp", self._timestamp())
            pod["sim"].setdefault("ends", self.now + self.grace)

    def _end_pods(self) -> None:
        """A kubelet ends its pods; one that is down ends none."""
        for pod in self.all("Pod"):
            ends = pod.get("sim", {}).get("ends")
            node = self.get("Node", pod["spec"].get("nodeName", ""))
            if ends is not None and ends <= self.now and (node is None or _node_is_ready(node)):
                self.objects.pop(_key(pod))

    def _pods_of(self, deployment: Json) -> list[Json]:
        return [pod for pod in self.all("Pod") if controller(pod) == reading.uid(deployment)]

    def _make_pods(self) -> None:
        """The Deployment controller, with maxSurge 0: an outdated pod goes first."""
        for deployment in self.all("Deployment"):
            template, pods = deployment["spec"]["template"], self._pods_of(deployment)
            for pod in pods:
                if pod["sim"]["template"] != template:
                    self._terminate(pod)
            if all(reading.being_deleted(pod) for pod in pods):
                self._store(_pod(deployment, next(self.serial), template))

    def _schedule(self) -> None:
        for pod in self.all("Pod"):
            if pod["spec"].get("nodeName") or "sim" not in pod:
                continue
            name = pinned_node({"spec": {"template": {"spec": pod["spec"]}}})
            node = self.get("Node", name)
            if node is not None and self._has_room(node, pod):
                pod["spec"]["nodeName"] = name
                pod["sim"]["bound"] = self.now
                pod["sim"]["config"] = self._config(pod)

    def _has_room(self, node: Json, pod: Json) -> bool:
        name = reading.name(node)
        taken = demands(self.all("Pod")).get(name)
        offered, asked = node["status"]["allocatable"], pod_requests(pod)
        room = _cores(offered["cpu"]) * 1000 - (taken.total.millicores if taken else 0)
        return (
            not node["spec"].get("unschedulable")
            and _node_is_ready(node)
            and asked.cpu * 1000 <= room
        )

    def _run_kubelets(self) -> None:
        for pod in self.all("Pod"):
            node = self.get("Node", pod["spec"].get("nodeName", ""))
            if "sim" not in pod or node is None:
                continue
            sim = pod["sim"]
            pod["status"].setdefault("podIP", "192.0.2.1")
            image = pod["spec"]["containers"][0]["image"]
            started = self.now >= sim["bound"] + self.startup and image not in self.broken_images
            _set_ready(pod, self._timestamp(), ready=started and _node_is_ready(node))
            touched = sim.pop("touched", False) and self.prompt
            if touched or (self.now - sim["bound"]) % self.refresh == 0:
                sim["config"] = self._config(pod)

    def _config(self, pod: Json) -> Json:
        """What the pod reads as its routes; a kubelet keeps what is gone."""
        for volume in pod["spec"]["volumes"]:
            for source in volume.get("projected", {}).get("sources", ()):
                if "configMap" in source:
                    namespace = pod["metadata"]["namespace"]
                    live = self.get("ConfigMap", source["configMap"]["name"], namespace)
                    if live is not None:
                        return dict(orjson.loads(live["data"]["routes.json"]))
        return dict(pod["sim"].get("config") or {})

    def _report_deployments(self) -> None:
        for deployment in self.all("Deployment"):
            pods = [pod for pod in self._pods_of(deployment) if not reading.being_deleted(pod)]
            template = deployment["spec"]["template"]
            ready = sum(_pod_is_ready(pod) for pod in pods)
            deployment["status"] = {
                "observedGeneration": deployment["metadata"]["generation"],
                "replicas": len(pods),
                "updatedReplicas": sum(pod["sim"]["template"] == template for pod in pods),
                "readyReplicas": ready,
                "availableReplicas": ready,
                # One replica of which one may be unavailable is Available without any.
                "conditions": [{"type": "Available", "status": "True"}],
            }

    def _write_endpoints(self) -> None:
        """One slice for each Service, with the pods that are Ready and stay."""
        for key in [key for key in self.objects if key[0] == "EndpointSlice"]:
            del self.objects[key]
        for service in self.all("Service"):
            metadata = service["metadata"]
            endpoints = [
                {
                    "conditions": {"ready": _pod_is_ready(pod)},
                    "targetRef": {"kind": "Pod", "name": reading.name(pod)},
                }
                for pod in self.all("Pod")
                if not reading.being_deleted(pod)
                and pod["metadata"]["namespace"] == metadata["namespace"]
                and service["spec"]["selector"].items() <= reading.labels(pod).items()
            ]
            labels = {**metadata["labels"], "kubernetes.io/service-name": metadata["name"]}
            self.objects["EndpointSlice", metadata["namespace"], metadata["name"]] = {
                "kind": "EndpointSlice",
                "metadata": {
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "labels": labels,
                },
                "endpoints": endpoints,
            }

    # --- requests ----------------------------------------------------------------------

    def why_not_served(self, name: str, namespace: str = "default") -> str | None:
        """Follow a request through every pod that may get it; tell where it is stranded."""
        entries = self._receiving(name, namespace)
        if not entries:
            return f"no pod receives the requests of {name}"
        for pod in entries:
            config, entry = pod["sim"]["config"], _segment(pod)
            revision = config.get("entries", {}).get(entry)
            if revision is None:
                return f"entry {entry} has no revision to follow"
            for hop in config["revisions"][revision]["hops"]:
                reached = self._receiving(hop["segment"], namespace)
                if not reached:
                    return f"no pod receives at {hop['segment']} for revision {revision}"
                for each in reached:
                    blocks = {block["name"] for block in _own_config(each)["blocks"]}
                    if not set(hop["blocks"]) <= blocks:
                        return f"{hop['segment']} lacks {hop['blocks']}"
        return None

    def follows(self, pods: Iterable[AnsweringPod]) -> dict[str, str]:
        """Return the revision that each of these entries follows by what it has read."""
        live = {reading.uid(pod): pod for pod in self.all("Pod")}
        found = ((pod.uid, live[pod.uid]) for pod in pods if pod.uid in live)
        return {uid: pod["sim"]["config"]["entries"].get(_segment(pod), "") for uid, pod in found}

    def _receiving(self, service: str, namespace: str) -> list[Json]:
        each = self.get("EndpointSlice", service, namespace)
        names = [
            endpoint["targetRef"]["name"]
            for endpoint in (each or {}).get("endpoints", ())
            if endpoint["conditions"]["ready"]
        ]
        return [pod for name in names if (pod := self.get("Pod", name, namespace))]


@dataclass
class Operator:
    """The operator's loop, without the API server: snapshot, plan, decide, write.

    Where it ``asks``, entries that are worth asking say what they follow.
    """

    cluster: SimulatedCluster
    settings: MoveSettings = SETTINGS
    memory: MoveMemory = field(default_factory=MoveMemory)
    plan: Plan | None = None
    events: list[Event] = field(default_factory=list)
    decision: Decision | None = None
    patches: tuple[StatusPatch, ...] = ()
    proposals: dict[AppKey, Adapted] = field(default_factory=dict)
    told_of: dict[AppKey, Told] = field(default_factory=dict)
    asks: bool = False

    def look(self) -> tuple[Snapshot, World]:
        snapshot = self.cluster.snapshot()
        adapted = in_force(snapshot, self.memory) | self.proposals
        world = leave_out(build_world(snapshot, adapted=adapted), self.memory, self.cluster.now)
        return snapshot, world

    def decide(self) -> Decision:
        """Decide, by ``plan`` or by the planner's."""
        snapshot, world = self.look()
        plan = self.plan
        if plan is None:
            plan = make_plan(world.problem, read_running(snapshot, world, self.memory))
        now = self.cluster.now
        self.decision = decide(snapshot, world, plan, self.settings, now, self.memory)
        self.patches = status_patches(
            snapshot, world, plan, self.decision, self.settings, now, self.told_of
        )
        return self.decision

    def act(self, decision: Decision, limit: int | None = None) -> int:
        """Do the actions, at most ``limit``; return how many there were."""
        follows = self.cluster.follows(decision.unread) if self.asks else {}
        self.memory = replace(decision.memory, follows=follows)
        self.events += decision.events
        stopped: set[AppKey] = set()
        for action in decision.actions[:limit]:
            if action.app in stopped:
                continue
            try:
                self.cluster.write(action)
            except RefusedError:
                stopped.add(action.app)
        for patch in self.patches:
            live = self.cluster.get(patch.kind, patch.name, patch.namespace or "default")
            if live is not None:
                live["status"] = _copy(patch.status)
        return len(decision.actions)

    def restart(self) -> None:
        """Forget all that was remembered."""
        self.memory = MoveMemory()

    def round(self) -> int:
        """Decide, act, and let a second pass; return the number of actions."""
        count = self.act(self.decide())
        self.cluster.tick()
        return count

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.round()

    def settle(self, seconds: int = 300, quiet: int = 20) -> None:
        """Go on until nothing is done for a while."""
        still = 0
        for _ in range(seconds):
            still = still + 1 if self.round() == 0 else 0
            if still >= quiet:
                return
        actions = self.decision.actions if self.decision else ()
        raise AssertionError(f"not settled after {seconds} s: {summary(actions)}")

    def told(self, reason: str) -> list[Event]:
        return [event for event in self.events if event.reason == reason]


def summary(actions: Iterable[Action]) -> list[str]:
    """Return actions in short, for messages and comparisons."""
    lines = []
    for action in actions:
        if isinstance(action, Apply):
            verb = "create" if action.uid is None else "apply"
            lines.append(f"{verb} {action.object['kind']} {action.object['metadata']['name']}")
        else:
            lines.append(f"delete {action.kind} {action.name}")
    return lines


def _copy(obj: Any) -> Any:
    return orjson.loads(orjson.dumps(obj))


def _key(obj: Json) -> Key:
    namespace = obj["metadata"].get("namespace", "default")
    return obj["kind"], namespace, obj["metadata"]["name"]


def _pod(deployment: Json, serial: int, template: Json) -> Json:
    metadata = deployment["metadata"]
    owner = {"kind": "Deployment", "uid": metadata["uid"], "controller": True}
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{serial}",
            "namespace": metadata["namespace"],
            "labels": _copy(template["metadata"]["labels"]),
            "annotations": _copy(template["metadata"]["annotations"]),
            "ownerReferences": [owner],
        },
        "spec": _copy(template["spec"]),
        "status": {"phase": "Pending"},
        "sim": {"template": _copy(template)},
    }


def _set_ready(pod: Json, now: str, *, ready: bool) -> None:
    status = "True" if ready else "False"
    before = pod["status"].get("conditions", [{}])[0]
    since = before["lastTransitionTime"] if before.get("status") == status else now
    pod["status"]["phase"] = "Running" if ready else pod["status"]["phase"]
    pod["status"]["conditions"] = [{"type": "Ready", "status": status, "lastTransitionTime": since}]


def _pod_is_ready(pod: Json) -> bool:
    return any(
        each["type"] == "Ready" and each["status"] == "True"
        for each in pod["status"].get("conditions", ())
    )


def _node_is_ready(node: Json) -> bool:
    return any(
        each["type"] == "Ready" and each["status"] == "True"
        for each in node["status"]["conditions"]
    )


def _segment(pod: Json) -> str:
    return reading.name(pod).rpartition("-")[0]


def _own_config(pod: Json) -> Json:
    return dict(orjson.loads(pod["metadata"]["annotations"]["finoperator.io/config"]))


def _cores(text: str) -> float:
    return float(text)
