"""What is to be said of an app: is it accepted, is it planned, is it ready; why not."""

from fin.api.duration import Duration
from fin.api.quantity import Quantity
from fin.cluster.conditions import Verdict
from fin.cluster.decision import AppState, Trouble
from fin.cluster.findings import Rejection
from fin.cluster.revision import Revision
from fin.cluster.telling import described, why_it_stays
from fin.planning.plan import Refusal

_TOLD = 5
"""Segments that a message names at most."""


def accepted(rejection: Rejection | None) -> Verdict:
    """Whether the app is well-formed."""
    if rejection and rejection.condition == "Accepted":
        return Verdict("False", rejection.reason, rejection.message)
    return Verdict("True", "Accepted", "The spec is valid")


def planned(
    state: AppState,
    rejection: Rejection | None,
    refusal: Refusal | None,
    target: str,
) -> Verdict:
    """Whether a plan meets the app's targets; ``target`` is its latency's, for people."""
    if state.fault:
        return _unplanned(state, *state.fault)
    if rejection:
        return _unplanned(state, rejection.reason, rejection.message)
    if refusal:
        return _unplanned(state, refusal.reason.value, refusal.message)
    if state.wanted is None:
        return Verdict("Unknown", "NotPlannedYet", "No plan was made yet")
    if state.stuck:
        nodes = ", ".join(state.stuck)
        message = f"No new segments go to {nodes}; it stays there, {why_it_stays(state.held)}"
        return Verdict("True", "NodeCordoned", message)
    return Verdict("True", "Planned", _plan(state.wanted, target))


def _plan(revision: Revision, target: str) -> str:
    facts = revision.facts
    latency = Duration.of(facts.latency)
    energy = Quantity.of(facts.energy)
    return (
        f"{described(revision)}; {revision.exit} with accuracy {facts.accuracy:g}, "
        f"latency {latency} of {target}, {energy}J per inference"
    )


def _unplanned(state: AppState, reason: str, message: str) -> Verdict:
    if state.serving:
        end = " " if message.endswith(("?", ".", "!")) else ". "
        message += f"{end}Revision {state.serving.digest} runs on"
        if state.violations:
            message += f", and breaks: {'; '.join(state.violations)}"
    return Verdict("False", reason, message)


def ready(state: AppState, plan: Verdict) -> Verdict:
    """Whether a Ready revision that meets the current generation serves."""
    serving, wanted = state.serving, state.wanted
    if state.conflict:
        return Verdict("False", "NameConflict", state.conflict)
    if serving is None and wanted is None:
        return Verdict("False", plan.reason, plan.message)
    if state.troubles or serving is None:
        return _not_ready(state)
    if not state.ready:
        message = (
            f"No request reaches {serving.entry.name}, the entry of revision {serving.digest}, yet"
        )
        return Verdict("False", "NoEndpoints", message)
    if serving.generation != state.generation:
        return _outdated(state, serving, plan)
    message = f"Revision {serving.digest} serves: {described(serving)}"
    if wanted and wanted.digest != serving.digest:
        message += f"; revision {wanted.digest} is on its way: {_told(state.making)}"
    return Verdict("True", "Serving", message)


def _not_ready(state: AppState) -> Verdict:
    revision = state.serving or state.wanted
    name = f"Revision {revision.digest}" if revision else "Nothing"
    reason = "WaitingForRoom" if state.waiting else "SegmentsNotReady"
    message = f"{name} is not Ready: {_told(state.troubles)}"
    if state.serving and state.wanted and state.wanted.digest != state.serving.digest:
        message += f"; revision {state.wanted.digest} is on its way: {_told(state.making)}"
    return Verdict("False", reason, message)


def _outdated(state: AppState, serving: Revision, plan: Verdict) -> Verdict:
    runs = f"Revision {serving.digest} serves generation {serving.generation} of the app"
    if state.wanted and state.wanted.digest != serving.digest:
        message = f"{runs}; revision {state.wanted.digest} is on its way: {_told(state.making)}"
        return Verdict("False", "Moving", message)
    if plan.status == "True":
        return Verdict("False", "Moving", f"{runs}; it is being marked as meeting the current one")
    return Verdict("False", plan.reason, f"{runs}; the current one has no plan: {plan.message}")


def _told(troubles: tuple[Trouble, ...]) -> str:
    told = [f"{each.segment} on {each.node}: {each.why}" for each in troubles[:_TOLD]]
    if len(troubles) > _TOLD:
        told.append(f"and {len(troubles) - _TOLD} more")
    return "; ".join(told) or "its segments are Ready"
