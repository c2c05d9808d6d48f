"""Pictures of missingness before imputation: matrix, bars, correlation, dendrogram, sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imputedb.diagnostics.missing import Flags, pattern_table
from imputedb.diagnostics.pictures import IMPUTED, OBSERVED, blank, legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 500
"""Rows of the matrix: of more, every so many-th is drawn."""

MOST_SETS = 20
"""Sets of columns that are missing together, the most frequent ones."""

NAMED = 60
"""Columns whose names are written; of more, every so many-th."""


def pictures(missing: Flags, names: Sequence[str], table: str) -> dict[str, Figure]:
    """The pictures of (n, c) flags by name: `matrix` and `bars`; the others need two incomplete columns."""
    found = {"matrix": matrix(missing, names, table), "bars": bars(missing, names, table)}
    some = np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0))
    if len(some) > 1:
        part, called = missing[:, some], [names[int(place)] for place in some]
        found |= {"correlation": correlation(part, called), "dendrogram": dendrogram(part, called)}
    if missing.any():
        found["sets"] = sets(missing, names)
    return found


def matrix(missing: Flags, names: Sequence[str], table: str) -> Figure:
    """Rows in stored order from top to bottom, columns side by side: blue is observed, red is missing."""
    from matplotlib.colors import ListedColormap

    step = max(1, -(-len(missing) // MOST_ROWS))
    figure = blank(min(16.0, max(4.5, 2.2 + 0.42 * len(names))), 5.2)
    axes = figure.subplots()
    colours = ListedColormap([OBSERVED, IMPUTED])
    axes.imshow(missing[::step], aspect="auto", cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    for edge in range(1, len(names)):
        axes.axvline(edge - 0.5, color="white", linewidth=0.8)
    _named(axes, names)
    last = len(missing[::step]) - 1
    axes.set_yticks([0, last] if last > 0 else [0], ["1", f"{len(missing):,}"] if last > 0 else ["1"])
    axes.set_ylabel("row" + (f" (one in {step:,} is drawn)" if step > 1 else ""))
    axes.set_xlabel(f"{legible(table)}: {missing.mean() if missing.size else 0:.1%} of the cells are missing")
    axes.spines[:].set_visible(False)
    return figure


def bars(missing: Flags, names: Sequence[str], table: str) -> Figure:
    """The share of missing values of each column, the largest first."""
    shares = missing.mean(axis=0) if len(missing) else np.zeros(len(names))
    order = np.argsort(-shares, kind="stable")
    figure = blank(6.4, 1.2 + 0.24 * min(len(names), 120))
    axes = figure.subplots()
    axes.barh(range(len(names)), np.ones(len(names)), color=OBSERVED, height=0.72)
    axes.barh(range(len(names)), shares[order], color=IMPUTED, height=0.72)
    axes.set_yticks(range(len(names)), [legible(names[place]) for place in order], fontsize=8)
    for y, place in enumerate(order):
        axes.annotate(f"{shares[place]:.1%}", (1.01, y), fontsize=8, va="center", annotation_clip=False)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6), title=f"{legible(table)}: share missing (red)")
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    return figure


def correlation(missing: Flags, names: Sequence[str]) -> Figure:
    """Correlations between columns' missingness: red for missing together, blue for one without the other."""
    from matplotlib.colors import LinearSegmentedColormap

    values = np.corrcoef(missing.astype(np.float64), rowvar=False)
    side = min(15.0, 2.4 + 0.46 * len(names))
    figure = blank(max(side, 4.6), max(side * 0.92, 4.2))
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("together", [OBSERVED, "#ffffff", IMPUTED])
    shown = np.where(np.tri(len(names), k=-1, dtype=bool), values, np.nan)[1:, :-1]
    image = axes.imshow(shown, cmap=colours, vmin=-1, vmax=1)
    if len(names) <= 20:
        for y, x in np.argwhere(~np.isnan(shown)):
            strong = abs(shown[y, x]) > 0.6
            axes.text(
                x, y, f"{shown[y, x]:.1f}", ha="center", va="center", fontsize=7, color="white" if strong else "black"
            )
    _named(axes, names[:-1], below=True)
    some, called = _some(names[1:])
    axes.set_yticks(some, called, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, shrink=0.6)
    bar.set_label("correlation of being missing", fontsize=8)
    return figure


