"""The chart under every switch: linted, rendered, and each object put to the real API server."""

import json
from typing import Any

import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command

from fin.cli import app
from fin.cli.run import LogFormat
from fin.cluster.naming import segment_labels
from testbed import ControlPlane
from tests.helpers.chart import (
    CHART,
    NAMESPACE,
    RELEASE,
    Object,
    Values,
    one,
    render,
    template,
)

TOLERATION = {"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}
AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "finoperator.io/tier", "operator": "DoesNotExist"}]}
            ]
        }
    }
}
DIGEST = f"sha256:{'0123456789abcdef' * 4}"

SWITCHES: dict[str, Values] = {
    "defaults": {},
    "names": {"nameOverride": "planner", "fullnameOverride": "fin"},
    "longest names": {"nameOverride": "n" * 53, "fullnameOverride": "f" * 53},
    "image by tag": {"image": {"repository": "registry.example/fin", "tag": "1.2.3"}},
    "image by digest": {"image": {"repository": "registry.example:5000/fin", "digest": DIGEST}},
    "pull": {"image": {"pullPolicy": "Always"}, "imagePullSecrets": [{"name": "registry"}]},
    "segment": {"segment": {"image": "registry.example/segment:1", "allowHostPath": True}},
    "planner": {
        "planner": {"gamma": 1_000_000, "tolerance": 1e-5, "utilisation": 1, "minSaving": 0}
    },
    "moves": {"moves": {"drain": "1.5s", "readyTimeout": "1h30m"}},
    "observing": {"observing": {"every": "1m"}},
    "log": {"logFormat": "json"},
    "no CRDs": {"crds": {"enabled": False}},
    "CRDs not kept": {"crds": {"keep": False}},
    "no roles": {"rbac": {"create": False, "aggregate": False}},
    "no ServiceAccount": {"serviceAccount": {"create": False}},
    "named ServiceAccount": {
        "serviceAccount": {"name": "planner", "annotations": {"example.com/role": "fin"}}
    },
    "someone's ServiceAccount": {"serviceAccount": {"create": False, "name": "planner"}},
    "metrics": {
        "metrics": {"port": 9090, "scrapeAnnotations": False, "annotations": {"a.example/b": "c"}}
    },
    "metrics neither scraped nor annotated": {"metrics": {"scrapeAnnotations": False}},
    "ServiceMonitor": {
        "serviceMonitor": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "interval": "1m",
            "scrapeTimeout": "500ms",
        }
    },
    "PodMonitor": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"}
    },
    "PrometheusRule": {"prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}}},
    "dashboard": {"grafanaDashboard": {"enabled": True, "annotations": {"folder": "Inference"}}},
    "scheduling": {
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [TOLERATION],
        "affinity": AFFINITY,
        "resources": {"limits": {"cpu": 2, "memory": "1Gi"}},
    },
    "pod": {
        "podLabels": {"team": "vision"},
        "podAnnotations": {"example.com/inject": "false"},
        "extraEnv": [
            {"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
    },
    "as part of another chart": {"global": {"imageRegistry": "registry.example"}},
}

pytestmark = pytest.mark.cluster
every_switch = pytest.mark.parametrize("values", SWITCHES.values(), ids=SWITCHES)


def pod(objects: list[Object], name: str = RELEASE) -> dict[str, Any]:
    spec: dict[str, Any] = one(objects, "Deployment", name)["spec"]["template"]["spec"]
    return spec


def arguments(objects: list[Object]) -> list[str]:
    args: list[str] = pod(objects)["containers"][0]["args"]
    return args


@every_switch
def test_lints(chart_cluster: ControlPlane, values: Values) -> None:
    chart_cluster.helm("lint", "--strict", str(CHART), "--values", "-", input=json.dumps(values))


@every_switch
def test_the_api_server_accepts_every_object(chart_cluster: ControlPlane, values: Values) -> None:
    objects = render(chart_cluster, values)
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    result = chart_cluster.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"),
        input=listed,
    )
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == len(objects)


@every_switch
def test_the_pod_is_hardened(chart_cluster: ControlPlane, values: Values) -> None:
    spec = pod(render(chart_cluster, values), values.get("fullnameOverride", RELEASE))
    (container,) = spec["containers"]
    assert "initContainers" not in spec
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all("emptyDir" in volume for volume in spec["volumes"])
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    assert container["resources"]["limits"]["memory"]


@every_switch
def test_one_writer_whose_pods_its_selectors_find(
    chart_cluster: ControlPlane, values: Values
) -> None:
    objects = render(chart_cluster, values)
    name = values.get("fullnameOverride", RELEASE)
    deployment = one(objects, "Deployment", name)["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    labels = deployment["template"]["metadata"]["labels"].items()
    service = one(objects, "Service", f"{name}-metrics")
    assert labels >= deployment["selector"]["matchLabels"].items()
    assert labels >= service["spec"]["selector"].items()
    for monitor in (x for x in objects if x["kind"] == "ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        assert service["metadata"]["labels"].items() >= selector.items()


def test_the_pod_meets_the_restricted_pod_security_standard(chart_cluster: ControlPlane) -> None:
    deployment = one(render(chart_cluster), "Deployment")
    template_of_pod = deployment["spec"]["template"]
    enforcing = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "restricted",
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }
    chart_cluster.kubectl("apply", "-f", "-", input=json.dumps(enforcing))
    admitted = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "operator", "namespace": "restricted"},
        "spec": template_of_pod["spec"] | {"serviceAccountName": "default"},
    }
    chart_cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(admitted))


