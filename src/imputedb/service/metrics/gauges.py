"""Gauges that are refreshed at each scrape: admission, data, caches and kept models."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from imputedb.errors import Error
from imputedb.service.admission import Admission
from imputedb.service.core import Core
from imputedb.service.instance import Instance, Lease
from imputedb.service.metrics.meter import Meter


def refreshing(core: Core, meter: Meter) -> Callable[[], None]:
    """A function that refreshes the gauges."""
    known: list[Instance] = []

    def refresh() -> None:
        _of_admission(core.admission, meter)
        lease = core.instances.lease()
        try:
            instance = lease.instance
            meter.of("imputedb_data_age_seconds").set(max(0.0, time.time() - instance.stamp[2] / 1e9))
            _of_caches(lease, meter)
            if known != [instance]:
                _of_data(lease, meter)
                known[:] = [instance]
            _of_models(lease, meter)
        except Error:  # gauges keep their last values; /readyz reports the error
            pass
        finally:
            lease.end()

    return refresh


def _of_admission(admission: Admission, meter: Meter) -> None:
    meter.of("imputedb_requests_running").set(admission.running)
    meter.of("imputedb_requests_waiting").set(admission.waiting)
    meter.of("imputedb_workers").set(admission.workers)


def _of_caches(lease: Lease, meter: Meter) -> None:
    for use in lease.session.caches():
        if use.bytes is not None and not use.name.endswith("of this session"):
            meter.of("imputedb_index_bytes", use.name).set(use.bytes)


def _of_data(lease: Lease, meter: Meter) -> None:
    """Shares of missing values by column; the file does not change while it is open."""
    meter.forget("imputedb_missing_fraction")
    for table in lease.instance.rows:
        for column in lease.session.profile(table)[0].columns:
            if column.missing:
                meter.of("imputedb_missing_fraction", table, column.name).set(column.share)


def _of_models(lease: Lease, meter: Meter) -> None:
    meter.forget("imputedb_index_age_seconds")
    meter.forget("imputedb_model_stale")
    for model in lease.instance.listed_models(lease.session):
        fitted = datetime.fromisoformat(model.fitted_at).replace(tzinfo=UTC)
        meter.of("imputedb_index_age_seconds", model.name).set((datetime.now(UTC) - fitted).total_seconds())
        meter.of("imputedb_model_stale", model.name).set(int(bool(model.stale)))
        for column, error in model.error.items():
            meter.of("imputedb_hidden_cell_error", model.table, column).set(error)
