# ruff: noqa: ARG001, ARG002, ARG005
"""The checks for others' imputers and measures find each kind of mistake, and name it."""

import time
from typing import Any

import numpy as np
import pytest

from imputedb import ExtensionError
from imputedb.answers.multiple.calls import Call, over, times
from imputedb.answers.multiple.measures import Closed
from imputedb.imputers.random import uniform
from imputedb.imputers.rows import Rows
from imputedb.inference.scale import LOG
from imputedb.sql import ast as t
from imputedb.testing import check_imputer, check_measure, imputer_checks, measure_checks


class Anyone:
    """An observed value of any row, picked by the row's key: a good imputer, that bad ones are made of."""

    name = "anyone"
    uses_predictors = False

    def time(self, work: Any) -> float:
        return 0.1 + 1e-5 * float(work.rows) * float(work.targets)

    def penalty(self, work: Any) -> float:
        loss = (work.targets + work.spread) / work.attributes
        return float(loss / (1 + loss))

    def impute(
        self, rows: Rows, targets: Any, seed: int, progress: Any = None, *, drawn: Any = (), draw: int = 0
    ) -> Any:
        return {c: self.column(rows, c, seed, draw if c in drawn else None) for c in targets}

    def column(self, rows: Rows, column: Any, seed: int, draw: int | None) -> Any:
        cells = rows.columns[column]
        donors = np.sort(cells.values[rows.training(column)])
        if draw is None:
            return np.full(cells.missing.sum(), donors[len(donors) // 2], cells.values.dtype)
        picked = uniform(rows.keys[cells.missing], seed, draw, column.name)
        return donors[(picked * len(donors)).astype(int)]


def bad(**members: Any) -> Any:
    return type("Bad", (Anyone,), {"name": "bad", **members})()


def _column(change: Any) -> Any:
    return lambda self, rows, column, seed, draw: change(Anyone.column(self, rows, column, seed, draw), rows, column)


def _writes(self: Any, rows: Rows, targets: Any, seed: int, progress: Any = None, **asked: Any) -> Any:
    found = Anyone.impute(self, rows, targets, seed, progress, **asked)
    for column in targets:
        rows.columns[column].values[rows.columns[column].missing] = found[column]
    return found


def _globally(self: Any, rows: Rows, column: Any, seed: int, draw: int | None) -> Any:
    cells = rows.columns[column]
    return np.random.choice(cells.values[rows.training(column)], cells.missing.sum())


def _by_place(self: Any, rows: Rows, column: Any, seed: int, draw: int | None) -> Any:
    cells = rows.columns[column]
    donors = cells.values[rows.training(column)]
    return donors[np.random.default_rng((seed, draw or 0)).integers(0, len(donors), cells.missing.sum())]


def _from_all(self: Any, rows: Rows, column: Any, seed: int, draw: int | None) -> Any:
    return Anyone.column(self, Rows(rows.columns, rows.keys), column, seed, draw)


def _narrow(self: Any, rows: Rows, column: Any, seed: int, draw: int | None) -> Any:
    cells = rows.columns[column]
    donors = np.sort(cells.values[rows.training(column)])
    picked = 0.45 + 0.1 * uniform(rows.keys[cells.missing], seed, draw or 0, column.name)
    return donors[(picked * len(donors)).astype(int)]


def _the_same(self: Any, rows: Rows, column: Any, seed: int, draw: int | None) -> Any:
    return Anyone.column(self, rows, column, seed, None)


def _slow(self: Any, rows: Rows, column: Any, seed: int, draw: int | None) -> Any:
    time.sleep(0.2)
    return Anyone.column(self, rows, column, seed, draw)


def _fails(*_: Any, **__: Any) -> Any:
    raise KeyError("nothing of that name")


BAD: dict[str, tuple[Any, str]] = {
    "wrong length": (bad(column=_column(lambda v, rows, c: v[1:])), "values for .* missing cells"),
    "no number": (bad(column=_column(lambda v, rows, c: np.full(len(v), np.nan) if v.dtype.kind == "f" else v)), "nan"),
    "another type": (bad(column=_column(lambda v, rows, c: v.astype(float))), "values of type float64"),
    "texts": (bad(column=_column(lambda v, rows, c: v.astype(str))), "of type <U"),
    "no such category": (bad(column=_column(lambda v, rows, c: v + 5 if rows.columns[c].levels else v)), "category"),
    "nothing": (bad(impute=lambda self, *_, **__: None), "it is a mapping"),
    "other columns": (bad(impute=lambda self, *_, **__: {}), "gives nothing for"),
    "changes what it is shown": (bad(impute=_writes), "changes the cells of t.a|read-only"),
    "global random numbers": (bad(column=_globally), "global random state|differ when asked for twice"),
    "random numbers by place": (bad(column=_by_place), "depend on the order of the rows"),
    "learns from all rows": (bad(column=_from_all), "learnt from rows that `learn` leaves out"),
    "draws that are the same": (bad(column=_the_same), "all the same"),
    "draws without a seed": (bad(column=lambda s, r, c, seed, draw: Anyone.column(s, r, c, 0, draw)), "on the seed"),
    "draws that it denies": (bad(draws=False), "though it says draws = False"),
    "draws improperly": (bad(proper=True, column=_narrow), "though it says proper = True"),
    "time that falls": (bad(time=lambda self, work: 1e6 / work.rows), "time falls when rows grow"),
    "a penalty of 1": (bad(penalty=lambda self, work: 1.0), "penalty"),
    "an exception": (bad(column=_fails), "KeyError: 'nothing of that name'"),
    "no member": (bad(time=None), "time"),
    "a wrong call": (bad(impute=lambda self, rows: {}), "impute"),
    "a class": (Anyone, "class"),
    "odd flags": (bad(draws="no"), "it is True or False"),
    "told differently": (
        bad(impute_with_notes=lambda self, rows, targets, seed, progress=None, **given: (
            Anyone.impute(self, rows, targets, seed + 1, drawn=targets, draw=1), ["a sentence"])),
        "other than `impute` does",
    ),
}  # fmt: skip


def test_a_good_imputer_passes() -> None:
    check_imputer(Anyone())
    check_imputer("mean")
    assert [str(check) for check in imputer_checks("norm")]


@pytest.mark.parametrize("mistake", BAD)
def test_a_mistake_of_an_imputer_is_found_and_named(mistake: str) -> None:
    imputer, said = BAD[mistake]
    with pytest.raises(ExtensionError, match=said) as found:
        check_imputer(imputer)
    assert "bad" in str(found.value) or mistake == "a class"


def test_a_slow_imputer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imputedb.testing.imputers.SECONDS", 0.3)
    with pytest.raises(ExtensionError, match="200 rows took"):
        check_imputer(bad(column=_slow))


def fine(call: Call) -> t.Tree:
    """s^2 / n."""
    return over(call.of("var_samp", call.argument(0)), call.count)


MEASURES: dict[str, tuple[Any, str]] = {
    "too large": (Closed(frozenset({"avg"}), lambda call: times(t.number(9), fine(call))), "its variance is"),
    "no division": (Closed(frozenset({"avg"}), lambda call: call.of("var_samp", call.argument(0))), "its variance is"),
    "negative": (Closed(frozenset({"avg"}), lambda call: times(t.number(-1), fine(call))), "negative or infinite"),
    "nothing": (Closed(frozenset({"avg"}), lambda call: t.literal(None)), "standard error is nan"),
    "no expression": (Closed(frozenset({"avg"}), lambda call: 3), "it is an expression"),
    "an exception": (Closed(frozenset({"avg"}), lambda call: {}["x"]), "failed in variance: KeyError"),
    "a scale by name": (Closed(frozenset({"avg"}), fine, pooled_on="log"), "it is a scale"),
    "no names": (Closed(frozenset(), fine), "not a measure"),
    "upper case": (Closed(frozenset({"AVG"}), fine), "in lower case"),
    "a class": (Closed, "is a class"),
    "an object": (object(), "not a measure"),
}  # type: ignore[arg-type]


def test_a_good_measure_passes() -> None:
    check_measure(Closed(frozenset({"avg"}), fine))
    assert len(measure_checks(Closed(frozenset({"stddev", "variance"}), fine, LOG))) == 6


@pytest.mark.sampled(5)
@pytest.mark.parametrize("mistake", MEASURES)
def test_a_mistake_of_a_measure_is_found_and_named(mistake: str) -> None:
    measure, said = MEASURES[mistake]
    with pytest.raises(ExtensionError, match=said):
        check_measure(measure)
