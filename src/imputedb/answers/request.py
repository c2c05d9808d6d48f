"""What a user asks for along with a query, checked."""

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from imputedb import arguments
from imputedb.answers.multiple.measures import Measures
from imputedb.errors import QueryError
from imputedb.imputers.protocol import Imputer
from imputedb.inference.estimate import Question
from imputedb.models.kept import kept
from imputedb.sql.budget import Limits

PLANNED, BASE, VERBATIM, COMPLETED, MIXED = "planned", "base", "verbatim", "completed", "mixed"

FEW_DRAWS = 5
"""Draws of an answer that has no time for more."""

EXPECTED, DRAWN = "expected", "drawn"

Fit = Literal["auto", "query", "table"]
"""To what imputers are fitted: to the rows that a query reads; to whole tables, their values kept; or as `auto` to the
rows of the query, kept models being further choices of the planner."""

IMPUTATION, AIPW, ML, BOUNDS = "imputation", "aipw", "ml", "bounds"


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """What a user asks for along with a query.

    Attributes:
        m: number of draws, None for as many as the precision needs.
        question: what intervals are about.
        level: of their confidence.
        precision: coefficient of variation of standard errors, where m is to be found.
        measures: aggregates that have a variance within a draw.
        method: `imputation`; `aipw`, doubly robust; `ml`, maximum likelihood; or `bounds`, by the worst case.
        deviations: what missing cells may hold, for bounds; None for the range that is observed.
        weights: what each row counts as, an expression in SQL; None for 1.
        clusters: the column of the clusters that were sampled; None for those that policies name.
        fit: to what imputers are fitted.
        values: `expected` or `drawn`, of imputers that are fitted to tables; None for what each statement needs.
        draw: the number of that draw.
        limits: in time and error that take the place of alpha.
        until: when the answer is to be there, in seconds of `perf_counter`; None for any time.
        chooses: whether any plan that alpha leaves may be taken for the sake of time.
        most: draws, where their number is to be found.
    """

    alpha: float
    imputers: tuple[Imputer, ...]
    seed: int
    strategy: str
    m: int | None = 1
    question: Question = "population"
    level: float = 0.95
    precision: float = 0.05
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
            object.__setattr__(self, "imputers", kept(self.imputers))
        if self.limits and self.method != IMPUTATION:
            raise QueryError(
                f"WITHIN and ERROR choose among plans, and method {self.method!r} has none: leave them out"
            )
        checked: dict[str, object] = {  # plain numbers: NumPy's are hashed differently
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
            checked["clusters"] = arguments.text("clusters", self.clusters, example="a column")
            if self.m == 1:
                raise QueryError("clusters are of the intervals of draws: ask for some, such as m=20")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def _checked_deviations(self, given: object) -> float:
        if self.method != BOUNDS:
            raise QueryError(f"deviations say what method {BOUNDS!r} takes missing numbers to be: ask for it, or none")
        found = arguments.real("deviations", given, example="of standard deviations, such as 2")
        if found < 0:
            raise QueryError(f"deviations are {given!r}; they are standard deviations, such as 2, and not negative")
        return found

    def by(self, imputer: Imputer) -> "QueryOptions":
        """The same, of one imputer."""
        return replace(self, imputers=(imputer,))

    def limited(self, limits: Limits, began: float) -> "QueryOptions":
        """The same within limits in time and error, the time counted from when it began."""
        until = None if limits.within_ms is None else began + limits.within_ms / 1e3
        return replace(self, limits=limits, until=until)

    def fastest(self) -> "QueryOptions":
        """The same by the fastest plan, with few draws where their number is to be found."""
        return replace(self, alpha=1.0, m=FEW_DRAWS if self.m is None else self.m, until=None, chooses=False)

    @property
    def imputer(self) -> str:
        """The names of the imputers."""
        return ",".join(imputer.name for imputer in self.imputers) or "drop"

    @property
    def draws(self) -> bool:
        """Whether more than the single best answer is asked for."""
        return self.m != 1

    @property
    def always(self) -> bool:
        """Whether a query is planned where nothing is missing too."""
        return self.draws or self.method != IMPUTATION


def _alpha(given: object) -> float:
    found = arguments.real("alpha", given)
    if not 0 <= found <= 1:
        raise QueryError(f"alpha is {given!r}; it goes from 0 (the best answer) to 1 (the fastest)")
    return found
