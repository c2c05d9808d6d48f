from collections.abc import Callable

from numpy import generic, uint8, uint64
from numpy.typing import NDArray

def fill(
    values: list[NDArray[generic]],
    missing: list[NDArray[uint8] | None],
    nominal: list[int],
    targets: list[int],
    outputs: list[NDArray[generic]],
    keys: NDArray[uint64] | None,
    learn: NDArray[uint8] | None,
    cycles: int,
    leaves: int,
    min_leaf: int,
    draw: bool,
    seed: int,
    draw_number: int,
    train_rows: list[int],
    threads: int,
    progress: Callable[[float], object] | None,
) -> tuple[int, list[tuple[int, float, list[int]]]]: ...
def bin(  # noqa: A001
    values: NDArray[generic], missing: NDArray[uint8] | None, nominal: bool, bins: int
) -> tuple[list[int], list[float], list[int]]: ...
def grow(
    codes: list[list[int]], y: list[float], classes: int, leaves: int, min_leaf: int, min_gain: float
) -> list[tuple[int, int, bool, int, int, float, float, int]]: ...
