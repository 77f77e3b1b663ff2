"""Annotations for pods that others create, put on by the API server itself."""

import json
import uuid
from collections.abc import Mapping
from types import TracebackType

from kubernetes.client import (
    AdmissionregistrationV1Api,
    CoreV1Api,
    V1Affinity,
    V1ApplyConfiguration,
    V1Container,
    V1LabelSelector,
    V1MatchCondition,
    V1MatchResources,
    V1MutatingAdmissionPolicy,
    V1MutatingAdmissionPolicyBinding,
    V1MutatingAdmissionPolicyBindingSpec,
    V1MutatingAdmissionPolicySpec,
    V1Mutation,
    V1NamedRuleWithOperations,
    V1NodeAffinity,
    V1NodeSelector,
    V1NodeSelectorRequirement,
    V1NodeSelectorTerm,
    V1ObjectMeta,
    V1Pod,
    V1PodSpec,
)

from testbed.process import wait_for

_TIMEOUT = 30.0


class PodAnnotator:
    """A mutating admission policy for as long as the context lasts.

    On entering and on leaving it waits until the API server has taken notice, which it tells by
    pods that are created for a dry run.

    Parameters
    ----------
    core
        Client with the rights of an administrator.
    annotations
        What to put on new pods.
    namespace
        Only on pods of this namespace.
    node
        Only on pods that a required node affinity on `metadata.name` pins to this node.
    """

    def __init__(
        self, core: CoreV1Api, annotations: Mapping[str, str], namespace: str, node: str | None
    ) -> None:
        self._core = core
        self._api = AdmissionregistrationV1Api(core.api_client)
        self._annotations = annotations
        self._namespace = namespace
        self._node = node
        self._name = f"annotate-pods-{uuid.uuid4()}"

    def __enter__(self) -> None:
        self._api.create_mutating_admission_policy(self._policy())
        spec = V1MutatingAdmissionPolicyBindingSpec(policy_name=self._name)
        binding = V1MutatingAdmissionPolicyBinding(
            metadata=V1ObjectMeta(name=self._name), spec=spec
        )
        self._api.create_mutating_admission_policy_binding(binding)
        wait_for(self._is_in_force, _TIMEOUT, "new pods to be annotated")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._api.delete_mutating_admission_policy_binding(self._name)
        self._api.delete_mutating_admission_policy(self._name)
        wait_for(lambda: not self._is_in_force(), _TIMEOUT, "new pods to be left as they are")

    def _policy(self) -> V1MutatingAdmissionPolicy:
        # JSON strings are strings of CEL too.
        added = (
            f"Object{{metadata: Object.metadata{{annotations: {json.dumps(self._annotations)}}}}}"
        )
        constraints = V1MatchResources(
            resource_rules=[
                V1NamedRuleWithOperations(
                    api_groups=[""], api_versions=["v1"], operations=["CREATE"], resources=["pods"]
                )
            ],
            namespace_selector=V1LabelSelector(
                match_labels={"kubernetes.io/metadata.name": self._namespace}
            ),
        )
        conditions = None
        if self._node is not None:
            pinned = (
                "object.spec.?affinity.?nodeAffinity.?requiredDuringSchedulingIgnoredDuringExecution"
                ".?nodeSelectorTerms.orValue([]).exists(term, term.?matchFields.orValue([])"
                f".exists(field, {json.dumps(self._node)} in field.?values.orValue([])))"
            )
            conditions = [V1MatchCondition(name="pinned-to-node", expression=pinned)]
        spec = V1MutatingAdmissionPolicySpec(
            failure_policy="Fail",
            reinvocation_policy="Never",
            match_constraints=constraints,
            match_conditions=conditions,
            mutations=[
                V1Mutation(
                    patch_type="ApplyConfiguration",
                    apply_configuration=V1ApplyConfiguration(expression=added),
                )
            ],
        )
        return V1MutatingAdmissionPolicy(metadata=V1ObjectMeta(name=self._name), spec=spec)

    def _is_in_force(self) -> bool:
        affinity = None
        if self._node is not None:
            field = V1NodeSelectorRequirement(
                key="metadata.name", operator="In", values=[self._node]
            )
            selector = V1NodeSelector(
                node_selector_terms=[V1NodeSelectorTerm(match_fields=[field])]
            )
            affinity = V1Affinity(
                node_affinity=V1NodeAffinity(
                    required_during_scheduling_ignored_during_execution=selector
                )
            )
        pod = V1Pod(
            metadata=V1ObjectMeta(generate_name="probe-"),
            spec=V1PodSpec(
                containers=[V1Container(name="probe", image="probe")], affinity=affinity
            ),
        )
        created = self._core.create_namespaced_pod(self._namespace, pod, dry_run="All")
        present = (created.metadata and created.metadata.annotations) or {}
        return self._annotations.items() <= present.items()
