"""Fitting of models to rows."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute
from imputedb.imputers import random
from imputedb.imputers.chained.blas import one_thread
from imputedb.imputers.chained.column_model import Matrix
from imputedb.imputers.order import by_key, by_name, training_rows
from imputedb.imputers.protocol import Progress
from imputedb.imputers.rows import Rows
from imputedb.models.drift import bins
from imputedb.models.feature import Feature, feature
from imputedb.models.fitted import Fitted
from imputedb.models.lines import lines
from imputedb.models.material import Material
from imputedb.models.mean import centre
from imputedb.models.over_rows import over_rows
from imputedb.models.target import FitSettings, Target

LINEAR = ("norm", "logistic", "multinomial", "ordered", "pmm")
"""Families that predict numbers by linear functions."""


def fit(
    rows: Rows,
    targets: Sequence[Column],
    types: Mapping[Column, str],
    settings: FitSettings | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """A model of some columns, fitted to rows.

    Args:
        rows: the rows to learn from; those for which `rows.learn` is false are left out.
        targets: the columns to fill in; every column predicts the others, targets included.
        types: the SQL types of all columns.
        settings: the family of functions, the numbers of rows and draws, the seed.
        progress: a callback that is given the share done.

    Raises:
        CannotImpute: no value of a target is observed.
    """
    settings = settings or FitSettings()
    order = by_name(rows.columns)
    rows = by_key(_sampled(training_rows(rows), settings.sample))[0]
    everyone = np.ones(len(rows.keys), bool)
    features = tuple(feature(c, types.get(c, ""), rows.columns[c], everyone) for c in order)
    x = np.stack([one.encoded(rows.columns[one.column]) for one in features])
    places = _order([order.index(column) for column in targets], x, features)
    material = Material(rows, features, x, places, settings)
    with one_thread():
        found = _learnt(material, progress or (lambda _: None))
    if progress:
        progress(1.0)
    return Fitted(settings, len(rows.keys), features, found, bins(features, x))


def _sampled(rows: Rows, most: int) -> Rows:
    if len(rows.keys) <= most:
        return rows
    return rows.at(np.sort(np.argpartition(ranks(rows.keys), most)[:most]))


def ranks(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(n,) pseudorandom ranks of rows by their keys; a sample is the rows of the lowest ranks."""
    return random.mixed(keys)


def _order(places: Sequence[int], x: Matrix, features: Sequence[Feature]) -> list[int]:
    """The targets, by rising numbers of missing values."""
    for place in places:
        if np.isnan(x[place]).all():
            raise CannotImpute(
                f"no value of {features[place].column} is observed in the rows that are learnt from ({x.shape[1]:,}): "
                "take a larger sample, or other rows"
            )
    return sorted(places, key=lambda place: (int(np.isnan(x[place]).sum()), place))


def _learnt(material: Material, progress: Progress) -> tuple[Target, ...]:
    """The functions of all targets, in the order in which they are drawn."""
    settings, features, places = material.settings, material.features, material.places
    if settings.method == "mean":
        centres = [centre(features[place], material.observed(place)) for place in places]
        return tuple(Target(p, one, (one,) * settings.draws) for p, one in zip(places, centres, strict=True))
    straight = [place for place in places if settings.method in LINEAR and not features[place].classes]
    found = lines(material, straight)
    found |= over_rows(material, [place for place in places if place not in found], progress)
    return tuple(found[place] for place in places)
