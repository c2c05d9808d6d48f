"""What operators cost in milliseconds on an in-memory columnar engine with two cores.

The paper prices relational operators in page reads; on columns in memory those are noise beside imputation. The
constants are medians measured by `benchmarks/calibrate.py`.
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


def filtering(rows: float, predicates: int) -> float:
    """Time of a selection or a Drop."""
    return FILTER * rows * predicates


def joining(left: float, right: float, out: float) -> float:
    """Time of a hash join."""
    return JOIN * (left + right) + PAIR * out


def answering(rows: float) -> float:
    """Time of what stands above the joins."""
    return ANSWER * rows


def stating(sources: int) -> float:
    """Time of a statement over so many tables, whatever it does."""
    return STATEMENT + SOURCE * sources


def staging(rows: float, columns: int) -> float:
    """Time of taking rows out of the engine and values back into it."""
    return STAGE + CELL * rows * columns


def identifying(rows: float) -> float:
    """Time of telling the rows of a table that pass a condition from those that do not."""
    return IDENTIFY + IDENTITY * rows
