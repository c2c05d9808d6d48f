"""`imputedb demo`: a survey is generated, and the query of the paper's Figure 1 is answered at three alphas."""

from collections.abc import Callable

from imputedb import connect
from imputedb.cli.output.tables import frontier_table, printed, rows_table
from imputedb.cli.survey import PEOPLE, SEED, survey, truth
from imputedb.database import Database
from imputedb.errors import DataError

QUERY = """SELECT demo.income, AVG(white_blood_cell_ct)
FROM demo, exams, labs
WHERE gender = 2 AND weight >= 70
  AND demo.id = exams.id AND exams.id = labs.id
GROUP BY demo.income
ORDER BY demo.income"""
"""The query of the paper's Figure 1, with weights in kilograms."""

Write = Callable[[str], object]


def demonstrate(db: Database, write: Write, people: int = PEOPLE, seed: int = SEED) -> None:
    """Generates the survey in a database, and prints answers beside the truth."""
    made = survey(people, seed)
    there = {name.lower(): set(columns) for name, columns in db.tables().items()}
    others = [name for name, columns in made.items() if there.get(name, set(columns)) != set(columns)]
    if others:
        raise DataError(f"the database has another table {others[0]}: name a new file for the survey")
    for name, columns in made.items():
        db.register(name, columns, keep=True)
    write(
        f"A survey of {people:,} people was made (seed {seed}): tables demo, labs and exams, with the attribute names\n"
        "and missing shares of NHANES 2013-14. It is simulated: the real NHANES files are not part of imputedb.\n"
        "Values are missing at random given what is observed of a person, not completely at random.\n"
    )
    write(QUERY + "\n")
    real = _true_answer(people, seed)
    results = {alpha: db.sql(QUERY, alpha=alpha) for alpha in (0.0, 0.5, 1.0)}
    answers = {alpha: dict(result.fetchall()) for alpha, result in results.items()}
    plain = dict(db.execute(QUERY))
    rows = [
        (income, value, *(answers[alpha].get(income) for alpha in answers), plain.get(income))
        for income, value in sorted(real.items())
    ]
    names = ["income", "truth", "alpha 0", "alpha 0.5", "alpha 1", "plain SQL"]
    write(printed(rows_table(names, [tuple(_short(cell) for cell in row) for row in rows])))
    for alpha, result in results.items():
        report = result.report
        write(
            f"alpha {alpha:g}: mean error {_error(real, answers[alpha]):.3f}, penalty {report.penalty:.3f}, "
            f"{sum(report.imputed.values()):,} cells imputed, {report.dropped:,} rows dropped, "
            f"planned in {report.planning_ms:.1f} ms, ran in {report.execution_ms:.1f} ms"
        )
        write(result.plan + "\n")
    write(f"plain SQL, where NULL rows fall out unsaid: mean error {_error(real, plain):.3f}\n")
    frontier = results[0.0].frontier
    if frontier is not None:
        write("The frontier: plans that no other beats in both penalty and time")
        write(printed(frontier_table(frontier)))


def _short(cell: object) -> object:
    return round(cell, 3) if isinstance(cell, float) else cell


def _true_answer(people: int, seed: int) -> dict[object, float]:
    with connect(variables=False) as db:
        for name, columns in truth(people, seed).items():
            db.register(name, columns)
        return dict(db.execute(QUERY))


def _error(real: dict[object, float], answer: dict[object, float]) -> float:
    """Mean absolute error over the groups of the answer."""
    shared = [key for key in real if key in answer]
    return sum(abs(real[key] - answer[key]) for key in shared) / max(len(shared), 1)
