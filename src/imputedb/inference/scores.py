"""Pooled scores of predictions by models of m completed data sets: discrimination, error and calibration."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imputedb.border import bordered
from imputedb.errors import DataError
from imputedb.inference.rubin import Pooled, Vector, pooled
from imputedb.inference.scale import IDENTITY, LOG, LOGIT, OnScale, Scale
from imputedb.notes import Note, NoteKind

STEPS = 50

CLIP = 1e-9
"""Probabilities are taken to be no nearer to 0 and 1, where their logits are infinite."""

FEW = 10
"""Cases or controls below which placements are too few for a variance of their own (measured: of 1 case in 61 rows the
interval of DeLong covers 29 to 46 %, of 5 in 105 86 to 92 %; that of Hanley & McNeil 92 to 97 %)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Pooled scores by name.

    Attributes:
        scores: `auc` (on the logit scale), `brier`, `slope` and `intercept` for probabilities; `rmse`, `slope` and
            `intercept` for numbers. RMSE and Brier score are pooled on the log scale.
        rows: number of scored rows.
        notes: notes on how the predictions were made.
    """

    scores: Mapping[str, OnScale]
    rows: int
    notes: tuple[Note, ...] = field(default=())

    def __getitem__(self, name: str) -> OnScale:
        return self.scores[name]

    def __str__(self) -> str:
        head = f"{'score':>10}  {'estimate':>10}  {'low':>10}  {'high':>10}  {'fmi':>6}"
        lines = [head]
        for name, one in self.scores.items():
            low, high = one.interval()
            lines.append(f"{name:>10}  {one.estimate:10.4g}  {low:10.4g}  {high:10.4g}  {one.pooled.fmi:6.2f}")
        return "\n".join([*lines, f"{self.rows:,} rows scored", *self.notes])


@bordered
def pool_scores(truths: Sequence[float] | Vector, predictions: Sequence[Sequence[float] | Vector]) -> Scores:
    """Scores of the predictions of m models, pooled by Rubin's rules, each on the scale where it is nearly normal.

    Args:
        truths: (n,) outcomes: numbers, or zeros and ones, for which predictions are probabilities.
        predictions: (n,) predictions of each of m models, for rows that the model was not fitted to.

    Raises:
        DataError: lengths differ, a value is not finite, or probabilities are outside [0, 1].
    """
    y, all_of = np.asarray(truths, np.float64), [np.asarray(one, np.float64) for one in predictions]
    if not all_of or len(y) < 3 or any(one.shape != y.shape for one in all_of):
        raise DataError("scores need 3 true values or more, and as many predictions by each of m models")
    for draw, one in enumerate([y, *all_of]):
        if not np.isfinite(one).all():
            raise DataError(f"{'a true value' if not draw else f'a prediction of draw {draw}'} is not finite")
    binary = bool(np.isin(y, (0.0, 1.0)).all())
    if binary and any((one < 0).any() or (one > 1).any() for one in all_of):
        raise DataError("the true values are zeros and ones, so predictions are probabilities from 0 to 1")
    if binary and len(np.unique(y)) < 2:
        raise DataError("all true values are equal: nothing can be told apart")
    measured = [(_of_probabilities if binary else _of_numbers)(y, one) for one in all_of]
    names = [name for name in measured[0] if all(name in one for one in measured)]
    found = {name: _pooled([one[name] for one in measured], len(y)) for name in names}
    return Scores(found, len(y), tuple(_remarks(y, "slope" in found)))


def _remarks(y: Vector, sloped: bool) -> Iterator[Note]:
    if not sloped:
        yield Note(
            NoteKind.SEPARATED,
            "slope",
            "predictions of a draw tell zeros from ones without an error, but for ties: calibration has neither slope "
            "nor intercept",
        )
    ones = int(np.count_nonzero(y == 1))
    if np.isin(y, (0.0, 1.0)).all() and min(ones, len(y) - ones) < FEW:
        message = f"{ones} cases and {len(y) - ones} controls are few: the interval of auc is wide, and rough"
        yield Note(NoteKind.FEW_EVENTS, "auc", message)


@dataclass(frozen=True, slots=True)
class _Score:
    """The score of one draw: estimate, variance, scale of pooling, scale at the bounds, number of parameters."""

    estimate: float
    variance: float
    scale: Scale = IDENTITY
    ends: Scale = IDENTITY
    parameters: int = 1


def _pooled(scores: Sequence[_Score], rows: int) -> OnScale:
    """The pooled score: on its scale if all estimates lie inside the domain, else on the scale for bounds."""
    scale = scores[0].scale
    inside = all(scale.low < one.estimate < scale.high for one in scores)
    used = scale if inside else scores[0].ends
    there = [used.there(one.estimate) for one in scores]
    spread = [one.variance * used.slope(one.estimate) ** 2 for one in scores]
    one: Pooled = pooled(there, spread, float(rows - scores[0].parameters))
    return OnScale(one, used)


def _of_numbers(y: Vector, p: Vector) -> dict[str, _Score]:
    errors = (y - p) ** 2
    mse, n = float(errors.mean()), len(y)
    root = math.sqrt(mse)
    variance = float(errors.var(ddof=1)) / n / (4 * mse) if mse else 0.0
    return {"rmse": _Score(root, variance, LOG, _FROM_ZERO), "slope": _line(y, p), "intercept": _offset(y, p)}


def _line(y: Vector, p: Vector) -> _Score:
    """The calibration slope (outcome on prediction), with a heteroscedasticity-robust variance (HC3)."""
    centred = p - p.mean()
    square = float(centred @ centred)
    if square == 0:
        raise DataError("all predictions are equal: calibration has no slope")
    slope = float(centred @ y) / square
    leverage = 1 / len(y) + centred**2 / square
    residuals = (y - y.mean() - slope * centred) / (1 - leverage)
    return _Score(slope, float((centred**2) @ residuals**2) / square**2, parameters=2)


def _offset(y: Vector, p: Vector) -> _Score:
    """The mean of outcome less prediction: calibration in the large."""
    return _Score(float((y - p).mean()), float((y - p).var(ddof=1)) / len(y))


def _of_probabilities(y: Vector, p: Vector) -> dict[str, _Score]:
    inside = np.clip(p, CLIP, 1 - CLIP)
    logits = np.log(inside / (1 - inside))
    losses = (y - p) ** 2
    brier = _Score(float(losses.mean()), float(losses.var(ddof=1)) / len(y), LOG, _FROM_ZERO)
    if np.ptp(logits) == 0:
        raise DataError("all predictions are equal: they rank nothing, and calibration has no slope")
    found = {"auc": _auc(y, p), "brier": brier}
    if logits[y == 1].min() >= logits[y == 0].max() or logits[y == 1].max() <= logits[y == 0].min():
        return found
    ones = np.ones((len(y), 1))
    both, covariance = _logistic(np.concatenate([ones, logits[:, None]], axis=1), y, np.zeros(len(y)))
    large, error = _logistic(ones, y, logits)
    found["slope"] = _Score(float(both[1]), float(covariance[1, 1]), parameters=2)
    return found | {"intercept": _Score(float(large[0]), float(error[0, 0]))}


def _auc(y: Vector, p: Vector) -> _Score:
    """The area under the ROC curve, and its variance (DeLong, DeLong & Clarke-Pearson 1988).

    For few cases or controls, and where all pairs are ranked alike, the variance is that of Hanley & McNeil (1982).
    """
    cases, controls = p[y == 1], p[y == 0]
    above = _midranks(np.concatenate([cases, controls]))
    k, n = len(cases), len(controls)
    of_cases = (above[:k] - _midranks(cases)) / n
    of_controls = 1 - (above[k:] - _midranks(controls)) / k
    area, ends = float(of_cases.mean()), _with_ends(min(k, n))
    if min(k, n) >= FEW and 0 < area < 1:
        variance = float(of_cases.var(ddof=1)) / k + float(of_controls.var(ddof=1)) / n
    else:
        variance = _hanley_mcneil(area if 0 < area < 1 else _within(area, min(k, n)), k, n)
    return _Score(area, variance, LOGIT, ends)


def _hanley_mcneil(area: float, cases: int, controls: int) -> float:
    """The variance of an area under exponential distributions of the predictions."""
    square = area * area
    both, other = area / (2 - area), 2 * square / (1 + area)
    spread = area * (1 - area) + (cases - 1) * (both - square) + (controls - 1) * (other - square)
    return spread / (cases * controls)


def _within(share: float, count: int) -> float:
    """A share of `count` with half an observation added on either side, so that its logit is finite (Anscombe 1956)."""
    return (count * share + 0.5) / (count + 1)


def _with_ends(count: int) -> Scale:
    """The logit of a share of `count`, finite at 0 and 1, with an inverse that stays within [0, 1]."""

    def slope(share: float) -> float:
        return LOGIT.slope(_within(share, count)) * count / (count + 1)

    def back(there: float) -> float:
        return min(1.0, max(0.0, ((count + 1) * LOGIT.back(there) - 0.5) / count))

    return Scale("logit", lambda share: LOGIT.there(_within(share, count)), slope, back)


_FROM_ZERO = Scale("identity", IDENTITY.there, IDENTITY.slope, lambda z: max(z, 0.0))


def _midranks(values: Vector) -> Vector:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place])


def _logistic(x: NDArray[np.float64], y: Vector, offset: Vector) -> tuple[Vector, NDArray[np.float64]]:
    """Logistic regression coefficients and their covariance, by Newton's method with step halving."""
    beta = np.zeros(x.shape[1])
    best = _loss(x @ beta + offset, y)
    for _ in range(STEPS):
        chance = _chance(x @ beta + offset)
        step = np.linalg.lstsq((x * (chance * (1 - chance))[:, None]).T @ x, x.T @ (y - chance), rcond=None)[0]
        size = 1.0
        while size > 1e-6 and _loss(x @ (beta + size * step) + offset, y) > best:
            size /= 2
        beta = beta + size * step
        best = _loss(x @ beta + offset, y)
        if np.abs(size * step).max() < 1e-10 * (1 + np.abs(beta).max()):
            break
    chance = _chance(x @ beta + offset)
    information = (x * (chance * (1 - chance))[:, None]).T @ x
    return beta, np.asarray(np.linalg.inv(information), np.float64)


def _chance(logits: Vector) -> Vector:
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, small) / (1 + small))


def _loss(logits: Vector, y: Vector) -> float:
    return float((np.logaddexp(0, logits) - y * logits).sum())
