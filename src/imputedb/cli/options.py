"""Options that several commands share, and parsers of their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import click

from imputedb.errors import QueryError

if TYPE_CHECKING:
    from imputedb.imputers.reference_based import ReferenceBased


NEGATIVE = {"ignore_unknown_options": True}
"""Settings of a command whose arguments may be negative numbers, which are no options."""


def with_fit(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the option that chooses the rows to which imputers are fitted."""
    kinds = click.Choice(["auto", "query", "table"])
    return click.option(
        "--fit", type=kinds, default="auto", help="Fit to the query's rows, or to tables (kept models)."
    )(command)


def with_planning(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose a plan."""
    for option in (
        click.option(
            "--alpha", type=float, default=0.0, show_default=True, help="0 for the best answer, 1 for the fastest."
        ),
        click.option(
            "--imputer",
            default="tree",
            show_default=True,
            help="tree, knn, pmm, mean, hotdeck, drop, ...; several separated by commas.",
        ),
        click.option(
            "--seed", type=int, default=0, show_default=True, help="Random seed; equal seeds give equal answers."
        ),
        with_fit,
        click.option(
            "--strategy",
            type=click.Choice(["planned", "base"]),
            default="planned",
            help="base: impute whole tables first.",
        ),
    ):
        command = option(command)
    return command


def with_trial(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that describe a trial, for imputers mar, j2r, cr, cir and lmcf."""
    for option in (
        click.option("--covariates", default="", help="For trials: complete covariates, separated by commas."),
        click.option("--visits", default="", help="For trials: columns in the order of time, with commas."),
        click.option("--reference", help="For trials: the reference arm."),
        click.option("--treatment", help="For trials: the column of arms (imputer j2r, cr, cir, lmcf, mar)."),
    ):
        command = option(command)
    return command


def trial_imputer(
    imputer: str, treatment: str | None, reference: str | None, visits: str, covariates: str
) -> ReferenceBased | None:
    """The reference-based imputer of the options; None where they name another imputer.

    Raises:
        QueryError: a trial is described for another imputer, or is missing.
    """
    from imputedb.imputers.reference_based import STRATEGIES, ReferenceBased

    strategy = next((one for one in STRATEGIES if one == imputer), None)
    if strategy is None:
        if treatment or reference or visits or covariates:
            raise QueryError(f"a trial is described for imputer {', '.join(STRATEGIES)}, not for {imputer}")
        return None
    if not (treatment and reference and visits):
        raise QueryError(f"imputer {imputer} needs --treatment, --reference and --visits")
    return ReferenceBased(strategy, treatment, reference, tuple(listed(visits)), tuple(listed(covariates)))


def with_params(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the option for the values of parameters."""
    return click.option(
        "--param",
        "params",
        multiple=True,
        metavar="[NAME=]VALUE",
        help="Value of a parameter: of ? and $1 in order, or NAME=VALUE for $NAME; repeatable.",
    )(command)


def parameters(text: str, given: Sequence[str]) -> list[object] | dict[str, object] | None:
    """The values of a statement's parameters: numbers, NULL, true and false where a text reads as such, else text.

    Raises:
        QueryError: some parameters have names, and others have none.
    """
    if not given:
        return None
    names = {name.lower() for name in re.findall(r"\$([A-Za-z_]\w*)", text)}
    pairs = [one.partition("=") for one in given]
    if all(sign and name.lower() in names for name, sign, _ in pairs):
        return {name: _value(value) for name, _, value in pairs}
    if names:
        raise QueryError(
            f"--param takes NAME=VALUE where parameters have names; these are ${', $'.join(sorted(names))}"
        )
    return [_value(one) for one in given]


def _value(text: str) -> object:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return {"null": None, "true": True, "false": False}.get(text.lower(), text)


def listed(text: str) -> list[str]:
    """The names of an option that takes several, separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def whole_numbers(text: str) -> range:
    """The numbers of an option such as 7 or 6-10.

    Raises:
        QueryError: the text is neither a number nor a range.
    """
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        raise QueryError(f"{text!r} are not numbers: give one, such as 7, or the first and the last, such as 6-10")
    return range(first, last + 1)


def number_of_cycles(text: str) -> int | Literal["auto"]:
    """The number of cycles of an option.

    Raises:
        QueryError: the text is neither a whole number nor `auto`.
    """
    if text == "auto":
        return "auto"
    if not text.isdigit():
        raise QueryError(f"--cycles {text!r} is not a number of cycles: give one, such as 20, or auto")
    return int(text)


def number_of_draws(text: str) -> int | Literal["auto"]:
    """The number of draws of an option.

    Raises:
        QueryError: the text is neither a whole number nor `auto`.
    """
    if text == "auto":
        return "auto"
    if not text.isdigit():
        raise QueryError(f"--m {text!r} is not a number of draws: give one, such as 20, or auto")
    return int(text)
