"""Measured cost of the kernel's imputation, and the information that it loses (decisions/kernel.md has the figures)."""

from imputedb.kernel import TRAIN_ROWS


def training_rows(missing: float) -> float:
    """The number of observed cells to learn from, given the number of missing ones.

    The cost of learning is kept in proportion to its use. Two cells are learnt from for each missing one, but at least
    4,096 and at most the kernel's own bound (decisions/kernel.md has the errors).
    """
    return min(max(4096.0, 2 * missing), TRAIN_ROWS)


def milliseconds(
    rows: float,
    targets: int,
    predictors: int,
    *,
    missing_share: float = 0.3,
    nominal_levels: int = 0,
    cycles: int = 1,
    draw: bool = False,
) -> float:
    """Estimated milliseconds of `fill` on two cores, nondecreasing in the number of rows.

    Fitted to `benchmarks.imputers grid`: 96 % of its 855 runs of 100 to 1,000,000 rows and 2 to 80 columns are within a
    factor of 2. Two targets are learnt side by side. The categories of a nominal target, `nominal_levels` of them,
    share one model.
    """
    rows = max(rows, 1.0)
    learnt = min(rows * (1 - missing_share), training_rows(rows * missing_share))
    used = predictors if predictors <= 48 else 32
    rounds = 1 + cycles if draw and targets > 1 else 1
    fits = (targets + 1) // 2 * rounds
    binning = (predictors + 1) * (3.8e-6 * rows + 1.6e-5 * min(rows, 2048))
    learning = 0.0155 + used * (2.2e-4 + 2e-5 * min(rows, 3000)) + learnt * (2.6e-5 + 4.9e-6 * used)
    scoring = min(nominal_levels, 32) * used * (4.9e-4 + 1.7e-6 * learnt)
    applying = rows * targets * (1.3e-6 + 6e-5 * missing_share * rounds)
    return float(0.0225 + binning + fits * (learning + scoring) + applying)


def unexplained(rows: float, attributes: int) -> float:
    """Estimated share of a column's variance that its filled cells leave unexplained, in (0, 1].

    Fitted to hidden cells of the real tables, over subsets of 50 rows to all of them and 2 columns to all of them.
    """
    return float(min(1.0, 1.23 * max(rows, 1.0) ** -0.041 * attributes**-0.069))


def penalty(rows: float, targets: int, attributes: int) -> float:
    """Loss of information in (0, 1), where a Drop loses 1: x / (1 + x) of x = |C| / |Attr| times the unexplained share.

    A Drop loses all attributes of the rows where one is missing. Filling loses what stays unexplained of |C| of them.
    Like the paper's |C| / sqrt(|Attr| Card), it falls with attributes and rows; the rate is measured.
    """
    loss = targets / attributes * unexplained(rows, attributes)
    return float(loss / (1 + loss))
