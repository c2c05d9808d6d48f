"""Random planning problems: statistics and queries without any data."""

from itertools import pairwise

from hypothesis import strategies as st

from imputedb.algebra.column import Column
from imputedb.algebra.query import Query
from imputedb.algebra.relation import Scan, Table
from imputedb.algebra.scalar import Compare, Equal, Scalar
from imputedb.imputers.hot_deck import HotDeck
from imputedb.imputers.mean import Mean
from imputedb.imputers.tree import Tree
from imputedb.planning.problem import Problem
from imputedb.statistics.histogram import Quantiles
from imputedb.statistics.table import ColumnStatistics, Kind, Statistics


def _column(draw: st.DrawFn, rows: int, *, may_miss: bool) -> ColumnStatistics:
    missing = draw(st.integers(0, rows - 1)) if may_miss and draw(st.booleans()) else 0
    distinct = draw(st.integers(1, rows - missing))
    bounds = tuple(float(i) for i in range(11))
    return ColumnStatistics("INTEGER", Kind.INTEGER, missing, distinct, "5", 0.4, Quantiles(bounds, distinct))


@st.composite
def problems(draw: st.DrawFn, most_tables: int = 3) -> Problem:
    aliases = [f"t{i}" for i in range(draw(st.integers(1, most_tables)))]
    statistics = {}
    for alias in aliases:
        rows = draw(st.integers(2, 20_000))
        names = {"k": True, "a": True, "b": True}
        statistics[alias] = Statistics(rows, {n: _column(draw, rows, may_miss=m) for n, m in names.items()})
    filters = []
    for alias in aliases:
        for name in draw(st.lists(st.sampled_from(["a", "b"]), max_size=1)):
            column = Column(alias, name)
            operator = draw(st.sampled_from([">", "<=", "="]))
            compared = Compare(column, operator, draw(st.floats(0, 10)))
            filters.append(Scalar(f"{column} {operator} c", frozenset((column,)), {}, compared))
    joins = []
    for left, right in pairwise(aliases):
        a, b = Column(draw(st.sampled_from([left, aliases[0]])), "k"), Column(right, draw(st.sampled_from(["k", "a"])))
        if a.relation != b.relation:
            joins.append(Scalar(f"{a} = {b}", frozenset((a, b)), {}, Equal(a, b)))
    outputs = [Column(alias, draw(st.sampled_from(["a", "b"]))) for alias in aliases]
    shown = tuple(Scalar(str(c), frozenset((c,)), {}, name=str(c)) for c in outputs)
    scans = tuple(Scan(Table("memory", "main", alias), alias) for alias in aliases)
    query = Query(scans, tuple(filters), tuple(joins), shown, groups=shown[:1] if draw(st.booleans()) else None)
    imputers = draw(st.sampled_from([(Tree(),), (Mean(),), (HotDeck(),), (Tree(), Mean())]))
    return Problem(query, statistics, imputers)
