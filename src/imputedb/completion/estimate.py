"""The cost of a run estimated beforehand: by trials on a sample of its rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory

from imputedb.algebra.relation import Table
from imputedb.completion import source as sources
from imputedb.completion.completing import complete
from imputedb.completion.request import AUTO, Request
from imputedb.completion.source import Staged
from imputedb.engines.engine import Engine
from imputedb.sql import ast as t
from imputedb.sql.generate import ROW
from imputedb.sql.paths import quoted

TRIED = 1000
"""Rows of the larger trial; the smaller one has half of them."""

DRAWS = 20
"""Draws that are estimated where m is `auto`."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of a run as it is expected.

    Attributes:
        rows: number of rows.
        missing: number of cells to fill in.
        draws: number of draws.
        cpu_seconds: processor seconds of one process, to two digits.
        written_bytes: bytes of the files.
        tried: number of rows that the estimate was measured on.
        spent: processor seconds of the trials.
    """

    rows: int
    missing: int
    draws: int
    cpu_seconds: float
    written_bytes: int
    tried: int
    spent: float


def estimated(engine: Engine, request: Request) -> Estimate:
    """The cost of a run by three trials on rows picked by a hash, each a run of its own that is thrown away.

    1. Half of the sample and one draw, the sample and one draw, the sample and three draws.
    2. Cost grows with draws by what the last two trials tell, and with rows by the power that the first two tell, from
       1 to 2. What a run costs however few its rows are counts as if it grew too, so that small estimates are too
       large rather than too small.

    Raises: as `completing.complete`.
    """
    with engine.lock:
        staged = sources.staged(engine, request.text)
        statistics = engine.statistics(staged.table)
        rows, draws = statistics.rows, DRAWS if request.m == AUTO else request.m
        tried, half = min(rows, TRIED), max(1, min(rows, TRIED) // 2)
        smaller, one, three = (
            _tried(engine, request, staged, size, m) for size, m in ((half, 1), (tried, 1), (tried, 3))
        )
        each = max(0.0, three[0] - one[0]) / 2
        power = min(2.0, max(1.0, log(max(one[0], 1e-9) / max(smaller[0], 1e-9)) / log(2)))
        grown = max(rows, 1) / max(tried, 1)
        wanted = request.columns if request.columns is not None else sorted(statistics.dirty)
        return Estimate(
            rows,
            sum(statistics.columns[name].missing for name in wanted if name in statistics.columns),
            draws,
            float(f"{(one[0] + (draws - 1) * each) * grown**power:.2g}"),
            round(one[1] * draws * grown),
            tried,
            round(smaller[0] + one[0] + three[0], 1),
        )


def _tried(engine: Engine, request: Request, staged: Staged, size: int, m: int) -> tuple[float, int]:
    """Processor seconds and bytes of a run over a sample."""
    with _sample(engine, staged.table, size) as table, TemporaryDirectory() as folder:
        made = complete(engine, replace(request, m=m), Path(folder), rows=Staged(table, staged.notes))
        return float(made.manifest["cost"]["cpu_seconds"]), int(made.manifest["cost"]["written_bytes"])


@contextmanager
def _sample(engine: Engine, table: Table, size: int) -> Iterator[Table]:
    """So many rows of a table, in its order, with its policies and declared missing values."""
    shape, row = engine.shape(table), quoted((ROW,))
    items = [t.named(engine.reading(table, ROW, "t"), ROW), *(t.reference("t", name) for name in shape.types)]
    stored = engine.text(t.select(items, engine.source(table, "t")))
    picked = f"FROM ({stored}) ORDER BY hash({row}) LIMIT {size}"
    sample = Table("temp", "main", engine.stage(f"SELECT * EXCLUDE ({row}) FROM ({picked}) ORDER BY {row}"))
    try:
        engine.restate(sample, shape.missing, shape.policies)
        yield sample
    finally:
        engine.restate(sample, {}, {})
        engine.unmake("TABLE", [sample.name])
