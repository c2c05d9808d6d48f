"""Expressions over values at the ends: both engines give the same, both fail, or the one over Spark refuses."""

import datetime
import math
from collections.abc import Callable
from typing import Any

import pytest

from imputedb import Database
from imputedb.errors import Error, Unplanned
from tests.spark.conftest import Pair, paired

COLUMNS = """i+1|i-1|i*1|i*2.5|-i|-y|abs(i)|abs(b)|b+0|b*1|y*1|s*1|i//2|i//7|b//3|i%3|i/7|i/0|5/0|0/i|d/0|d*2|d+1
ln(i)|ln(d)|sqrt(i)|sqrt(d)|exp(d)|power(i,0.5)|power(0,-1)|power(i,-1)|power(i,y)|5/(1-1)|i^2|1e400|1e-320|i>>1
i>>31|b>>40|i&3|xor(i,3)|xor(i,3)*2|xor(i+1,b)&7
sign(i)|sign(d)|round(d)|round(d,1)|ceil(d)|floor(d)|greatest(i,b)|least(i,y)|greatest(d,1)|coalesce(d,i)|nullif(i,0)
isnan(d)|d=d|d>1e300|i=1.0|d IS NULL|lower(t)|upper(t)|length(t)|t||'x'|concat(t,'x')|trim(t)|substring(t,1,1)
t LIKE 'a%'
dt::VARCHAR|dt+1|dt-1|year(dt)|month(dt)|date_diff('day',dt,DATE '2020-01-01')|i::BIGINT*1000
TRY_CAST(t AS DOUBLE)|b::VARCHAR|i::VARCHAR|i::DOUBLE|i::BOOLEAN|CASE WHEN i>0 THEN i ELSE y END"""

ALONE = """y+1|TRY_CAST(t AS INT)|date_trunc('month',dt)|i+2147483647|i*1000000000|b+9223372036854775807
b*9223372036854775807|y+100|y*y|s*1000|i-2147483647-10|(i+1)*b
(-2147483647-i)*1|i::TINYINT|(i*100)::TINYINT|i>>40|i>>-1|i<<2|upper('ß')|lower('ΑΣ')|log(i)|log2(i)|log10(i)
acos(i)|i//0
i%0|-(i-2147483647-1)|abs(i-2147483647-1)|-(b-9223372036854775807-1)|(b-9223372036854775807-1)//-1
(i-2147483647-1)//-1
d::INT|t::INT|y-128+i-1|(i+1)::DOUBLE|1000000000*3*i|i*4000000000*4000000000*4000000000"""

AGGREGATES = """sum(i)|sum(b)|sum(y)|sum(i)*2000000000|count(*)*2|max(i)|min(b)|avg(i)|avg(d)|stddev(i)|var_pop(i)
median(i)
quantile_cont(i,0.3)|sum(DISTINCT i)|sum(DISTINCT b)|count(DISTINCT d)|max(t)|min(t)|max(dt)|min(dt)|max(d)|sum(i)//2
sum(i) FILTER (WHERE i>99)|stddev(i) FILTER (WHERE i=1)|-sum(i)|sum(i)+1"""

AGGREGATES_ALONE = """quantile(i,.5)|quantile_disc(i,.5)|quantile_cont(i,[0.1,0.9])|max(i)+2147483647
max(i)*2000000000|skewness(i)|skewness(i) FILTER (WHERE i>4)|kurtosis_pop(i)|isfinite(sum(d))|fsum(i)
sum(i*2147483647)|max(b)*9223372036854775807|sum(b*9223372036854775807)|-min(i-2147483647)"""


def _split(text: str) -> list[str]:
    """The expressions of a list in which | stands between them and || is an operator."""
    return [one.replace("\0", "||") for one in text.replace("||", "\0").replace("\n", "|").split("|")]


@pytest.fixture(scope="module")
def edges(session: Any) -> Pair:
    pa = pytest.importorskip("pyarrow")
    day = datetime.date
    made = {
        "k": pa.array(range(6), pa.int32()),
        "i": pa.array([1, 2, -7, 0, 5, 6], pa.int32()),
        "y": pa.array([127, -127, 0, 1, -1, 3], pa.int8()),
        "s": pa.array([32767, -32767, 0, 1, -1, 3], pa.int16()),
        "b": pa.array([2**63 - 1, -(2**63 - 1), 0, 1, -1, 2**53 + 1], pa.int64()),
        "d": pa.array([math.inf, -math.inf, 0.0, -2.5, 1e308, 2.5]),
        "t": pa.array(["", "a", "Éa", "12.7", " 12 ", "é😀"]),
        "dt": pa.array(
            [day(1, 1, 1), day(9999, 12, 1), day(1970, 1, 1), day(2020, 2, 29), day(1900, 1, 1), day(2021, 1, 4)]
        ),
    }
    return paired(session, {"edge": pa.table(made)})


