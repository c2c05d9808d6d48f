"""The list of metrics: name, kind, labels and meaning of each. Documentation and alerts refer to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_RATIOS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_SPREADS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: name without suffixes such as `_total`.
        kind: counter, gauge or histogram.
        labels: names of the labels, none of which holds values of the data.
        meaning: one sentence.
        buckets: upper bounds of a histogram's buckets.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


METRICS = (
    Metric("imputedb_requests", "counter", ("kind", "status"), "Requests that are over."),
    Metric("imputedb_queries", "counter", ("status",), "Statements that are over: ok, or the name of the error."),
    Metric("imputedb_query_seconds", "histogram", (), "Seconds from arrival to answer.", _TIMES),
    Metric("imputedb_wait_seconds", "histogram", (), "Seconds that requests waited for a worker.", _TIMES),
    Metric("imputedb_plan_seconds", "histogram", (), "Seconds from text to plan.", _TIMES),
    Metric("imputedb_impute_seconds", "histogram", (), "Seconds of answers and rows that were imputed.", _TIMES),
    Metric(
        "imputedb_door_requests",
        "counter",
        ("door", "status"),
        "Requests that are over, by their door.",
    ),
    Metric("imputedb_connections", "gauge", ("door",), "Connections that there are now, of the Postgres door."),
    Metric("imputedb_requests_running", "gauge", (), "Requests that run now."),
    Metric("imputedb_requests_waiting", "gauge", (), "Requests that wait now."),
    Metric("imputedb_workers", "gauge", (), "Requests that can run at once."),
    Metric("imputedb_imputed_cells", "counter", ("table", "column", "method"), "Cells that were filled in."),
    Metric("imputedb_imputed_missing", "counter", (), "Cells filled in, and missing ones that were not needed."),
    Metric(
        "imputedb_imputed_fraction",
        "gauge",
        ("table", "column"),
        "Cells of the last imputed answer, by rows of the table.",
    ),
    Metric("imputedb_missing_fraction", "gauge", ("table", "column"), "Share of the column's cells that miss."),
    Metric("imputedb_dropped_rows", "counter", ("table",), "Rows that were left out for a missing value."),
    Metric("imputedb_penalty", "histogram", (), "Estimated loss of information of imputed answers.", _SHARES),
    Metric(
        "imputedb_between_variance_ratio",
        "histogram",
        (),
        "Variance between draws over that within, by estimate.",
        _RATIOS,
    ),
    Metric("imputedb_fmi", "histogram", (), "Fraction of missing information, by estimate.", _SHARES),
    Metric(
        "imputedb_estimate_drift",
        "gauge",
        ("query",),
        "How far a repeated pooled query has moved since it was first asked, in its standard errors.",
    ),
    Metric("imputedb_analyses", "counter", ("pooled",), "Imputed answers, by whether variances were pooled."),
    Metric(
        "imputedb_reproducibility_mismatch", "counter", (), "Answers that differ from those to the same request before."
    ),
    Metric("imputedb_diagnostics", "counter", ("check", "result"), "Checks of imputed answers: pass or fail."),
    Metric("imputedb_fallback", "counter", ("reason",), "Cells for which another method stood in, by stage."),
    Metric(
        "imputedb_neighbor_variance",
        "histogram",
        (),
        "Variance of the neighbours' values of a cell over that of its column, by jobs that explain cells.",
        _SPREADS,
    ),
    Metric("imputedb_index_bytes", "gauge", ("cache",), "Bytes of caches: columns, indexes, models."),
    Metric("imputedb_index_age_seconds", "gauge", ("model",), "Seconds since a kept model was fitted."),
    Metric("imputedb_model_stale", "gauge", ("model",), "Whether a kept model's table has changed since: 1."),
    Metric("imputedb_data_age_seconds", "gauge", (), "Seconds since the served file was changed."),
    Metric(
        "imputedb_hidden_cell_error", "gauge", ("table", "column"), "Measured error of hidden cells, by the last job."
    ),
    Metric(
        "imputedb_subgroup_error_ratio",
        "gauge",
        ("table", "column"),
        "The largest error of a subgroup over the best one of all rows, by the last job.",
    ),
    Metric(
        "imputedb_downstream_delta",
        "gauge",
        ("way",),
        "How far an imputer moves an answer from complete cases, in half widths of its interval, by the last job.",
    ),
    Metric("imputedb_audit_records", "counter", (), "Records of the audit log."),
    Metric("imputedb_job", "counter", ("status",), "Jobs that are over: done, failed or cancelled."),
    Metric("imputedb_jobs_waiting", "gauge", (), "Jobs that wait."),
    Metric("imputedb_job_seconds", "histogram", ("kind",), "Seconds of jobs.", (*_TIMES, 1800.0, 7200.0)),
    Metric("imputedb_run_cpu_seconds", "counter", ("kind",), "Processor seconds of jobs."),
    Metric("imputedb_run_bytes", "gauge", ("kind",), "Largest memory of the last job."),
)
"""The list of metrics, by name."""
