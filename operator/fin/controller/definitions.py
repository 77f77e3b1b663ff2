"""Every metric of the operator: what it is called, what it means, and its labels.

``OBSERVED`` has those of apps whose segments were read for long enough.
"""

from collections.abc import Mapping
from typing import Final

from fin.planning.baselines import NAMES
from fin.segment.definitions import Definition

_APP: Final = ("namespace", "app")
_SHARE: Final = (*_APP, "component", "node", "tier")
_NODE: Final = ("node", "tier")
_LINK: Final = ("source", "target")


APPS: Final = (
    Definition(
        "gauge",
        "fin_app_energy_per_inference_joules",
        "Modelled energy of one inference, by component (compute, or network: what leaves the "
        "node), node and tier.",
        _SHARE,
    ),
    Definition(
        "gauge",
        "fin_app_power_watts",
        "Modelled power: energy per inference times the app's rate; 0 while the app does not "
        "serve.",
        _SHARE,
    ),
    Definition(
        "counter",
        "fin_app_energy_joules_total",
        "Modelled energy since the operator started: power over the time in which the app serves.",
        _SHARE,
    ),
    Definition(
        "gauge",
        "fin_app_power_saved_watts",
        f"Modelled power that the running plan saves against a baseline ({', '.join(NAMES)}), the "
        "app alone in the empty system; a baseline that has no deployment for it is left out.",
        (*_APP, "baseline"),
    ),
    Definition("gauge", "fin_app_ready", "Whether the app serves (1) or not (0).", _APP),
    Definition(
        "gauge",
        "fin_app_rate_per_second",
        "Inferences per second that the app is planned for.",
        _APP,
    ),
    Definition(
        "gauge",
        "fin_app_planned_latency_seconds",
        "Modelled latency of the running plan on an idle server, of the app's statistic.",
        _APP,
    ),
    Definition(
        "gauge",
        "fin_app_planned_source_latency_seconds",
        "Part of the planned latency that an input takes from the source to the entry.",
        _APP,
    ),
    Definition(
        "gauge",
        "fin_app_planned_exit_ratio",
        "Share of the samples that the running plan has leave at an exit.",
        (*_APP, "exit"),
    ),
    Definition("gauge", "fin_app_latency_target_seconds", "Latency that the app asks for.", _APP),
    Definition(
        "gauge", "fin_app_accuracy_ratio", "Accuracy at the final exit of the running plan.", _APP
    ),
    Definition(
        "gauge",
        "fin_app_gap_ratio",
        "Distance of the energy from its proven lower bound, the app alone in the empty system.",
        _APP,
    ),
)

OBSERVED: Final = (
    Definition(
        "gauge",
        "fin_app_observed_rate_per_second",
        "Inferences per second that clients ask for, refused and failed ones included.",
        _APP,
    ),
    Definition(
        "gauge",
        "fin_app_observed_latency_seconds",
        "Time that requests took, measured at the entry, by statistic (mean, p99); what an input "
        "takes from the source to the entry is not in it.",
        (*_APP, "statistic"),
    ),
    Definition(
        "gauge",
        "fin_app_observed_exit_ratio",
        "Share of the samples that left at an exit.",
        (*_APP, "exit"),
    ),
    Definition(
        "gauge", "fin_app_observed_power_watts", "Modelled power of what ran in fact.", _APP
    ),
    Definition(
        "gauge",
        "fin_app_drifted",
        "Whether something has left the plan's tolerance (1) or not (0), by what it is (rate, "
        "latency, exits).",
        (*_APP, "aspect"),
    ),
)

SYSTEM: Final = (
    Definition("gauge", "fin_apps_admitted", "Apps that have a plan."),
    Definition("gauge", "fin_apps_refused", "Apps that have no plan, by reason.", ("reason",)),
    Definition("gauge", "fin_power_watts", "Modelled power of all apps that serve."),
    Definition(
        "gauge",
        "fin_power_bound_watts",
        "Proven lower bound of the power of any plan that admits the same apps.",
    ),
    Definition(
        "gauge", "fin_node_cpu_reserved_cores", "CPU cores of a node that segments reserve.", _NODE
    ),
    Definition(
        "gauge", "fin_node_cpu_usable_cores", "CPU cores of a node that inference may use.", _NODE
    ),
    Definition(
        "gauge", "fin_node_memory_reserved_bytes", "Memory of a node that segments reserve.", _NODE
    ),
    Definition(
        "gauge", "fin_node_memory_usable_bytes", "Memory of a node that inference may use.", _NODE
    ),
    Definition("gauge", "fin_node_pods_reserved", "Segments on a node.", _NODE),
    Definition("gauge", "fin_node_pods_usable", "Segments that fit on a node.", _NODE),
    Definition(
        "gauge",
        "fin_link_load_bytes_per_second",
        "Modelled load of a directed link that is used.",
        _LINK,
    ),
    Definition(
        "gauge",
        "fin_link_bandwidth_bytes_per_second",
        "Bandwidth of a directed link that is used.",
        _LINK,
    ),
)

OPERATOR: Final = (
    Definition(
        "counter",
        "fin_rounds_total",
        "Planning rounds, by result: done; again (the cluster has changed meanwhile); refused "
        "(the API server refused a write); failed; stopped (the Lease was lost).",
        ("result",),
    ),
    Definition(
        "histogram",
        "fin_round_duration_seconds",
        "Duration of a successful round, from the snapshot to the report.",
    ),
    Definition(
        "histogram", "fin_planning_duration_seconds", "Duration of planning all apps, in a round."
    ),
    Definition(
        "gauge",
        "fin_last_successful_round_timestamp_seconds",
        "When the last successful round ended.",
    ),
    Definition(
        "gauge",
        "fin_leader",
        "Whether this copy of the operator holds the Lease and writes (1) or waits (0).",
    ),
    Definition(
        "counter", "fin_watch_restarts_total", "How often the watches had to be started again."
    ),
    Definition(
        "counter",
        "fin_api_requests_total",
        "Requests to the API server, by verb, kind and status code (200: any success, 0: no "
        "answer).",
        ("verb", "kind", "code"),
    ),
    Definition(
        "counter",
        "fin_scrapes_total",
        "Readings of a segment's metrics, by result (done, failed).",
        ("result",),
    ),
    Definition("gauge", "fin_build_info", "The operator's version; always 1.", ("version",)),
)

BY_NAME: Final[Mapping[str, Definition]] = {
    each.name: each for each in (*APPS, *OBSERVED, *SYSTEM, *OPERATOR)
}
