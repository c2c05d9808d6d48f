"""What it takes to apply a kept model, as values of a whole table or as an expression; milliseconds of one core."""

APPLY = 4e-3
"""A missing cell that a function is applied to, hundreds of trees of it."""
CELL = 3e-5
"""A cell that the model reads."""
FIRST = 1.2
"""What that takes whatever is read."""
STEP, MANY = 0.25, 1000
"""A step of an expression that the engine plans; of so many each costs twice as much."""
TAKEN = 2e-5
"""A missing cell and step that it computes."""
READ = 3.5e-6
"""A cell that it reads, whether or not the target is missing there."""
BESIDE = 2e-6
"""A row and column of values that stand beside their table."""
FITTED, SCREENED = 100.0, 8.0
"""A fit to a sample, and each column that may predict."""
PICKED = 5e-6
"""A cell that is looked at for the rows of a sample."""
SHORT, LEVELS, FEW = 64, 16, 3
"""Steps of a function that is fitted to be short, those that a row takes, and columns that it reads."""
REPEATED = 5
"""How often the same values are expected to be read, so that it pays to make and keep them."""


def making(rows: float, features: float, missing: float) -> float:
    """Values of all columns that a model fills in."""
    return FIRST + CELL * rows * features + APPLY * missing


def evaluating(cells: float, missing: float, written: float, taken: float) -> float:
    """What an expression adds to a statement that reads so many cells for it.

    Args:
        cells: of the rows and columns that the model knows.
        missing: cells that are filled in.
        written: steps of the expression; 1 of a constant, which reads nothing.
        taken: how many of them a row takes.
    """
    read = READ * cells if written > 1 else 0.0
    return read + (written - 1) * STEP * (1 + written / MANY) + taken * TAKEN * missing


def sampling(rows: float, columns: float, missing: float, targets: float) -> float:
    """Functions that are fitted to a sample once, and written into each of the statements that are expected.

    Args:
        rows: that are read.
        columns: that are at hand.
        missing: cells that are filled in, of one target.
        targets: columns that are filled in.
    """
    fitted = FITTED + SCREENED * columns + PICKED * rows * columns
    return targets * (fitted / REPEATED + evaluating(rows * min(columns, FEW), missing, SHORT, LEVELS))


def applying(rows: float, columns: float, missing: float, targets: float) -> float:
    """Values of some columns of a model of which no more is known, by the form that costs less.

    Args:
        rows: that are read.
        columns: that are at hand.
        missing: cells that are filled in, of all targets.
        targets: columns that are filled in.
    """
    evaluated = targets * evaluating(rows * columns, missing / max(targets, 1), columns + 1, columns + 1)
    return max(BESIDE * rows * targets, min(evaluated, making(rows, columns, missing) / REPEATED))
