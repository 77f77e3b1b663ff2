"""The baselines' energy of each app, computed anew only where something has changed."""

from collections.abc import Callable, Mapping

from fin.planning.baselines import baselines
from fin.planning.problem import App, AppKey, Link, Node, Problem

Energies = Mapping[str, float]
"""Joules per inference, by baseline; without those that have no deployment at all."""


class BaselineCache:
    """Remembers the baselines of every app as long as it and the system stay as they are."""

    def __init__(self) -> None:
        self._system: tuple[tuple[Node, ...], tuple[Link, ...], float] | None = None
        self._known: dict[AppKey, tuple[App, Energies]] = {}

    def of(self, problem: Problem) -> Callable[[App], Energies]:
        """Return a function that tells the baselines of an app of ``problem``."""
        system = (problem.nodes, problem.links, problem.utilisation)
        if system != self._system:
            self._system, self._known = system, {}
        self._known = {key: known for key, known in self._known.items() if key in problem.app}

        def energies(app: App) -> Energies:
            known = self._known.get(app.key)
            if known is None or known[0] != app:
                known = app, _energies(problem, app)
                self._known[app.key] = known
            return known[1]

        return energies


def _energies(problem: Problem, app: App) -> Energies:
    found = baselines(problem, app)
    return {name: each.energy for name, each in found.items() if each.energy is not None}
