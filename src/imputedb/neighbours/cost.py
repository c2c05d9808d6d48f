"""What searches cost on two cores, as measured: decisions/neighbours.md has the figures."""

PAIR = 3.5e-7
"""ms of a query and a donor, whatever they are compared by."""
COORDINATE = 1.0e-7
"""ms of one coordinate of a query and a donor."""
PROBED = 0.08
"""Share of the donors that an approximate search looks at, more or less."""
LISTS = 2.0
"""Lists a square root of donors."""
SMALLEST = 20_000
"""Donors below which lists are not worth learning."""

FIXED = 0.5
"""ms of any imputation."""
PLACED = 1e-4
"""ms of a row."""
NEIGHBOUR = 5e-5
"""ms of one neighbour of one cell."""
SHARE, ROWS_POWER, ATTRIBUTES_POWER = 1.3, 0.04, 0.06
"""Of `unexplained`."""


def exact_ms(queries: float, donors: float, width: int) -> float:
    """Every query beside every donor."""
    return queries * donors * (PAIR + COORDINATE * width)


def lists_of(donors: float) -> int:
    """How many lists so many donors are kept in."""
    return max(1, int(LISTS * donors**0.5))


def approximate_ms(queries: float, donors: float, width: int) -> float:
    """Centres learnt and every donor put into its list; every query beside the centres and some of the donors."""
    lists = lists_of(donors)
    a_pair = PAIR + COORDINATE * width
    learning = 4 * 32 * lists * lists * a_pair + donors * lists * a_pair + 300 * donors * a_pair
    return learning + queries * (lists + PROBED * donors) * a_pair


def approximate_pays(queries: float, donors: float, width: int) -> bool:
    """Whether an approximate search is estimated to be the cheaper one."""
    return donors >= SMALLEST and approximate_ms(queries, donors, width) < exact_ms(queries, donors, width)


def searching_ms(queries: float, donors: float, width: int) -> float:
    """The search that `auto` picks; never falls with queries or donors."""
    exact = exact_ms(queries, donors, width)
    if donors < SMALLEST:
        return exact
    smallest = exact_ms(queries * SMALLEST / donors, SMALLEST, width)
    return min(exact, max(smallest, approximate_ms(queries, donors, width)))


def aggregating_ms(cells: float, rows: float, k: int) -> float:
    """Coordinates placed, and neighbours' values put together."""
    return FIXED + rows * PLACED + cells * k * NEIGHBOUR


def unexplained(rows: float, attributes: int) -> float:
    """Estimated share of a column's variance that its filled cells leave unexplained, in (0, 1].

    Fitted to hidden cells of the real tables over subsets of rows and columns.
    """
    return float(min(1.0, SHARE * max(rows, 1.0) ** -ROWS_POWER * attributes**-ATTRIBUTES_POWER))
