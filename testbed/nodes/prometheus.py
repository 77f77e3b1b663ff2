"""A Prometheus that finds what to scrape by annotations of Services."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import yaml
from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError

from testbed.controlplane import ControlPlane
from testbed.nodes.discovery import targets
from testbed.packages import ensure_packages
from testbed.ports import free_ports
from testbed.process import wait_for
from testbed.progress import Reporter

_ADDRESS = "127.0.0.1"
_PROCESS = "prometheus"
_OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Series:
    """Labels, and values in their order: each a time in seconds of the epoch, and a number."""

    labels: Mapping[str, str]
    values: Sequence[tuple[float, float]]


class Prometheus:
    """Debian's Prometheus, on loopback, for as long as its control plane lives.

    Parameters
    ----------
    control_plane
        Whose Services it scrapes: their pods must be in reach of this machine.
    rules
        Files of rules.
    every
        Seconds between two scrapes, and between two evaluations of rules.

    Raises
    ------
    TestbedError
        It is missing and can't be installed, or does not start.
    """

    def __init__(
        self, control_plane: ControlPlane, rules: Sequence[Path], *, every: int = 2
    ) -> None:
        ensure_packages(((_PROCESS, _PROCESS),), Reporter())
        (port,) = free_ports(_ADDRESS, 1)
        self.url = f"http://{_ADDRESS}:{port}"
        home = control_plane.directory / _PROCESS
        home.mkdir()
        self._found, self._every = home / "targets.json", every
        self._ended = threading.Event()
        self._discovery = threading.Thread(target=self._discover, args=(control_plane,))
        config = home / "prometheus.yml"
        config.write_text(yaml.safe_dump(_config(self._found, rules, every)))
        self._processes = control_plane.processes
        self._processes.start(
            _PROCESS,
            [
                _PROCESS, f"--config.file={config}", f"--storage.tsdb.path={home / 'data'}",
                f"--web.listen-address={_ADDRESS}:{port}",
            ],
        )  # fmt: skip
        self._discovery.start()
        wait_for(self._is_ready, 60, "Prometheus to be ready")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._discovery.join()
        self._processes.stop(_PROCESS)

    def query(self, expression: str) -> list[Series]:
        """Ask for the values of now."""
        found = self._get("query", query=expression)["result"]
        return [Series(each["metric"], [_number(each["value"])]) for each in found]

    def range(self, expression: str, seconds: float, points: int = 240) -> list[Series]:
        """Ask for the values of a time until now."""
        now = time.time()
        asked = {"query": expression, "start": now - seconds, "end": now, "step": seconds / points}
        found = self._get("query_range", **asked)["result"]
        return [Series(each["metric"], list(map(_number, each["values"]))) for each in found]

    def targets(self) -> list[dict[str, Any]]:
        """Return what it scrapes, and with which result."""
        return list(self._get("targets")["activeTargets"])

    def _get(self, what: str, **asked: Any) -> dict[str, Any]:
        with _OPENER.open(f"{self.url}/api/v1/{what}?{urlencode(asked)}", timeout=30) as answer:
            return dict(json.load(answer)["data"])

    def _is_ready(self) -> bool:
        try:
            with _OPENER.open(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except URLError:
            return False

    def _discover(self, control_plane: ControlPlane) -> None:
        draft = self._found.with_suffix(".new")
        with control_plane.make_client() as client:
            while not self._ended.wait(self._every):
                # What is known stays while the API server does not answer.
                with suppress(ApiException, HTTPError):
                    draft.write_text(json.dumps(targets(client)))
                    draft.replace(self._found)


def _number(value: Sequence[Any]) -> tuple[float, float]:
    at, number = value
    return float(at), float(number)


def _config(found: Path, rules: Sequence[Path], every: int) -> dict[str, Any]:
    """Configure it like the job `kubernetes-service-endpoints` of its community's chart."""
    annotation = "__meta_kubernetes_service_annotation_prometheus_io_"
    return {
        "global": {
            "scrape_interval": f"{every}s",
            "scrape_timeout": f"{every}s",
            "evaluation_interval": f"{every}s",
        },
        "rule_files": [str(each) for each in rules],
        "scrape_configs": [
            {
                "job_name": "kubernetes-service-endpoints",
                "honor_labels": True,
                "file_sd_configs": [{"files": [str(found)]}],
                "relabel_configs": [
                    _relabel("keep", f"{annotation}scrape", regex="true"),
                    _relabel("replace", f"{annotation}path", "__metrics_path__", regex="(.+)"),
                    {
                        "action": "replace",
                        "source_labels": ["__address__", f"{annotation}port"],
                        "target_label": "__address__",
                        "regex": r"(.+?)(?::\d+)?;(\d+)",
                        "replacement": "$1:$2",
                    },
                    {"action": "labelmap", "regex": "__meta_kubernetes_service_label_(.+)"},
                    _relabel("replace", "__meta_kubernetes_namespace", "namespace"),
                    _relabel("replace", "__meta_kubernetes_service_name", "service"),
                    _relabel("replace", "__meta_kubernetes_pod_node_name", "node"),
                ],
            }
        ],
    }  # fmt: skip


def _relabel(action: str, source: str, target: str = "", **more: str) -> dict[str, Any]:
    aim = {"target_label": target} if target else {}
    return {"action": action, "source_labels": [source], **aim, **more}
