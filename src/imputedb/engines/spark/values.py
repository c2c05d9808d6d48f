"""Values for Spark with DuckDB's results: integers that fail on overflow, infinities, rounding."""

from collections.abc import Callable, Mapping

from sqlglot import exp

from imputedb.engines.spark.kinds import Kinds, ValueSort
from imputedb.errors import Unplanned

HUGE = "DECIMAL(38, 0)"
_SEVERAL = "".join(letter for letter in map(chr, range(0x80, 0x10000)) if len(letter.upper()) > 1)
"""Letters whose upper case has several letters."""


def quotient(_: Kinds, node: exp.Div) -> exp.Expression:
    """A quotient of doubles, infinite or NaN where the divisor is 0."""
    above, below = double(node.this), double(node.expression)
    divided = exp.Div(this=above, expression=below, typed=True, safe=False)
    if isinstance(node.expression, exp.Literal) and float(node.expression.this) != 0:
        return exp.Paren(this=divided)
    if not node.expression.find(exp.Column):  # Sail evaluates constants even in a branch not taken
        divided.set("expression", exp.Nullif(this=below, expression=double(exp.Literal.number(0))))
    infinite = exp.Mul(this=above.copy(), expression=double(exp.Literal.string("Infinity")))
    zero = exp.EQ(this=below.copy(), expression=double(exp.Literal.number(0)))
    return exp.If(this=zero, true=infinite, false=divided)


def rounded(kinds: Kinds, node: exp.Round) -> exp.Expression:
    """A number rounded to some digits: for doubles multiplied, rounded to an integer and divided, as in DuckDB."""
    digits, kind = node.args.get("decimals"), kinds.of(node.this)
    if digits is None or kind in (ValueSort.DECIMAL, ValueSort.WHOLE):
        return node
    if kind is not ValueSort.DOUBLE or not isinstance(digits, exp.Literal) or not 0 <= int(digits.this) < 16:
        raise Unplanned(f"{shown(node)}: how it is rounded depends on a type that cannot be told")
    power = double(exp.Literal.number(10 ** int(digits.this)))
    large = exp.Mul(this=exp.Paren(this=node.this.copy()), expression=power)
    small = exp.Div(this=exp.Round(this=large), expression=power.copy(), typed=True)
    return exp.If(this=_is_below(large, "Infinity"), true=small, false=double(node.this))


def to_whole(kinds: Kinds, node: exp.Expression) -> exp.Expression:
    """The floor or ceiling of a number; doubles beyond 2**53 stay as they are, since Spark returns a BIGINT."""
    kind, found = kinds.of(node.this), node.copy()
    if kind is ValueSort.DECIMAL:
        return node
    if kind not in (ValueSort.DOUBLE, ValueSort.WHOLE):
        raise Unplanned(f"{shown(node)}: how it is rounded depends on a type that cannot be told")
    if kind is ValueSort.WHOLE:
        return double(node.this)
    return exp.If(this=_is_below(node.this, str(2**53)), true=double(found), false=double(node.this))


def _is_below(value: exp.Expression, bound: str) -> exp.LT:
    return exp.LT(this=exp.Abs(this=double(value)), expression=double(exp.Literal.string(bound)))


def added(kinds: Kinds, node: exp.Add) -> exp.Expression:
    """A sum; of a date and a whole number, the date so many days later."""
    if kinds.of(node.this) is ValueSort.DATE and kinds.of(node.expression) is ValueSort.WHOLE:
        return exp.Anonymous(this="date_add", expressions=[node.this.copy(), node.expression.copy()])
    return whole(kinds, node)


def whole(kinds: Kinds, node: exp.Expression) -> exp.Expression:
    """Integer arithmetic in a wider type, then cast back to its own, so that overflow fails."""
    sides = [node.args[key] for key in ("this", "expression") if node.args.get(key) is not None]
    found_kinds = [kinds.of(one) for one in sides]
    if set(found_kinds) <= {ValueSort.WHOLE, None} and not any(
        isinstance(one, exp.Interval | exp.Null) for one in sides
    ):
        if None in found_kinds or None in map(kinds.width, sides):
            raise Unplanned(f"{shown(node)}: whether it overflows depends on a type that cannot be told")
    else:
        return node
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return node
    width, most = kinds.width(node), _most(node)
    if most is not None and most < _WIDEST.get(width or "", 0):
        return node
    wider = HUGE if width in (None, "BIGINT", "HUGEINT") else "BIGINT"
    for key in ("this", "expression"):
        if node.args.get(key) is not None:
            node.set(key, cast_to(node.args[key], wider))
    found = node if not isinstance(node, exp.Neg) else exp.Neg(this=node.this)
    return exp.Paren(this=found.copy()) if width in (None, "HUGEINT") else cast_to(found, width)


