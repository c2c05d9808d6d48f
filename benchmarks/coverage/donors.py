"""Where only y is missing: how often intervals by donors hold, and how often they are foretold not to.

python -m benchmarks.coverage.donors                       70 samples of each world
python -m benchmarks.coverage.donors --replications 0      nothing but the report

Imputers are run by themselves, so that a replication takes a tenth of a second where one of the grid takes two.
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.coverage.design import DISTRIBUTIONS, World
from benchmarks.coverage.study import ABOUT, Line, append, recovered
from benchmarks.coverage.tables import THRESHOLDS, Table, complete, holes
from imputedb.algebra.column import Column
from imputedb.imputers.doubts import doubts
from imputedb.imputers.registry import IMPUTERS
from imputedb.imputers.rows import Cells, Rows
from imputedb.inference.rubin import pooled
from imputedb.statistics.table import Kind

Vector = NDArray[np.float64]

IMPUTED_BY = ("pmm", "pmmboot", "tree")
DRAWS = 20
Y = Column("t", "y")
WORLDS = tuple(
    World(0, distribution, rows, "1:1", "apart", mechanism)
    for distribution, rows, mechanism in (
        ("normal", 50, "MAR 30 %"), ("normal", 200, "MCAR 30 %"), ("normal", 1000, "MCAR 30 %"),
        ("normal", 1000, "MAR 30 %"), ("lognormal", 200, "MAR 50 %"), ("lognormal", 1000, "MCAR 30 %"),
        ("lognormal", 1000, "MAR 30 %"), ("heavy-tailed", 200, "MCAR 30 %"), ("heavy-tailed", 200, "MAR 50 %"),
        ("heavy-tailed", 1000, "MAR 30 %"), ("zero-inflated", 200, "MAR 30 %"), ("U-shaped", 200, "MCAR 30 %"),
        ("U-shaped", 200, "MAR 30 %"), ("U-shaped", 1000, "MAR 30 %"), ("interactions", 200, "MCAR 30 %"),
        ("rare binary", 1000, "MAR 30 %"), ("ordinal", 1000, "MAR 30 %"),
    )
)  # fmt: skip


def titled(world: World) -> str:
    """What a world is called."""
    return f"{world.distribution}, n = {world.rows:,}, {world.mechanism}"


def numbers(t: Table, y: Vector, threshold: float) -> dict[str, tuple[float, float]]:
    """By name a number of a complete table and its variance, NaN where none is worked out."""
    n, x, c = len(y), t["x"], t["c"]
    away, spread = x - x.mean(), float(((x - x.mean()) ** 2).sum())
    slope = float(away @ y) / spread
    left = away * (y - y.mean() - slope * away)
    z, u = away / away.std(), (y - y.mean()) / max(float(y.std()), 1e-300)
    correlation = float((z * u).mean())
    influence = z * u - correlation / 2 * (z**2 + u**2)
    share, here, there = float((y > threshold).mean()), y[c == "r"], y[c == "p"]
    group, other = (float(one.var(ddof=1)) / len(one) for one in (here, there))
    return {
        "AVG": (float(y.mean()), float(y.var(ddof=1)) / n),
        "share": (share, share * (1 - share) / n),
        "quantile": (float(np.quantile(y, 0.75)), np.nan),
        "slope": (slope, float(left @ left) / spread**2 * n / (n - 2)),
        "CORR": (correlation, float(influence @ influence) / n**2),
        "group": (float(here.mean()), group),
        "difference": (float(here.mean() - there.mean()), group + other),
    }


def replicated(world: World, replication: int, truth: Mapping[str, float]) -> list[Line]:
    """The lines of one sample, one an imputer: what holds, of the answer and of a population, and what is said."""
    rng = np.random.default_rng([DISTRIBUTIONS.index(world.distribution), world.rows, 0, replication])
    t, _ = complete(world, rng)
    gone = holes(world, t, rng)["y"]
    rows, threshold = _rows(t, gone), THRESHOLDS[world.distribution]
    answers = {name: value for name, (value, _) in numbers(t, t["y"], threshold).items()}
    return [_line(world, replication, name, rows, t, {"population": truth, "answer": answers}) for name in IMPUTED_BY]


def _line(
    world: World, replication: int, name: str, rows: Rows, t: Table, truths: Mapping[str, Mapping[str, float]]
) -> Line:
    imputer, gone, threshold = IMPUTERS[name](), rows.columns[Y].missing, THRESHOLDS[world.distribution]
    ready, drawn = imputer.prepared(rows, [Y]), []  # type: ignore[attr-defined]
    for values in ready.run_many(replication, range(1, DRAWS + 1)):
        y = t["y"].copy()
        y[gone] = values[Y]
        drawn.append(numbers(t, y, threshold))
    said = doubts(imputer, rows, [Y])
    return {
        "world": titled(world),
        "replication": replication,
        "imputer": name,
        "holds": {about: _holds(drawn, truths[about], about, world.rows) for about in ABOUT},
        "told": {about: sorted({one.kind.name for one in said if one.question in (None, about)}) for about in ABOUT},
    }


def _holds(
    drawn: Sequence[Mapping[str, tuple[float, float]]], truth: Mapping[str, float], about: str, rows: int
) -> Any:
    found = {}
    for name, true in truth.items():
        values, variances = np.array([one[name] for one in drawn]).T
        within = variances if about == "population" else np.zeros(DRAWS)
        if not np.isnan(within).any():
            one = pooled(values, within, rows - 2)
            reach = float(stats.t.ppf(0.975, one.df if about == "population" else DRAWS - 1)) * one.se
            found[name] = int(abs(one.estimate - true) <= reach)
    return found


def _rows(t: Table, gone: NDArray[np.bool_]) -> Rows:
    n, none = len(gone), np.zeros(len(gone), bool)
    code = np.searchsorted(["p", "q", "r"], t["c"].astype(str)).astype(np.int64)
    cells = {name: Cells(t[name], none, Kind.NUMBER) for name in ("a", "x")}
    cells |= {"c": Cells(code, none, Kind.CATEGORY, ("p", "q", "r")), "y": Cells(t["y"], gone, Kind.NUMBER)}
    return Rows({Column("t", name): one for name, one in cells.items()}, np.arange(n, dtype=np.uint64))


def _truth(world: World) -> Mapping[str, float]:
    large = World(0, world.distribution, 1_000_000, "1:1", "apart", world.mechanism)
    t, _ = complete(large, np.random.default_rng([7, 1]))
    return {name: value for name, (value, _) in numbers(t, t["y"], THRESHOLDS[world.distribution]).items()}


def report(lines: Sequence[Line]) -> str:
    """A table: of each world, imputer and question the worst and the mean quantity, and how often it was told of."""
    groups: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        groups[line["world"], line["imputer"]].append(line)
    counts = [len(group) for group in groups.values()]
    out = [
        "# Intervals by donors, where only y is missing\n",
        f"{min(counts)} to {max(counts)} samples of each world, {DRAWS} draws; Monte Carlo error of one quantity some "
        "3 points. Covered: the worst and the mean of up to seven quantities (mean, share, quartile, slope, "
        "correlation, a group's mean, a difference of groups), in %. Told: share of the samples of which something is "
        "said of such intervals before anything is drawn. `python -m benchmarks.coverage.donors`.\n",
        "| world | by | answer: worst | mean | told | population: worst | mean | told |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (world, imputer), group in groups.items():
        cells = [_cells(group, about) for about in ("answer", "population")]
        out.append(f"| {world} | `{imputer}` | {' | '.join(cells)} |")
    return "\n".join(out) + "\n"


def _cells(group: Sequence[Line], about: str) -> str:
    names = group[0]["holds"][about]
    covered = [100 * np.mean([one["holds"][about][name] for one in group]) for name in names]
    told = np.mean([bool(one["told"][about]) for one in group])
    return f"{min(covered):.0f} | {np.mean(covered):.0f} | {told:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.coverage.donors", description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=70, help="a world")
    parser.add_argument("--rows", type=Path, default=Path(tempfile.gettempdir()) / "imputedb_donors.jsonl",
                        help="the file of replications; taken up where it stops")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results" / "coverage_donors.md")
    given = parser.parse_args()
    done = {(line["world"], line["replication"]) for line in recovered(given.rows)}
    truths: dict[str, Mapping[str, float]] = {}
    for replication in range(given.replications):
        for world in WORLDS:
            if (titled(world), replication) not in done:
                truth = truths.setdefault(world.distribution, {}) or _truth(world)
                truths[world.distribution] = truth
                append(given.rows, replicated(world, replication, truth))
    given.out.write_text(report(recovered(given.rows)))


if __name__ == "__main__":
    main()
