"""Answers within limits of time or error: attempts, and notes on their outcome."""

import math
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

from imputedb.algebra.relation import Drop
from imputedb.algebra.walk import bottom_up
from imputedb.answers.multiple.precision import half_width
from imputedb.answers.pace import expected_work, plans, thresholds
from imputedb.answers.prepared import Prepared
from imputedb.answers.query import Call, rows_of
from imputedb.answers.request import IMPUTATION, LEVEL, QueryOptions
from imputedb.errors import OutOfTime, QueryError
from imputedb.inference.estimate import Estimate
from imputedb.notes import Note, NoteKind
from imputedb.result import Budget, Report, Result

Work = Callable[[Call], Result]


def limited(call: Call, query: str, keep: Work | None = None) -> Result:
    """The answer to a query within its limits.

    Args:
        call: the call with its limits.
        query: query for which plans are chosen.
        keep: runs the statement that uses the query's rows; None for a plain query.

    Raises:
        QueryError: a limit of error is set, and the answer has no intervals, or alpha is set too.
    """

    def work(one: Call) -> Result:
        return rows_of(one, query) if keep is None else keep(one)

    if not call.options.limits:
        return _without_intervals(work(call), call.options)
    began = perf_counter() if call.options.until is None else _start_time(call.options, call.options.until)
    error = call.options.limits.error
    if error is not None and call.options.alpha:
        raise QueryError(
            f"a limit of error ({error:g}) chooses the plan itself, and intervals do not include the effect of rows "
            f"that alpha {call.options.alpha:g} drops: leave alpha out, or the error"
        )
    found = _in_time(call, work) if error is None else _with_precision(call, query, error, keep)
    return _with_budget(found, call.options, began)


def _without_intervals(found: Result, options: QueryOptions) -> Result:
    """The answer, with a note if options about intervals were set and it has none."""
    wanted = {"interval": options.question != "population", "level": options.level != LEVEL}
    if options.method != IMPUTATION or options.draws or not any(wanted.values()):
        return found
    names = " and ".join(name for name, is_given in wanted.items() if is_given)
    note = Note(NoteKind.UNPOOLED, names, f"{names}: about intervals, and one draw has none: set m, such as m=20")
    found.report = replace(found.report, notes=(*found.report.notes, note))
    return found


def _start_time(options: QueryOptions, until: float) -> float:
    return until - (options.limits.within_ms or 0.0) / 1e3


def _in_time(call: Call, work: Work) -> Result:
    """The answer by the best plan expected to be in time, or by the fastest one if the former took too long."""
    try:
        return work(call)
    except OutOfTime:
        return _cut_over(call, work)


def _cut_over(call: Call, work: Work) -> Result:
    found = work(replace(call, options=call.options.fastest()))
    budget = replace(found.report.budget or Budget(), cut_over=True)
    words = "the plan that was chosen took longer than was expected: the fastest one has answered in its place"
    note = Note(NoteKind.REPLANNED, "", words)
    found.report = replace(found.report, budget=budget, notes=(*found.report.notes, note))
    return found


def _with_budget(found: Result, options: QueryOptions, began: float) -> Result:
    """The answer with its budget, and warnings where it exceeds the limits."""
    within, error = options.limits.within_ms, options.limits.error
    reached = 1e3 * (perf_counter() - began)
    budget = replace(found.report.budget or Budget(), within_ms=within, reached_ms=reached, error=error)
    if error is not None and found.has_estimates:
        budget = replace(budget, reached_error=half_width(_shown(found)))
    broken = _exceeded(budget, found.report)
    found.report = replace(found.report, budget=budget, warnings=(*found.report.warnings, *broken))
    return found


