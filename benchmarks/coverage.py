"""How often intervals hold what they are about, of methods side by side: a table, every number, and a chart.

python -m benchmarks.coverage [--simulations N] [--minutes M] [--rows FILE] [--out DIR]     the study, or more of it
python -m benchmarks.coverage --report [--rows FILE] [--out DIR]                            what there is of it
"""

import argparse
import csv
import math
import multiprocessing
import os
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: two processes share two cores

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import stats

import imputedb

Vector = NDArray[np.float64]
Interval = tuple[float, float]

ROWS = 500
LEVEL = 0.95
OUT = Path(__file__).parent / "results"

QUANTITIES = {
    "mean": "avg(y)",
    "proportion": "avg((y > 2.5)::INT)",
    "slope": "regr_slope(y, x)",
    "group mean": "avg(y) FILTER (WHERE g = 'b')",
    "quantile": "quantile_cont(y, 0.25)",
}
ROBUST = ("mean", "proportion", "group mean")
"""What the doubly robust form is for."""


# -- data -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Setting:
    """A truth, and how values go missing from it.

    Attributes:
        truth: `straight`, where `norm` is the right model, or `curved`, where it is not.
        mechanism: `MCAR`, or `MAR` given columns that are there.
        share: of y that is missing.
    """

    truth: str
    mechanism: str
    share: float

    def __str__(self) -> str:
        return f"{self.truth}, {self.mechanism}, {self.share:.0%}"


SETTINGS = [Setting("straight", how, share) for how in ("MCAR", "MAR") for share in (0.2, 0.4)]
SETTINGS += [Setting("curved", how, 0.4) for how in ("MCAR", "MAR")]

_INTERCEPT = {0.2: -1.76, 0.4: -0.51}


def columns(setting: Setting, rng: np.random.Generator, rows: int = ROWS) -> dict[str, NDArray[Any]]:
    """A complete table: y by x, a group g and an auxiliary a that no question names."""
    a = rng.normal(size=rows)
    x = 0.3 * a + math.sqrt(1 - 0.09) * rng.normal(size=rows)
    g = rng.integers(0, 4, rows)
    curve = 0.6 * (a**2 - 1) if setting.truth == "curved" else 0.0
    y = 2 + 0.5 * x + 0.7 * a + 0.4 * (g == 1) + curve + rng.normal(size=rows)
    return {"id": np.arange(rows), "x": x, "a": a, "g": np.array(list("abcd"), object)[g], "y": y}


