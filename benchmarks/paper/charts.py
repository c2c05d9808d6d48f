"""What the report's figures share: their colours, their frames, and how they become files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from imputedb.diagnostics.pictures import blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LINES", "OURS", "QUIET", "THEIRS", "bare", "blank", "drawn", "key"]

OURS, THEIRS, QUIET = "#2f6fb2", "#d1742c", "#8a8a8a"
LINES = ("#2f6fb2", "#d1742c", "#3c8d5a", "#8a5aa8", "#b8a020", "#c8384e", "#5a7d8a", "#8a6a4a", "#404040", "#9ab0c8")
"""Colours of lines that are many."""


def bare(axes: Axes) -> None:
    """Takes away what carries nothing."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.title.set_fontsize(10)
    axes.grid(axis="y", color="#e8e8e8", linewidth=0.6)
    axes.set_axisbelow(True)


def key(figure: Figure, markers: Mapping[str, tuple[str, str]], dash: str = "") -> None:
    """A legend below the figure: markers with their colours, and a dash."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], marker=form, color=colour, linestyle="") for form, colour in markers.values()]
    names = list(markers)
    if dash:
        lines.append(Line2D([], [], marker="_", color=QUIET, linestyle="", markersize=10, markeredgewidth=2))
        names.append(dash)
    figure.legend(lines, names, loc="outside lower center", ncols=min(len(names), 6), frameon=False, fontsize=9)


def drawn(figure: Figure, form: str) -> bytes:
    """The figure as a file of a form, png or svg."""
    image = io.BytesIO()
    figure.savefig(image, format=form)
    return image.getvalue()
