"""Distances, neighbours and imputed values of R and scikit-learn, where their files are."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from imputedb.neighbours import votes
from imputedb.neighbours.column import Attribute, Measure
from imputedb.neighbours.impute import fill
from imputedb.neighbours.index import Index
from imputedb.neighbours.metric import Floats
from imputedb.neighbours.search import Cells, cells_of
from imputedb.neighbours.settings import Settings

CLOSE = 1e-8
N, O, A, L, NUM = Measure.NOMINAL, Measure.ORDINAL, Measure.ASYMMETRIC, Measure.LOG, Measure.NUMERIC  # noqa: E741


@pytest.fixture(scope="module")
def reference(shared: Path) -> Path:
    if not (shared / "reference" / "gower.json").exists():
        pytest.skip("the reference values of ../shared/reference are not here")
    return shared / "reference"


def table(path: Path, measures: Mapping[str, Measure], levels: Mapping[str, Sequence[str]]) -> dict[str, Attribute]:
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    out = {}
    for name in rows[0]:
        texts = [row[name] for row in rows]
        missing = np.array([text == "NA" for text in texts])
        measure = measures.get(name, NUM)
        if measure in (N, O):
            known = list(levels.get(name) or sorted({text for text in texts if text != "NA"}))
            values = np.array([0 if text == "NA" else known.index(text) for text in texts], np.int32)
        else:
            flags = {"TRUE": 1.0, "FALSE": 0.0, "NA": 0.0}
            values = np.array([flags[text] if text in flags else float(text) for text in texts])
        out[name] = Attribute(values, missing, measure)
    return out


def distances(attributes: Sequence[Attribute], weights: Sequence[float] | None = None, metric: str = "gower") -> Floats:
    """(n, n) all distances, by asking for all neighbours of every row."""
    scaling = "none" if metric == "euclidean" else None
    index = Index(attributes, Settings(k=1, metric=metric, scaling=scaling))  # type: ignore[arg-type]
    n = index.count
    cells = Cells(np.arange(n), np.arange(n + 1), np.zeros(n, np.int32))
    found = index.nearest(cells, [np.ones(n, np.uint8)], n, np.array(weights or [1.0] * len(attributes)))
    out = np.full((n, n), np.nan)
    for row in range(n):
        there = found.rows[row] >= 0
        out[row, found.rows[row][there]] = found.distances[row][there]
    return out


def matrix(values: Any) -> Floats:
    return np.array([[np.nan if v is None else v for v in row] for row in values], float)


MIXED = {"nom": N, "ord": O, "sym": N, "asy": A}
DAISY = {
    "numeric_only": {},
    "nominal_only": {},
    "ordered_rank": {},
    "mixed_default": {},
    "mixed_asymm": {},
    "mixed_symm": {"asy": N},
    "logratio": {"logr": L},
    "weights": {},
    "everything": {"logr": L},
}


@pytest.mark.parametrize("case", list(DAISY))
def test_gower_is_daisy(reference: Path, case: str) -> None:
    data = json.loads((reference / "gower.json").read_text())
    found = next(one for one in data["daisy"] if one["id"] == case)
    columns = found["columns"] if isinstance(found["columns"], list) else [found["columns"]]
    measures = {**MIXED, **DAISY[case]}
    mixed = table(reference / "data" / "gower_mixed.csv", measures, {"ord": ["lo", "mid", "hi"]})
    weights = dict(found["args"] or {}).get("weights")
    ours = distances([mixed[name] for name in columns], weights)
    np.testing.assert_allclose(ours, matrix(found["matrix"]), rtol=CLOSE, atol=1e-12)


@pytest.mark.parametrize("case", ["default", "asymm3"])
def test_gower_of_flowers(reference: Path, case: str) -> None:
    found = json.loads((reference / "gower.json").read_text())["daisy_flower"]
    measures = {"V1": N, "V2": N, "V3": A if case == "asymm3" else N, "V4": N, "V5": O, "V6": O}
    levels = {"V5": ["1", "2", "3"], "V6": [str(level) for level in range(1, 19)]}
    flowers = table(reference / "data" / "flower.csv", measures, levels)
    np.testing.assert_allclose(distances(list(flowers.values())), matrix(found[case]), rtol=CLOSE, atol=1e-12)


def test_gower_of_complete_rows_is_the_gower_package(reference: Path) -> None:
    found = json.loads((reference / "gower.json").read_text())["gower_pkg"]["complete"]
    complete = table(reference / "data" / "gower_complete.csv", {"nom": N, "lgl": A}, {})
    np.testing.assert_allclose(distances(list(complete.values())), matrix(found["matrix"]), rtol=CLOSE, atol=1e-12)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


LEVELS = {
    "gen": [f"G{level}" for level in range(1, 6)],
    "phb": [f"P{level}" for level in range(1, 7)],
    "age": ["20-39", "40-59", "60-99"],
}
JOBS: dict[str, dict[str, Measure]] = {
    "nhanes2": {"age": N, "hyp": N},
    "nhanes_numeric": {},
    "nhanes2_weighted": {"age": N, "hyp": N},
    "boys80": {"gen": O, "phb": O, "reg": N},
}


@pytest.mark.parametrize("job", list(JOBS))
def test_neighbours_and_what_they_say(reference: Path, job: str) -> None:
    found = next(
        one for one in json.loads((reference / "gower_knn_reference.json").read_text())["jobs"] if one["id"] == job
    )
    columns = table(reference / found["data"], JOBS[job], LEVELS)
    columns.pop("row", None)
    names, attributes = list(columns), list(columns.values())
    weights = np.array([(found["weights"] or {}).get(name, 1.0) for name in names])
    index = Index(attributes, Settings())
    cells = cells_of([~attribute.observed for attribute in attributes])
    copies = [attribute.observed.astype(np.uint8) for attribute in attributes]
    places = {(row, names[t]): i for i, (row, t) in enumerate(zip(cells.row_of_cell, cells.targets, strict=True))}
    assert len(found["cells"]) == found["n_cells"]
    checked = 0
    for cell in found["cells"]:
        at = places[cell["row_1based"] - 1, cell["column"]]
        attribute = columns[cell["column"]]
        for result in cell["results"]:
            near = index.nearest(cells, copies, result["k"], weights)
            rows, apart = near.rows[at], near.distances[at]
            expected = np.array(listed(result["distances"]), float)
            np.testing.assert_allclose(apart[: len(expected)], expected, rtol=CLOSE, atol=1e-12)
            if result["tie_at_boundary"] or len(np.unique(np.round(expected, 12))) < len(expected):
                continue  # R sorts distances that differ in the last bit; rows of a tie are compared in other tests
            assert (rows + 1).tolist() == listed(result["neighbours_1based"])
            values = attribute.values[rows][None, :].astype(float)
            uniform, near_first = np.ones((1, len(rows))), votes.shares(apart[None, :], "distance")
            checked += 1
            if "mean" in result:
                close = {"rel": 1e-8, "abs": 1e-12}
                assert votes.mean(values, uniform)[0] == pytest.approx(result["mean"], **close)
                assert votes.median(values, uniform)[0] == pytest.approx(result["median"], **close)
                assert votes.mean(values, near_first)[0] == pytest.approx(result["weighted_mean_inv_distance"], **close)
                if result["k"] > 1:
                    assert votes.variance(values, uniform)[0] == pytest.approx(result["variance_ddof1"], **close)
            if "vote_entropy" in result:
                assert votes.entropy(values, uniform)[0] == pytest.approx(result["vote_entropy"], abs=1e-9)
    assert checked or job.startswith("nhanes")


def frame(values: Any) -> list[Attribute]:
    cells = matrix(values)
    return [Attribute(column, np.isnan(column)) for column in cells.T]


SKLEARN = [
    "sklearn_doc_3nn",
    "zero_distance",
    "few_donors",
    "no_common_coords",
    "all_nan_row",
    "int_like",
    "random30x5",
]


@pytest.mark.parametrize("case", SKLEARN)
def test_scikit_learn_distances_and_values(reference: Path, case: str) -> None:
    found = next(
        one for one in json.loads((reference / "sklearn_knnimputer.json").read_text())["cases"] if one["id"] == case
    )
    columns = frame(found["X"])
    apart = distances(columns, metric="euclidean")
    expected = matrix(found["nan_euclidean"])
    np.fill_diagonal(expected, np.where(np.isnan(np.diag(apart)), np.nan, 0.0))
    np.testing.assert_allclose(apart, expected, rtol=1e-9, atol=1e-9)
    tied = any(len(np.unique(np.round(row[~np.isnan(row)], 9))) < (~np.isnan(row)).sum() for row in apart)
    for result in found["results"]:
        if result["keep_empty_features"] or (tied and case not in ("sklearn_doc_3nn", "zero_distance", "all_nan_row")):
            continue
        settings = Settings(result["n_neighbors"], "euclidean", "none", weighting=result["weights"], fallback=("mean",))
        filled = fill(columns, range(len(columns)), settings, lambda _: np.arange(len(apart)) / len(apart))
        out = matrix(found["X"])
        for place, values in filled.values.items():
            out[np.isnan(out[:, place]), place] = values
        np.testing.assert_allclose(out, matrix(result["imputed"]), rtol=1e-9, atol=1e-9)


SLEEP = {
    "bw": "BodyWgt", "brw": "BrainWgt", "sws": "NonD", "ps": "Dream", "ts": "Sleep", "mls": "Span", "gt": "Gest",
    "pi": "Pred", "sei": "Exp", "odi": "Danger",
}  # fmt: skip
"""Columns of mice's mammalsleep.csv, which VIM calls `sleep`."""

