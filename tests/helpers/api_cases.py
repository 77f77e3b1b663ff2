"""Objects of the API, valid and broken, for the models and for the API server alike."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fin.api import DNNModel, InferenceApp, NetworkTopology, Resource

API_VERSION = "finoperator.io/v1alpha1"
REMOVE = object()

Path = tuple[str | int, ...]
Object = dict[str, Any]


def model(**spec: Any) -> Object:
    """A model with every kind of field in it, a source of weights apart."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DNNModel",
        "metadata": {"name": "b-alexnet", "namespace": "default"},
        "spec": {
            "inputBytes": 3072,
            "blocks": [
                {
                    "name": "conv1",
                    "flops": "9.4M",
                    "memory": "120Ki",
                    "outputBytes": "64Ki",
                    "exit": {
                        "name": "exit1",
                        "flops": "1M",
                        "memory": "100Ki",
                        "exitRate": 0.35,
                        "accuracy": 0.72,
                        "criterion": "Entropy",
                        "threshold": 0.25,
                        "output": "exit1:0",
                    },
                    "output": "conv1/Relu_output_0",
                },
                {"name": "conv2", "flops": "20M", "memory": "1Mi", "outputBytes": "32Ki"},
                {
                    "name": "conv3",
                    "flops": "30M",
                    "memory": "2Mi",
                    "outputBytes": 10,
                    "exit": {"accuracy": 0.86},
                },
            ],
            "segment": {
                "image": "registry.example:5000/fin-segment:0.1.0",
                "imagePullSecrets": [{"name": "registry"}],
                "serviceAccountName": "segments",
                "tolerations": [
                    {"key": "example.com/edge", "value": "yes", "effect": "NoExecute",
                     "tolerationSeconds": 30},
                    {"operator": "Exists"},
                ],
                "memoryOverhead": "48Mi",
                "cpuMinimum": "100m",
            },
            **spec,
        },
    }  # fmt: skip


ARTIFACTS: tuple[Object, ...] = (
    {"configMap": {"name": "weights"}},
    {"secret": {"secretName": "weights"}},
    {"persistentVolumeClaim": {"claimName": "weights", "readOnly": False}},
    {"image": {"reference": "registry.example/weights:1", "pullPolicy": "Always"}},
    {
        "csi": {
            "driver": "csi.example.com",
            "fsType": "ext4",
            "readOnly": True,
            "volumeAttributes": {"share": "weights"},
            "nodePublishSecretRef": {"name": "key"},
        }
    },
    {"hostPath": {"path": "/srv/weights", "type": "Directory"}},
    {"url": "https://models.example/b-alexnet.onnx", "sha256": "0123456789abcdef" * 4},
)


def model_with(artifact: Object) -> Object:
    return model(blocks=model()["spec"]["blocks"][-1:], segment={"artifact": artifact})


def app() -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": "InferenceApp",
        "metadata": {"name": "gate-camera", "namespace": "default"},
        "spec": {
            "model": "b-alexnet",
            "source": {"nodeName": "mobile-0"},
            "rate": 20,
            "latency": {"target": "20ms", "statistic": "Max"},
            "minAccuracy": 0.8,
            "priority": -5,
            "placement": {"localBlocks": 1, "tiers": ["mobile", "edge"]},
            "arrivals": "Poisson",
            "adapt": True,
        },
    }


def topology() -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": "NetworkTopology",
        "metadata": {"name": "campus"},
        "spec": {
            "links": [
                {
                    "from": {"tier": "mobile"},
                    "to": {"nodeName": "edge-0.example"},
                    "bandwidth": "50M",
                    "rtt": "4ms",
                    "energyPerBit": "50n",
                    "directed": True,
                },
                {
                    "from": {"nodeName": "edge-0"},
                    "to": {"tier": "cloud"},
                    "bandwidth": "1G",
                    "rtt": "0s",
                    "energyPerBit": 0,
                },
            ],
            "interfaces": [
                {"on": {"tier": "mobile"}, "egress": "100M", "ingress": "100M"},
                {"on": {"nodeName": "edge-0"}, "egress": 1},
            ],
        },
    }


VALID: tuple[tuple[type[Resource], Object], ...] = (
    (DNNModel, model()),
    (InferenceApp, app()),
    (NetworkTopology, topology()),
    *((DNNModel, model_with(artifact)) for artifact in ARTIFACTS),
)


