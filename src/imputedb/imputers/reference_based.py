"""Reference-based imputation of trials: the visits of patients after withdrawal follow another arm."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imputedb.algebra.column import Column
from imputedb.errors import CannotImpute, QueryError
from imputedb.imputers import random
from imputedb.imputers.arms import Arm, Moments, fill_between, gaps_between, last, root, slopes_on
from imputedb.imputers.chained.chained import Chained
from imputedb.imputers.chained.column_model import Matrix
from imputedb.imputers.chained.pmm import Pmm
from imputedb.imputers.protocol import Progress, Work
from imputedb.imputers.rows import Array, Cells, Rows
from imputedb.statistics.table import Kind

Strategy = Literal["mar", "j2r", "cr", "cir", "lmcf"]

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

EXPECTATIONS = 20
"""Number of parameter draws whose expected values are averaged, if missingness is not monotone."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ReferenceBased:
    """Multiple imputation under reference-based assumptions (Carpenter, Roger & Kenward 2013).

    A row is a patient, a column a visit. In each arm the visits are normal given the covariates, with means and a
    covariance of the arm's own.

    1. Means and covariances of each arm are drawn from their posterior under missing at random (arms.py). Visits before
       a patient's last observed one are imputed under missing at random too.
    2. For a patient last observed at visit t, the strategy determines the joint distribution of all visits: `mar`: the
       own arm's. `cr` (copy reference): the reference's. `j2r` (jump to reference): means of the own arm up to t, of
       the reference after it. `cir` (copy increments in reference): the own arm's mean at t and the increments of the
       reference from there. `lmcf` (last mean carried forward): the own arm's mean at t. In `j2r` and `cir` the
       covariance is the own arm's up to t, and visits after t have the reference's regression on it (their section 4):
       S11 = A11, S21 = R21 R11^-1 A11, S22 = R22 - R21 R11^-1 (R11 - A11) R11^-1 R12.
    3. Visits after t are drawn from it given those up to t. A patient without any visit has the reference's
       distribution, under `j2r`, `cr` and `cir`.

    Single values are expectations. Columns other than visits are imputed by `pmm`, given the visits.

    Warning: Rubin's variance is information-anchored (Cro, Carpenter & Kenward 2019): the share of information lost to
    missing values is the same as under missing at random. It is larger than the variance of the estimate in repeated
    sampling under the strategy, which decreases with more missing values, since these follow the reference.

    Attributes:
        strategy: `mar`, `j2r`, `cr`, `cir` or `lmcf`.
        treatment: the column of arms, without gaps.
        reference: the value of the reference arm in that column.
        visits: numeric columns, in the order of time.
        covariates: complete columns on which the means depend in each arm.
        cycles: cycles of data augmentation, if missingness is not monotone.
    """

    strategy: Strategy
    treatment: str
    reference: str | int | bool
    visits: tuple[str, ...]
    covariates: tuple[str, ...] = ()
    cycles: int = 50

    uses_predictors = True
    proper = True
    reads_whole_tables = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "visits", tuple(self.visits))
        object.__setattr__(self, "covariates", tuple(self.covariates))
        if self.strategy not in STRATEGIES:
            raise QueryError(f"no strategy {self.strategy!r}; there are {', '.join(STRATEGIES)}")
        if not self.visits:
            raise QueryError("no visits: name their columns in the order of time")
        names = [self.treatment, *self.visits, *self.covariates]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise QueryError(f"{twice[0]!r} is named twice among the treatment, visits and covariates")
        if self.cycles < 1:
            raise QueryError(f"cycles is {self.cycles}: ask for 1 or more")

    @property
    def name(self) -> str:
        """The name of the strategy."""
        return self.strategy

    @property
    def assumption(self) -> str:
        """The assumption, as a sentence for readers of the answer."""
        strategy = {
            "mar": "are missing at random in their arm",
            "j2r": f"jump to the means of {self.treatment} = {self.reference} (j2r)",
            "cr": f"are those of {self.treatment} = {self.reference} throughout (cr)",
            "cir": f"move as those of {self.treatment} = {self.reference} do (cir)",
            "lmcf": "stay at the last visit's mean of their arm (lmcf)",
        }[self.strategy]
        return (
            f"assumed is that visits after a row's last observed one {strategy}; intervals are Rubin's, which anchor "
            "information at missing at random (Carpenter, Roger & Kenward 2013; Cro, Carpenter & Kenward 2019)"
        )

    def time(self, work: Work) -> float:
        """The time of one regression for each visit and arm."""
        return 1.0 + 2e-4 * work.rows * len(self.visits)

    def penalty(self, work: Work) -> float:
        """The penalty of linear regressions on the visits: x / (1 + x) for x = |C| / |Attr|."""
        loss = work.targets / work.attributes
        return float(loss / (1 + loss))

    def impute(
        self,
        rows: Rows,
        targets: Sequence[Column],
        seed: int,
        progress: Progress | None = None,
        *,
        drawn: Collection[Column] = (),
        draw: int = 0,
    ) -> Mapping[Column, Array]:
        """Draws of visits, or their expected values; values of other columns by `pmm`.

        Raises:
            CannotImpute: a column does not exist, or is of the wrong kind or incomplete; or an arm has too few rows.
        """
        trial = _Trial(self, rows, targets[0].relation)
        found: dict[Column, Array] = {}
        visits = [column for column in targets if column in trial.columns]
        for some, number in ((True, draw), (False, None)):
            wanted = [column for column in visits if (column in drawn) == some]
            if wanted:
                values = trial.filled(seed, number)
                found |= {column: trial.typed(column, values) for column in wanted}
        others = [column for column in targets if column not in trial.columns]
        if others:
            shown = rows.given({column: found[column] for column in visits})
            mine = [column for column in others if column in drawn]
            found |= Chained(Pmm()).impute(shown, others, seed, progress, drawn=mine, draw=draw)
        return found


