from datetime import UTC, datetime
from typing import Any

import pytest

from fin.api import (
    Condition,
    DNNModel,
    Duration,
    FieldError,
    InferenceApp,
    InferenceAppStatus,
    InvalidObject,
    NetworkTopology,
    PlanStatus,
    Quantity,
    Resource,
    SegmentStatus,
    parse,
)
from tests.helpers import api_cases as cases


@pytest.mark.parametrize(
    ("resource", "valid"), cases.VALID, ids=lambda value: getattr(value, "KIND", "")
)
def test_valid_objects_come_back_as_they_were_written(
    resource: type[Resource], valid: cases.Object
) -> None:
    written = parse(resource, valid).spec.to_object()
    assert _without(written, valid["spec"]) == _as_text(valid["spec"])


def _without(value: Any, pattern: Any) -> Any:
    """Leave out the defaults that were filled in."""
    if isinstance(pattern, dict):
        return {key: _without(value[key], pattern[key]) for key in pattern}
    if isinstance(pattern, list):
        assert len(value) == len(pattern)
        return [_without(a, b) for a, b in zip(value, pattern, strict=True)]
    return str(value)


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return str(value)


def test_defaults_are_filled_in() -> None:
    model = parse(DNNModel, cases.changed(cases.model(), ("spec", "segment"), cases.REMOVE))
    last = model.spec.blocks[-1]
    assert last.exit is not None
    assert (last.exit_name, last.exit.exit_rate) == ("conv3", 0.0)
    assert (last.exit.flops, last.exit.memory) == (Quantity.parse(0), Quantity.parse(0))
    assert (last.exit.criterion, last.exit.threshold) == ("Confidence", None)
    assert (last.output, last.exit.output) == (None, "logits")
    assert model.spec.blocks[1].exit_name is None
    assert model.spec.blocks[0].exit_name == "exit1"
    assert float(model.spec.segment.memory_overhead) == 128 * 2**20
    assert model.spec.segment.image is None

    raw = cases.app()
    for field in ("priority", "placement"):
        del raw["spec"][field]
    del raw["spec"]["latency"]["statistic"]
    app = parse(InferenceApp, raw)
    assert (app.spec.priority, app.spec.latency.statistic) == (0, "Mean")
    assert (app.spec.placement.local_blocks, app.spec.placement.tiers) == (0, None)

    links = parse(NetworkTopology, cases.topology()).spec.links
    assert [link.directed for link in links] == [True, False]


def test_a_missing_namespace_is_default() -> None:
    raw = cases.changed(cases.app(), ("metadata", "namespace"), cases.REMOVE)
    assert parse(InferenceApp, raw).metadata.namespace == "default"


def test_null_counts_as_left_out() -> None:
    raw = cases.changed(cases.app(), ("spec", "placement"), None)
    raw["metadata"]["labels"] = None
    raw["status"] = None
    app = parse(InferenceApp, raw)
    assert app.spec.placement.local_blocks == 0
    assert app.metadata.labels == {}


def test_what_the_server_adds_is_passed_over() -> None:
    raw = cases.app()
    raw["metadata"] |= {
        "uid": "7", "generation": 3, "resourceVersion": "12", "managedFields": [{"anything": 1}],
        "creationTimestamp": "2026-01-31T12:00:00Z", "annotations": {"finoperator.io/hold": "true"},
    }  # fmt: skip
    raw["status"] = {"written": "and never read"}
    metadata = parse(InferenceApp, raw).metadata
    assert metadata.creation_timestamp == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (metadata.uid, metadata.generation) == ("7", 3)
    assert metadata.annotations["finoperator.io/hold"] == "true"


def test_an_unquoted_on_is_the_truth_value_of_yaml() -> None:
    raw = cases.topology()
    interface = raw["spec"]["interfaces"][0]
    interface[True] = interface.pop("on")
    assert parse(NetworkTopology, raw).spec.interfaces[0].on.tier == "mobile"


def test_an_integer_may_be_written_as_a_float() -> None:
    raw = cases.changed(cases.app(), ("spec", "priority"), 7.0)
    assert parse(InferenceApp, raw).spec.priority == 7


@pytest.mark.parametrize("broken", cases.BROKEN, ids=lambda broken: broken.name)
def test_each_rule_is_refused_by_field_and_reason(broken: cases.Broken) -> None:
    with pytest.raises(InvalidObject) as refused:
        parse(broken.resource, broken.object)
    assert [error.field for error in refused.value.errors] == [broken.field]
    assert broken.words in refused.value.errors[0].reason


