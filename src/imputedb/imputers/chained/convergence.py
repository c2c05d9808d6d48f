"""Convergence of chains: R-hat, effective sample size, autocorrelation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Cube = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Convergence:
    """The convergence statistics of (iterations, chains) values.

    Attributes:
        rhat: rank-normalised, split and folded (Vehtari et al. 2021); below 1.05 at the end of a good run.
        ess_bulk: effective sample size for the centre of the distribution.
        ess_tail: effective sample size for the 5 % and 95 % quantiles, the smaller of both.
        autocorrelation: mean correlation over chains of successive iterations (mice's `ac`); near 0.
    """

    rhat: float
    ess_bulk: float
    ess_tail: float
    autocorrelation: float


def convergence(chains: Matrix) -> Convergence:
    """The statistics of (iterations, chains) values."""
    return Convergence(rhat(chains), ess_bulk(chains), ess_tail(chains), float(autocorrelation(chains)[-1]))


def rhat(chains: Matrix) -> float:
    """Potential scale reduction: the larger of bulk and folded (Vehtari et al. 2021, equations 10 to 16).

    NaN with fewer than four iterations, whose halves have no variance, and where nothing varies.
    """
    halves = _split(chains)
    if len(halves) < 2:
        return float("nan")
    folded = _split(np.abs(chains - np.median(chains)))
    return max(basic_rhat(_normal_scores(halves)), basic_rhat(_normal_scores(folded)))


def basic_rhat(chains: Matrix) -> float:
    """The square root of (B / W + n - 1) / n, B = n var(chain means), W = mean of chain variances."""
    n = len(chains)
    within = float(chains.var(axis=0, ddof=1).mean())
    between = n * float(chains.mean(axis=0).var(ddof=1))
    if within == 0:
        return float("nan" if between == 0 else "inf")
    return float(np.sqrt((between / within + n - 1) / n))


def gelman_rubin(chains: Matrix) -> float:
    """R-hat of Gelman & Rubin (1992), with its correction for degrees of freedom, df / (df - 2), as in mitml."""
    n, m = chains.shape
    means, variances = chains.mean(axis=0), chains.var(axis=0, ddof=1)
    between, within = n * means.var(ddof=1), variances.mean()
    pooled = (n - 1) / n * within + (m + 1) / (m * n) * between
    covariance = np.cov(variances, means**2)[0, 1] - 2 * means.mean() * np.cov(variances, means)[0, 1]
    spread = (
        ((n - 1) / n) ** 2 / m * variances.var(ddof=1)
        + ((m + 1) / (m * n)) ** 2 * 2 / (m - 1) * between**2
        + 2 * (m + 1) * (n - 1) / (m * n**2) * n / m * covariance
    )
    df = 2 * pooled**2 / spread
    return float(np.sqrt(pooled / within * df / (df - 2)))


def autocorrelation(chains: Matrix) -> Matrix:
    """(iterations,) cumulative mean of the correlation, over chains, of an iteration with the one before; the first is
    NaN."""
    found = np.full(len(chains), np.nan)
    total = 0.0
    for step in range(1, len(chains)):
        before, after = chains[step - 1], chains[step]
        if np.ptp(before) > 0 and np.ptp(after) > 0:
            total += float(np.corrcoef(before, after)[0, 1])
        found[step] = total / step
    return found


def ess_bulk(chains: Matrix) -> float:
    """Effective sample size of rank-normalised halves (Vehtari et al. 2021, section 4)."""
    return ess(_normal_scores(_split(chains)))


def ess_mean(chains: Matrix) -> float:
    """Effective sample size for the mean."""
    return ess(_split(chains))


def ess_tail(chains: Matrix) -> float:
    """The smaller effective sample size of the 5 % and 95 % quantiles; NaN if one is the minimum or maximum."""
    return float(np.min([ess_quantile(chains, 0.05), ess_quantile(chains, 0.95)]))


def ess_quantile(chains: Matrix, share: float) -> float:
    """Effective sample size for a quantile."""
    return ess(_split((chains <= np.quantile(chains, share)).astype(np.float64)))


def ess(chains: Matrix) -> float:
    """Effective sample size by Geyer's initial monotone sequence (Geyer 1992; Stan's form)."""
    n, m = chains.shape
    if n < 3 or np.ptp(chains) == 0:
        return float("nan")
    covariance = np.mean([_autocovariance(chain) for chain in chains.T], axis=0)
    within = covariance[0] * n / (n - 1)
    whole = within * (n - 1) / n + (chains.mean(axis=0).var(ddof=1) if m > 1 else 0.0)
    rho = 1 - (within - covariance) / whole
    rho[0] = 1.0
    kept = np.zeros(n)
    kept[:2] = rho[:2]
    even, odd, t = rho[0], rho[1], 0
    while t < n - 5 and even + odd > 0:
        t += 2
        even, odd = rho[t], rho[t + 1]
        if even + odd >= 0:
            kept[t], kept[t + 1] = even, odd
    if even > 0:
        kept[t] = even
    for place in range(2, t - 1, 2):
        if kept[place] + kept[place + 1] > kept[place - 2] + kept[place - 1]:
            kept[place] = kept[place + 1] = (kept[place - 2] + kept[place - 1]) / 2
    tau = -1 + 2 * kept[:t].sum() + kept[t]
    return float(n * m / max(tau, 1 / np.log10(n * m)))


def _autocovariance(chain: Matrix) -> Matrix:
    n = len(chain)
    off = chain - chain.mean()
    return np.array([off[: n - lag] @ off[lag:] / n for lag in range(n)])


def _split(chains: Matrix) -> Matrix:
    half = len(chains) // 2
    return np.concatenate([chains[:half], chains[len(chains) - half :]], axis=1)


def _normal_scores(chains: Matrix) -> Matrix:
    """Ranks, ties at their mean, as normal quantiles of (rank - 3/8) / (S + 1/4)."""
    from scipy import special

    values, place, counts = np.unique(chains, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place].reshape(chains.shape)
    assert len(values) == len(counts)
    return np.asarray(special.ndtri((ranks - 0.375) / (chains.size + 0.25)))


# -- of a run ---------------------------------------------------------------------------------------------------------
