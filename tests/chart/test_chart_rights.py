"""What the chart's roles allow: what the operator needs, and no more."""

from collections.abc import Iterator

import pytest
from kubernetes.client import (
    AuthorizationV1Api,
    V1ResourceAttributes,
    V1SubjectAccessReview,
    V1SubjectAccessReviewSpec,
)

from fin.api.names import GROUP
from testbed import ControlPlane
from testbed.process import wait_for
from tests.helpers.chart import NAMESPACE, RELEASE, install, render, uninstall

pytestmark = pytest.mark.cluster

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
LEASES = "leases.coordination.k8s.io"
LEASE_NAME = "fin-operator"
READ = "get list watch"
WRITE = f"{READ} create patch delete"
KINDS = ["dnnmodels", "inferenceapps", "networktopologies"]

# Resource, and the verbs on it in any namespace: everything that the operator may do.
ALLOWED = {
    "nodes": READ,
    "pods": f"{READ} patch",
    "endpointslices.discovery.k8s.io": READ,
    "deployments.apps": WRITE,
    "services": WRITE,
    "configmaps": WRITE,
    "poddisruptionbudgets.policy": WRITE,
    "events": "create patch",
    **{f"{kind}.finoperator.io": READ for kind in KINDS},
    **{f"{kind}.finoperator.io/status": "patch" for kind in KINDS},
}
VERBS = [*WRITE.split(), "update", "deletecollection"]
DENIED = [
    "secrets",
    "serviceaccounts",
    "namespaces",
    "persistentvolumeclaims",
    "pods/exec",
    "pods/log",
    "nodes/proxy",
    "daemonsets.apps",
    "statefulsets.apps",
    "deployments.apps/scale",
    "customresourcedefinitions.apiextensions.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
]


@pytest.fixture(scope="module")
def release(chart_cluster: ControlPlane) -> Iterator[ControlPlane]:
    install(chart_cluster, values={"crds": {"keep": False}})
    yield chart_cluster
    uninstall(chart_cluster)


@pytest.fixture(scope="module")
def authorization(release: ControlPlane) -> Iterator[AuthorizationV1Api]:
    with release.make_client() as client:
        yield AuthorizationV1Api(client)


def can(
    authorization: AuthorizationV1Api,
    user: str,
    verb: str,
    resource: str,
    *,
    namespace: str | None = None,
    name: str | None = None,
) -> bool:
    """Ask the API server; a resource is written `deployments.apps/scale`."""
    kind, _, subresource = resource.partition("/")
    plural, _, group = kind.partition(".")
    attributes = V1ResourceAttributes(
        verb=verb,
        group=group,
        resource=plural,
        subresource=subresource or None,
        namespace=namespace,
        name=name,
    )
    review = V1SubjectAccessReview(
        spec=V1SubjectAccessReviewSpec(user=user, resource_attributes=attributes)
    )
    status = authorization.create_subject_access_review(review).status
    assert status is not None
    return bool(status.allowed)


def test_no_role_has_a_wildcard(chart_cluster: ControlPlane) -> None:
    roles = [x for x in render(chart_cluster) if x["kind"] in ("Role", "ClusterRole")]
    assert len(roles) == 4
    for role in roles:
        for rule in role["rules"]:
            assert rule["verbs"]
            for words in rule.values():
                assert not any("*" in word for word in words), role["metadata"]["name"]


@pytest.mark.parametrize("resource", [*ALLOWED, *DENIED])
def test_the_operator_may_do_what_it_needs_and_no_more(
    authorization: AuthorizationV1Api, resource: str
) -> None:
    allowed = {verb for verb in VERBS if can(authorization, OPERATOR, verb, resource)}
    assert allowed == set(ALLOWED.get(resource, "").split())


def test_the_operator_has_its_lease_and_no_other(authorization: AuthorizationV1Api) -> None:
    def allowed(namespace: str, name: str | None) -> set[str]:
        return {
            verb
            for verb in VERBS
            if can(authorization, OPERATOR, verb, LEASES, namespace=namespace, name=name)
        }

    # Creating can't be limited to a name.
    assert allowed(NAMESPACE, LEASE_NAME) == {"get", "create", "update"}
    assert allowed(NAMESPACE, "other") == {"create"}
    assert allowed("kube-node-lease", LEASE_NAME) == set()


@pytest.mark.parametrize(
    ("role", "kind", "verbs"),
    [
        ("view", "inferenceapps", {"get", "list", "watch"}),
        ("view", "networktopologies", {"get", "list", "watch"}),
        ("edit", "inferenceapps", {*VERBS}),
        ("edit", "dnnmodels", {*VERBS}),
        ("edit", "networktopologies", {"get", "list", "watch"}),
        ("admin", "inferenceapps", {*VERBS}),
        ("admin", "inferenceapps/status", set()),
    ],
)
def test_kubernetes_own_roles_know_the_kinds(
    release: ControlPlane,
    authorization: AuthorizationV1Api,
    role: str,
    kind: str,
    verbs: set[str],
) -> None:
    user = f"the-{role}"
    bound = ("create", "clusterrolebinding", user, f"--clusterrole={role}", f"--user={user}")
    binding = release.kubectl(*bound, "--dry-run=client", "--output=json").stdout
    release.kubectl("apply", "-f", "-", input=binding)
    group, _, subresource = kind.partition("/")
    resource = f"{group}.{GROUP}" + (f"/{subresource}" if subresource else "")
    # A controller adds the rules to the roles a moment after the chart's roles are there.
    wait_for(
        lambda: can(authorization, user, "get", f"inferenceapps.{GROUP}"),
        timeout=30,
        what=f"{role} to know the kinds",
    )
    assert {verb for verb in VERBS if can(authorization, user, verb, resource)} == verbs