def test_fin_run_takes_the_flags_as_the_values_say(chart_cluster: ControlPlane) -> None:
    values = {
        **SWITCHES["segment"],
        "planner": {"gamma": 1_000_000, "tolerance": 1e-5, "utilisation": 0.9, "minSaving": 0},
        "moves": {"drain": "1.5s", "readyTimeout": "1h30m"},
        "observing": {"every": "1m"},
        "metrics": {"port": 9090},
        "logFormat": "json",
    }
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    name, *flags = arguments(render(chart_cluster, values))
    parsed = command.commands[name].make_context(name, list(flags)).params
    # Every option of `fin run` has a value in the chart.
    assert {flag.split("=")[0].strip("-").replace("-", "_") for flag in flags} == parsed.keys()
    assert parsed == {
        "gamma": 1_000_000,
        "tolerance": 1e-5,
        "utilisation": 0.9,
        "min_saving": 0.0,
        "segment_image": "registry.example/segment:1",
        "allow_host_path": True,
        "metrics_address": "0.0.0.0:9090",
        "health_address": "0.0.0.0:8081",
        "lease_namespace": NAMESPACE,
        "drain": 1.5,
        "ready_timeout": 5400.0,
        "observe_every": 60.0,
        "log_format": LogFormat.JSON,
    }


def test_what_is_not_set_is_no_flag(chart_cluster: ControlPlane) -> None:
    flags = {arg.split("=")[0] for arg in arguments(render(chart_cluster))}
    assert not flags & {"--gamma", "--allow-host-path"}


def test_segments_run_the_image_of_the_same_release_by_default(
    chart_cluster: ControlPlane,
) -> None:
    objects = render(chart_cluster)
    (container,) = pod(objects)["containers"]
    version = container["image"].removeprefix("fin-operator:")
    assert f"--segment-image=fin-segment:{version}" in arguments(objects)


def test_the_lease_is_where_the_role_for_it_is(chart_cluster: ControlPlane) -> None:
    objects = render(chart_cluster)
    assert f"--lease-namespace={NAMESPACE}" in arguments(objects)
    assert one(objects, "Role", f"{RELEASE}-lease")["metadata"]["namespace"] == NAMESPACE


