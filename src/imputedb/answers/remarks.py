"""Notes of reports: warnings, and reasons why blocks were not planned."""

from collections.abc import Iterator, Sequence

from imputedb.algebra.relation import Drop, Impute, Relation
from imputedb.algebra.walk import scans
from imputedb.answers.request import QueryOptions
from imputedb.execution.outcome import Outcome
from imputedb.notes import Note, NoteKind
from imputedb.result import HIGH_PENALTY, MUCH_DROPPED


def doubts(penalty: float, outcome: Outcome, options: QueryOptions) -> list[Note]:
    """Doubts about an answer: its draws, its chains, its plan, and dropped rows."""
    found = [one for one in outcome.warnings if one.concerns(options.question)]
    found += [Note(NoteKind.CONVERGENCE, one.statistic, one.warning) for one in outcome.chains if one.doubtful]
    if penalty >= HIGH_PENALTY:
        way_out = "a smaller alpha answers better" if options.alpha > 0 else "other columns tell little of it"
        words = f"the plan's penalty is {penalty:.2f} of 1: much of what is missing was dropped or guessed; {way_out}"
        found.append(Note(NoteKind.PENALTY, f"{penalty:.2f}", words))
    if outcome.examined and outcome.dropped / outcome.examined >= MUCH_DROPPED:
        share = outcome.dropped / outcome.examined
        tables = ", ".join(sorted(outcome.unconditioned))
        where = f", of {tables} before the query's conditions" if tables else ""
        words = (
            f"{outcome.dropped:,} of {outcome.examined:,} rows ({share:.0%}) were dropped for a missing value{where}; "
            "unless values are missing completely at random, the answer is biased"
        )
        found.append(Note(NoteKind.DROPPED, tables, words))
    return found


def completed_below_join(drawn: Sequence[tuple[str, Relation | str]]) -> Iterator[Note]:
    """Notes on tables that were completed below a join that is not planned."""
    for _, plan in drawn:
        if isinstance(plan, Impute):
            names = sorted({scan.table.shown for scan in scans(plan)})
            columns = ", ".join(sorted(column.name for column in plan.columns))
            words = (
                f"{columns} of {', '.join(names)} were completed from columns of their own table, below the join: "
                "their relations with columns of other tables come out weaker"
            )
            yield Note(NoteKind.APART, ", ".join(names), words)


def codes(column: str) -> Note:
    """The note that a numeric column is taken for a categorical one."""
    words = f"{column} is imputed as codes of categories; a policy of it says AS NUMERIC where it is one of numbers"
    return Note(NoteKind.CODES, column, words)


def inexact_integers(column: str, step: float) -> Note:
    """The note that whole numbers are imputed as doubles, which have gaps."""
    words = (
        f"{column} has whole numbers beyond 2^53, and is imputed by doubles, which are {step:,.0f} apart there: "
        "subtract what they have in common, or keep it as text where it names something"
    )
    return Note(NoteKind.INEXACT, column, words)


def mode(column: str) -> Note:
    """The note that such a column's most frequent value is imputed."""
    words = (
        f"{column} is taken for codes of categories, and its most frequent one is filled in: averages lean to it; a "
        "policy AS NUMERIC fills in the mean"
    )
    return Note(NoteKind.CODES, column, words)


def unplanned(drawn: Sequence[tuple[str, Relation | str]], options: QueryOptions) -> Iterator[Note]:
    """The reasons why blocks were not planned."""
    tables = sorted({scan.table.shown for _, plan in drawn if isinstance(plan, Impute | Drop) for scan in scans(plan)})
    silent = ", where alpha drops nothing" if options.alpha > 0 and options.imputers else ""
    where = f"; {', '.join(tables)} completed at the scan{silent}" if tables else ""
    reasons = [plan.subject for _, plan in drawn if isinstance(plan, Note) and plan.subject]
    yield from (Note(NoteKind.UNPLANNED, reason, f"not planned: {reason}{where}") for reason in reasons)
    if tables and not reasons:
        reason = "a subquery that reads the block around it"
        yield Note(NoteKind.UNPLANNED, reason, f"not planned: {reason}{where}")
