"""DuckDB's own notation in standard form: intervals, parts of dates, IN over a query."""

from sqlglot import exp

from imputedb.engines.spark.kinds import ValueSort

_UNITS = {f"to_{word}": word[:-1].upper() for word in ("years", "months", "weeks", "days", "hours", "minutes")}
_PARTS = ("YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE")
_CASTS = (exp.Cast, exp.Trunc, exp.DataType, exp.Literal, exp.Paren, exp.Neg)


def standard_form(node: exp.Expression) -> exp.Expression:
    """A node in standard form, where DuckDB writes it in a form of its own."""
    if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Any):
        return exp.In(this=node.this, query=node.expression.this.unnest().subquery())
    if isinstance(node, exp.Columns) and isinstance(node.parent, exp.Ordered) and isinstance(node.this, exp.Star):
        return exp.var("ALL")
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    if name == "date_part" and isinstance(node.expressions[0], exp.Literal):
        part = node.expressions[0].name.upper()
        return exp.Extract(this=exp.var(part), expression=node.expressions[1]) if part in _PARTS else node
    if name == "list_extract" and _is_of_largest(node):
        return _largest(node)
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Concat):
        return _of_digits(node)
    unit = _UNITS.get("to_days" if isinstance(node, exp.ToDays) else name)
    if unit is None:
        return node
    numbers, casts = list(node.find_all(exp.Literal)), node.find_all(exp.Expression)
    if len(numbers) != 1 or any(not isinstance(one, _CASTS) for one in casts if one is not node):
        return node
    sign = "-" if node.find(exp.Neg) else ""
    return exp.Interval(this=exp.Literal.string(sign + numbers[0].name), unit=exp.var(unit))


def _is_of_largest(node: exp.Anonymous) -> bool:
    """Whether a node is the value at the place of the largest of some numbers, the form of models' categories."""
    values, place = node.expressions
    if not isinstance(values, exp.Array) or not isinstance(place, exp.Anonymous) or len(place.expressions) != 2:
        return False
    numbers, largest = place.expressions
    return place.name.lower() == "list_position" and isinstance(largest, exp.ArrayMax) and largest.this == numbers


def _largest(node: exp.Anonymous) -> exp.Expression:
    values, place = node.expressions
    numbers = place.expressions[0].expressions
    every = _called("array", *(one.copy() for one in numbers))
    largest = exp.Greatest(this=numbers[0].copy(), expressions=[one.copy() for one in numbers[1:]])
    place = _called("array_position", every, largest)
    place.meta["sort"] = ValueSort.WHOLE
    found = exp.cast(place, "INT")
    return _called("element_at", _called("array", *values.expressions), found)


def _of_digits(node: exp.Cast) -> exp.Expression:
    """The integer of a hash's hexadecimal digits after 0x, a form by which texts are keys of random numbers."""
    first, *others = node.this.expressions
    if len(others) != 1 or first.name != "0x" or not isinstance(others[0].this, exp.MD5):
        return node
    digits = _called("substring", _called("md5", others[0].this.this.copy()), *map(exp.convert, (1, 15)))
    found = _called("conv", digits, *map(exp.convert, (16, 10)))
    found.meta["sort"] = ValueSort.TEXT
    return exp.cast(found, "BIGINT")


def _called(name: str, *arguments: exp.Expression) -> exp.Anonymous:
    """A call of a Spark function, marked as imputedb's own."""
    call = exp.Anonymous(this=name, expressions=list(arguments))
    call.meta["ours"] = True
    return call
