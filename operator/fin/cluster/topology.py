"""Rules of topologies to directed links between nodes, and to limits of nodes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from fin.api.networktopology import End, Interface, NetworkTopology
from fin.api.networktopology import Link as Rule
from fin.cluster.findings import Finding
from fin.planning.problem import Link, Node

EndKey = tuple[str, str]
"""What an end says: ``node`` or ``tier``, and which."""
T = TypeVar("T")
MAX_TOLD = 3
"""Conflicts that a finding tells in full."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a rule stands: the name of its topology, and its path in it."""

    topology: str
    field: str

    def seen_from(self, other: "Placed") -> str:
        """Name the place for someone who reads the object of ``other``."""
        return self.field if self.topology == other.topology else f"{self.field} of {self.topology}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A rule without effect, or with less: another of the same rank came first."""

    loser: Placed
    winner: Placed
    about: str


@dataclass(frozen=True)
class Network:
    """What all topologies together say.

    ``limits``: by node, bits per second out of and into it; None where there is no limit.
    """

    links: tuple[Link, ...]
    limits: Mapping[str, tuple[float | None, float | None]]
    findings: tuple[Finding, ...]

    def limited(self, node: Node) -> Node:
        """Give a node its limits."""
        egress, ingress = self.limits.get(node.name, (None, None))
        return replace(node, egress=egress, ingress=ingress)


def network(topologies: Iterable[NetworkTopology], tiers: Mapping[str, str]) -> Network:
    """Apply the rules of all topologies to the nodes.

    Parameters
    ----------
    topologies
        Valid objects, in any order.
    tiers
        Tier of each node that takes part, by name.
    """
    ordered = sorted(topologies, key=lambda topology: topology.metadata.name)
    members = _members(tiers)
    links, conflicts = _links(ordered, members)
    limits, more = _limits(ordered, members)
    return Network(links, limits, tuple(_findings(ordered, [*conflicts, *more])))


def _links(
    topologies: Sequence[NetworkTopology], members: Mapping[EndKey, Sequence[str]]
) -> tuple[tuple[Link, ...], list[Conflict]]:
    """Give each ordered pair of nodes the first rule of the best rank that speaks of it."""
    rules: dict[tuple[EndKey, EndKey], tuple[Placed, Rule]] = {}
    conflicts: list[Conflict] = []
    for place, rule in _each(topologies, "links", lambda each: each.spec.links):
        for ends in _directions(rule):
            winner, _ = rules.setdefault(ends, (place, rule))
            if winner is not place:
                conflicts.append(Conflict(place, winner, f"{_end(ends[0])} to {_end(ends[1])}"))
    pairs: dict[tuple[str, str], tuple[int, Placed, Rule]] = {}
    for ends, (place, rule) in sorted(rules.items(), key=lambda item: _rank(item[0])):
        rank, told = _rank(ends), set()
        for pair in _pairs(ends, members):
            best, winner, _ = pairs.setdefault(pair, (rank, place, rule))
            if winner is not place and best == rank and winner not in told:
                told.add(winner)
                conflicts.append(Conflict(place, winner, f"node {pair[0]} to node {pair[1]}"))
    links = tuple(
        Link(
            *pair,
            bandwidth=float(rule.bandwidth),
            rtt=float(rule.rtt),
            joules_per_bit=float(rule.energy_per_bit),
        )
        for pair, (_, _, rule) in sorted(pairs.items(), key=lambda item: item[0])
    )
    return links, conflicts


def _limits(
    topologies: Sequence[NetworkTopology], members: Mapping[EndKey, Sequence[str]]
) -> tuple[dict[str, tuple[float | None, float | None]], list[Conflict]]:
    rules: dict[EndKey, tuple[Placed, Interface]] = {}
    conflicts: list[Conflict] = []
    for place, rule in _each(topologies, "interfaces", lambda each: each.spec.interfaces):
        winner, _ = rules.setdefault(_key(rule.on), (place, rule))
        if winner is not place:
            conflicts.append(Conflict(place, winner, _end(_key(rule.on))))
    limits: dict[str, tuple[float | None, float | None]] = {}
    for end, (_, rule) in sorted(rules.items(), key=lambda item: item[0]):  # nodes before tiers
        egress, ingress = (
            None if limit is None else float(limit) for limit in (rule.egress, rule.ingress)
        )
        for node in members.get(end, ()):
            limits.setdefault(node, (egress, ingress))
    return limits, conflicts


def _each(
    topologies: Sequence[NetworkTopology],
    what: str,
    rules: Callable[[NetworkTopology], Sequence[T]],
) -> Iterator[tuple[Placed, T]]:
    """Yield all rules in the order in which they count within a rank."""
    for topology in topologies:
        for position, rule in enumerate(rules(topology)):
            yield Placed(topology.metadata.name, f"spec.{what}[{position}]"), rule


def _directions(rule: Rule) -> list[tuple[EndKey, EndKey]]:
    ends = _key(rule.from_), _key(rule.to)
    both = not rule.directed and ends[0] != ends[1]
    return [ends, (ends[1], ends[0])] if both else [ends]


def _key(end: End) -> EndKey:
    return ("node", end.node_name) if end.node_name is not None else ("tier", str(end.tier))


def _rank(ends: tuple[EndKey, EndKey]) -> int:
    """Return 0 for node to node, 1 for node and tier, 2 for tier to tier."""
    return sum(kind == "tier" for kind, _ in ends)


def _members(tiers: Mapping[str, str]) -> dict[EndKey, list[str]]:
    """Nodes that an end stands for."""
    members: dict[EndKey, list[str]] = {("node", name): [name] for name in tiers}
    for name in sorted(tiers):
        members.setdefault(("tier", tiers[name]), []).append(name)
    return members


def _pairs(
    ends: tuple[EndKey, EndKey], members: Mapping[EndKey, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    for source in members.get(ends[0], ()):
        for target in members.get(ends[1], ()):
            if source != target:
                yield source, target


def _findings(
    topologies: Sequence[NetworkTopology], conflicts: Iterable[Conflict]
) -> Iterator[Finding]:
    """Tell each object which of its rules are overruled, and by which."""
    lines: dict[str, dict[tuple[str, str], str]] = {}
    for conflict in conflicts:
        field, winner = conflict.loser.field, conflict.winner.seen_from(conflict.loser)
        line = f"{field}: {winner} already speaks of {conflict.about}, and counts there instead"
        lines.setdefault(conflict.loser.topology, {}).setdefault((field, winner), line)
    for topology in topologies:
        told = list(lines.get(topology.metadata.name, {}).values())
        if told:
            more = f"; and {len(told) - MAX_TOLD} more" if len(told) > MAX_TOLD else ""
            yield Finding(
                kind=topology.KIND,
                namespace="",
                name=topology.metadata.name,
                uid=topology.metadata.uid,
                reason="RuleOverruled",
                message="; ".join(told[:MAX_TOLD]) + more,
                accepted=True,
            )


def _end(end: EndKey) -> str:
    return " ".join(end)
