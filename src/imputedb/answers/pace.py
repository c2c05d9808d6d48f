"""The choice of a plan by the remaining time, from forecasts of each plan's time."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from imputedb.algebra.relation import Impute
from imputedb.algebra.walk import bottom_up
from imputedb.answers.multiple.pooled import PILOT
from imputedb.answers.prepared import Prepared
from imputedb.answers.request import FEW_DRAWS, QueryOptions
from imputedb.blocks.block import CompletedBlock, PlannedBlock, UnplannedBlock
from imputedb.imputers.protocol import Work
from imputedb.models import price
from imputedb.models.kept import StoredImputer, is_stored
from imputedb.planning import cost
from imputedb.planning.candidate import Candidate
from imputedb.planning.forecast import Forecast, ForecastWork, of_draws

_MANY = (1000, 500, 200, 100, 50, PILOT)
_FEW = (10, FEW_DRAWS, 2)
"""Numbers of draws that are tried if the number is to be chosen."""

_AFTERWARDS = 1.5
"""Slowdown of the fastest plan if another one must be stopped first (benchmarks/budgets.py)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The options with a plan that is chosen by the remaining time.

    Attributes:
        asked: options with the alpha of the plan and the number of draws.
        ahead: statement to run.
        predicted: predicted milliseconds.
        seconds: time after which it is stopped, so that the fastest plan is still in time; None for the fastest plan.
        short: whether it is the fastest plan because none is likely to be in time.
    """

    options: QueryOptions
    ahead: ForecastWork
    predicted: float
    seconds: float | None = None
    short: bool = False


def pace(prepared: Prepared, options: QueryOptions, forecast: Forecast) -> Pace:
    """The plan of least penalty, with the most draws, that is expected to be in time; otherwise the fastest plan."""
    if options.until is None or not prepared.blocks:
        return _paced(prepared, options, forecast)
    alphas = [options.alpha, *(one for one in thresholds(prepared) if one > options.alpha)]
    left = 1e3 * (options.until - perf_counter())
    fastest = _fastest(prepared, options, alphas, forecast)
    for one in _choices(options, alphas):
        ahead = expected_work(prepared, one, forecast)
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
    """A plan with the time after which it is stopped, unless no other is faster."""
    if found.ahead.key == fastest.ahead.key:
        return found
    seconds = (left - _AFTERWARDS * forecast.upper(fastest.ahead)) / 1e3
    return replace(found, seconds=seconds) if seconds > 0 else fastest


def _paced(prepared: Prepared, options: QueryOptions, forecast: Forecast) -> Pace:
    options = _with_draws(prepared, options)
    ahead = expected_work(prepared, options, forecast)
    return Pace(options, ahead, forecast.milliseconds(ahead))


def _with_draws(prepared: Prepared, options: QueryOptions) -> QueryOptions:
    """The options with at most as many draws as the kept models of the plans have, where the number is to be chosen."""
    if options.m is not None:
        return options
    most = options.most
    for block, plan in plans(prepared, options.alpha):
        imputers = {one.name: one for one in block.problem.imputers}
        tables = {scan.alias: scan.table for scan in block.problem.query.sources}
        for node in bottom_up(plan.relation):
            one = imputers.get(node.imputer) if isinstance(node, Impute) else None
            if not isinstance(node, Impute) or one is None or not is_stored(one):
                continue
            for column in node.columns:
                record = one.model(tables[column.relation], column.name)
                most = min(most, record.draws) if record and record.has_functions else most
    return replace(options, most=max(most, 2))


def thresholds(prepared: Prepared) -> list[float]:
    """The alphas at which the plan of some block changes."""
    frontiers = [block.frontier for block in prepared.blocks if not isinstance(block, UnplannedBlock)]
    return sorted({point.low for frontier in frontiers for point in frontier})


def plans(prepared: Prepared, alpha: float) -> list[tuple[PlannedBlock | CompletedBlock, Candidate]]:
    """The plan of each block for an alpha."""
    blocks = [block for block in prepared.blocks if not isinstance(block, UnplannedBlock)]
    return [(block, block.frontier.choose(alpha)) for block in blocks]


def expected_work(prepared: Prepared, options: QueryOptions, forecast: Forecast) -> ForecastWork:
    """The statement to run, with its estimated time."""
    chosen = plans(prepared, options.alpha)
    written = sum(isinstance(block, UnplannedBlock) for block in prepared.blocks)
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
    return ForecastWork(max(estimate, cost.STATEMENT), kind, key, tuple(leaves))


def _fitted(
    block: PlannedBlock | CompletedBlock, plan: Candidate, options: QueryOptions
) -> Iterator[tuple[str, Hashable, float]]:
    """For each Impute its imputer, the cache key of its values if they are cached, and the time to compute these."""
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
            yield node.imputer, key, _made(one, work) if one is not None and is_stored(one) else 0.0


def _made(imputer: StoredImputer, work: Work) -> float:
    """Milliseconds to compute the cached values of one column."""
    if imputer.whole_tables:
        return imputer.base.time(work)
    return price.making(work.rows, work.attributes, work.rows * work.missing)
