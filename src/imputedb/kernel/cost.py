"""What filling costs and what it leaves unknown, as measured: see decisions/kernel.md."""


def milliseconds(
    rows: float, targets: int, predictors: int, *, missing_share: float = 0.3, cycles: int = 2, draw: bool = False
) -> float:
    """Estimated time of `fill` on two cores; never falls with rows."""
    learnt = min(rows * (1 - missing_share), 50_000)
    fits = targets * (cycles if draw else 1)
    binning = 6e-6 * rows * (predictors + targets)
    return 0.1 + binning + fits * (0.1 + 3e-5 * learnt * (predictors + 3) + 2e-6 * rows * missing_share * predictors)


def penalty(rows: float, targets: int, predictors: int) -> float:
    """Loss of information of filled columns, in (0, 1): x / (1 + x) of the paper's x = |C| / sqrt(|Attr| rows)."""
    loss = targets / ((predictors + 1) * max(rows, 1.0)) ** 0.5
    return float(loss / (1 + loss))
