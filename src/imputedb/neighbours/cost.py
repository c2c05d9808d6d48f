"""Measured costs of searches on two cores; decisions/neighbours.md has the figures."""

PAIR = 8e-7
"""ms of a query and a donor, whatever they are compared by."""
COORDINATE = 8e-8
"""ms of one coordinate of a query and a donor."""
PROBED = 0.08
"""Share of the donors that an approximate search looks at where nothing is missing, more or less."""
LOST = 1.5
"""By how much that share grows with the missing share: a query that lacks coordinates is far from no centre."""
WORTHWHILE = 0.3
"""Share of the lists above which an exact search is the cheaper one: lists are short, and tiles are not."""
LISTS = 2.0
"""Lists a square root of donors."""
SMALLEST = 20_000
"""Donors below which lists are not worth learning."""
FIXED = 0.5
"""ms of any imputation, and a target more of it."""
COLUMN = 0.1
"""ms of a column that is fitted."""
LEARNT = 0.007
"""ms of a target and a column, of which one learns how much it says of the other."""
PLACED = 1.2e-4
"""ms of a row and column that is placed, and learnt from."""
NEIGHBOUR = 5e-5
"""ms of one neighbour of one cell."""
SHARE, ROWS_POWER, ATTRIBUTES_POWER = 1.11, 0.023, 0.081
"""Of `unexplained`."""


def exact_ms(queries: float, donors: float, width: int) -> float:
    """An exact search: the distance of every query to every donor."""
    return queries * donors * (PAIR + COORDINATE * width)


def lists_of(donors: float) -> int:
    """The number of lists for so many donors."""
    return max(1, int(LISTS * donors**0.5))


def approximate_ms(queries: float, donors: float, width: int, missing: float = 0.0) -> float:
    """An approximate search: learning of centres, assignment of donors to lists, and the search in some lists."""
    lists = lists_of(donors)
    a_pair = PAIR + COORDINATE * width
    learning = 4 * 32 * lists * lists * a_pair + donors * lists * a_pair + 300 * donors * a_pair
    return learning + queries * (lists + min(1.0, PROBED + LOST * missing) * donors) * a_pair


def approximate_pays(queries: float, donors: float, width: int, missing: float = 0.0) -> bool:
    """Whether an approximate search is estimated to be faster."""
    return donors >= SMALLEST and approximate_ms(queries, donors, width, missing) < exact_ms(queries, donors, width)


def searching_ms(queries: float, donors: float, width: int, missing: float = 0.0) -> float:
    """The search that `auto` chooses; never decreases with queries or donors."""
    exact = exact_ms(queries, donors, width)
    if donors < SMALLEST:
        return exact
    smallest = exact_ms(queries * SMALLEST / donors, SMALLEST, width)
    return min(exact, max(smallest, approximate_ms(queries, donors, width, missing)))


def aggregating_ms(cells: float, rows: float, width: int, targets: int, k: int) -> float:
    """Computing coordinates, learning weights, and aggregating the values of neighbours."""
    fitting = FIXED * (1 + targets) + width * (COLUMN + LEARNT * targets)
    return fitting + rows * width * PLACED + cells * k * NEIGHBOUR


def unexplained(rows: float, attributes: int) -> float:
    """Estimated share of a column's variance that imputed values leave unexplained, in (0, 1].

    Fitted to hidden cells of real tables, over subsets of rows and columns.
    """
    return float(min(1.0, SHARE * max(rows, 1.0) ** -ROWS_POWER * attributes**-ATTRIBUTES_POWER))
