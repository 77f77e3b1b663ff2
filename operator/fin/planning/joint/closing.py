"""The relaxed problem without the gap of the price of time: columns from exact pricing.

Rounds that look only for new columns leave out the ways that come back to a node, which take
longest to rule out; rounds that prove a bound do not.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fin.planning.joint.exact import Listing, list_ways
from fin.planning.joint.generation import Generation
from fin.planning.joint.master import MasterSolution
from fin.planning.joint.pricing import Price

ROUNDS = 40
"""Rounds that look for columns, for each one that proves a bound."""

PROOFS = 4
"""Rounds that prove a bound at most."""


@dataclass(frozen=True, eq=False)
class Closed:
    """The relaxed problem's best bound, watts, and the solution at whose prices it holds.

    ``listing`` has the ways that are priced lowest then, ``last`` the master's last solution.
    """

    bound: float
    solution: MasterSolution
    price: Price
    listing: Listing
    last: MasterSolution


def close(generation: Generation, tolerance: float, in_time: Callable[[], bool]) -> Closed:
    """Generate columns by exact pricing until the bound is within ``tolerance``, or none helps."""
    best: Closed | None = None
    for _ in range(PROOFS):
        solution, price = _generate(generation, tolerance, in_time)
        listing = list_ways(generation.pricer, solution.prices, price, solution.worth, 0.0, in_time)
        bound = _bound(generation, solution, listing)
        if best is None or bound > best.bound:
            best = Closed(bound, solution, price, listing, solution)
        near = solution.power - best.bound <= tolerance * solution.power
        if near or not in_time() or not _offer(generation, solution, listing):
            break
    assert best is not None
    last = generation.master.solve()
    return Closed(best.bound, best.solution, best.price, best.listing, last)


def _generate(
    generation: Generation, tolerance: float, in_time: Callable[[], bool]
) -> tuple[MasterSolution, Price]:
    """Add columns that come back to no node until these are within the tolerance."""
    for _ in range(ROUNDS):
        solution = generation.master.solve()
        price = generation.pricer.price(solution.prices)
        listing = list_ways(
            generation.pricer,
            solution.prices,
            price,
            solution.worth,
            0.0,
            in_time,
            returning=False,
        )
        near = solution.power - _bound(generation, solution, listing)
        if near <= tolerance * solution.power or not in_time():
            break
        if not _offer(generation, solution, listing):
            break
    return solution, price


def _bound(generation: Generation, solution: MasterSolution, listing: Listing) -> float:
    return generation.classes.bound(listing.least, solution.prices)


def _offer(generation: Generation, solution: MasterSolution, listing: Listing) -> int:
    ways = (column.way for mine in listing.columns for column in mine)
    return generation.offer(ways, solution)
