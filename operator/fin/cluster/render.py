"""A plan to objects: the revision that a plan of an app means, and what it consists of."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fin.api.dnnmodel import DNNModel
from fin.api.inferenceapp import InferenceApp
from fin.cluster.annotation import written
from fin.cluster.naming import digest, segment_name
from fin.cluster.pods import pod_spec, pod_template, segment_config, segment_digest
from fin.cluster.revision import Facts, Revision, Segment, Template
from fin.cluster.runs import block_runs, block_tensors
from fin.cluster.settings import SegmentSettings
from fin.cluster.shares import shares_of
from fin.cluster.workloads import (
    Json,
    Owner,
    app_service,
    budget,
    config_map,
    deployment,
    segment_service,
)
from fin.cluster.world import World
from fin.planning.evaluation import evaluate, speeds
from fin.planning.plan import AppPlan, Plan, gap
from fin.planning.problem import Problem


class CannotRenderError(Exception):
    """A plan that can't become objects: a CamelCase reason and a message for the user."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def planned_revision(world: World, app_plan: AppPlan, settings: SegmentSettings) -> Revision:
    """Return the revision of an app that a plan asks for.

    Raises
    ------
    CannotRenderError
        Where the model names no image and there is no default, or its artifact is a path of
        the node and that is not allowed.
    """
    app = world.apps[app_plan.key]
    model = world.models[app_plan.key[0], app.spec.model]
    return render(app, model, app_plan, world.problem, settings)


def render(
    app: InferenceApp,
    model: DNNModel,
    app_plan: AppPlan,
    problem: Problem,
    settings: SegmentSettings,
) -> Revision:
    """Like ``planned_revision``, with what it needs of the world given one by one."""
    template = template_of(model, settings)
    planned = problem.app[app_plan.key]
    found = evaluate(problem, planned, app_plan.placement)
    deployed = planned.model.blocks[: len(app_plan.placement.nodes)]
    segments = tuple(
        Segment("", "", node, blocks, app_plan.reserved(node), found.memory[node])
        for node, blocks in app_plan.placement.segments
    )
    revision = Revision(
        digest="",
        generation=app.metadata.generation,
        model=model.metadata.name,
        blocks=tuple(block.name for block in deployed),
        exits=tuple((index, block.exit.name) for index, block in enumerate(deployed) if block.exit),
        placement=app_plan.placement,
        segments=segments,
        template=template,
        traffic=tuple(sorted(found.traffic.items())),
        facts=Facts(
            accuracy=found.accuracy,
            latency=found.latency(speeds(problem, app_plan)),
            energy=found.energy,
            power=planned.rate * found.energy,
            gap=gap(found.energy, app_plan.bound),
            shares=tuple(shares_of(problem, found).items()),
        ),
        runs=tuple(block_runs(model, planned.model, app_plan.placement, problem)),
    )
    return named(app.metadata.name, revision)


def named(app: str, revision: Revision) -> Revision:
    """Give a revision and its segments the names that follow from what they are."""
    segments = []
    for segment in revision.segments:
        hashed = segment_digest(*_what_runs(app, revision, segment))
        segments.append(replace(segment, digest=hashed, name=segment_name(app, hashed)))
    named_so_far = replace(revision, segments=tuple(segments))
    return replace(named_so_far, digest=revision_digest(named_so_far))


def revision_digest(revision: Revision) -> str:
    """Short hash of a revision's segments and routes, and of the rules of its exits."""
    names = [segment.name for segment in revision.segments]
    placement, rules = revision.placement, [(e.criterion, e.threshold) for e in revision.runs]
    return digest([names, placement.nodes, placement.routes, revision.exit, rules])


def templates(app: str, revision: Revision) -> Mapping[str, dict[str, Any]]:
    """Return the pod template of each segment, by the segment's name.

    A segment is left out whose name is not what this program would call it: another version
    made it, in another way.
    """
    made = {}
    for segment in revision.segments:
        config, spec = _what_runs(app, revision, segment)
        hashed = segment_digest(config, spec)
        if segment.name == segment_name(app, hashed):
            made[segment.name] = pod_template(app, hashed, config, spec)
    return made


def objects_for_plan(world: World, plan: Plan, settings: SegmentSettings) -> list[Json]:
    """Return all that the operator would create for a plan, app by app.

    Raises
    ------
    CannotRenderError
        As ``planned_revision``.
    """
    objects = []
    for app_plan in plan.apps:
        namespace, name = app_plan.key
        owner = Owner(namespace, name, world.apps[app_plan.key].metadata.uid)
        objects += all_objects(owner, planned_revision(world, app_plan, settings))
    return objects


def all_objects(owner: Owner, revision: Revision) -> list[Json]:
    """Return every object of an app that runs one revision, in the order to create them in."""
    made = templates(owner.name, revision)
    plan = written(revision)
    objects = [config_map(owner, {revision.entry.name: revision})]
    for segment in revision.segments:
        objects += [
            budget(owner, segment),
            segment_service(owner, segment),
            deployment(
                owner,
                segment,
                made[segment.name],
                plan if segment == revision.entry else None,
            ),
        ]
    return [*objects, app_service(owner, revision.entry.digest)]


def _what_runs(
    app: str, revision: Revision, segment: Segment
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration and the pod spec of a segment."""
    config = segment_config(
        app, revision.model, block_tensors(revision, segment), revision.exit, revision.template
    )
    spec = pod_spec(app, segment.node, segment.millicores, segment.memory, revision.template)
    return config, spec


def template_of(model: DNNModel, settings: SegmentSettings) -> Template:
    """Settle how the segments of a model run.

    Raises
    ------
    CannotRenderError
        As ``planned_revision``.
    """
    asked = model.spec.segment
    where = f"DNNModel {model.metadata.namespace}/{model.metadata.name}: spec.segment"
    image = asked.image or settings.default_image
    if not image:
        raise CannotRenderError(
            "ImageMissing",
            f"{where}.image: must be set, since the operator has no default "
            "(fin run --segment-image)",
        )
    artifact = asked.artifact
    if artifact is not None and artifact.host_path is not None and not settings.allow_host_path:
        raise CannotRenderError(
            "HostPathNotAllowed",
            f"{where}.artifact.hostPath: paths of the node are not allowed here "
            "(fin run --allow-host-path); use another kind of volume, or url and sha256",
        )
    return Template(
        image=image,
        image_pull_secrets=tuple(secret.name for secret in asked.image_pull_secrets),
        service_account_name=asked.service_account_name,
        tolerations=tuple(each.to_object() for each in asked.tolerations),
        artifact=None if artifact is None else artifact.to_object(),
    )