VIM = {
    "mixed_k3_noimputeddist": 1,
    "sleep_k5_noimputeddist": 30,
    "sleep_k5_mean_noimputeddist": 30,
    "nhanes2_k5_noimputeddist": 1,
    "sleep_iqr": 30,
    "sleep_weights": 10,
}
"""Runs of VIM, and how many cells have a k-th neighbour that is nearer than the next."""


def as_vim_compares(attribute: Attribute, spread: str) -> Attribute:
    """A column as VIM's kNN sees it: gaps have a value of their own, one beyond the largest, and none is left."""
    seen = attribute.values[attribute.observed].astype(float)
    if attribute.measure is N:
        codes = np.where(attribute.observed, attribute.values, int(seen.max()) + 1).astype(np.int32)
        return Attribute(codes, np.zeros(len(codes), bool), N)
    low, high = (seen.min(), seen.max()) if spread == "range" else np.quantile(seen, [0.25, 0.75])
    scaled = attribute.values / (high - low)
    filled = np.where(attribute.observed, scaled, scaled[attribute.observed].max() + 1)
    return Attribute(filled, np.zeros(len(filled), bool))


@pytest.mark.parametrize(("case", "least"), VIM.items())
def test_vim_takes_the_same_values(reference: Path, case: str, least: int) -> None:
    """VIM's kNN counts a gap as a value of its own; with gaps coded so, what both fill in is the same, but for ties."""
    found = next(one for one in json.loads((reference / "vim_knn.json").read_text())["runs"] if one["id"] == case)
    given, kind = found["args"], case.partition("_")[0]
    name = {"mixed": "gower_mixed", "sleep": "mammalsleep", "nhanes2": "nhanes2"}[kind]
    measures = dict.fromkeys({"mixed": ["nom", "sym", "ord"], "nhanes2": ["age", "hyp"], "sleep": ["species"]}[kind], N)
    columns = table(reference / "data" / f"{name}.csv", measures, LEVELS)
    columns = {SLEEP.get(name, name): column for name, column in columns.items()}
    wanted = [name for name in columns if name in found["imputed"][0]]
    weights = dict(zip(wanted, given.get("weights", [1] * len(wanted)), strict=True))
    coded = {name: as_vim_compares(columns[name], given.get("methodStand", "range")) for name in wanted}
    how: Literal["mean", "median"] = "mean" if "numFun" in given else "median"
    rows = len(columns[wanted[0]].values)
    uniform = np.arange(rows) / rows
    compared = 0
    for name in wanted:
        target, others = columns[name], [other for other in wanted if other != name]
        by = np.array([1.0, *(weights[other] for other in others)])
        settings = Settings(
            given["k"], "manhattan", "none", aggregate=how, weighting="uniform", weights=tuple(by.tolist())
        )
        attributes = [target, *(coded[other] for other in others)]
        asked = np.flatnonzero(~target.observed)
        if not len(asked):
            continue
        filled = fill(attributes, [0], settings, lambda _: uniform).values[0]
        cells = Cells(asked, np.arange(len(asked) + 1), np.zeros(len(asked), np.int32))
        index = Index(attributes, settings)
        near = index.nearest(cells, [target.observed.astype(np.uint8)], given["k"] + 1, by).distances
        for row, value, apart in zip(asked, filled, near, strict=True):
            if apart[-1] - apart[-2] > 1e-9 and target.measure is not N:
                assert value == pytest.approx(found["imputed"][row][name]), (name, row)
                compared += 1
    assert compared >= least