_WIDEST = {"INT": 2**31, "BIGINT": 2**63}


def _most(node: exp.Expression) -> int | None:
    """An upper bound of a nonnegative integer expression, from its text alone; None where there is none."""
    match node:
        case exp.Literal():
            return None if node.is_string or not node.this.isdigit() else int(node.this)
        case exp.Paren():
            return _most(node.this)
        case exp.BitwiseAnd():
            return next((most for side in (node.this, node.expression) if (most := _most(side)) is not None), None)
        case exp.Mod():
            most = _most(node.expression)
            return (most and _most(node.this) is not None and most - 1) or None
        case exp.BitwiseXor() | exp.Mul():
            sides = [_most(node.this), _most(node.expression)]
            if sides[0] is None or sides[1] is None:
                return None
            return sides[0] * sides[1] if isinstance(node, exp.Mul) else (1 << max(sides[0], sides[1]).bit_length()) - 1
        case exp.Anonymous(this="shiftright", expressions=[moved, _]):
            return _most(moved)
        case _:
            return None


def to_power(_: Kinds, node: exp.Pow) -> exp.Expression:
    """A power; for base 0 and a negative exponent it is infinite, without asking Spark."""
    base, power = double(node.this), double(node.expression)
    if isinstance(node.expression, exp.Literal):
        return exp.Pow(this=base, expression=power)
    zero = double(exp.Literal.number(0))
    endless = exp.And(this=exp.EQ(this=base, expression=zero), expression=exp.LT(this=power, expression=zero.copy()))
    safe = exp.If(this=endless.copy(), true=double(exp.Literal.number(1)), false=base.copy())
    found = exp.Pow(this=safe, expression=power.copy())
    return exp.If(this=endless, true=double(exp.Literal.string("Infinity")), false=found)


def logarithm(_: Kinds, node: exp.Ln) -> exp.Expression:
    """A logarithm; for 0 it is minus infinity and for negative numbers NaN, where Spark returns NULL."""
    value = double(node.this)
    zero = double(exp.Literal.number(0))
    lowest, none = double(exp.Literal.string("-Infinity")), double(exp.Literal.string("NaN"))
    below = exp.If(this=exp.LT(this=value.copy(), expression=zero.copy()), true=none, false=exp.Ln(this=value))
    return exp.If(this=exp.EQ(this=value.copy(), expression=zero), true=lowest, false=below)


def number(_: Kinds, node: exp.Literal) -> exp.Expression:
    """A numeric literal; doubles that Spark cannot read as numbers are cast from text."""
    if node.is_string or "e" not in node.this.lower() or 1e-300 < float(node.this) < 1e300:
        return node
    return double(exp.Literal.string("Infinity" if float(node.this) == float("inf") else node.this))


def change_case(_: Kinds, node: exp.Expression) -> exp.Expression:
    """Upper or lower case; Spark fails for letters that become several or depend on their place, unlike in DuckDB."""
    kept = "İΣ" if isinstance(node, exp.Lower) else _SEVERAL
    pattern = exp.Literal.string(f"[{kept}]")
    message = exp.Literal.string(f"{shown(node)}: a letter, such as ß or Σ, is written otherwise in Spark")
    found = called("rlike", node.this.copy(), pattern)
    return exp.If(this=found, true=exp.cast(called("raise_error", message), "TEXT"), false=node.copy())


def right_shift(kinds: Kinds, node: exp.BitwiseRightShift) -> exp.Expression:
    """A right shift by a literal number of bits."""
    bits, width = node.expression, kinds.width(node.this)
    most = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64}.get(width or "", 0)
    if not isinstance(bits, exp.Literal) or bits.is_string or int(bits.this) >= most:
        raise Unplanned(f"{shown(node)}: by a written number of bits that its type has are numbers shifted in Spark")
    return exp.Anonymous(this="shiftright", expressions=[node.this.copy(), node.expression.copy()])