def dendrogram(missing: Flags, names: Sequence[str]) -> Figure:
    """A dendrogram of columns by missingness: average linkage of one less the correlation of their flags."""
    from scipy.cluster.hierarchy import dendrogram as drawn
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    apart = 1 - np.corrcoef(missing.astype(np.float64), rowvar=False)
    apart = np.clip((apart + apart.T) / 2, 0, 2)
    np.fill_diagonal(apart, 0)
    figure = blank(6.4, 1.4 + 0.24 * len(names))
    axes = figure.subplots()
    drawn(
        linkage(squareform(apart, checks=False), "average"), orientation="right", ax=axes, no_labels=False,
        labels=[legible(name) for name in names], color_threshold=0, above_threshold_color=OBSERVED, leaf_font_size=8,
    )  # fmt: skip
    axes.set_xlabel("1 - correlation of being missing", fontsize=9)
    highest = max(float(apart.max()), 0.1)
    axes.set_xlim(left=1.04 * highest, right=-0.02 * highest)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def sets(missing: Flags, names: Sequence[str]) -> Figure:
    """An UpSet plot: numbers of rows in which exactly a set of columns is missing, with the sets as dots below."""
    table = pattern_table(missing, names)
    some = [place for place in np.argsort(-table.rows, kind="stable") if table.lacking[place]]
    shown, absent = some[:MOST_SETS], np.flatnonzero((~table.observed[some]).any(axis=0))
    figure = blank(2.6 + 0.36 * len(shown), 2.6 + 0.24 * len(absent))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, max(0.24 * len(absent), 0.6)])
    counts: NDArray[np.int64] = table.rows[shown]
    above.bar(range(len(shown)), counts, color=IMPUTED, width=0.7)
    for x, count in enumerate(counts):
        above.annotate(
            f"{count:,}", (x, count), (0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=7,
            rotation=90 if len(shown) > 10 else 0,
        )  # fmt: skip
    above.set_ylabel("rows")
    above.margins(y=0.22)
    above.spines[["top", "right"]].set_visible(False)
    above.tick_params(axis="x", length=0)
    for y, column in enumerate(absent):
        below.plot(range(len(shown)), [y] * len(shown), "o", color="#dddddd", markersize=5)
        mine = [x for x, place in enumerate(shown) if not table.observed[place, column]]
        below.plot(mine, [y] * len(mine), "o", color=IMPUTED, markersize=6)
    for x, place in enumerate(shown):
        ends = [y for y, column in enumerate(absent) if not table.observed[place, column]]
        below.plot([x, x], [min(ends), max(ends)], color=IMPUTED, linewidth=1.2)
    below.set_yticks(range(len(absent)), [legible(table.columns[column]) for column in absent], fontsize=8)
    below.set_xticks([])
    below.set_ylim(len(absent) - 0.4, -0.6)
    hidden = len(some) - len(shown)
    below.set_xlabel("missing together, and nothing else" + (f" ({hidden:,} rarer sets not shown)" if hidden else ""))
    below.tick_params(length=0)
    below.spines[:].set_visible(False)
    return figure


def _some(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """The positions that are labelled, and their names."""
    step = max(1, -(-len(names) // NAMED))
    places = list(range(0, len(names), step))
    return places, [legible(names[place]) for place in places]


def _named(axes: Axes, names: Sequence[str], *, below: bool = False) -> None:
    places, called = _some(names)
    axes.set_xticks(places, called, rotation=90 if len(called) > 15 else 45, fontsize=8)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("center" if len(called) > 15 else "right" if below else "left")
        label.set_rotation_mode("default" if len(called) > 15 else "anchor")
    if not below:
        axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0)
