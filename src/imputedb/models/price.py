"""What it takes to apply a kept model, as values of a whole table or as an expression; milliseconds of one core."""

APPLY = 4e-3
"""A missing cell that a function is applied to, hundreds of trees of it."""
CELL = 3e-5
"""A cell that the model reads."""
FIRST = 1.2
"""What that takes whatever is read."""
LEAF, MANY = 0.6, 500
"""A leaf, or a term, of an expression that the engine plans; of so many each costs twice as much."""
TERM = 5e-6
"""A missing cell and leaf that it computes."""


def making(rows: float, features: int, missing: float) -> float:
    """Values of all columns that a model fills in."""
    return FIRST + CELL * rows * features + APPLY * missing


def asking(missing: float, leaves: float) -> float:
    """What an expression of so many leaves adds to a statement."""
    return (leaves - 1) * LEAF * (1 + leaves / MANY) + leaves * TERM * missing
