"""The closed list of strict functions, as DuckDB has them."""

import itertools

import duckdb
import pytest

from imputedb.sql import parse
from imputedb.sql.ast import is_reference
from imputedb.sql.functions import STRICT
from imputedb.sql.strictness import is_strict

SAMPLES = {
    "VARCHAR": ("'a'", "'day'"),
    "BOOLEAN": ("true",),
    "DATE": ("DATE '2020-01-02'",),
    "TIMESTAMP": ("TIMESTAMP '2020-01-02'",),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT"), ("1",)),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), ("0.5",)),
}


def test_strict_functions_are_null_wherever_an_argument_is() -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE one AS SELECT 1 AS one")
    found = con.execute("SELECT lower(function_name), parameter_types FROM duckdb_functions()").fetchall()
    asked, answered = 0, set()
    for name, types in found:
        if name not in STRICT or not types or any(kind not in SAMPLES for kind in types):
            continue
        for missing in range(len(types)):
            for values in itertools.product(*(SAMPLES[kind] for kind in types)):
                given = [f"{value}::{kind}" for value, kind in zip(values, types, strict=True)]
                given[missing] = f"CASE WHEN one = 2 THEN {given[missing]} END"
                try:
                    (answer,) = con.execute(f"SELECT {_call(name, given)} FROM one").fetchall()[0]
                except duckdb.Error:  # a unit, a precision or a pattern that must be a constant
                    continue
                asked, answered = asked + 1, answered | {name}
                assert answer is None, (name, given)
    assert asked > 300
    assert STRICT - answered <= {"@", "position", "like_escape", "not_like_escape"}


def _call(name: str, given: list[str]) -> str:
    if name.isidentifier():
        return f"{name}({', '.join(given)})"
    return f"{given[0]} {name} {given[1]}" if len(given) == 2 else f"{name} {given[0]}"


@pytest.mark.parametrize(
    ("condition", "strict"),
    [
        ("x > 0", True),
        ("x + y > 0 AND NOT (x = 1 OR y IN (1, 2))", True),
        ("abs(x)::DOUBLE BETWEEN y AND 3", True),
        ("s LIKE 'a%'", True),
        ("CASE WHEN c = 1 THEN x > 0 ELSE true END", False),  # CASE is not on the list, whatever it reads
        ("CASE WHEN c = 1 THEN 2 ELSE 3 END > 2", True),  # which reads nothing that misses
        ("coalesce(x, 1) = 1", False),
        ("x IS NOT DISTINCT FROM 1", False),
        ("(x > 0) IS TRUE", False),
        ("concat(s, 'a') = 'a'", False),
        ("greatest(x, 1) = 1", False),
        ("[x] = [1]", False),
        ("x IN (SELECT 1)", False),
        ("EXISTS (SELECT 1 WHERE x = 1)", False),
        ("x > 0 AND coalesce(y, 1) = 1", False),
    ],
)
def test_what_is_proved_strict(condition: str, strict: bool) -> None:
    tree = parse.parse(duckdb.connect(), f"SELECT {condition}")["select_list"][0]
    unsure = {"x", "y", "s"}
    assert is_strict(tree, lambda node: is_reference(node) and node["column_names"][-1] in unsure) is strict
