"""Random numbers of kept models: hashes of a row's key and of a purpose, the same in NumPy and in SQL.

A step of the hash takes the exclusive or with 32-bit words, multiplies by a 31-bit factor, and takes the remainder by a
31-bit prime. Products fit into the 63 bits that every engine has, and a step reads its operand once. This module
computes the hash by NumPy; `numbers` writes it as SQL.
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
"""The factor and the modulus of each step."""
LOW, HIGH, UNIFORM = (0, 1), (2, 3), (0, 1, 4)
"""The steps for a key's lower half, for its upper half, and for a uniform number."""
UNIT = 1 / STEPS[UNIFORM[-1]][1]
"""The factor that brings a hash plus one half into (0, 1)."""


def halves(bits: int) -> tuple[int, int]:
    """The lower and the upper 32 of 64 bits."""
    return bits & WORD, bits >> 32 & WORD


def keys(numbers: NDArray[np.generic], salt: int) -> Bits:
    """(n,) 64-bit keys for the random numbers of rows.

    Args:
        numbers: (n,) whole numbers that tell the rows of one table apart.
        salt: 64 bits that tell tables apart.
    """
    low, high = _halves(np.ma.getdata(numbers).astype(np.uint64))
    return _hashed(low, high, salt, LOW) | _hashed(high, low, salt, HIGH) << np.uint64(32)


def uniform(keys: Bits, *what: int | str) -> Uniform:
    """(n,) uniform numbers in (0, 1), one for each key; `what` names their purpose, as in `stream`."""
    return np.asarray((_hashed(*_halves(keys), stream(*what), UNIFORM).astype(np.float64) + 0.5) * UNIT)


def normal(keys: Bits, *what: int | str) -> Uniform:
    """(n,) standard normal numbers, one for each key, by the Box-Muller transform (Box & Muller 1958)."""
    radius = np.sqrt(-2 * np.log(uniform(keys, *what, "radius")))
    return np.asarray(radius * np.cos(2 * np.pi * uniform(keys, *what, "angle")))


def _halves(bits: Bits) -> tuple[Bits, Bits]:
    return bits & np.uint64(WORD), bits >> np.uint64(32)


def _hashed(one: Bits, other: Bits, by: int, steps: tuple[int, ...]) -> Bits:
    """(n,) 31-bit hashes of two words and of the two halves of 64 bits."""
    low, high = map(np.uint64, halves(by))
    bits = _stepped(one ^ low, steps[0])
    bits = _stepped(bits ^ high ^ other, steps[1])
    return _stepped(bits ^ low, steps[2]) if steps[2:] else bits


def _stepped(bits: Bits, step: int) -> Bits:
    factor, prime = STEPS[step]
    return bits * np.uint64(factor) % np.uint64(prime)
