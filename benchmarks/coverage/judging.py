"""What replications say of each cell: coverage, whether it passes, how wide, and whether the answer warned."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.coverage.study import ABOUT

FLOOR = 0.93
SIGNIFICANCE = 0.01
ENOUGH = 0.9
"""Of the cells that pass; the coverage too below which a cell must carry a warning."""
OVER = 0.98
CARRIED = 0.5
"""Of the replications that warn, for a cell to carry a warning."""
FALSE_ALARMS = 0.1


@dataclass(frozen=True, slots=True)
class Cell:
    """One quantity in one world by one method.

    Attributes:
        world: its number.
        method: its name.
        about: `population` or `answer`.
        quantity: its name.
        replications: with an interval.
        covered: of them, how many intervals held the truth.
        without: replications whose number had no interval.
        bias: mean error.
        spread: standard deviation of the error.
        width: median.
        warned: share of the replications whose report warned of such intervals, of those that asked about them.
    """

    world: int
    method: str
    about: str
    quantity: str
    replications: int
    covered: int
    without: int
    bias: float
    spread: float
    width: float
    warned: float

    @property
    def coverage(self) -> float:
        """Share of the intervals that hold."""
        return self.covered / self.replications

    @property
    def passes(self) -> bool:
        """Whether the coverage is not below 93 %."""
        return passes(self.covered, self.replications)

    @property
    def silent(self) -> bool:
        """Whether the coverage is below 90 % and fewer than half of the replications warn."""
        return self.coverage < ENOUGH and not self.warned >= CARRIED


def passes(covered: int, replications: int) -> bool:
    """Whether so few covered are no surprise at a coverage of 93 %: the exact binomial test, one-sided at 1 %."""
    return bool(stats.binom.cdf(covered, replications, FLOOR) >= SIGNIFICANCE)


def judged(lines: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """The cells of all replications, by world, method, question and quantity."""
    values: dict[tuple[int, str, str, str], list[list[float] | None]] = defaultdict(list)
    warned: dict[tuple[int, str, str], list[bool]] = defaultdict(list)
    for line in lines:
        if "refused" in line:
            continue
        for about in ABOUT:
            if about in line["warnings"]:
                warned[line["world"], line["method"], about].append(bool(line["warnings"][about]))
            for quantity, cell in line[about].items():
                values[line["world"], line["method"], about, quantity].append(cell)
    return [
        _cell(key, [one for one in group if one is not None], group.count(None), _mean(warned[key[:3]]))
        for key, group in values.items()
        if any(one is not None for one in group)
    ]


def _mean(flags: Sequence[bool]) -> float:
    return float(np.mean(flags)) if flags else float("nan")


def _cell(key: tuple[int, str, str, str], there: Sequence[list[float]], without: int, warned: float) -> Cell:
    covers, errors, widths = np.array(there).T
    known = errors[~np.isnan(errors)]
    bias, spread, width = (
        (float(known.mean()), float(known.std()), float(np.nanmedian(widths))) if len(known) else (np.nan,) * 3
    )
    return Cell(*key, len(there), int(covers.sum()), without, bias, spread, width, warned)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a method did about one question.

    Attributes:
        method: its name.
        about: `population` or `answer`.
        cells: how many.
        passing: share of the cells that pass.
        silent: cells below 90 % that do not warn in half of the replications or more.
        below: cells below 90 %.
        alarms: share of the replications that warn, in worlds all of whose cells pass; NaN where there is no such.
        over: cells above 98 %.
        wider: median width of those relative to aipw's of the same world, question and quantity; NaN without any.
    """

    method: str
    about: str
    cells: int
    passing: float
    silent: int
    below: int
    alarms: float
    over: int
    wider: float


def verdicts(cells: Sequence[Cell]) -> list[Verdict]:
    """A verdict for each method and question."""
    widths = {(c.world, c.about, c.quantity): c.width for c in cells if c.method == "aipw"}
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.method, cell.about].append(cell)
    return [_verdict(key, group, widths) for key, group in groups.items()]


def _verdict(key: tuple[str, str], cells: Sequence[Cell], widths: Mapping[Any, float]) -> Verdict:
    below = [cell for cell in cells if cell.coverage < ENOUGH]
    silent = sum(cell.silent for cell in cells)
    spoilt = {cell.world for cell in cells if not cell.passes}
    alarms = {cell.world: cell.warned for cell in cells if cell.world not in spoilt and not np.isnan(cell.warned)}
    over = [cell for cell in cells if cell.coverage > OVER]
    ratios = [
        cell.width / widths[place] for cell in over if (place := (cell.world, cell.about, cell.quantity)) in widths
    ]
    return Verdict(
        *key,
        len(cells),
        float(np.mean([cell.passes for cell in cells])),
        silent,
        len(below),
        float(np.mean(list(alarms.values()))) if alarms else float("nan"),
        len(over),
        float(np.median(ratios)) if ratios else float("nan"),
    )
