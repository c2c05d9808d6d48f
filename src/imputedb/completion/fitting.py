"""Models of statsmodels fitted to each completed data set."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imputedb import arguments
from imputedb.completion.formula import modelled
from imputedb.errors import DataError, Error, QueryError, UnknownName
from imputedb.notes import Note, NoteKind

if TYPE_CHECKING:
    import pandas as pd

PLAIN = ("ols", "logit", "probit", "poisson", "negativebinomial", "mnlogit", "quantreg", "ordered")
MODELS = (*PLAIN, "phreg", "mixedlm", "gee")
"""The models of statsmodels that may be fitted."""

CLUSTERED = ("ols", "logit", "probit", "poisson")
"""The models with cluster-robust standard errors."""

FAMILIES = {"gaussian": "Gaussian", "binomial": "Binomial", "poisson": "Poisson"}


@dataclass(frozen=True, slots=True)
class Model:
    """A model of statsmodels with the options that it needs besides a formula.

    Attributes:
        name: one of `MODELS`.
        groups: column of groups, for mixed models and GEE.
        status: column that is 1 where the event occurred, for Cox models.
        family: family of GEE, `gaussian` by default.
        q: quantile of quantile regression.
        clusters: column of sampled clusters, for cluster-robust standard errors; None for independent rows.
    """

    name: str
    groups: str | None = None
    status: str | None = None
    family: str | None = None
    q: float = 0.5
    clusters: str | None = None

    def __post_init__(self) -> None:
        arguments.one_of("model", self.name, MODELS)
        for what, given in (("groups", self.groups), ("status", self.status), ("clusters", self.clusters)):
            if given is not None:
                arguments.text(what, given, example="the name of a column")
        grouped = self.name in ("mixedlm", "gee")
        if grouped != (self.groups is not None):
            raise QueryError("groups names the column of groups: only mixedlm and gee take it, and both need it")
        if (self.name == "phreg") != (self.status is not None):
            raise QueryError("status names the column of observed events: only phreg takes it, and needs it")
        if self.family is not None and (self.name != "gee" or self.family not in list(FAMILIES)):
            raise QueryError(f"no family {self.family!r}; gee has {', '.join(FAMILIES)}")
        if self.clusters is not None and self.name not in CLUSTERED:
            raise QueryError(
                f"clusters are of {', '.join(CLUSTERED)}; {self.name} has groups, or none: leave clusters out"
            )
        arguments.share("quantile q", self.q, example="such as 0.5")

    def fit(self, formula: str, frame: pd.DataFrame) -> Any:
        """The fit of the model to one data set."""
        for column in (self.groups, self.status, self.clusters):
            if column is not None and column not in frame:
                raise UnknownName(f"no column {column!r}; there are {', '.join(map(str, frame.columns))}")
        if self.clusters is not None:
            return self._by_cluster(formula, frame, self.clusters)
        match self.name:
            case "phreg":
                return modelled("phreg", formula, frame, status=frame[self.status].to_numpy(float)).fit()
            case "mixedlm":
                return modelled("mixedlm", formula, frame, groups=frame[self.groups]).fit()
            case "gee":
                from statsmodels.genmod import families

                family = getattr(families, FAMILIES[self.family or "gaussian"])()
                return modelled("gee", formula, frame, groups=frame[self.groups], family=family).fit()
            case "quantreg":
                return modelled("quantreg", formula, frame).fit(q=self.q)
            case "ols":
                return modelled("ols", formula, frame).fit()
            case "ordered":
                return modelled("ordered", formula, frame, distr="logit").fit(disp=0, method="bfgs")
            case "mnlogit":
                return _multinomial(formula, frame)
            case _:
                return _likeliest(modelled(self.name, formula, frame))

    def _by_cluster(self, formula: str, frame: pd.DataFrame, clusters: str) -> Any:
        """The fit with a cluster-robust covariance: scores are summed by cluster (Liang & Zeger 1986)."""
        if frame[clusters].isna().any():
            raise DataError(f"{clusters} is missing in some rows: the cluster of each row must be known")
        model = modelled(self.name, formula, frame)
        kept = frame.loc[model.data.row_labels, clusters] if model.data.row_labels is not None else frame[clusters]
        groups = kept.astype("category").cat.codes.to_numpy()
        if len(set(groups.tolist())) < 2:
            raise DataError(f"{clusters} has one cluster for all rows: standard errors need at least two")
        by_cluster = {"cov_type": "cluster", "cov_kwds": {"groups": groups}}
        return model.fit(**by_cluster) if self.name == "ols" else _likeliest(model, **by_cluster)


def _likeliest(model: Any, **covariance: Any) -> Any:
    """A fit by Newton's method, or by BFGS where that fails, as it may where predictors separate the outcome.

    Under separation the likelihood becomes flat: the Hessian is singular, or steps end at NaN.
    """
    with suppress(np.linalg.LinAlgError):
        found = model.fit(disp=0, **covariance)
        if np.isfinite(np.asarray(found.params, np.float64)).all():
            return found
    return model.fit(disp=0, method="bfgs", **covariance)


def _multinomial(formula: str, frame: pd.DataFrame) -> Any:
    """A multinomial logit of an outcome whose text levels are coded in order, and name the equations."""
    outcome = formula.partition("~")[0].strip()
    if outcome not in frame or frame[outcome].dtype.kind in "iufb":
        return _likeliest(modelled("mnlogit", formula, frame))
    coded = frame[outcome].astype("category").cat
    one = modelled("mnlogit", formula, frame.assign(**{outcome: coded.codes}))
    one._ynames_map = dict(enumerate(map(str, coded.categories)))  # the headings of statsmodels' tables
    return _likeliest(one)


def fitted(frames: Iterable[pd.DataFrame], formula: str, model: Model) -> list[Any]:
    """The fits of the model to each completed data set.

    Raises:
        QueryError: the formula does not fit the columns.
    """
    from statsmodels.tools import sm_exceptions  # noqa: F401  # once imported it has changed what warnings are shown

    try:
        with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
            warnings.simplefilter("ignore", UserWarning)  # `doubts` gives these warnings
            return [
                _of_all_rows(model.fit(formula, _modellable(formula, model, one)), formula, model, one)
                for one in frames
            ]
    except Error:
        raise
    except Exception as error:  # patsy, formulaic and numpy raise many kinds of exceptions where a formula does not fit
        if _WITHOUT_ROWS in str(error):
            raise QueryError(_no_number(formula, "any row")) from error
        reason = str(error).splitlines()[0].replace("endog", "the outcome").replace("exog", "the predictors")
        raise QueryError(f"cannot fit {formula!r}: {reason}") from error


def _of_all_rows(fit: Any, formula: str, model: Model, frame: pd.DataFrame) -> Any:
    """A fit, after a check that it used all rows with values: packages silently drop rows where a term is NaN.

    Raises:
        QueryError: the formula yields NaN, such as `log(x)` of negative numbers.
    """
    whole = int(frame[_named(frame, formula, model)].notna().all(axis=1).sum())
    lost = whole - len(fit.model.endog)
    if lost > 0:
        raise QueryError(_no_number(formula, f"{lost:,} of {whole:,} rows"))
    return fit


_WITHOUT_ROWS = "zero-size array"  # NumPy's message where the formula is NaN in every row


def _no_number(formula: str, rows: str) -> str:
    return (
        f"{formula!r} is not a number in {rows}, such as log or sqrt of a negative one: give the column a RANGE where "
        "no such value can be, or impute a SELECT with what is meant for these rows"
    )


def _modellable(formula: str, model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """The data set, after a check that the outcome has a type that the model supports; booleans become 1 and 0.

    Raises:
        QueryError: the outcome is text and the model needs numbers, or the formula uses dates unconverted.
    """
    _check_dates(formula, frame)
    outcome = formula.partition("~")[0].strip() if isinstance(formula, str) else ""
    quoted = re.fullmatch(r"""Q\((['"])(.*)\1\)""", outcome)
    outcome = quoted[2] if quoted else outcome
    if outcome not in frame.columns:
        return frame
    if _is_boolean(frame[outcome]):
        return frame.assign(**{outcome: frame[outcome].astype("boolean").astype(float)})
    if model.name in ("mnlogit", "ordered"):
        return frame
    if frame[outcome].dtype.kind in "iufb" or str(frame[outcome].dtype).lower().startswith(("int", "uint", "float")):
        return frame
    values = sorted(map(str, frame[outcome].dropna().unique()))
    way = (
        f"impute a SELECT with a column that is 1 where {outcome} is {values[1]!r}, else 0"
        if len(values) == 2
        else "mnlogit models categories"
    )
    raise QueryError(f"{outcome} is of {len(values)} categories, and {model.name} models numbers: {way}")


def _check_dates(formula: str, frame: pd.DataFrame) -> None:
    """Refuses dates and times in a formula, which packages would take for categories."""
    for name in frame.columns:
        word = rf"(?:\b{re.escape(str(name))}\b|Q\(['\"]{re.escape(str(name))}['\"]\))"
        bare = re.sub(rf"\bC\(\s*{word}", "", formula)
        if frame[name].dtype.kind in "mM" and re.search(word, bare):
            raise QueryError(
                f"{name} is of dates or times, and a formula reads numbers: impute a SELECT with one of it, such as "
                f"date_diff('day', DATE '2000-01-01', {name}), or write C({name}) for categories"
            )


def _is_boolean(values: pd.Series) -> bool:
    """Whether all values of a column are booleans, which formulas would take for categories."""
    known = values.dropna()
    return len(known) > 0 and all(isinstance(one, bool | np.bool_) for one in known.unique())


_CERTAIN = 1e-8
"""Distance from 0 or 1 below which a fitted probability is a sign of separation (R's glm warns at 2e-15)."""


def doubts(fits: Sequence[Any], model: Model) -> tuple[Note, ...]:
    """Warnings of fits that did not converge, or whose outcome is separated by the predictors."""
    ended = [getattr(fit, "mle_retvals", None) for fit in fits]
    lost = sum(isinstance(one, dict) and one.get("converged") is False for one in ended)
    message = f"{lost} of {len(fits)} fits did not converge: do not trust the estimates"
    return (*((Note(NoteKind.UNFITTED, lost, message),) if lost else ()), *_separated(fits, model))


def _separated(fits: Sequence[Any], model: Model) -> tuple[Note, ...]:
    """Warnings of separation of the outcome by the predictors (Albert & Anderson 1984)."""
    if model.name not in ("logit", "probit", "mnlogit"):
        return ()
    certain = [((p := np.asarray(fit.predict(), np.float64)) < _CERTAIN) | (p > 1 - _CERTAIN) for fit in fits]
    count = sum(bool(one.any()) for one in certain)
    if not count:
        return ()
    message = (
        f"in {count} of {len(fits)} data sets fitted probabilities are 0 or 1: the predictors separate the outcome, so "
        "that estimates have no end and their errors mean nothing; leave a predictor out, or merge its categories"
    )
    return (Note(NoteKind.SEPARATED, count, message),)


def left_out(frame: pd.DataFrame, formula: str, model: Model) -> tuple[Note, ...]:
    """Warnings of rows that fits leave out, since some of their values are still missing."""
    names = [name for name in _named(frame, formula, model) if frame[name].isna().any()]
    if not names:
        return ()
    count = int(frame[names].isna().any(axis=1).sum())
    incomplete = ", ".join(map(str, names))
    message = f"{count:,} of {len(frame):,} rows were left out: {incomplete} stayed incomplete, so impute those too"
    return (Note(NoteKind.ROWS_LEFT_OUT, incomplete, message),)


def _named(frame: pd.DataFrame, formula: str, model: Model) -> list[str]:
    """The columns that a formula and its model read."""
    words = set(re.findall(r"\w+", formula)) | {str(model.groups), str(model.status)}
    words |= set(re.findall(r"""Q\(['"](.*?)['"]\)""", formula))
    return [name for name in frame.columns if str(name) in words]
