"""The command `python -m benchmarks.paper`: the paper's experiments, with a bar of each one's progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imputedb.cli.main import outcome

if TYPE_CHECKING:
    from benchmarks.paper.run import Tell


@click.command("python -m benchmarks.paper")
@click.option("--data", metavar="DIR", help="The paper's tables and queries; what needs them is skipped without.")
@click.option("--reference", metavar="DIR", help="The original's figures; `reference` beside the data unless given.")
@click.option("--out", required=True, metavar="DIR", help="Where tables, figures and the report go.")
@click.option("--only", multiple=True, metavar="PART", help="figure5, table5, figure6, mean, planning, large or truth.")
@click.option("--quick", is_flag=True, help="A little of everything, to see that it works.")
def paper(data: str | None, reference: str | None, out: str, only: tuple[str, ...], *, quick: bool) -> None:
    """Run the experiments of the paper, beside the original's figures, and write a report.

    Everything takes about a quarter of an hour. Parts measured before stay in the report.
    """
    from benchmarks.paper import run
    from benchmarks.paper.part import FULL, QUICK

    parts = run.chosen(only)
    setting = run.setting_of(data, reference, QUICK if quick else FULL)
    with _shown([part.name for part in parts]) as tell:
        outcome = run.paper(setting, Path(out), only, tell)
    for name, missing in outcome.skipped.items():
        click.echo(f"skipped {name}: no {missing}", err=True)
    click.echo(str(outcome.page))


def _silent(name: str, share: float) -> None:
    """Nobody is looking."""


@contextmanager
def _shown(names: Sequence[str]) -> Iterator[Tell]:
    """A bar for each part on standard error where somebody is looking."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bars:
        tasks = {name: bars.add_task(name, total=1.0) for name in names}
        yield lambda name, share: bars.update(tasks[name], completed=share)


if __name__ == "__main__":
    sys.exit(outcome(paper))
