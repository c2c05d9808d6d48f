"""Golden plans: `*.plan` holds queries and their plans, with rows and times as they are estimated.

`pytest --update-golden` writes them anew.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

import imputedb
from imputedb import Database
from imputedb.cli.survey import survey, truth

HERE = Path(__file__).parent


def plans(db: Database, sql: str) -> str:
    return "\n".join(db.explain(sql, alpha=alpha, imputer="tree").text for alpha in (0.0, 0.5, 1.0))


@pytest.mark.parametrize("number", range(1, 10))
def test_the_papers_queries(real: Database, shared: Path, number: int, update_golden: bool) -> None:
    queries = [q.strip() for q in (shared / "data" / "paper_queries.sql").read_text().split(";") if q.strip()]
    sql = queries[number - 1]
    path = HERE / f"paper_{number}.plan"
    comment = path.read_text().partition("\n== ")[0] if path.exists() else "# "
    text = f"{comment}\n== query\n{sql}\n== plans\n{plans(real, sql)}\n"
    if update_golden:
        path.write_text(text)
    assert path.read_text() == text


SURVEYED = sorted(HERE.glob("survey_*.plan"))


@pytest.fixture(scope="module")
def surveyed() -> Iterator[Database]:
    """The survey of `imputedb demo`, on any machine."""
    with imputedb.connect() as db:
        for name, columns in survey().items():
            db.register(name, columns)
        yield db


@pytest.fixture(scope="module")
def whole() -> Iterator[Database]:
    """The same survey before values went missing."""
    with imputedb.connect() as db:
        for name, columns in truth().items():
            db.register(name, columns)
        yield db


def _query(path: Path) -> str:
    return path.read_text().partition("\n== query\n")[2].partition("\n== plans\n")[0]


@pytest.mark.parametrize("path", SURVEYED, ids=lambda path: path.stem)
def test_queries_of_the_survey(surveyed: Database, path: Path, update_golden: bool) -> None:
    comment, sql = path.read_text().partition("\n== ")[0], _query(path)
    text = f"{comment}\n== query\n{sql}\n== plans\n{plans(surveyed, sql)}\n"
    if update_golden:
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("path", SURVEYED, ids=lambda path: path.stem)
def test_answers_of_the_survey_come_near_the_truth(surveyed: Database, whole: Database, path: Path) -> None:
    """The mean error over the groups, beside that of complete cases: what is imputed must not be worse."""
    sql = _query(path)
    true = _answer(whole.execute(sql))
    imputed, dropped = _answer(surveyed.sql(sql).fetchall()), _answer(surveyed.execute(sql))
    assert set(imputed) == set(true)
    assert _error(true, imputed) < _error(true, dropped)


def _answer(rows: list[tuple[object, ...]]) -> dict[object, float]:
    return {row[:-1]: float(str(row[-1])) for row in rows if None not in row}


def _error(true: dict[object, float], given: dict[object, float]) -> float:
    shared = [key for key in true if key in given]
    return sum(abs(true[key] - given[key]) / abs(true[key]) for key in shared) / len(shared)
