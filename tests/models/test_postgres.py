"""Models as SQL, run by a server of PostgreSQL where one is installed."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest

import imputedb
from imputedb.imputers.rows import Cells, Rows
from imputedb.models.dialect import sql
from imputedb.models.learning import fit
from imputedb.models.target import FitSettings, Method
from imputedb.statistics.table import Kind
from tests.models.test_dialect import every_type
from tests.models.test_expression import strange
from tests.models.test_fitted import TARGETS, B, X, rows
from tests.servers import postgresql, psql

Run = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Run]:
    """Runs statements on a server of its own, which listens to nobody else; gives the lines that come out."""
    with postgresql() as place:
        yield partial(psql, place)


def copied(given: Rows) -> str:
    """Statements that make a table `t` of the rows."""
    lines = []
    for place in range(len(given.keys)):
        fields = [str(place)]
        for cells in given.columns.values():
            value = cells.values[place].item()
            text = cells.levels[value] if cells.levels else {np.inf: "Infinity", -np.inf: "-Infinity"}.get(value, value)
            fields.append("\\N" if cells.missing[place] else str(text))
        lines.append("\t".join(fields))
    table = "CREATE TABLE t (i int, x float8, y float8, z int, c text, b bool);\nCOPY t FROM stdin;\n"
    return "DROP TABLE IF EXISTS t;\n" + table + "\n".join(lines) + "\n\\.\n"


@pytest.mark.parametrize("method", ["mean", "norm", "tree"])
def test_postgres_gets_what_the_model_gives(postgres: Run, method: Method) -> None:
    given = strange(5)
    cells = given.columns[X]
    numbers = np.where(np.abs(cells.values) == 1e308, 1e9, cells.values)  # PostgreSQL refuses to overflow
    given = Rows({**given.columns, X: Cells(numbers, cells.missing, Kind.NUMBER)}, given.keys)
    postgres(copied(given))
    model = fit(rows(), TARGETS, {}, FitSettings(method, draws=1))
    values = model.values(model.aligned(given))
    for target in model.targets:
        feature = model.features[target.feature]
        query = f"SELECT {sql(model, target, 'postgres')} FROM t WHERE {feature.column.name} IS NULL ORDER BY i;"
        found, wanted = postgres(query), values[feature.column].tolist()
        if feature.levels:
            assert found == [feature.levels[code] for code in wanted]
        elif feature.column == B:
            assert found == ["t" if value else "f" for value in wanted]
        else:
            assert [float(value) for value in found] == [float(value) for value in wanted]


@pytest.mark.parametrize("imputer", ["mean", "norm", "tree"])
def test_postgres_gets_values_of_every_type(postgres: Run, imputer: str) -> None:
    with every_type(imputer) as db:
        lines = "\n".join(
            "\t".join("\\N" if one is None else str(one) for one in row) for row in db.execute("FROM t ORDER BY id")
        )
        types = "id int, x int, money numeric(9, 2), small real, whole smallint, word text, flag bool, day date"
        postgres(
            f"DROP TABLE IF EXISTS t; CREATE TABLE t ({types}, seen timestamp);\nCOPY t FROM stdin;\n{lines}\n\\.\n"
        )
        for name, text in db.model("m").sql("postgres").items():
            found = postgres(f"SELECT coalesce({name}, {text}) FROM t ORDER BY id;")
            wanted = [value for (value,) in db.sql(f"SELECT {name} FROM t ORDER BY id", fit="table").fetchall()]
            if name in ("money", "small", "whole"):
                assert [float(one) for one in found] == pytest.approx([float(one) for one in wanted], rel=1e-6)
            else:
                assert found == [str(one).lower()[0] if name == "flag" else str(one) for one in wanted], name


@pytest.mark.parametrize("method", ["norm", "tree"])
def test_postgres_counts_days_as_the_model_does(postgres: Run, method: Method) -> None:
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE t AS SELECT i AS id, CASE WHEN i % 5 > 0 THEN CAST(i % 90 AS DOUBLE) + i % 7 END AS x, "
            "CASE WHEN i % 4 > 0 THEN DATE '1969-11-20' + CAST(i % 90 AS INTEGER) END AS d FROM range(300) r(i)"
        )
        db.sql(f"CREATE IMPUTATION MODEL m ON t USING {method} WITH (draws = 1)")
        stored = db.execute("SELECT id, x, d FROM t ORDER BY id")
        lines = "\n".join("\t".join("\\N" if one is None else str(one) for one in row) for row in stored)
        postgres(
            f"DROP TABLE IF EXISTS t; CREATE TABLE t (id int, x float8, d date);\nCOPY t FROM stdin;\n{lines}\n\\.\n"
        )
        for name, text in db.model("m").sql("postgres").items():
            found = postgres(f"SELECT coalesce({name}, {text}) FROM t ORDER BY id;")
            wanted = [value for (_, value) in db.sql(f"SELECT id, {name} FROM t ORDER BY id", fit="table").fetchall()]
            assert [one if name == "d" else float(one) for one in found] == [
                str(v) if name == "d" else v for v in wanted
            ]
