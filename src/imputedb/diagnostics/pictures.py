"""Pictures of missingness and imputations: observed is blue, missing or imputed is red, as in mice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imputedb.diagnostics.missing import Flux, PatternTable
from imputedb.diagnostics.overimputation import Overimputed
from imputedb.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

Vector = NDArray[np.float64]
OBSERVED, IMPUTED, QUIET = "#2f6fb2", "#c8384e", "#8a8a8a"
SHOWN_PATTERNS = 30


def blank(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, without a window.

    Raises:
        DataError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DataError("pictures need matplotlib: pip install 'imputedb[plot]'") from error
    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def legible(name: str) -> str:
    """A name without formulas and control characters, and a placeholder for an empty one."""
    plain = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in name)
    return plain.replace("$", r"\$") or '""'


def pattern_map(table: PatternTable) -> Figure:
    """Patterns of missingness as rows of squares, the most frequent first; rows at the left, missing counts below."""
    order = np.argsort(-table.rows, kind="stable")[:SHOWN_PATTERNS]
    count, width = len(order), len(table.columns)
    figure = blank(1.9 + 0.55 * width, 1.6 + 0.26 * count)
    axes = figure.subplots()
    for y, place in enumerate(order):
        for x in range(width):
            colour = OBSERVED if table.observed[place, x] else IMPUTED
            axes.add_patch(_square(x, y, colour))
    axes.set(xlim=(-0.5, width - 0.5), ylim=(count - 0.5, -0.5))
    axes.set_xticks(range(width), [f"{n:,}" for n in table.missing])
    axes.set_yticks(range(count), [f"{table.rows[place]:,}" for place in order])
    top = axes.secondary_xaxis("top")
    top.set_xticks(range(width), [legible(name) for name in table.columns], rotation=60, ha="left")
    axes.set_xlabel("missing values")
    hidden = len(table.rows) - count
    axes.set_ylabel("rows" + (f" ({hidden:,} rarer patterns not shown)" if hidden else ""))
    for frame in (axes, top):
        frame.tick_params(length=0)
        frame.spines[:].set_visible(False)
    return figure


def _square(x: float, y: float, colour: str) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, color=colour, linewidth=0)


def flux_plot(flux: Mapping[str, Flux]) -> Figure:
    """Outflux against influx: columns at the upper left predict others, those at the lower right need predictors."""
    figure = blank(5.2, 4.8)
    axes = figure.subplots()
    axes.plot([0, 1], [1, 0], color=QUIET, linewidth=0.8, linestyle=":")
    together: dict[tuple[float, float], list[str]] = {}
    for name, one in flux.items():
        together.setdefault((round(one.influx, 2), round(one.outflux, 2)), []).append(name)
    for (x, y), names in together.items():
        axes.plot(x, y, "o", color=OBSERVED if x == 0 else IMPUTED, markersize=5)
        left = x > 0.75
        side, away = ("right", -6) if left else ("left", 6)
        axes.annotate(
            ", ".join(map(legible, names)), (x, y), (away, 4), textcoords="offset points", ha=side, fontsize=8
        )
    axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.08), xlabel="influx: others are known where it is missing")
    axes.set_ylabel("outflux: it is known where others are missing")
    _bare(axes)
    return figure


def densities(columns: Mapping[str, tuple[Sequence[object] | Vector, Sequence[Sequence[object] | Vector]]]) -> Figure:
    """The distributions of observed and imputed values by column: densities of numbers, shares of categories.

    Args:
        columns: by name, the observed values, and the imputed values of each draw.
    """
    figure, places = _grid(len(columns), 3.4, 2.5)
    for axes, (name, (observed, draws)) in zip(places, columns.items(), strict=False):
        if np.asarray(observed).dtype.kind in "fiu":
            _density(axes, np.asarray(observed, np.float64), [np.asarray(d, np.float64) for d in draws])
        else:
            _shares(axes, [str(v) for v in observed], [[str(v) for v in draw] for draw in draws])
        axes.set_title(legible(name), fontsize=10)
        _bare(axes)
    _key(figure, "observed", "imputed, a line a draw")
    return figure


def _density(axes: Axes, observed: Vector, draws: Sequence[Vector]) -> None:
    every = np.concatenate([observed, *draws])
    low, high = float(every.min()), float(every.max())
    margin = 0.08 * (high - low or 1.0)
    grid = np.linspace(low - margin, high + margin, 256)
    for draw in draws:
        axes.plot(grid, _kernel(draw, grid), color=IMPUTED, linewidth=0.7, alpha=0.55)
    axes.plot(grid, _kernel(observed, grid), color=OBSERVED, linewidth=2)
    axes.set_yticks([])


def _kernel(values: Vector, grid: Vector) -> Vector:
    """A Gaussian kernel density by Silverman's rule, on at most 5,000 evenly spaced order statistics."""
    if len(values) < 2:
        return np.zeros_like(grid)
    ranked = np.sort(values)[:: max(1, len(values) // 5000)]
    quartiles = np.subtract(*np.percentile(ranked, [75, 25])) / 1.34
    spread = min(s for s in (ranked.std(), quartiles, np.inf) if s > 0) if ranked.std() > 0 else 1.0
    width = max(0.9 * spread * len(ranked) ** -0.2, (grid[1] - grid[0]))
    z = (grid[:, None] - ranked) / width
    return np.asarray(np.exp(-0.5 * z**2).sum(axis=1) / (len(ranked) * width * np.sqrt(2 * np.pi)))


def _shares(axes: Axes, observed: Sequence[str], draws: Sequence[Sequence[str]]) -> None:
    levels = sorted(set(observed), key=lambda level: -observed.count(level))[:12]
    y = np.arange(len(levels))
    axes.barh(y - 0.2, [observed.count(level) / len(observed) for level in levels], 0.36, color=OBSERVED)
    for draw in draws:
        shares = [list(draw).count(level) / max(len(draw), 1) for level in levels]
        axes.plot(shares, y + 0.2, "|", color=IMPUTED, markersize=9, alpha=0.7)
    axes.set_yticks(y, [legible(level) for level in levels], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(left=0)


def traces(chains: Mapping[str, NDArray[np.float64]], rhat: Mapping[str, float | None]) -> Figure:
    """Trace plots: the mean of imputed values by cycle, one line for each draw. Converged chains mix and have no trend.

    Args:
        chains: by column, (iterations, m) means.
        rhat: R-hat by column.
    """
    figure, places = _grid(len(chains), 3.4, 2.2)
    for axes, (name, values) in zip(places, chains.items(), strict=False):
        axes.plot(np.arange(1, len(values) + 1), values, linewidth=0.8, alpha=0.8)
        statistic = rhat.get(name)
        axes.set_title(legible(name) + ("" if statistic is None else f"   R-hat {statistic:.3f}"), fontsize=10)
        axes.set_xlabel("cycle", fontsize=8)
        _bare(axes)
    return figure


def overimputed_plot(found: Mapping[str, Overimputed]) -> Figure:
    """Imputed means and intervals of hidden cells against their true values; right ones are on the diagonal."""
    shown = {name: one for name, one in found.items() if one.numeric and len(one.truth)}
    figure, places = _grid(len(shown), 3.4, 3.2)
    for axes, (name, one) in zip(places, shown.items(), strict=False):
        some = np.arange(len(one.truth))[:: max(1, len(one.truth) // 250)]
        for held, colour in ((True, OBSERVED), (False, IMPUTED)):
            mine = some[one.covered[some] == held]
            axes.errorbar(
                one.truth[mine], one.mean[mine], one.half[mine], fmt="o", color=colour, markersize=2, linewidth=0.5
            )
        ends = [float(one.truth.min()), float(one.truth.max())]
        axes.plot(ends, ends, color=QUIET, linewidth=0.8)
        axes.set_title(f"{legible(name)}   {one.coverage:.0%} of {one.level:.0%} intervals hold", fontsize=9)
        axes.set(xlabel="true value", ylabel="imputed")
        _bare(axes)
    return figure


def _grid(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    across = min(max(count, 1), 3)
    down = -(-max(count, 1) // across)
    figure = blank(width * across, height * down + 0.3)
    places = list(np.ravel(figure.subplots(down, across, squeeze=False)))
    for empty in places[count:]:
        empty.set_axis_off()
    return figure, places


def _key(figure: Figure, observed: str, imputed: str) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=OBSERVED, linewidth=2), Line2D([], [], color=IMPUTED, linewidth=1)]
    figure.legend(lines, [observed, imputed], loc="outside lower center", ncols=2, frameon=False, fontsize=9)


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


Drawn = Mapping[tuple[str, str], tuple[float, float, float]]
"""By group and label an estimate, NaN for none, and both ends of its interval."""


def forest(numbers: Mapping[str, Drawn]) -> Figure:
    """A forest plot with one panel for each number: an interval and an estimate for each label, by group.

    A dotted line marks the first estimate of each group. Bounds, which have no estimate, are thin and grey.

    Args:
        numbers: intervals and estimates by name.
    """
    rows = list(dict.fromkeys(key for lines in numbers.values() for key in lines))
    groups = list(dict.fromkeys(group for group, _ in rows))
    place = {key: y + 0.6 * groups.index(key[0]) for y, key in enumerate(rows)}
    figure = blank(1.8 + 3.2 * max(len(numbers), 1), 1.0 + 0.27 * (len(rows) + 0.6 * len(groups)))
    panels = np.atleast_1d(figure.subplots(1, max(len(numbers), 1), sharey=True))
    for axes, (name, lines) in zip(panels, numbers.items(), strict=False):
        for key, line in lines.items():
            _ranged(axes, place[key], line)
        for group in groups:
            mine = {place[key]: line[0] for key, line in lines.items() if key[0] == group}
            first = next((estimate for estimate in mine.values() if not np.isnan(estimate)), None)
            if first is not None:
                axes.plot([first] * 2, [min(mine) - 0.4, max(mine) + 0.4], ":", color=QUIET, linewidth=0.9, zorder=0)
        axes.set_title(legible(name), fontsize=10)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[0].set_yticks(list(place.values()), [legible(_label(group, label)) for group, label in rows], fontsize=9)
    panels[0].set_ylim(max(place.values(), default=0) + 0.6, -0.6)
    return figure


def _ranged(axes: Axes, y: float, line: tuple[float, float, float]) -> None:
    estimate, low, high = line
    if np.isnan(estimate):
        axes.plot([low, high], [y, y], color=QUIET, linewidth=1.0, marker="|", markersize=6)
        return
    axes.plot([low, high], [y, y], color=OBSERVED, linewidth=1.8, solid_capstyle="butt")
    axes.plot([estimate], [y], "o", color=IMPUTED, markersize=4.5)


def _label(group: str, label: str) -> str:
    return f"{group}:  {label}" if group else label


def departures(
    numbers: Mapping[str, Sequence[tuple[float, float, float, float]]],
    tipping: Mapping[str, Sequence[float]],
    value: float,
    label: str,
) -> Figure:
    """One panel for each number: estimate and interval over the size of a departure; tipping points are red.

    Args:
        numbers: by name the size, the estimate and both ends of its interval, by ascending size.
        tipping: by name the sizes at which the interval starts or ceases to contain the value.
        value: value that is drawn as a line.
        label: label of the axis of sizes.
    """
    figure, places = _grid(len(numbers), 3.6, 2.6)
    for axes, (name, points) in zip(places, numbers.items(), strict=False):
        sizes, estimates, lows, highs = np.array(points, np.float64).T
        axes.fill_between(sizes, lows, highs, color=OBSERVED, alpha=0.18, linewidth=0)
        axes.plot(sizes, estimates, "o-", color=OBSERVED, markersize=3.5, linewidth=1.3)
        axes.axhline(value, color=QUIET, linewidth=0.9)
        for tip in tipping.get(name, ()):
            axes.axvline(tip, color=IMPUTED, linewidth=1.0, linestyle="--")
            axes.annotate(
                f"{tip:.3g}", (tip, 0.98), xycoords=axes.get_xaxis_transform(), xytext=(3, 0),
                textcoords="offset points", fontsize=8, color=IMPUTED, va="top",
            )  # fmt: skip
        axes.set_title(legible(name), fontsize=10)
        _bare(axes)
        axes.yaxis.set_visible(True)
    figure.supxlabel(legible(label), fontsize=8)
    return figure
