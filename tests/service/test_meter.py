"""What is measured: every metric that the docs name, from the one observer, and no value of the data in a label."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")

from prometheus_client.openmetrics.parser import text_string_to_metric_families

import imputedb
from imputedb.errors import Error
from imputedb.service.core import Core
from imputedb.service.jobs.runner import Ended
from imputedb.service.jobs.store import Job
from imputedb.service.metrics.gauges import refreshing
from imputedb.service.metrics.jobs import observing
from imputedb.service.metrics.meter import Meter
from imputedb.service.metrics.names import METRICS
from imputedb.service.request import Request
from tests.service.conftest import READER, configuration, made

DOCS = Path(__file__).resolve().parents[2] / "docs" / "service.md"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def meter(core: Core) -> Meter:
    found = Meter()
    core.observers.append(found.observe)
    found.before_each_scrape(refreshing(core, found))
    return found


def samples(meter: Meter) -> Samples:
    families = text_string_to_metric_families(meter.exposition().decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def asked(core: Core, text: str, **given: Any) -> None:
    with suppress(Error):
        core.answer(Request(READER, text, **given), lambda r, c, _: r.first(c)).future.result(60).close()


def test_every_metric_is_documented() -> None:
    row = r"^\| `(imputedb_[a-z_]+)(?:\{[a-z,]+\})?` \| [a-z]+ \| (.*?) \|$"
    told = dict(re.findall(row, DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == {one.name: one.meaning for one in METRICS}
    assert len(METRICS) > 30


def test_answers_are_counted_with_what_was_imputed(core: Core, meter: Meter) -> None:
    asked(core, "SELECT avg(weight) AS w FROM person", m=5, fit="query")
    asked(core, "SELECT count(*) FROM person")
    asked(core, "SELECT * FROM nix")
    core.impute(
        Request(READER, ""), "vitals", [{"id": 1, "height": 1.8, "weight": None, "sex": "f"}], None, None, spread=False
    ).future.result(60)
    found = samples(meter)
    assert value(found, "imputedb_queries_total", status="ok") == 2
    assert value(found, "imputedb_queries_total", status="UnknownName") == 1
    assert value(found, "imputedb_requests_total", kind="impute", status="ok") == 1
    assert value(found, "imputedb_query_seconds_count") == 3
    assert value(found, "imputedb_imputed_cells_total", table="person", column="weight", method="tree") > 0
    assert value(found, "imputedb_imputed_cells_total", table="person", column="weight", method="model") == 1
    assert value(found, "imputedb_analyses_total", pooled="true") == 1
    assert value(found, "imputedb_fmi_count") >= 1
    assert value(found, "imputedb_between_variance_ratio_count") >= 1
    assert value(found, "imputedb_penalty_count") == 1
    assert 0 < value(found, "imputedb_imputed_fraction", table="person", column="weight") <= 1
    assert value(found, "imputedb_imputed_missing_total") > 1


def test_gauges_tell_of_the_data_the_models_and_the_queue(core: Core, meter: Meter) -> None:
    asked(core, "SELECT avg(weight) FROM person", fit="query")
    found = samples(meter)
    assert 0.15 < value(found, "imputedb_missing_fraction", table="person", column="weight") < 0.35
    assert value(found, "imputedb_index_age_seconds", model="vitals") >= 0
    assert value(found, "imputedb_model_stale", model="vitals") == 0
    assert value(found, "imputedb_hidden_cell_error", table="person", column="weight") > 0
    assert value(found, "imputedb_workers") == 2
    assert value(found, "imputedb_data_age_seconds") >= 0
    assert any(name == "imputedb_index_bytes" for name, _ in found)
    assert value(found, "process_resident_memory_bytes") > 0


def test_the_same_request_is_answered_alike(core: Core, meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        asked(core, "SELECT id, weight FROM person WHERE height > ?", parameters=[170], seed=4)
    assert value(samples(meter), "imputedb_reproducibility_mismatch_total") == 0
    monkeypatch.setattr("imputedb.service.core._digest", lambda _: "another")
    asked(core, "SELECT id, weight FROM person WHERE height > ?", parameters=[170], seed=4)
    assert value(samples(meter), "imputedb_reproducibility_mismatch_total") == 1


def test_a_repeated_query_over_other_data_drifts(tmp_path: Path) -> None:
    path = made(tmp_path / "survey.duckdb", rows=200)
    core, meter = Core(path, configuration(), lambda _: None), Meter()
    core.observers.append(meter.observe)
    text = "SELECT avg(weight) AS w FROM person"
    try:
        asked(core, text, m=5)
        (drift,) = [one for (name, _), one in samples(meter).items() if name == "imputedb_estimate_drift"]
        assert drift == 0
        other = made(tmp_path / "next.duckdb", rows=200)
        with imputedb.connect(other) as db:
            db.execute("UPDATE person SET weight = weight + 20")
        os.replace(other, path)
        asked(core, text, m=5)
        (drift,) = [one for (name, _), one in samples(meter).items() if name == "imputedb_estimate_drift"]
        assert drift > 5
    finally:
        core.close()


def test_no_value_of_the_data_is_in_a_label(core: Core, meter: Meter) -> None:
    asked(core, "SELECT avg(weight) FROM person WHERE sex = 'sesame' OR height > 4711", m=3)
    shown = meter.exposition().decode()
    assert "sesame" not in shown
    assert "4711" not in shown


def test_sets_of_labels_are_bounded(meter: Meter) -> None:
    for number in range(1100):
        meter.of("imputedb_imputed_cells", "t", f"c{number}", "tree").inc()
    found = [labels for name, labels in samples(meter) if name == "imputedb_imputed_cells_total"]
    assert len(found) == 1001
    assert value(samples(meter), "imputedb_imputed_cells_total", table="other", column="other", method="other") == 100


def test_cells_without_a_neighbour_are_counted_as_fallbacks(tmp_path: Path) -> None:
    with imputedb.connect(tmp_path / "few.duckdb") as db:
        db.register("t", {"x": [1.0, 2.0, None, 4.0], "y": [None, None, 3.0, None]}, keep=True)
    core, meter = Core(tmp_path / "few.duckdb", configuration(), lambda _: None), Meter()
    core.observers.append(meter.observe)
    try:
        asked(core, "SELECT x FROM t", imputer="knn")
    finally:
        core.close()
    found = samples(meter)
    assert sum(one for (name, _), one in found.items() if name == "imputedb_fallback_total") == 1


def ended(kind: str, state: str, result: Any) -> Ended:
    job = Job("j", kind, state, READER, {}, "", None, None, 1, 1.0, result, None)  # type: ignore[arg-type]
    return Ended(job, 2.0, 1.5, 1000)


def test_jobs_are_counted_with_what_their_results_say() -> None:
    meter = Meter()
    observe = observing(meter)
    scores = [
        {"imputer": "tree", "column": "weight", "group": None, "error": 0.5},
        {"imputer": "mean", "column": "weight", "group": None, "error": 1.0},
        {"imputer": "tree", "column": "weight", "group": "f", "error": 0.75},
        {"imputer": "mean", "column": "weight", "group": "f", "error": 2.0},
        {"imputer": "tree", "column": "height", "group": None, "error": "nan"},
    ]
    observe(ended("evaluate", "done", {"table": "person", "scores": scores}))
    lines = {"way": ["norm", "pmm"], "name": ["w", "w"], "estimate": [5.0, 7.0], "low": [4.0, 6.0], "high": [6.0, 8.0]}
    observe(ended("compare", "done", {"lines": lines, "complete_cases": {"w": 4.0}}))
    observe(ended("cells", "done", {"missing": 3, "variance_ratios": [0.1, 0.2], "fallbacks": {"column": 2}}))
    observe(ended("impute", "failed", None))
    found = samples(meter)
    assert value(found, "imputedb_job_total", status="done") == 3
    assert value(found, "imputedb_job_total", status="failed") == 1
    assert value(found, "imputedb_run_cpu_seconds_total", kind="impute") == 1.5
    assert value(found, "imputedb_run_bytes", kind="impute") == 1000
    assert value(found, "imputedb_hidden_cell_error", table="person", column="weight") == 0.5
    assert value(found, "imputedb_subgroup_error_ratio", table="person", column="weight") == 1.5
    assert value(found, "imputedb_downstream_delta", way="pmm") == 3.0
    assert value(found, "imputedb_neighbor_variance_count") == 2
    assert value(found, "imputedb_fallback_total", reason="column") == 2
