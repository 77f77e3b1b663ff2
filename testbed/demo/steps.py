"""The demonstration, step by step."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from fin.cli.units import si
from testbed.controlplane import ControlPlane
from testbed.demo.checks import (
    agree,
    check_answers,
    check_metrics,
    check_targets,
    check_workloads,
)
from testbed.demo.client import ask
from testbed.demo.metrics import Scrape, scrape
from testbed.demo.operator import CHART, NAMESPACE, RELEASE, Operator, chart_parts, plan_of_files
from testbed.demo.reader import (
    APP,
    APP_FILE,
    BLOCKS,
    HELD_OUT,
    MODEL_FILE,
    NETWORK,
    exit_shares,
    explanation,
    measure,
    verdict,
)
from testbed.demo.reading import AppView, Key, read_apps, read_events, read_workloads
from testbed.demo.segments import Segments, read_rendered
from testbed.demo.stage import DemoError, Stage
from testbed.demo.tables import (
    answer_table,
    energy_table,
    move_table,
    plan_table,
    savings_table,
    workload_table,
)

KUBELET = "testbed.finoperator.io/kubelet=kwok"
NODE = "edge-0"
"""The node that fails."""

_READY_TIMEOUT = 60.0


class Demo:
    """Its steps, in their order; each leaves the cluster as the next one finds it."""

    def __init__(self, stage: Stage, cluster: ControlPlane, examples: Path) -> None:
        self._stage = stage
        self._cluster = cluster
        self._examples = examples
        self._feasible: set[Key] = set()
        self._refused: set[Key] = set()
        self._before: dict[Key, AppView] = {}
        self._told: set[str] = set()
        self.operator: Operator | None = None
        self.model_url = ""
        """Where the segments that run for real tell of their model; empty before they do."""

    @property
    def log_tail(self) -> str:
        """How the operator's log ends; empty where it was never started."""
        return self.operator.log_tail if self.operator else ""

    def run(self) -> Operator:
        """Do every step but the first, which is to start the cluster; leave the operator running.

        Raises
        ------
        TestbedError
            A step failed, or did not do what it claims.
        """
        stage = self._stage
        with stage.step("Install the CRDs and the operator's role, both from the Helm chart"):
            self._install()
        with stage.step("Apply the examples: nodes in three tiers, a network, models and apps"):
            self._apply()
        with stage.step("Run the operator with the rights of the chart's ServiceAccount"):
            self._operate()
        with stage.step("Wait until every feasible app is Ready"):
            self._wait_until_ready()
        with stage.step("The plan: at which exit each app ends, what it costs, where it runs"):
            self._show_plan()
        with stage.step("What runs for it: a Deployment with limits for each segment"):
            self._show_workloads()
        with stage.step("Energy, from the operator's Prometheus metrics"):
            energy = self._show_energy()
        with stage.step(f"Take node {NODE} down"):
            self._fail_node()
        with stage.step(f"What moved away from {NODE}, and why"):
            self._show_moves(energy.power)
        with stage.step("Measure a trained network with early exits, here and now"):
            measured = measure(self._cluster, stage, self._examples)
        with stage.step("Plan an app with it, on a camera, a gateway and a server"):
            self._plan_reader(measured)
        with stage.step("Run its segments for real, and send them samples that were held out"):
            self._ask_reader(measured)
        return self._running_operator()

    def _install(self) -> None:
        self._kubectl("create", "namespace", NAMESPACE)
        parts = chart_parts(self._cluster)
        rendered = f"helm template {RELEASE} {CHART} --namespace={NAMESPACE} ... | "
        self._kubectl("apply", "--server-side", "-f", "-", stdin=parts, prefix=rendered)
        self._kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")

    def _apply(self) -> None:
        feasible = plan_of_files(self._examples)
        self._feasible = {key for key, found in feasible.items() if found}
        self._refused = feasible.keys() - self._feasible
        count = len(self._kubectl("apply", "-f", str(self._examples)).splitlines())
        self._stage.say(f"{count} objects; the API server itself checks them.")
        self._kubectl("label", "nodes", "--all", KUBELET)
        self._kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=30s")
        self._stage.until(self._untainted, 30, "Kubernetes to let pods onto the nodes")
        self._stage.say(
            "kwok plays the kubelets: nodes become Ready and pods Running, but no container runs."
        )
        missing = feasible.keys() ^ read_apps(self._cluster).keys()
        if missing:
            raise DemoError(f"these apps are not on the API server: {_names(missing)}")

    def _untainted(self) -> bool:
        """Whether no node is tainted not-ready, as each is for a moment after it is Ready."""
        return not any(n.spec and n.spec.taints for n in self._cluster.core.list_node().items)

    def _operate(self) -> None:
        self.operator = operator = Operator(self._cluster)
        self._stage.command(shlex.join(operator.argv))
        operator.start(self._stage)
        self._stage.say(f"The API server knows it as {operator.who()}.")

    def _wait_until_ready(self) -> None:
        apps = self._await_plan(lambda apps: all(apps[key].refused for key in self._refused))
        namespaces = {namespace for namespace, _ in apps}
        scope = f"--namespace={namespaces.pop()}" if len(namespaces) == 1 else "--all-namespaces"
        self._stage.print_as_is(self._kubectl("get", "inferenceapps", scope))
        for key in sorted(self._refused):
            self._stage.say(f"{key[1]} has no plan: {apps[key].why_refused}", style="yellow")
        count = f"{len(self._feasible)} of {len(apps)} apps"
        self._stage.say(f"{count} are Ready: those that `fin plan` found feasible before.")

    def _show_plan(self) -> None:
        self._before = read_apps(self._cluster)
        planned = self._planned(self._before)
        check_targets(planned)
        self._stage.show(plan_table(planned))

    def _show_workloads(self) -> None:
        planned = self._planned(self._before)
        workloads = read_workloads(self._cluster)
        check_workloads(planned, workloads)
        self._stage.show(workload_table(planned, workloads))

    def _show_energy(self) -> Scrape:
        self._stage.command(f"curl {self._running_operator().metrics_url}")
        found = self._await_metrics(self._planned(self._before))
        self._stage.show(energy_table(found))
        self._stage.say(
            f"Proven: no plan that admits these apps needs less than {si(found.power_bound, 'W')}."
        )
        self._stage.say(
            "Watts saved against other plans that have the cluster to themselves: all of it on one "
            "node (the source, or the best of a tier), and three published methods."
        )
        self._stage.show(savings_table(found))
        self._stage.say("-: no such plan meets its spec.")
        return found

    def _fail_node(self) -> None:
        self._told = {each.version for each in read_events(self._cluster)}
        self._stage.say("Its kubelet falls silent, as if the power were cut.")
        self._kubectl("label", "node", NODE, f"{KUBELET.partition('=')[0]}-")
        kwok = self._cluster.kwok
        self._until(lambda: not kwok.is_ready(NODE), 60, f"Kubernetes to see that {NODE} is lost")

    def _show_moves(self, power: float) -> None:
        apps = self._await_plan(lambda apps: not any(NODE in app.nodes for app in apps.values()))
        planned = self._planned(apps)
        check_targets(planned)
        check_workloads(planned, read_workloads(self._cluster))
        if not any(NODE in app.nodes for app in self._before.values()):
            raise DemoError(f"nothing ran on {NODE}, so nothing had to move")
        self._stage.show(move_table(self._before, apps))
        self._stage.say("The apps' Events since then:")
        for event in read_events(self._cluster):
            if event.version not in self._told:
                self._stage.say(f"  {event.app}: {event.reason}: {event.message}")
        after = self._await_metrics(planned).power
        self._stage.say(
            f"All {len(planned)} apps are Ready again and within their targets. Power in all: "
            f"{si(power, 'W')} before, {si(after, 'W')} now.",
            style="bold",
        )

    def _plan_reader(self, measured: Path) -> None:
        files = ("-f", str(measured / MODEL_FILE), "-f", str(self._examples / APP_FILE))
        applied = self._kubectl("apply", "-o", "name", *files).split()
        nodes = [name.partition("/")[2] for name in applied if name.startswith("node/")]
        self._kubectl("label", "nodes", *nodes, KUBELET)
        self._feasible.add(APP)
        app = self._await_plan()[APP]
        check_targets([app])
        workloads = read_workloads(self._cluster)
        check_workloads([app], workloads)
        self._stage.show(plan_table([app]))
        self._stage.show(workload_table([app], workloads))

    def _ask_reader(self, measured: Path) -> None:
        rendered = read_rendered(self._cluster, APP)
        segments = Segments(self._cluster, rendered, measured / BLOCKS)
        segments.start(self._stage)
        self._stage.say(
            f"{len(rendered.nodes)} processes of `fin segment`, with the files that the operator "
            "made for their pods; between them links with the plan's round-trip time and bandwidth."
        )
        self.model_url = f"http://{segments.http_address}/v2/models/{NETWORK}"
        answers = ask(segments.grpc_address, NETWORK, self._examples / HELD_OUT)
        segments.check_running()
        app = read_apps(self._cluster)[APP]
        check_answers(app, tuple(rendered.nodes), answers)
        shares = exit_shares(self._cluster, tuple(rendered.exits))
        self._stage.show(answer_table(answers, rendered.exits, shares))
        self._stage.say(explanation(answers))
        self._stage.say(verdict(app, answers), style="bold")

    def _await_plan(
        self, more: Callable[[Mapping[Key, AppView]], bool] = lambda _: True
    ) -> dict[Key, AppView]:
        """Wait until every feasible app is Ready and, of all apps, something more holds."""
        apps: dict[Key, AppView] = {}

        def holds() -> bool:
            nonlocal apps
            apps = read_apps(self._cluster)
            return all(apps[key].ready for key in self._feasible) and more(apps)

        try:
            self._until(holds, _READY_TIMEOUT, "the apps to be Ready")
        except DemoError as error:
            late = [
                f"{key[1]}: {apps[key].told}"
                for key in sorted(self._feasible)
                if not apps[key].ready
            ]
            raise DemoError("\n".join([str(error), *late])) from error
        return apps

    def _await_metrics(self, planned: list[AppView]) -> Scrape:
        """Wait until the metrics tell what the apps' status tells."""
        url = self._running_operator().metrics_url
        self._until(lambda: agree(planned, scrape(url)), 20, "the metrics to follow the plan")
        found = scrape(url)
        check_metrics(planned, found)
        return found

    def _planned(self, apps: Mapping[Key, AppView]) -> list[AppView]:
        return [apps[key] for key in sorted(self._feasible)]

    def _until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        alive = self._running_operator().check_running
        self._stage.until(condition, timeout, what, alive)

    def _kubectl(self, *args: str, stdin: str | None = None, prefix: str = "") -> str:
        """Run kubectl, show what was run, and return what it printed."""
        self._stage.command(f"{prefix}kubectl {shlex.join(args)}")
        return self._cluster.kubectl(*args, input=stdin).stdout

    def _running_operator(self) -> Operator:
        if self.operator is None:
            raise DemoError("the operator was not started")
        return self.operator


def _names(keys: Iterable[Key]) -> str:
    return ", ".join(sorted(name for _, name in keys))
