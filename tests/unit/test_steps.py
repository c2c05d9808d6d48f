"""Outputs that move by steps: intervals are of numbers before they are rounded, steps are of pooled ones."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import Database
from imputedb.notes import NoteKind, is_of
from imputedb.result import Result

N = 300


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=N)
    y = 10 + 3 * x + rng.normal(size=N)
    gone = rng.random(N) < 0.3
    days = np.datetime64("2020-01-01") + np.round(9 * x).astype(int)
    with imputedb.connect() as session:
        session.register("t", {"g": np.arange(N) % 3, "x": x, "y": np.ma.masked_array(y, gone), "day": days})
        session.sql("CREATE TABLE dated AS SELECT g, x, y, CASE WHEN y IS NOT NULL THEN day END AS day FROM t")
        halves = np.arange(N) % 2
        session.register("gaps", {"half": halves, "x": x, "v": np.ma.masked_array(y, gone & (halves == 0))})
        yield session


def asked(db: Database, items: str, rest: str = "FROM t", m: int = 6, **more: Any) -> Result:
    return db.sql(f"SELECT {items} {rest}", m=m, imputer="norm", **more)


def said(result: Result, kind: NoteKind) -> list[str]:
    return [note.subject for note in result.report.warnings if is_of(kind, note)]


ROUNDED = {
    "round(avg(y))": ("avg(y)", round),
    "round(avg(y), 1)": ("avg(y)", lambda value: round(value, 1)),
    "avg(y)::INT": ("avg(y)", round),
    "CAST(avg(y) AS int8)": ("avg(y)", round),
    "avg(y)::DECIMAL(6, 1)": ("avg(y)", lambda value: round(value, 1)),
    "floor(avg(y))": ("avg(y)", math.floor),
    "ceil(avg(y))": ("avg(y)", math.ceil),
    "trunc(-avg(y))": ("-avg(y)", math.trunc),
    "round(avg(y) * 100) / 100": ("avg(y)", lambda value: round(value, 2)),
    "round(sum(y) / count(y))": ("sum(y) / count(y)", round),
    "coalesce(round(median(y)), 0)": ("median(y)", round),
    "CASE WHEN count(*) > 9 THEN round(avg(y)) END": ("CASE WHEN count(*) > 9 THEN avg(y) END", round),
    "round(corr(x, y), 2)": ("corr(x, y)", lambda value: round(value, 2)),
    "(count(*) FILTER (WHERE y > 11)) // 7": ("count(*) FILTER (WHERE y > 11) / 7", math.floor),
    "round(100 * avg((y > 11)::INT))": ("100 * avg((y > 11)::INT)", round),
}


@pytest.mark.parametrize("interval", ["population", "answer"])
def test_rounded_numbers_have_the_interval_of_what_is_rounded(db: Database, interval: str) -> None:
    items = ", ".join(f"{form} AS r{n}, {inner} AS u{n}" for n, (form, (inner, _)) in enumerate(ROUNDED.items()))
    result = asked(db, items, interval=interval)
    (row,) = (dict(zip(result.columns, one, strict=True)) for one in result)
    for n, (form, (_, step)) in enumerate(ROUNDED.items()):
        for part in ("se", "low", "high", "fmi"):
            assert row[f"r{n}_{part}"] == pytest.approx(row[f"u{n}_{part}"], rel=1e-9), (form, part)
        assert row[f"r{n}"] == pytest.approx(step(row[f"u{n}"])), form
        assert row[f"r{n}_fmi"] > 0, form


CONSTANTS = st.integers(-5, 5).filter(bool)
STEPS = st.one_of(
    st.sampled_from([("round({})", 1, 0), ("floor({})", 1, 0), ("({})::BIGINT", 1, 0), ("ceil({})", 1, 0)]),
    CONSTANTS.map(lambda c: (f"({{}} + ({c}))", 1, c)),
    CONSTANTS.map(lambda c: (f"(({c}) * {{}})", c, 0)),
)


@settings(max_examples=6, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_steps_and_lines_over_an_aggregate_have_the_interval_of_the_line(steps: list[tuple[str, int, int]]) -> None:
    rng = np.random.default_rng(1)
    values = np.ma.masked_array(rng.normal(4, 2, 60), rng.random(60) < 0.4)
    text, slope, start = "avg(v)", 1, 0
    for form, by, more in steps:
        text, slope, start = form.format(text), slope * by, start * by + more
    with imputedb.connect() as db:
        db.register("v", {"k": np.arange(60), "v": values})
        (row,) = db.sql(f"SELECT {text} AS stepped, avg(v) AS plain FROM v", m=3, imputer="norm").estimates
        stepped, plain = row["stepped"], row["plain"]
    ends = sorted(start + slope * end for end in plain.interval())
    assert [*stepped.interval()] == pytest.approx(ends)
    assert stepped.estimate == pytest.approx(start + slope * plain.estimate)


def test_rounding_that_moves_a_number_is_said_and_rounding_that_does_not_is_not(db: Database) -> None:
    assert said(asked(db, "floor(avg(y)) AS f, round(avg(y), 6) AS r"), NoteKind.ROUNDED) == ["f"]


def test_a_cast_of_a_whole_number_rounds_nothing(db: Database) -> None:
    result = asked(db, "(count(*) FILTER (WHERE y > 11))::INT AS cast, count(*) FILTER (WHERE y > 11) AS plain")
    (row,) = result
    assert row[:5] == row[5:]
    assert row[0] != round(row[0])


STEPPED = {
    "sign(avg(y))": 1,
    "CASE WHEN avg(y) > 9 THEN 1 ELSE 0 END": 1,
    "(avg(y) > 9)::INT": 1,
    "round(avg(y)) % 2": 0,
    "length(round(avg(y), 1)::VARCHAR)": 4,
}


def test_steps_that_are_no_rounding_have_no_interval_and_are_of_the_pooled_number(db: Database) -> None:
    for interval in ("population", "answer"):
        result = asked(db, ", ".join(f"{form} AS s{n}" for n, form in enumerate(STEPPED)), interval=interval)
        assert result.fetchall() == [tuple(STEPPED.values())]
        assert said(result, NoteKind.NO_INTERVAL) == result.columns


BENT = [
    "nullif(round(avg(y)), 10)",
    "coalesce(nullif(round(avg(y)), 10), -1)",
    "CASE WHEN round(avg(y)) = 10 THEN 5.5 ELSE avg(y) END",
    "CASE WHEN NOT (floor(avg(y)) IN (9, 10) AND count(*) > 9) THEN 5.5 ELSE avg(y) END",
    "avg(y) - floor(avg(y))",
    "round(avg(y) * 100) - 100 * round(avg(y))",
    "round(avg(y)) - avg(y)",
    "round(avg(y)) - sum(y) / count(y)",
    "round(avg(y)) / round(avg(x))",
    "cos(round(100 * avg(y)))",
    "1 / (round(avg(y)) - 10)",
    "abs(round(avg(y)) - 10)",
    "greatest(round(avg(y)), 3)",
    "round(avg(y), round(avg(y))::INT)",
    "floor(avg(y)) * avg(y)",
]


@pytest.mark.parametrize("interval", ["population", "answer"])
def test_expressions_that_bend_a_rounded_number_are_of_the_pooled_one_without_an_interval(
    db: Database, interval: str
) -> None:
    result = asked(db, ", ".join([*BENT, "avg(y)", "avg(x)"]), interval=interval)
    *shown, mean, _, _, _, _, other, _, _, _, _ = result.fetchall()[0]
    with imputedb.connect() as plain:
        forms = ", ".join(BENT).replace("count(*) > 9", "true")
        (expected,) = plain.sql(f"SELECT {forms} FROM (SELECT {mean!r}::DOUBLE AS y, {other!r}::DOUBLE AS x)")
    assert shown == pytest.approx(expected)
    assert said(result, NoteKind.NO_INTERVAL) == result.columns[: len(BENT)]


KEPT = [
    "round(avg(y)) - round(avg(x))",
    "floor(avg(y)) + floor(sum(y))",
    "round(avg(y) FILTER (WHERE g = 1), 1) - round(avg(y) FILTER (WHERE g = 2), 1)",
    "-3 * (1 / 7) * round(avg(y), 1)",
    "CASE WHEN avg(y) BETWEEN 1 AND 99 AND NOT isnan(avg(y)) THEN round(avg(y)) END",
    "sum(y) / nullif(count(*), 0)",
]


def test_sums_and_choices_of_rounded_numbers_keep_their_intervals(db: Database) -> None:
    result = asked(db, ", ".join(f"{form} AS k{n}" for n, form in enumerate(KEPT)))
    assert not said(result, NoteKind.NO_INTERVAL)
    (row,) = result.estimates
    assert all(row[f"k{n}"].se > 0 for n in range(len(KEPT)))


def test_rounding_alone_or_a_null_has_no_interval_and_is_said(db: Database) -> None:
    lost = "floor(avg(x)) AS f, TRY_CAST(1000 * avg(y) AS TINYINT) AS n, round(avg(x) + 1e-9 * avg(y)) AS r"
    result = asked(db, f"{lost}, round(avg(y)) AS kept, round(0 * avg(x)) AS z", interval="answer")
    (row,) = (dict(zip(result.columns, one, strict=True)) for one in result)
    assert (row["f"], row["n"], row["r"], row["z"]) == (0, None, 0, 0)
    for name in "fnr":
        assert [row[f"{name}_{part}"] for part in ("se", "low", "high", "fmi")] == [None] * 4
    assert said(result, NoteKind.NO_INTERVAL) == ["f", "n", "r"]
    assert list(result.estimates[0]) == ["kept", "z"]
    assert row["kept_se"] > 0
    assert row["z_se"] == 0


def test_groups_whose_rounding_is_all_there_is_have_no_interval_alone(db: Database) -> None:
    result = asked(db, "half, floor(avg(v)) AS f", "FROM gaps GROUP BY half ORDER BY half", interval="answer")
    (_, _, some, *_), (_, _, none, *_) = result
    assert some > 0
    assert none is None
    assert [list(row) for row in result.estimates] == [["f"], []]
    assert said(result, NoteKind.NO_INTERVAL) == ["f"]


SMOOTH = st.sampled_from(["avg(y)", "sum(y)", "avg(x)", "count(y)", "median(y)", "avg(y) FILTER (WHERE g = 1)"])
BY_UNIT = {"round({})": 1, "floor({})": 1, "ceil({})": 1, "({})::BIGINT": 1, "round({}, 1)": 0.1, "even({})": 2}


def composed(inner: st.SearchStrategy[tuple[str, float]]) -> st.SearchStrategy[tuple[str, float]]:
    """Expressions of others, each with how far its rounding moves it at most."""
    return st.one_of(
        st.tuples(inner, st.sampled_from([*BY_UNIT])).map(lambda p: (p[1].format(p[0][0]), p[0][1] + BY_UNIT[p[1]])),
        st.tuples(inner, CONSTANTS).map(lambda p: (f"({p[1]} * {p[0][0]})", abs(p[1]) * p[0][1])),
        st.tuples(inner, inner, st.sampled_from("+-")).map(
            lambda p: (f"({p[0][0]} {p[2]} {p[1][0]})", p[0][1] + p[1][1])
        ),
        # of these no more is known than that numbers without a step lie in their intervals
        st.tuples(inner, st.sampled_from(["abs({})", "cos({})", "greatest({}, 3)", "nullif({}, 10)"])).map(
            lambda p: (p[1].format(p[0][0]), math.nan if p[0][1] else 0)
        ),
        st.tuples(inner, inner).map(
            lambda p: (f"CASE WHEN {p[0][0]} > 3 THEN {p[1][0]} ELSE 0 END", math.nan if p[0][1] else p[1][1])
        ),
    )


EXPRESSIONS = st.recursive(SMOOTH.map(lambda text: (text, 0.0)), composed, max_leaves=5)


@settings(max_examples=6, deadline=None)
@given(st.lists(EXPRESSIONS, min_size=4, max_size=8), st.sampled_from(["population", "answer"]))
def test_an_interval_holds_the_number_but_for_its_rounding_or_there_is_none_and_a_note_says_so(
    db: Database, some: list[tuple[str, float]], interval: str
) -> None:
    items = ", ".join(f"{text} AS e{n}" for n, (text, _) in enumerate(some))
    result = asked(db, items, m=3, interval=interval)
    (row,) = (dict(zip(result.columns, one, strict=True)) for one in result)
    without = said(result, NoteKind.NO_INTERVAL)
    for n, (text, unit) in enumerate(some):
        shown, low, high = row[f"e{n}"], row.get(f"e{n}_low"), row.get(f"e{n}_high")
        if low is None or high is None:
            assert f"e{n}" in without or (shown is None and not unit), text
            continue
        slack = unit + 1e-9 * (1 + abs(shown))
        assert low - slack <= shown <= high + slack, text  # never of NaN: what is not rounded has none


def test_texts_and_structs_are_made_of_the_pooled_numbers(db: Database) -> None:
    made = "round(avg(y), 2)::VARCHAR, {'mean': avg(y), 'n': count(*)}, [avg(y)], avg(y) > 9"
    made += ", count(*) || ' rows', CASE WHEN avg(y) > 9 THEN 'high' ELSE 'low' END"
    result = asked(db, f"{made}, avg(y)")
    (row,) = result
    mean = row[6]
    assert row[:6] == (str(round(mean, 2)), {"mean": mean, "n": N}, [mean], True, f"{N} rows", "high")
    assert result.types[:6] == ["VARCHAR", "STRUCT(mean DOUBLE, n BIGINT)", "DOUBLE[]", "BOOLEAN", "VARCHAR", "VARCHAR"]


@pytest.mark.parametrize("rest", ["FROM t", "FROM (SELECT * FROM t ORDER BY x LIMIT 250) q"])
def test_having_and_order_go_by_the_step_of_the_pooled_number(db: Database, rest: str) -> None:
    plain = {row[0]: row[1] for row in asked(db, "g, avg(y)", f"{rest} GROUP BY g")}
    cut = sorted(plain.values())[1]
    kept = asked(
        db, "g, round(avg(y), 1)", f"{rest} GROUP BY g HAVING floor(avg(y) * 1000) >= {math.floor(cut * 1000)}"
    )
    assert {row[0]: row[1] for row in kept} == {g: round(mean, 1) for g, mean in plain.items() if mean >= cut}
    ordered = asked(db, "g", f"{rest} GROUP BY g ORDER BY round(avg(y), 3) DESC")
    assert [row[0] for row in ordered] == sorted(plain, key=lambda g: -plain[g])
    unrounded = asked(
        db, "round(avg(y)), g", f"{rest} GROUP BY g HAVING avg(y) > {cut - 1e-9} AND avg(y) < {cut + 1e-9}"
    )
    assert [plain[row[-2]] for row in unrounded] == [cut]


class Counting:
    """Fills in the number of the draw, and of single best values 0."""

    name = "counting"
    uses_predictors = False
    proper = True

    def time(self, work: Any) -> float:
        return 1.0 + work.rows

    def penalty(self, _: Any) -> float:
        return 0.5

    def impute(self, rows: Any, targets: Any, *_: Any, draw: int = 0, **__: Any) -> Any:
        return {name: np.full(rows.columns[name].missing.sum(), float(draw)) for name in targets}


def test_what_differs_in_every_draw_is_a_middle_one_and_said() -> None:
    with imputedb.connect() as db:
        db.register(
            "t", {"k": np.arange(4), "y": np.ma.masked_array([7.0, 8.0, 0.0, 9.0], [False, False, True, False])}
        )
        forms = "list(y ORDER BY k), {'l': list(y ORDER BY k)}, string_agg(y, ',' ORDER BY k), max(y > 1)"
        result = db.sql(f"SELECT {forms} FROM t", m=5, imputer=Counting())
        ((listed, struct, text, most),) = result
    assert listed == struct["l"] == [float(one) for one in text.split(",")]
    assert listed[2] == 2.0  # of 0 to 4
    assert most is True
    assert said(result, NoteKind.SCATTERED) == result.columns[:3]


def test_what_most_draws_agree_on_is_shown_without_a_word_of_scatter(db: Database) -> None:
    result = asked(db, "g, arg_max(g::VARCHAR, y) AS a", "FROM t GROUP BY g")
    assert [row[1] for row in result] == ["0", "1", "2"]
    assert not said(result, NoteKind.SCATTERED)


def test_dates_made_of_aggregates_are_middle_ones(db: Database) -> None:
    middle, text = asked(db, "max(day), max(day)::VARCHAR", "FROM dated WHERE y > 8").fetchall()[0]
    assert str(middle)[:10] == text[:10]


@pytest.mark.parametrize("rest", ["FROM t", "FROM (SELECT * FROM t ORDER BY x LIMIT 250) q", "FROM t GROUP BY g"])
def test_outputs_may_name_those_before_them(db: Database, rest: str) -> None:
    named = asked(db, "avg(y) AS a, round(a) AS b, b + a AS c, a > 9 AS x", f"{rest} ORDER BY a")
    written = asked(db, "avg(y), round(avg(y)), round(avg(y)) + avg(y), avg(y) > 9", f"{rest} ORDER BY 1")
    assert named.fetchall() == written.fetchall()
    assert named.columns[0] == "a"
