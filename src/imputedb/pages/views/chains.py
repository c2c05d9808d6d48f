"""Trace plots of chains: means of imputed values by cycle, and R-hat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from nicegui import ui

from imputedb.database import Database
from imputedb.imputers.protocol import Progress
from imputedb.pages import charts
from imputedb.pages.frame import View

_DRAWS = 5


@dataclass(frozen=True, slots=True)
class Traces:
    """The chains of one column.

    Attributes:
        means: mean of imputed values after each cycle, by draw; empty where the column has no chain.
        rhat: R-hat; None where it is unknown.
    """

    means: list[list[float]]
    rhat: float | None


def traced(db: Database, table: str, column: str, imputer: str, progress: Progress) -> Traces:
    """The chains of a column, from completed data sets that are discarded."""
    with TemporaryDirectory() as folder:
        run = db.impute(table, Path(folder, "run"), m=_DRAWS, imputer=imputer, progress=progress)
        record = run.manifest["columns"].get(column, {})
    return Traces([list(one) for one in record.get("means") or []], record.get("rhat"))


def chains(view: View, table: str, column: str) -> None:
    """A button that runs chained equations, and the trace plots."""
    ui.label("Chained equations draw each column given the others, in cycles.").classes("quiet")
    if view.site.path is not None and not view.site.is_writable:
        ui.label("They write files on the way: `imputedb ui DB --writable` lets them.").classes("quiet")
        return
    with ui.element("div").classes("line"):
        imputer = ui.select(["pmm", "norm"], value="pmm", label="Imputer").props("outlined dense options-dense")

        async def shown() -> None:
            name = str(imputer.value)
            key = ("chains", table, column, name)
            found = await view.answer(
                place, "running chains", key, lambda db, progress: traced(db, table, column, name, progress)
            )
            if found is None:
                return
            place.clear()
            with place:
                _draw(found)

        ui.button("Run chains", on_click=shown).props("outline")
    place = ui.element("div").classes("stack")


def _draw(found: Traces) -> None:
    if not found.means:
        ui.label("This column is drawn without cycles: no chain has anything to forget.").classes("quiet")
        return
    lines = [
        (f"chain {number}", [(float(cycle), mean) for cycle, mean in enumerate(means, start=1)], number > 1)
        for number, means in enumerate(found.means, start=1)
    ]
    ui.echart(charts.lines("cycle", "mean of imputed values", lines), renderer="svg")
    if found.rhat is not None:
        verdict = "the chains have forgotten their start" if found.rhat < 1.2 else "more cycles are needed"
        ui.label(f"R-hat {found.rhat:.3f}: {verdict}.")
        ui.label("Lines that cross freely and have no trend are good.").classes("quiet")
