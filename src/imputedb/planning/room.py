"""Imputers whose rows do not fit in memory: their notes, and the error where no good plan is left."""

from imputedb.algebra.relation import Drop
from imputedb.algebra.walk import bottom_up
from imputedb.errors import CannotImpute
from imputedb.planning.frontier import Frontier
from imputedb.planning.problem import Problem

_WAY_OUT = (
    "ask for imputer='tree' or 'norm' without m, whose functions are written into the statement, or make a model "
    "(CREATE IMPUTATION MODEL); narrow the rows; or SET memory_limit to more"
)


def left_out(problem: Problem) -> dict[str, str]:
    """By imputer, the reason why it was no option for some placements."""
    return {name: _reason(size, problem.room) for name, size in sorted(problem.too_large.items())}


def _reason(size: float, room: float) -> str:
    return f"it would be handed {_size(size)} of rows at once, and a quarter of memory_limit is {_size(room)}"


def _size(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def check(problem: Problem, frontier: Frontier, alpha: float) -> None:
    """Refuses a plan that drops rows only because imputing them would not fit in memory, unless the fastest is wanted.

    Raises:
        CannotImpute: the plan of least penalty drops rows that could have been imputed, or there is no plan.
    """
    if not problem.too_large or (frontier.plans and (alpha >= 1 or not _drops(problem, frontier))):
        return
    reasons = "; ".join(f"imputer {name!r} does not fit: {why}" for name, why in left_out(problem).items())
    raise CannotImpute(f"{reasons}: {_WAY_OUT}")


def _drops(problem: Problem, frontier: Frontier) -> bool:
    """Whether the plan of least penalty drops rows for columns that could have been imputed."""
    dropped = (node.columns for node in bottom_up(frontier.plans[0].relation) if isinstance(node, Drop))
    return any(problem.mask(columns) & ~problem.dropped_only for columns in dropped)
