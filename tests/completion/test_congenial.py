"""Draws that agree with a formula: interactions and squares keep their coefficients, categories their types."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import imputedb
from imputedb import Database
from imputedb.algebra.column import Column
from imputedb.cli.main import main
from imputedb.completion.compatible import Compatible, Variable, _Step
from imputedb.completion.formula import modelled
from imputedb.completion.substantive import Linear
from imputedb.completion.terms import parsed
from imputedb.errors import DataError, Error, QueryError, UnknownName
from imputedb.imputers.chained.trace import Trace

SQUARE = "y ~ x*z + I(x**2)"


def sample(n: int = 1000, seed: int = 0) -> dict[str, Any]:
    """y has an interaction and a square of x, which misses the more the larger y is; g misses with neither."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    x = 0.5 * z + rng.normal(size=n)
    y = 1 + x + z + 0.5 * x * z + 0.5 * x**2 + rng.normal(size=n)
    gone = rng.random(n) < 1 / (1 + np.exp(1.4 - 0.3 * y))
    g = np.where(rng.random(n) < 0.2, None, np.where(x + rng.normal(size=n) > 0, "up", "down"))
    return {"id": np.arange(n), "z": z, "y": y, "x": np.where(gone, np.nan, x), "g": g.astype(object)}


@pytest.mark.nightly
def test_interactions_and_squares_keep_their_coefficients(tmp_path: Path) -> None:
    """Whoever draws x as a straight line flattens the square."""
    truth = {"x": 1.0, "z": 1.0, "x:z": 0.5, "I(x ** 2)": 0.5}
    with imputedb.connect() as db:
        db.register("t", sample())
        done = db.impute("t", tmp_path / "ours", m=5, imputer="norm", formula=SQUARE, cycles=8)
        found = done.analyze(SQUARE)
        for name, right in truth.items():
            assert abs(found[name].estimate - right) < 4 * found[name].se, name
        straight = db.impute("t", tmp_path / "norm", m=5, imputer="norm").analyze(SQUARE)["I(x ** 2)"]
        assert straight.estimate < 0.4
        told = done.manifest
        assert (told["formula"], told["model"], told["cycles"]) == (SQUARE, "ols", 8)
        assert told["columns"]["x"]["method"] == f"ols, {SQUARE}"
        assert told["columns"]["g"]["method"] == "norm"
        assert told["convergence"]["draws"] == 5
        frame = done.frame(1)
        assert not frame[["x", "g"]].isna().any().any()
        up = [frame.loc[frame["x__imputed"] & (frame["g"] == g), "x"].mean() for g in ("down", "up")]
        assert up[0] + 0.5 < up[1]
        with pytest.raises(QueryError, match="formula"):
            db.more(done, 5)


