"""What is read: the paper's tables and queries, and the figures of the original program."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.paper.part import Absent, Setting
from imputedb.engines.duckdb import load
from imputedb.engines.duckdb.engine import DuckDB
from imputedb.engines.reading import Reading

TABLES = ("demo", "exams", "labs", "fcc", "gdp")
QUERIES, COUNTS = "paper_queries.sql", "paper_queries_count.sql"
BASE = "base"


def loaded(setting: Setting) -> DuckDB:
    """An engine with the paper's tables in memory.

    Raises:
        Absent: a table is not there.
    """
    files = [str(setting.file(f"{name}.csv")) for name in TABLES]
    engine = DuckDB(":memory:")
    load.load(engine, files, None, {}, Reading(), replace=False)
    return engine


def queries(setting: Setting, name: str = QUERIES) -> list[str]:
    """The statements of a file, in order.

    Raises:
        Absent: it is not there.
    """
    return [text.strip() for text in setting.file(name).read_text(encoding="utf-8").split(";") if text.strip()]


@dataclass(frozen=True, slots=True)
class Original:
    """What the original program did on one query at one alpha, and what the paper says of it.

    Attributes:
        total_ms: median of its runs.
        planning_ms: median of its planning.
        smape: of its answer against base tables, in percent.
        count_fraction: rows of its aggregates over those with base tables.
        paper_smape: the paper's Table 5; None of base tables.
        paper_count_fraction: likewise.
    """

    total_ms: float
    planning_ms: float
    smape: float
    count_fraction: float
    paper_smape: float | None
    paper_count_fraction: float | None


def original(setting: Setting) -> Mapping[tuple[int, str], Original]:
    """The original's figures by query and alpha (or `base`), at the paper's ten cycles; none where the file is not."""
    if setting.reference is None or not (setting.reference / "imputedb_original.csv").is_file():
        return {}
    text = (setting.reference / "imputedb_original.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["epochs"] == "10"]
    return {(int(row["query"]), _setting(row["alpha"])): _original(row) for row in rows}


def _setting(alpha: str) -> str:
    return alpha if alpha == BASE else f"{float(alpha):g}"


def _original(row: Mapping[str, str]) -> Original:
    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return Original(
        float(row["run_ms_median"]),
        float(row["plan_ms_median"]),
        float(row["smape_vs_base"]),
        float(row["count_fraction"]),
        number("paper_smape"),
        number("paper_count_fraction"),
    )


def generator(setting: Setting) -> str:
    """The program that makes a table like that of the American Community Survey.

    Raises:
        Absent: it, or pyarrow, is not there.
    """
    from importlib.util import find_spec

    path = setting.file("make_acs_like.py")
    if find_spec("pyarrow") is None:
        raise Absent("pyarrow, which make_acs_like.py needs (pip install 'imputedb[arrow]')")
    return str(path)
