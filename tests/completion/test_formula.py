"""Formulas are columns, arithmetic and known functions; nothing else of Python is ever run."""

import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import imputedb
from imputedb import QueryError
from imputedb.completion import formula as formulas
from imputedb.completion.sensitivity import term_of

COLUMNS = ["y", "x", "z", "s", "odd name", "class"]

GOOD = (
    *("y ~ x", "y ~ x + z - 1", "y ~ (x + z) ** 2", "y ~ x:z", "y ~ x / z", "y ~ I(x ** 2)", "y ~ log(z) + np.exp(x)"),
    *("y ~ C(s)", "y ~ C(s, Treatment('b'))", "y ~ C(s, Sum)", "y ~ C(s, levels=['b', 'a', 'c'])", "y ~ I(x > 0)"),
    *("y ~ bs(x, df=4)", "y ~ bs(x, 4)", "y ~ cr(x, df=3)", "y ~ center(x)", "y ~ Q('odd name')", "y ~ Q('class')"),
    *("I((s == 'a') * 1) ~ x", "y ~ minimum(x, 300) + I(2 * x * z)", "y ~ x ** -1"),
)

BAD = (
    *("y ~ I(__import__('os').system('touch ran'))", "y ~ x.__class__", "y ~ np.load('f')", "y ~ np.log.__self__"),
    *("y ~ open('ran', 'w')", "y ~ eval('1')", "y ~ (lambda: 1)()", "y ~ [c for c in x]", "y ~ x if z else y"),
    *("y ~ f'{open(1)}'", "y ~ I(9**9**9**9)", "y ~ x ** z ** 9", "y ~ 'a' * 99999", "y ~ ['a'] * 9", "y ~ {x}"),
    *("y ~ `open(1)`", "y ~ x[0]", "y ~ bs(x, df=100000)", "y ~ bs(x, 100000)", "y ~ bs(x, df=9*9*9)", "y ~ Q('os')"),
    *("y ~ Q('o' 's')", "y ~ w", "y ~ class", "y ~ (x := 1)", "y ~ x\n\nimport os", "y ~ x; z", "y ~ \\", "y ~ (x"),
    *("y ~ x @ z", "y ~ x ** 99", "y ~ C(s, contrast=open('f'))", "y ~ \0", "", "y ~ getattr(x, 'sum')", "y ~ x.sum()"),
    *("y ~ print", "y ~ __builtins__", "y ~ b'a'", "y ~ exec", "y ~ np", "y ~ await x", "y ~ C(s)(x).y", "y ~ 'os'"),
)


@pytest.mark.parametrize("text", GOOD)
def test_models_are_let_through(text: str) -> None:
    formulas.check(text, COLUMNS)


@pytest.mark.parametrize("text", BAD)
def test_python_is_not(text: str) -> None:
    with pytest.raises(QueryError):
        formulas.check(text, COLUMNS)


@pytest.mark.parametrize("given", [None, 5, b"y ~ x", ["y"], "y ~ " + "x + " * 9000 + "x"])
def test_what_is_no_formula_is_refused(given: object) -> None:
    with pytest.raises(QueryError):
        formulas.check(given, COLUMNS)


PIECES = (
    *COLUMNS[:4], *formulas.OF_FORMULAS, *formulas.ELEMENTWISE, *"~+-*/:()[],.=<>|&^%", "**", "==", "np", "2", "1.5",
    "'a'", '"b"', "__import__", "__class__", "open", "getattr", "lambda", "for", "in", "if", "os", ":=", "{", "}", "`",
    "f'{x}'", "\n", ";", "#", "@", "True",
)  # fmt: skip


@settings(max_examples=400)
@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join), st.text(string.printable, max_size=40)))
@example("y ~ np . log ( x )")
def test_what_is_let_through_names_columns_and_known_functions_only(text: str) -> None:
    """Read as Python, the parts of a formula call known functions and have no attribute but NumPy's known ones."""
    import ast

    try:
        formulas.check(text, COLUMNS)
    except imputedb.Error:
        return
    for part in text.split("~"):
        try:
            tree = ast.parse(part.strip() or "0", mode="eval")
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(value=ast.Name("np"), attr=name):
                    assert name in formulas.ELEMENTWISE
                case ast.Name(name):
                    assert name in {*COLUMNS, *formulas.OF_FORMULAS, *formulas.ELEMENTWISE, "np"}
                case ast.Call(func=ast.Name() | ast.Attribute()):
                    pass
                case ast.Attribute() | ast.Lambda() | ast.NamedExpr() | ast.ListComp() | ast.JoinedStr() | ast.IfExp():
                    raise AssertionError(ast.dump(node))
                case ast.Subscript() | ast.Dict() | ast.GeneratorExp() | ast.Set() | ast.Await():
                    raise AssertionError(ast.dump(node))


def test_every_entrance_checks_and_known_functions_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=200), rng.uniform(1, 2, 200)
    y = 1 + x + np.log(z) + rng.normal(size=200)
    s = np.array(["a", "b"], object)[rng.integers(0, 2, 200)]
    columns = {
        "y": y,
        "x": np.ma.masked_array(x, rng.random(200) < 0.2),
        "z": z,
        "s": s,
        "odd name": z**2,
        "class": z**3,
    }
    monkeypatch.chdir(tmp_path)
    with imputedb.connect() as db:
        db.register("t", columns)
        done = db.impute("t", tmp_path / "out", m=2)
        for text in (one for one in GOOD if "'c'" not in one and "-1" not in one[4:]):
            assert len(done.fit(text)) == 2, text
        assert done.analyze("y ~ x + np.log(z)")["x"].estimate == pytest.approx(1, abs=0.5)
        hostile = "y ~ x + I(open('ran', 'w'))"
        with pytest.raises(QueryError, match="no function 'open'"):
            done.analyze(hostile)
        with pytest.raises(QueryError, match="no function 'open'"):
            db.sensitivity("t", "x", [0.0], term_of(hostile, "x"), m=2)
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("error")
def test_what_is_no_number_and_dates_are_refused_by_name(tmp_path: Path) -> None:
    with imputedb.connect() as db:
        db.execute(
            "CREATE TABLE t AS SELECT i AS id, i % 7 + 1.5 AS x, DATE '2020-01-01' + (i * 3 % 40)::INT AS day, "
            "CASE WHEN i % 3 > 0 THEN i % 7 + i % 5 END AS y FROM range(60) r(i)"
        )
        run = db.impute("t", tmp_path / "run", m=2, imputer="norm")
        for formula, rows in (
            ("y ~ log(x - 1e9)", "any row"),
            ("y ~ sqrt(-x)", "any row"),
            ("y ~ log(x - 2)", "of 60"),
        ):
            with pytest.raises(QueryError, match="is not a number in") as told:
                run.analyze(formula)
            assert rows in str(told.value)
        for formula in ("y ~ day", "day ~ y", "y ~ x + Q('day')", "y ~ x + C(day) + day"):
            with pytest.raises(QueryError, match="day is of dates or times"):
                run.analyze(formula)
        assert run.analyze("y ~ x") is not None
