"""Imputers of somebody's own: what is wrong with one is said by its name and the column, wherever it is handed in."""

# ruff: noqa: ARG001, ARG002, ARG005

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imputedb
from imputedb import Database, ExtensionError, QueryError, UnknownName
from imputedb.imputers.knn import KNN
from imputedb.imputers.mean import Mean


class Own:
    """The first observed value."""

    name = "own"
    uses_predictors = False

    def time(self, work: Any) -> float:
        return 1e-3 * float(work.rows)

    def penalty(self, work: Any) -> float:
        return 0.5

    def impute(
        self, rows: Any, targets: Any, seed: int, progress: Any = None, *, drawn: Any = (), draw: int = 0
    ) -> Any:
        return {column: self.given(rows.columns[column]) for column in targets}

    def given(self, cells: Any) -> Any:
        return np.full(int(cells.missing.sum()), cells.values[~cells.missing][0], cells.values.dtype)


def own(**members: Any) -> Any:
    return type("Own", (Own,), members)()


@pytest.fixture
def table(db: Database) -> Database:
    rng = np.random.default_rng(0)
    n = 60
    x = rng.normal(size=n)
    db.register(
        "t",
        {
            "id": np.arange(n),
            "x": np.ma.masked_array(x, rng.random(n) < 0.3),
            "n": np.ma.masked_array(np.rint(x * 3).astype(np.int16), rng.random(n) < 0.3),
            "b": np.ma.masked_array(x > 0, rng.random(n) < 0.3),
            "s": np.where(rng.random(n) < 0.3, None, np.where(x > 0, "p", "n").astype(object)),
            "d": np.ma.masked_array(
                (np.datetime64("2020-01-01") + np.arange(n)).astype("datetime64[s]"), rng.random(n) < 0.3
            ),
        },
    )
    return db


ENTRANCES: dict[str, Callable[[Database, str, Any, Path], object]] = {
    "sql": lambda db, column, imputer, _: db.sql(f"SELECT {column} FROM t", imputer=imputer).fetchall(),
    "decided": lambda db, column, imputer, _: db.sql(
        f"SELECT id FROM t WHERE {column} = {column}", imputer=imputer
    ).fetchall(),
    "draws": lambda db, column, imputer, _: db.sql(f"SELECT count({column}) c FROM t", imputer=imputer, m=3).fetchall(),
    "base": lambda db, column, imputer, _: db.sql(
        f"SELECT {column} FROM t", imputer=imputer, strategy="base"
    ).fetchall(),
    "view": lambda db, column, imputer, _: db.sql(
        f"SELECT a.{column} FROM t a LEFT JOIN t b ON a.id = b.id", imputer=imputer
    ).fetchall(),
    "impute": lambda db, column, imputer, out: db.impute("t", out, m=2, imputer=imputer, columns=[column]),
    "evaluate": lambda db, column, imputer, _: db.evaluate("t", imputer=imputer, columns=[column], share=0.2),
}


COLUMNS = ("x", "n", "b", "s", "d")


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_one_that_keeps_its_promises_is_believed(table: Database, tmp_path: Path, entrance: str) -> None:
    for column in COLUMNS:
        ENTRANCES[entrance](table, column, Own(), tmp_path / column)


