"""The normal model: Bayesian linear regression."""

from dataclasses import dataclass

from imputedb.imputers.chained.column_model import Matrix, Observed, Randomness, Vector
from imputedb.imputers.chained.regression import of_rows


@dataclass(frozen=True, slots=True)
class Normal:
    """Bayesian linear regression with normal residuals (Rubin 1987, page 167; mice's `norm`).

    1. beta = V X'y, V = (X'X)^-1, RSS on the rows where the column is observed.
    2. sigma*^2 = RSS / chi-square(n - p); beta* = beta + sigma* V^(1/2) z.
    3. Missing values are X beta* + sigma* z, rounded for integers and dates.

    Warning: skewed, bounded or heaped columns may get impossible values, such as negative incomes; `pmm` avoids this.
    Curved relations are modelled as linear.
    """

    name = "norm"

    def suits(self, observed: Observed) -> bool:
        """Whether the values are numbers."""
        return observed.classes == 0

    def draw(self, observed: Observed, features: Matrix, unknown: Matrix, rng: Randomness) -> Vector:
        """Values with residual noise, from drawn coefficients."""
        beta, sigma = of_rows(features, observed.values).drawn(rng.generator())
        return unknown @ beta + sigma * rng.normal()

    def predict(self, observed: Observed, features: Matrix, unknown: Matrix) -> Vector:
        """Expected values."""
        return unknown @ of_rows(features, observed.values).beta
