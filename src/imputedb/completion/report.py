"""The HTML report of a run, with embedded pictures."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imputedb import arguments
from imputedb.completion.completed import Completed, texts
from imputedb.completion.source import FLAG
from imputedb.diagnostics import pictures
from imputedb.diagnostics.mcar import McarTest, little
from imputedb.diagnostics.missing import flux, pattern_table
from imputedb.errors import DataError, QueryError
from imputedb.files import check_place, published

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHOWN_DRAWS = 10

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.2rem } img { max-width: 100% }
table { border-collapse: collapse } td, th { padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top }
th { border-bottom: 1px solid #999 } .quiet { color: #666 } code { font-size: .9em }
"""


def drawn(completed: Completed) -> dict[str, "Figure"]:
    """The pictures of a run: patterns, flux, densities, traces.

    Raises:
        QueryError: the run was written without flags, so that imputed cells are unknown.
        DataError: matplotlib is not installed.
    """
    first = completed.frame(1)
    names = [name for name in completed.manifest["columns"] if name + FLAG in first.columns]
    if not names and completed.manifest["columns"]:
        raise QueryError("this run does not say which cells were imputed: write it with flags")
    plain, missing = _with_missing(first)
    found = {
        "patterns": pictures.pattern_map(pattern_table(missing, plain)),
        "flux": pictures.flux_plot(flux(missing, plain)),
    }
    if names:
        found["densities"] = pictures.densities(_values(completed, first, names))
    chains = {
        name: np.array(column["means"]).T
        for name, column in completed.manifest["columns"].items()
        if column.get("means")
    }
    if chains:
        rhat = {name: completed.manifest["columns"][name]["rhat"] for name in chains}
        found["traces"] = pictures.traces(chains, rhat)
    return found


def _with_missing(frame: "pd.DataFrame") -> tuple[list[str], "np.ndarray[tuple[int, int], np.dtype[np.bool_]]"]:
    plain = [str(name) for name in frame.columns if not str(name).endswith(FLAG)]
    flags = [frame[n + FLAG] if n + FLAG in frame.columns else frame[n].isna() for n in plain]
    return plain, np.stack([np.asarray(flag, bool) for flag in flags], axis=1)


def _values(
    completed: Completed, first: "pd.DataFrame", names: Sequence[str]
) -> dict[str, tuple[Sequence[object], list[Sequence[object]]]]:
    draws = [completed.frame(draw) for draw in range(1, min(completed.m, SHOWN_DRAWS) + 1)]
    flags = {name: first[name + FLAG].to_numpy(bool) for name in names}
    return {
        name: (_plotted(first, name)[~flags[name]], [_plotted(draw, name)[flags[name]] for draw in draws])
        for name in names
    }


def _plotted(frame: "pd.DataFrame", name: str) -> "np.ndarray[tuple[int], np.dtype[np.generic]]":
    values = np.asarray(frame[name].to_numpy())
    if values.dtype.kind == "M":
        return np.asarray(values.astype("datetime64[D]"), np.float64)
    return np.asarray(values, object) if values.dtype.kind in "bOT" else values


def write(completed: Completed, path: str | Path, folder: str | Path | None = None, form: str = "png") -> None:
    """Writes the page; with a folder also each picture (`form`: png or svg).

    Raises:
        QueryError, DataError: as `drawn`.
        StorageError: a file cannot be written.
    """
    check_place(str(arguments.path("the page", path)))
    if form not in ("png", "svg"):
        raise QueryError(f"pictures are png or svg, not {form!r}")
    place = None if folder is None else arguments.path("the folder of pictures", folder)
    figures = drawn(completed)
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            with published(str(place / f"{name}.{form}")) as temporary:
                figure.savefig(temporary, format=form)
    text = page(completed, figures)
    with published(str(path)) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


_TITLES = {
    "patterns": "What is missing together",
    "flux": "Which columns help, which need help",
    "densities": "Observed and imputed values",
    "traces": "Chains",
}

_NOTES = {
    "densities": "Under missing at random they may differ: who lacks a value may be unlike who has one. Shapes that "
    "nobody can explain are worth a look.",
    "traces": "Means of imputed values by cycle. Lines that cross freely and have no trend have forgotten their start; "
    "R-hat should end below 1.05, below 1.2 with few draws.",
}


def page(completed: Completed, figures: Mapping[str, "Figure"]) -> str:
    """The self-contained HTML page."""
    manifest = completed.manifest
    settings = ("source", "imputer", "settings", "m", "seed", "rows", "fingerprint", "seconds")
    parts = [
        f"<h1>Completed data sets of <code>{escape(str(manifest['source']))}</code></h1>",
        f"<p><b>Every answer from them assumes:</b> values are {escape(manifest['assumption'])}.</p>",
        _table(["column", "method", "imputed", "share", "R-hat", "notes"], _columns(manifest["columns"])),
        _policies(manifest.get("policies", {})),
        *(f"<p>{escape(sentence)}.</p>" for sentence in (*completed.warnings, *completed.chains)),
        *(f"<p>{escape(name)} is left as it is: {escape(why)}.</p>" for name, why in manifest["left"].items()),
        _mcar(completed),
    ]
    for name, figure in figures.items():
        parts.append(f"<h2>{_TITLES[name]}</h2>")
        if name in _NOTES:
            parts.append(f'<p class="quiet">{_NOTES[name]}</p>')
        parts.append(f'<img alt="{_TITLES[name]}" src="data:image/png;base64,{_encoded(figure)}">')
    parts.append("<h2>How it was made</h2>" + _table(["", ""], [(name, str(manifest[name])) for name in settings]))
    head = f"<!doctype html><meta charset=utf-8><title>Completed data sets</title><style>{_STYLE}</style>"
    return head + "\n".join(parts)


def _policies(policies: Mapping[str, str]) -> str:
    return _table(["column", "policy"], list(policies.items())) if policies else ""


def _columns(columns: Mapping[str, Mapping[str, object]]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            str(column["method"]),
            f"{column['imputed']:,}",
            f"{column['imputed_share']:.1%}",
            "" if column.get("rhat") is None else f"{column['rhat']:.3f}",
            texts(column["notes"]),  # type: ignore[arg-type]
        )
        for name, column in columns.items()
    ]


def _mcar(completed: Completed) -> str:
    test = _tested(completed.frame(1))
    if test is None or not test.df:
        return ""
    return (
        f"<p>Little's test that values are missing completely at random: chi-square {test.statistic:.2f}, "
        f"df {test.df}, p {test.p_value:.3g}, effect {test.effect:.3f}. "
        f"<b>It can't prove that they are</b>: {test.caution}.</p>"
    )


def _tested(frame: "pd.DataFrame") -> McarTest | None:
    plain, missing = _with_missing(frame)
    numeric = [place for place, name in enumerate(plain) if frame[name].dtype.kind in "fiu"]
    if len(numeric) < 2:
        return None
    values = np.stack([frame[plain[place]].to_numpy(np.float64) for place in numeric], axis=1)
    values[missing[:, numeric]] = np.nan
    try:
        return little(values, [plain[place] for place in numeric])
    except (DataError, np.linalg.LinAlgError):
        return None


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"


def _encoded(figure: "Figure") -> str:
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return base64.b64encode(image.getvalue()).decode()