def gone(setting: Setting, table: Mapping[str, NDArray[Any]], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which y are missing."""
    chance: Any = setting.share
    if setting.mechanism == "MAR":
        chance = 1 / (1 + np.exp(-(_INTERCEPT[setting.share] + table["a"] + 0.5 * table["x"])))
    return rng.random(len(table["y"])) < chance


def answers(y: Vector, table: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """What the questions have for an answer where nothing is missing."""
    return {
        "mean": float(y.mean()),
        "proportion": float((y > 2.5).mean()),
        "slope": float(np.polyfit(table["x"], y, 1)[0]),
        "group mean": float(y[table["g"] == "b"].mean()),
        "quantile": float(np.quantile(y, 0.25)),
    }


def population(setting: Setting) -> dict[str, float]:
    """What they are of the population: formulas, and of 4 million rows where there is none."""
    table = columns(setting, np.random.default_rng(1), 4_000_000)
    large = answers(table["y"], table)
    return {**large, "mean": 2.1, "slope": 0.71, "group mean": 2.4}


# -- methods: intervals by what they are about and by quantity --------------------------------------------------------

Found = Mapping[tuple[str, str], tuple[float, Interval]]


@dataclass(frozen=True)
class Task:
    """A table, in a database under the name t, and a seed."""

    db: imputedb.Database
    seed: int
    table: Mapping[str, NDArray[Any]]


Method = Callable[[Task], Found]


def multiple(imputer: str) -> Method:
    """Multiple imputation, 20 draws; the same draws say both what the population and what the answer is."""

    def method(task: Task) -> Found:
        (row,) = task.db.sql(_query(QUANTITIES), m=20, imputer=imputer, seed=task.seed).estimates
        return {
            (about, name): (one.estimate, replace(one, question=about).interval(LEVEL))
            for name, one in row.items()
            for about in ("population", "answer")
        }

    return method


def robust(task: Task) -> Found:
    """The doubly robust form, around the imputer `norm`."""
    (row,) = task.db.sql(_query(ROBUST), method="aipw", imputer="norm", seed=task.seed).estimates
    return {
        (about, name): (one.estimate, replace(one, question=about).interval(LEVEL))
        for name, one in row.items()
        for about in ("population", "answer")
    }


def complete_cases(task: Task) -> Found:
    """Rows with a missing value dropped, the rest taken for a sample of all."""
    there = ~np.isnan(task.table["y"])
    return _both(_textbook({name: column[there] for name, column in task.table.items()}))


def single(task: Task) -> Found:
    """Single values of `norm`, taken for real."""
    filled = np.array(task.db.sql("SELECT y FROM t ORDER BY id", imputer="norm", seed=task.seed).fetchall())[:, 0]
    return _both(_textbook({**task.table, "y": filled}))


def _both(found: Mapping[str, tuple[float, Interval]]) -> Found:
    return {(about, name): one for name, one in found.items() for about in ("population", "answer")}


def _textbook(table: Mapping[str, NDArray[Any]]) -> dict[str, tuple[float, Interval]]:
    """The intervals of complete data: t, Wald on the logit, least squares, Woodruff's of a quantile."""
    y, x = table["y"], table["x"]
    n, found = len(y), answers(y, table)
    p = found["proportion"]
    fit = stats.linregress(x, y)
    wide = 1.96 / math.sqrt(n * p * (1 - p))
    ends = np.quantile(y, np.clip(0.25 + np.array([-1, 1]) * 1.96 * math.sqrt(0.1875 / n), 0, 1))
    group = y[table["g"] == "b"]
    intervals = {
        "mean": stats.t.interval(LEVEL, n - 1, y.mean(), stats.sem(y)),
        "proportion": tuple(1 / (1 + math.exp(-math.log(p / (1 - p)) - side * wide)) for side in (-1, 1)),
        "slope": stats.t.interval(LEVEL, n - 2, fit.slope, fit.stderr),
        "group mean": stats.t.interval(LEVEL, len(group) - 1, group.mean(), stats.sem(group)),
        "quantile": tuple(ends),
    }
    return {name: (found[name], (float(low), float(high))) for name, (low, high) in intervals.items()}


def _query(names: Sequence[str]) -> str:
    items = ", ".join(f'{QUANTITIES[name]} AS "{name}"' for name in names)
    return f"SELECT {items} FROM t"


METHODS: Mapping[str, Method] = {
    "norm, m = 20": multiple("norm"),
    "AIPW": robust,
    "complete cases": complete_cases,
    "single": single,
    "pmm, m = 20": multiple("pmm"),
    "tree, m = 20": multiple("tree"),
}
FEWER = ("pmm, m = 20", "tree, m = 20")
"""Methods that only every fourth simulation has."""


# -- the study --------------------------------------------------------------------------------------------------------


def simulated(job: tuple[Setting, int, Mapping[str, float], Sequence[str]]) -> list[dict[str, Any]]:
    """One simulation: a row a method, question and quantity."""
    setting, number, truths, methods = job
    rng = np.random.default_rng([SETTINGS.index(setting), number])
    table = columns(setting, rng)
    complete = answers(table["y"], table)
    table["y"] = np.where(gone(setting, table, rng), np.nan, table["y"])
    db = _database()
    db.register("t", table)
    rows = []
    for method in methods:
        if method in FEWER and number % 4:
            continue
        began = time.process_time()
        found = METHODS[method](Task(db, number, table))
        seconds = time.process_time() - began
        for (about, name), (estimate, (low, high)) in found.items():
            truth = truths[name] if about == "population" else complete[name]
            rows.append(
                {
                    "truth": setting.truth,
                    "mechanism": setting.mechanism,
                    "share": setting.share,
                    "simulation": number,
                    "method": method,
                    "about": about,
                    "quantity": name,
                    "error": estimate - truth,
                    "width": high - low,
                    "covers": int(low <= truth <= high),
                    "seconds": seconds,
                }
            )
    return rows


_DATABASES: list[imputedb.Database] = []


def _database() -> imputedb.Database:
    if not _DATABASES:
        _DATABASES.append(imputedb.connect())
        _DATABASES[0].execute("SET threads = 1")
    return _DATABASES[0]


def study(simulations: int, minutes: float, methods: Sequence[str], rows: Path) -> None:
    """Adds rows to a file until all simulations are in it, or time is over; all settings have equally many."""
    done = {int(row["simulation"]) for row in _read(rows)}
    truths = {setting: population(setting) for setting in SETTINGS}
    jobs = ((s, n, truths[s], methods) for n in range(simulations) if n not in done for s in SETTINGS)
    until, found = time.monotonic() + 60 * minutes, []
    with multiprocessing.Pool(2) as pool:
        for count, one in enumerate(pool.imap(simulated, jobs, chunksize=len(SETTINGS)), 1):
            found += one
            if count % len(SETTINGS):
                continue
            _add(rows, found)
            found.clear()
            if time.monotonic() > until:
                pool.terminate()
                break


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def _add(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        if new:
            writer.writeheader()
        writer.writerows(rows)


# -- what is kept -----------------------------------------------------------------------------------------------------

_BY = ("truth", "mechanism", "share", "about", "quantity", "method")


def summary(rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """A row a setting, question, quantity and method: coverage, its Monte Carlo error, bias, width."""
    groups: dict[tuple[str, ...], list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in _BY)].append(row)
    found = []
    for key, group in groups.items():
        n, errors = len(group), np.array([float(row["error"]) for row in group])
        share = sum(row["covers"] == "1" for row in group) / n
        found.append(
            {
                **dict(zip(_BY, key, strict=True)),
                "simulations": n,
                "coverage": round(100 * share, 1),
                "mc_error": round(100 * math.sqrt(share * (1 - share) / n), 1),
                "bias": round(float(errors.mean()), 4),
                "sd": round(float(errors.std()), 4),
                "width": round(float(np.median([float(row["width"]) for row in group])), 4),
                "ms": round(1e3 * float(np.median([float(row["seconds"]) for row in group]))),
            }
        )
    return found


def table(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The coverage in Markdown, a column a method, what lies outside 93 to 97 in bold."""
    methods = [method for method in METHODS if any(row["method"] == method for row in found)]
    cells = {tuple(str(row[name]) for name in _BY): row for row in found}
    for about in ("population", "answer"):
        yield f"\n## `{about}`\n"
        yield f"| truth, missing | quantity | {' | '.join(methods)} |"
        yield "|---|---|" + "---:|" * len(methods)
        for setting in SETTINGS:
            for name in QUANTITIES:
                key = (setting.truth, setting.mechanism, str(setting.share), about, name)
                shown = [_cell(cells.get((*key, method))) for method in methods]
                if set(shown) != {""}:
                    yield f"| {setting} | {name} | {' | '.join(shown)} |"


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    coverage = float(row["coverage"])
    return f"{coverage:.1f}" if 93 <= coverage <= 97 else f"**{coverage:.1f}**"


def write(found: Sequence[Mapping[str, Any]], out: Path, note: str) -> None:
    """The numbers, the table and the chart."""
    with (out / "coverage.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    report(out, note)


def report(out: Path, note: str) -> None:
    """The table and the chart, from the numbers that are kept."""
    found = _read(out / "coverage.csv")
    times = {row["method"]: row["ms"] for row in found}
    numbers = {row["method"]: row["simulations"] for row in found}
    counts = ", ".join(f"{method} {numbers[method]}" for method in METHODS if method in numbers)
    text = [
        "# Coverage of 95 % intervals",
        f"\n{ROWS} rows a table; y = 2 + .5 x + .7 a + .4 (g = b) + Normal(0, 1), `curved` with .6 (a^2 - 1) beside; y "
        "missing completely at random, or by logit a + .5 x (MAR). `population`: how often the interval holds the true "
        "parameter; `answer`: how often what the query says of the complete table. Outside 93 to 97 in bold; Monte "
        f"Carlo error 0.7 points at 1,000 simulations, 1.0 at 500. Simulations: {counts}. {note}",
        *table(found),
        "\nBias, spread, widths and numbers of simulations: coverage.csv. Median processor time of one call: "
        + ", ".join(f"{method} {ms} ms" for method, ms in times.items())
        + ".",
    ]
    (out / "coverage.md").write_text("\n".join(text) + "\n")
    chart(found, out / "coverage.png")


def chart(found: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Coverage by method: a dot a quantity, a panel a setting and question."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    methods = [method for method in METHODS if any(row["method"] == method for row in found)][::-1]
    marks = dict(zip(QUANTITIES, "osD^v", strict=True))
    figure, axes = plt.subplots(2, len(SETTINGS), figsize=(3 * len(SETTINGS), 6.2), sharex=True, sharey=True)
    for row_of, about in zip(axes, ("population", "answer"), strict=True):
        for panel, setting in zip(row_of, SETTINGS, strict=True):
            panel.axvspan(93, 97, color="#dfe9f3", zorder=0)
            panel.axvline(95, color="#7f8c9a", linewidth=0.8, zorder=1)
            for place, name in enumerate(QUANTITIES):
                mine = [
                    (float(row["coverage"]), methods.index(row["method"]) + 0.13 * (2 - place))
                    for row in found
                    if (row["about"], row["quantity"]) == (about, name)
                    and (row["truth"], row["mechanism"], str(row["share"]))
                    == (setting.truth, setting.mechanism, str(setting.share))
                ]
                panel.scatter(*zip(*mine, strict=True), s=26, marker=marks[name], label=name, zorder=3)
            panel.set_title(f"{setting}\n{about}", fontsize=9)
            panel.set_yticks(range(len(methods)), methods, fontsize=9)
            panel.set_xlim(-3, 103)
            panel.grid(axis="y", color="#eeeeee", zorder=0)
    axes[1][len(SETTINGS) // 2].set_xlabel("% of simulations whose 95 % interval holds what it is about", fontsize=9)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument(
        "--rows",
        type=Path,
        default=Path(tempfile.gettempdir()) / "imputedb_coverage.csv",
        help="taken up where it stops",
    )
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if not given.report:
        study(given.simulations, given.minutes, given.methods, given.rows)
    rows = _read(given.rows)
    spent = sum({(r["simulation"], r["truth"], r["mechanism"], r["share"], r["method"]): float(r["seconds"])
                 for r in rows}.values()) / 60  # fmt: skip
    versions = f"imputedb {imputedb.__version__}, DuckDB {duckdb.__version__}"
    write(summary(rows), given.out, f"{spent:.0f} minutes of one core ({platform.machine()}); {versions}.")


if __name__ == "__main__":
    main()
