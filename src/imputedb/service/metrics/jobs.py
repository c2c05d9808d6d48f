"""Metrics of jobs and their results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from imputedb.service.jobs.runner import Ended
from imputedb.service.metrics.meter import Meter


def observing(meter: Meter) -> Callable[[Ended], None]:
    """An observer of finished jobs."""

    def observe(ended: Ended) -> None:
        job = ended.job
        meter.of("imputedb_job", job.state).inc()
        meter.of("imputedb_job_seconds", job.kind).observe(ended.seconds)
        meter.of("imputedb_run_cpu_seconds", job.kind).inc(ended.cpu)
        meter.of("imputedb_run_bytes", job.kind).set(ended.bytes)
        if job.state != "done":
            return
        measure = _MEASURES.get(job.kind)
        if measure is not None:
            measure(meter, job.result)

    return observe


def _evaluated(meter: Meter, result: Mapping[str, Any]) -> None:
    """The least error on hidden cells by column, and the ratio of that imputer's largest error of a subgroup to it."""
    whole: dict[str, tuple[float, str]] = {}
    worst: dict[tuple[str, str], float] = {}
    for score in result["scores"]:
        error, column, imputer = score["error"], score["column"], score["imputer"]
        if not isinstance(error, int | float) or not math.isfinite(error):
            continue
        if score["group"] is None:
            whole[column] = min((error, imputer), whole.get(column, (math.inf, "")))
        else:
            worst[column, imputer] = max(error, worst.get((column, imputer), 0.0))
    for column, (error, best) in whole.items():
        meter.of("imputedb_hidden_cell_error", result["table"], column).set(error)
        if (column, best) in worst and error > 0:
            meter.of("imputedb_subgroup_error_ratio", result["table"], column).set(worst[column, best] / error)


def _compared(meter: Meter, result: Mapping[str, Any]) -> None:
    """The distance of each assumption's estimate from that of complete cases, in half widths of its own interval."""
    lines, plain = result["lines"], result["complete_cases"]
    moves: dict[str, float] = {}
    for way, name, estimate, low, high in zip(*(lines[key] for key in _KEYS), strict=True):
        base = plain.get(name)
        if _are_numbers(base, estimate, low, high) and high > low:
            moves[way] = max(abs(estimate - base) / ((high - low) / 2), moves.get(way, 0.0))
    for way, move in moves.items():
        meter.of("imputedb_downstream_delta", way).set(move)


_KEYS = ("way", "name", "estimate", "low", "high")


def _explained(meter: Meter, result: Mapping[str, Any]) -> None:
    """The variance among the donors of cells, and the number of fallbacks of cells without neighbours."""
    for ratio in result["variance_ratios"]:
        meter.of("imputedb_neighbor_variance").observe(ratio)
    for stage, count in result["fallbacks"].items():
        meter.of("imputedb_fallback", stage).inc(count)


def _are_numbers(*values: object) -> bool:
    return all(isinstance(one, int | float) and math.isfinite(one) for one in values)


_MEASURES: Mapping[str, Callable[[Meter, Any], None]] = {
    "evaluate": _evaluated,
    "compare": _compared,
    "cells": _explained,
}
"""The function that measures a result, by kind of job."""
