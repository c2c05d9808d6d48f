"""Models in hand: applied to new rows, saved, moved, written as SQL."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

import imputedb
from imputedb import DataError, Model, QueryError, StorageError, UnknownName
from imputedb.cli.main import main

TABLE = """CREATE TABLE t AS SELECT i AS id, (i * 7 % 13)::DOUBLE AS x,
    CASE WHEN i % 4 <> 0 THEN ((i * 7 % 13) * 2 + i % 3)::DOUBLE END AS y,
    CASE WHEN i % 5 <> 0 THEN ['a', 'b', 'c'][i % 3 + 1] END AS g,
    CASE WHEN i % 6 <> 0 THEN i % 7 > 2 END AS b, CASE WHEN i % 7 <> 0 THEN i % 40 END AS n,
    CASE WHEN i % 8 <> 0 THEN DATE '2020-01-01' + (i % 90)::INT END AS d FROM range(400) r(i)"""
TARGETS = ("y", "g", "b", "n", "d")


@pytest.fixture(scope="module")
def db() -> imputedb.Database:
    found = imputedb.connect()
    found.execute(TABLE)
    for imputer in ("tree", "norm", "pmm", "mean"):
        found.create_model(imputer, "t", TARGETS, imputer=imputer, draws=2)
    return found


def forms(db: imputedb.Database) -> dict[str, Any]:
    rows = db.execute("SELECT * FROM t ORDER BY id")
    names = ["id", "x", *TARGETS]
    columns = {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    pandas, polars, pyarrow = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    return {
        "dict": columns,
        "rows": [dict(zip(names, row, strict=True)) for row in rows],
        "pandas": pandas.DataFrame(columns),
        "polars": polars.DataFrame(columns),
        "arrow": pyarrow.table(columns),
    }


def listed(found: Any) -> list[list[object]]:
    if isinstance(found, list):
        return [[row[name] for row in found] for name in TARGETS]
    if hasattr(found, "to_pydict"):
        found = found.to_pydict()
    return [list(found[name]) for name in TARGETS]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("imputer", ["tree", "norm", "pmm", "mean"])
@pytest.mark.parametrize("form", ["dict", "rows", "pandas", "polars", "arrow"])
def test_apply_gives_what_sql_gives(db: imputedb.Database, imputer: str, form: str) -> None:
    """Bit for bit, whatever the rows come in."""
    names = ", ".join(TARGETS)
    others = [name for name in ("tree", "norm", "pmm", "mean") if name != imputer]
    with db.session() as own:
        own.execute("BEGIN")
        for name in others:
            own.drop_model(name)
        found = own.complete("t").fetchall()
        own.execute("ROLLBACK")
    place = {name: number for number, name in enumerate(["id", "x", *TARGETS])}
    expected = [[row[place[name]] for row in sorted(found)] for name in TARGETS]
    applied = db.model(imputer).apply(forms(db)[form])
    assert isinstance(applied, type(forms(db)[form]))
    got = listed(applied)
    for name, ours, theirs in zip(TARGETS, got, expected, strict=True):
        if name == "d":
            ours = [getattr(value, "date", lambda v=value: v)() for value in ours]
        assert [_plain(v) for v in ours] == [_plain(v) for v in theirs], (name, names)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def test_draws_are_keyed_by_what_is_given(db: imputedb.Database) -> None:
    model, frame = db.model("tree"), forms(db)["dict"]
    keys = list(range(1000, 1400))
    first = model.apply(frame, draw=0, keys=keys)
    backwards = {name: values[::-1] for name, values in frame.items()}
    again = model.apply(backwards, draw=0, keys=keys[::-1])
    assert {name: list(values)[::-1] for name, values in again.items()} == {n: list(v) for n, v in first.items()}
    assert first != model.apply(frame, draw=1, keys=keys)


def test_a_saved_model_is_the_same(db: imputedb.Database, tmp_path: Path) -> None:
    path, frame = tmp_path / "vitals.model", forms(db)["dict"]
    db.model("tree").save(path)
    loaded = imputedb.load_model(path)
    assert loaded == db.model("tree") or loaded.digest == db.model("tree").digest
    assert loaded.apply(frame) == db.model("tree").apply(frame)
    assert loaded.stale is None
    with imputedb.connect() as other:
        other.execute(TABLE.replace("TABLE t", "TABLE s"))
        with pytest.raises(UnknownName, match="t"):
            other.import_model(loaded)
        assert other.import_model(loaded, table="s").digest == loaded.digest
        answer = other.sql("SELECT avg(y) FROM s", fit="table")
        assert answer.report.methods == {"s.y": "tree@1"}
        with pytest.raises(DataError, match="already"):
            other.import_model(loaded, table="s")
    for damage, said in (("no model", "is not a model"), (None, "its hash differs")):
        path.write_bytes(damage.encode() if damage else path.read_bytes()[:-3] + b"abc")
        if damage is None:
            db.model("tree").save(path)
            path.write_bytes(path.read_bytes()[:-3] + b"abc")
        with pytest.raises(StorageError, match=said):
            imputedb.load_model(path)
    with pytest.raises(StorageError, match="cannot read"):
        imputedb.load_model(tmp_path / "none")


def test_expressions_give_what_the_model_gives() -> None:
    with imputedb.connect() as db:
        db.execute(TABLE)
        db.execute("ALTER TABLE t DROP COLUMN d")
        model = db.create_model("line", "t", ("y",), imputer="norm")
        (text,) = model.sql().values()
        ours = db.sql("SELECT id, y FROM t ORDER BY id", fit="table").fetchall()
        theirs = db.execute(f"SELECT id, coalesce(y, {text}) FROM t ORDER BY id")
        assert ours == theirs
        assert set(model.sql("postgres")) == {"y"}
        with pytest.raises(QueryError, match="dialect"):
            model.sql("oracle")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: {name: values for name, values in frame.items() if name != "x"}, "the model reads x"),
        (lambda frame: {**frame, "x": [1.0]}, "differ in length"),
        (lambda frame: {**frame, "x": ["much", *frame["x"][1:]]}, "'much' is not a value of x"),
        (lambda _: 7, "int has no columns"),
    ],
)
def test_rows_that_do_not_fit_are_refused(db: imputedb.Database, change: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        db.model("norm").apply(change(forms(db)["dict"]))


def test_unseen_categories_and_odd_values_read_as_missing(db: imputedb.Database) -> None:
    frame = {name: values[:2] for name, values in forms(db)["dict"].items()}
    given = db.model("tree").apply({**frame, "y": [None, None], "g": ["never seen", None]})
    missing = db.model("tree").apply({**frame, "y": [None, None], "g": [None, None]})
    assert given["y"] == missing["y"]
    assert given["g"][0] == "never seen"


def test_drift_is_told_by_column(db: imputedb.Database) -> None:
    frame = forms(db)["dict"]
    model = db.model("tree")
    assert model.drift(frame)["x"] == pytest.approx(0, abs=0.01)
    moved = model.drift({**frame, "x": [value + 100 for value in frame["x"]]})["x"]
    assert moved is not None
    assert moved > 0.25


def test_commands(tmp_path: Path) -> None:
    path = str(tmp_path / "t.duckdb")
    with duckdb.connect(path) as con:
        con.execute(TABLE)

    def command(*words: str) -> str:
        result = CliRunner().invoke(main, list(words), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "vitals@1: y 0." in command("model", "create", path, "vitals", "t", "--column", "y", "--draws", "2")
    assert "vitals@2" in command("model", "refresh", path, "vitals")
    assert "tree" in command("model", "show", path)
    assert '"name": "vitals"' in command("model", "show", path, "vitals@1", "--format", "json")
    assert "fitted_at" in command("model", "diff", path, "vitals@1", "vitals@2")
    command("model", "export", path, "vitals", str(tmp_path / "v.model"))
    command("model", "drop", path, "vitals")
    assert "vitals@1" in command("model", "import", path, str(tmp_path / "v.model"))


def test_decimals_have_their_scale() -> None:
    with imputedb.connect() as db:
        y = "CASE WHEN i % 4 <> 0 THEN (i % 7 + 0.25)::DECIMAL(9, 2) END AS y"
        db.execute(f"CREATE TABLE t AS SELECT i % 7 AS x, {y} FROM range(90) r(i)")
        model = db.create_model("line", "t", imputer="norm")
        rows = db.execute("SELECT * FROM t")
        found = model.apply([{"x": x, "y": y} for x, y in rows])
        assert [(row["x"], row["y"]) for row in found] == db.complete("t").fetchall()


def test_a_model_says_what_it_is(db: imputedb.Database) -> None:
    model = db.model("norm")
    assert isinstance(model, Model)
    assert [one.name for one in db.models("t")] == ["mean", "norm", "pmm", "tree"]
    assert (model.table, model.columns, model.draws, model.stale) == ("t", TARGETS, 2, False)


KINDS = """CREATE TABLE t AS SELECT i AS id, (i % 17)::DOUBLE AS x,
    CASE WHEN i % 4 <> 0 THEN (i % 17 * 3)::HUGEINT END AS h,
    CASE WHEN i % 5 <> 0 THEN (i % 17 * 0.3)::FLOAT END AS f, CASE WHEN i % 3 <> 0 THEN (i % 17)::UBIGINT END AS u,
    CASE WHEN i % 6 <> 0 THEN TIME '10:00:00' + INTERVAL (i % 17) MINUTE END AS c,
    CASE WHEN i % 7 <> 0 THEN TIMESTAMPTZ '2020-01-01 00:00:00+00' + INTERVAL (i % 17) HOUR END AS z,
    CASE WHEN i % 8 <> 0 THEN INTERVAL (i % 17) SECOND END AS s, CASE WHEN i % 9 <> 0 THEN i % 17 ELSE 77 END AS n
    FROM range(300) r(i)"""


def test_every_type_is_given_as_sql_gives_it() -> None:
    with imputedb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(KINDS)
        db.missing("t", "n", [77])
        model = db.create_model("m", "t", imputer="tree", draws=1)
        names = ["id", "x", "h", "f", "u", "c", "z", "s", "n"]
        rows = [dict(zip(names, row, strict=True)) for row in db.execute("SELECT * FROM t ORDER BY id")]
        whole = [dict(zip(names, row, strict=True)) for row in sorted(db.complete("t").fetchall())]
        for name in names:
            got = [row[name] for row in model.apply(rows)]
            assert got == [row[name] for row in whole], name
            assert {type(value) for value in got} == {type(row[name]) for row in whole}, name


def test_masks_hide_values(db: imputedb.Database) -> None:
    frame = {name: values[:20] for name, values in forms(db)["dict"].items()}
    hidden = np.ma.masked_array(np.array(frame["x"]), np.arange(20) % 2 == 0)
    gaps = [None if place % 2 == 0 else value for place, value in enumerate(frame["x"])]
    model = db.model("tree")
    assert model.apply({**frame, "x": hidden})["y"] == model.apply({**frame, "x": gaps})["y"]
    days = np.array([np.datetime64(value, "ns") if value else np.datetime64("NaT") for value in frame["d"]])
    assert model.apply({**frame, "d": days})["y"] == model.apply(frame)["y"]


def test_frames_keep_their_types(db: imputedb.Database) -> None:
    polars, pyarrow, pandas = (pytest.importorskip(name) for name in ("polars", "pyarrow", "pandas"))
    model, columns = db.model("norm"), forms(db)["dict"]
    frame = polars.DataFrame(columns, schema_overrides={"n": polars.Int16, "y": polars.Float32})
    assert model.apply(frame).schema == frame.schema
    table = pyarrow.table({**columns, "n": pyarrow.array(columns["n"], pyarrow.int16())})
    assert model.apply(table).schema == table.schema
    numbers = pandas.DataFrame({**columns, "n": pandas.array(columns["n"], "Int16")})
    assert model.apply(numbers)["n"].dtype == "Int16"
    empty = polars.DataFrame(columns).head(0)
    assert model.apply(empty).schema == empty.schema


@pytest.mark.parametrize("keys", [["a"] * 400, [2**70] * 400, [1.5] * 400, [1, 2], np.zeros((400, 1), int)])
def test_keys_are_whole_numbers(db: imputedb.Database, keys: Any) -> None:
    with pytest.raises(QueryError, match="keys are 400 whole numbers"):
        db.model("norm").apply(forms(db)["dict"], draw=0, keys=keys)


@pytest.mark.parametrize("bad", [3.0, "text", (value for value in range(400)), np.zeros((400, 2))])
def test_columns_are_lists(db: imputedb.Database, bad: Any) -> None:
    with pytest.raises(DataError):
        db.model("norm").apply({**forms(db)["dict"], "y": bad})


def test_no_rows_are_no_rows_and_few_to_learn_from_are_told(db: imputedb.Database) -> None:
    model = db.model("norm")
    assert model.apply([]) == []
    assert set(model.drift([]).values()) == {None}
    assert model.apply({name: [] for name in ("id", "x", *TARGETS)}) == {name: [] for name in ("id", "x", *TARGETS)}
    with pytest.raises(DataError, match="the model reads"):
        model.apply([{}])
    with imputedb.connect() as own:
        own.execute(
            "CREATE TABLE u AS SELECT CASE WHEN i % 2 = 0 THEN i END AS a, "
            "CASE WHEN i % 2 = 1 THEN i END AS b FROM range(40) r(i)"
        )
        with pytest.raises(imputedb.Error, match=r"in the rows that are learnt from \(1\): take a larger sample"):
            own.create_model("m", "u", sample=1)
