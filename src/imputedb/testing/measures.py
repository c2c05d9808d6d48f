"""Conformance checks of measures (`imputedb.measures.Measure`)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from imputedb.answers.multiple.checked import Checked, own
from imputedb.database import Database, connect
from imputedb.testing.check import Check, require

ROWS, SAMPLES = 400, 80
"""Rows of a sample, and samples that a variance is compared over."""


def check_measure(measure: object, arguments: str = "x") -> None:
    """Checks that a measure has every required property, for each of its functions.

    Args:
        measure: a measure, or the name of one from an installed package.
        arguments: arguments of the functions, in SQL over columns x and y of correlated normal numbers.

    Raises:
        ExtensionError: a property does not hold; the message has the property and the observation.
    """
    for check in measure_checks(measure, arguments):
        check()


def measure_checks(measure: object, arguments: str = "x") -> list[Check]:
    """The single checks of a measure, for `pytest.mark.parametrize("check", measure_checks(...), ids=str)`.

    Raises:
        ExtensionError: the object is not a measure: a member is missing or is not valid.
    """
    (one,) = own((measure,))
    return [
        Check(f"measure of {name}", f"{name}({arguments}): {promise}", _bound(find, one, f"{name}({arguments})"))
        for name in sorted(one.names)
        for promise, find in PROMISES.items()
    ]


def _bound(find: Callable[[Checked, str], None], measure: Checked, call: str) -> Callable[[], None]:
    return lambda: find(measure, call)


def _sample(db: Database, seed: int, gaps: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 1, ROWS)
    y = x + rng.normal(0, 1, ROWS)
    lacking = np.arange(ROWS) % 5 == 0 if gaps else np.zeros(ROWS, bool)
    db.register("t", {"n": np.arange(ROWS), "x": np.ma.masked_array(x, lacking), "y": y})


def _answered(measure: Checked, call: str) -> None:
    with connect() as db:
        _sample(db, 0, gaps=True)
        for grouped in ("", " GROUP BY n % 2"):
            found = db.sql(f"SELECT {call} AS a FROM t{grouped}", m=4, imputer="norm", measures=measure)
            for row in found.estimates:
                one = row["a"]
                low, high = one.interval()
                if measure.reason is None:
                    require(math.isfinite(one.se) and one.se > 0, f"its standard error is {one.se}")
                    require(low <= one.estimate <= high, f"its interval [{low:g}, {high:g}] is not around the estimate")
                else:
                    require(math.isnan(low), "it gives a reason for no interval, and an interval")


def _small(measure: Checked, call: str) -> None:
    """For no row, one row or equal rows the variance may be undefined, without an error or a wrong number."""
    with connect() as db:
        for count in (0, 1, 2, 20):
            db.register("t", {"n": np.arange(count), "x": np.full(count, 2.0), "y": np.full(count, 3.0)})
            db.execute("INSERT INTO t VALUES (-1, NULL, 3), (-2, 2, 3)")
            for row in db.sql(f"SELECT {call} AS a FROM t", m=2, imputer="mean", measures=measure).estimates:
                error = row["a"].se if "a" in row else math.nan
                require(not error < 0, f"of {count + 1} equal values its standard error is {error}")


def _right(measure: Checked, call: str) -> None:
    """The variance must be that of the answers over many samples, within 4 Monte Carlo errors and a tenth."""
    if measure.reason is not None:
        return
    estimates, variances = [], []
    with connect() as db:
        for seed in range(SAMPLES):
            _sample(db, seed, gaps=False)
            one = db.sql(f"SELECT {call} AS a FROM t", m=2, imputer="mean", measures=measure).estimates[0]["a"]
            estimates.append(one.estimate)
            variances.append(one.se**2)
    if not np.ptp(estimates):
        return  # such as a count of all rows
    ratio, error = float(np.mean(variances) / np.var(estimates, ddof=1)), 4 * math.sqrt(2 / SAMPLES)
    require(
        0.9 / (1 + error) < ratio < 1.1 / (1 - error),
        f"over {SAMPLES} samples of {ROWS} normal numbers its variance is {ratio:.2f} times that of the answers",
    )


PROMISES: dict[str, Callable[[Checked, str], None]] = {
    "answers have errors and intervals, in whole and by group": _answered,
    "few rows and equal rows are answered": _small,
    "the variance is that of the answers over samples": _right,
}
"""What is promised, and what finds out."""
