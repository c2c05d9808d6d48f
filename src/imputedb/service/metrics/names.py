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
    Metric("imputedb_requests", "counter", ("kind", "status"), "Finished requests."),
    Metric("imputedb_queries", "counter", ("status",), "Finished statements, by status: ok, or the name of the error."),
    Metric("imputedb_query_seconds", "histogram", (), "Seconds from arrival to answer.", _TIMES),
    Metric("imputedb_wait_seconds", "histogram", (), "Seconds that requests waited for a worker.", _TIMES),
    Metric("imputedb_plan_seconds", "histogram", (), "Seconds from text to plan.", _TIMES),
    Metric("imputedb_impute_seconds", "histogram", (), "Seconds of answers and rows with imputed values.", _TIMES),
    Metric(
        "imputedb_door_requests",
        "counter",
        ("door", "status"),
        "Finished requests, by server.",
    ),
    Metric("imputedb_connections", "gauge", ("door",), "Open connections of the PostgreSQL server."),
    Metric("imputedb_requests_running", "gauge", (), "Running requests."),
    Metric("imputedb_requests_waiting", "gauge", (), "Queued requests."),
    Metric("imputedb_workers", "gauge", (), "Number of requests that can run concurrently."),
    Metric("imputedb_imputed_cells", "counter", ("table", "column", "method"), "Imputed cells."),
    Metric("imputedb_imputed_missing", "counter", (), "Imputed cells, and missing cells whose imputation was avoided."),
    Metric(
        "imputedb_imputed_fraction",
        "gauge",
        ("table", "column"),
        "Imputed cells of the last imputed answer, over the rows of the table.",
    ),
    Metric("imputedb_missing_fraction", "gauge", ("table", "column"), "Share of missing values of the column."),
    Metric("imputedb_dropped_rows", "counter", ("table",), "Rows dropped for missing values."),
    Metric("imputedb_penalty", "histogram", (), "Estimated loss of information of imputed answers.", _SHARES),
    Metric(
        "imputedb_between_variance_ratio",
        "histogram",
        (),
        "Ratio of the variance between draws to that within draws, of each estimate.",
        _RATIOS,
    ),
    Metric("imputedb_fmi", "histogram", (), "Fraction of missing information of each estimate.", _SHARES),
    Metric(
        "imputedb_estimate_drift",
        "gauge",
        ("query",),
        "Change of a repeated pooled query's estimate since its first answer, in standard errors.",
    ),
    Metric("imputedb_analyses", "counter", ("pooled",), "Imputed answers, by whether draws were pooled."),
    Metric(
        "imputedb_reproducibility_mismatch",
        "counter",
        (),
        "Answers that differ from an earlier answer to the same request.",
    ),
    Metric("imputedb_diagnostics", "counter", ("check", "result"), "Checks of imputed answers: pass or fail."),
    Metric("imputedb_fallback", "counter", ("reason",), "Cells imputed by a fallback method, by stage."),
    Metric(
        "imputedb_neighbor_variance",
        "histogram",
        (),
        "Ratio of the variance of a cell's neighbours to that of its column, in jobs that explain cells.",
        _SPREADS,
    ),
    Metric("imputedb_index_bytes", "gauge", ("cache",), "Bytes of caches: columns, indexes, models."),
    Metric("imputedb_index_age_seconds", "gauge", ("model",), "Seconds since a kept model was fitted."),
    Metric("imputedb_model_stale", "gauge", ("model",), "1 if a kept model's table has changed since the fit, else 0."),
    Metric("imputedb_data_age_seconds", "gauge", (), "Seconds since the last change of the served file."),
    Metric("imputedb_hidden_cell_error", "gauge", ("table", "column"), "Error on hidden cells, from the last job."),
    Metric(
        "imputedb_subgroup_error_ratio",
        "gauge",
        ("table", "column"),
        "Ratio of the largest error of a subgroup to the error of all rows, by the best imputer, from the last job.",
    ),
    Metric(
        "imputedb_downstream_delta",
        "gauge",
        ("way",),
        "Distance of an answer from that of complete cases, in half-widths of its interval, from the last job.",
    ),
    Metric("imputedb_audit_records", "counter", (), "Records of the audit log."),
    Metric("imputedb_job", "counter", ("status",), "Finished jobs: done, failed or cancelled."),
    Metric("imputedb_jobs_waiting", "gauge", (), "Queued jobs."),
    Metric("imputedb_job_seconds", "histogram", ("kind",), "Seconds that jobs took.", (*_TIMES, 1800.0, 7200.0)),
    Metric("imputedb_run_cpu_seconds", "counter", ("kind",), "Processor seconds of jobs."),
    Metric("imputedb_run_bytes", "gauge", ("kind",), "Peak memory of the last job."),
)
"""The list of metrics, by name."""