def _exceeded(budget: Budget, report: Report) -> list[Note]:
    """Warnings of exceeded limits."""
    notes = list[Note]()
    if budget.within_ms is not None and budget.reached_ms is not None and budget.reached_ms > budget.within_ms:
        words = (
            f"the answer took {budget.reached_ms:,.0f} ms, more than the {budget.within_ms:,g} it was given"
            f"{_reason_of_delay(budget, budget.within_ms, report.planning_ms)}"
        )
        notes.append(Note(NoteKind.LATE, "", words))
    if budget.error is not None and budget.reached_error is not None and budget.reached_error > budget.error:
        if math.isinf(budget.reached_error):
            words = f"no plan has an error of {budget.error:.3g}: a number is 0, or has no interval"
        else:
            which = "the fastest plan" if budget.cut_over else "the plan with the least penalty"
            words = (
                f"no plan that was tried has an error of {budget.error:.3g} or less: {which} answers, whose error is "
                f"{budget.reached_error:.3g}, half the width of the widest interval beside its number"
            )
        notes.append(Note(NoteKind.IMPRECISE, "", words))
    return notes


def _reason_of_delay(budget: Budget, within: float, planning: float) -> str:
    """The reason for the delay, as the end of a sentence."""
    if budget.cut_over:
        return ": the plan that was ended and the fastest one together"
    if planning > within:
        return f": planning took {planning:,.0f}, and takes less once the statistics of its tables are known"
    if budget.predicted_ms is None:
        return ""
    if budget.short:
        return f": no plan is faster than the one that was taken, which was expected to take {budget.predicted_ms:,.0f}"
    return f": its plan was expected to take {budget.predicted_ms:,.0f}"


def _shown(found: Result) -> list[Estimate]:
    return [one for row in found.estimates for one in row.values() if isinstance(one, Estimate)]


# -- within an error --------------------------------------------------------------------------------------------------


def _with_precision(call: Call, query: str, goal: float, keep: Work | None) -> Result:
    """The answer by the fastest plan whose intervals are narrow enough, or else by the plan of least penalty.

    Choosing the narrowest of several intervals would make its coverage lower than its level.
    """
    options = call.options if call.options.m != 1 else replace(call.options, m=None)
    taken: tuple[float, QueryOptions, Result] | None = None
    for one in _by_time(call, query, options):
        try:
            found = rows_of(replace(call, options=one), query)
        except OutOfTime:
            break
        if not found.has_estimates:
            raise QueryError(f"a limit of error needs numbers with intervals: {_reason(found.report)}")
        if len(found) and not _shown(found):
            raise QueryError(
                "a limit of error needs numbers with intervals, and this query shows none: leave ERROR out"
            )
        width = half_width(_shown(found))
        if taken is None or width <= goal or one.alpha < taken[1].alpha:
            taken = width, one, found
        if width <= goal:
            break
    if taken is None:
        return _cut_over(replace(call, options=options), keep or (lambda one: rows_of(one, query)))
    width, one, found = taken
    if keep is None:
        return found
    kept = keep(replace(call, options=replace(one, m=found.report.m, until=None)))
    kept.report = replace(kept.report, budget=replace(found.report.budget or Budget(), reached_error=width))
    return kept


def _reason(report: Report) -> str:
    return report.notes[0] if report.notes else "this answer has none"


def _by_time(call: Call, query: str, options: QueryOptions) -> list[QueryOptions]:
    """The options for each plan that drops no more rows than the best plan, the fastest first.

    Intervals do not include the error that dropped rows cause.
    """
    with call.engine.own_statements():
        prepared = call.planner.prepare(query, options)
    forecast = call.planner.forecast
    alphas = [options.alpha, *(one for one in thresholds(prepared) if one > options.alpha)]
    least = _drops(prepared, options.alpha)
    wanted = [replace(options, alpha=one, chooses=False) for one in alphas if _drops(prepared, one) <= least]
    return sorted(wanted, key=lambda one: forecast.milliseconds(expected_work(prepared, one, forecast)))


def _drops(prepared: Prepared, alpha: float) -> int:
    return sum(isinstance(node, Drop) for _, plan in plans(prepared, alpha) for node in bottom_up(plan.relation))
