"""The operator as a process, as users run it."""

import os
import re
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from fin.controller.kinds import LEASE
from fin.controller.lease import NAME
from testbed import ControlPlane
from tests.helpers.api import Api, until

FIN = Path(sys.executable).with_name("fin")
IMAGE = "registry.example/fin-segment:test"
DRAIN = "500ms"
NEVER = "24h"
"""How often it reads segments: nobody answers at the addresses that kwok gives to pods."""

Sample = tuple[str, frozenset[tuple[str, str]]]


class Operator:
    """One copy of the operator on a control plane.

    Parameters
    ----------
    kubeconfig
        Who it is.
    name
        What to call its process; its log goes on where one of that name ended.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        kubeconfig: Path,
        *,
        namespace: str,
        name: str = "fin",
        observe_every: str = NEVER,
        flags: tuple[str, ...] = (),
    ) -> None:
        self._processes = control_plane.processes
        self._kubeconfig = kubeconfig
        self._name = name
        self._namespace = namespace
        self._argv = [
            *(str(FIN), "run", "--segment-image", IMAGE, "--drain", DRAIN),
            *("--metrics-address", "127.0.0.1:0", "--health-address", "127.0.0.1:0"),
            *("--lease-namespace", namespace, "--observe-every", observe_every, *flags),
        ]
        self._log_begins = 0
        self._excused = 0
        self.pid = 0

    def start(self, *, ready: bool = True) -> None:
        """Start it, and wait until it says it is ready."""
        path = self._processes.log(self._name)
        self._log_begins = path.stat().st_size if path.exists() else 0
        self._excused = 0
        env = {**os.environ, "KUBECONFIG": str(self._kubeconfig), "PYTHONWARNINGS": "default"}
        self.pid = self._processes.start(self._name, self._argv, env)
        if ready:
            until(lambda: self.probe("/readyz")[0] == 200, "the operator to be ready")

    @property
    def running(self) -> bool:
        return self._processes.status(self._name) is None

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it and return its status."""
        return self._processes.stop(self._name, signum)

    def check(self) -> None:
        """End it, and see that it ends well, found no right missing, and made no mistake."""
        status = self.stop() if self.running else 0
        assert status == 0, self.log
        judged = self.log[self._excused :]
        assert not re.search(r'User "[^"]+" cannot', judged), judged
        assert "Traceback" not in judged, judged

    def excuse(self) -> None:
        """Leave what it has logged so far out of `check`.

        An API server that starts does not know all roles at first, and refuses what it should not.
        """
        self._excused = len(self.log)

    def kill(self, api: Api) -> None:
        """Kill it, and take its Lease away, so that the next one need not wait for that."""
        self.stop(signal.SIGKILL)
        if api.find(LEASE, self._namespace, NAME):
            api.delete(LEASE, self._namespace, NAME)

    def pause(self) -> None:
        """Stop it in the middle of whatever it does."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def log(self) -> str:
        """What it has logged since it was started last."""
        with self._processes.log(self._name).open("rb") as file:
            file.seek(self._log_begins)
            return file.read().decode(errors="replace")

    def probe(self, path: str) -> tuple[int, str]:
        """Ask a probe: status and text; 0 where nothing answers."""
        return self._get("probes", path)

    def metrics_text(self) -> str:
        status, text = self._get("metrics", "/metrics")
        assert status == 200, text
        return text

    def metrics(self) -> Mapping[Sample, float]:
        """Read all samples, by name and labels."""
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.metrics_text())
            for sample in family.samples
        }

    def metric(self, name: str, **labels: str) -> float:
        """Sum up the samples of a name that have (at least) these labels."""
        wanted = set(labels.items())
        return sum(v for (n, found), v in self.metrics().items() if n == name and wanted <= found)

    @property
    def rounds(self) -> float:
        """How many rounds were done since it was started last."""
        return self.metric("fin_rounds_total", result="done")

    def _get(self, server: str, path: str) -> tuple[int, str]:
        found = re.findall(rf"{server} on port (\d+)", self.log)
        if not found:
            assert self.running, self.log
            return 0, ""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{found[-1]}{path}", timeout=10
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            assert self.running, self.log
            return 0, ""
