"""Draws of targets that the linear chain determines: many at a time, without a model over rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from imputedb.algebra.column import Column
from imputedb.imputers.chained.crossproducts import Chain, Regressions
from imputedb.imputers.chained.normal import Normal
from imputedb.imputers.chained.row_models import Modelled
from imputedb.imputers.rows import Array

CELLS = 4_000_000
"""Maximum number of elements, rows times draws, in memory at a time."""


def linear(targets: Collection[Modelled]) -> bool:
    """Whether the linear chain alone gives the values of the targets."""
    return all(isinstance(one.model, Normal) for one in targets)


def values(chain: Chain, targets: Sequence[Modelled], regressions: Regressions) -> Iterator[Mapping[Column, Array]]:
    """The missing values of linear targets in their own types, in the order of the chain's rows, draw by draw."""
    size = max(1, CELLS // max(len(chain.x) * len(targets), 1))
    for at in range(0, len(regressions.keys), size):
        some = regressions.only(at, at + size)
        found = _drawn(chain, targets, some)
        for place in range(len(some.keys)):
            yield {one.column: block[place] for one, block in zip(targets, found, strict=True)}


def _drawn(chain: Chain, targets: Sequence[Modelled], regressions: Regressions) -> Sequence[Array]:
    """(m, missing) values that the chain draws, by target."""
    block = chain.values([one.part.places.start for one in targets], regressions)
    found = [(one, block[:, one.missing_rows, k]) for k, one in enumerate(targets)]
    return [one.typed(drawn.reshape(-1, 1), bounded=False).reshape(drawn.shape) for one, drawn in found]
