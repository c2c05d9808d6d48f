"""Measured costs of a kept model, as values of a whole table or as an expression, in milliseconds of one core."""

APPLY = 4e-3
"""Cost of a missing cell that a function of hundreds of trees is applied to."""
CELL = 3e-5
"""Cost of a cell that the model reads."""
FIRST = 1.2
"""Fixed cost of applying a model."""
STEP, MANY = 0.25, 1000
"""Cost of planning one step of an expression, and the number of steps at which it has doubled."""
TAKEN = 2e-5
"""Cost of one step for one missing cell."""
READ = 3.5e-6
"""Cost of a cell that an expression reads, whether or not the target is missing in its row."""
BESIDE = 2e-6
"""Cost of one value that stands beside its table."""
FITTED, SCREENED = 100.0, 8.0
"""Cost of a fit to a sample, and of each candidate predictor."""
PICKED = 5e-6
"""Cost of a cell that is read to pick the rows of a sample."""
SHORT, LEVELS, FEW = 64, 16, 3
"""Steps of a function that is fitted to be short, steps that a row takes, and columns that it reads."""
REPEATED = 5
"""Expected number of reads of the same values, over which the cost of making them is spread."""


def making(rows: float, features: float, missing: float) -> float:
    """Cost of the values of all columns that a model fills in."""
    return FIRST + CELL * rows * features + APPLY * missing


def evaluating(cells: float, missing: float, written: float, taken: float) -> float:
    """Cost that an expression adds to a statement.

    Args:
        cells: the number of cells of the model's columns in the rows that the statement reads.
        missing: the number of cells to fill in.
        written: the steps of the expression; 1 for a constant, which reads nothing.
        taken: the steps that a row takes.
    """
    read = READ * cells if written > 1 else 0.0
    return read + (written - 1) * STEP * (1 + written / MANY) + taken * TAKEN * missing


def sampling(rows: float, columns: float, missing: float, targets: float) -> float:
    """Cost of functions fitted to a sample, spread over the statements that are expected to use them.

    Args:
        rows: the number of rows that are read.
        columns: the number of candidate predictors.
        missing: the number of cells to fill in, of one target.
        targets: the number of columns to fill in.
    """
    fitted = FITTED + SCREENED * columns + PICKED * rows * columns
    return targets * (fitted / REPEATED + evaluating(rows * min(columns, FEW), missing, SHORT, LEVELS))


def applying(rows: float, columns: float, missing: float, targets: float) -> float:
    """Cost of the values of a model's columns in the cheaper form, where only sizes are known.

    Args:
        rows: the number of rows that are read.
        columns: the number of columns that the model may read.
        missing: the number of cells to fill in, of all targets.
        targets: the number of columns to fill in.
    """
    evaluated = targets * evaluating(rows * columns, missing / max(targets, 1), columns + 1, columns + 1)
    return max(BESIDE * rows * targets, min(evaluated, making(rows, columns, missing) / REPEATED))
