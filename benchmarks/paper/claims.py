"""What the papers say, whether it holds here, and why where it does not."""

from collections.abc import Iterable

from benchmarks.paper.markdown import percent, table
from benchmarks.paper.points import Point
from benchmarks.paper.results import Results, best, best_saving, feasible, label
from tests.helpers.paper_scenario import MACHINES

INFOCOM, TON = 0.65, 0.89
"""Energy savings over MCP that the papers report at their best points, at least."""

SAME = 1e-5
"""Relative distance at which two energies are the same, with the six digits of the files."""


def claims(results: Results) -> str:
    """What the papers say, and whether it holds here."""
    rows = [each for model in results.models for each in feasible(results, model)]
    same = sum(_same(each) for each in rows)
    plain = [model for model in results.models if not model.endswith("-exits")]
    slots = {gamma: [each for each in results.slots if each.gamma == gamma] for gamma in (10, 30)}
    lost = {gamma: sum(each.points - each.planned for each in of) for gamma, of in slots.items()}
    mean = max(each.mean_excess for each in slots[30])
    largest = max(each.largest_excess for each in slots[10])
    found = [
        (
            "FIN matches the optimum, or nearly",
            f"the same energy at {same} of {len(rows)} feasible points",
            "reproduced" if same == len(rows) else "not at every point",
        )
    ]
    for share, paper in ((INFOCOM, "INFOCOM 2024"), (TON, "ToN 2025")):
        reached = [model for model in plain if best_saving(results, model) > share]
        bests = (f"{label(model)} {percent(best_saving(results, model))}" for model in plain)
        found.append(
            (
                f"saves more than {share:.0%} over MCP at the best point ({paper})",
                "; ".join(bests),
                f"reproduced for {len(reached)} of {len(plain)} networks",
            )
        )
    found.append(
        (
            "gamma of 10 to 30 is enough",
            f"10 slots: {lost[10]} of the feasible points have no plan, and the energy is up to "
            f"{percent(largest)} above the optimum; 30 slots: {lost[30]} points, and a mean of "
            f"{percent(mean)} at most",
            "reproduced for 30" if lost[30] == 0 and mean < 0.01 else "not reproduced",
        )
    )
    lines = table(("the papers", "here", ""), found)
    return "\n".join(("## What holds, and what does not", "", *lines, "", *_reasons(results)))


def _reasons(results: Results) -> Iterable[str]:
    """Why some of it does not hold."""
    lenet, shares = best(results, "lenet"), best(results, "alexnet-10-exits")
    dearest = best(results, "lenet", "mcp_dearest")
    rows = [each for model in results.models for each in feasible(results, model)]
    away = sum(set(each.fin_nodes or "") != {"m"} for each in rows)
    speed, watts, radio, _ = MACHINES["mobile"]
    operations = sorted(
        (radio + other[2]) * 1e-9 / (watts / speed)
        for name, other in MACHINES.items()
        if name != "mobile"
    )
    yield (
        f"- **B-LeNet saves {percent(lenet.saving(lenet.mcp))}, not more.** MCP keeps it on the "
        "device, as FIN does, and only runs to the last exit. Against the dearest of MCP's ties, "
        "which carries data to and fro, it is "
        f"{percent(dearest.saving(dearest.mcp_dearest))}: with the same objective, the rule for "
        "ties decides."
    )
    yield (
        f"- **With exit shares the best saving is {percent(shares.saving(shares.mcp))}.** "
        "Samples that leave early spare MCP's plan the late blocks too, so a late exit costs it "
        "less."
    )
    yield (
        f"- **It is the exit more than the split.** FIN leaves the device at {away} of the "
        f"{len(rows)} feasible points: at these values the device needs the least energy for an "
        f"operation, and a bit that leaves it costs as much as {operations[0]:.0f} to "
        f"{operations[-1]:.0f} of its operations. What the split saves is mostly that FIN does "
        "*not* move what MCP moves to be faster."
    )
    yield (
        "- The papers' own curves are not copied here, only the numbers of the scripts' tables "
        "are used, and their MCP may break ties in another way."
    )


def _same(each: Point) -> bool:
    if each.fin is None or each.optimum is None:
        return each.fin is each.optimum
    return abs(each.fin - each.optimum) <= SAME * each.optimum
