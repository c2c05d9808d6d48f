"""What the paper could not show: how wrong answers are, where the truth is known because it was hidden."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from benchmarks.paper import asking, charts, worlds
from benchmarks.paper.asking import SETTINGS
from benchmarks.paper.cases import Case, Table, real
from benchmarks.paper.comparing import Key, compared, error, groups
from benchmarks.paper.grid import Cell, Grid
from benchmarks.paper.hiding import MECHANISMS, STRENGTH, Mechanism, hidden
from benchmarks.paper.inputs import BASE
from benchmarks.paper.part import Absent, Data, Part, Setting
from imputedb.engines.duckdb import load
from imputedb.engines.duckdb.engine import DuckDB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLAIN = "complete cases"
CONTROL = "independent"
"""The generated data in which there is nothing to learn: shown, and no part of the target."""

ABOUT = (
    "Complete data, of which values are hidden: the rows of each real table that have all that a query reads "
    "(and the further columns that at least 90 % of these have), the same with integers that name things "
    "(countries, degrees) as text, and generated tables whose dependence is linear, curved, or none at all. "
    "Hidden are the columns that the query examines and that are incomplete in reality (generated: income, "
    "education, region, pressure), 10, 30 or 50 % of each: by chance (MCAR), with odds that grow by a factor of "
    f"{np.exp(STRENGTH):.1f} for each standard deviation of the complete column that goes most with it (MAR), "
    "or of the value itself (MNAR). The error of an answer against that on the complete data: |a - b| / (|a| + "
    "|b|) in percent, averaged over all groups of either answer by their rows; a lost or invented group is 100 "
    "% wrong. Complete cases: DuckDB on the data with NULLs, its NULL group left out. 'tree, drawn' fills in "
    "one draw from the leaves in place of the prediction, 'tree, 5 draws' pools the answers of five (m=5)."
)

Answer = Mapping[Key, tuple[float, ...]]


def measure(setting: Setting) -> Data:
    """Errors by case, mechanism, rate and method, one for each hiding."""
    cases, absent = _cases(setting)
    found = []
    for done, case in enumerate(cases):
        found += list(_case(case, setting, done, len(cases)))
    return {"hidings": setting.size.hidings, "imputers": list(setting.size.imputers), "absent": absent, "cells": found}


def _cases(setting: Setting) -> tuple[list[Case], str | None]:
    absent = None
    try:
        cases = list(real(setting))
    except Absent as error:
        cases, absent = [], str(error)
    return [*cases, *worlds.generated(setting.size.people, setting.size.worlds)], absent


def methods(names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Every method with its imputer and setting."""
    for name in names:
        for setting in SETTINGS:
            yield method(name, setting), name, setting


def method(imputer: str, setting: str) -> str:
    """The name of a method."""
    return f"{imputer}, base tables" if setting == BASE else f"{imputer}, alpha {setting}"


def _case(case: Case, setting: Setting, done: int, of: int) -> Iterator[dict[str, Any]]:
    engine = DuckDB(":memory:")
    for name, columns in case.tables.items():
        load.register(engine, name, columns, {}, replace=True, kept=False)
    truth = groups(asking.plain(engine, case.sql).rows, 2)
    hidings = [(mechanism, rate) for mechanism in MECHANISMS for rate in setting.size.rates]
    for place, (mechanism, rate) in enumerate(hidings):
        runs = [_hiding(engine, case, truth, mechanism, rate, seed, setting) for seed in range(setting.size.hidings)]
        setting.tell((done + (place + 1) / len(hidings)) / of)
        told = {name: _told([run[name] for run in runs]) for name in runs[0]}
        yield {"case": case.name, "source": case.source, "mechanism": mechanism, "rate": rate, "methods": told}
    engine.session.close()


def _told(runs: Sequence[tuple[float, float | None, int, int] | str]) -> dict[str, Any] | str:
    """The errors of a method's runs, with its mean SMAPE and its lost and invented groups; or why it failed."""
    answered = [run for run in runs if not isinstance(run, str)]
    if len(answered) < len(runs):
        return next(run for run in runs if isinstance(run, str))
    smapes = [smape for _, smape, _, _ in answered if smape is not None]
    return {
        "errors": [round(wrong, 4) for wrong, _, _, _ in answered],
        "smape": round(statistics.fmean(smapes), 4) if smapes else None,
        "lost": round(statistics.fmean(lost for _, _, lost, _ in answered), 2),
        "invented": round(statistics.fmean(invented for _, _, _, invented in answered), 2),
    }