LEAST = """-i|-y|abs(i)|abs(b)|i-1|y-1|s-1|b-1|s*1|i//-1|b//-1|i%-1|b%-1|i+b|sum(b)|sum(i)-1|avg(b)|-min(s)"""
"""Where the least number of each type stands, which has no positive of its own."""


@pytest.fixture(scope="module")
def gaps(session: Any) -> Pair:
    """NULL and NaN, which policies keep, and the least whole numbers."""
    pa = pytest.importorskip("pyarrow")
    day = datetime.date(2020, 2, 29)
    columns: dict[str, tuple[Any, Any, Any]] = {
        "i": (-(2**31), 7, pa.int32()),
        "y": (-128, 3, pa.int8()),
        "s": (-(2**15), 3, pa.int16()),
        "b": (-(2**63), 5, pa.int64()),
        "d": (math.nan, -0.0, pa.float64()),
        "t": ("x", "y", pa.string()),
        "dt": (day, day, pa.date32()),
    }
    rows = {name: pa.array([first, None, last], kind) for name, (first, last, kind) in columns.items()}
    numbers = {name: pa.array([last, None, last], kind) for name, (_, last, kind) in columns.items()}
    numbers["d"] = rows["d"]
    keys = {"k": pa.array(range(3), pa.int32())}
    found = paired(session, {"least": pa.table(keys | rows), "gap": pa.table(keys | numbers)})
    for db in found:
        for table in ("least", "gap"):
            for name in columns:
                db.policy(table, name, "keep")
    return found


def _answer(db: Database, text: str) -> Any:
    try:
        return db.sql(text).fetchall()
    except Unplanned:
        return "refused"
    except Error:
        return "failed"


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12) or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and bool(one == other)


def _differing(pair: Pair, written: list[str], statement: Callable[[str], str]) -> list[str]:
    """What differs of some expressions, put to each engine in one statement."""
    text = statement(", ".join(f"{one} AS c{place}" for place, one in enumerate(written)))
    mine, theirs = pair.duck.sql(text).fetchall(), pair.spark.sql(text).fetchall()
    skipped = len(mine[0]) - len(written)
    return [
        f"{written[place]}: {row[place + skipped]!r} {their[place + skipped]!r}"
        for row, their in zip(mine, theirs, strict=True)
        for place in range(len(written))
        if not _alike(row[place + skipped], their[place + skipped])
    ]


def test_values_at_the_ends_are_the_same(edges: Pair) -> None:
    assert _differing(edges, _split(COLUMNS), lambda listed: f"SELECT k, {listed} FROM edge ORDER BY k") == []


def test_aggregates_of_values_at_the_ends_are_the_same(edges: Pair) -> None:
    assert _differing(edges, _split(AGGREGATES), lambda listed: f"SELECT {listed} FROM edge") == []


def test_nothing_and_no_number_are_the_same(gaps: Pair) -> None:
    assert _differing(gaps, _split(COLUMNS), lambda listed: f"SELECT k, {listed} FROM gap ORDER BY k") == []
    assert _differing(gaps, _split(AGGREGATES), lambda listed: f"SELECT {listed} FROM gap") == []


@pytest.mark.parametrize("written", _split(LEAST))
def test_least_numbers_are_the_same_or_fail_in_both(gaps: Pair, written: str) -> None:
    aggregate = any(name in written for name in ("sum", "avg", "min"))
    text = f"SELECT {written} AS v FROM least" if aggregate else f"SELECT k, {written} AS v FROM least ORDER BY k"
    mine, theirs = _answer(gaps.duck, text), _answer(gaps.spark, text)
    assert theirs == "refused" or mine == theirs


@pytest.mark.sampled(2)
@pytest.mark.parametrize("written", _split(ALONE) + _split(AGGREGATES_ALONE))
def test_what_fails_in_one_fails_in_both_or_is_refused(edges: Pair, written: str) -> None:
    aggregate = written in _split(AGGREGATES_ALONE)
    text = f"SELECT {written} AS v FROM edge" if aggregate else f"SELECT k, {written} AS v FROM edge ORDER BY k"
    mine, theirs = _answer(edges.duck, text), _answer(edges.spark, text)
    assert theirs == "refused" or mine == theirs


@pytest.mark.parametrize(
    "text",
    [
        "SELECT i + 2147483647 AS i FROM edge ORDER BY 1",
        "WITH q(w) AS (SELECT i FROM edge) SELECT w + 2147483647 FROM q ORDER BY 1",
        "SELECT a.x + 2147483647 FROM (SELECT i AS x FROM edge) a JOIN (SELECT b AS x FROM edge) b ON a.x = b.x",
    ],
)
def test_sums_of_values_whose_type_cannot_be_told_are_refused(edges: Pair, text: str) -> None:
    with pytest.raises(Unplanned, match="whether it overflows"):
        edges.spark.sql(text)
