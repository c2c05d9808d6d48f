"""Readers of fitted models: numbers, tidy tables, and results of statsmodels, lifelines and scikit-learn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imputedb.errors import DataError
from imputedb.inference.degrees_of_freedom import INFINITE

Matrix = NDArray[np.float64]

_TERM = ("term", "Term", "name", "parameter")
_ESTIMATE = ("estimate", "Estimate", "coef", "Coef.", "mean")
_ERROR = ("std.error", "std_error", "Std.Error", "Std.Err.", "stderr", "se", "std err")
_VARIANCE = ("variance", "var", "u")
_LEVEL = ("y.level", "y_level", "response", "equation", "outcome", "component", "effect")
_DRAW = (".imp", "_imp", "imp", "draw")
_FREEDOM = ("df.residual", "df_resid", "dfcom", "df_complete")


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """m fits of k terms.

    Attributes:
        terms: names of the k terms.
        estimates: (m, k) estimates.
        variances: (m, k) variances, or (m, k, k) covariances.
        df_complete: residual degrees of freedom of the fits; infinite where they do not have any.
    """

    terms: tuple[str, ...]
    estimates: Matrix
    variances: Matrix
    df_complete: float = INFINITE


def read(given: Any, variances: Any, terms: Sequence[str] | None) -> Fits:
    """The fits in any supported form.

    Raises:
        DataError: there are no estimates with variances, or the draws have different terms.
    """
    if is_table(given):
        return _tidy([given])
    items = list(given)
    if not items:
        raise DataError("there is nothing to pool: give an estimate and its variance for every draw")
    first = items[0]
    if is_table(first):
        return _tidy(items)
    if hasattr(first, "cov_params") and hasattr(first, "params"):
        return _together([_of_statsmodels(fit, draw) for draw, fit in enumerate(items, 1)], _smallest_df(items))
    if hasattr(first, "params_") and hasattr(first, "variance_matrix_"):
        return _together([_of_lifelines(fit) for fit in items], min(map(_events_left, items)))
    if hasattr(first, "coef_"):
        return _of_coefficients([_coefficients(fit) for fit in items], variances, terms or _feature_names(first))
    if variances is None:
        if not all(isinstance(item, Sequence) and len(item) == 2 for item in items):
            raise DataError("give (estimate, variance) a draw, or the variances as a second argument")
        items, variances = [item[0] for item in items], [item[1] for item in items]
    return _of_coefficients([np.atleast_1d(np.asarray(item, np.float64)) for item in items], variances, terms)


def is_table(given: Any) -> bool:
    """Whether an object has named columns: a mapping or a data frame."""
    return isinstance(given, Mapping) or (hasattr(given, "columns") and hasattr(given, "__getitem__"))


def _of_coefficients(estimates: Sequence[Matrix], variances: Any, terms: Sequence[str] | None) -> Fits:
    if variances is None:
        raise DataError("scikit-learn's fits have no covariance: give each fit's as the second argument")
    widths = {len(one) for one in estimates}
    if len(widths) > 1:
        raise DataError(f"draws of different lengths: {sorted(widths)} estimates")
    k = widths.pop()
    q = np.array(estimates, np.float64)
    u = np.array([np.atleast_1d(np.asarray(one, np.float64)) for one in variances])
    if u.shape not in ((len(q), k), (len(q), k, k)):
        raise DataError(f"variances of shape {u.shape} for {len(q)} draws of {k} terms: give (m, k) or (m, k, k)")
    names = tuple(terms) if terms else ("estimate",) if k == 1 else tuple(f"term {place + 1}" for place in range(k))
    if len(names) != k:
        raise DataError(f"{len(names)} names for {k} terms")
    return Fits(names, q, u)


def _coefficients(fit: Any) -> Matrix:
    slopes = np.ravel(np.asarray(fit.coef_, np.float64))
    if not getattr(fit, "fit_intercept", False):
        return slopes
    return np.concatenate([np.ravel(np.asarray(fit.intercept_, np.float64)), slopes])


def _feature_names(fit: Any) -> tuple[str, ...] | None:
    names = getattr(fit, "feature_names_in_", None)
    if names is None:
        return None
    return (*(("(Intercept)",) if getattr(fit, "fit_intercept", False) else ()), *(str(name) for name in names))


def _of_statsmodels(fit: Any, draw: int) -> tuple[tuple[str, ...], Matrix, Matrix]:
    try:
        covariance = np.asarray(fit.cov_params(), np.float64)
    except ValueError as error:
        raise DataError(
            f"the fit of draw {draw} has no covariance of its parameters ({error}): it ended at the edge of what they "
            "may be, or did not converge; try another model, or fewer terms"
        ) from error
    fixed = getattr(fit, "fe_params", None)
    if fixed is not None:  # the variance components of a mixed model are not normal estimates
        k = len(fixed)
        return tuple(map(str, fixed.index)), np.asarray(fixed, np.float64), covariance[:k, :k]
    params = fit.params
    names = getattr(params, "index", None)
    if names is None:
        names = fit.model.exog_names
    if getattr(params, "ndim", 1) == 2:
        return _equations(fit, names), np.asarray(params, np.float64).ravel(order="F"), covariance
    return tuple(str(name) for name in names), np.asarray(params, np.float64), covariance


def _equations(fit: Any, names: Sequence[object]) -> tuple[str, ...]:
    """The terms of several equations, prefixed with the level of the equation, or its number."""
    levels = getattr(fit.model, "_ynames_map", {})
    width = np.asarray(fit.params).shape[1]
    outcomes = [str(levels.get(place + 1, place + 1)) for place in range(width)]
    return tuple(f"{level}:{name}" for level in outcomes for name in names)


def _of_lifelines(fit: Any) -> tuple[tuple[str, ...], Matrix, Matrix]:
    names = (":".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in fit.params_.index)
    return tuple(names), np.asarray(fit.params_, np.float64), np.asarray(fit.variance_matrix_, np.float64)


def _events_left(fit: Any) -> float:
    """Events - k of a survival model, as in mice."""
    events = getattr(fit, "event_observed", None)
    return INFINITE if events is None else float(np.sum(np.asarray(events))) - len(fit.params_)


def _smallest_df(fits: Sequence[Any]) -> float:
    """The least n - k of model-based covariances; infinite for robust and mixed fits, whose df callers state."""
    if any(getattr(fit, "cov_type", "nonrobust") != "nonrobust" or hasattr(fit, "fe_params") for fit in fits):
        return INFINITE
    return min(map(_freedom, fits), default=INFINITE)


def _freedom(fit: Any) -> float:
    """n - k; events - k for a hazard model."""
    status = getattr(getattr(fit, "model", None), "status", None)
    if status is not None:
        return float(np.sum(np.asarray(status))) - len(np.ravel(fit.params))
    df = getattr(fit, "df_resid", None)
    return INFINITE if df is None else float(df)


def _together(fits: Sequence[tuple[tuple[str, ...], Matrix, Matrix]], df: float) -> Fits:
    terms = fits[0][0]
    for draw, (names, _, _) in enumerate(fits, 1):
        if names != terms:
            odd = sorted(set(names) ^ set(terms)) or list(names)
            raise DataError(
                f"draw {draw} has other terms than draw 1 ({', '.join(odd)}): fit one formula to every draw"
            )
    return Fits(terms, np.array([fit[1] for fit in fits]), np.array([fit[2] for fit in fits]), df)


def _tidy(tables: Sequence[Any]) -> Fits:
    """Rows of term, estimate and standard error (broom's names), with m rows for each term."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    df = INFINITE
    for number, table in enumerate(tables, 1):
        q, u = _numbers(table)
        names = _terms(table, len(q))
        if len(tables) > 1 or any(name in table for name in _DRAW):
            _check_apart(names, _column(table, _DRAW) or [number] * len(q))
        for name, estimate, variance in zip(names, q, u, strict=True):
            pair = found.setdefault(name, ([], []))
            pair[0].append(float(estimate))
            pair[1].append(float(variance))
        df = min([df, *(float(one) for one in _column(table, _FREEDOM) or ())])
    counts = {name: len(q) for name, (q, _) in found.items()}
    if len(set(counts.values())) > 1:
        numbers = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise DataError(f"terms have different numbers of draws ({numbers}): every draw must estimate every term")
    q_all, u_all = (np.array([pair[part] for pair in found.values()]).T for part in (0, 1))
    return Fits(tuple(found), q_all, u_all, df)


def _numbers(table: Any) -> tuple[list[Any], Matrix]:
    """The estimates and their variances."""
    q = _column(table, _ESTIMATE)
    if q is None:
        raise DataError(f"no column of estimates among {', '.join(map(str, table))}: call it 'estimate'")
    errors, variances = _column(table, _ERROR), _column(table, _VARIANCE)
    if errors is None:
        if variances is None:
            raise DataError(f"no column of standard errors among {', '.join(map(str, table))}: call it 'std.error'")
        return q, np.asarray(variances, np.float64)
    known = np.asarray(errors, np.float64)
    if (known < 0).any():
        place = int(np.flatnonzero(known < 0)[0])
        raise DataError(f"the standard error in row {place + 1} is {known[place]}: a standard error is not negative")
    return q, known**2


def _terms(table: Any, rows: int) -> list[str]:
    """The names of the terms, prefixed with their equation where a column has it."""
    names = [str(name) for name in _column(table, _TERM) or ["estimate"] * rows]
    for column in _LEVEL:
        if column in table:
            levels = list(table[column])
            names = [
                name if level is None or level != level else f"{level}:{name}"
                for level, name in zip(levels, names, strict=True)
            ]
    return names


def _check_apart(names: Sequence[str], draws: Sequence[object]) -> None:
    """Refuses a term that occurs twice in one draw, as one of several equations does."""
    seen: set[tuple[object, str]] = set()
    for pair in zip(draws, names, strict=True):
        if pair in seen:
            raise DataError(
                f"the term {pair[1]} is there twice in draw {pair[0]}: say in a column 'y.level' (or 'response', "
                "'component') which equation it is of"
            )
        seen.add(pair)


def _column(table: Any, names: Sequence[str]) -> list[Any] | None:
    there = [name for name in names if name in table]
    return list(table[there[0]]) if there else None
