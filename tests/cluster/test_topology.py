from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fin.api import NetworkTopology, parse
from fin.cluster.topology import Network, network
from fin.planning.problem import Link
from tests.helpers.objects import link, topology

TIERS = {"mobile-0": "mobile", "mobile-1": "mobile", "edge-0": "edge", "cloud-0": "cloud"}


def apply(*objects: dict[str, Any], tiers: dict[str, str] | None = None) -> Network:
    return network([parse(NetworkTopology, each) for each in objects], tiers or TIERS)


def bandwidths(found: Network) -> dict[tuple[str, str], float]:
    return {(each.source, each.target): each.bandwidth for each in found.links}


def test_a_rule_is_read_in_base_units() -> None:
    rule = link("mobile-0", "edge-0", bandwidth="50M", rtt="4ms", energyPerBit="50n", directed=True)
    assert apply(topology("t", rule)).links == (
        Link("mobile-0", "edge-0", bandwidth=50e6, rtt=0.004, joules_per_bit=50e-9),
    )


def test_an_undirected_rule_is_two_links_each_with_the_whole_bandwidth() -> None:
    found = bandwidths(apply(topology("t", link("mobile-0", "edge-0", bandwidth="50M"))))
    assert found == {("mobile-0", "edge-0"): 50e6, ("edge-0", "mobile-0"): 50e6}


def test_a_tier_rule_gives_each_ordered_pair_of_different_nodes_a_link_of_its_own() -> None:
    found = bandwidths(apply(topology("t", link("mobile", "mobile", directed=True))))
    assert found == {("mobile-0", "mobile-1"): 100e6, ("mobile-1", "mobile-0"): 100e6}


def test_a_rule_from_a_node_to_itself_gives_no_link() -> None:
    assert apply(topology("t", link("edge-0", "edge-0"), link("edge", "edge"))).links == ()


def test_ends_that_no_node_has_give_no_link() -> None:
    assert apply(topology("t", link("moon", "edge"), link("edge-7", "edge-0"))).links == ()


def test_node_to_node_beats_node_to_tier_beats_tier_to_tier_wherever_they_stand() -> None:
    found = apply(
        topology(
            "a",
            link("mobile", "edge", bandwidth="1M"),
            link("mobile-0", "edge", bandwidth="2M"),
            link("mobile-0", "edge-0", bandwidth="3M", directed=True),
        )
    )
    assert bandwidths(found) == {
        ("mobile-0", "edge-0"): 3e6,
        ("edge-0", "mobile-0"): 2e6,
        ("mobile-1", "edge-0"): 1e6,
        ("edge-0", "mobile-1"): 1e6,
    }
    assert found.findings == ()


def test_within_a_rank_the_first_object_by_name_counts_whatever_the_order_of_the_input() -> None:
    first = topology("a", link("mobile", "edge", bandwidth="1M"))
    second = topology("b", link("edge", "mobile", bandwidth="2M"))
    for order in ([first, second], [second, first]):
        found = apply(*order)
        assert set(bandwidths(found).values()) == {1e6}
        (finding,) = found.findings
        assert (finding.kind, finding.name, finding.uid) == ("NetworkTopology", "b", "uid-b")
        assert finding.accepted
        assert finding.message.startswith("spec.links[0]: spec.links[0] of a already speaks of")


def test_within_an_object_the_first_rule_counts() -> None:
    rules = [link("edge", "cloud", bandwidth=f"{i}M") for i in range(1, 7)]
    found = apply(topology("t", *rules))
    assert set(bandwidths(found).values()) == {1e6}
    (finding,) = found.findings
    assert finding.message.startswith("spec.links[1]: spec.links[0] already speaks of")
    assert finding.message.endswith("; and 2 more")


def test_both_ranks_of_one_node_and_one_tier_are_the_same() -> None:
    """From a node to a tier, and from a tier to a node, the first by name and place counts."""
    found = apply(
        topology("b", link("mobile-0", "edge", bandwidth="2M", directed=True)),
        topology("a", link("mobile", "edge-0", bandwidth="1M", directed=True)),
    )
    assert bandwidths(found) == {("mobile-0", "edge-0"): 1e6, ("mobile-1", "edge-0"): 1e6}
    (finding,) = found.findings
    assert finding.name == "b"
    assert "node mobile-0 to node edge-0" in finding.message