def _hiding(
    engine: DuckDB, case: Case, truth: Answer, mechanism: Mechanism, rate: float, seed: int, setting: Setting
) -> dict[str, tuple[float, float | None, int, int] | str]:
    """Hides values once and answers by every method."""
    for name, columns in case.tables.items():
        if case.drivers[name]:
            masked = _masked(case, name, columns, mechanism, rate, seed)
            load.register(engine, name, masked, {}, replace=True, kept=False)
    found = {PLAIN: _off(groups(asking.plain(engine, case.sql).rows, 2), truth)}
    told: dict[str, tuple[float, float | None, int, int] | str] = dict(found)
    for name, imputer, how in methods(setting.size.imputers):
        try:
            told[name] = _off(groups(asking.ask(engine, case.sql, how, imputer, seed).rows, 2), truth)
        except Exception as error:  # one imputer's failure is a result, and says nothing of the others
            told[name] = f"{type(error).__name__}: {error}"
    return told


def _masked(
    case: Case, name: str, columns: Table, mechanism: Mechanism, rate: float, seed: int
) -> dict[str, np.ma.MaskedArray[Any, Any] | np.ndarray[Any, Any]]:
    """A table with values hidden: the same ones whatever else is measured."""
    out: dict[str, np.ma.MaskedArray[Any, Any] | np.ndarray[Any, Any]] = dict(columns)
    for column, driver in case.drivers[name].items():
        place = crc32(f"{case.source} {case.name} {name}.{column}".encode())
        rng = np.random.default_rng([seed, place, MECHANISMS.index(mechanism)])
        gone = hidden(columns[column], columns[driver], mechanism, rate, rng)
        out[column] = np.ma.masked_array(columns[column], gone)
    return out


def _off(answer: Answer, truth: Answer) -> tuple[float, float | None, int, int]:
    beside = compared(answer, truth)
    return error(answer, truth), beside.smape, beside.lost, beside.invented


def beaten(data: Data, name: str, mechanism: str) -> list[tuple[Mapping[str, Any], bool]]:
    """The cells of a mechanism, and whether a method's mean error is below that of complete cases."""
    return [
        (cell, mean(cell, name) < mean(cell, PLAIN))
        for cell in data["cells"]
        if cell["mechanism"] == mechanism and not isinstance(cell["methods"][name], str)
    ]


def mean(cell: Mapping[str, Any], name: str) -> float:
    """The mean error of a method over the hidings of a case; not a number where it could not answer."""
    told = cell["methods"][name]
    return statistics.fmean(told["errors"]) if not isinstance(told, str) else float("nan")


def tables(data: Data) -> list[Grid]:
    """Methods against complete cases; where alpha 0 loses; the error of every case."""
    return [_scores(data), _sources(data), _losses(data), _errors(data)]


def _scores(data: Data) -> Grid:
    """Each method: how often its error is below that of complete cases, and the median ratio of both."""
    head = ["method"]
    for mechanism in MECHANISMS:
        head += [f"{mechanism}: better, %", f"{mechanism}: median error / complete cases'"]
    rows: list[list[Cell]] = []
    for name, _, _ in methods(data["imputers"]):
        row: list[Cell] = [name]
        for mechanism in MECHANISMS:
            cells = [(cell, won) for cell, won in beaten(data, name, mechanism) if cell["source"] != CONTROL]
            row.append(100 * sum(won for _, won in cells) / len(cells) if cells else None)
            ratios = [mean(cell, name) / max(mean(cell, PLAIN), 1e-9) for cell, _ in cells]
            row.append(statistics.median(ratios) if ratios else None)
        rows.append(row)
    note = f"Cases: a query at a rate, the mean over {data['hidings']} hidings; without the independent world."
    note += "".join(f" Failed: {failure}." for failure in _failures(data))
    return Grid("truth_methods", "Error against complete cases", head, rows, note)