def test_the_error_names_the_object_and_every_fault() -> None:
    raw = cases.app()
    raw["spec"] |= {"rate": 0, "minAccuracy": "high", "modle": "x"}
    with pytest.raises(InvalidObject) as refused:
        parse(InferenceApp, raw)
    error = refused.value
    assert (error.kind, error.namespace, error.name) == ("InferenceApp", "default", "gate-camera")
    assert {fault.field for fault in error.errors} == {
        "spec.rate", "spec.minAccuracy", "spec.modle",
    }  # fmt: skip
    assert FieldError("spec.modle", "is not a field; did you mean model?") in error.errors
    assert str(error).startswith("InferenceApp default/gate-camera: spec.rate: must be a quantity")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (("spec", "blocks", 0, "exit", "exit_rate"), "is not a field; did you mean exitRate?"),
        (("spec", "segment", "tolerations", 0, "x"), "is not a field; the fields here are key,"),
        (("spec", "segment", "memory_overhead"), "is not a field; did you mean memoryOverhead?"),
        (("statsu",), "is not a field; the fields here are apiVersion, kind, metadata, spec"),
    ],
)
def test_an_unknown_field_is_refused_with_the_known_ones(path: cases.Path, reason: str) -> None:
    with pytest.raises(InvalidObject) as refused:
        parse(DNNModel, cases.changed(cases.model(), path, 1))
    assert refused.value.errors[0].reason.startswith(reason)


def test_of_many_faults_the_text_names_some() -> None:
    links = [cases.changed(cases.topology()["spec"]["links"][0], ("rtt",), i) for i in range(25)]
    with pytest.raises(InvalidObject, match=r"links\[9\]\.rtt: [^;]*; and 15 more$") as refused:
        parse(NetworkTopology, cases.changed(cases.topology(), ("spec", "links"), links))
    assert len(refused.value.errors) == 25


def test_of_another_kind_nothing_else_is_said() -> None:
    with pytest.raises(InvalidObject) as refused:
        parse(DNNModel, cases.app())
    assert [error.field for error in refused.value.errors] == ["kind"]


def test_a_cluster_scoped_kind_has_no_namespace() -> None:
    with pytest.raises(InvalidObject, match=r"^NetworkTopology campus: spec\.links"):
        parse(NetworkTopology, cases.changed(cases.topology(), ("spec", "links"), "all"))


def test_models_are_immutable() -> None:
    app = parse(InferenceApp, cases.app())
    with pytest.raises(ValueError, match="frozen"):
        app.spec.priority = 3  # type: ignore[misc]


def test_a_status_is_written_as_the_api_has_it() -> None:
    status = InferenceAppStatus(
        observed_generation=3,
        conditions=(
            Condition(
                type="Ready",
                status="True",
                reason="Serving",
                message="revision 7c9f21ab serves",
                observed_generation=3,
                last_transition_time=datetime(2026, 1, 31, 12, 0, 0, 999, tzinfo=UTC),
            ),
        ),
        plan=PlanStatus(
            revision="7c9f21ab",
            exit="exit2",
            accuracy=0.83,
            latency=Duration.of(0.0187),
            energy_per_inference=Quantity.of(0.00933),
            power=Quantity.of(0.187),
            gap=0.004,
            segments=(
                SegmentStatus(
                    name="gate-camera-3f20c9d1",
                    node_name="mobile-0",
                    tier="mobile",
                    blocks=("conv1",),
                    cpu=Quantity.of_millicores(250),
                    memory=Quantity.of_bytes(96 * 2**20),
                ),
            ),
        ),
    )
    assert status.to_object() == {
        "observedGeneration": 3,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Serving",
                "message": "revision 7c9f21ab serves",
                "observedGeneration": 3,
                "lastTransitionTime": "2026-01-31T12:00:00Z",
            }
        ],
        "plan": {
            "revision": "7c9f21ab",
            "exit": "exit2",
            "accuracy": 0.83,
            "latency": "18.7ms",
            "energyPerInference": "9.33m",
            "power": "187m",
            "gap": 0.004,
            "segments": [
                {
                    "name": "gate-camera-3f20c9d1",
                    "nodeName": "mobile-0",
                    "tier": "mobile",
                    "blocks": ["conv1"],
                    "cpu": "250m",
                    "memory": "96Mi",
                }
            ],
        },
    }
