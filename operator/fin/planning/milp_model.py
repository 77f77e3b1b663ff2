"""The whole planning problem of several applications as a mixed-integer linear programme.

Variables: which block runs where, over which links its input comes, and the share of
each node that is reserved. Latency is linear in the first two and convex in the third:
t f >= w x^2 is replaced by its tangents (model.md, "The whole MILP"), which are added
until they are tight.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import pulp

from fin.planning.evaluation import LinkKey
from fin.planning.milp_choices import LOOSE, Choices, Run
from fin.planning.problem import App, AppKey, Problem

Terms = list[tuple[pulp.LpVariable, float]]

FIRST_TANGENTS = tuple(0.5**power for power in range(6))
"""Shares of a node at which the tangents of a new programme touch."""


class Formulation:
    """The programme of some applications, each admitted always or by choice."""

    def __init__(
        self, problem: Problem, choices: Sequence[Choices], *, optional: bool = False
    ) -> None:
        self.problem = problem
        self.choices = {each.app.key: each for each in choices}
        self.programme = pulp.LpProblem("fin", pulp.LpMinimize)
        self._named = 0
        self.admitted: dict[AppKey, pulp.LpVariable] = {}
        self.runs: dict[tuple[AppKey, int, str], pulp.LpVariable] = {}
        self.moves: dict[tuple[AppKey, int, LinkKey], pulp.LpVariable] = {}
        self.segments: dict[tuple[AppKey, str], pulp.LpVariable] = {}
        self.shares: dict[tuple[AppKey, str], pulp.LpVariable] = {}
        self.times: dict[tuple[AppKey, int, str], pulp.LpVariable] = {}
        self.power: Terms = []
        for each in choices:
            self._choose(each, optional=optional)
            self._flow(each)
        self._memory_and_pods()
        self._compute()
        self._bandwidth()
        for each in choices:
            self._latency(each)

    # Variables and rows -------------------------------------------------------------

    def _variable(self, kind: str = pulp.LpContinuous) -> pulp.LpVariable:
        self._named += 1
        return self.programme.add_variable(f"v{self._named}", 0, 1, kind)

    def _row(self, terms: Terms, sense: int, limit: float) -> None:
        self._named += 1
        row = pulp.LpConstraint(pulp.LpAffineExpression(terms), sense, f"r{self._named}", limit)
        self.programme.addConstraint(row)

    def _at_most(self, terms: Terms, limit: float = 1.0) -> None:
        self._row(terms, pulp.LpConstraintLE, limit * (1 + LOOSE))

    def _equal(self, terms: Terms, value: float = 0.0) -> None:
        self._row(terms, pulp.LpConstraintEQ, value)

    def _once_admitted(self, app: App, factor: float = -1.0) -> tuple[Terms, float]:
        """Terms and constant of ``factor`` where ``app`` is admitted, 0 where it is not."""
        variable = self.admitted.get(app.key)
        return ([], factor) if variable is None else ([(variable, factor)], 0.0)

    # Constraints ----------------------------------------------------------------------

    def _choose(self, choices: Choices, *, optional: bool) -> None:
        """Each block runs on one node."""
        key = choices.app.key
        if optional:
            self.admitted[key] = self._variable(pulp.LpBinary)
        for run in choices.runs:
            variable = self._variable(pulp.LpBinary)
            self.runs[key, run.block, run.node] = variable
            self.power.append((variable, run.power))
        for move in choices.moves:
            variable = self._variable(pulp.LpBinary)
            self.moves[key, move.block, move.ends] = variable
            self.power.append((variable, move.power))
        for block in range(choices.blocks):
            terms, constant = self._once_admitted(choices.app)
            terms += [
                (self.runs[key, run.block, run.node], 1.0)
                for run in choices.runs
                if run.block == block
            ]
            self._equal(terms, -constant)

    def _flow(self, choices: Choices) -> None:
        """The input of each block comes from where it is to where the block runs, unsplit."""
        app, key = choices.app, choices.app.key
        balance: dict[tuple[int, str], Terms] = defaultdict(list)
        constants: dict[tuple[int, str], float] = defaultdict(float)
        terms, constant = self._once_admitted(app, 1.0)
        balance[0, app.source] += terms
        constants[0, app.source] = constant
        for run in choices.runs:
            variable = self.runs[key, run.block, run.node]
            balance[run.block, run.node].append((variable, -1.0))
            if run.block + 1 < choices.blocks:
                balance[run.block + 1, run.node].append((variable, 1.0))
        for move in choices.moves:
            variable = self.moves[key, move.block, move.ends]
            balance[move.block, move.ends[0]].append((variable, -1.0))
            balance[move.block, move.ends[1]].append((variable, 1.0))
        for vertex, terms in balance.items():
            self._equal(terms, -constants[vertex])

    def _memory_and_pods(self) -> None:
        for node in self.problem.nodes:
            here = [each for each in self.choices.values() if node.name in each.nodes]
            most = sum(
                each.app.model.memory_overhead
                + sum(run.memory for run in each.runs if run.node == node.name)
                for each in here
            )
            if most > node.memory:
                terms: Terms = []
                for each in here:
                    overhead = each.app.model.memory_overhead
                    if overhead:
                        terms.append((self._segment(each, node.name), overhead / node.memory))
                    terms += [
                        (variable, memory / node.memory)
                        for variable, memory in self._of_runs(
                            each, node.name, lambda run: float(run.memory)
                        )
                    ]
                self._at_most(terms)
            if len(here) > node.pods:
                self._at_most([(self._segment(each, node.name), 1.0) for each in here], node.pods)

    def _compute(self) -> None:
        """Reservations carry their load and share the node; unshared nodes are whole."""
        for node in self.problem.nodes:
            here = [each for each in self.choices.values() if node.name in each.nodes]
            if len(here) < 2 or node.pods < 2:
                for each in here:
                    load = self._of_runs(each, node.name, lambda run: run.load)
                    if sum(value for _, value in load) > 1:
                        self._at_most(load)
                continue
            for each in here:
                least = each.app.model.min_millicores / node.millicores
                self._reservation(each, node.name, least)
            self._at_most([(self.shares[each.app.key, node.name], 1.0) for each in here])

    def _reservation(self, choices: Choices, node: str, least: float) -> None:
        key = choices.app.key
        share = self.shares[key, node] = self._variable()
        segment = self._segment(choices, node)
        self._at_most([(share, 1.0), (segment, -1.0)], 0.0)
        self._at_most([(segment, least), (share, -1.0)], 0.0)
        load = self._of_runs(choices, node, lambda run: run.load)
        self._at_most([*load, (share, -(1 + LOOSE))], 0.0)
        for run in choices.runs:
            if run.node != node or run.time == 0:
                continue
            time = self.times[key, run.block, node] = self._variable()
            variable = self.runs[key, run.block, node]
            self._at_most([(variable, run.time), (time, -1.0)], 0.0)
        for point in FIRST_TANGENTS:
            self.touch(key, node, point)

    def touch(self, key: AppKey, node: str, point: float) -> None:
        """Bound each block's time on ``node`` by the tangent that touches at share ``point``."""
        for run in self.choices[key].runs:
            if run.node != node or run.time == 0:
                continue
            self._at_most(
                [
                    (self.runs[key, run.block, node], 2 * run.time / point),
                    (self.shares[key, node], -run.time / point**2),
                    (self.times[key, run.block, node], -1.0),
                ],
                0.0,
            )

    def _bandwidth(self) -> None:
        """Links and interfaces; each transfer crosses each of them once at most."""
        traffic: dict[tuple[str, ...], Terms] = defaultdict(list)
        for key, each in self.choices.items():
            for move in each.moves:
                term = (self.moves[key, move.block, move.ends], move.traffic)
                tail, head = move.ends
                traffic[move.ends].append(term)
                traffic["out of", tail, ""].append(term)
                traffic["into", head, ""].append(term)
        limits: dict[tuple[str, ...], float | None] = {
            ends: link.bandwidth for ends, link in self.problem.link.items()
        }
        for node in self.problem.nodes:
            limits["out of", node.name, ""] = node.egress
            limits["into", node.name, ""] = node.ingress
        for place, terms in traffic.items():
            rate = limits[place]
            if rate is None:
                continue
            room = self.problem.utilisation * rate
            if sum(amount for _, amount in terms) > room:
                self._at_most([(variable, amount / room) for variable, amount in terms])

    def _latency(self, choices: Choices) -> None:
        key = choices.app.key
        terms, constant = self._once_admitted(choices.app, -(1 + LOOSE))
        for run in choices.runs:
            at = (key, run.block, run.node)
            terms.append((self.times[at], 1.0) if at in self.times else (self.runs[at], run.time))
        terms += [(self.moves[key, move.block, move.ends], move.time) for move in choices.moves]
        self._row(terms, pulp.LpConstraintLE, -constant)

    def _segment(self, choices: Choices, node: str) -> pulp.LpVariable:
        """The variable that is at least 1 where the application has a segment on ``node``."""
        at = (choices.app.key, node)
        if at not in self.segments:
            segment = self.segments[at] = self._variable()
            for variable, _ in self._of_runs(choices, node, lambda _: 1.0):
                self._row([(variable, 1.0), (segment, -1.0)], pulp.LpConstraintLE, 0.0)
        return self.segments[at]

    def _of_runs(self, choices: Choices, node: str, value: Callable[[Run], float]) -> Terms:
        return [
            (self.runs[choices.app.key, run.block, node], value(run))
            for run in choices.runs
            if run.node == node
        ]

    # Objectives -------------------------------------------------------------------------

    def minimise_power(self, unit: float) -> None:
        """Ask for the least total power, counted in ``unit`` watts."""
        terms = [(variable, watts / unit) for variable, watts in self.power]
        self.programme.setObjective(pulp.LpAffineExpression(terms))

    def maximise_admitted(self, weights: Iterable[tuple[AppKey, float]]) -> None:
        """Ask for the largest sum of the weights of the applications that are admitted."""
        terms = [(self.admitted[key], -weight) for key, weight in weights]
        self.programme.setObjective(pulp.LpAffineExpression(terms))

    def admit_at_least(self, keys: Iterable[AppKey], count: int) -> None:
        """Require that ``count`` of the applications are admitted."""
        self._row([(self.admitted[key], 1.0) for key in keys], pulp.LpConstraintGE, count)

    def forbid_dearer(self, watts: float) -> None:
        """Leave out every single choice that needs more power than ``watts``."""
        for variable, power in self.power:
            if power > watts:
                variable.upBound = 0

    def forbid(self, variables: Sequence[pulp.LpVariable]) -> None:
        """Exclude every solution with all of these binaries at 1."""
        terms = [(variable, 1.0) for variable in variables]
        self._row(terms, pulp.LpConstraintLE, len(terms) - 1)
