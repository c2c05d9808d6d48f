"""What is drawn of observed and imputed values: densities over bins that hold them all."""

import pytest

from imputedb.pages.drawn import Drawn


@pytest.mark.parametrize("values", [[7.0], [0.0], [-5.0, 0.0], [-3.0], [1.0, 2.0, 4.0], [1e308], [-1e300, 1e300]])
def test_each_density_has_an_area_of_one(values: list[float]) -> None:
    found = Drawn(values * 3, [values], "norm").densities()
    low, high = min(values), max(values)
    for _, points, _ in found:
        places = [place for place, _ in points]
        width = places[1] - places[0] if places[1:] else max(abs(low), 2.0) / 2
        assert sum(height * width for _, height in points) == pytest.approx(1.0)
        assert low - width <= min(places) <= max(places) <= high + width