def changed(original: Object, path: Path, value: Any) -> Object:
    """Return a copy in which the value at a path is another one, or is gone."""
    result = copy.deepcopy(original)
    parent: Any = result
    for step in path[:-1]:
        parent = parent[step]
    if value is REMOVE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return result


def paths(value: Any, prefix: Path = ()) -> Iterator[Path]:
    """Walk over the paths to everything below a value."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield (*prefix, key)
        yield from paths(child, (*prefix, key))


@dataclass(frozen=True)
class Broken:
    """A rule, and an object that breaks it and no other.

    Attributes
    ----------
    name
        What the rule says.
    resource, object
        The kind and the object.
    field
        Where the models see the fault.
    words
        What both must say, the models and the API server.
    server_field
        Where the API server sees it, if elsewhere.
    server_words
        What the API server says, where its words are its own.
    """

    name: str
    resource: type[Resource]
    object: Object
    field: str
    words: str
    server_field: str = ""
    server_words: str = ""


def _model(name: str, path: Path, value: Any, field: str, words: str, **server: str) -> Broken:
    return Broken(name, DNNModel, changed(model(), ("spec", *path), value), field, words, **server)


def _app(name: str, path: Path, value: Any, field: str, words: str, **server: str) -> Broken:
    return Broken(name, InferenceApp, changed(app(), path, value), field, words, **server)


def _topology(name: str, path: Path, value: Any, field: str, words: str, **server: str) -> Broken:
    changed_topology = changed(topology(), ("spec", *path), value)
    return Broken(name, NetworkTopology, changed_topology, field, words, **server)


def _artifact(name: str, artifact: Object, words: str, inner: str = "", **server: str) -> Broken:
    field = f"spec.segment.artifact{inner}"
    return Broken(name, DNNModel, model_with(artifact), field, words, **server)


def _many_blocks(count: int) -> list[Object]:
    blocks: list[Object] = [
        {"name": f"b{i}", "flops": 1, "memory": 1, "outputBytes": 1} for i in range(count)
    ]
    blocks[-1]["exit"] = {"accuracy": 1}
    return blocks


_AT_LEAST = "must be at least"
_GREATER = "should be greater than or equal to"
_AT_MOST = "must be at most"
_LESS = "should be less than or equal to"
_BLOCK = ("blocks", 1)
_EXIT = ("blocks", 0, "exit")
_TOLERATION = ("segment", "tolerations", 0)
_LINK = ("links", 0)

BROKEN: tuple[Broken, ...] = (
    # DNNModel
    _model("inputBytes is a quantity", ("inputBytes",), "3 KB", "spec.inputBytes",
           "must be a quantity of 0 or more"),
    _model("quantities are not negative", ("inputBytes",), -1, "spec.inputBytes",
           "must be a quantity of 0 or more"),
    _model("quantities are finite", ("inputBytes",), "1e400", "spec.inputBytes",
           "must be a quantity of 0 or more"),
    _model("quantities have at most 32 characters", ("inputBytes",), "1" * 33, "spec.inputBytes",
           "32 characters", server_words="may not be more than 32 bytes"),
    _model("fractions are quoted", ("inputBytes",), 0.5, "spec.inputBytes",
           "must be a quantity of 0 or more", server_words="must be of type integer,string"),
    _model("there is a block", ("blocks",), [], "spec.blocks", "at least 1 item"),
    _model("there are at most 256 blocks", ("blocks",), _many_blocks(257), "spec.blocks",
           "must have at most 256 items"),
    _model("a block has a name", (*_BLOCK, "name"), REMOVE, "spec.blocks[1].name", "is required",
           server_words="Required value"),
    _model("block names have a form", (*_BLOCK, "name"), "conv 2", "spec.blocks[1].name",
           "must be letters, digits, '-', '_' and '.'"),
    _model("block names have at most 63 characters", (*_BLOCK, "name"), "b" * 64,
           "spec.blocks[1].name", "at most 63 characters",
           server_words="may not be more than 63 bytes"),
    _model("block names are unique", (*_BLOCK, "name"), "conv1", "spec.blocks[1].name",
           "block names must be unique; conv1 is there twice", server_field="spec.blocks"),
    _model("a block has a cost", (*_BLOCK, "flops"), REMOVE, "spec.blocks[1].flops",
           "is required", server_words="Required value"),
    _model("flops is a quantity", (*_BLOCK, "flops"), "-1M", "spec.blocks[1].flops",
           "must be a quantity of 0 or more"),
    _model("memory is a quantity", (*_BLOCK, "memory"), "1MB", "spec.blocks[1].memory",
           "must be a quantity of 0 or more"),
    _model("outputBytes is a quantity", (*_BLOCK, "outputBytes"), "", "spec.blocks[1].outputBytes",
           "must be a quantity of 0 or more"),
    _model("the last block has an exit", ("blocks", 2, "exit"), REMOVE, "spec.blocks[2]",
           "the last block must have an exit", server_field="spec.blocks"),
    _model("the last exit has no rate", ("blocks", 2, "exit", "exitRate"), 0.1,
           "spec.blocks[2].exit.exitRate", "exitRate is not for the last block's exit",
           server_field="spec.blocks"),
    _model("exit rates add up to at most 1", ("blocks", 1, "exit"),
           {"accuracy": 0.8, "exitRate": 0.651}, "spec.blocks",
           "exit rates are shares of all inputs and must add up to at most 1"),
    _model("thresholds are shares", (*_EXIT, "threshold"), 1.5, "spec.blocks[0].exit.threshold",
           _AT_MOST, server_words=_LESS),
    _model("criteria are known", (*_EXIT, "criterion"), "Margin",
           "spec.blocks[0].exit.criterion", "'Confidence' or 'Entropy'",
           server_words='supported values: "Confidence", "Entropy"'),
    _model("tensor names have no spaces", (*_EXIT, "output"), "the logits",
           "spec.blocks[0].exit.output", "must be a tensor's name"),
    _model("exit rates are not negative", (*_EXIT, "exitRate"), -0.1,
           "spec.blocks[0].exit.exitRate", _AT_LEAST, server_words=_GREATER),
    _model("exit rates are shares", (*_EXIT, "exitRate"), 1.5, "spec.blocks[0].exit.exitRate",
           _AT_MOST, server_words=_LESS),
    _model("exit names are unique", (*_EXIT, "name"), "conv3", "spec.blocks[2].exit.name",
           "exit names must be unique (an exit without a name has its block's); conv3 is there",
           server_field="spec.blocks"),
    _model("exit names have a form", (*_EXIT, "name"), "-", "spec.blocks[0].exit.name",
           "must be letters, digits, '-', '_' and '.'"),
    _model("an exit has an accuracy", (*_EXIT, "accuracy"), REMOVE,
           "spec.blocks[0].exit.accuracy", "is required", server_words="Required value"),
    _model("accuracies are at most 1", (*_EXIT, "accuracy"), 72, "spec.blocks[0].exit.accuracy",
           _AT_MOST, server_words=_LESS),
    _model("accuracies are not negative", (*_EXIT, "accuracy"), -0.1,
           "spec.blocks[0].exit.accuracy", _AT_LEAST, server_words=_GREATER),
    _model("accuracies are numbers", (*_EXIT, "accuracy"), "0.72",
           "spec.blocks[0].exit.accuracy", "must be a number, not a string",
           server_words="must be of type number"),
    _model("an exit's flops is a quantity", (*_EXIT, "flops"), "x",
           "spec.blocks[0].exit.flops", "must be a quantity of 0 or more"),
    _model("an exit's memory is a quantity", (*_EXIT, "memory"), "x",
           "spec.blocks[0].exit.memory", "must be a quantity of 0 or more"),
    _model("an image has no spaces", ("segment", "image"), "a b", "spec.segment.image",
           "must be one word without spaces"),
    _model("memoryOverhead is a quantity", ("segment", "memoryOverhead"), "64 Mi",
           "spec.segment.memoryOverhead", "must be a quantity of 0 or more"),
    _model("cpuMinimum is a quantity", ("segment", "cpuMinimum"), "a lot",
           "spec.segment.cpuMinimum", "must be a quantity of 0 or more"),
    _model("a service account has an object's name", ("segment", "serviceAccountName"), "a/b",
           "spec.segment.serviceAccountName", "must be lower-case letters, digits, '-' and '.'"),
    _model("a pull secret has an object's name", ("segment", "imagePullSecrets", 0, "name"), "A",
           "spec.segment.imagePullSecrets[0].name", "must be lower-case letters"),
    _model("pull secrets are unique", ("segment", "imagePullSecrets"),
           [{"name": "a"}, {"name": "a"}], "spec.segment.imagePullSecrets[1].name",
           "names must be unique; a is there twice",
           server_field="spec.segment.imagePullSecrets[1]", server_words="Duplicate value"),
    _model("tolerations name a key or tolerate all", (*_TOLERATION, "key"), REMOVE,
           "spec.segment.tolerations[0]", "needs a key, or operator: Exists"),
    _model("a toleration's key is a label's", (*_TOLERATION, "key"), "a b",
           "spec.segment.tolerations[0].key", "must be a label key"),
    _model("a toleration's value is a label's", (*_TOLERATION, "value"), "a b",
           "spec.segment.tolerations[0].value", "must be letters, digits"),
    _model("a toleration's operator is known", (*_TOLERATION, "operator"), "Gt",
           "spec.segment.tolerations[0].operator", "'Equal' or 'Exists'",
           server_words='supported values: "Equal", "Exists"'),
    _model("Exists compares no value", (*_TOLERATION, "operator"), "Exists",
           "spec.segment.tolerations[0]", "value is only for operator: Equal"),
    _model("a taint's effect is known", (*_TOLERATION, "effect"), "Never",
           "spec.segment.tolerations[0].effect", "'NoExecute'",
           server_words='supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'),
    _model("only NoExecute has a time", (*_TOLERATION, "effect"), "NoSchedule",
           "spec.segment.tolerations[0]", "tolerationSeconds is only for effect: NoExecute"),
    _model("a time is not negative", (*_TOLERATION, "tolerationSeconds"), -1,
           "spec.segment.tolerations[0].tolerationSeconds", _AT_LEAST, server_words=_GREATER),
    _artifact("weights come from somewhere", {}, "must have exactly one of configMap, secret"),
    _artifact("weights come from one place", ARTIFACTS[0] | ARTIFACTS[1],
              "must have exactly one of configMap, secret"),
    _artifact("a file has a digest", {"url": "https://a.example/b"}, "url and sha256 go together"),
    _artifact("a digest has a file", ARTIFACTS[0] | {"sha256": "0" * 64},
              "url and sha256 go together"),
    _artifact("a digest is one", {"url": "https://a.example/b", "sha256": "0" * 63},
              "must be a SHA-256 digest", ".sha256"),
    _artifact("a file comes by http", {"url": "ftp://a.example/b", "sha256": "0" * 64},
              "must be an address that begins with http", ".url"),
    _artifact("a path is absolute", {"hostPath": {"path": "srv"}},
              "must be a path that begins with /", ".hostPath.path"),
    _artifact("a path has a known type", {"hostPath": {"path": "/srv", "type": "Socket"}},
              "'Directory' or 'File'", ".hostPath.type",
              server_words='supported values: "Directory", "File"'),
    # InferenceApp
    _app("a name begins with a letter", ("metadata", "name"), "1-camera", "metadata.name",
         "beginning with a letter", server_field="metadata.name must be"),
    _app("a name is a DNS label", ("metadata", "name"), "gate.camera", "metadata.name",
         "a Service carries the name", server_field="metadata.name must be"),
    _app("a name has at most 63 characters", ("metadata", "name"), "a" * 64, "metadata.name",
         "at most 63", server_field="metadata.name must be"),
    _app("there is a spec", ("spec",), REMOVE, "spec", "is required",
         server_words="Required value"),
    _app("there is a model", ("spec", "model"), REMOVE, "spec.model", "is required",
         server_words="Required value"),
    _app("a model has an object's name", ("spec", "model"), "B_AlexNet", "spec.model",
         "must be lower-case letters, digits, '-' and '.'"),
    _app("a source is a node", ("spec", "source", "nodeName"), "mobile..0",
         "spec.source.nodeName", "must be lower-case letters, digits, '-' and '.'"),
    _app("rates are above 0", ("spec", "rate"), 0, "spec.rate", "must be a quantity above 0"),
    _app("rates are above 0 in any unit", ("spec", "rate"), "0.0Ki", "spec.rate",
         "must be a quantity above 0"),
    _app("rates are quantities", ("spec", "rate"), "20/s", "spec.rate",
         "must be a quantity above 0"),
    _app("latency is a duration", ("spec", "latency", "target"), "20 ms",
         "spec.latency.target", "must be a duration"),
    _app("latency has a unit", ("spec", "latency", "target"), 20, "spec.latency.target",
         "must be a duration", server_words="must be of type string"),
    _app("latency is above 0", ("spec", "latency", "target"), "0ms",
         "spec.latency.target", "must be a duration above 0"),
    _app("durations have no days", ("spec", "latency", "target"), "1d",
         "spec.latency.target", "must be a duration"),
    _app("the statistic is known", ("spec", "latency", "statistic"), "Median",
         "spec.latency.statistic", "'Mean' or 'Max'",
         server_words='supported values: "Mean", "Max"'),
    _app("accuracy is a share", ("spec", "minAccuracy"), 80, "spec.minAccuracy", _AT_MOST,
         server_words=_LESS),
    _app("accuracy is not negative", ("spec", "minAccuracy"), -1, "spec.minAccuracy", _AT_LEAST,
         server_words=_GREATER),
    _app("priority is at most 1000", ("spec", "priority"), 1001, "spec.priority", _AT_MOST,
         server_words=_LESS),
    _app("priority is at least -1000", ("spec", "priority"), -1001, "spec.priority", _AT_LEAST,
         server_words=_GREATER),
    _app("priority is whole", ("spec", "priority"), 0.5, "spec.priority", "must be an integer",
         server_words="must be of type integer"),
    _app("arrivals are of two kinds", ("spec", "arrivals"), "Bursts", "spec.arrivals",
         "must be 'Periodic' or 'Poisson'", server_words="supported values"),
    _app("adapt is true or false", ("spec", "adapt"), "yes", "spec.adapt",
         "must be true or false, not a string", server_words="must be of type boolean"),
    _app("local blocks are counted", ("spec", "placement", "localBlocks"), -1,
         "spec.placement.localBlocks", _AT_LEAST, server_words=_GREATER),
    _app("tiers are not none", ("spec", "placement", "tiers"), [], "spec.placement.tiers",
         "at least 1 item"),
    _app("tiers are labels", ("spec", "placement", "tiers", 0), "the edge",
         "spec.placement.tiers[0]", "must be letters, digits, '-', '_' and '.'"),
    _app("tiers are unique", ("spec", "placement", "tiers", 1), "mobile",
         "spec.placement.tiers[1]", "mobile is there twice",
         server_words='Duplicate value: "mobile"'),
    # NetworkTopology
    _topology("an end is a node or a tier", (*_LINK, "from", "nodeName"), "a",
              "spec.links[0].from", "must have either nodeName or tier, and not both"),
    _topology("an end is something", (*_LINK, "to"), {}, "spec.links[0].to",
              "must have either nodeName or tier, and not both"),
    _topology("an end's tier is a label", (*_LINK, "from", "tier"), "a b",
              "spec.links[0].from.tier", "must be letters, digits"),
    _topology("an end's node has an object's name", (*_LINK, "to", "nodeName"), "Edge",
              "spec.links[0].to.nodeName", "must be lower-case letters"),
    _topology("a link has two ends", (*_LINK, "to"), REMOVE, "spec.links[0].to", "is required",
              server_words="Required value"),
    _topology("bandwidth is above 0", (*_LINK, "bandwidth"), 0, "spec.links[0].bandwidth",
              "must be a quantity above 0"),
    _topology("round trips are durations", (*_LINK, "rtt"), "fast", "spec.links[0].rtt",
              "must be a duration"),
    _topology("energy is a quantity", (*_LINK, "energyPerBit"), "50nJ",
              "spec.links[0].energyPerBit", "must be a quantity of 0 or more"),
    _topology("directed is true or false", (*_LINK, "directed"), "yes",
              "spec.links[0].directed", "must be true or false, not a string",
              server_words="must be of type boolean"),
    _topology("there are at most 10,000 links", ("links",),
              [topology()["spec"]["links"][1]] * 10_001, "spec.links",
              "must have at most 10000 items"),
    _topology("an interface is somewhere", ("interfaces", 0, "on"), {"tier": "a", "nodeName": "b"},
              "spec.interfaces[0].on", "must have either nodeName or tier, and not both"),
    _topology("an interface limits something", ("interfaces", 1, "egress"), REMOVE,
              "spec.interfaces[1]", "must limit egress, ingress or both"),
    _topology("egress is above 0", ("interfaces", 0, "egress"), "0", "spec.interfaces[0].egress",
              "must be a quantity above 0"),
    _topology("ingress is above 0", ("interfaces", 0, "ingress"), "0",
              "spec.interfaces[0].ingress", "must be a quantity above 0"),
)  # fmt: skip