def exclusive_or(_: Kinds, node: exp.BitwiseXor) -> exp.Expression:
    """Exclusive or of two numbers: a function in DuckDB, and an operator of low precedence in Spark."""
    sides = [
        one.copy() if isinstance(one, exp.Paren) else exp.Paren(this=one.copy()) for one in node.iter_expressions()
    ]
    return exp.Paren(this=exp.BitwiseXor(this=sides[0], expression=sides[1]))


def skewness(node: exp.Skewness, where: exp.Where | None = None) -> exp.Expression:
    """Skewness with DuckDB's correction for small samples, over the rows of a FILTER."""

    def over(call: exp.Expression) -> exp.Expression:
        return exp.Filter(this=call, expression=where.copy()) if where is not None else call

    value = double(node.this)
    n, some = double(over(exp.Count(this=value))), over(exp.Skewness(this=value.copy()))
    less = [exp.Paren(this=exp.Sub(this=n.copy(), expression=double(exp.convert(by)))) for by in (1, 2)]
    root = exp.Sqrt(this=exp.Mul(this=n.copy(), expression=less[0]))
    factor = exp.Div(this=root, expression=less[1], typed=True, safe=False)
    enough = exp.GT(this=n, expression=double(exp.convert(2)))
    return exp.If(this=enough, true=exp.Mul(this=factor, expression=some), false=double(exp.Null()))


def finite(node: exp.Expression) -> exp.Expression:
    """Whether a number is finite; NaN is larger than all others in Spark too."""
    return _is_below(node.expressions[0], "Infinity")


def infinite(_: Kinds, node: exp.IsInf) -> exp.Expression:
    """Whether a number is infinite."""
    return exp.EQ(this=exp.Abs(this=double(node.this)), expression=double(exp.Literal.string("Infinity")))


def sign(kinds: Kinds, node: exp.Sign) -> exp.Expression:
    """The sign of a number; 0 for NaN."""
    if kinds.of(node.this) is not ValueSort.DOUBLE:
        return node
    return exp.If(this=exp.IsNan(this=node.this.copy()), true=double(exp.convert(0)), false=node.copy())


def added_exactly(node: exp.Expression) -> exp.Expression:
    """A sum of doubles; Spark does not compensate rounding errors."""
    return exp.Sum(this=double(node.expressions[0]))


def excess_kurtosis(node: exp.Expression) -> exp.Expression:
    """The excess kurtosis of the observed values."""
    return called("kurtosis", double(node.expressions[0]))


def cast_to(value: exp.Expression, name: str) -> exp.Cast:
    """A value cast to a Spark type."""
    return exp.cast(value.copy(), name)


def called(name: str, *arguments: exp.Expression) -> exp.Anonymous:
    """A call of a Spark function."""
    call = exp.Anonymous(this=name, expressions=list(arguments))
    call.meta["ours"] = True
    return call


def double(value: exp.Expression) -> exp.Cast:
    """A value as a double."""
    return exp.cast(value.copy(), "DOUBLE")


def shown(node: exp.Expression) -> str:
    """An expression, shortened for an error message."""
    text = node.sql(dialect="duckdb")
    return text if len(text) <= 80 else f"{text[:77]}..."


CHANGES: Mapping[type[exp.Expression], Callable[[Kinds, exp.Expression], exp.Expression]] = {
    exp.Div: quotient,
    exp.Round: rounded,
    **dict.fromkeys((exp.Ceil, exp.Floor), to_whole),
    exp.Add: added,
    **dict.fromkeys((exp.Sub, exp.Mul, exp.Neg, exp.Abs, exp.IntDiv), whole),
    exp.Pow: to_power,
    exp.Ln: logarithm,
    exp.Literal: number,
    **dict.fromkeys((exp.Upper, exp.Lower), change_case),
    exp.BitwiseRightShift: right_shift,
    exp.BitwiseXor: exclusive_or,
    exp.IsInf: infinite,
    exp.Sign: sign,
}
"""Translations of values, by class of node."""

CALLS: Mapping[str, Callable[[exp.Expression], exp.Expression]] = {
    "isfinite": finite,
    "fsum": added_exactly,
    "kurtosis_pop": excess_kurtosis,
}
"""Translations of functions for which sqlglot has no class."""