@pytest.mark.parametrize(
    ("switch", "image"),
    [
        ("defaults", "fin-operator:0.1.0"),
        ("image by tag", "registry.example/fin:1.2.3"),
        ("image by digest", f"registry.example:5000/fin@{DIGEST}"),
    ],
)
def test_image(chart_cluster: ControlPlane, switch: str, image: str) -> None:
    assert pod(render(chart_cluster, SWITCHES[switch]))["containers"][0]["image"] == image


@pytest.mark.parametrize(
    ("switch", "account"),
    [
        ("defaults", RELEASE),
        ("no ServiceAccount", "default"),
        ("named ServiceAccount", "planner"),
        ("someone's ServiceAccount", "planner"),
    ],
)
def test_pod_and_bindings_name_one_account(
    chart_cluster: ControlPlane, switch: str, account: str
) -> None:
    objects = render(chart_cluster, SWITCHES[switch])
    subject = {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}
    assert pod(objects)["serviceAccountName"] == account
    assert one(objects, "ClusterRoleBinding")["subjects"] == [subject]
    assert one(objects, "RoleBinding", f"{RELEASE}-lease")["subjects"] == [subject]
    accounts = [x["metadata"]["name"] for x in objects if x["kind"] == "ServiceAccount"]
    assert accounts == ([account] if switch in ("defaults", "named ServiceAccount") else [])


def test_scrape_annotations_name_the_port(chart_cluster: ControlPlane) -> None:
    objects = render(chart_cluster, {"metrics": {"port": 9090}})
    service = one(objects, "Service", f"{RELEASE}-metrics")
    assert service["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "prometheus.io/path": "/metrics",
    }
    assert service["spec"]["ports"][0]["port"] == 9090
    assert "--metrics-address=0.0.0.0:9090" in arguments(objects)


def test_switches_leave_out_what_they_name(chart_cluster: ControlPlane) -> None:
    def kinds(switch: str) -> set[str]:
        return {x["kind"] for x in render(chart_cluster, SWITCHES[switch])}

    assert "CustomResourceDefinition" not in kinds("no CRDs")
    assert not kinds("no roles") & {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    for each in ("ServiceMonitor", "PodMonitor", "PrometheusRule"):
        assert each not in kinds("defaults")
        assert each in kinds(each)


def test_rules_and_dashboard_are_the_files_of_the_chart(chart_cluster: ControlPlane) -> None:
    values = {"prometheusRule": {"enabled": True}, "grafanaDashboard": {"enabled": True}}
    objects = render(chart_cluster, values)
    rules = one(objects, "PrometheusRule")["spec"]
    assert rules == yaml.safe_load((CHART / "files/prometheus/rules.yaml").read_text())
    dashboard = one(objects, "ConfigMap", f"{RELEASE}-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["fin-operator.json"]) == json.loads(
        (CHART / "files/grafana/fin-operator.json").read_text()
    )


def test_the_monitor_of_segments_selects_their_pods(chart_cluster: ControlPlane) -> None:
    monitor = one(
        render(chart_cluster, {"podMonitor": {"enabled": True}}),
        "PodMonitor",
        f"{RELEASE}-segments",
    )
    assert monitor["spec"]["selector"]["matchLabels"].items() <= segment_labels("gate", "d").items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")


def test_own_labels_of_the_pod_win_over_podLabels(chart_cluster: ControlPlane) -> None:  # noqa: N802
    values = {"podLabels": {"app.kubernetes.io/name": "other", "team": "vision"}}
    deployment = one(render(chart_cluster, values), "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "fin-operator"
    assert labels["team"] == "vision"


def test_a_metrics_port_that_the_probes_have_is_refused(chart_cluster: ControlPlane) -> None:
    result = template(chart_cluster, {"metrics": {"port": 8081}}, check=False)
    assert result.returncode == 1
    assert "metrics.port: 8081 is the port of the health probes" in result.stderr