def test_one_direction_may_be_overruled_alone() -> None:
    found = apply(
        topology("a", link("edge", "cloud", bandwidth="1M", directed=True)),
        topology("b", link("cloud", "edge", bandwidth="2M")),
    )
    assert bandwidths(found) == {("edge-0", "cloud-0"): 1e6, ("cloud-0", "edge-0"): 2e6}
    assert "tier edge to tier cloud" in found.findings[0].message


def test_several_objects_make_a_union() -> None:
    found = apply(
        topology("a", link("mobile-0", "edge-0", directed=True)),
        topology("b", link("edge-0", "cloud-0", directed=True)),
    )
    assert set(bandwidths(found)) == {("mobile-0", "edge-0"), ("edge-0", "cloud-0")}
    assert found.findings == ()


def test_interfaces_of_a_node_beat_those_of_its_tier() -> None:
    found = apply(
        topology(
            "t",
            interfaces=[
                {"on": {"tier": "mobile"}, "egress": "100M", "ingress": "50M"},
                {"on": {"nodeName": "mobile-1"}, "egress": "10M"},
            ],
        )
    )
    assert found.limits == {"mobile-0": (100e6, 50e6), "mobile-1": (10e6, None)}
    assert found.findings == ()


def test_the_first_interface_of_an_end_counts() -> None:
    found = apply(
        topology("b", interfaces=[{"on": {"tier": "edge"}, "ingress": "2M"}]),
        topology("a", interfaces=[{"on": {"tier": "edge"}, "ingress": "1M"}]),
    )
    assert found.limits == {"edge-0": (None, 1e6)}
    assert [finding.name for finding in found.findings] == ["b"]
    assert found.findings[0].message.startswith("spec.interfaces[0]: spec.interfaces[0] of a")


ENDS = st.sampled_from(["mobile-0", "mobile-1", "edge-0", "cloud-0", "mobile", "edge", "cloud"])
RULES = st.lists(st.tuples(ENDS, ENDS, st.booleans()), max_size=6)


@given(objects=st.lists(RULES, max_size=3))
def test_each_pair_has_the_rule_that_a_search_over_all_rules_finds(
    objects: list[list[tuple[str, str, bool]]],
) -> None:
    """The order of api.md, said once more: by rank, then object name, then position."""
    numbered = [
        (f"t{which}", position, *rule)
        for which, rules in enumerate(objects)
        for position, rule in enumerate(rules)
    ]
    bandwidth = {each[:2]: 1e6 * (1 + i) for i, each in enumerate(numbered)}
    found = apply(
        *(
            topology(
                f"t{which}",
                *(
                    link(a, b, directed=directed, bandwidth=str(int(bandwidth[f"t{which}", i])))
                    for i, (a, b, directed) in enumerate(rules)
                ),
            )
            for which, rules in enumerate(objects)
        )
    )

    def speaks(end: str, node: str) -> bool:
        return end in (node, TIERS[node])

    expected = {}
    for source in TIERS:
        for target in TIERS:
            candidates = [
                (sum(end not in TIERS for end in ends), name, position)
                for name, position, a, b, directed in numbered
                for ends in ([(a, b)] if directed else [(a, b), (b, a)])
                if speaks(ends[0], source) and speaks(ends[1], target)
            ]
            if candidates and source != target:
                expected[source, target] = bandwidth[min(candidates)[1:]]
    assert bandwidths(found) == expected


@pytest.mark.parametrize("count", [10_000])
def test_ten_thousand_conflicting_rules_make_one_short_finding(count: int) -> None:
    found = apply(topology("t", *(link("mobile", "edge") for _ in range(count))))
    (finding,) = found.findings
    assert finding.message.endswith(f"and {count - 1 - 3} more")
    assert len(finding.message) < 1000
