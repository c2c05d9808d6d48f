"""Targets of which the linear chain says all: many draws at a time, without a model over rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from imputedb.algebra.column import Column
from imputedb.imputers.chained.crossproducts import Chain, Regressions
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.row_models import Modelled
from imputedb.imputers.rows import Array

CELLS = 4_000_000
"""Numbers of rows and draws that are held at a time."""


def linear(targets: Collection[Modelled]) -> bool:
    """Whether the chain's values are the targets'."""
    return all(isinstance(one.model, Normal) for one in targets)


def values(chain: Chain, targets: Sequence[Modelled], regressions: Regressions) -> Iterator[Mapping[Column, Array]]:
    """The missing values of linear targets, in their own types and the order of the rows, draw by draw."""
    size = max(1, CELLS // max(len(chain.x) * len(targets), 1))
    for at in range(0, len(regressions.keys), size):
        some = regressions.only(at, at + size)
        found = _drawn(chain, targets, some)
        for place in range(len(some.keys)):
            yield {one.column: block[place] for one, block in zip(targets, found, strict=True)}


def _drawn(chain: Chain, targets: Sequence[Modelled], regressions: Regressions) -> Sequence[Array]:
    """By target (m, missing) what the chain draws."""
    block = chain.values([one.part.places.start for one in targets], regressions)
    found = [(one, block[:, one.gone, k]) for k, one in enumerate(targets)]
    return [one.typed(drawn.reshape(-1, 1), bounded=False).reshape(drawn.shape) for one, drawn in found]
