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

if TYPE_CHECKING:
    import pandas as pd

PLAIN = ("ols", "logit", "probit", "poisson", "negativebinomial", "mnlogit", "quantreg", "ordered")
MODELS = (*PLAIN, "phreg", "mixedlm", "gee")
"""Models of statsmodels that a formula can name."""

CLUSTERED = ("ols", "logit", "probit", "poisson")
"""Models whose standard errors may go by clusters."""

FAMILIES = {"gaussian": "Gaussian", "binomial": "Binomial", "poisson": "Poisson"}


@dataclass(frozen=True, slots=True)
class Model:
    """A model and what it needs beside a formula.

    Attributes:
        name: one of `MODELS`.
        groups: the column of groups, of mixed models and GEE.
        status: the column that is 1 where the event was seen, of Cox models.
        family: of GEE, `gaussian` unless given.
        q: the quantile of quantile regression.
        clusters: the column of clusters that were sampled, which standard errors go by; None for rows.
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
            raise QueryError("groups name the column of groups: mixedlm and gee need them, no other model has them")
        if (self.name == "phreg") != (self.status is not None):
            raise QueryError("status names the column of events seen: phreg needs it, no other model has it")
        if self.family is not None and (self.name != "gee" or self.family not in list(FAMILIES)):
            raise QueryError(f"no family {self.family!r}; gee has {', '.join(FAMILIES)}")
        if self.clusters is not None and self.name not in CLUSTERED:
            raise QueryError(
                f"clusters are of {', '.join(CLUSTERED)}; {self.name} has groups, or none: leave clusters out"
            )
        arguments.share("quantile q", self.q, example="such as 0.5")

    def fit(self, formula: str, frame: pd.DataFrame) -> Any:
        """The model fitted to one data set."""
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
        """The model with the covariance of scores added up by cluster (Liang & Zeger 1986)."""
        if frame[clusters].isna().any():
            raise DataError(f"{clusters} is missing in some rows: each has to be of a known cluster")
        model = modelled(self.name, formula, frame)
        kept = frame.loc[model.data.row_labels, clusters] if model.data.row_labels is not None else frame[clusters]
        groups = kept.astype("category").cat.codes.to_numpy()
        if len(set(groups.tolist())) < 2:
            raise DataError(f"{clusters} is one cluster of all rows: that has no standard errors")
        by_cluster = {"cov_type": "cluster", "cov_kwds": {"groups": groups}}
        return model.fit(**by_cluster) if self.name == "ols" else _likeliest(model, **by_cluster)


def _likeliest(model: Any, **covariance: Any) -> Any:
    """A model fitted by Newton's method; by BFGS where that fails, as it may where predictors separate the outcome.

    There the likelihood becomes flat: its curvature cannot be inverted, or steps end where nothing is a number.
    """
    with suppress(np.linalg.LinAlgError):
        found = model.fit(disp=0, **covariance)
        if np.isfinite(np.asarray(found.params, np.float64)).all():
            return found
    return model.fit(disp=0, method="bfgs", **covariance)


def _multinomial(formula: str, frame: pd.DataFrame) -> Any:
    """Levels of a text are coded in their order, and name the equations."""
    outcome = formula.partition("~")[0].strip()
    if outcome not in frame or frame[outcome].dtype.kind in "iufb":
        return _likeliest(modelled("mnlogit", formula, frame))
    coded = frame[outcome].astype("category").cat
    one = modelled("mnlogit", formula, frame.assign(**{outcome: coded.codes}))
    one._ynames_map = dict(enumerate(map(str, coded.categories)))  # what statsmodels' own tables are headed by
    return _likeliest(one)


def fitted(frames: Iterable[pd.DataFrame], formula: str, model: Model) -> list[Any]:
    """The model fitted to each completed data set.

    Raises:
        QueryError: the formula does not fit the columns.
    """
    from statsmodels.tools import sm_exceptions  # noqa: F401  # once imported it has changed what warnings are shown

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # `doubts` says what is to be said
            return [
                _of_all_rows(model.fit(formula, _modellable(formula, model, one)), formula, model, one)
                for one in frames
            ]
    except Error:
        raise
    except Exception as error:  # patsy, formulaic and numpy have many ways to say that a formula does not fit
        reason = str(error).splitlines()[0].replace("endog", "the outcome").replace("exog", "the predictors")
        raise QueryError(f"cannot fit {formula!r}: {reason}") from error


def _of_all_rows(fit: Any, formula: str, model: Model, frame: pd.DataFrame) -> Any:
    """A fit, once it is sure to be of all rows that have values: packages leave out silently what is not a number.

    Raises:
        QueryError: the formula computes what is not a number, as `log(x)` of negative ones.
    """
    whole = int(frame[_named(frame, formula, model)].notna().all(axis=1).sum())
    lost = whole - len(fit.model.endog)
    if lost > 0:
        raise QueryError(
            f"{formula!r} is not a number in {lost:,} of {whole:,} rows, such as log or sqrt of a negative one: give "
            "the column a RANGE where no such value can be, or impute a SELECT with what is meant for these rows"
        )
    return fit


def _modellable(formula: str, model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """The data set, once its outcome is sure to be of a type that the model is of; booleans are 1 and 0.

    Raises:
        QueryError: it is text or categories, and the model is of numbers.
    """
    outcome = formula.partition("~")[0].strip() if isinstance(formula, str) else ""
    quoted = re.fullmatch(r"""Q\((['"])(.*)\1\)""", outcome)
    outcome = quoted[2] if quoted else outcome
    if outcome not in frame.columns:
        return frame
    if _is_boolean(frame[outcome]):
        return frame.assign(**{outcome: frame[outcome].astype("boolean").astype(float)})
    if model.name in ("mnlogit", "ordered"):
        return frame
    if frame[outcome].dtype.kind in "iufbmM" or str(frame[outcome].dtype).lower().startswith(("int", "uint", "float")):
        return frame
    values = sorted(map(str, frame[outcome].dropna().unique()))
    way = (
        f"impute a SELECT with a column that is 1 where {outcome} is {values[1]!r}, else 0"
        if len(values) == 2
        else "mnlogit models categories"
    )
    raise QueryError(f"{outcome} is of {len(values)} categories, and {model.name} models numbers: {way}")


def _is_boolean(values: pd.Series) -> bool:
    """Whether a column is of truth values alone, of which formulas would make categories."""
    known = values.dropna()
    return len(known) > 0 and all(isinstance(one, bool | np.bool_) for one in known.unique())


_CERTAIN = 1e-8
"""A fitted probability so near 0 or 1 is certain (R's glm warns at 2e-15)."""


def doubts(fits: Sequence[Any], model: Model) -> tuple[str, ...]:
    """What is to be said of fits that did not converge, or whose outcome the predictors separate."""
    ended = [getattr(fit, "mle_retvals", None) for fit in fits]
    lost = sum(isinstance(one, dict) and one.get("converged") is False for one in ended)
    said = (f"{lost} of {len(fits)} fits did not converge: do not trust the estimates",) if lost else ()
    return (*said, *_separated(fits, model))


def _separated(fits: Sequence[Any], model: Model) -> tuple[str, ...]:
    """Separation of an outcome by its predictors (Albert & Anderson 1984)."""
    if model.name not in ("logit", "probit", "mnlogit"):
        return ()
    certain = [((p := np.asarray(fit.predict(), np.float64)) < _CERTAIN) | (p > 1 - _CERTAIN) for fit in fits]
    count = sum(bool(one.any()) for one in certain)
    if not count:
        return ()
    return (
        f"in {count} of {len(fits)} data sets fitted probabilities are 0 or 1: the predictors separate the outcome, so "
        "that estimates have no end and their errors mean nothing; leave a predictor out, or merge its categories",
    )


def left_out(frame: pd.DataFrame, formula: str, model: Model) -> tuple[str, ...]:
    """What is to be said of rows that fits leave out, for values that are missing still."""
    names = [name for name in _named(frame, formula, model) if frame[name].isna().any()]
    if not names:
        return ()
    count = int(frame[names].isna().any(axis=1).sum())
    told = ", ".join(map(str, names))
    return (f"{count:,} of {len(frame):,} rows were left out: {told} stayed incomplete, so impute those too",)


def _named(frame: pd.DataFrame, formula: str, model: Model) -> list[str]:
    """The columns that a formula and its model read."""
    words = set(re.findall(r"\w+", formula)) | {str(model.groups), str(model.status)}
    words |= set(re.findall(r"""Q\(['"](.*?)['"]\)""", formula))
    return [name for name in frame.columns if str(name) in words]
