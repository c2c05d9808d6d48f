"""Forecasts of how long statements take."""

import pytest

from imputedb.planning.forecast import Forecast, ForecastWork, of_draws


def test_nothing_known_is_the_estimate() -> None:
    assert Forecast().milliseconds(ForecastWork(12.0, "tree", "a")) == 12.0


def test_a_statement_that_has_run_is_forecast_as_it_ran() -> None:
    forecast = Forecast()
    for _ in range(20):
        forecast.ran(ForecastWork(10.0, "tree", "a"), 40.0)
    assert forecast.milliseconds(ForecastWork(10.0, "tree", "a")) == pytest.approx(40, rel=0.1)
    assert forecast.upper(ForecastWork(10.0, "tree", "a")) < 50


def test_one_of_a_kind_is_forecast_as_its_kind_and_a_kind_as_all() -> None:
    forecast = Forecast()
    for place in range(20):
        forecast.ran(ForecastWork(10.0, "tree", place), 40.0)
    assert forecast.milliseconds(ForecastWork(5.0, "tree", "other")) == pytest.approx(20, rel=0.1)
    assert 1 < forecast.milliseconds(ForecastWork(1.0, "knn", "x")) <= 4


def test_one_run_that_was_slow_does_not_make_all_others_look_slow_for_good() -> None:
    forecast = Forecast()
    forecast.ran(ForecastWork(10.0, "tree", "a"), 10_000.0)
    for _ in range(20):
        forecast.ran(ForecastWork(10.0, "tree", "a"), 10.0)
    assert forecast.upper(ForecastWork(10.0, "tree", "a")) < 20


def test_what_varies_is_likely_to_stay_below_more() -> None:
    steady, varying = Forecast(), Forecast()
    for number in range(20):
        steady.ran(ForecastWork(10.0, "tree", "a"), 10.0)
        varying.ran(ForecastWork(10.0, "tree", "a"), 5.0 if number % 2 else 20.0)
    assert varying.upper(ForecastWork(10.0, "tree", "a")) > 1.5 * steady.upper(ForecastWork(10.0, "tree", "a"))


def test_values_that_are_kept_are_noted() -> None:
    forecast = Forecast()
    assert not forecast.has_run("values")
    forecast.has_left(ForecastWork(3.0, "tree", "a", ("values",)))
    assert forecast.has_run("values")
    assert forecast.milliseconds(ForecastWork(3.0, "kept", "values")) == 3.0


def test_many_draws_cost_less_than_as_many_statements() -> None:
    assert of_draws(3.0, 1) == 3.0
    assert 3.0 < of_draws(3.0, 20) < 30.0
