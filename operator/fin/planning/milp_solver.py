"""The solvers of linear and mixed-integer programmes behind PuLP: HiGHS, or CBC without it."""

import math
import re
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pulp

from fin.planning.deadline import Deadline

Backend = Literal["highs", "cbc"]
Status = Literal["optimal", "feasible", "infeasible", "unknown"]

RELATIVE_GAP = 1e-7
"""Gap at which a programme counts as solved; what is left of it shows in the bound."""

ABSOLUTE_GAP = 1e-9


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a solver made of a minimisation.

    ``bound`` is the solver's own proven lower bound of the objective: infinite where the
    programme is infeasible, minus infinity where nothing is proven. The variables hold a
    solution where the status is "optimal" or "feasible".
    """

    status: Status
    bound: float


def default_backend() -> Backend:
    """HiGHS where it is installed, else CBC, which comes with PuLP."""
    return "highs" if find_spec("highspy") else "cbc"


def minimise(
    programme: pulp.LpProblem,
    backend: Backend,
    deadline: Deadline,
    absolute_gap: float = ABSOLUTE_GAP,
    relative_gap: float = RELATIVE_GAP,
) -> Outcome:
    """Solve ``programme`` (a minimisation) to one of the gaps, within what is left of the time."""
    left = deadline.left()
    if left == 0.0:
        return Outcome("unknown", -math.inf)
    if backend == "highs":
        return _highs(programme, left, absolute_gap, relative_gap)
    return _cbc(programme, left, absolute_gap, relative_gap)


def _highs(
    programme: pulp.LpProblem, left: float | None, absolute_gap: float, relative_gap: float
) -> Outcome:
    programme.solve(
        pulp.HiGHS(
            msg=False,
            timeLimit=left,
            gapRel=relative_gap,
            gapAbs=absolute_gap,
            primal_feasibility_tolerance=1e-9,
            mip_feasibility_tolerance=1e-8,
        )
    )
    status = _status(programme)
    if programme.isMIP():
        return _outcome(status, programme.solverModel.getInfo().mip_dual_bound)
    return _outcome(status, _value(programme) if status == "optimal" else -math.inf)


def _cbc(
    programme: pulp.LpProblem, left: float | None, absolute_gap: float, relative_gap: float
) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "cbc.log"
        programme.solve(
            pulp.COIN_CMD(
                path=pulp.PULP_CBC_CMD.pulp_cbc_path,
                msg=False,
                timeLimit=left,
                gapRel=relative_gap,
                gapAbs=absolute_gap,
                logPath=str(log),
            )
        )
        status = _status(programme)
        if status == "optimal":
            value = _value(programme)
            slack = max(absolute_gap, relative_gap * abs(value)) if programme.isMIP() else 0.0
            return _outcome(status, value - slack)
        # CBC's answer file does not say what is proven when it stops early; its log does.
        proven = re.search(r"^Lower bound:\s+(\S+)", log.read_text(), re.MULTILINE)
    return _outcome(status, float(proven[1]) if proven else -math.inf)


def _status(programme: pulp.LpProblem) -> Status:
    # Only the status, not the one of the solution, knows CBC's "integer infeasible".
    if programme.status == pulp.LpStatusInfeasible:
        return "infeasible"
    match programme.sol_status:
        case pulp.LpSolutionOptimal:
            return "optimal"
        case pulp.LpSolutionIntegerFeasible:
            return "feasible"
        case _:
            return "unknown"


def _outcome(status: Status, bound: float) -> Outcome:
    if status == "infeasible":
        return Outcome(status, math.inf)
    return Outcome(status, -math.inf if math.isnan(bound) else bound)


def _value(programme: pulp.LpProblem) -> float:
    return float(pulp.value(programme.objective) or 0.0)
