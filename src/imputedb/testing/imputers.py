"""Conformance checks of imputers (`imputedb.imputers.Imputer`)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from imputedb.algebra.column import Column
from imputedb.imputers import checked, checked_values
from imputedb.imputers.protocol import Imputer, Work, draws_differ, is_proper, learns_from_sample, reports_notes
from imputedb.imputers.registry import Choice, single_imputer
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.statistics.table import Kind
from imputedb.testing.check import Check, require
from imputedb.testing.queries import answers_queries
from imputedb.testing.rows import EVERY, NUMBER, TEXT, WHOLE, changed, copied, rows, whole

SECONDS = 10.0
"""What filling in 200 rows may take."""

MANY, FEW = 12, 5


def check_imputer(imputer: Choice) -> None:
    """Checks that an imputer has every required property, like scikit-learn's `check_estimator`.

    Args:
        imputer: an imputer, or the name of one.

    Raises:
        ExtensionError: a property does not hold; the message has the property and the observation.
    """
    for check in imputer_checks(imputer):
        check()


def imputer_checks(imputer: Choice) -> list[Check]:
    """The single checks of an imputer, for `pytest.mark.parametrize("check", imputer_checks(...), ids=str)`.

    Raises:
        ExtensionError: the object is not an imputer: a member is missing or is not valid.
    """
    one = single_imputer(imputer, "checks are of")
    return [Check(f"imputer {one.name}", promise, _bound(find, one)) for promise, find in PROMISES.items()]


def _bound(find: Callable[[Imputer], None], imputer: Imputer) -> Callable[[], None]:
    return lambda: find(imputer)


def _single(imputer: Imputer, given: Rows, targets: Sequence[Column], seed: int = 0) -> dict[Column, Array]:
    return checked.imputed(imputer, given, targets, seed)[0]


def _drawn(
    imputer: Imputer, given: Rows, targets: Sequence[Column], some: Sequence[Column], seed: int, draw: int
) -> dict[Column, Array]:
    """Single values of the targets; one draw for those in `some`."""
    options = {"drawn": some, "draw": draw} if some else {}
    filled = imputer.impute(given.read_only(), targets, seed, **options)  # type: ignore[arg-type]
    return {c: checked_values.checked_values(imputer.name, c, given.columns[c], filled.get(c)) for c in targets}


# -- one by one -------------------------------------------------------------------------------------------------------


def _prices(imputer: Imputer) -> None:
    for missing in (0.0, 0.01, 0.3, 1.0):
        for targets in (1, 4):
            works = [Work(float(n), targets, 10, missing, 0.4 * targets) for n in np.geomspace(1, 1e8, 60)]
            prices = [checked.priced(imputer, work) for work in works]
            penalties, times = [p for p, _ in prices], [t for _, t in prices]
            require(times == sorted(times), f"time falls when rows grow ({missing:.0%} missing, {targets} targets)")
            require(
                penalties == sorted(penalties, reverse=True),
                f"penalty rises when rows grow ({missing:.0%} missing, {targets} targets)",
            )


def _fills(imputer: Imputer) -> None:
    began = perf_counter()
    _single(imputer, rows(), EVERY)
    took = perf_counter() - began
    require(took < SECONDS, f"200 rows took {took:.0f} s, more than {SECONDS:.0f}")


def _changes_nothing(imputer: Imputer) -> None:
    given = copied(rows())
    before = copied(given)
    try:
        imputer.impute(given, EVERY, 0)
    finally:
        for column, cells in before.columns.items():
            now = given.columns[column]
            same = np.array_equal(now.values, cells.values) and np.array_equal(now.missing, cells.missing)
            require(same, f"it changes the cells of {column} that it was shown: copy them")
        require(np.array_equal(given.keys, before.keys), "it changes the rows' keys")


def _one_seed(imputer: Imputer) -> None:
    given = rows()
    order = np.argsort(given.keys)
    turned = given.at(order)
    for some in ((), (WHOLE, TEXT), (TEXT,)):
        first, again = (_drawn(imputer, given, (WHOLE, TEXT), some, 4, 3) for _ in range(2))
        other = _drawn(imputer, turned, (WHOLE, TEXT), some, 4, 3)
        for column in (WHOLE, TEXT):
            what = f"{'draws' if column in some else 'values'} of {column}"
            require(np.array_equal(first[column], again[column]), f"{what} differ when asked for twice")
            same = np.array_equal(whole(given, column, first[column])[order], whole(turned, column, other[column]))
            require(same, f"{what} depend on the order of the rows: key random numbers and ties by rows.keys")


def _no_global_state(imputer: Imputer) -> None:
    given, found = rows(), []
    kept = np.random.get_state(), random.getstate()  # global states that an imputer must not change
    try:
        for state in (1, 2):
            np.random.seed(state)
            random.seed(state)
            before = np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index]
            found.append(_drawn(imputer, given, EVERY, EVERY, 1, 1))
            after = np.random.get_state()[1], random.getstate()  # type: ignore[index]
            untouched = np.array_equal(before[0], after[0]) and before[1] == after[1]
            require(untouched, "it draws from the global random state: use imputedb.imputers.random")
    finally:
        np.random.set_state(kept[0])
        random.setstate(kept[1])
    for column in EVERY:
        require(np.array_equal(found[0][column], found[1][column]), f"draws of {column} depend on the global seed")


def _learns_where_it_may(imputer: Imputer) -> None:
    plain = rows(300)
    given = Rows(plain.columns, plain.keys, plain.keys < 200)
    assert given.learn is not None
    for column, far in ((WHOLE, 1_000_000), (NUMBER, 1e9), (TEXT, None)):
        cells = given.columns[column]
        values: Any = cells.values.copy()
        aside = ~given.learn & ~cells.missing
        values[aside] = 1 - values[aside] if far is None else values[aside] * 7 + far
        for some in ((), (column,)):
            before = _drawn(imputer, given, [column], some, 1, 2)
            after = _drawn(imputer, changed(given, column, values), [column], some, 1, 2)
            require(
                np.array_equal(before[column], after[column]), f"{column} is learnt from rows that `learn` leaves out"
            )


def _nothing_missing(imputer: Imputer) -> None:
    given = rows()
    complete = {c: x.like(x.values, np.zeros(len(x.missing), bool)) for c, x in given.columns.items()}
    for values in _single(imputer, Rows(complete, given.keys), EVERY).values():
        require(len(values) == 0, "it fills in where nothing is missing")


def _one_value(imputer: Imputer) -> None:
    missing = np.ones(50, bool)
    missing[7] = False
    cells = {
        WHOLE: Cells(np.arange(50), missing, Kind.INTEGER),
        NUMBER: Cells(np.arange(50.0), np.zeros(50, bool), Kind.NUMBER),
    }
    for some in ((), (WHOLE,)):
        found = _drawn(imputer, Rows(cells, np.arange(50, dtype=np.uint64)), [WHOLE], some, 0, 1)[WHOLE]
        require((found == 7).all(), f"of a column whose only value is 7 it gives {found[found != 7][:1]}")


def _infinity(imputer: Imputer) -> None:
    given = rows()
    values = given.columns[NUMBER].values.copy()
    values[np.flatnonzero(~given.columns[NUMBER].missing)[:2]] = [np.inf, -np.inf]
    for some in ((), (NUMBER,)):
        _drawn(imputer, changed(given, NUMBER, values), [NUMBER], some, 0, 1)


def _draws_by_number(imputer: Imputer) -> None:
    given = rows()
    for targets in ((NUMBER,), EVERY):
        many = list(checked.draws(imputer, given, targets, 2, range(1, MANY + 1)))
        few = list(checked.draws(imputer, given, targets, 2, range(1, FEW + 1)))
        alone = _drawn(imputer, given, targets, targets, 2, 4)
        for column in targets:
            for number, (a, b) in enumerate(zip(many, few, strict=False), 1):
                same = np.array_equal(a[column], b[column])
                require(same, f"draw {number} of {column} is another one among {MANY} draws than among {FEW}")
            require(np.array_equal(few[3][column], alone[column]), f"draw 4 of {column} is another one when alone")
    differ = any(not np.array_equal(many[0][NUMBER], other[NUMBER]) for other in many[1:])
    if draws_differ(imputer):
        require(differ, "its draws are all the same: let them differ by `draw`, or say draws = False")
        other = _drawn(imputer, given, [NUMBER], [NUMBER], 3, 1)[NUMBER]
        require(not np.array_equal(many[0][NUMBER], other), "its draws do not depend on the seed")
    else:
        require(not differ, "its draws differ, though it says draws = False")


def _draws_apart(imputer: Imputer) -> None:
    given = rows()
    for some in ((NUMBER,), (WHOLE, TEXT)):
        both = _drawn(imputer, given, EVERY, some, 2, 4)
        for column, values in _drawn(imputer, given, some, some, 2, 4).items():
            require(np.array_equal(both[column], values), f"draws of {column} depend on single values beside them")


def _proper(imputer: Imputer) -> None:
    """For the mean of n values, n0 of them missing at random, draws vary by s^2 n0 / (n n1) (Rubin 1987, 4.2)."""
    if not is_proper(imputer):
        return
    rng = np.random.default_rng(5)
    n, m = 400, 150
    missing, none = np.arange(n) % 2 == 0, np.zeros(n, bool)
    y = rng.normal(size=n)
    given = Rows(
        {NUMBER: Cells(y, missing, Kind.NUMBER), WHOLE: Cells(rng.normal(size=n), none, Kind.NUMBER)},
        np.arange(n, dtype=np.uint64),
    )
    means = [
        whole(given, NUMBER, d[NUMBER]).mean() for d in checked.draws(imputer, given, [NUMBER], 1, range(1, m + 1))
    ]
    expected = y[~missing].var(ddof=1) * missing.sum() / (n * (~missing).sum())
    ratio, error = float(np.var(means, ddof=1) / expected), 4 * np.sqrt(2 / m)
    near = 0.85 * (1 - error) < ratio < 1.15 * (1 + error)
    require(near, f"means of its draws vary {ratio:.2f} times as much as is unknown, though it says proper = True")


def _reports_notes(imputer: Imputer) -> None:
    if not reports_notes(imputer):
        return
    given = rows()
    values, notes = checked.imputed(imputer, given, EVERY, 0)
    require(all(one.strip() for one in notes), "it says an empty sentence")
    plain = _drawn(imputer, given, EVERY, (), 0, 0)
    for column in EVERY:
        require(
            np.array_equal(values[column], plain[column]),
            f"`impute_with_notes` fills {column} in other than `impute` does",
        )


def _sample(imputer: Imputer) -> None:
    if learns_from_sample(imputer):
        for missing in (1.0, 1e3, 1e6):
            checked.learning_rows(imputer, missing)


def _progress(imputer: Imputer) -> None:
    shares: list[float] = []
    list(checked.draws(imputer, rows(), [NUMBER], 0, range(1, FEW + 1), shares.append))
    require(
        shares == sorted(shares) and all(0 <= share <= 1 for share in shares), f"the progress it tells falls: {shares}"
    )
    require(shares and abs(shares[-1] - 1) < 1e-9, f"the progress it tells does not end at 1: {shares[-3:]}")


PROMISES: dict[str, Callable[[Imputer], None]] = {
    "prices lie within their bounds and never improve with fewer rows": _prices,
    "every missing cell gets a value of its column's type, in time": _fills,
    "nothing that it is shown is changed": _changes_nothing,
    "one seed gives one answer, whatever the order of the rows": _one_seed,
    "no global random state is used": _no_global_state,
    "rows that are not to be learnt from say nothing": _learns_where_it_may,
    "nothing missing, nothing filled in": _nothing_missing,
    "one observed value is enough": _one_value,
    "an observed infinity is not a missing value": _infinity,
    "draws differ by their numbers and the seed, and by nothing else": _draws_by_number,
    "draws do not depend on single values beside them": _draws_apart,
    "draws that are said to be proper differ as much as is unknown": _proper,
    "notes are of what it gives": _reports_notes,
    "it learns from a positive number of rows": _sample,
    "the progress of draws rises to 1": _progress,
    "queries over every type are answered, with one draw and with several": answers_queries,
}
"""What is promised, and what finds out."""
