"""Random conditions of every kind over columns that miss values, in every clause that may hold one."""

from dataclasses import dataclass

from hypothesis import strategies as st

VALUES = st.one_of(st.none(), st.integers(0, 3), st.integers(0, 3))
NUMBERS = ("t.x", "t.y", "t.z")
OPERATORS = ("=", "<>", "<", "<=", ">", ">=")


TABLES = (
    "CREATE TABLE t(id INTEGER, x INTEGER, y INTEGER, z INTEGER, s VARCHAR, b BOOLEAN)",
    "CREATE TABLE u(id INTEGER, v INTEGER, w INTEGER)",
)
"""Made once: a write of rows makes nothing stale but what rests on them."""


@dataclass(frozen=True)
class Conditional:
    """The rows of the tables t and u, as statements, and a query whose clauses hold conditions."""

    rows: tuple[str, ...]
    query: str

    @property
    def tables(self) -> tuple[str, ...]:
        """What makes them in a new database."""
        return (*TABLES, *self.rows)


@st.composite
def conditional(draw: st.DrawFn) -> Conditional:
    t = [
        (n, *(draw(VALUES) for _ in range(3)), _text(draw), draw(st.sampled_from([None, True, False])))
        for n in _ids(draw)
    ]
    u = [(n, draw(VALUES), draw(VALUES)) for n in _ids(draw)]
    t, u = [*t, (8, 1, 2, 3, "b", True)], [*u, (8, 2, 1)]  # something is observed in every column
    rows = tuple(
        text
        for name, values in (("t", t), ("u", u))
        for text in (f"DELETE FROM {name}", f"INSERT INTO {name} VALUES {', '.join(map(_row, values))}")
    )
    return Conditional(rows, _Writer(draw).query())


def _ids(draw: st.DrawFn) -> range:
    return range(draw(st.integers(2, 7)))


def _text(draw: st.DrawFn) -> str | None:
    return draw(st.sampled_from([None, "a", "b", "ab"]))


def _row(values: tuple[object, ...]) -> str:
    written = ("NULL" if v is None else repr(v) if isinstance(v, str) else str(v).lower() for v in values)
    return f"({', '.join(written)})"


class _Writer:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def pick(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def query(self) -> str:
        where = f" WHERE {self.condition(2)}" + (f" AND {self.condition(1)}" if self.draw(st.booleans()) else "")
        match self.pick("where", "where", "on", "outer", "having", "qualify", "filter", "shown", "derived"):
            case "where":
                return f"SELECT t.id, t.x FROM t{where}"
            case "on":
                on = f"t.{self.pick('x', 'id')} = u.{self.pick('v', 'id')} AND {self.condition(2)}"
                return f"SELECT t.id, u.id AS other, u.v FROM t JOIN u ON {on}{where}"
            case "outer":
                kind = self.pick("LEFT", "FULL", "SEMI", "ANTI")
                return f"SELECT t.id, t.y FROM t {kind} JOIN u ON t.x = u.v AND {self.condition(1)}{where}"
            case "having":
                having = f"sum({self.number()}) > 2 OR (max({self.number()}) > 1) IS NOT TRUE"
                return f"SELECT t.z, count(*) AS n FROM t{where} GROUP BY t.z HAVING {having}"
            case "qualify":
                kept = f"rank() OVER (ORDER BY {self.number()}) < 3 OR {self.condition(1)}"
                return f"SELECT t.id FROM t{where} QUALIFY {kept}"
            case "filter":
                return (
                    f"SELECT count(*) FILTER (WHERE {self.condition(2)}) AS n, sum({self.number()}) AS s FROM t{where}"
                )
            case "shown":
                return f"SELECT t.id, {self.condition(2)} AS c FROM t{where}"
        inner = f"SELECT t.id, t.x, t.y, t.z, t.s, t.b FROM t{where}"
        return f"SELECT t.id FROM ({inner}) AS t WHERE {self.condition(2)}"

    def number(self) -> str:
        x, y, c = self.pick(*NUMBERS), self.pick(*NUMBERS), self.pick("0", "1", "2")
        return self.pick(
            *(x, x, f"({x} + {y})", f"abs({x} - {c})", f"coalesce({x}, {c})", f"greatest({x}, {c})"),
            *(
                f"least({x}, {y})",
                f"CASE WHEN {x} > {c} THEN {y} ELSE {c} END",
                f"length(t.s) + {x}",
                f"ifnull({x}, {y})",
            ),
        )

    def condition(self, depth: int) -> str:
        if depth and self.draw(st.booleans()):
            one, other = self.condition(depth - 1), self.condition(depth - 1)
            return self.pick(
                *(f"({one} AND {other})", f"({one} OR {other})", f"(NOT {one})", f"coalesce({one}, {other})"),
                *(f"(({one}) IS TRUE)", f"(({one}) IS NOT TRUE)", f"(({one}) IS FALSE)", f"(({one}) IS NOT FALSE)"),
                *(f"(({one}) IS UNKNOWN)", f"(({one}) IS NOT UNKNOWN)", f"(({one}) = ({other}))"),
                *(f"CASE WHEN {one} THEN {other} ELSE true END", f"CASE WHEN {one} THEN 1 ELSE 0 END = 1"),
                *(
                    f"if({one}, {other}, false)",
                    f"list_contains([{one}], true)",
                    f"(({one}) IS DISTINCT FROM ({other}))",
                ),
            )
        return self.simple()

    def simple(self) -> str:
        x, y, c = self.number(), self.number(), self.pick("0", "1", "2")
        outer, op = self.pick(*NUMBERS), self.pick(*OPERATORS)
        return self.pick(
            *(f"{x} {op} {c}", f"{x} {op} {y}", f"{x} BETWEEN {c} AND {y}", f"{x} IN ({c}, {y})", "t.b", "NOT t.b"),
            *(f"{x} NOT IN ({c}, 3)", f"{x} IS DISTINCT FROM {y}", f"{x} IS NOT DISTINCT FROM {c}", "t.s LIKE 'a%'"),
            *(f"{outer} IS NULL", f"{outer} IS NOT NULL", f"concat(t.s, {x}) = 'a{c}'", f"t.s || {x} = 'a{c}'"),
            *(f"concat_ws('-', t.s, {x}) <> 'a-{c}'", f"list_contains([{x}, {y}], {c})", f"[{x}] = [{c}]"),
            *(
                f"{{'a': {x}, 'b': {y}}} = {{'a': {c}, 'b': {c}}}",
                f"len(list_filter([{x}, {y}], lambda v: v > {c})) > 0",
            ),
            *(f"len(list_filter([{c}, 3], lambda v: v > {outer})) > 1", f"{x}", f"({x} AND {y})"),
            *(f"EXISTS (SELECT 1 FROM u WHERE u.v {op} {outer})", f"NOT EXISTS (FROM u WHERE u.v = {outer})"),
            *(f"{x} IN (SELECT u.v FROM u)", f"{x} NOT IN (SELECT u.w FROM u WHERE u.w > {c})"),
            *(f"{x} {op} ANY (SELECT u.v FROM u)", f"{x} {op} ALL (SELECT u.w FROM u WHERE u.w > {c})"),
            *(f"{x} {op} (SELECT max(u.v) FROM u)", f"{x} {op} (SELECT min(u.v) FROM u WHERE u.id <= t.id)"),
            *(f"(SELECT count(*) FROM u WHERE u.v = {outer}) > {c}", f"{x} = ANY([{c}, 3])"),
            *(f"nullif({x}, {c}) IS NOT NULL", f"round(sqrt({x})) = {c}", f"substring(t.s, {c} + 1, 1) = 'a'"),
        )
