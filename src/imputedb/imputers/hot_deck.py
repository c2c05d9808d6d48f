"""The hot deck imputer: a random observed value of the same column."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.imputers.order import labels, named
from imputedb.imputers.protocol import Progress, Work
from imputedb.imputers.random import keyed
from imputedb.imputers.rows import Array, Rows

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class HotDeck:
    """A random donor among the rows in which the column is observed.

    1. The donors of a column are its observed cells in rows to learn from, in the order of the rows' keys. With `by`
       they are those of the missing cell's class, the rows with the same values in these columns (missing ones are a
       class too), or all donors where the class has none.
    2. In a draw, the donors of each class are first replaced by a bootstrap sample of themselves, the approximate
       Bayesian bootstrap (Rubin & Schenker 1986), without which draws vary too little. A class with a single donor
       takes it in every draw.
    3. A missing cell takes a donor at a position drawn uniformly by a hash of (seed, draw, column, row key). With `by`,
       a row with several missing targets takes all from one donor that has them, where its class has one.

    It preserves the column's distribution (Andridge & Little 2010, with one adjustment cell), with `by` within classes.
    Warning: donors are drawn independently of all other columns, so that associations are biased towards zero.

    Attributes:
        by: names of columns that define classes, in any case; `table.column` where several have the name.
    """

    by: tuple[str, ...] = ()

    name = "hotdeck"
    takes_donors = True
    proper = True

    @property
    def uses_predictors(self) -> bool:
        """Whether there are classes."""
        return bool(self.by)

    def time(self, work: Work) -> float:
        """The time of one pass over the rows for each target."""
        return 0.3 + 6e-5 * work.rows * work.targets

    def penalty(self, work: Work) -> float:
        """x / (1 + x) for x = 2 |C| / |Attr|: the expected squared error of a random value is twice the variance."""
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
        """Donors' values.

        Raises:
            UnknownName: a column of `by` is not among the columns of the rows.
            QueryError: several columns have the name.
        """
        filled = {c: rows.columns[c].values[rows.columns[c].missing].copy() for c in targets}
        called = labels(rows.columns)
        classes = self._classes(rows, targets)
        for some, absent in self._recipients(rows, targets):
            label = " ".join(called[column] for column in some)
            chosen = set(some) <= set(drawn)
            what: tuple[int | str, ...] = (seed, draw, label) if chosen else (seed, label)
            donors = _donors(rows, some, what, classes, bootstrap=chosen)
            picked = _donor_rows(donors, rows.keys[absent], classes, absent, what, whole=len(some) == 1)
            for column in some:
                missing = rows.columns[column].missing
                at = (np.cumsum(missing) - 1)[absent[picked >= 0]]
                filled[column][at] = rows.columns[column].values[picked[picked >= 0]]
        return filled

    def _recipients(self, rows: Rows, targets: Sequence[Column]) -> Iterator[tuple[list[Column], Places]]:
        """Targets and the rows that miss them: each target alone, or with classes those that rows miss together."""
        for column in targets:
            yield [column], np.flatnonzero(rows.columns[column].missing)
        if not self.by or len(targets) < 2:
            return
        flags = np.stack([rows.columns[column].missing for column in targets], axis=1)
        sets, which = np.unique(flags, axis=0, return_inverse=True)
        for place, misses in enumerate(sets):
            if misses.sum() > 1:
                some = [column for column, flag in zip(targets, misses, strict=True) if flag]
                yield some, np.flatnonzero(which.ravel() == place)

    def _classes(self, rows: Rows, targets: Sequence[Column]) -> NDArray[np.int64] | None:
        """(n,) the class of each row; None without classes."""
        if not self.by:
            return None
        codes = []
        for name in self.by:
            cells = rows.columns[named(name, rows.columns, targets)]
            codes.append(np.where(cells.missing, -1, np.unique(cells.values, return_inverse=True)[1]))
        return np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1].ravel().astype(np.int64)


def _donors(
    rows: Rows,
    some: Sequence[Column],
    what: tuple[int | str, ...],
    classes: NDArray[np.int64] | None,
    *,
    bootstrap: bool,
) -> Places:
    """Rows that have all of some targets, in the order of their keys; with `bootstrap` a sample within each class."""
    found = np.flatnonzero(np.logical_and.reduce([rows.training(column) for column in some]))
    found = found[np.argsort(rows.keys[found], kind="stable")]
    if not bootstrap or not len(found):
        return found
    line = np.zeros(len(found), np.int64) if classes is None else classes[found]
    turn = np.argsort(line, kind="stable")
    found, line = found[turn], line[turn]
    begin, end = np.searchsorted(line, line, "left"), np.searchsorted(line, line, "right")
    lots = keyed(rows.keys[found], *what, "bootstrap") % (end - begin).astype(np.uint64)
    return np.asarray(found[begin + lots.astype(np.intp)])


def _donor_rows(
    donors: Places,
    keys: NDArray[np.uint64],
    classes: NDArray[np.int64] | None,
    missing: Places,
    what: tuple[int | str, ...],
    *,
    whole: bool,
) -> Places:
    """(g,) the donor of each row to impute: of its class where that has one, else any if `whole`; -1 for none."""
    if not len(donors):
        return np.full(len(missing), -1)
    hashed = keyed(keys, *what)
    picked = donors[(hashed % np.uint64(len(donors))).astype(np.intp)]
    if classes is None:
        return np.asarray(picked)
    order = donors[np.argsort(classes[donors], kind="stable")]
    line = classes[order]
    begin, end = np.searchsorted(line, classes[missing], "left"), np.searchsorted(line, classes[missing], "right")
    some = end > begin
    sizes = np.maximum(end - begin, 1).astype(np.uint64)
    within = order[np.minimum(begin + (hashed % sizes).astype(np.intp), len(order) - 1)]
    return np.where(some, within, picked if whole else -1)