WRONG: dict[str, Callable[[Any], Any]] = {
    "too few": lambda cells: Own().given(cells)[1:],
    "too many": lambda cells: np.concatenate([Own().given(cells)] * 2),
    "nothing": lambda cells: None,
    "a square": lambda cells: Own().given(cells)[:, None],
    "text": lambda cells: np.full(int(cells.missing.sum()), "a"),
    "objects": lambda cells: np.full(int(cells.missing.sum()), None, object),
    "NaN": lambda cells: np.full(int(cells.missing.sum()), np.nan),
    "infinity": lambda cells: np.full(int(cells.missing.sum()), np.inf),
    "complex": lambda cells: np.full(int(cells.missing.sum()), 1j),
    "masked": lambda cells: np.ma.masked_all(int(cells.missing.sum()), cells.values.dtype),
    "too large": lambda cells: (
        np.full(int(cells.missing.sum()), 2**63, np.uint64) if cells.values.dtype.kind != "f" else None
    ),
    "ragged": lambda cells: [[1], [2, 3]],
    "fails": lambda cells: 1 // 0,
    "writes": lambda cells: cells.values.sort(),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_answers_are_told_by_imputer_and_column(table: Database, tmp_path: Path, wrong: str) -> None:
    """Every column by one entrance, and every entrance by one column: the border that they pass is one."""
    before = table.execute("SELECT * FROM t ORDER BY id")
    imputer = own(given=lambda _, cells: WRONG[wrong](cells))
    turn = list(WRONG).index(wrong)
    asked = [("sql", column) for column in COLUMNS]
    asked += [(entrance, COLUMNS[(turn + place) % len(COLUMNS)]) for place, entrance in enumerate(ENTRANCES)]
    for entrance, column in asked:
        if wrong == "writes" and entrance == "evaluate":
            continue  # is shown cells of its own there
        with pytest.raises(ExtensionError, match=rf"imputer own .*\.{'[xnbsd]' if entrance == 'base' else column}\b"):
            ENTRANCES[entrance](table, column, imputer, tmp_path / entrance)
        assert not (tmp_path / entrance / "CURRENT").exists()
    assert table.execute("SELECT * FROM t ORDER BY id") == before
    assert len(table.sql("SELECT x, n, b, s, d FROM t").fetchall()) == 60


@pytest.mark.parametrize("answer", [None, {}, 5, [1.0], "x"])
def test_an_answer_that_is_no_values_by_column_is_told(table: Database, answer: object) -> None:
    with pytest.raises(ExtensionError, match="imputer own gives"):
        table.sql("SELECT x FROM t", imputer=own(impute=lambda *_, **__: answer))


def test_values_that_nobody_asked_for_are_told(table: Database) -> None:
    def further(self: Own, rows: Any, targets: Any, *_: Any, **__: Any) -> Any:
        return {column: self.given(cells) for column, cells in rows.columns.items()} | {"z": 1}

    with pytest.raises(ExtensionError, match="which was not asked for"):
        table.sql("SELECT x FROM t", imputer=own(impute=further))


MEMBERS: dict[str, dict[str, Any]] = {
    "time": {"time": None},
    "penalty": {"penalty": 0.5},
    "name": {"name": None},
    "no name": {"name": ""},
    "a number as name": {"name": 5},
    "uses_predictors": {"uses_predictors": None},
    "constant": {"constant": 5},
    "hash": {"__hash__": None},
    "impute_with_notes": {"impute_with_notes": "yes"},
    "prepared": {"prepared": True},
    "training_rows": {"training_rows": 7},
    "impute": {"impute": lambda self: {}},
    "arguments": {"time": lambda self: 1.0},
    "drop": {"name": "drop"},
}


@pytest.mark.parametrize("which", MEMBERS)
def test_members_are_checked_when_it_is_handed_in(table: Database, tmp_path: Path, which: str) -> None:
    imputer = own(**MEMBERS[which])
    for entrance in ENTRANCES.values():
        with pytest.raises(QueryError):
            entrance(table, "x", imputer, tmp_path)
    with pytest.raises(QueryError):
        table.explain("SELECT x FROM t", imputer=imputer)
    with pytest.raises(QueryError):
        table.frontier("SELECT x FROM t", imputer=imputer)


@pytest.mark.parametrize(
    "given", [Own, Mean, 5, None, object(), [Own(), own()], ["mean", "mean"], [KNN(k=3), KNN(k=9)]]
)
def test_what_is_no_imputer_and_two_of_one_name_are_refused(table: Database, given: Any) -> None:
    for ask in (table.sql, table.explain, table.frontier):
        with pytest.raises(QueryError):
            ask("SELECT x FROM t", imputer=given)
    with pytest.raises(QueryError):
        table.evaluate("t", imputer=given)


PRICES: list[dict[str, Any]] = [
    {"time": -1.0},
    {"time": np.nan},
    {"time": "1"},
    {"penalty": 1.5},
    {"penalty": None},
    {"penalty": 0},
]


@pytest.mark.parametrize("price", PRICES)
def test_prices_that_are_none_are_told(table: Database, price: dict[str, Any]) -> None:
    members = {name: lambda self, work, value=value: value for name, value in price.items()}
    with pytest.raises(ExtensionError, match="imputer own gives a"):
        table.sql("SELECT x FROM t", imputer=own(**members))
    failing = {name: lambda self, work: 1 // 0 for name in price}
    with pytest.raises(ExtensionError, match="imputer own failed in"):
        table.sql("SELECT x FROM t", imputer=own(**failing))


def test_a_constant_that_is_none_is_told(table: Database) -> None:
    with pytest.raises(ExtensionError, match="as its constant"):
        table.sql("SELECT x FROM t", imputer=own(constant=lambda self, centre: 5))
    with pytest.raises(QueryError):
        table.sql("SELECT x FROM t", imputer=own(constant=lambda self, centre: "no number")).fetchall()


class _Prepared:
    def __init__(self, given: list[Any]) -> None:
        self.given = given

    def run_many(self, *_: Any) -> Any:
        return iter(self.given)


def test_draws_that_are_too_few_or_too_many_are_told(table: Database) -> None:
    def prepared(count: int) -> Any:
        return own(
            prepared=lambda self, rows, targets: _Prepared(
                [{column: self.given(rows.columns[column]) for column in targets}] * count
            )
        )

    assert table.sql("SELECT avg(x) FROM t", imputer=prepared(3), m=3).fetchall()
    for count in (0, 2, 4):
        with pytest.raises(ExtensionError, match=r"imputer own gives (fewer|more) draws"):
            table.sql("SELECT avg(x) FROM t", imputer=prepared(count), m=3)


def test_what_a_progress_raises_comes_out_as_it_is(table: Database) -> None:
    class Stop(Exception):
        pass

    def stop(_: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        table.sql("SELECT x FROM t", progress=stop)
    assert len(table.sql("SELECT x FROM t")) == 60


# -- installed packages -----------------------------------------------------------------------------------------------


def installed(folder: Path, name: str, group: str, points: dict[str, str], code: str) -> None:
    """A distribution as pip would leave it."""
    about = folder / f"{name}-1.5.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    listed = "".join(f"{point} = {value}\n" for point, value in points.items())
    (about / "entry_points.txt").write_text(f"[{group}]\n{listed}")
    (folder / f"{name}.py").write_text(code)


CODE = """
import numpy as np
class First:
    name = "first"
    uses_predictors = False
    def time(self, work): return 1.0
    def penalty(self, work): return 0.5
    def impute(self, rows, targets, seed, progress=None, *, drawn=(), draw=0):
        return {c: np.full(rows.columns[c].missing.sum(), 7, rows.columns[c].values.dtype) for c in targets}
first = First()
class Broken(First):
    name = "lame"
    time = None
def fails():
    raise RuntimeError("not today")
"""


@pytest.fixture
def plugged(table: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    points = {
        "first": "some_plugin:First", "object": "some_plugin:first", "lame": "some_plugin:Broken",
        "failing": "some_plugin:fails", "gone": "no_such_module:Imputer", "tree": "some_plugin:fails",
    }  # fmt: skip
    installed(tmp_path / "site", "some_plugin", "imputedb.imputers", points, CODE)
    monkeypatch.delitem(sys.modules, "some_plugin", raising=False)
    return table


def test_an_installed_imputer_is_known_by_its_name(plugged: Database, tmp_path: Path) -> None:
    assert {x for (x,) in plugged.sql("SELECT x FROM t WHERE x = 7", imputer="first").fetchall()} == {7.0}
    plugged.sql("CREATE IMPUTATION POLICY ON t(n) IMPUTER first")
    assert (7,) in plugged.sql("SELECT n FROM t").fetchall()
    assert plugged.evaluate("t", imputer="first", columns=["x"]).scores
    assert plugged.impute("t", tmp_path / "out", m=1, imputer="first", columns=["x"]).manifest["imputer"] == "first"


def test_one_that_is_not_asked_for_is_not_loaded(plugged: Database) -> None:
    plugged.sql("SELECT x FROM t", imputer="mean")
    with pytest.raises(UnknownName, match="did you mean 'first'"):
        plugged.sql("SELECT x FROM t", imputer="frist")
    assert "some_plugin" not in sys.modules


@pytest.mark.parametrize("name", ["lame", "failing", "gone", "object"])
def test_a_broken_package_is_told_by_its_distribution(plugged: Database, name: str) -> None:
    with pytest.raises(ExtensionError, match=rf"'{name}' of some_plugin 1\.5"):
        plugged.sql("SELECT x FROM t", imputer=name)
    assert plugged.sql("SELECT x FROM t", imputer="tree").fetchall()


def test_two_packages_of_one_name_are_told(plugged: Database, tmp_path: Path) -> None:
    installed(tmp_path / "site", "other_plugin", "imputedb.imputers", {"first": "other_plugin:First"}, CODE)
    with pytest.raises(ExtensionError, match=r"other_plugin 1\.5 and some_plugin 1\.5"):
        plugged.sql("SELECT x FROM t", imputer="first")


def test_nothing_calls_an_imputer_but_the_border() -> None:
    """Every `impute`, `impute_with_notes` and `prepared` of an imputer outside it would go unchecked."""
    import re

    root = Path(imputedb.__file__).parent
    calls = re.compile(r"imputer\.(impute|impute_with_notes|prepared|time|penalty|constant|training_rows)\(")
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if calls.search(path.read_text()) and path.name != "checked.py"
    }
    # of chains, which come with imputedb; and what finds out whether others keep their promises
    assert found <= {"completion/drawing.py", "testing/imputers.py"}
