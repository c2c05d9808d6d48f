"""How far one answer is from another: groups are matched by key, and groups that have no match are counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Key = tuple[Any, ...]


def groups(rows: Iterable[Sequence[Any]], values: int = 1) -> dict[Key, tuple[float, ...]]:
    """An answer by its groups: the last `values` columns are the aggregates, those before them the key.

    A group whose key is NULL, or that has no value, is none.
    """
    found = {}
    for row in rows:
        key, cells = tuple(row[:-values]), row[-values:]
        if None not in key and None not in cells:
            found[key] = tuple(float(cell) for cell in cells)
    return found


def deviation(one: float, other: float) -> float:
    """|a - b| / (|a| + |b|) in percent, from 0 to 100; 0 of two zeros."""
    size = abs(one) + abs(other)
    return 100 * abs(one - other) / size if size else 0.0


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer beside another.

    Attributes:
        smape: the mean deviation over the groups of both, in percent; None where there is none.
        lost: groups that only the other has.
        invented: groups that only this one has.
    """

    smape: float | None
    lost: int
    invented: int


def compared(answer: Mapping[Key, tuple[float, ...]], other: Mapping[Key, tuple[float, ...]]) -> Compared:
    """The paper's symmetric mean absolute percentage error: each group counts the same, whatever its rows."""
    shared = [key for key in other if key in answer]
    deviations = [deviation(answer[key][0], other[key][0]) for key in shared]
    smape = sum(deviations) / len(shared) if shared else None
    return Compared(smape, len(other) - len(shared), len(answer) - len(shared))


def fraction(answer: Mapping[Key, tuple[float, ...]], other: Mapping[Key, tuple[float, ...]]) -> float:
    """Rows that this answer's aggregates stand on over those of the other."""
    whole = sum(values[0] for values in other.values())
    return sum(values[0] for values in answer.values()) / whole if whole else 1.0


def error(answer: Mapping[Key, tuple[float, ...]], truth: Mapping[Key, tuple[float, ...]]) -> float:
    """How wrong an answer is, in percent: the mean deviation over the groups of either, a group by its rows.

    The groups' values are pairs of an average and the rows it stands on. A group that is lost or invented is 100 %
    wrong; its rows are those of whoever has it, and of a group that both have the larger number.
    """
    wrong = total = 0.0
    for key in {**truth, **answer}:
        ours, theirs = answer.get(key), truth.get(key)
        rows = max(ours[1] if ours else 0.0, theirs[1] if theirs else 0.0)
        wrong += rows * (deviation(ours[0], theirs[0]) if ours and theirs else 100.0)
        total += rows
    return wrong / total if total else 0.0
