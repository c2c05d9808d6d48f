"""Families of SQL functions: the single list of what aggregates compute, and of which functions are strict."""

MEANS = frozenset({"avg", "mean", "favg"})
"""Aggregates that average their argument."""

SUMS = frozenset({"sum", "fsum", "sumkahan", "kahan_sum", "sum_no_overflow"})
"""Aggregates that add their argument up."""

COUNTS = frozenset({"count", "count_star"})
"""Aggregates that count rows whose argument is not NULL."""

CONDITION_COUNTS = frozenset({"count_if", "countif"})
"""Aggregates that count rows for which their argument holds."""

PAIR_COUNTS = frozenset({"regr_count"})
"""Aggregates that count rows in which none of their arguments is NULL."""

ALL_COUNTS = COUNTS | CONDITION_COUNTS | PAIR_COUNTS
"""Aggregates that count rows."""

LINEAR = MEANS | SUMS
"""Aggregates that are linear in their argument, so that of expected values they give the expected answer."""

PASSING_WINDOWS = frozenset({"lag", "lead", "first_value", "last_value", "nth_value"})
"""Window functions that show the value of another row."""

PICKING = frozenset({"min", "max", "arg_min", "argmin", "min_by", "arg_max", "argmax", "max_by"}) | frozenset(
    {"any_value", "mode", "median", "quantile", "quantile_disc"}
)
"""Aggregates that show the value of one of their rows, if it is not NULL."""

MULTIPLYING = frozenset({"unnest", "unlist"})
"""Functions that give any number of rows for one, as do macros that call them."""

STRICT = frozenset({
    *("+", "-", "*", "/", "//", "%", "**", "^", "&", "|", "<<", ">>", "~", "@"),
    *("add", "subtract", "multiply", "divide", "mod", "abs", "sign", "round", "floor", "ceil", "ceiling", "trunc"),
    *("sqrt", "cbrt", "exp", "ln", "log", "log2", "log10", "pow", "power", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("atan2", "degrees", "radians", "even", "factorial", "gcd", "lcm", "isnan", "isinf", "isfinite"),
    *("~~", "!~~", "~~*", "!~~*", "~~~", "like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape"),
    *("regexp_matches", "regexp_full_match", "contains", "starts_with", "prefix", "suffix", "ends_with"),
    *("lower", "upper", "lcase", "ucase", "length", "len", "strlen", "trim", "ltrim", "rtrim", "left", "right"),
    *("substring", "substr", "reverse", "replace", "repeat", "strpos", "position", "instr", "ascii", "md5"),
    *("year", "month", "day", "hour", "minute", "second", "quarter", "week", "dayofweek", "dayofyear", "weekday"),
    *("isodow", "isoyear", "yearweek", "decade", "century", "millennium", "epoch", "date_part", "datepart"),
    *("date_trunc", "datetrunc", "date_diff", "datediff", "last_day"),
})  # fmt: skip
"""Scalar functions that are NULL wherever an argument is; `tests/unit/test_strictness.py` asks DuckDB of each."""

DIVIDING = frozenset({"//", "divide"})
"""Functions that divide and leave the rest, of whole numbers."""

ROUNDING = DIVIDING | {"round", "round_even", "roundbankers", "trunc", "floor", "ceil", "ceiling", "even"}
"""Functions that move their first argument to a near number."""

SMOOTH = frozenset({
    *("+", "-", "*", "/", "fdiv", "**", "^", "@", "add", "subtract", "multiply", "abs", "sqrt", "cbrt", "exp", "ln"),
    *("log", "log2", "log10", "pow", "power", "sin", "cos", "tan", "cot", "asin", "acos", "atan", "atan2", "sinh"),
    *("cosh", "tanh", "asinh", "acosh", "atanh", "degrees", "radians", "gamma", "lgamma", "nullif", "ifnull"),
    *("greatest", "least"),
})  # fmt: skip
"""Functions of numbers that move as their arguments do, without a step but where one is no number."""
