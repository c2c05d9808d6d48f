"""Options that several commands share, and what their texts stand for."""

from collections.abc import Callable
from typing import Literal

import click

from imputedb.errors import QueryError


def with_planning(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose a plan."""
    for option in (
        click.option("--alpha", type=float, default=0.0, show_default=True, help="0: the best answer; 1: the fastest."),
        click.option(
            "--imputer",
            default="tree",
            show_default=True,
            help="tree, knn, pmm, mean, hotdeck, drop...; several with commas.",
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="One seed gives one answer."),
        click.option(
            "--strategy", type=click.Choice(["planned", "base"]), default="planned", help="base: complete tables first."
        ),
    ):
        command = option(command)
    return command


def listed(text: str) -> list[str]:
    """The names of an option that takes several with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def number_of_draws(text: str) -> int | Literal["auto"]:
    """The draws of an option.

    Raises:
        QueryError: it is neither a whole number nor `auto`.
    """
    if text == "auto":
        return "auto"
    if not text.isdigit():
        raise QueryError(f"--m {text!r} is no number of draws: give one, such as 20, or auto")
    return int(text)
