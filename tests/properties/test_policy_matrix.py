"""Every clause of a policy in every function: it holds, or the function refuses it or warns of it by name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

import imputedb
from imputedb import Database
from imputedb.cli.main import main
from imputedb.completion.completed import opened
from imputedb.errors import DataError, Error, QueryError
from imputedb.sensitivity import Departures

N = 240
RNG = np.random.default_rng(4)
LABEL, Z = RNG.normal(size=(2, N))
GROUP = np.arange(N) % 4
DAY = RNG.permutation(N)
SKIPPED = np.arange(N) % 6 == 0
X = LABEL + 0.1 * RNG.normal(size=N)
GONE = (RNG.random(N) < 0.3) | (DAY < 3)
TAUGHT = GROUP < 2
"""Rows of weight 1; the others weigh nothing."""

SHIFTED = np.where(TAUGHT, X, X + 50)
"""The same, but for rows that weigh nothing: whoever learns from them is far off."""

AVERAGE = "SELECT avg(x) AS x FROM t"

Filled = NDArray[np.float64]
Seen = Filled | float
"""What a function makes of the cells of x (NaN where NULL), or the number that it gives."""


def connected() -> Database:
    db = imputedb.connect()
    more = {"id": np.arange(N), "z": Z, "label": LABEL, "g": GROUP.astype(str).astype(object), "day": DAY}
    more |= {"skipped": SKIPPED, "w": TAUGHT.astype(float)}
    db.register("t", {**more, "x": np.ma.masked_array(X, GONE)})
    db.register("shifted", {**more, "x": np.ma.masked_array(SHIFTED, GONE)})
    return db


def by_row(rows: list[tuple[Any, ...]]) -> Filled:
    found = np.full(N, np.nan)
    for row, value, *_ in rows:
        found[int(row)] = np.nan if value is None else float(value)
    return found


@dataclass
class Asked:
    """A database with a policy on x of one of its tables, a folder of its own, and which policy it is."""

    db: Database
    table: str
    folder: Path
    clause: str

    def text(self, query: str) -> str:
        return query.replace("FROM t", f"FROM {self.table}")

    def sql(self, query: str, **more: Any) -> Any:
        return self.db.sql(self.text(query), **{"imputer": "norm", **more})


def single(asked: Asked) -> Seen:
    return by_row(asked.sql("SELECT id, x FROM t").fetchall())


def several(asked: Asked) -> Seen:
    return by_row(asked.sql("SELECT id, avg(x) AS x FROM t GROUP BY id", m=2).fetchall())


def base(asked: Asked) -> Seen:
    return by_row(asked.sql("SELECT id, x FROM t", strategy="base").fetchall())


def impute(asked: Asked) -> Seen:
    asked.db.impute(asked.table, asked.folder / "table", m=1, imputer="norm")
    return opened(asked.folder / "table").frame(1).sort_values("id")["x"].to_numpy(np.float64)


def impute_select(asked: Asked) -> Seen:
    asked.db.impute(asked.text("SELECT * FROM t WHERE id >= 0"), asked.folder / "rows", m=1, imputer="norm")
    return opened(asked.folder / "rows").frame(1).sort_values("id")["x"].to_numpy(np.float64)


def cells(asked: Asked) -> Seen:
    found = np.where(GONE, np.nan, X)
    for cell in asked.db.cells(asked.table, "x", imputer="norm").cells:
        found[int(str(cell.row))] = np.nan if cell.value is None else cell.value
    return found


def audit(asked: Asked) -> Seen:
    asked.db.audit(asked.table, "told", columns=["x"])
    found = np.where(GONE, np.nan, X)
    for row, value in asked.db.execute("SELECT row, value FROM told"):
        found[int(row)] = np.nan if value is None else float(value)
    return found


def why(asked: Asked) -> Seen:
    """Of each cell that audit has the same is said; of one that means something, so it is."""
    told = audit(asked)
    assert isinstance(told, np.ndarray)
    for row in (*np.flatnonzero(GONE & ~SKIPPED)[:2].tolist(), *np.flatnonzero(GONE & SKIPPED)[:1].tolist()):
        if np.isnan(told[row]) and asked.clause == "STRUCTURAL":
            with pytest.raises(DataError, match="means something"):
                asked.db.why(asked.table, "x", row)
            continue
        value = asked.db.why(asked.table, "x", row).value
        if asked.clause != "BEFORE":  # an audit goes by blocks of rows
            np.testing.assert_allclose(np.nan if value is None else value, told[row])
    return told


def evaluate(asked: Asked) -> Seen:
    return asked.db.evaluate(asked.table, imputer="norm", columns=["x"], share=0.3).overall("norm")


def scan(asked: Asked) -> Seen:
    return min(asked.db.scan(asked.table, columns=["x"], ks=[5], metrics=["gower"]).errors.values())


def sweep(asked: Asked) -> Seen:
    found = np.full(N, np.nan)

    def analysis(columns: Mapping[str, NDArray[Any]]) -> tuple[float, float]:
        found[:] = columns["x"]
        return 0.0, 1.0

    asked.db.sensitivity(asked.table, "x", [0.0], analysis, m=2)  # type: ignore[arg-type]
    return found


def departures(asked: Asked) -> Seen:
    result = asked.sql(AVERAGE, m=2, sensitivity=Departures("x", (-100.0,), crosses=1e6))
    return float(result.sensitivity.points[(), "x"][0].estimate)


def aipw(asked: Asked) -> Seen:
    return float(asked.sql(AVERAGE, method="aipw").estimates[0]["x"].estimate)


def likely(asked: Asked) -> Seen:
    return float(asked.sql(AVERAGE, method="ml").estimates[0]["x"].estimate)


def bounds(asked: Asked) -> Seen:
    ((low, high),) = asked.sql(AVERAGE, method="bounds").fetchall()
    return np.array([low, high])


def compare(asked: Asked) -> Seen:
    """The line of an imputer is what a query gives by it."""
    (line,) = asked.db.compare(asked.text(AVERAGE), ways=["norm"], m=2).lines
    if line.reason is not None:
        raise QueryError(line.reason)
    assert line.estimate == asked.sql(AVERAGE, m=2).estimates[0]["x"].estimate
    return line.estimate


FUNCTIONS: tuple[Callable[[Asked], Seen], ...] = (
    *(single, several, base, impute, impute_select, cells, audit, why),
    *(evaluate, scan, sweep, departures, aipw, likely, bounds, compare),
)
CLAUSES: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "KEEP": {"action": "keep"},
    "DROP": {"action": "drop"},
    "STRUCTURAL": {"action": "structural", "when": "skipped"},
    "IMPUTER": {"imputer": "hotdeck"},
    "RANGE": {"low": -0.5, "high": 0.5},
    "VALUES": {"values": [-1, 0, 1]},
    "PREDICTORS": {"predictors": ["z"]},
    "EXCLUDE": {"exclude": ["label"]},
    "BEFORE": {"before": "day"},
    "WEIGHT": {"weight": "w"},
    "CLUSTER": {"cluster": "g", "imputer": "2l.norm"},
    "ORDER BY": {"partition": ["g"], "order": "day", "imputer": "previous"},
    "DERIVED AS": {"derived": "label + z"},
    "WARN ABOVE": {"above": 10},
    "REFUSE ABOVE": {"above": 10, "refuse": True},
    "MISSING BELOW": {"below": 0.999},
}


def filled(values: Seen) -> Filled:
    """What the missing cells are given."""
    assert isinstance(values, np.ndarray)
    assert not np.isnan(values[~GONE]).any()
    return values[GONE]


def stay(where: NDArray[np.bool_]) -> Callable[[Seen], bool]:
    """These cells stay NULL, and no others."""
    return lambda values: np.array_equal(np.isnan(filled(values)), where[GONE])


def follows(values: Seen) -> float:
    given = filled(values)
    return abs(float(np.corrcoef(given[~np.isnan(given)], LABEL[GONE][~np.isnan(given)])[0, 1]))


def previous() -> Filled:
    found = np.full(N, np.nan)
    for row in np.flatnonzero(GONE):
        before = np.flatnonzero((GROUP[row] == GROUP) & (DAY[row] > DAY) & ~GONE)
        found[row] = X[before[DAY[before].argmax()]] if len(before) else np.nan
    return found[GONE]


NOWHERE, EVERYWHERE = np.zeros(N, bool), np.ones(N, bool)

HOLDS: Mapping[str, Callable[[Seen], bool]] = {
    "none": lambda values: stay(NOWHERE)(values) and follows(values) > 0.95,
    "KEEP": stay(EVERYWHERE),
    "DROP": stay(EVERYWHERE),
    "STRUCTURAL": stay(SKIPPED),
    "IMPUTER": lambda values: stay(NOWHERE)(values) and follows(values) < 0.5,
    "RANGE": lambda values: bool((np.abs(filled(values)) <= 0.5).all()),
    "VALUES": lambda values: bool((np.abs(filled(values)) <= 1).all()),
    "PREDICTORS": lambda values: follows(values) < 0.4,
    "EXCLUDE": lambda values: follows(values) < 0.4,
    "BEFORE": stay(DAY < 3),
    "WEIGHT": lambda values: bool((np.abs(filled(values)) < 10).all()),
    "CLUSTER": lambda values: stay(NOWHERE)(values),
    "ORDER BY": lambda values: bool(np.allclose(filled(values), previous(), equal_nan=True)),
    "DERIVED AS": lambda values: bool(np.allclose(filled(values), (LABEL + Z)[GONE])),
    "WARN ABOVE": stay(NOWHERE),
    "REFUSE ABOVE": stay(NOWHERE),
    "MISSING BELOW": stay(EVERYWHERE),
}
"""By clause what holds of the cells that a function fills in."""

MEAN = float(np.where(GONE, LABEL, X).mean())


def near(value: float, within: float) -> Callable[[Seen], bool]:
    return lambda found: isinstance(found, float) and abs(found - value) < within


def ends(low: Filled, high: Filled, stored: Filled = X) -> Callable[[Seen], bool]:
    reach = [float(np.where(GONE, end, stored).mean()) for end in (low, high)]
    return lambda found: bool(np.allclose(found, reach))


NAMED: Mapping[str, str] = {
    "KEEP": "KEEP|means something|policies may leave it NULL",
    "DROP": "DROP|policies may leave it NULL",
    "STRUCTURAL": "STRUCTURAL",
    "IMPUTER": "hotdeck|name another imputer",
    "RANGE": "RANGE",
    "VALUES": "VALUES",
    "PREDICTORS": "PREDICTORS",
    "EXCLUDE": "EXCLUDE",
    "BEFORE": "BEFORE|earlier rows",
    "WEIGHT": "WEIGHT",
    "CLUSTER": r"CLUSTER|2l\.norm|another imputer",
    "ORDER BY": "ORDER BY|by previous|name another imputer",
    "DERIVED AS": "derived|computed|DERIVED|no missing value|another imputer",
    "REFUSE ABOVE": "allows 10 %",
    "MISSING BELOW": "MISSING BELOW|policies may leave it NULL",
}
"""By clause what a refusal says."""

_SINGLE = {"cells", "audit", "why", "scan", "evaluate"}
REFUSED: Mapping[str, set[str]] = {
    "KEEP": _SINGLE | {"sweep", "departures", "aipw", "likely", "bounds"},
    "DROP": _SINGLE | {"sweep", "departures", "aipw", "likely", "bounds"},
    "STRUCTURAL": {"aipw", "likely", "bounds"},
    "IMPUTER": {"audit", "why", "scan", "sweep", "departures", "likely"},
    "RANGE": {"likely"},
    "VALUES": {"likely"},
    "PREDICTORS": {"likely"},
    "EXCLUDE": {"likely"},
    "BEFORE": {"aipw", "likely"},
    "WEIGHT": {"audit", "why", "scan", "aipw", "likely"},
    "CLUSTER": {"audit", "why", "scan", "sweep", "departures", "aipw", "likely"},
    "ORDER BY": {"audit", "why", "scan", "sweep", "departures", "aipw", "likely"},
    "DERIVED AS": {"cells", "audit", "why", "scan", "sweep", "departures"},
    "REFUSE ABOVE": {
        *("single", "several", "base", "impute", "impute_select"),
        "sweep",
        "departures",
        "aipw",
        "likely",
        "compare",
    },
    "MISSING BELOW": {"departures", "aipw", "likely", "bounds"},
}
"""By clause the functions that refuse it."""

SPARED: Mapping[str, set[str]] = {"VALUES": {"several"}, "ORDER BY": {"cells"}}
"""What is seen otherwise: a mean of draws is between listed values; cells are valued without those that are hidden."""

WIDE = (np.full(N, X[~GONE].min()), np.full(N, X[~GONE].max()))
NUMBERS: Mapping[tuple[str, str], Callable[[Seen], bool]] = {
    ("none", "evaluate"): near(0.1, 0.05),
    ("RANGE", "evaluate"): lambda error: isinstance(error, float) and error > 0.3,
    ("VALUES", "evaluate"): lambda error: isinstance(error, float) and error > 0.25,
    ("PREDICTORS", "evaluate"): near(1, 0.3),
    ("EXCLUDE", "evaluate"): near(1, 0.3),
    ("IMPUTER", "evaluate"): near(1.4, 0.4),
    ("WEIGHT", "evaluate"): lambda error: isinstance(error, float) and error > 1,
    ("ORDER BY", "evaluate"): near(1.4, 0.4),
    ("MISSING BELOW", "evaluate"): lambda error: bool(np.isnan(error)),
    ("none", "scan"): near(0.25, 0.1),
    ("RANGE", "scan"): near(0.6, 0.35),
    ("PREDICTORS", "scan"): near(1.1, 0.3),
    ("EXCLUDE", "scan"): near(1.1, 0.3),
    ("RANGE", "bounds"): ends(np.full(N, -0.5), np.full(N, 0.5)),
    ("VALUES", "bounds"): ends(np.full(N, -1.0), np.full(N, 1.0)),
    ("DERIVED AS", "bounds"): ends(LABEL + Z, LABEL + Z),
    ("DERIVED AS", "aipw"): near(float(np.where(GONE, LABEL + Z, X).mean()), 1e-9),
    ("WEIGHT", "bounds"): ends(np.full(N, SHIFTED[~GONE].min()), np.full(N, SHIFTED[~GONE].max()), SHIFTED),
    ("WEIGHT", "compare"): near(float(np.where(GONE, LABEL, SHIFTED).mean()), 0.1),
    ("KEEP", "compare"): near(float(X[~GONE].mean()), 1e-9),
    ("DROP", "compare"): near(float(X[~GONE].mean()), 1e-9),
    ("WEIGHT", "departures"): lambda found: isinstance(found, float) and found < -5,
}
"""The numbers of functions that give one, where a clause moves them."""
ORDINARY: Mapping[str, Callable[[Seen], bool]] = {
    "aipw": near(MEAN, 0.15),
    "likely": near(MEAN, 0.05),
    "bounds": ends(*WIDE),
    "compare": near(MEAN, 0.15),
    "departures": lambda found: isinstance(found, float) and found < 0.1,
    "evaluate": lambda error: isinstance(error, float) and 0 < error < 2,
    "scan": lambda error: isinstance(error, float) and 0 < error < 2,
}
"""Those where it does not."""


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with connected() as found:
        yield found


@pytest.mark.sampled(5)
@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_holds_in_every_function_or_is_refused_by_name(db: Database, clause: str, tmp_path: Path) -> None:
    table = "shifted" if clause == "WEIGHT" else "t"
    db.policy(table, "x", **CLAUSES[clause])
    for function in FUNCTIONS:
        name = function.__name__
        asked = Asked(db, table, tmp_path / name, clause)
        if name in REFUSED.get(clause, ()):
            with pytest.raises(Error, match=NAMED[clause]):
                function(asked)
            continue
        if clause in SPARED and name in SPARED[clause]:
            continue
        found = function(asked)
        ordinary = HOLDS[clause] if isinstance(found, np.ndarray) and len(found) == N else ORDINARY.get(name)
        check = NUMBERS.get((clause, name), ordinary)
        assert check is not None, name
        assert check(found), (clause, name, found)


def test_what_a_policy_warns_of_is_in_every_answer(db: Database, tmp_path: Path) -> None:
    db.policy("t", "x", above=10)
    said = "allows 10 %"
    for more in ({}, {"m": 2}, {"strategy": "base"}, {"method": "aipw"}, {"method": "ml"}):
        assert said in str(db.sql(AVERAGE, **{"imputer": "norm", **more}).report.warnings), more
    assert said in str(db.impute("t", tmp_path, m=1, imputer="norm").warnings)
    assert said in str(db.sensitivity("t", "x", [0.0], lambda _: (0.0, 1.0), m=2).notes)
    db.policy("shifted", "x", weight="w")
    assert "WEIGHT" in str(db.evaluate("shifted", imputer="norm", columns=["x"]).notes)
    assert "WEIGHT" in str(db.cells("shifted", "x", imputer="norm").notes)


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_a_derived_column_is_judged_where_it_is_not_known_from_stored_values(db: Database, action: str) -> None:
    """It stays NULL wherever what it is derived from does, so that there is nothing to judge."""
    rows = {"id": np.arange(N), "z": Z, "a": np.ma.masked_array(LABEL, GONE), "x": np.ma.masked_array(2 * LABEL, GONE)}
    db.register("d", rows)
    db.policy("d", "a")
    db.policy("d", "x", derived="2 * a")
    assert db.evaluate("d", imputer="norm", columns=["x"]).overall("norm") > 0.8
    db.policy("d", "a", action)
    found = db.evaluate("d", imputer="norm", columns=["x"])
    assert np.isnan(found.overall("norm"))
    assert "stay missing" in str(found.notes)


def test_the_command_weighs_answers(tmp_path: Path) -> None:
    path = str(tmp_path / "s.duckdb")
    with imputedb.connect(path) as db:
        db.execute("CREATE TABLE t AS SELECT i AS x, (i < 2)::INT AS w FROM range(4) r(i)")
    ran = CliRunner().invoke(main, ["query", path, "SELECT avg(x) AS a FROM t", "--weights", "w", "--format", "csv"])
    assert ran.output.split() == ["a", "0.5"]
