"""Golden plans: `*.plan` holds queries with the plans they get; `pytest --update-golden` writes them anew."""

from pathlib import Path

import pytest

from imputedb import Database

HERE = Path(__file__).parent


def plans(db: Database, sql: str) -> str:
    alphas = (0.0, 0.5, 1.0)
    return "\n".join(f"-- alpha {alpha:g}\n{db.sql(sql, alpha=alpha, imputer='tree').plan}" for alpha in alphas)


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
