"""`imputedb.pool`: the pooling of estimates from any software."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from imputedb import arguments, markup
from imputedb.border import bordered
from imputedb.errors import DataError, QueryError, UnknownName
from imputedb.inference import hypotheses
from imputedb.inference.degrees_of_freedom import known_rule
from imputedb.inference.fits import read
from imputedb.inference.multivariate import Several, several
from imputedb.inference.rubin import Pooled, pooled
from imputedb.notes import Note

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Pooled terms.

    Attributes:
        pooled: pooled estimate by term, in the order of the first draw.
        parameters: all terms with their full covariance; None where only variances were given.
        notes: notes for the reader.
    """

    pooled: Mapping[str, Pooled]
    parameters: Several | None = None
    notes: tuple[Note, ...] = ()

    def __getitem__(self, term: str) -> Pooled:
        if term not in self.pooled:
            raise UnknownName(f"no term {term!r}; there are {', '.join(self.pooled)}")
        return self.pooled[term]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pooled)

    def __len__(self) -> int:
        return len(self.pooled)

    def test(self, terms: Sequence[str], values: Sequence[float] | None = None) -> hypotheses.JointTest:
        """The test D1 that some terms are all zero, or equal to `values`.

        Raises:
            DataError: only variances were given, not the covariance that a joint test needs; m is 1; or the terms'
                covariance is singular.
            QueryError: no term is named, a term is named twice, or there is not one value for each term.
        """
        terms = arguments.names("terms", terms)
        if not terms or len(set(terms)) < len(terms):
            raise QueryError(f"a joint test is of one or more different terms, not {list(terms)}")
        if values is not None:
            values = [
                arguments.real("a value", one, example="that a term is to equal")
                for one in arguments.listed("values", values, example="one for each term")
            ]
            if len(values) != len(terms):
                raise QueryError(f"{len(values)} values for {len(terms)} terms: give one for each")
        if self.parameters is None:
            raise DataError("a joint test needs the terms' covariance: pool fits, or (m, k, k) covariances")
        return hypotheses.d1(self.parameters.pick(terms), values)

    def table(self, level: float = 0.95) -> dict[str, list[Any]]:
        """Columns by name, with one row for each term, as in mice's summary."""
        rows = [_row(term, one, level) for term, one in self.pooled.items()]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def df(self, level: float = 0.95) -> pd.DataFrame:
        """The columns of `table` as a pandas data frame."""
        import pandas as pd

        return pd.DataFrame(self.table(level))

    def _repr_html_(self) -> str:
        """Estimates with their intervals as whiskers, as HTML for notebooks."""
        table = self.table()
        ends = [end for name in ("conf.low", "conf.high") for end in table[name] if isfinite(end)] or [0.0]
        whiskers = [
            markup.whisker(estimate, low, high, min(ends), max(ends))
            for estimate, low, high in zip(table["estimate"], table["conf.low"], table["conf.high"], strict=True)
        ]
        columns = ("term", "std.error", "df", "p.value", "fmi")
        rows = [list(row) for row in zip(table["term"], whiskers, *(table[name] for name in columns[1:]), strict=True)]
        reasons = sorted({one.reason for one in self.pooled.values() if one.reason})
        return markup.table([columns[0], "estimate", *columns[1:]], rows, notes=[*reasons, *self.notes], most=len(rows))

    def __str__(self) -> str:
        shown = ("term", "estimate", "std.error", "df", "p.value", "conf.low", "conf.high", "fmi")
        table = self.table()
        rows = [shown, *zip(*([_shown(cell) for cell in table[name]] for name in shown), strict=True)]
        widths = [max(len(row[place]) for row in rows) for place in range(len(shown))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        reasons = sorted({one.reason for one in self.pooled.values() if one.reason})
        return "\n".join([*lines, *reasons, *self.notes])


def _row(term: str, one: Pooled, level: float) -> dict[str, Any]:
    low, high = one.interval(level)
    return {
        "term": term,
        "estimate": one.estimate,
        "std.error": one.se,
        "statistic": one.statistic,
        "df": one.df,
        "p.value": one.p_value,
        "conf.low": low,
        "conf.high": high,
        "riv": one.riv,
        "lambda": one.lambda_,
        "fmi": one.fmi,
        "fmi_large_sample": one.fmi_large_sample,
        "mc.error": one.mc_error,
        "m": one.m,
    }


def _shown(cell: object) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


@bordered
def pool(
    fits: Any,
    variances: Any = None,
    *,
    terms: Sequence[str] | None = None,
    df_complete: float | None = None,
    df: str = "barnard-rubin",
) -> Pool:
    """Pools the estimates of m completed data sets by Rubin's rules (Rubin 1987; Barnard & Rubin 1999).

    Args:
        fits: one of
            - (estimate, variance) of each draw;
            - m estimates, or m rows of k, with `variances`: as many variances, or m covariances (k, k);
            - a table, or one for each draw, with columns term, estimate and std.error (or variance), and for several
              equations y.level, response or component: a data frame, or a dictionary of lists;
            - m results of statsmodels or lifelines; terms of several equations are prefixed with `level:`;
            - m linear models of scikit-learn, with `variances` a covariance for each fit, the intercept first.
        variances: see above.
        terms: names of the k estimates, where the fits have none.
        df_complete: complete-data degrees of freedom, n - k; by default those of the fits, else infinite. State it for
            robust covariances and mixed models, and for Cox models (events - k).
        df: `barnard-rubin`, `rubin1987` or `normal`.

    Raises:
        DataError: no estimates with variances are found, draws differ in their terms, or a number is not finite.
        QueryError: the definition of degrees of freedom is unknown.
    """
    known_rule(df)
    if df_complete is not None:
        example = "the degrees of freedom that complete data would have"
        df_complete = arguments.positive("df_complete", df_complete, example=example, endless=True)
    if terms is not None:
        terms = arguments.names("terms", terms)
    found = read(fits, variances, terms)
    complete = found.df_complete if df_complete is None else df_complete
    if found.variances.ndim == 3:
        parameters = several(found.terms, found.estimates, found.variances, complete, df=df)
        return Pool({term: parameters[term] for term in found.terms}, parameters)
    columns = zip(found.terms, found.estimates.T, found.variances.T, strict=True)
    return Pool({term: pooled(q, u, complete, df=df) for term, q, u in columns})
