"""How long a statement will take by each of its plans, and which one the time that is left is enough for."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from imputedb.algebra.relation import Impute
from imputedb.algebra.walk import bottom_up
from imputedb.answers.multiple.pooled import PILOT
from imputedb.answers.prepared import Prepared
from imputedb.answers.request import FEW_DRAWS, QueryOptions
from imputedb.blocks.block import Completed, Planned, Written
from imputedb.imputers.protocol import Work
from imputedb.models import price
from imputedb.models.kept import Kept, is_kept
from imputedb.planning import cost
from imputedb.planning.candidate import Candidate
from imputedb.planning.forecast import Ahead, Forecast, of_draws

_MANY = (1000, 500, 200, 100, 50, PILOT)
_FEW = (10, FEW_DRAWS, 2)
"""Numbers of draws that are tried where their number is to be found."""

_AFTERWARDS = 1.5
"""How much longer the fastest plan takes where another one has to be ended first (benchmarks/budgets.py)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What is asked for, its plan chosen by the time that is left.

    Attributes:
        asked: with the alpha that picks the plan, and the number of draws.
        ahead: what is to be run.
        predicted: milliseconds that it is expected to take.
        seconds: after which it is to be ended, so that the fastest plan is in time; None where it is the fastest one.
        short: whether it is the fastest one, since none is likely enough to be in time.
    """

    options: QueryOptions
    ahead: Ahead
    predicted: float
    seconds: float | None = None
    short: bool = False


def pace(prepared: Prepared, options: QueryOptions, forecast: Forecast) -> Pace:
    """The plan with the least penalty that is expected to be in time, with as many draws as are; else the fastest."""
    if options.until is None or not prepared.blocks:
        return _paced(prepared, options, forecast)
    alphas = [options.alpha, *(one for one in thresholds(prepared) if one > options.alpha)]
    left = 1e3 * (options.until - perf_counter())
    fastest = _fastest(prepared, options, alphas, forecast)
    for one in _choices(options, alphas):
        ahead = ahead_of(prepared, one, forecast)
        if forecast.upper(ahead) <= left:
            found = _paced(prepared, one, forecast)
            return _watched(found, fastest, left, forecast)
    return replace(fastest, short=True)


def _choices(options: QueryOptions, alphas: Sequence[float]) -> Iterator[QueryOptions]:
    for alpha in alphas if options.chooses else [options.alpha]:
        one = replace(options, alpha=alpha)
        if options.m is not None:
            yield one
            continue
        yield from (replace(one, most=most) for most in _MANY if most <= options.most)
        yield from (replace(one, m=m) for m in _FEW)


def _fastest(prepared: Prepared, options: QueryOptions, alphas: Sequence[float], forecast: Forecast) -> Pace:
    draws = FEW_DRAWS if options.m is None else options.m
    found = [_paced(prepared, replace(options, alpha=alpha, m=draws), forecast) for alpha in alphas]
    return min(found, key=lambda one: one.predicted)


def _watched(found: Pace, fastest: Pace, left: float, forecast: Forecast) -> Pace:
    """A plan with the time after which it is to be ended, unless there is none that is faster."""
    if found.ahead.key == fastest.ahead.key:
        return found
    seconds = (left - _AFTERWARDS * forecast.upper(fastest.ahead)) / 1e3
    return replace(found, seconds=seconds) if seconds > 0 else fastest


def _paced(prepared: Prepared, options: QueryOptions, forecast: Forecast) -> Pace:
    options = _with_draws(prepared, options)
    ahead = ahead_of(prepared, options, forecast)
    return Pace(options, ahead, forecast.milliseconds(ahead))


def _with_draws(prepared: Prepared, options: QueryOptions) -> QueryOptions:
    """The same, where the number of draws is to be found at most as many as the kept models of its plans have."""
    if options.m is not None:
        return options
    most = options.most
    for block, plan in plans(prepared, options.alpha):
        imputers = {one.name: one for one in block.problem.imputers}
        tables = {scan.alias: scan.table for scan in block.problem.query.sources}
        for node in bottom_up(plan.relation):
            one = imputers.get(node.imputer) if isinstance(node, Impute) else None
            if not isinstance(node, Impute) or one is None or not is_kept(one):
                continue
            for column in node.columns:
                record = one.model(tables[column.relation], column.name)
                most = min(most, record.draws) if record and record.has_functions else most
    return replace(options, most=max(most, 2))


def thresholds(prepared: Prepared) -> list[float]:
    """The alphas from which on another plan is picked, of some block."""
    frontiers = [block.frontier for block in prepared.blocks if not isinstance(block, Written)]
    return sorted({point.low for frontier in frontiers for point in frontier})


def plans(prepared: Prepared, alpha: float) -> list[tuple[Planned | Completed, Candidate]]:
    """The plan of each block that an alpha picks."""
    blocks = [block for block in prepared.blocks if not isinstance(block, Written)]
    return [(block, block.frontier.choose(alpha)) for block in blocks]


def ahead_of(prepared: Prepared, options: QueryOptions, forecast: Forecast) -> Ahead:
    """What is to be run, with what it is estimated to take."""
    chosen = plans(prepared, options.alpha)
    written = sum(isinstance(block, Written) for block in prepared.blocks)
    draws = options.most if options.m is None and options.most < _MANY[0] else options.m or PILOT
    filled, fits, leaves = set(), 0.0, []
    for block, plan in chosen:
        for name, key, milliseconds in _fitted(block, plan, options):
            filled.add(name)
            fits += 0.0 if forecast.has_run(key) else milliseconds
            leaves += [key] if milliseconds else []
    estimate = of_draws(sum(plan.time for _, plan in chosen) + cost.STATEMENT * written + fits, draws)
    key = (prepared.text, tuple((plan.time, plan.penalty) for _, plan in chosen), draws)
    kind = (frozenset(filled), draws > 1, written > 0, fits > 0, not forecast.has_run(key))
    return Ahead(max(estimate, cost.STATEMENT), kind, key, tuple(leaves))


def _fitted(
    block: Planned | Completed, plan: Candidate, options: QueryOptions
) -> Iterator[tuple[str, Hashable, float]]:
    """Of each Impute its imputer, what tells its values if they are kept, and what it takes to make those."""
    imputers = {one.name: one for one in block.problem.imputers}
    for node in bottom_up(plan.relation):
        if not isinstance(node, Impute):
            continue
        one = imputers.get(node.imputer)
        for column in sorted(node.columns):
            statistics = block.problem.statistics[column.relation]
            key = (statistics.content, column.name, node.imputer, options.m != 1)
            known = statistics.missing_share(column.name)
            work = Work(float(statistics.rows), 1, max(2, len(statistics.predictors)), known, 0.0)
            yield node.imputer, key, _made(one, work) if one is not None and is_kept(one) else 0.0


def _made(imputer: Kept, work: Work) -> float:
    """Milliseconds to make the values of one column that are kept."""
    if imputer.everywhere:
        return imputer.base.time(work)
    return price.making(work.rows, work.attributes, work.rows * work.missing)
