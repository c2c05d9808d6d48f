"""Random numbers of kept models as SQL expressions, equal to those of `chance`."""

import math
from dataclasses import dataclass

from imputedb.models.chance import HIGH, LOW, STEPS, UNIFORM, UNIT, WORD, halves
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree


@dataclass(frozen=True, slots=True)
class RandomKey:
    """The key of a row's random numbers, as expressions.

    Attributes:
        low: the lower 32 bits.
        high: the upper 32 bits.
    """

    low: Tree
    high: Tree

    @staticmethod
    def of(number: Tree, salt: int) -> "RandomKey":
        """The key of a row.

        Args:
            number: a 64-bit integer that tells the rows of one table apart.
            salt: 64 bits that tell tables apart.
        """
        low, high = number, t.arithmetic(">>", number, t.number(32))
        return RandomKey(_hashed(low, high, salt, LOW), _hashed(high, low, salt, HIGH))

    def uniform(self, what: int) -> Tree:
        """A uniform number in (0, 1); `what` are 64 bits that name its purpose."""
        bits = t.cast(_hashed(self.low, self.high, what, UNIFORM), t.plain_type("DOUBLE"))
        return t.arithmetic("*", t.arithmetic("+", bits, t.literal(0.5)), t.literal(UNIT))


def normal(radius: Tree, angle: Tree) -> Tree:
    """A standard normal number from two uniform ones, by the Box-Muller transform (Box & Muller 1958)."""
    length = t.call("sqrt", t.arithmetic("*", t.literal(-2.0), t.call("ln", radius)))
    return t.arithmetic("*", length, t.call("cos", t.arithmetic("*", t.literal(2 * math.pi), angle)))


def _hashed(one: Tree, other: Tree, by: int, steps: tuple[int, ...]) -> Tree:
    low, high = map(t.number, halves(by))
    bits = _stepped(t.call("xor", _word(one), low), steps[0])
    bits = _stepped(t.call("xor", t.call("xor", bits, high), _word(other)), steps[1])
    return _stepped(t.call("xor", bits, low), steps[2]) if steps[2:] else bits


def _stepped(bits: Tree, step: int) -> Tree:
    factor, prime = STEPS[step]
    return t.arithmetic("%", t.arithmetic("*", bits, t.number(factor)), t.number(prime))


def _word(bits: Tree) -> Tree:
    """The lower 32 bits of a number, by which engines see that products fit."""
    return t.arithmetic("&", bits, t.number(WORD))
