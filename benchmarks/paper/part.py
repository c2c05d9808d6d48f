"""What an experiment is: something to measure, tables and figures of what was found, and how much of it to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imputedb.errors import Error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benchmarks.paper.grid import Grid

Data = dict[str, Any]
"""What a part found, JSON-ready."""


class Absent(Error):
    """An input that a part needs is not there."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done.

    Attributes:
        runs: timed runs of each query and setting.
        cold: runs in a database that has just been loaded.
        seeds: seeds that answers are averaged over where they are compared with base tables.
        joins: the longest chain of joins that is planned.
        rows: row counts of the large table.
        rates: shares of the values that are hidden in the truth.
        hidings: times that values are hidden in each of its cases.
        people: rows of the generated tables of the truth.
        worlds: how many worlds these are generated in.
        imputers: the imputers of the truth.
    """

    runs: int
    cold: int
    seeds: int
    joins: int
    rows: tuple[int, ...]
    rates: tuple[float, ...]
    hidings: int
    people: int
    worlds: int
    imputers: tuple[str, ...]


FULL = Size(
    runs=30,
    cold=1,
    seeds=10,
    joins=8,
    rows=(10_000, 100_000, 671_153, 5_000_000),
    rates=(0.1, 0.3, 0.5),
    hidings=5,
    people=5_000,
    worlds=3,
    imputers=(
        "tree",
        "tree, drawn",
        "tree, 5 draws",
        "knn",
        "mean",
        "hotdeck",
        "norm",
        "pmm",
        "logistic",
        "multinomial",
        "ordered",
    ),
)
QUICK = Size(
    runs=2,
    cold=1,
    seeds=2,
    joins=3,
    rows=(1_000, 2_000),
    rates=(0.3,),
    hidings=1,
    people=300,
    worlds=1,
    imputers=("tree", "tree, 5 draws"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where inputs are and how much is done.

    Attributes:
        data: folder of the tables and queries; None when nobody said.
        reference: folder of the original program's figures; None when it is not there.
        size: how much is done.
        tell: told the share of a part that is done.
    """

    data: Path | None
    reference: Path | None
    size: Size
    tell: Callable[[float], object]

    def file(self, name: str) -> Path:
        """An input of a name.

        Raises:
            Absent: it is not there.
        """
        if self.data is None:
            raise Absent(f"{name} (no --data was given)")
        path = self.data / name
        if not path.is_file():
            raise Absent(f"{name} (not in {self.data})")
        return path


@dataclass(frozen=True, slots=True)
class Part:
    """One experiment.

    Attributes:
        name: what `--only` calls it.
        title: its heading.
        about: what was measured and how, for a reader of the report.
        measure: does it; raises `Absent` where an input is not there.
        tables: what was found, as tables; the first is the main one.
        figure: what was found, drawn.
    """

    name: str
    title: str
    about: str
    measure: Callable[[Setting], Data]
    tables: Callable[[Data], Sequence[Grid]]
    figure: Callable[[Data], Figure]