def _failures(data: Data) -> list[str]:
    """Methods that could not answer, each with where and why it first could not."""
    found: dict[str, str] = {}
    for cell in data["cells"]:
        for name, told in cell["methods"].items():
            if isinstance(told, str):
                where = f"{cell['source']} {cell['case']}, {cell['mechanism']} {cell['rate']:g}"
                found.setdefault(name, f"{name} ({where}): {told}")
    return list(found.values())


def _sources(data: Data) -> Grid:
    """Where the data comes from: the share of the cases that alpha 0 wins, by imputer."""
    sources = list(dict.fromkeys(cell["source"] for cell in data["cells"]))
    head = ["imputer at alpha 0", "mechanism", *(f"{source}, %" for source in sources)]
    rows: list[list[Cell]] = []
    for imputer in data["imputers"]:
        for mechanism in MECHANISMS:
            row: list[Cell] = [imputer, mechanism]
            for source in sources:
                cells = [won for cell, won in beaten(data, method(imputer, "0"), mechanism) if cell["source"] == source]
                row.append(100 * sum(cells) / len(cells) if cells else None)
            rows.append(row)
    return Grid("truth_sources", "Cases in which alpha 0 is better than complete cases, by data", head, rows)


def _losses(data: Data) -> Grid:
    """The cases under MAR in which the default imputer at alpha 0 is no better than complete cases."""
    default, head = data["imputers"][0], ["data", "query", "rate", "complete cases"]
    names = [method(imputer, "0") for imputer in data["imputers"]]
    head += [*data["imputers"], "invented groups"]
    rows: list[list[Cell]] = [
        [
            cell["source"],
            cell["case"],
            cell["rate"],
            mean(cell, PLAIN),
            *(mean(cell, name) for name in names),
            cell["methods"][method(default, "0")]["invented"],
        ]
        for cell, won in beaten(data, method(default, "0"), "MAR")
        if not won
    ]
    note = f"Error in percent; the first imputer, {default}, is the default. Invented groups are its."
    return Grid("truth_losses", f"Where alpha 0 loses under MAR: {default}", head, rows, note)


def _errors(data: Data) -> Grid:
    """Every case, with the default imputer at all alphas and every other at alpha 0."""
    first, *others = data["imputers"]
    names = [*(method(first, setting) for setting in SETTINGS), *(method(other, "0") for other in others)]
    head = ["data", "query", "mechanism", "rate", PLAIN, *names]
    rows: list[list[Cell]] = [
        [cell["source"], cell["case"], cell["mechanism"], cell["rate"], *(mean(cell, n) for n in (PLAIN, *names))]
        for cell in data["cells"]
    ]
    return Grid("truth_errors", "Error of every case, in percent", head, rows)


def figure(data: Data) -> Figure:
    """Error of alpha 0 against that of complete cases, a panel for each mechanism, a mark for each case."""
    drawing = charts.blank(11.5, 4.6)
    panels = drawing.subplots(1, len(MECHANISMS), sharex=True, sharey=True)
    shown = [name for name in ("tree", "tree, 5 draws", "pmm") if name in data["imputers"]]
    for axes, mechanism in zip(panels, MECHANISMS, strict=True):
        _panel(axes, data, mechanism, shown)
    panels[0].set_ylabel("error at alpha 0, %")
    charts.key(drawing, {name: ("o", colour) for name, colour in zip(shown, charts.LINES, strict=False)})
    return drawing


def _panel(axes: Axes, data: Data, mechanism: str, shown: Sequence[str]) -> None:
    for colour, imputer in zip(charts.LINES, shown, strict=False):
        cells = [cell for cell, _ in beaten(data, method(imputer, "0"), mechanism) if cell["source"] != CONTROL]
        x, y = ([max(mean(cell, name), 0.01) for cell in cells] for name in (PLAIN, method(imputer, "0")))
        axes.plot(x, y, "o", color=colour, markersize=4, alpha=0.75, markeredgewidth=0)
    axes.plot([0.01, 100], [0.01, 100], color=charts.QUIET, linewidth=0.8)
    axes.annotate("better than complete cases", (0.97, 0.04), xycoords="axes fraction", ha="right", fontsize=8)
    axes.set(xscale="log", yscale="log", title=mechanism, xlabel="error of complete cases, %")
    charts.bare(axes)


PART = Part("truth", "Truth: the error of answers", ABOUT, measure, tables, figure)
