"""Draws that agree with a formula, against the truth: `python -m benchmarks.congenial [--replications 200] [--jobs 2]`.

Samples of a population in which x misses a third of its values because of what the outcome is (missing at random). The
model has an interaction and a square; x is drawn in agreement with it, the analysis fits it, and estimates are pooled.
Written are, by coefficient, the bias, and how many 95 % intervals hold the truth, with Monte Carlo errors.
"""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.completion.compatible import Compatible, Variable
from imputedb.completion.terms import parsed
from imputedb.imputers.chained import logistic
from imputedb.imputers.chained.trace import Trace
from imputedb.inference.rubin import pooled

ROWS, DRAWS, CYCLES = 300, 5, 15
FORMULA = "y ~ x*z + I(x**2)"
TRUTH = {"ols": (1.0, 1.0, 1.0, 0.5, 0.5), "logit": (-0.5, 0.7, 0.5, 0.6, 0.4)}
NAMES = ("Intercept", "x", "z", "x:z", "x^2")

Vector = NDArray[np.float64]


def sample(model: str, number: int) -> tuple[Vector, Vector, Vector, NDArray[np.bool_]]:
    """x, z, y, and where x is missing."""
    rng = np.random.default_rng([number, len(model)])
    z = rng.normal(size=ROWS)
    x = 0.5 * z + rng.normal(size=ROWS)
    mean = design(x, z) @ np.array(TRUTH[model])
    if model == "ols":
        y = mean + rng.normal(size=ROWS)
        score = 0.3 * (y - 2)
    else:
        y = (rng.random(ROWS) < logistic.logistic(mean)).astype(float)
        score = 1.2 * y - 0.2
    return x, z, y, rng.random(ROWS) < logistic.logistic(score - 0.8)


def design(x: Vector, z: Vector) -> NDArray[np.float64]:
    """The terms of the formula."""
    return np.column_stack([np.ones(len(x)), x, z, x * z, x**2])


def fitted(model: str, x: Vector, z: Vector, y: Vector) -> tuple[Vector, Vector]:
    """Estimates and their variances."""
    terms = design(x, z)
    if model == "logit":
        beta, root = logistic.fitted(terms, y, np.ones(len(y)))
        return beta, np.asarray((root @ root.T).diagonal())
    inverse = np.linalg.inv(terms.T @ terms)
    beta = inverse @ terms.T @ y
    return beta, np.asarray(inverse.diagonal() * ((y - terms @ beta) ** 2).sum() / (len(y) - len(beta)))


def replication(number: int, model: str) -> Mapping[str, list[tuple[float, bool]]]:
    """By way to analyse, of each coefficient its error and whether its interval holds the truth."""
    x, z, y, gone = sample(model, number)
    formula = parsed(FORMULA, {"x": (), "y": (), "z": ()}, ("x", "y", "z"))
    nowhere = np.zeros(ROWS, bool)
    variables = [Variable(Column("t", "z"), z, nowhere), Variable(Column("t", "x"), np.where(gone, 0, x), gone)]
    outcome, keys = Variable(Column("t", "y"), y, nowhere), np.arange(ROWS, dtype=np.uint64)
    chain = Compatible(formula, model, outcome, variables, keys, number, CYCLES)
    fits = []
    for draw in range(1, DRAWS + 1):
        whole = x.copy()
        whole[gone] = chain.draw(draw, Trace())["x"]
        fits.append(fitted(model, whole, z, y))
    return {
        "all values": _told(model, [fitted(model, x, z, y)] * 2),
        "complete cases": _told(model, [fitted(model, x[~gone], z[~gone], y[~gone])] * 2, int((~gone).sum())),
        "in agreement": _told(model, fits),
    }


def _told(model: str, fits: Sequence[tuple[Vector, Vector]], rows: int = ROWS) -> list[tuple[float, bool]]:
    found = []
    for place, right in enumerate(TRUTH[model]):
        numbers = [beta[place] for beta, _ in fits], [variance[place] for _, variance in fits]
        one = pooled(*numbers, df_complete=rows - len(TRUTH[model]))
        low, high = one.interval()
        found.append((one.estimate - right, bool(low <= right <= high)))
    return found


def table(model: str, found: Sequence[Mapping[str, list[tuple[float, bool]]]]) -> list[str]:
    """Lines of a table."""
    lines = [
        f"\n`{model}`, {FORMULA}\n",
        "| way | coefficient | truth | bias | Monte Carlo error | coverage, % |",
        "|---|---|---|---|---|---|",
    ]
    for way in found[0]:
        for place, name in enumerate(NAMES):
            errors = np.array([one[way][place][0] for one in found])
            held = np.mean([one[way][place][1] for one in found])
            error = errors.std(ddof=1) / np.sqrt(len(errors))
            lines.append(
                f"| {way} | {name} | {TRUTH[model][place]:g} | {errors.mean():.3f} | {error:.3f} | {100 * held:.1f} |"
            )
    return lines


def main() -> None:
    """Runs both models and writes results/congenial.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "congenial.md")
    asked = parser.parse_args()
    error = 100 * np.sqrt(0.95 * 0.05 / asked.replications)
    lines = [
        "# Draws that agree with a formula",
        "",
        f"{ROWS} rows, a third of x missing at random given y, m = {DRAWS}, {CYCLES} cycles, {asked.replications} "
        f"replications; coverage has a Monte Carlo error of {error:.1f} points. Python {platform.python_version()}, "
        f"NumPy {np.__version__}.",
    ]
    with ProcessPoolExecutor(asked.jobs) as workers:
        for model in TRUTH:
            found = list(workers.map(partial(replication, model=model), range(asked.replications), chunksize=5))
            lines += table(model, found)
    asked.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
