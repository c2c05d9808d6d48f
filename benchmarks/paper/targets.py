"""What was promised of the experiments, and whether it is so: met, or missed and why."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.paper import truth
from benchmarks.paper.asking import DRAWN, SEVERAL
from benchmarks.paper.grid import Cell, Grid
from benchmarks.paper.inputs import BASE
from benchmarks.paper.part import Data

FASTER = {"0": 10.0, "1": 1.5}
"""At least so many times faster than the original, on every query, by alpha."""
SMAPE_QUERIES = 7 / 9
"""Share of the queries whose SMAPE at alpha 0 is at most the paper's."""
BEATEN = 0.9
"""Share of the cases under MAR in which alpha 0 is less wrong than complete cases."""


@dataclass(frozen=True, slots=True)
class Target:
    """A promise beside what was measured.

    Attributes:
        wanted: the promise.
        found: what was measured, in words.
        met: whether it is kept; None where it was not measured.
        reason: of a promise that is not kept, what measuring says of why.
    """

    wanted: str
    found: str
    met: bool | None
    reason: str = ""


def targets(found: Mapping[str, Data]) -> list[Target]:
    """All promises, judged by the parts that were measured."""
    figure5, table5, answers = (found.get(name, {}) for name in ("figure5", "table5", "truth"))
    return [
        *(_faster(figure5, alpha, times) for alpha, times in FASTER.items()),
        _smape(table5, answers),
        _counts(table5),
        _beats(answers),
    ]


def _faster(data: Data, alpha: str, times: float) -> Target:
    wanted = f"alpha {alpha} at least {times:g} times faster than the original on every query"
    queries = [query for query in data.get("queries", ()) if alpha in query["original"]]
    if not queries:
        return Target(wanted, "not measured", None)
    ratios = {query["query"]: query["original"][alpha]["total"] / query[alpha]["total"] for query in queries}
    slow = [query for query in queries if ratios[query["query"]] < times]
    told = (
        f"{min(ratios.values()):.1f} to {max(ratios.values()):.1f} times; {len(queries) - len(slow)} of {len(queries)}"
    )
    return Target(wanted, told, not slow, "; ".join(_slow(query, alpha, ratios[query["query"]]) for query in slow))


def _slow(query: Mapping[str, Any], alpha: str, ratio: float) -> str:
    ours, theirs = query[alpha], query["original"][alpha]["total"]
    return (
        f"query {query['query']}: {ratio:.1f} times, {ours['total']:.1f} ms of which {ours['planning']:.1f} are "
        f"planning, and the original takes {theirs:g}"
    )


def _smape(data: Data, answers: Data) -> Target:
    wanted = "SMAPE at alpha 0 at most the paper's on at least 7 of 9 queries"
    pairs = _pairs(data, "smape")
    if not pairs:
        return Target(wanted, "not measured", None)
    over = {query: pair for query, pair in pairs.items() if round(pair[0], 2) > pair[1]}
    good = len(pairs) - len(over)
    reason = "; ".join(
        f"query {query}: {ours:.2f} against {paper:g}{_beside_truth(answers, query)}"
        for query, (ours, paper) in over.items()
    )
    met = good >= SMAPE_QUERIES * len(pairs)
    if reason:
        reason += "; base tables are no truth: they are completed from a table's own columns, alpha 0 from all at hand"
    return Target(wanted, f"{good} of {len(pairs)}", met, reason)


def _beside_truth(answers: Data, query: int) -> str:
    """The errors of alpha 0 and of base tables on a query, where values were hidden from its tables' complete part."""
    cells = [c for c in answers.get("cells", ()) if (c["source"], c["case"]) == ("real", f"query {query}")]
    if not cells:
        return ""
    names = (truth.method(answers["imputers"][0], setting) for setting in ("0", BASE))
    ours, base = (statistics.fmean(truth.mean(cell, name) for cell in cells) for name in names)
    return f" (error of hidden values' answers: {ours:.2f} % at alpha 0, {base:.2f} % with base tables)"


