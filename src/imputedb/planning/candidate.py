"""A partial plan; the effect of each operator on relation, estimates and cost is defined here."""

from dataclasses import dataclass

from imputedb.algebra.relation import Drop, Filter, Impute, Join, Relation
from imputedb.algebra.walk import bottom_up
from imputedb.planning import cost
from imputedb.planning.problem import JoinPredicate, Problem, Source
from imputedb.statistics.cardinality import filtered, joined


@dataclass(slots=True)
class Candidate:
    """A relation with its estimated rows, dirty columns and cost so far.

    Attributes:
        relation: the plan.
        rows: estimated rows.
        dirty: bits of the columns that the query examines and that may still be missing.
        attributes: number of columns that can serve as predictors.
        loss: L, the sum of 1 for each Drop and P for each Impute.
        placements: number of Drops and Imputes.
        time: estimated milliseconds.
    """

    relation: Relation
    rows: float
    dirty: int
    attributes: int
    loss: float = 0.0
    placements: int = 0
    time: float = 0.0

    @property
    def penalty(self) -> float:
        """L / placements, 0 without a placement (paper, section 3.4)."""
        return self.loss / self.placements if self.placements else 0.0

    @property
    def imputes(self) -> int:
        """Number of Imputes."""
        return sum(isinstance(node, Impute) for node in bottom_up(self.relation))

    def filtered(self, source: Source) -> "Candidate":
        """σ: the filters of a source."""
        return Candidate(
            Filter(self.relation, source.filters),
            filtered(self.rows, source.selectivity),
            self.dirty,
            self.attributes,
            self.loss,
            self.placements,
            self.time + cost.filtering(self.rows, len(source.filters)),
        )

    def joined(self, other: "Candidate", predicates: tuple[JoinPredicate, ...]) -> "Candidate":
        """⋈ with another candidate."""
        share = 1.0
        for predicate in predicates:
            share *= predicate.selectivity
        rows = joined(self.rows, other.rows, share)
        return Candidate(
            Join(self.relation, other.relation, tuple(predicate.scalar for predicate in predicates)),
            rows,
            self.dirty | other.dirty,
            self.attributes + other.attributes,
            self.loss + other.loss,
            self.placements + other.placements,
            self.time + other.time + cost.joining(self.rows, other.rows, rows),
        )

    def dropped(self, mask: int, problem: Problem) -> "Candidate":
        """δ of some of the dirty columns."""
        rows, time = problem.drop(mask, self.rows)
        return Candidate(
            Drop(self.relation, problem.columns_of(mask)),
            rows,
            self.dirty & ~mask,
            self.attributes,
            self.loss + 1,
            self.placements + 1,
            self.time + time,
        )

    def imputed(self, mask: int, imputer: int, problem: Problem) -> "Candidate":
        """μ of some of the dirty columns."""
        penalty, time = problem.impute(imputer, mask, self.rows, self.attributes)
        columns = problem.columns_of(mask)
        return Candidate(
            Impute(self.relation, columns, problem.imputers[imputer].name, problem.own(columns)),
            self.rows,
            self.dirty & ~mask,
            self.attributes,
            self.loss + penalty,
            self.placements + 1,
            self.time + time,
        )

    def answered(self, problem: Problem) -> "Candidate":
        """The operators above the joins."""
        return Candidate(
            problem.query.answer(self.relation),
            self.rows,
            self.dirty,
            self.attributes,
            self.loss,
            self.placements,
            self.time + cost.answering(self.rows) + cost.stating(len(problem.sources)),
        )


def scanned(source: Source) -> Candidate:
    """The rows of a stored table."""
    return Candidate(source.scan, source.rows, source.dirty, source.attributes)
