"""The page's calls to a database: the questions of views with their draws and flags."""

from __future__ import annotations

from dataclasses import dataclass

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Aggregate, Drop, Impute, Relation
from imputedb.algebra.walk import bottom_up
from imputedb.answers.explain import Explanation
from imputedb.database import Database
from imputedb.errors import Interrupted, QueryError, SqlSyntaxError, UnknownName
from imputedb.imputers.protocol import Progress
from imputedb.pages.question import MANY, Question
from imputedb.pages.work import Call
from imputedb.planning.frontier import Frontier
from imputedb.result import Result
from imputedb.sql.effects import Effect, effect
from imputedb.sql.tokens import tokens


@dataclass(frozen=True, slots=True)
class Plans:
    """What is known of a query before it runs.

    Attributes:
        frontier: the frontier of its plans; None where it reads no missing values.
        explanation: the plan that alpha chooses, with estimates; None where the statement has no plan.
    """

    frontier: Frontier | None
    explanation: Explanation | None

    @property
    def aggregates(self) -> bool:
        """Whether the answer has aggregates, whose numbers can have intervals."""
        plan = self.explanation.plan if self.explanation else None
        return plan is not None and any(isinstance(one, Aggregate) for one in bottom_up(plan.relation))


def treated(relation: Relation) -> list[Column]:
    """The incomplete columns that a plan imputes, or whose rows it drops."""
    return sorted({c for one in bottom_up(relation) if isinstance(one, Impute | Drop) for c in one.columns})


def imputers(question: Question) -> list[str]:
    """The imputers of a question, by name."""
    return [one.strip() for one in question.imputer.split(",") if one.strip()]


def plans(question: Question, *, analyze: bool = False) -> Call[Plans]:
    """The plans of a question; with `analyze` the plan is run, and its operators are measured."""

    def call(db: Database, _: Progress) -> Plans:
        wanted = imputers(question)
        try:
            explanation = db.explain(
                question.text, alpha=question.alpha, imputer=wanted, seed=question.seed, analyze=analyze
            )
        except (SqlSyntaxError, UnknownName, Interrupted):
            raise
        except QueryError:  # not a query; running the statement reports the error
            return Plans(None, None)
        return Plans(db.frontier(question.text, imputer=wanted), explanation)

    return call


def plans_key(question: Question, *, analyze: bool = False) -> tuple[object, ...]:
    """A cache key of plans: equal for questions with the same plans."""
    return ("plans", question.text, question.alpha, question.imputer, question.seed, analyze)


def answer_key(question: Question) -> tuple[object, ...]:
    """A cache key of answers: equal for questions with the same answer."""
    return ("answer", question.text, question.alpha, question.imputer, question.seed, question.draws)


def answered(question: Question, *, aggregates: bool) -> Call[Result]:
    """The answer to a question: with intervals where it aggregates, else with flags of imputed cells."""

    def call(db: Database, progress: Progress) -> Result:
        draws = question.draws or (MANY if aggregates else 1)
        wishes = {"alpha": question.alpha, "imputer": imputers(question), "seed": question.seed, "progress": progress}
        if draws > 1:
            return db.sql(question.text, m=draws, **wishes)  # type: ignore[arg-type]
        try:
            return db.sql(question.text, flags=not aggregates, **wishes)  # type: ignore[arg-type]
        except QueryError as error:
            if aggregates or not _is_about_flags(error):
                raise
            return db.sql(question.text, **wishes)  # type: ignore[arg-type]

    return call


def writes(text: str) -> bool:
    """Whether a statement may write to the database."""
    return effect(tokens(text)) is not Effect.ROWS


def _is_about_flags(error: QueryError) -> bool:
    """Whether an error says that a query cannot have flags, though it may have an answer."""
    return "flags" in str(error) or "flag of its own" in str(error)