def _counts(data: Data) -> Target:
    wanted = "count fraction at alpha 0 at least the paper's on all queries"
    pairs = _pairs(data, "count_fraction")
    if not pairs:
        return Target(wanted, "not measured", None)
    under = {query: pair for query, pair in pairs.items() if round(pair[0], 2) < pair[1]}
    reason = "; ".join(f"query {query}: {ours:.3f} against {paper:g}" for query, (ours, paper) in under.items())
    if any(paper > 1 for _, paper in under.values()):
        reason += "; a fraction above 1 is no better than 1: the baseline has 1"
    return Target(wanted, f"{len(pairs) - len(under)} of {len(pairs)}", not under, reason)


def _pairs(data: Data, what: str) -> dict[int, tuple[float, float]]:
    """Ours and the paper's at alpha 0, by query."""
    found = {}
    for query in data.get("queries", ()):
        ours, paper = query["0"][what], query["paper"].get("0", {}).get(what)
        if ours is not None and paper is not None:
            found[query["query"]] = (ours, paper)
    return found


def _beats(data: Data) -> Target:
    wanted = "error at alpha 0 under MAR below that of complete cases in at least 90 % of the cases"
    if not data.get("cells"):
        return Target(wanted, "not measured", None)
    default, *others = data["imputers"]
    cells = _judged(data, default)
    good = sum(won for _, won in cells)
    told = f"{good} of {len(cells)} ({good / len(cells):.0%}), imputer {default}"
    met = good >= BEATEN * len(cells)
    return Target(wanted, told, met, "" if met else "; ".join(_why(data, default, others)))


def _judged(data: Data, imputer: str) -> list[tuple[Mapping[str, Any], bool]]:
    name = truth.method(imputer, "0")
    return [(cell, won) for cell, won in truth.beaten(data, name, "MAR") if cell["source"] != truth.CONTROL]


def _why(data: Data, default: str, others: Sequence[str]) -> Iterator[str]:
    """What measuring says of the cases that are lost."""
    cells = _judged(data, default)
    lost = {_key(cell) for cell, won in cells if not won}
    by = {source: sum(_key(c)[0] == source and not won for c, won in cells) for source in _sources(cells)}
    yield f"{len(lost)} are lost: " + ", ".join(
        f"{count} of the {source} data" for source, count in by.items() if count
    )
    drawing = [name for name in (DRAWN, SEVERAL) if name in others]
    if drawing:
        won = {name: {_key(cell) for cell, good in _judged(data, name) if good} for name in drawing}
        told = " and ".join(f"{len(lost & won[name])} by '{name}'" for name in drawing)
        yield (
            f"of these are won, with the same trees, {told}: a prediction has too little spread, so a filter, a group "
            "or a join on imputed values picks the wrong rows, and it makes codes that no row has"
        )
    if others:
        shares = {other: _share(_judged(data, other)) for other in others}
        best = max(shares, key=lambda other: shares[other])
        yield f"the best imputer, {best}, wins {shares[best]:.0%}"


def _key(cell: Mapping[str, Any]) -> tuple[str, str, float]:
    return cell["source"], cell["case"], cell["rate"]


def _sources(cells: Sequence[tuple[Mapping[str, Any], bool]]) -> list[str]:
    return list(dict.fromkeys(cell["source"] for cell, _ in cells))


def _share(cells: Sequence[tuple[Mapping[str, Any], bool]]) -> float:
    return sum(won for _, won in cells) / len(cells) if cells else 0.0


def grid(found: Sequence[Target]) -> Grid:
    """The promises as a table."""
    words = {True: "met", False: "missed", None: "not measured"}
    rows: list[list[Cell]] = [[one.wanted, words[one.met], one.found, one.reason] for one in found]
    return Grid("targets", "Targets", ["promise", "", "measured", "why"], rows)
