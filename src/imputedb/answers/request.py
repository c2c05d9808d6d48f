"""The options of a query, after validation."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from imputedb import arguments
from imputedb.answers.multiple.measures import Measures
from imputedb.errors import QueryError
from imputedb.imputers.protocol import Imputer
from imputedb.models.kept import is_stored, with_stored_values
from imputedb.notes import Question
from imputedb.sql.budget import Limits, limited

PLANNED, BASE, VERBATIM, COMPLETED, MIXED = "planned", "base", "verbatim", "completed", "mixed"

FEW_DRAWS = 5
"""Number of draws of an answer that has no time for more."""

EXPECTED, DRAWN = "expected", "drawn"

Fit = Literal["auto", "query", "table"]
"""The rows to which imputers are fitted: those that a query reads (`query`), or whole tables, with their values cached
(`table`). With `auto` it is the rows of the query, and kept models are further choices of the planner.
"""

IMPUTATION, AIPW, ML, BOUNDS = "imputation", "aipw", "ml", "bounds"


LEVEL, PRECISION = 0.95, 0.05
"""Default level of intervals, and default precision of standard errors."""


def number_of_draws(given: object) -> Any:
    """The number of draws of options: None for as many as the precision needs, 1 by default."""
    return None if isinstance(given, str) and given == "auto" else 1 if given is None else given


def check_draws(given: object, options: "QueryOptions", text: str, session: Limits) -> None:
    """Refuses a number of draws that contradicts other options: one together with an error, any with a precision.

    Raises:
        QueryError: they contradict each other; the error may be of the call, of the statement or of the session.
    """
    if given is not None and options.m == 1 and isinstance(text, str):
        limits = (options.limits, limited(text)[1], session)
        if any(one.error is not None for one in limits):
            raise QueryError("m=1 gives no intervals, and a limit of error needs them: leave m out, or the error")
    if options.precision != PRECISION and options.m is not None and options.limits.error is None:
        raise QueryError("precision applies to m='auto' only: set that, or leave precision out")


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The options of a query.

    Attributes:
        m: number of draws; None for as many as the precision needs.
        question: what intervals are about: the population or the answer.
        level: confidence level.
        precision: coefficient of variation of standard errors, where m is to be chosen.
        measures: aggregates with a variance within a draw.
        method: `imputation`; `aipw`, doubly robust; `ml`, maximum likelihood; or `bounds`, worst-case bounds.
        deviations: range of missing numbers for bounds, in standard deviations; None for the observed range.
        weights: weight of each row, an expression in SQL; None for 1.
        clusters: column of the sampled clusters; None for those of policies.
        fit: rows to which imputers are fitted.
        values: `expected` or `drawn`, for imputers fitted to tables; None for what each statement needs.
        draw: index of that draw.
        limits: limits of time and error, in place of alpha.
        until: time by which the answer is due, in seconds of `perf_counter`; None without a limit.
        chooses: whether any plan that alpha permits may be chosen to save time.
        most: largest number of draws, where it is to be chosen.
    """

    alpha: float
    imputers: tuple[Imputer, ...]
    seed: int
    strategy: str
    m: int | None = 1
    question: Question = "population"
    level: float = LEVEL
    precision: float = PRECISION
    measures: Measures = field(default_factory=Measures)
    method: str = IMPUTATION
    deviations: float | None = None
    weights: str | None = None
    clusters: str | None = None
    fit: Fit = "auto"
    values: str | None = None
    draw: int = 0
    limits: Limits = field(default_factory=Limits)
    until: float | None = None
    chooses: bool = True
    most: int = arguments.MOST_DRAWS

    def __post_init__(self) -> None:
        arguments.one_of("method", self.method, (IMPUTATION, AIPW, ML, BOUNDS))
        if self.method != IMPUTATION and self.m != 1:
            raise QueryError(f"method {self.method!r} makes no draws: leave m out")
        arguments.one_of("strategy", self.strategy, (PLANNED, BASE))
        arguments.one_of("fit", self.fit, get_args(Fit))
        arguments.one_of("interval", self.question, get_args(Question))
        if self.fit == "table":
            if self.method != IMPUTATION:
                raise QueryError(f"method {self.method!r} fits models of its own: leave fit out")
            object.__setattr__(self, "imputers", with_stored_values(self.imputers))
        if self.limits and self.method != IMPUTATION:
            raise QueryError(
                f"WITHIN and ERROR choose among plans, and method {self.method!r} has none: leave them out"
            )
        if self.limits.error is not None and not self.imputers:
            raise QueryError(
                "a limit of error needs draws of missing values, and imputer 'drop' imputes nothing: leave one out"
            )
        checked: dict[str, object] = {  # plain numbers, since NumPy's have other hashes
            "alpha": _alpha(self.alpha),
            "seed": arguments.seed(self.seed),
            "level": arguments.share("level", self.level),
            "precision": arguments.share("precision", self.precision, example="such as 0.05"),
        }
        if self.m is not None:
            checked["m"] = arguments.draws(self.m, 1, example=", or is 'auto'; 1 has no interval")
        if self.deviations is not None:
            checked["deviations"] = self._checked_deviations(self.deviations)
        if self.weights is not None:
            checked["weights"] = arguments.text("weights", self.weights, example="a column")
        if self.clusters is not None:
            checked["clusters"] = self._checked_clusters(self.clusters)
        if checked["alpha"] and self.method != IMPUTATION:
            raise QueryError(f"alpha chooses among plans, and method {self.method!r} has none: leave alpha out")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def _checked_clusters(self, given: object) -> str:
        found = arguments.text("clusters", given, example="a column")
        if self.m == 1:
            raise QueryError("clusters apply to intervals, which need draws: set m, such as m=20")
        if self.question == "answer":
            raise QueryError("clusters describe a sample, and intervals about the 'answer' assume none: leave one out")
        return found

    def _checked_deviations(self, given: object) -> float:
        if self.method != BOUNDS:
            raise QueryError(f"deviations apply to method {BOUNDS!r} only: choose it, or leave deviations out")
        found = arguments.real("deviations", given, example="of standard deviations, such as 2")
        if found < 0:
            raise QueryError(
                f"deviations are {given!r}; they must be a number of standard "
                f"deviations that is not negative, such as 2"
            )
        return found

    def by(self, imputer: Imputer) -> "QueryOptions":
        """The options with one imputer only."""
        return replace(self, imputers=(imputer,))

    def limited(self, limits: Limits, began: float) -> "QueryOptions":
        """The options with limits of time and error; time counts from `began`."""
        until = None if limits.within_ms is None else began + limits.within_ms / 1e3
        return replace(self, limits=limits, until=until)

    def fastest(self) -> "QueryOptions":
        """The options for the fastest plan, with few draws where their number is to be chosen."""
        return replace(self, alpha=1.0, m=FEW_DRAWS if self.m is None else self.m, until=None, chooses=False)

    @property
    def imputer(self) -> str:
        """The names of the imputers."""
        chosen = [imputer for imputer in self.imputers if not (is_stored(imputer) and imputer.on_sample)]
        return ",".join(imputer.name for imputer in chosen) or "drop"

    @property
    def draws(self) -> bool:
        """Whether there are draws, rather than the single best answer."""
        return self.m != 1

    @property
    def always(self) -> bool:
        """Whether a query is planned even if nothing is missing."""
        return self.draws or self.method != IMPUTATION


def _alpha(given: object) -> float:
    found = arguments.real("alpha", given)
    if not 0 <= found <= 1:
        raise QueryError(f"alpha is {given!r}; it must be from 0 (the best answer) to 1 (the fastest)")
    return found
