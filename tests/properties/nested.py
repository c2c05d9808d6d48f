"""Random statements of blocks in blocks: WITH, derived tables, set operations, subqueries, joins, windows."""

from dataclasses import dataclass

from hypothesis import strategies as st

VALUES = st.one_of(st.none(), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
TYPES = {"k": "INTEGER", "i": "INTEGER", "j": "BIGINT", "g": "VARCHAR"}


@dataclass(frozen=True)
class Nested:
    """Tables a, b and c of the same columns, and a statement over them."""

    tables: tuple[str, ...]
    query: str


@st.composite
def nested(draw: st.DrawFn, *, missing: bool) -> Nested:
    values = VALUES if missing else st.integers(0, 4)
    tables = []
    for name in "abc":
        rows = [(number, draw(values), draw(values), draw(values)) for number in range(draw(st.integers(2, 5)))] + [
            (9, 1, 2, 3)
        ]  # something is observed in every column
        listed = ", ".join(f"({k}, {_sql(i)}, {_sql(j)}, {_sql(g, text=True)})" for k, i, j, g in rows)
        columns = ", ".join(f"{column} {kind}" for column, kind in TYPES.items())
        tables.append(f"CREATE TABLE {name}({columns}); INSERT INTO {name} VALUES {listed}")
    return Nested(tuple(tables), _Writer(draw).statement())


def _sql(value: int | None, *, text: bool = False) -> str:
    return "NULL" if value is None else f"'{value}'" if text else str(value)


class _Writer:
    """Writes statements whose blocks all show k, v (integers) and t (text)."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0

    def pick(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def fresh(self) -> str:
        self.count += 1
        return f"r{self.count}"

    def statement(self) -> str:
        shape = self.pick("query", "with", "chain", "chain", "twice", "recursive")
        if shape == "query":
            return self.query(2)
        if shape == "with":
            return f"WITH w AS ({self.query(1)}) {self.block(1, extra=('w',))}"
        if shape == "chain":
            how = self.pick("", "MATERIALIZED ", "NOT MATERIALIZED ")
            first, second = self.query(1), self.query(1, extra=("w",))
            return f"WITH w AS {how}({first}), wx AS ({second}) {self.query(1, extra=('w', 'wx'))}"
        if shape == "twice":
            return f"WITH w(k, v, t) AS ({self.query(1)}) SELECT p.k, q.v, p.t FROM w p JOIN w q ON p.k = q.k"
        step = f"SELECT k + 1, v, t FROM w WHERE k < {self.pick('3', '(SELECT max(i) FROM a)')}"
        return f"WITH RECURSIVE w(k, v, t) AS ({self.block(0)} UNION {step}) SELECT k, v, t FROM w"

    def query(self, depth: int, extra: tuple[str, ...] = ()) -> str:
        shape = self.pick("block", "block", "set", "with") if depth else "block"
        if shape == "set":
            operation = self.pick("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "UNION ALL BY NAME")
            united = f"({self.operand(depth - 1, extra)}) {operation} ({self.operand(depth - 1, extra)})"
            return f"{united} ORDER BY ALL LIMIT {self.pick('2', '50')}" if self.draw(st.booleans()) else united
        if shape == "with":
            name = self.fresh()
            return f"WITH {name}(k, v, t) AS ({self.block(depth - 1, extra)}) {self.operand(depth - 1, (*extra, name))}"
        return self.block(depth, extra)

    def operand(self, depth: int, extra: tuple[str, ...]) -> str:
        """A part of a set operation, or a query behind WITH: a block, or all of a query of WITH."""
        if extra and self.draw(st.booleans()):
            return f"SELECT {self.pick('*', 'k, v, t', 'k + 1 AS k, v, t')} FROM {self.pick(*extra)}"
        return self.block(depth, extra)

    def block(self, depth: int, extra: tuple[str, ...] = ()) -> str:
        source, columns = self.source(depth, extra)
        alias = columns[0]
        where = f" WHERE {self.condition(columns, depth)}" if self.draw(st.booleans()) else ""
        v = f"{alias}.{self.value(alias)}"
        shapes = ("plain", "plain", "grouped", "distinct", "window", "limit", "sets", "having", "scalar", "partly")
        match self.pick(*shapes):
            case "partly":
                return self.partly(depth, extra)
            case "grouped":
                return (
                    f"SELECT count(*)::INTEGER AS k, sum({v})::BIGINT AS v, {self.text(alias)} AS t"
                    f" FROM {source}{where} GROUP BY ALL"
                )
            case "having":
                return (
                    f"SELECT {alias}.k AS k, max({v}) AS v, min({self.text(alias)}) AS t FROM {source}{where}"
                    f" GROUP BY {alias}.k HAVING count({v}) > 0"
                )
            case "sets":
                return (
                    f"SELECT {alias}.k AS k, sum({v})::BIGINT AS v, {self.text(alias)} AS t FROM {source}{where}"
                    f" GROUP BY {self.pick('ROLLUP', 'CUBE')} (1, 3)"
                )
            case "distinct":
                return f"SELECT DISTINCT {alias}.k AS k, {v} AS v, {self.text(alias)} AS t FROM {source}{where}"
            case "window":
                over = f"sum({v}) OVER (PARTITION BY {self.text(alias)} ORDER BY {alias}.k, {v})"
                kept = f" QUALIFY rank() OVER (ORDER BY {v}) < 4" if self.draw(st.booleans()) else ""
                return f"SELECT {alias}.k AS k, {over}::BIGINT AS v, {self.text(alias)} AS t FROM {source}{where}{kept}"
            case "limit":
                return (
                    f"SELECT {alias}.k AS k, {v} AS v, {self.text(alias)} AS t FROM {source}{where}"
                    " ORDER BY ALL LIMIT 3"
                )
            case "scalar":
                inner = f"(SELECT max(z.i) FROM {self.pick('a', 'b')} z WHERE z.k <= {alias}.k)"
                return f"SELECT {alias}.k AS k, {inner} AS v, {self.text(alias)} AS t FROM {source}{where}"
        return f"SELECT {alias}.k AS k, {v} AS v, {self.text(alias)} AS t FROM {source}{where}"

    def partly(self, depth: int, extra: tuple[str, ...]) -> str:
        """A query that reads some outputs of another, whose order or DISTINCT ON goes by names without a table."""
        within = (
            f"({self.block(depth - 1, extra)}) z"
            if depth > 0
            else f"(SELECT k, i AS v, g AS t FROM {self.pick('a', 'b')}) z"
        )
        key = self.pick("k", "v", "t", "v + 1")
        many = self.pick("unnest", "unlist") + self.pick("([1, 2])", "(CASE WHEN v > 1 THEN [1, 2] ELSE [1] END)")
        inner = self.pick(
            f"SELECT DISTINCT ON ({key}) k, v, t FROM {within} ORDER BY {key}, k, v, t",
            f"SELECT k, v, t FROM {within} ORDER BY {key}, k, v, t LIMIT 3",
            f"SELECT k, v, t, {many} AS u FROM {within}",
            f"SELECT k, v, t FROM {within} WHERE EXISTS (SELECT {many} WHERE v > 0)",
            f"SELECT k, v, t, row_number() OVER () FROM {within} ORDER BY {key}, k, v, t LIMIT 3",
        )
        v = self.pick("sum(k)", "sum(v)", "count(*)")
        return f"SELECT count(*)::INTEGER AS k, {v}::BIGINT AS v, '1' AS t FROM ({inner})"

    def value(self, alias: str) -> str:
        return "v" if alias.startswith(("r", "w")) else self.pick("i", "j")

    def text(self, alias: str) -> str:
        return f"{alias}.t" if alias.startswith(("r", "w")) else f"{alias}.g"

    def source(self, depth: int, extra: tuple[str, ...]) -> tuple[str, list[str]]:
        """An item of FROM, and the aliases that it shows rows of."""
        one, alias = self.item(depth, extra)
        match self.pick("one", "one", "inner", "using", "outer", "semi", "asof", "lateral", "unnest"):
            case "inner":
                other, second = self.item(depth - 1, extra, taken=alias)
                predicate = self.pick(
                    f"{alias}.k = {second}.k",
                    f"{alias}.{self.value(alias)} = {second}.k",
                    f"{alias}.k < {second}.{self.value(second)}",
                )
                return f"{one} JOIN {other} ON {predicate}", [alias, second]
            case "using":
                other, second = self.item(depth - 1, extra, taken=alias)
                return f"{one} JOIN {other} USING (k)", [alias, second]
            case "outer":
                other, second = self.item(depth - 1, extra, taken=alias)
                kind = self.pick("LEFT", "RIGHT", "FULL")
                return f"{one} {kind} JOIN {other} ON {alias}.k = {second}.{self.value(second)}", [alias, second]
            case "semi":
                other, second = self.item(depth - 1, extra, taken=alias)
                return f"{one} {self.pick('SEMI', 'ANTI')} JOIN {other} ON {alias}.k = {second}.k", [alias]
            case "asof":
                other, second = self.item(depth - 1, extra, taken=alias)
                return f"{one} ASOF LEFT JOIN {other} ON {alias}.k >= {second}.k", [alias]
            case "lateral":
                inside = f"SELECT count(*) AS n FROM b z WHERE z.i > {alias}.{self.value(alias)}"
                return f"{one}, LATERAL ({inside}) AS lat", [alias]
            case "unnest":
                return f"{one}, unnest([{alias}.k, {alias}.{self.value(alias)}]) AS u(z)", [alias]
        return one, [alias]

    def item(self, depth: int, extra: tuple[str, ...], taken: str = "") -> tuple[str, str]:
        if depth > 0 and self.draw(st.booleans()):
            alias = self.fresh()
            return f"({self.query(depth - 1, extra)}) AS {alias}", alias
        name = self.pick(*[name for name in ("a", "b", "c", *extra) if name != taken])
        return name, name

    def condition(self, aliases: list[str], depth: int) -> str:
        alias = aliases[0]
        v = f"{alias}.{self.value(alias)}"
        simple = self.pick(
            f"{v} > 1", f"{v} <> 2 OR {alias}.k = 1", f"{v} + {alias}.k < 5", f"{self.text(alias)} = '1'"
        )
        if depth < 1:
            return simple
        table = self.pick("a", "b", "c")
        other = self.pick(
            f"{v} IN (SELECT z.i FROM {table} z)",
            f"{v} NOT IN (SELECT z.j FROM {table} z WHERE z.j > 2)",
            f"EXISTS (SELECT 1 FROM {table} z WHERE z.i = {v})",
            f"NOT EXISTS (FROM {table} z WHERE z.k = {alias}.k AND z.j > {v})",
            f"{v} >= (SELECT avg(z.i) FROM {table} z)",
            f"{v} > ANY (SELECT z.i FROM {table} z WHERE z.k <= {alias}.k)",
        )
        return f"{simple} {self.pick('AND', 'OR')} {other}"