class _Trial:
    """The rows of a trial, sorted by their keys."""

    def __init__(self, how: ReferenceBased, rows: Rows, relation: str) -> None:
        self._how, self._rows, self._relation = how, rows, relation
        self.columns = [Column(relation, name) for name in how.visits]
        self._order = np.argsort(rows.keys, kind="stable")
        self._keys = rows.keys[self._order]
        cells = [self._visit(name) for name in how.visits]
        self._y = np.stack([np.where(one.missing, 0.0, one.values.astype(np.float64)) for one in cells], axis=1)
        self._missing = np.stack([one.missing for one in cells], axis=1)
        self._x = np.concatenate([np.ones((len(self._keys), 1)), *map(self._covariate, how.covariates)], axis=1)
        self._learn = np.ones(len(self._keys), bool) if rows.learn is None else rows.learn[self._order]
        self._arms = self._read_arms()
        if self._reference not in self._arms:
            raise CannotImpute(f"none of the rows at hand has {how.treatment} = {how.reference!r}, the reference")

    # -- reading ------------------------------------------------------------------------------------------------------

    def _cells(self, name: str) -> Cells:
        cells = self._rows.columns.get(Column(self._relation, name))
        if cells is None:
            there = ", ".join(sorted(column.name for column in self._rows.columns if column.relation == self._relation))
            raise CannotImpute(f"no column {name!r} that varies among those at hand: {there}")
        return cells.at(self._order)

    def _visit(self, name: str) -> Cells:
        cells = self._cells(name)
        if cells.kind not in (Kind.NUMBER, Kind.INTEGER):
            raise CannotImpute(f"visit {name!r} does not hold numbers, which reference-based imputation needs")
        odd = ~cells.missing & ~np.isfinite(cells.values.astype(np.float64))
        return Cells(cells.values, cells.missing | odd, cells.kind)

    def _covariate(self, name: str) -> Matrix:
        cells = self._complete(name, "covariate")
        if cells.kind is Kind.CATEGORY:
            shown = np.unique(cells.values)[1:]
            return np.asarray((cells.values[:, None] == shown).astype(np.float64))
        return np.asarray(cells.values.astype(np.float64)[:, None])

    def _complete(self, name: str, what: str) -> Cells:
        cells = self._cells(name)
        missing = int(np.count_nonzero(cells.missing))
        if missing:
            way = "; name it as the first visit, or impute it before" if what == "covariate" else ""
            raise CannotImpute(f"{what} {name!r} misses {missing:,} values: it has to be complete{way}")
        return cells

    def _read_arms(self) -> dict[object, Flags]:
        """The rows of each arm."""
        cells = self._complete(self._how.treatment, "treatment")
        codes = np.unique(cells.values)
        named = {cells.levels[code] if cells.kind is Kind.CATEGORY else code.item(): code for code in codes}
        return {name: cells.values == code for name, code in named.items()}

    @property
    def _reference(self) -> object:
        known = {str(name): name for name in self._arms}
        return known.get(str(self._how.reference), self._how.reference)

    def _arm(self, name: object) -> Arm:
        rows = self._arms[name] & self._learn
        arm = Arm(f"{name!r}", self._x[rows], self._y[rows], self._missing[rows], self._how.visits)
        unseen = [visit for place, visit in enumerate(arm.visits) if arm.missing[:, place].all()]
        between = unseen and any(visit in unseen for visit in arm.visits[: int(last(arm.missing).max(initial=0))])
        if between or (unseen and (name == self._reference or self._how.strategy in ("mar", "lmcf"))):
            raise CannotImpute(
                f"no row of arm {arm.name} has {unseen[0 if between else -1]}: its distribution there is unknown"
            )
        return arm

    # -- filling in ---------------------------------------------------------------------------------------------------

    def filled(self, seed: int, draw: int | None) -> Matrix:
        """(n, T) all visits: a draw by its number, or the expected values for None."""
        arms = {name: self._arm(name) for name in self._arms}
        if draw is None and not any(arm.between.any() for arm in arms.values()):
            return self._given({name: arm.expected() for name, arm in arms.items()}, None, seed, 0)
        if draw is None:
            numbers = range(1, EXPECTATIONS + 1)
            return np.asarray(np.mean([self._given(self._drawn(arms, seed, -n), None, seed, -n) for n in numbers], 0))
        return self._given(self._drawn(arms, seed, draw), draw, seed, draw)

    def _drawn(self, arms: Mapping[object, Arm], seed: int, draw: int) -> dict[object, Moments]:
        found: dict[object, Moments] = {}
        for name, arm in arms.items():
            chance = random.generator(seed, draw, "reference", str(name))
            for moments in arm.chain(self._how.cycles, chance):
                found[name] = moments
        return found

    def _given(self, moments: Mapping[object, Moments], draw: int | None, seed: int, number: int) -> Matrix:
        """The visits given the arms' parameters; without a draw's number, expectations after the last observed one."""
        y = self._y.copy()
        noise = np.stack([random.normal(self._keys, seed, number, "visit", name) for name in self._how.visits], axis=1)
        reach = last(self._missing)
        for name, mine in self._arms.items():
            rows = np.flatnonzero(mine)
            part = y[rows]
            fill_between(moments[name], self._x[rows], part, gaps_between(self._missing[rows]), noise[rows])
            y[rows] = part
            for t in np.unique(reach[rows][reach[rows] < y.shape[1]]):
                left = rows[reach[rows] == t]
                self._after(y, left, t, moments[name], moments[self._reference], noise if draw is not None else None)
        return y

    def _after(
        self, y: Matrix, rows: NDArray[np.intp], t: int, own: Moments, ref: Moments, noise: Matrix | None
    ) -> None:
        joint = joined(self._how.strategy, own, ref, t)
        seen = np.arange(y.shape[1]) < t
        means, covariance = joint.given(self._x[rows], y[rows], seen)
        y[np.ix_(rows, ~seen)] = means if noise is None else means + noise[np.ix_(rows, ~seen)] @ root(covariance).T

    def typed(self, column: Column, values: Matrix) -> Array:
        """The values of a column's missing cells, in their own type and the original order of the rows."""
        cells = self._rows.columns[column]
        whole = np.empty(len(self._order))
        whole[self._order] = values[:, self.columns.index(column)]
        found = whole[cells.missing]
        kind = cells.values.dtype
        if kind.kind not in "iu":
            return found.astype(kind)
        limit = np.iinfo(str(kind))
        return np.clip(np.rint(found), float(limit.min), np.nextafter(float(limit.max), 0)).astype(kind)


