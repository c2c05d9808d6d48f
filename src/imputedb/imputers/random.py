"""Counter-based random numbers: a hash of what they are for, never a state that advances."""

import zlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer (Steele, Lea & Flood 2014): a bijection, each bit out depending on each bit in."""
    with np.errstate(over="ignore"):
        z = values + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def keyed(keys: NDArray[np.uint64], *what: int | str) -> NDArray[np.uint64]:
    """(n,) 64 random bits a row, keyed by the row and by what they are for, such as a seed and a column."""
    bits = keys
    for part in what:
        number = zlib.crc32(part.encode()) if isinstance(part, str) else part & 0xFFFFFFFFFFFFFFFF
        bits = mixed(bits ^ mixed(np.array([number], np.uint64)))
    return bits