def test_a_logit_model_and_columns_of_every_kind(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    n = 1200
    b, k, s = rng.random(n) < 0.4, rng.integers(1, 4, n), np.array(["p", "q", "r"], object)[rng.integers(0, 3, n)]
    c = rng.poisson(3, n)
    score = -1 + 1.5 * b + 0.4 * c * (s == "q") - 0.3 * (k == 2)
    y = (rng.random(n) < 1 / (1 + np.exp(-score))).astype(int)
    gone = rng.random((5, n)) < 0.15
    columns = {"b": b, "c": c, "y": y, "k": k}
    rows = {name: np.ma.masked_array(values, gone[place]) for place, (name, values) in enumerate(columns.items())}
    formula = "y ~ b + c*s + C(k)"
    with imputedb.connect() as db:
        db.register("t", {"id": np.arange(n), **rows, "s": np.where(gone[4], None, s)})
        db.policy("t", "k", measure="nominal")
        done = db.impute("t", tmp_path / "out", m=3, formula=formula, model="logit", cycles=5)
        frame = done.frame(2)
        assert not frame.isna().any().any()
        assert set(frame["y"]) == {0, 1}
        assert set(frame["k"]) == {1, 2, 3}
        assert set(frame["s"]) == {"p", "q", "r"}
        assert frame["c"].dtype.kind == "i"
        for name, values in columns.items():
            kept = ~gone[list(columns).index(name)]
            assert (frame[name].to_numpy()[kept] == values[kept]).all()
        found = done.analyze("y ~ b + c*s + C(k)", "logit")
        for name, right in {"b[T.True]": 1.5, "c:s[T.q]": 0.4, "C(k)[T.2]": -0.3}.items():
            assert abs(found[name].estimate - right) < 4 * found[name].se, name


@pytest.mark.parametrize(
    "formula",
    [
        *("y ~ x*z + I(x**2)", "y ~ x:z - 1", "y ~ (x + s)*z", "y ~ 0 + s:x", "y ~ s*r", "y ~ log(z + 9) + x:r"),
        *("y ~ np.exp(x) + I(x > 0)", "y ~ x*z*s", "y ~ Q('x') + minimum(x, z)", "y ~ x + s - 1", "log(y + 99) ~ x"),
    ],
)
def test_terms_span_what_the_analysis_spans(formula: str) -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    values = {"x": rng.normal(size=60), "z": rng.normal(size=60), "y": rng.normal(size=60)}
    codes = {"s": rng.integers(0, 3, 60).astype(float), "r": rng.integers(0, 2, 60).astype(float)}
    found = parsed(formula, {**dict.fromkeys(values, ()), "s": (0.0, 1.0, 2.0), "r": (0.0, 1.0)}, tuple(values))
    ours = found.matrix({**values, **codes}, 60)
    letters = {name: [f"c{int(code)}" for code in column] for name, column in codes.items()}
    theirs = np.asarray(modelled("ols", formula, pd.DataFrame({**values, **letters})).exog)
    ranks = [np.linalg.matrix_rank(one) for one in (ours, theirs, np.hstack([ours, theirs]))]
    assert len(set(ranks)) == 1


@pytest.mark.parametrize("y", [0.0, 6.0, 25.0])
def test_accepted_values_have_the_conditional_distribution(y: float) -> None:
    """p(x | y) of x ~ Normal(.3, 1) and y = x + x^2 + e, by numerical integration; 6 has two modes, 25 is far out."""
    n = 3000
    formula = parsed("y ~ x + I(x**2)", {"x": (), "y": ()}, ("x", "y"))
    x, known = Variable(Column("t", "x"), np.linspace(-3, 3, n), np.ones(n, bool)), np.zeros(n, bool)
    outcome, keys = Variable(Column("t", "y"), np.full(n, y), known), np.arange(n, dtype=np.uint64)
    chain = Compatible(formula, "ols", outcome, [Variable(x.column, x.values, known)], keys, 0, 1)
    centre, deviation = chain._scale
    slopes = np.array([0.0, 1.0, 1.0]) * deviation
    fit = Linear(np.array([centre[1] + centre[2], *slopes[1:]]), 0.7)
    step = _Step(chain, x, {"x": x.values}, outcome.values, fit, (0, 1, 1, "x"))
    values, lost = step.accepted(np.arange(n), np.full(n, 0.3), 1.0)
    assert lost == 0
    grid = np.linspace(-6, 6, 20001)
    density = np.exp(-0.5 * (grid - 0.3) ** 2 - 0.5 * ((y - grid - grid**2) / 0.7) ** 2)
    density /= density.sum()
    for power in (1, 2):
        right = float(density @ grid**power)
        error = np.sqrt((float(density @ grid ** (2 * power)) - right**2) / n)
        assert abs(float(np.mean(values**power)) - right) < 4 * error


def test_draws_go_by_row_and_number_whatever_is_beside_them() -> None:
    rows = sample(300)
    gone = np.isnan(rows["x"])
    formula = parsed(SQUARE, dict.fromkeys("xyz", ()), ("x", "y", "z"))

    def chain(turn: np.ndarray) -> Compatible:
        def variable(name: str, missing: np.ndarray) -> Variable:
            return Variable(Column("t", name), np.where(missing, 0.0, rows[name])[turn], missing[turn])

        none = np.zeros(300, bool)
        return Compatible(
            formula,
            "ols",
            variable("y", none),
            [variable("z", none), variable("x", gone)],
            turn.astype(np.uint64),
            7,
            3,
        )

    plain, turn = np.arange(300), np.random.default_rng(2).permutation(300)
    first, third = (chain(plain).draw(number, Trace())["x"] for number in (1, 3))
    whole = np.zeros(300)
    whole[turn[gone[turn]]] = chain(turn).draw(3, Trace())["x"]
    np.testing.assert_allclose(whole[gone], third)
    assert abs(np.corrcoef(first, third)[0, 1]) < 0.95


@pytest.fixture
def db() -> Any:
    with imputedb.connect() as found:
        rows = sample(200)
        more = {"day": np.datetime64("2020-01-01") + np.arange(200), "t": np.where(np.arange(200) % 9 == 0, None, "a")}
        found.register("t", {**rows, **more, "w": np.where(np.arange(200) % 7 == 0, np.nan, 1 + np.arange(200.0))})
        yield found


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"formula": SQUARE, "model": "phreg"}, "survival"),
        ({"formula": "y ~ bs(x, df=4)"}, "elementwise"),
        ({"formula": "y ~ x**2"}, r"I\(x\*\*2\)"),
        ({"formula": "y ~ -x"}, "no term"),
        ({"formula": "y"}, "outcome"),
        ({"formula": "y ~ q"}, "no column 'q'"),
        ({"formula": "y ~ day + x"}, "dates"),
        ({"formula": "log(w) ~ x"}, "function of it"),
        ({"formula": "g ~ x"}, "AS NUMERIC"),
        ({"formula": "y ~ x", "model": "logit"}, "200 values"),
        ({"formula": "y ~ y + x"}, "of its own"),
        ({"formula": "y ~ I(g * 2)"}, "categories"),
        ({"formula": "y ~ log(z)"}, "no value in"),
        ({"formula": "y ~ C(z)"}, "AS NOMINAL"),
        ({"formula": SQUARE, "columns": ["g"]}, "not asked for"),
        ({"formula": SQUARE, "cycles": 0}, "cycles"),
        ({"formula": 3}, "formula"),
        ({"model": "logit"}, "formula"),
    ],
)
def test_what_such_draws_do_not_do_is_refused(db: Database, asked: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises((QueryError, DataError, UnknownName), match=says):
        db.impute("t", tmp_path / "out", m=2, **asked)
    assert not (tmp_path / "out" / "CURRENT").exists()


@pytest.mark.parametrize(
    "said",
    [{"low": -1}, {"imputer": "norm"}, {"exclude": ["z"]}, {"weight": "id"}, {"action": "keep"}, {"derived": "z"}],
)
def test_policies_that_such_draws_do_not_mind_are_refused(db: Database, said: dict[str, Any], tmp_path: Path) -> None:
    db.policy("t", "x", **said)
    with pytest.raises(Error, match=r"policy of t\.x|its policy"):
        db.impute("t", tmp_path, m=2, formula=SQUARE)


def test_the_command_makes_the_same_run(tmp_path: Path) -> None:
    path = str(tmp_path / "s.duckdb")
    with imputedb.connect(path) as db:
        db.register("t", sample(100), keep=True)
        asked = {"m": 2, "formula": "y ~ x*z", "cycles": 2}
        ours = db.impute("t", tmp_path / "ours", imputer="pmm", **asked)  # type: ignore[arg-type]
    options = ["--out", str(tmp_path / "theirs"), "--m", "2", "--formula", "y ~ x*z", "--cycles", "2"]
    ran = CliRunner().invoke(main, ["impute", path, "t", *options])
    assert ran.exit_code == 0, ran.output
    assert ours.folder.name in {entry.name for entry in (tmp_path / "theirs").iterdir()}


def test_a_boolean_outcome_is_drawn_and_fitted_as_a_probability(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=600)
    b = rng.random(600) < 1 / (1 + np.exp(1 - x))
    with imputedb.connect() as db:
        db.register("t", {"x": x, "b": np.ma.masked_array(b, rng.random(600) < 0.3), "whole": b})
        with pytest.raises(QueryError, match=r"t\.b is true or false.*model='logit'"):
            db.impute("t", tmp_path / "ols", m=2, formula="b ~ x")
        done = db.impute("t", tmp_path / "logit", m=3, formula="b ~ x", model="logit")
        drawn = done.frame(1).loc[lambda frame: frame["b__imputed"], "b"]
        assert 0.1 < drawn.mean() < 0.6
        for outcome in ("b", 'Q("b")', "whole"):
            slope = done.analyze(f"{outcome} ~ x", model="logit")["x"]
            assert abs(slope.estimate - 1) < 4 * slope.se
        assert 0 < done.analyze("b ~ x")["x"].estimate < 0.5
