"""The tables of a world: drawn complete, then with holes."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage.design import World

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]
Table = Mapping[str, Any]

THRESHOLDS: Mapping[str, float] = {
    "normal": 3.0,
    "lognormal": 2.5,
    "heavy-tailed": 3.0,
    "zero-inflated": 2.0,
    "U-shaped": 3.0,
    "interactions": 3.0,
    "rare binary": 0.5,
    "ordinal": 3.5,
}
"""What y is compared with by COUNT with a filter and by the share: a number that a quarter or so exceeds."""


def joined(world: World) -> int:
    """How many rows the join of t and u has."""
    return int(_children(world).sum())


def _children(world: World) -> NDArray[np.int64]:
    return 1 + np.arange(world.rows) % 3 if world.join == "1:n" else np.ones(world.rows, np.int64)


def complete(world: World, rng: np.random.Generator) -> tuple[Table, Table]:
    """Tables t (id, a, x, c, y) and u (tid, z) without a hole: a is known of everybody, c has three categories."""
    n = world.rows
    a = rng.normal(size=n)
    x = 0.5 * a + math.sqrt(0.75) * rng.normal(size=n)
    code = np.digitize(0.4 * a + 0.6 * x + rng.normal(size=n), [-0.5, 0.5])
    y = outcome(world.distribution, a, x, code, rng)
    t = {"id": np.arange(n), "a": a, "x": x, "c": np.array(["p", "q", "r"], object)[code], "y": y}
    tid = np.repeat(np.arange(n), _children(world))
    return t, {"tid": tid, "z": 3 + 0.5 * rng.normal(size=len(tid))}


def outcome(distribution: str, a: Vector, x: Vector, code: NDArray[np.intp], rng: np.random.Generator) -> Vector:
    """(n,) y given the others."""
    n = len(a)
    eta = 0.5 * x + 0.5 * a + 0.4 * code
    match distribution:
        case "normal":
            return 1.6 + eta + rng.normal(size=n)
        case "lognormal":
            return np.asarray(np.exp(0.2 + 0.4 * eta + 0.5 * rng.normal(size=n)))
        case "heavy-tailed":
            return 1.6 + eta + rng.standard_t(3, n) / math.sqrt(3)
        case "zero-inflated":
            there = rng.random(n) < _chance(0.4 + 0.8 * eta)
            return np.where(there, np.exp(0.4 + 0.3 * eta + 0.4 * rng.normal(size=n)), 0.0)
        case "U-shaped":
            return 2 + 0.8 * (a**2 - 1) + 0.3 * x + rng.normal(size=n)
        case "interactions":
            return 1.4 + eta + 0.7 * x * a + 0.6 * x * (code == 2) + rng.normal(size=n)
        case "rare binary":
            return (rng.random(n) < _chance(-3.2 + 0.8 * eta)).astype(np.float64)
        case "ordinal":
            return 1.0 + np.digitize(eta + rng.logistic(size=n) / 2, [-1.0, 0.0, 0.8, 1.8])
    raise AssertionError(distribution)


def holes(world: World, table: Table, rng: np.random.Generator) -> Mapping[str, Flags]:
    """Which cells of y, c and x are missing.

    y misses the world's share. `apart`: c and x miss half of it, each on its own. `blocks`: all three in the same rows.
    `monotone`: c misses in two thirds of those rows, x in half of these. MAR is a logit with slope 1 in a.
    """
    n, share = len(table["a"]), world.share
    mar = world.mechanism.startswith("MAR")

    def gone(of: float, uniform: Vector) -> Flags:
        chance = _chance(_intercept(of) + table["a"]) if mar else np.full(n, of)
        return np.asarray(uniform < chance)

    y = gone(share, rng.random(n))
    match world.pattern:
        case "apart":
            return {"y": y, "c": gone(share / 2, rng.random(n)), "x": gone(share / 2, rng.random(n))}
        case "blocks":
            return {"y": y, "c": y, "x": y}
        case "monotone":
            depth = rng.random(n)
            return {"y": y, "c": y & (depth < 2 / 3), "x": y & (depth < 1 / 3)}
    raise AssertionError(world.pattern)


def pierced(table: Table, gone: Mapping[str, Flags]) -> Table:
    """A table with cells missing: NaN of numbers, None of categories."""
    found = dict(table)
    for name, flags in gone.items():
        column = found[name].copy()
        column[flags] = None if column.dtype == object else np.nan
        found[name] = column
    return found


def _chance(logit: Any) -> Vector:
    return np.asarray(1 / (1 + np.exp(-logit)))


def _intercept(share: float) -> float:
    """Where expit(intercept + a) is a share on average, a standard normal: bisection over 80 nodes of Gauss-Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        below = float(weights @ _chance(middle + nodes) / weights.sum()) < share
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2
