"""The observer that turns finished requests and jobs into metrics."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.openmetrics.exposition import generate_latest as open_latest

from imputedb.inference.estimate import Estimate
from imputedb.notes import NoteKind
from imputedb.result import Result
from imputedb.service.cells import imputed_cells
from imputedb.service.core import Done
from imputedb.service.impute import Completed
from imputedb.service.metrics.names import METRICS, Metric

_LABELS = 1000
"""Maximum number of label sets of a metric; further ones are counted under the label `other`."""

_REMEMBERED = 500
"""Number of requests whose answers are remembered for comparison with later ones."""

HIGH_PENALTY = 0.5


class Meter:
    """Counters, gauges and histograms in one registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._metrics: Mapping[str, Any] = {metric.name: _made(metric, self._registry) for metric in METRICS}
        self._seen: dict[str, set[tuple[str, ...]]] = {}
        self._lock = threading.Lock()
        self._digests: OrderedDict[object, str] = OrderedDict()
        self._baselines: OrderedDict[str, Mapping[object, tuple[float, float]]] = OrderedDict()
        self._refreshing: list[Callable[[], None]] = []
        self._records = 0
        ProcessCollector(registry=self._registry)

    def before_each_scrape(self, refresh: Callable[[], None]) -> None:
        """Sets the function that refreshes gauges before each scrape."""
        self._refreshing.append(refresh)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        for refresh in self._refreshing:
            refresh()
        found: bytes = open_latest(self._registry)  # type: ignore[no-untyped-call]
        return found

    def of(self, name: str, *labels: str) -> Any:
        """One metric with values for its labels."""
        metric = self._metrics[name]
        if not labels:
            return metric
        with self._lock:
            seen = self._seen.setdefault(name, set())
            if labels not in seen:
                if len(seen) >= _LABELS:
                    labels = ("other",) * len(labels)
                seen.add(labels)
        return metric.labels(*labels)

    def set_records(self, count: int) -> None:
        """Sets the number of audit records that this process has written."""
        counter = self._metrics["imputedb_audit_records"]
        with self._lock:
            counter.inc(max(0, count - self._records))
            self._records = max(count, self._records)

    def forget(self, name: str) -> None:
        """Removes all labels of a gauge, which is then set anew."""
        self._metrics[name].clear()

    # -- requests -----------------------------------------------------------------------------------------------------

    def observe(self, done: Done) -> None:
        """Measures a finished request."""
        self.of("imputedb_requests", done.kind, done.status).inc()
        self.of("imputedb_door_requests", done.request.door if done.request else "http", done.status).inc()
        self.of("imputedb_wait_seconds").observe(done.waited)
        if done.completed is not None:
            self.of("imputedb_impute_seconds").observe(done.seconds, {"request": done.id})
            self._measure_rows(done.completed)
        if done.kind != "query":
            return
        self.of("imputedb_queries", done.status).inc()
        self.of("imputedb_query_seconds").observe(done.seconds, {"request": done.id})
        if done.answer is not None:
            self._measure(done, done.answer.result)

    def _measure_rows(self, found: Completed) -> None:
        """Measures rows that a kept model has filled in."""
        table = found.model.table
        for column, count in found.cells.items():
            self.of("imputedb_imputed_cells", table, column, "model").inc(count)
            self.of("imputedb_imputed_missing").inc(count)
            self.of("imputedb_imputed_fraction", table, column).set(count / len(found.rows))

    def _measure(self, done: Done, result: Result) -> None:
        """Measures an answer."""
        report = result.report
        self.of("imputedb_plan_seconds").observe(report.planning_ms / 1e3)
        rows = done.answer.lease.instance.rows if done.answer is not None else {}
        imputed = imputed_cells(result, rows)
        only = {table for one in imputed for table in one.tables}
        if report.dropped:
            table = only.pop() if len(only) == 1 else "several"
            self.of("imputedb_dropped_rows", table).inc(report.dropped)
        self.of("imputedb_imputed_missing").inc(sum(report.imputed.values()) + sum(report.avoided.values()))
        if not any(report.imputed.values()):
            return
        for one in imputed:
            table, method = one.tables[0] if len(one.tables) == 1 else "several", ", ".join(one.methods)
            self.of("imputedb_imputed_cells", table, one.column, "model" if "@" in method else method).inc(one.count)
            if rows.get(table):
                self.of("imputedb_imputed_fraction", table, one.column).set(min(1.0, one.count / rows[table]))
        exemplar = {"request": done.id, "seed": str(report.seed)}
        self.of("imputedb_impute_seconds").observe(report.execution_ms / 1e3, exemplar)
        self.of("imputedb_penalty").observe(report.penalty)
        self.of("imputedb_analyses", str(result.has_estimates).lower()).inc()
        self._diagnose(result)
        for warning in report.warnings:
            if warning.kind is NoteKind.FALLBACK:
                cells, _, stage = warning.subject.partition(" ")
                self.of("imputedb_fallback", stage).inc(int(cells))
        if result.has_estimates:
            self._measure_estimates(done, result)
        self._compare(done)

    def _diagnose(self, result: Result) -> None:
        report = result.report
        checks = {"penalty": report.penalty <= HIGH_PENALTY, "warnings": not report.warnings}
        if report.convergence is not None:
            chains = report.convergence
            checks["convergence"] = chains.rhat <= chains.allowed
        for check, passed in checks.items():
            self.of("imputedb_diagnostics", check, "pass" if passed else "fail").inc()

    def _measure_estimates(self, done: Done, result: Result) -> None:
        found: dict[object, tuple[float, float]] = {}
        for place, row in enumerate(result.estimates):
            for name, one in row.items():
                if not isinstance(one, Estimate):
                    continue
                pooled = one.pooled
                if math.isfinite(pooled.riv):
                    self.of("imputedb_between_variance_ratio").observe(pooled.riv)
                if math.isfinite(pooled.fmi):
                    self.of("imputedb_fmi").observe(pooled.fmi)
                if math.isfinite(one.estimate) and one.se > 0:
                    found[place, name] = (one.estimate, one.se)
        self._drift(done.statement_hash, found)

    def _drift(self, statement: str, found: Mapping[object, tuple[float, float]]) -> None:
        """Measures the change of estimates since the first answer to the same statement."""
        with self._lock:
            before = self._baselines.setdefault(statement, found)
            self._baselines.move_to_end(statement)
            if len(self._baselines) > _REMEMBERED:
                missing, _ = self._baselines.popitem(last=False)
                self._metrics["imputedb_estimate_drift"].remove(missing)
        moves = [abs(now - before[key][0]) / before[key][1] for key, (now, _) in found.items() if key in before]
        self.of("imputedb_estimate_drift", statement).set(max(moves, default=0.0))

    def _compare(self, done: Done) -> None:
        """Counts answers that differ from an earlier one to the same request over the same file."""
        request, answer = done.request, done.answer
        if request is None or answer is None:
            return
        wishes = tuple(sorted((name, str(value)) for name, value in request.wishes().items()))
        key = (request.text, str(request.parameters), wishes, answer.lease.instance.stamp, answer.count)
        with self._lock:
            before = self._digests.setdefault(key, answer.digest)
            self._digests.move_to_end(key)
            if len(self._digests) > _REMEMBERED:
                self._digests.popitem(last=False)
        if before != answer.digest:
            self.of("imputedb_reproducibility_mismatch").inc()


def _made(metric: Metric, registry: CollectorRegistry) -> Any:
    match metric.kind:
        case "counter":
            return Counter(metric.name, metric.meaning, metric.labels, registry=registry)
        case "gauge":
            return Gauge(metric.name, metric.meaning, metric.labels, registry=registry)
        case "histogram":
            return Histogram(metric.name, metric.meaning, metric.labels, registry=registry, buckets=metric.buckets)
