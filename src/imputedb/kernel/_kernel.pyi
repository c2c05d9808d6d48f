from collections.abc import Callable

from numpy import float64, generic, int32, int64, uint8, uint64
from numpy.typing import NDArray

class Ranks:
    def __init__(self, values: NDArray[generic], missing: NDArray[uint8] | None, categories: int) -> None: ...

def fill(
    values: list[NDArray[generic] | tuple[Ranks, NDArray[int64]]],
    missing: list[NDArray[uint8] | None],
    categories: list[int],
    targets: list[tuple[int, int, bool]],
    outputs: list[NDArray[generic]],
    keys: NDArray[uint64] | None,
    of_draw: NDArray[int64] | None,
    cycles: int,
    leaves: int,
    min_leaf: int,
    seed: int,
    draws: list[int],
    fitted_rows: int,
    threads: int,
    progress: Callable[[float], object] | None,
) -> tuple[int, list[tuple[int, float, list[int]]], list[int], list[list[float]]]: ...
def bin(  # noqa: A001
    values: NDArray[generic], missing: NDArray[uint8] | None, nominal: bool, bins: int
) -> tuple[list[int], list[float], list[int]]: ...
def grow(
    codes: list[list[int]], y: list[float], classes: int, leaves: int, min_leaf: int, min_gain: float
) -> list[tuple[int, int, bool, int, int, float, float, int]]: ...

class Donors:
    def __init__(self, width: int, ids: NDArray[int32]) -> None: ...
    def put(self, column: int, values: NDArray[float64]) -> None: ...
    @property
    def rows(self) -> int: ...
    def nearest(
        self,
        queries: NDArray[float64],
        parts: NDArray[int32],
        weights: NDArray[float64],
        expected: NDArray[float64],
        range_offsets: NDArray[int64],
        begins: NDArray[int64],
        ends: NDArray[int64],
        cell_offsets: NDArray[int64],
        targets: NDArray[int32],
        copies: list[NDArray[uint8]],
        k: int,
        threads: int,
        ids: NDArray[int32],
        distances: NDArray[float64],
        progress: Callable[[float], object] | None,
    ) -> None: ...

class Equations:
    def __init__(self, q: int, steps: list[int], leading: int, scale: list[float], shift: list[float]) -> None: ...
    def add(self, rows: float, missing: NDArray[uint8], gram: NDArray[float64]) -> None: ...
    def keep(self, rows: NDArray[float64], missing: NDArray[uint8]) -> None: ...
    def expect(
        self, cycles: int, still: float, many: int, b: NDArray[float64], sigma: NDArray[float64]
    ) -> tuple[list[float], list[int]]: ...
    def draw(
        self,
        keys: NDArray[uint64],
        cycles: int,
        watched: list[int],
        b: NDArray[float64],
        sigma: NDArray[float64],
        traced: NDArray[float64],
        moments: NDArray[float64],
        threads: int,
        progress: Callable[[float], object] | None,
    ) -> None: ...

class Imputation:
    def __init__(
        self,
        x: NDArray[float64],
        starts: NDArray[int64],
        missing: NDArray[uint8],
        fitted_rows: NDArray[int64],
        keys: NDArray[uint64],
        columns: list[int],
        now: NDArray[float64],
    ) -> None: ...
    def match(
        self, column: int, key: int, donors: int, bootstrap: bool, barred: NDArray[uint8], out: NDArray[int64]
    ) -> None: ...
    def regress(self, column: int, key: int, barred: NDArray[uint8]) -> None: ...
    def put(self, column: int, values: NDArray[float64]) -> None: ...
    def gram(self, out: NDArray[float64]) -> None: ...

def fit_logits(
    x: NDArray[float64],
    codes: NDArray[float64],
    weights: NDArray[float64],
    classes: int,
    beta: NDArray[float64],
    root: NDArray[float64],
) -> bool: ...
def fill_pattern_matrix(
    x: NDArray[float64],
    starts: NDArray[int64],
    missing: NDArray[uint8],
    keys: NDArray[uint64],
    steps: list[int],
    start_b: NDArray[float64],
    start_sigma: NDArray[float64],
    b: NDArray[float64],
    sigma: NDArray[float64],
    draws: NDArray[uint64],
    wanted: list[int],
    places: list[int],
    out: NDArray[float64],
    threads: int,
) -> None: ...

Plain = tuple[list[int], list[int], list[float], list[int], list[int], list[int], list[int], list[int]]

def boost(
    x: NDArray[float64],
    levels: NDArray[int32],
    y: NDArray[float64],
    weight: NDArray[float64],
    held: NDArray[uint8],
    scores: NDArray[float64],
    loss: int,
    classes: int,
    rounds: int,
    patience: int,
    leaves: int,
    depth: int,
    min_leaf: int,
    rate: float,
    l2: float,
    progress: Callable[[float], object] | None,
) -> tuple[list[Plain], list[float]]: ...

class Scorer:
    def __init__(
        self,
        intercept: float,
        features: list[int],
        starts: list[int],
        centres: list[float],
        slopes: list[float],
        absent: list[float],
        steps: list[float],
        roots: list[int],
        split: NDArray[int32],
        thresholds: NDArray[float64],
        left: NDArray[int32],
        right: NDArray[int32],
        missing: NDArray[uint8],
        sets: NDArray[int32],
        words: NDArray[uint64],
    ) -> None: ...
    def score(
        self,
        x: NDArray[float64],
        rows: NDArray[int64],
        out: NDArray[float64],
        threads: int,
        progress: Callable[[float], object] | None,
    ) -> None: ...
    def score_one(self, x: NDArray[float64]) -> float: ...
