"""Costs of operators in milliseconds, on an in-memory columnar engine with two cores.

The paper counts page reads for relational operators; for columns in memory these are negligible beside imputation.
The constants are medians measured by `benchmarks/calibrate.py`.
"""

FILTER = 2e-6
"""ms a row and predicate."""
JOIN = 1.5e-5
"""ms a row that is hashed or probed."""
PAIR = 4e-6
"""ms a row that comes out of a join."""
ANSWER = 1e-5
"""ms a row that is aggregated or projected."""
STATEMENT = 2.0
"""ms of a statement, whatever it does: taken apart, run, its answer held."""
SOURCE = 0.4
"""ms of each table that it reads."""
SHARED = 0.65
"""Share of a statement's time that many draws have in common, as if it were one."""
STAGE = 1.2
"""ms of every blocking Impute: a statement of its own, rows fetched, values registered."""
IDENTIFY = 0.3
"""ms of a statement that tells some rows of a table from the others."""
IDENTITY = 3e-5
"""ms a row that it looks at."""
CELL = 3e-5
"""ms a cell that travels to an imputer."""


FETCHED = 8e-5
"""ms a cell more where the columns of its table are not kept, so that every statement fetches them anew."""
KEPT = (64 << 20) / 11
"""Cells of a table up to which its columns are fetched once and kept (`execution.columns.WHOLE`)."""


def filtering(rows: float, predicates: int) -> float:
    """Time of a selection or a Drop."""
    return FILTER * rows * predicates


def joining(left: float, right: float, out: float) -> float:
    """Time of a hash join."""
    return JOIN * (left + right) + PAIR * out


def answering(rows: float) -> float:
    """Time of the operators above the joins."""
    return ANSWER * rows


def stating(sources: int) -> float:
    """Overhead of a statement over so many tables."""
    return STATEMENT + SOURCE * sources


def staging(rows: float, columns: int, *, anew: bool = False) -> float:
    """Time to fetch rows from the engine and to store values in it; with `anew` the columns are not cached."""
    return STAGE + (CELL + (FETCHED if anew else 0.0)) * rows * columns


def identifying(rows: float) -> float:
    """Time to find the rows of a table that pass a condition."""
    return IDENTIFY + IDENTITY * rows
