"""Policies and declared values as TOML: what is written is what is read, and nothing is half applied."""

import datetime
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from imputedb.errors import DataError, Error, StorageError, UnknownName
from imputedb.statistics.policy import Policy

TABLES = """
    CREATE SCHEMA "s.1";
    CREATE TABLE "s.1"."a.""b" AS SELECT 1 AS "x""y", NULL::DATE AS d, NULL::DECIMAL(9,3) AS e, NULL::TIMESTAMP AS m;
    CREATE TABLE t AS SELECT 1 AS id, NULL::DATE AS d, NULL::VARCHAR AS s, true AS b, NULL::DOUBLE AS f
"""


def database(path: str = ":memory:") -> Database:
    db = imputedb.connect(path)
    db.execute(TABLES)
    return db


def same(one: Database, other: Database) -> bool:
    return (one.export_policies(), one.policies(), one.declared()) == (
        other.export_policies(),
        other.policies(),
        other.declared(),
    )


ALL = {
    "structural": {"action": "structural", "when": "id > 1 AND\n  s = 'it''s'"},
    "range": {"low": -5, "high": 1e300},
    "one bound": {"low": 1.125},
    "integers of any size": {"high": 2**70},
    "values": {"values": [1, 2.5, Decimal("3.250")]},
    "imputer": {"imputer": "norm", "above": 12.5, "refuse": True},
    "predictors": {"predictors": ["ID", "s"]},
    "exclude": {"exclude": ["b"], "before": "id", "above": 5},
    "drop": {"action": "drop"},
    "missing below": {"below": 0.75},
    "measure": {"measure": "numeric"},
    "weight": {"weight": "id"},
    "series": {"partition": ["b"], "order": "d", "imputer": "linear"},
    "cluster": {"cluster": "b", "imputer": "2l.norm"},
    "derived": {"derived": "id * 2 + length(s)"},
    "stale": {"stale": "refresh"},
    "plain": {},
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("said", ALL.values(), ids=ALL.keys())
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_each_clause_comes_back_to_the_letter(said: dict[str, object], kind: str, tmp_path: Path) -> None:
    with database(str(tmp_path / "a.duckdb") if kind == "file" else ":memory:") as one, database() as other:
        one.policy("t", "f", **said)  # type: ignore[arg-type]
        one.export_policies(tmp_path / "p.toml")
        changes = other.apply_policies(tmp_path / "p.toml")
        assert [(change.table, change.column) for change in changes] == [("t", "f")]
        assert same(one, other)
        assert len(other.policies()) == 1
        assert other.apply_policies(tmp_path / "p.toml") == []


def test_the_clauses_above_are_all_there_are() -> None:
    assert {name for said in ALL.values() for name in said} == {field.name for field in fields(Policy)}


@settings(max_examples=10, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8), max_size=4),
    codes=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8), max_size=4),
    days=st.lists(st.dates(), max_size=2),
    low=st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(10**30), 10**30)
    | st.decimals(-1000, 1000, places=3),
)
def test_any_text_number_and_date_comes_back(
    texts: list[str], codes: list[str], days: list[datetime.date], low: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("p") / "p.toml"
    with database() as one, database() as other:
        one.policy("t", "s", values=texts)
        one.missing("t", "s", codes)
        one.policy("t", "d", values=days, low=min(days, default=None))
        one.policy("t", "f", low=low)
        one.policy('"s.1"."a.""b"', "m", high="2020-01-01 10:00:00+02:00")
        one.missing('"s.1"."a.""b"', 'x"y', [-9])
        one.export_policies(path)
        other.apply_policies(path)
        assert same(one, other)


def test_schemas_temporary_tables_and_attached_databases(tmp_path: Path) -> None:
    with database(str(tmp_path / "a.duckdb")) as one, database(str(tmp_path / "other name.duckdb")) as other:
        for place, db in enumerate((one, other)):
            db.execute(f"ATTACH '{tmp_path / f'b{place}.duckdb'}' AS \"b b\"")
            db.execute('CREATE SCHEMA "b b".s; CREATE TABLE "b b".s.t AS SELECT 1 AS x')
            db.execute("CREATE TEMP TABLE t AS SELECT 1 AS id, 2 AS x")
        one.policy("a.main.t", "id", low=1)
        one.policy("t", "id", low=2)
        one.policy('"b b".s.t', "x", low=3)
        one.policy('"s.1"."a.""b"', "e", low=4)
        text = one.export_policies(tmp_path / "p.toml")
        other.execute('USE "s.1"')
        assert len(other.apply_policies(tmp_path / "p.toml")) == 4
        other.execute("USE main")
        assert other.export_policies() == text
        assert [said[1:] for said in other.policies()] == [said[1:] for said in one.policies()]


def test_a_dry_run_and_an_exact_one(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    with database() as db:
        db.policy("t", "f", low=0)
        db.missing("t", "id", [77, 99])
        text = db.export_policies(path)
        db.policy("t", "f", "keep")
        db.missing("t", "id", [77])
        db.policy("t", "s", "drop")
        here = db.export_policies()
        shown = [str(change) for change in db.apply_policies(path, dry_run=True)]
        assert shown == [
            '- t.id MISSING ["77"]\n+ t.id MISSING ["77", "99"]',
            "- t.f KEEP\n+ t.f IMPUTE RANGE 0 TO infinity",
        ]
        assert db.export_policies() == here
        db.apply_policies(path)
        assert [column for _, column, _ in db.policies()] == ["f", "s"]
        assert [str(change) for change in db.apply_policies(path, exact=True)] == ["- t.s DROP"]
        assert db.export_policies() == text


GOOD = '[[column]]\ntable = "t"\ncolumn = "id"\naction = "keep"\n'
BAD = {
    "not TOML": ("table =", "line 7, column 8"),
    "an unknown key": ('[[column]]\ntable = "t"\ncolumn = "f"\nlowest = 1', r"line 7 \(t.f\): 'lowest'"),
    "another table": ('[[column]]\ntable = "tt"\ncolumn = "f"', r"line 7 \(tt.f\): no table"),
    "another schema": ('[[column]]\nschema = "q"\ntable = "t"\ncolumn = "f"', r"line 7 \(q.t.f\): no table 'q.t'"),
    "another column": ('[[column]]\ntable = "t"\ncolumn = "ff"', r"line 7 \(t.ff\): no column 'ff'"),
    "another predictor": ('[[column]]\ntable = "t"\ncolumn = "f"\nexclude = ["zz"]', r"\(t.f\): no column 'zz'"),
    "an imputer": ('[[column]]\ntable = "t"\ncolumn = "f"\nimputer = "nobody"', r"line 7 \(t.f\): .*nobody"),
    "an action": ('[[column]]\ntable = "t"\ncolumn = "f"\naction = "guess"', r"line 7 \(t.f\): no action 'guess'"),
    "a bound": (
        '[[column]]\ntable = "t"\ncolumn = "f"\nlow = 2020-01-01',
        r"line 7 \(t.f\): '2020-01-01' is not a bound",
    ),
    "a range": ('[[column]]\ntable = "t"\ncolumn = "f"\nlow = 2\nhigh = 1', r"line 7 \(t.f\): no value"),
    "a value": ('[[column]]\ntable = "t"\ncolumn = "d"\nvalues = ["zz"]', r"line 7 \(t.d\): 'zz' is not a value"),
    "a code": ('[[column]]\ntable = "t"\ncolumn = "d"\nmissing = [1.5]', r"line 7 \(t.d\): '1.5' is not a value"),
    "a type": ('[[column]]\ntable = "t"\ncolumn = "f"\nabove = "7"', r"line 7 \(t.f\): above is '7'"),
    "a list": ('[[column]]\ntable = "t"\ncolumn = "f"\nvalues = {a = 1}', r"line 7 \(t.f\): values is"),
    "a condition": (
        '[[column]]\ntable = "t"\ncolumn = "f"\naction = "structural"\nwhen = "idd > 1"',
        r"line 7 \(t.f\): .*idd",
    ),
    "twice": (
        '[[column]]\ntable = "t"\ncolumn = "ID"',
        r"line 7 \(t.ID\): this column has an " r"earlier entry: merge the two",
    ),
    "no column": ('[[column]]\ntable = "t"', r"line 7 \(t\): 'column' is missing"),
    "in a text of several lines": (
        '[[column]]\ntable = "t"\ncolumn = "f"\naction = "structural"\n'
        'when = """id > 1 OR \'\n[[column]]\n\' = \'\'"""\n'
        '[[column]]\ntable = "t"\ncolumn = "zz"',
        r"line 14 \(t.zz\)",
    ),
    "another part": ("[other]\nx = 1", "other"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_a_wrong_file_changes_nothing_and_names_the_place(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(f"format = 1\n{GOOD}\n{text}\n")
    with database() as db, pytest.raises(Error, match=message) as raised:
        db.apply_policies(path)
    assert type(raised.value).__module__ == "imputedb.errors"
    with database() as db:
        with pytest.raises(Error):
            db.apply_policies(path)
        assert db.policies() == []


def test_files_that_are_none(tmp_path: Path) -> None:
    with database() as db:
        with pytest.raises(StorageError, match="No such file"):
            db.apply_policies(tmp_path / "nowhere.toml")
        with pytest.raises(StorageError, match="cannot write"):
            db.export_policies(tmp_path / "no folder" / "p.toml")
        (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(StorageError, match="UTF-8"):
            db.apply_policies(tmp_path / "b.toml")
        (tmp_path / "v.toml").write_text("format = 0\n")
        with pytest.raises(DataError, match="format = 1"):
            db.apply_policies(tmp_path / "v.toml")


def test_a_database_open_for_reading_shows_but_does_not_change(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    with database(str(tmp_path / "a.duckdb")) as db:
        db.policy("t", "f", low=0)
        db.export_policies(path)
        db.sql("DROP IMPUTATION POLICY ON t")
    with imputedb.connect(str(tmp_path / "a.duckdb"), read_only=True) as db:
        assert len(db.apply_policies(path, dry_run=True)) == 1
        with pytest.raises(StorageError, match="reading only"):
            db.apply_policies(path)


def test_it_takes_part_in_transactions(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    for place in (":memory:", str(tmp_path / "a.duckdb")):
        with database(place) as db:
            db.policy("t", "f", low=0)
            db.export_policies(path)
            db.sql("DROP IMPUTATION POLICY ON t")
            db.sql("BEGIN")
            assert len(db.apply_policies(path)) == 1
            assert len(db.policies()) == 1
            db.sql("ROLLBACK")
            assert db.policies() == []


@pytest.mark.parametrize("call", ["policy", "policies", "declared", "missing", "export_policies", "apply_policies"])
def test_a_closed_database_says_so(call: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(f"format = 1\n{GOOD}")
    arguments = {"policy": ("t", "f"), "missing": ("t", "id", [1]), "apply_policies": (tmp_path / "p.toml",)}
    for place in (":memory:", str(tmp_path / "a.duckdb")):
        db = database(place)
        db.close()
        with pytest.raises(StorageError, match="closed"):
            getattr(db, call)(*arguments.get(call, ()))


def test_values_and_bounds_are_taken_as_python_has_them() -> None:
    with database() as db:
        db.policy("t", "b", values=[True])
        db.policy("t", "d", low=datetime.date(2020, 1, 1), high=datetime.datetime(2021, 1, 1, 12))
        assert db.policies() == [
            ("t", "b", "IMPUTE VALUES (true)"),
            ("t", "d", "IMPUTE RANGE '2020-01-01' TO '2021-01-01 12:00:00'"),
        ]
        with pytest.raises(DataError, match="not a bound"):
            db.policy("t", "f", low=True)
        with pytest.raises(DataError, match="not a value"):
            db.policy("t", "f", values=[[1]])
        with pytest.raises(UnknownName):
            db.policy("t", "zz")
