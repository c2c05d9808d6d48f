"""Random numbers of kept models: hashes of a row's key and of what they are for, the same wherever they are computed.

A number of 32 bits is combined with others, multiplied by one of 31 bits, and divided by a prime, of which the rest is
taken; then again by others. No product is beyond the 63 bits that every engine has, and an expression of it reads what
it is made of once. Here NumPy computes them; `numbers` writes them for engines.
"""

import numpy as np
from numpy.typing import NDArray

from imputedb.imputers.random import stream

Bits = NDArray[np.uint64]
Uniform = NDArray[np.float64]

WORD = 2**32 - 1
STEPS = (
    *((0x7FEB352D, 2147483647), (0x21F0AAAD, 2147483629), (0x2C1B3C6D, 2147483587)),
    *((0x5BF03635, 2147483579), (0x735A2D97, 2147483563)),
)
"""By what is multiplied in each step, and then divided."""
LOW, HIGH, UNIFORM = (0, 1), (2, 3), (0, 1, 4)
"""The steps of a key's lower half, of its upper half, and of a number made of both."""
UNIT = 1 / STEPS[UNIFORM[-1]][1]
"""What a whole number, plus a half, is multiplied by."""


def halves(bits: int) -> tuple[int, int]:
    """The lower and the upper 32 of 64 bits."""
    return bits & WORD, bits >> 32 & WORD


def keys(numbers: NDArray[np.generic], salt: int) -> Bits:
    """(n,) what random numbers of rows are keyed by.

    Args:
        numbers: that tell them from other rows of their table.
        salt: 64 bits that tell the table from others.
    """
    low, high = _halves(np.ma.getdata(numbers).astype(np.uint64))
    return _hashed(low, high, salt, LOW) | _hashed(high, low, salt, HIGH) << np.uint64(32)


def uniform(keys: Bits, *what: int | str) -> Uniform:
    """(n,) uniform numbers inside (0, 1), a row each, for what `stream` says."""
    return np.asarray((_hashed(*_halves(keys), stream(*what), UNIFORM).astype(np.float64) + 0.5) * UNIT)


def normal(keys: Bits, *what: int | str) -> Uniform:
    """(n,) standard normal numbers, a row each (Box & Muller 1958)."""
    radius = np.sqrt(-2 * np.log(uniform(keys, *what, "radius")))
    return np.asarray(radius * np.cos(2 * np.pi * uniform(keys, *what, "angle")))


def _halves(bits: Bits) -> tuple[Bits, Bits]:
    return bits & np.uint64(WORD), bits >> np.uint64(32)


def _hashed(one: Bits, other: Bits, by: int, steps: tuple[int, ...]) -> Bits:
    """(n,) 31 bits of two words, combined with the halves of 64 bits in turn."""
    low, high = map(np.uint64, halves(by))
    bits = _stepped(one ^ low, steps[0])
    bits = _stepped(bits ^ high ^ other, steps[1])
    return _stepped(bits ^ low, steps[2]) if steps[2:] else bits


def _stepped(bits: Bits, step: int) -> Bits:
    factor, prime = STEPS[step]
    return bits * np.uint64(factor) % np.uint64(prime)
