"""Options for completed data sets, and the arguments of `Database.impute` that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from imputedb.cli.options import (
    listed,
    number_of_cycles,
    number_of_draws,
    parameters,
    trial_imputer,
    with_params,
    with_trial,
)


def with_copies(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options for completed data sets to a command."""
    options = (
        click.option(
            "--m", default="20", show_default=True, help="Number of completed data sets; auto for as many as needed."
        ),
        click.option("--imputer", default="pmm", show_default=True, help="Imputer: pmm, norm, tree, ..."),
        click.option(
            "--seed", type=int, default=0, show_default=True, help="Random seed; equal seeds give equal runs."
        ),
        click.option("--columns", help="Columns to impute, separated by commas; default: all incomplete."),
        click.option("--flags/--no-flags", default=True, help="Add a boolean column COLUMN__imputed."),
        click.option("--long", is_flag=True, help="Write one file with columns .imp and .id, not m files."),
        click.option("--formula", help="Planned analysis, with which imputations are compatible."),
        click.option("--model", default="ols", show_default=True, help="Model of the formula: ols or logit."),
        click.option(
            "--cycles", default="auto", show_default=True, help="Number of cycles of chained equations, or auto."
        ),
        with_params,
        with_trial,
    )
    for option in reversed(options):
        command = option(command)
    return command


def copies(
    source: str,
    *,
    m: str,
    imputer: str,
    columns: str | None,
    cycles: str,
    params: tuple[str, ...],
    treatment: str | None,
    reference: str | None,
    visits: str,
    covariates: str,
    **others: Any,
) -> dict[str, Any]:
    """The arguments of `Database.impute` from the options; all other options are passed on unchanged.

    Raises:
        QueryError: the cycles, the trial or the parameters are malformed.
    """
    return {
        "m": number_of_draws(m),
        "imputer": trial_imputer(imputer, treatment, reference, visits, covariates) or imputer,
        "columns": None if columns is None else listed(columns),
        "cycles": number_of_cycles(cycles),
        "params": parameters(source, params),
        **others,
    }
