"""Commands about imputers: their errors on hidden cells, and the donors of one imputed cell."""

from __future__ import annotations

import json
from typing import Literal

import click

from imputedb.cli.database import shown_progress
from imputedb.cli.options import NEGATIVE, listed
from imputedb.cli.questions import database_at
from imputedb.cli.thresholds import EVALUATION, check, of_evaluation, thresholds


@click.command()
@click.argument("db")
@click.argument("table")
@click.option("--imputer", default="tree,knn,mean,hotdeck", show_default=True, help="Imputers, separated by commas.")
@click.option("--share", type=float, default=0.1, show_default=True, help="Share of cells (own: of rows) to hide.")
@click.option("--pattern", type=click.Choice(["mcar", "own"]), default="mcar", help="own: the table's own patterns.")
@click.option("--by", metavar="COLUMN", help="Column of subgroups; error and bias for each of its values.")
@click.option("--column", "columns", multiple=True, help="Column to hide cells of; repeatable.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed; equal seeds hide equal cells.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
@click.option("--fail-on", metavar="FIGURES", help="Exit code 3 if exceeded: error>0.8, bias>0.1, disparity>0.2.")
@click.option("--chart", metavar="FILE", help="Also write a chart of the errors, a .png or .svg file.")
def evaluate(
    db: str,
    table: str,
    imputer: str,
    share: float,
    pattern: Literal["mcar", "own"],
    by: str | None,
    columns: tuple[str, ...],
    seed: int,
    form: str,
    fail_on: str | None,
    chart: str | None,
) -> None:
    """Hide observed cells of TABLE, impute them with several imputers, and show their errors.

    The disparity is the largest difference between the errors of two subgroups, of one column by one imputer.
    """
    from imputedb.cli.output import evaluation

    wanted = thresholds(fail_on, EVALUATION)
    if chart:
        evaluation.check_chart(chart)
    with database_at(db, create=False) as database, shown_progress() as progress:
        found = database.evaluate(
            table,
            imputer=listed(imputer),
            share=share,
            pattern=pattern,
            by=by,
            columns=columns,
            seed=seed,
            progress=progress,
        )
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    written = {"table": evaluation.as_table, "csv": evaluation.as_csv, "json": evaluation.as_json}
    click.echo(written[form](found), nl=False)
    if chart:
        evaluation.draw(found, chart)
    check(wanted, of_evaluation(found))


@click.command(context_settings=NEGATIVE)
@click.argument("db")
@click.argument("table")
@click.argument("column")
@click.argument("row")
@click.option("-k", "k", type=int, default=20, show_default=True, help="Number of neighbours.")
@click.option("--metric", default="gower", show_default=True, help="Metric: gower, euclidean, manhattan or cosine.")
@click.option("--weights", type=click.Choice(["learnt", "equal"]), default="learnt", help="Weights of the columns.")
@click.option("--salt", metavar="SECRET", help="Replace row keys by hashes with this secret.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def why(
    db: str, table: str, column: str, row: str, k: int, metric: str, weights: str, salt: str | None, form: str
) -> None:
    """Show the donors of the imputer knn for one cell: COLUMN of TABLE in the row with the key ROW."""
    from imputedb.cli.output.why import as_text
    from imputedb.imputers.knn import KNN

    learnt: Literal["learnt"] | None = "learnt" if weights == "learnt" else None
    with database_at(db, create=False) as database:
        imputer = KNN(k=k, metric=metric, weights=learnt)  # type: ignore[arg-type]
        found = database.why(table, column, row, imputer=imputer, salt=salt)
    if form == "json":
        click.echo(json.dumps(found.data(), indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(found), nl=False)
