"""Counter-based random numbers: hashes of keys, without a state."""

import zlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer (Steele, Lea & Flood 2014): a bijection whose output bits depend on all input bits."""
    with np.errstate(over="ignore"):
        z = values + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def keyed(keys: NDArray[np.uint64], *what: int | str) -> NDArray[np.uint64]:
    """(n,) 64 random bits for each row, keyed by the row and by their use, such as seed and column."""
    bits = keys
    for part in what:
        number = zlib.crc32(part.encode()) if isinstance(part, str) else part & 0xFFFFFFFFFFFFFFFF
        bits = mixed(bits ^ mixed(np.array([number], np.uint64)))
    return bits


_WORD = 0xFFFFFFFFFFFFFFFF

_POISSON = np.exp(-1.0) * np.cumsum(1 / np.cumprod(np.maximum(np.arange(13.0), 1)))


def _mixed(z: int) -> int:
    """`mixed` of one number."""
    z = (z + 0x9E3779B97F4A7C15) & _WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
    return z ^ (z >> 31)


def stream(*what: int | str) -> int:
    """One number for a use of random numbers (seed, draw, cycle, column): `keyed` of the key 0."""
    bits = 0
    for part in what:
        bits = _mixed(bits ^ _mixed(zlib.crc32(part.encode()) if isinstance(part, str) else part & _WORD))
    return bits


def seed_of(*what: int | str) -> int:
    """A 31-bit seed, which every library accepts, for a use of random numbers."""
    return stream(*what) >> 33


def uniform(keys: NDArray[np.uint64], *what: int | str) -> NDArray[np.float64]:
    """(n,) uniform numbers inside (0, 1), one for each row."""
    bits = mixed(mixed(keys) ^ np.uint64(stream(*what)))
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def poisson(keys: NDArray[np.uint64], *what: int | str) -> NDArray[np.intp]:
    """(n,) Poisson numbers of mean 1, the multiplicities of rows in a bootstrap."""
    return np.searchsorted(_POISSON, uniform(keys, *what))


def normal(keys: NDArray[np.uint64], *what: int | str) -> NDArray[np.float64]:
    """(n,) standard normal numbers, one for each row (Box & Muller 1958)."""
    radius = np.sqrt(-2 * np.log(uniform(keys, *what, "radius")))
    return np.asarray(radius * np.cos(2 * np.pi * uniform(keys, *what, "angle")))


def generator(*what: int | str) -> np.random.Generator:
    """A generator for a use that belongs to no row, such as a model's parameters (Philox, counter-based)."""
    return np.random.Generator(np.random.Philox(key=stream(*what)))