def joined(strategy: Strategy, own: Moments, reference: Moments, t: int) -> Moments:
    """The joint distribution of the visits of a patient last observed at visit t (Carpenter, Roger & Kenward 2013).

    Args:
        strategy: the strategy.
        own: parameters of the patient's arm.
        reference: parameters of the reference arm.
        t: number of visits up to the last observed one.
    """
    if strategy == "mar":
        return own
    if strategy == "cr" or (t == 0 and strategy in ("j2r", "cir")):
        return reference
    means = own.coefficients.copy()
    match strategy:
        case "j2r":
            means[:, t:] = reference.coefficients[:, t:]
        case "cir":
            steps = reference.coefficients[:, t:] - reference.coefficients[:, [t - 1]]
            means[:, t:] = means[:, [t - 1]] + steps
        case "lmcf":
            means[:, t:] = means[:, [t - 1]] if t else means[:, t:]
            return Moments(means, own.covariance)
    return Moments(means, _borrowed(own.covariance, reference.covariance, t))


def _borrowed(own: Matrix, reference: Matrix, t: int) -> Matrix:
    slopes = slopes_on(reference[:t, :t], reference[t:, :t])
    found = own.copy()
    found[:t, t:] = own[:t, :t] @ slopes
    found[t:, :t] = found[:t, t:].T
    found[t:, t:] = reference[t:, t:] - slopes.T @ (reference[:t, :t] - own[:t, :t]) @ slopes
    return found
