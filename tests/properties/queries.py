"""Random tables and queries over them, as SQL text."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

COLUMNS = {"i": "INTEGER", "f": "DOUBLE", "s": "VARCHAR", "b": "BOOLEAN", "d": "DATE"}
_VALUES = {
    "i": st.integers(-3, 6).map(str),
    "f": st.sampled_from(["-1.5", "0.0", "2.25", "1e10", "'inf'"]),
    "s": st.sampled_from(["'x'", "'y'", "'zoë'", "''", "'O''Hara'"]),
    "b": st.sampled_from(["true", "false"]),
    "d": st.sampled_from(["DATE '2020-01-01'", "DATE '2021-06-30'", "DATE '1969-12-31'"]),
}


@dataclass(frozen=True)
class Case:
    """Statements that make tables, and a query over them."""

    tables: tuple[str, ...]
    query: str
    ordered: bool


@st.composite
def cases(draw: st.DrawFn, *, missing: bool) -> Case:
    tables = tuple(_table(draw, f"t{i}", missing=missing) for i in range(draw(st.integers(1, 3))))
    aliases = [f"t{i}" for i in range(len(tables))]
    column = st.builds("{}.{}".format, st.sampled_from(aliases), st.sampled_from(list(COLUMNS)))
    conditions = [f"{left}.k = {right}.k" for left, right in pairwise(aliases)]
    conditions += draw(st.lists(_condition(column), max_size=2))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    source = ", ".join(aliases) if draw(st.booleans()) else " CROSS JOIN ".join(aliases)
    if draw(st.booleans()):
        return Case(tables, _grouped(draw, column, source, where), ordered=False)
    outputs = draw(st.lists(st.one_of(column, _expression(column)), min_size=1, max_size=3))
    distinct = "DISTINCT " if draw(st.booleans()) else ""
    tail = " ORDER BY ALL LIMIT 5" if draw(st.booleans()) else ""
    return Case(tables, f"SELECT {distinct}{', '.join(outputs)} FROM {source}{where}{tail}", ordered=bool(tail))


def _grouped(draw: st.DrawFn, column: st.SearchStrategy[str], source: str, where: str) -> str:
    group = draw(column)
    calls = st.sampled_from(["count", "min", "max", "count(DISTINCT"])
    shown = [
        f"{c}({x})" if "(" not in c else f"{c} {x})" for c, x in draw(st.lists(st.tuples(calls, column), min_size=1))
    ]
    having = draw(st.sampled_from(["", " HAVING count(*) > 1", " HAVING max(t0.i) >= 0"]))
    return f"SELECT {group}, {', '.join(shown[:3])}, avg(t0.f), sum(t0.i) FROM {source}{where} GROUP BY {group}{having}"


def _table(draw: st.DrawFn, name: str, *, missing: bool) -> str:
    rows = draw(st.integers(0, 12))
    columns = ", ".join(f"{column} {kind}" for column, kind in COLUMNS.items())
    made = f"CREATE TABLE {name} (k INTEGER, {columns})"
    if not rows:
        return made
    null = st.just("NULL")
    cell = {c: st.one_of(v, v, null) if missing else v for c, v in _VALUES.items()}
    lines = [f"({draw(st.integers(0, 4))}, {', '.join(draw(cell[c]) for c in COLUMNS)})" for _ in range(rows)]
    # one row is complete, so that every column has an observed value
    lines[0] = f"(1, {', '.join(draw(_VALUES[c]) for c in COLUMNS)})"
    return f"{made}; INSERT INTO {name} VALUES {', '.join(lines)}"


def _condition(column: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def comparison(name: str) -> st.SearchStrategy[str]:
        value = _VALUES[name[-1]]
        return st.one_of(
            st.builds("{} {} {}".format, st.just(name), st.sampled_from(["=", "<", ">=", "<>"]), value),
            st.builds("{} BETWEEN {} AND {}".format, st.just(name), value, value),
            st.builds("{} IN ({}, {})".format, st.just(name), value, value),
            st.builds("({0} = {1} OR NOT {0} < {2})".format, st.just(name), value, value),
        )

    return column.flatmap(comparison)


def _expression(column: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        column.map(lambda c: f"CASE WHEN {c} = {c} THEN 1 ELSE 2 END"),
        column.map(lambda c: f"{c} IS NULL"),
        column.map(lambda c: f"coalesce({c}::VARCHAR, '?') || '!'"),
        st.just("t0.i + 2 * t0.i"),
        st.just("upper(t0.s) LIKE '%O%'"),
    )
