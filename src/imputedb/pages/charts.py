"""Charts as ECharts options: observed values are blue, imputed values are red and differ in shape too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imputedb.markup import IMPUTED, OBSERVED
from imputedb.planning.frontier import Frontier

GREY = "#7d8791"
"""The colour of axes and their labels, readable on white and on black."""


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return {
        "name": title,
        "nameLocation": "middle",
        "nameGap": 30,
        "nameTextStyle": {"color": GREY},
        "axisLabel": {"color": GREY, "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": GREY}, "onZero": False},
        "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.2}},
        "scale": True,
        **more,
    }


def base(x: str, y: str, *, y_gap: int = 44, **more: Any) -> dict[str, Any]:
    """The common options of charts: two titled axes, margins, and a description for screen readers."""
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 62, "right": 18, "top": 34, "bottom": 46},
        "xAxis": _axis(x, type="value"),
        "yAxis": _axis(y, type="value", nameGap=y_gap),
        "tooltip": {"trigger": "item", "confine": True},
        **more,
    }


def frontier(plans: Frontier, chosen: int) -> dict[str, Any]:
    """Time over penalty with one point for each plan; the chosen plan is larger."""
    points = list(plans)
    data = [
        {
            "value": [round(point.plan.time, 3), round(point.plan.penalty, 4)],
            "name": f"plan {number + 1}",
            "symbolSize": 16 if number == chosen else 10,
            "itemStyle": {"color": IMPUTED if number == chosen else OBSERVED},
        }
        for number, point in enumerate(points)
    ]
    return base(
        "estimated time (ms)",
        "penalty",
        series=[
            {
                "type": "line",
                "step": "start",
                "data": data,
                "symbol": "circle",
                "lineStyle": {"color": OBSERVED},
                "cursor": "pointer",
            }
        ],
    )


def numbers(values: Sequence[float], places: int = 4) -> list[float]:
    """Numbers rounded for a chart."""
    return [round(float(one), places) for one in values]


def lines(
    x: str, y: str, drawn: Sequence[tuple[str, Sequence[tuple[float, float]], bool]], marks: Sequence[float] = ()
) -> dict[str, Any]:
    """Lines over two axes: observed ones thick and blue, imputed ones thin, red and dashed.

    Args:
        x: title of the axis.
        y: likewise.
        drawn: name, points, and whether the values are imputed.
        marks: highlighted positions on the x axis.
    """
    series = [
        {
            "type": "line",
            "name": name,
            "data": [numbers(point, 6) for point in points],
            "symbol": "none",
            "lineStyle": {
                "color": IMPUTED if imputed else OBSERVED,
                "width": 1.2 if imputed else 3,
                "type": "dashed" if imputed else "solid",
            },
            "itemStyle": {"color": IMPUTED if imputed else OBSERVED},
        }
        for name, points, imputed in drawn
    ]
    if series and marks:
        series[0]["markLine"] = {
            "symbol": "none",
            "lineStyle": {"color": GREY, "type": "dotted", "width": 2},
            "label": {"show": False},
            "data": [{"xAxis": float(one)} for one in marks],
        }
    return base(x, y, series=series)


_STRIPES = {
    "symbol": "rect",
    "color": "rgba(255,255,255,.55)",
    "dashArrayX": [1, 0],
    "dashArrayY": [3, 3],
    "rotation": 0.8,
}


def shares(names: Sequence[str], observed: Sequence[float], imputed: Sequence[float]) -> dict[str, Any]:
    """Shares of categories: observed ones beside imputed ones, which are striped."""
    found = base("", "share")
    found["xAxis"] = {**found["xAxis"], "type": "category", "data": list(names)}
    found["series"] = [
        {"type": "bar", "name": "observed", "data": numbers(observed), "itemStyle": {"color": OBSERVED}},
        {
            "type": "bar",
            "name": "imputed",
            "data": numbers(imputed),
            "itemStyle": {"color": IMPUTED, "decal": _STRIPES},
        },
    ]
    return found


def points(x: str, y: str, named: Sequence[tuple[str, float, float]]) -> dict[str, Any]:
    """Points with names, which are shown where there is room."""
    middle = (min(one[1] for one in named) + max(one[1] for one in named)) / 2 if named else 0.0
    data = [
        {"name": name, "value": numbers((a, b)), "label": {"position": "left" if a > middle else "right"}}
        for name, a, b in named
    ]
    label = {"show": True, "formatter": "{b}", "position": "right", "color": GREY, "fontSize": 11}
    found = base(
        x,
        y,
        series=[
            {
                "type": "scatter",
                "data": data,
                "symbolSize": 10,
                "itemStyle": {"color": OBSERVED},
                "label": label,
                "labelLayout": {"hideOverlap": True},
            }
        ],
    )
    found["grid"]["right"] = 30
    return found


def band(
    x: str, y: str, swept: Sequence[tuple[float, float, float, float]], value: float, tips: Sequence[float]
) -> dict[str, Any]:
    """An estimate over the size of a departure from missing at random, with its interval and tipping points.

    Args:
        x: title of the axis.
        y: likewise.
        swept: size, estimate, low and high of each step.
        value: value that the interval is compared with.
        tips: sizes at which the interval starts or ceases to contain the value.
    """
    drawn = [("estimate", [(one[0], one[1]) for one in swept], False)]
    drawn += [(name, [(one[0], one[place]) for one in swept], True) for name, place in (("low", 2), ("high", 3))]
    found = lines(x, y, drawn, tips)
    found["series"].append(
        {
            "type": "line",
            "name": f"{value:g}",
            "data": [numbers((one[0], value), 6) for one in swept],
            "symbol": "none",
            "lineStyle": {"color": GREY, "width": 1},
        }
    )
    return found
