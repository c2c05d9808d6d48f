"""Rubin's rules for several parameters at once, with their full covariance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import DataError, UnknownName
from imputedb.inference.degrees_of_freedom import INFINITE, known_rule
from imputedb.inference.rubin import Pooled, Vector, pooled

Cube = NDArray[np.float64]
STEP = float(np.cbrt(np.finfo(np.float64).eps))


@dataclass(frozen=True, slots=True, eq=False)
class Several:
    """k pooled parameters (Rubin 1987, section 3.4).

    Attributes:
        terms: names of the parameters.
        estimates: (m, k), one row for each draw.
        covariances: (m, k, k), one matrix for each draw.
        df_complete: complete-data degrees of freedom.
        rule: definition of degrees of freedom.
    """

    terms: tuple[str, ...]
    estimates: NDArray[np.float64]
    covariances: Cube
    df_complete: float = INFINITE
    rule: str = "barnard-rubin"

    @property
    def m(self) -> int:
        """Number of draws."""
        return len(self.estimates)

    @property
    def estimate(self) -> Vector:
        """(k,) means over draws."""
        return np.asarray(self.estimates.mean(axis=0))

    @property
    def within(self) -> NDArray[np.float64]:
        """(k, k) the mean covariance, W."""
        return np.asarray(self.covariances.mean(axis=0))

    @property
    def between(self) -> NDArray[np.float64]:
        """(k, k) the covariance of the estimates over draws, B; NaN when m is 1."""
        if self.m == 1:
            return np.full_like(self.within, np.nan)
        off = self.estimates - self.estimate
        return np.asarray(off.T @ off / (self.m - 1))

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(k, k) T = W + (1 + 1/m) B."""
        return self.within + (1 + 1 / self.m) * self.between

    @property
    def riv(self) -> float:
        """Mean relative increase in variance, (1 + 1/m) tr(B W^-1) / k."""
        ratio = np.trace(np.linalg.solve(self.within, self.between)) / len(self.terms)
        return float((1 + 1 / self.m) * ratio)

    @property
    def stabilised_covariance(self) -> NDArray[np.float64]:
        """(k, k) (1 + r) W: for few draws, if missing information is equal for all parameters (Li et al. 1991)."""
        return (1 + self.riv) * self.within

    def __getitem__(self, term: str) -> Pooled:
        """One parameter by name."""
        place = self._place(term)
        return pooled(self.estimates[:, place], self.covariances[:, place, place], self.df_complete, df=self.rule)

    def pick(self, terms: Sequence[str]) -> "Several":
        """Some of the parameters, in the order given."""
        places = np.array([self._place(term) for term in terms])
        return Several(
            tuple(terms),
            self.estimates[:, places],
            self.covariances[:, places[:, None], places],
            self.df_complete,
            self.rule,
        )

    def linear(self, matrix: Sequence[Sequence[float]] | NDArray[np.float64], names: Sequence[str] = ()) -> "Several":
        """q linear combinations of the parameters by a (q, k) matrix: contrasts, predictions, marginal means."""
        weights = np.atleast_2d(np.asarray(matrix, np.float64))
        if weights.shape[1] != len(self.terms):
            raise DataError(f"a combination has {weights.shape[1]} weights: give {len(self.terms)}, one a parameter")
        named = tuple(names) or tuple(f"combination {place + 1}" for place in range(len(weights)))
        return self._mapped(named, self.estimates @ weights.T, np.broadcast_to(weights, (self.m, *weights.shape)))

    def nonlinear(self, function: Callable[[Vector], Sequence[float]], names: Sequence[str] = ()) -> "Several":
        """Smooth functions of the parameters, by the delta method at each draw's estimate."""
        values = np.array([np.atleast_1d(np.asarray(function(q), np.float64)) for q in self.estimates])
        slopes = np.array([_slopes(function, q) for q in self.estimates])
        named = tuple(names) or tuple(f"function {place + 1}" for place in range(values.shape[1]))
        return self._mapped(named, values, slopes)

    def _mapped(self, names: tuple[str, ...], values: NDArray[np.float64], slopes: Cube) -> "Several":
        spread = np.einsum("mqk,mkl,mrl->mqr", slopes, self.covariances, slopes)
        return Several(names, np.asarray(values), np.asarray(spread), self.df_complete, self.rule)

    def _place(self, term: str) -> int:
        if term not in self.terms:
            raise UnknownName(f"no term {term!r} among the pooled ones: {', '.join(self.terms)}")
        return self.terms.index(term)


def several(
    terms: Sequence[str],
    estimates: Sequence[Sequence[float]] | NDArray[np.float64],
    covariances: Sequence[Sequence[Sequence[float]]] | Cube,
    df_complete: float = INFINITE,
    *,
    df: str = "barnard-rubin",
) -> Several:
    """Pools (m, k) estimates with their (m, k, k) covariances.

    Raises:
        DataError: shapes do not fit, or a value is not finite.
        QueryError: the definition of degrees of freedom is unknown.
    """
    known_rule(df)
    q, u = np.asarray(estimates, np.float64), np.asarray(covariances, np.float64)
    k = len(terms)
    if q.ndim != 2 or q.shape[1] != k or u.shape != (len(q), k, k) or not len(q):
        raise DataError(f"{q.shape} estimates and {u.shape} covariances of {k} terms: give (m, {k}) and (m, {k}, {k})")
    for what, values in (("estimates", q), ("covariance", u)):
        draws = np.flatnonzero(~np.isfinite(values.reshape(len(q), -1)).all(axis=1))
        if len(draws):
            raise DataError(f"the {what} of draw {draws[0] + 1} are not all finite: leave it out, or mend its fit")
    return Several(tuple(terms), q, u, float(df_complete), df)


def _slopes(function: Callable[[Vector], Sequence[float]], at: Vector) -> NDArray[np.float64]:
    """(q, k) the Jacobian by fourth-order central differences."""
    columns = []
    for place, value in enumerate(at):
        step = np.zeros_like(at)
        step[place] = STEP * max(abs(value), 1.0)
        far = _difference(function, at, 2 * step)
        columns.append((8 * _difference(function, at, step) - far) / (12 * step[place]))
    return np.stack(columns, axis=1)


def _difference(function: Callable[[Vector], Sequence[float]], at: Vector, step: Vector) -> Vector:
    above, below = (np.atleast_1d(np.asarray(function(at + sign * step), np.float64)) for sign in (1, -1))
    return np.asarray(above - below)
