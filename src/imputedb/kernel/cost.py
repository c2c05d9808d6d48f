"""What filling costs and what it leaves unknown, as measured: decisions/kernel.md has the figures."""

from imputedb.kernel import TRAIN_ROWS


def milliseconds(
    rows: float, targets: int, predictors: int, *, missing_share: float = 0.3, cycles: int = 2, draw: bool = False
) -> float:
    """Estimated time of `fill` on two cores; never falls with rows.

    Fitted to `benchmarks.imputers grid`: binning a cell, learning (from bounded rows), applying a cell.
    """
    rows = max(rows, 1.0)
    learnt = min(max(rows * (1 - missing_share), 1.0), TRAIN_ROWS)
    binning = 5.2e-6 * rows * (predictors + 1)
    learning = 3.1e-4 * targets**0.83 * learnt**0.73 * predictors**0.75
    applying = 5.3e-6 * rows * missing_share * targets * predictors
    return float(0.137 + binning + (learning + applying) * (cycles if draw else 1))


def unexplained(rows: float, attributes: int) -> float:
    """Estimated share of a column's variance that its filled cells leave unexplained, in (0, 1].

    Fitted to hidden cells of the real tables over subsets of 50 rows to all of them and 2 columns to all of them.
    """
    return float(min(1.0, 1.23 * max(rows, 1.0) ** -0.041 * attributes**-0.069))


def penalty(rows: float, targets: int, attributes: int) -> float:
    """Loss of information, in (0, 1), beside 1 of a Drop: x / (1 + x) of x = |C| / |Attr| times the unexplained share.

    A Drop loses all attributes of the rows where one is missing; filling loses what stays unexplained of |C| of them.
    Like the paper's |C| / sqrt(|Attr| Card) it falls with attributes and rows; how fast is measured.
    """
    loss = targets / attributes * unexplained(rows, attributes)
    return float(loss / (1 + loss))
