"""Truths that questions are asked of, the tables that are drawn from them, and what goes missing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

ROWS = 500

QUANTITIES = {
    "mean": "avg(y)",
    "proportion": "avg((y > 2.5)::INT)",
    "slope": "regr_slope(y, x)",
    "group mean": "avg(y) FILTER (WHERE g = 'b')",
    "quantile": "quantile_cont(y, 0.25)",
}


@dataclass(frozen=True, order=True)
class Setting:
    """A truth, and how values go missing from it.

    Attributes:
        truth: `straight`, where `norm` is the right model, or `curved`, where it is not.
        mechanism: `MCAR`, or `MAR` given columns that are there.
        share: of y that is missing.
    """

    truth: str
    mechanism: str
    share: float

    def __str__(self) -> str:
        return f"{self.truth}, {self.mechanism}, {self.share:.0%}"


SETTINGS = [Setting("straight", how, share) for how in ("MCAR", "MAR") for share in (0.2, 0.4)]
SETTINGS += [Setting("curved", how, 0.4) for how in ("MCAR", "MAR")]

_INTERCEPT = {0.2: -1.76, 0.4: -0.51}


def columns(setting: Setting, rng: np.random.Generator, rows: int = ROWS) -> dict[str, NDArray[Any]]:
    """A complete table: y by x, a group g and an auxiliary a that no question names."""
    a = rng.normal(size=rows)
    x = 0.3 * a + math.sqrt(1 - 0.09) * rng.normal(size=rows)
    g = rng.integers(0, 4, rows)
    curve = 0.6 * (a**2 - 1) if setting.truth == "curved" else 0.0
    y = 2 + 0.5 * x + 0.7 * a + 0.4 * (g == 1) + curve + rng.normal(size=rows)
    return {"id": np.arange(rows), "x": x, "a": a, "g": np.array(list("abcd"), object)[g], "y": y}


def gone(setting: Setting, table: Mapping[str, NDArray[Any]], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which y are missing."""
    chance: Any = setting.share
    if setting.mechanism == "MAR":
        chance = 1 / (1 + np.exp(-(_INTERCEPT[setting.share] + table["a"] + 0.5 * table["x"])))
    return rng.random(len(table["y"])) < chance


def answers(y: Vector, table: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """What the questions have for an answer where nothing is missing."""
    return {
        "mean": float(y.mean()),
        "proportion": float((y > 2.5).mean()),
        "slope": float(np.polyfit(table["x"], y, 1)[0]),
        "group mean": float(y[table["g"] == "b"].mean()),
        "quantile": float(np.quantile(y, 0.25)),
    }


def population(setting: Setting) -> dict[str, float]:
    """What they are of the population: formulas, and of 4 million rows where there is none."""
    table = columns(setting, np.random.default_rng(1), 4_000_000)
    large = answers(table["y"], table)
    return {**large, "mean": 2.1, "slope": 0.71, "group mean": 2.4}
