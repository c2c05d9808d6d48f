"""Evaluations as a table, CSV, JSON and a chart."""

import csv
import io
import json
from pathlib import Path

from rich.table import Table
from rich.text import Text

from imputedb.cli.output.tables import printed
from imputedb.diagnostics.evaluation import Evaluation, Score
from imputedb.diagnostics.pictures import legible
from imputedb.errors import DataError, QueryError
from imputedb.files import check_place, published

_CHARTS = (".png", ".svg")


def as_json(evaluation: Evaluation) -> str:
    """The whole evaluation as JSON."""
    return json.dumps(evaluation.data(), indent=2, ensure_ascii=False) + "\n"


def as_csv(evaluation: Evaluation) -> str:
    """One line for each score; those of all rows come before those of subgroups."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["imputer", "column", "group", "cells", "error", "bias", "wrong", "seconds", "method"])
    for s in sorted(evaluation.scores, key=lambda s: (s.group or "", s.column)):
        writer.writerow(
            [s.imputer, s.column, s.group, s.cells, s.error, s.bias, s.wrong, evaluation.seconds[s.imputer], s.method]
        )
    return text.getvalue()


def as_table(evaluation: Evaluation) -> str:
    """Errors by column and imputer, biases by subgroup, and the definition of the error."""
    parts = [printed(_errors(evaluation))]
    if evaluation.by:
        parts.append(printed(_biases(evaluation)))
    parts.append(
        f"{evaluation.hidden:,} cells hidden ({evaluation.pattern}). Error: root mean square over standard deviation, "
        "for which the mean\ngives 1; of columns marked * the share that is wrong. Bias: filled less true, in standard "
        "deviations."
    )
    return "\n\n".join(parts) + "\n"


def _errors(evaluation: Evaluation) -> Table:
    imputers = list(evaluation.seconds)
    table = Table(title=f"{evaluation.table}: error", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("column")
    table.add_column("cells", justify="right")
    for imputer in imputers:
        table.add_column(Text(imputer), justify="right")
        table.add_column("bias", justify="right")
    whole = [score for score in evaluation.scores if score.group is None]
    for column in dict.fromkeys(score.column for score in whole):
        here = {score.imputer: score for score in whole if score.column == column}
        first = here[imputers[0]]
        cells = [part for imputer in imputers for part in (f"{here[imputer].error:.3f}", _signed(here[imputer]))]
        table.add_row(Text(column + ("*" if first.wrong else "")), f"{first.cells:,}", *cells)
    means = [part for imputer in imputers for part in (f"{evaluation.overall(imputer):.3f}", "")]
    table.add_row("mean of columns", "", *means, end_section=True)
    times = [part for imputer in imputers for part in (f"{evaluation.seconds[imputer]:.3f}", "")]
    table.add_row("seconds", "", *times)
    return table


def _biases(evaluation: Evaluation) -> Table:
    imputers = list(evaluation.seconds)
    table = Table(
        title=f"by {evaluation.by}: bias of numbers, error of columns marked *",
        title_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    for name in ("column", "group"):
        table.add_column(name)
    for name in ("cells", *imputers):
        table.add_column(Text(name), justify="right")
    grouped = [score for score in evaluation.scores if score.group is not None]
    for column, group in dict.fromkeys((score.column, score.group) for score in grouped):
        here = {s.imputer: s for s in grouped if s.column == column and s.group == group}
        first = here[imputers[0]]
        cells = [f"{here[i].error:.3f}" if first.wrong else _signed(here[i]) for i in imputers]
        table.add_row(Text(column + ("*" if first.wrong else "")), Text(str(group)), f"{first.cells:,}", *cells)
    return table


def _signed(score: Score) -> str:
    return "" if score.bias is None else f"{score.bias:+.3f}"


def check_chart(path: str) -> None:
    """Checks that a chart can be written, before the work begins.

    Raises:
        QueryError: the file is neither PNG nor SVG.
        StorageError: the file cannot be written.
    """
    if Path(path).suffix.lower() not in _CHARTS:
        raise QueryError(f"a chart is written to a file that ends in {' or '.join(_CHARTS)}, not to {path}")
    check_place(path)


def draw(evaluation: Evaluation, path: str) -> None:
    """Writes a chart of errors by column and imputer as a PNG or SVG file, atomically.

    Raises:
        DataError: matplotlib is not installed.
        StorageError: the file cannot be written.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise DataError("charts need one more package: pip install 'imputedb[plot]'") from error
    whole = [score for score in evaluation.scores if score.group is None]
    columns = list(dict.fromkeys(score.column for score in whole))
    imputers = list(evaluation.seconds)
    height = 0.8 / len(imputers)
    figure, axis = pyplot.subplots(figsize=(8, 1.5 + 0.25 * len(columns) * max(2, len(imputers)) / 2))
    for place, imputer in enumerate(imputers):
        errors = {score.column: score.error for score in whole if score.imputer == imputer}
        at = [row + (place - (len(imputers) - 1) / 2) * height for row in range(len(columns))]
        label = f"{imputer} ({evaluation.seconds[imputer]:.2f} s)"
        axis.barh(at, [errors[column] for column in columns], height=height, label=label)
    axis.set_yticks(range(len(columns)), [legible(column) for column in columns])
    axis.invert_yaxis()
    axis.axvline(1, color="0.6", linewidth=0.8, linestyle=":")
    axis.set_xlabel("error of hidden cells: RMSE / standard deviation, or share that is wrong")
    axis.set_title(
        f"{legible(evaluation.table)}: {evaluation.hidden:,} cells hidden ({evaluation.pattern})", loc="left"
    )
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    with published(path) as temporary:
        figure.savefig(temporary, format=Path(path).suffix[1:].lower(), bbox_inches="tight", dpi=120)
    pyplot.close(figure)
