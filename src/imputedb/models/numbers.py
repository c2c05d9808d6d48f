"""Random numbers of kept models as expressions, the same numbers as those of `chance`."""

import math
from dataclasses import dataclass

from imputedb.models.chance import HIGH, LOW, STEPS, UNIFORM, UNIT, WORD, halves
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree


@dataclass(frozen=True, slots=True)
class Key:
    """What random numbers of a row are keyed by.

    Attributes:
        low: its lower half.
        high: its upper half.
    """

    low: Tree
    high: Tree

    @staticmethod
    def of(number: Tree, salt: int) -> "Key":
        """The key of a row.

        Args:
            number: whole, of 64 bits, that tells it from other rows of its table.
            salt: 64 bits that tell the table from others.
        """
        low, high = number, t.arithmetic(">>", number, t.number(32))
        return Key(_hashed(low, high, salt, LOW), _hashed(high, low, salt, HIGH))

    def uniform(self, what: int) -> Tree:
        """A uniform number inside (0, 1), for what 64 bits say."""
        bits = t.cast(_hashed(self.low, self.high, what, UNIFORM), t.plain_type("DOUBLE"))
        return t.arithmetic("*", t.arithmetic("+", bits, t.literal(0.5)), t.literal(UNIT))


def normal(radius: Tree, angle: Tree) -> Tree:
    """A standard normal number made of two uniform ones (Box & Muller 1958)."""
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
    """A number of 32 bits, from which engines see that products of it fit."""
    return t.arithmetic("&", bits, t.number(WORD))
