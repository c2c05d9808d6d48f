"""The hot deck: a random observed value of the same column."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from imputedb.algebra.column import Column
from imputedb.imputers.imputer import Array, Progress, Rows, Work
from imputedb.imputers.order import labels
from imputedb.imputers.random import keyed


class HotDeck:
    """A random donor among the rows at hand where the column is observed.

    1. The donors of a column are its observed cells, of rows that are learnt from, in the order of the rows' keys.
    2. In a draw by number the donors are first a bootstrap of themselves, as many drawn with replacement: the
       approximate Bayesian bootstrap (Rubin & Schenker 1986), without which draws differ too little.
    3. A missing cell takes the donor at a place drawn uniformly by a hash of (seed, draw, column, row key).

    Keeps the column's distribution (Andridge & Little 2010, with one adjustment cell). Warning: donors are drawn
    regardless of the other attributes, so associations between columns are pulled towards zero.
    """

    name = "hotdeck"
    uses_predictors = False
    proper = True

    def time(self, work: Work) -> float:
        """A pass over the rows a target."""
        return 0.3 + 6e-5 * work.rows * work.targets

    def penalty(self, work: Work) -> float:
        """x / (1 + x) of x = 2 |C| / |Attr|: a random value is wrong by twice the variance."""
        loss = 2 * work.targets / work.attributes
        return float(loss / (1 + loss))

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,  # noqa: ARG002
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> Mapping[Column, Array]:
        """Donors' values."""
        filled: dict[Column, Array] = {}
        called = labels(rows.columns)
        for column in targets:
            cells = rows.columns[column]
            observed = rows.taught(column)
            donors = cells.values[observed]
            donors = donors[np.argsort(rows.keys[observed], kind="stable")]
            what: tuple[int | str, ...] = (seed, draw, called[column]) if column in drawn else (seed, called[column])
            if column in drawn:
                lots = keyed(np.arange(len(donors), dtype=np.uint64), *what, "bootstrap") % np.uint64(len(donors))
                donors = donors[lots.astype(np.intp)]
            places = keyed(rows.keys[cells.missing], *what) % np.uint64(len(donors))
            filled[column] = donors[places.astype(np.intp)]
        return filled
