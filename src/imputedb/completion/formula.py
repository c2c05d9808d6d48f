"""Validation of model formulas before a package evaluates them: columns, arithmetic, and a closed list of functions.

patsy and formulaic evaluate the parts of a formula as Python. Since a formula may come from someone who must not run
Python here, each name in it has to be a column, or a function of the list below where it is called.
"""

import io
import keyword
import tokenize
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from tokenize import TokenInfo
from typing import TYPE_CHECKING, Any

import numpy as np

from imputedb.errors import DataError, QueryError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

ELEMENTWISE: Mapping[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        *("log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sign", "square"),
        *("floor", "ceil", "sin", "cos", "tan", "tanh", "minimum", "maximum"),
    )
}
"""Functions of numbers; a formula may also write them with NumPy's name, `log(x)` or `np.log(x)`."""

CODINGS = ("Treatment", "Sum", "Diff", "Helmert", "Poly")
"""Codings of categories within `C(...)`."""

OF_FORMULAS = (
    *("I", "C", "Q", "center", "scale", "standardize", "bs", "cr", "cc", "te"),
    *CODINGS,
)
"""Functions that patsy or formulaic define."""

_ARGUMENTS = (
    *("df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound", "constraints"),
    *("levels", "reference", "omit", "scores", "center", "rescale", "ddof"),
)
_CONSTANTS = ("True", "False", "None")
_COMPUTING = frozenset({"+", "*", "/", "//", "%", "**", "^", ":", "|"})
_OPERATORS = _COMPUTING | {"~", "-", "&", "(", ")", "[", "]", ",", "<", ">", "<=", ">=", "==", "!=", "=", "."}
_LONGEST, _MOST_POWERS, _LARGEST_POWER, _LARGEST_SETTING = 10_000, 4, 20, 100


def check(formula: object, columns: Sequence[str]) -> None:
    """Refuses a formula with anything but columns, arithmetic and known functions.

    Raises:
        UnknownName: a name is neither a column nor a known function.
        QueryError: the formula is malformed, or has more than formulas may have.
    """
    if not isinstance(formula, str):
        raise QueryError(f"the formula is {formula!r}; it is a text such as 'y ~ x + z'")
    if len(formula) > _LONGEST:
        raise QueryError(f"the formula has {len(formula):,} characters; {_LONGEST:,} are the most")
    tokens = tokenized(formula)
    if not tokens:
        raise QueryError("the formula is empty; it is a text such as 'y ~ x + z'")
    _check_powers(formula, tokens)
    for place, token in enumerate(tokens):
        before = tokens[place - 1].string if place else ""
        after = tokens[place + 1].string if place + 1 < len(tokens) else ""
        match token.type:
            case tokenize.NAME:
                _check_name(formula, token.string, before, after, columns)
            case tokenize.STRING:
                _check_text(formula, token.string, before, after)
                if before == "(" and place > 1 and tokens[place - 2].string == "Q":
                    _check_column(formula, token.string[1:-1], columns)
            case tokenize.OP:
                _check_operator(formula, token.string, before, after)
                _check_setting(formula, tokens, place)
            case tokenize.NUMBER:
                _check_setting(formula, tokens, place)
            case _:
                raise _refused(formula, token.string)


def modelled(model: str, formula: str, frame: "pd.DataFrame", **more: Any) -> Any:
    """An unfitted model of statsmodels with a checked formula; `more` are options of the model.

    Raises:
        QueryError: the formula is not valid.
        DataError: statsmodels is not installed.
    """
    try:
        import statsmodels.formula.api as smf
    except ImportError as error:
        raise DataError("formulas need statsmodels: pip install 'imputedb[models]'") from error
    check(formula, [str(name) for name in frame.columns])
    if model == "ordered":
        from statsmodels.miscmodels.ordinal_model import OrderedModel

        return OrderedModel.from_formula(formula, frame, **more)
    return getattr(smf, model)(formula, data=frame, **more, eval_env=_environment())


def _environment() -> Any:
    """The meanings of function names, apart from those that patsy and formulaic define themselves."""
    import statsmodels

    names = {**ELEMENTWISE, "np": np}
    if tuple(map(int, statsmodels.__version__.split(".")[:2])) >= (0, 15):
        return names
    from patsy.eval import EvalEnvironment

    return EvalEnvironment([names])


def tokenized(formula: str) -> list[TokenInfo]:
    """The tokens of a formula.

    Raises:
        QueryError: the formula is malformed.
    """
    ignored = (tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT)
    try:
        return list(_read(formula.strip(), ignored))
    except (tokenize.TokenError, SyntaxError) as error:
        raise QueryError(f"{formula!r} is not a formula: {error.args[0]}") from error


def _read(text: str, ignored: Collection[int]) -> Iterator[TokenInfo]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in ignored:
            yield token


def _check_name(formula: str, name: str, before: str, after: str, columns: Sequence[str]) -> None:
    if before == ".":
        if name not in ELEMENTWISE or after != "(":
            raise _refused(formula, f"np.{name}")
    elif name == "np" and after == ".":
        pass
    elif after == "(":
        if name not in ELEMENTWISE and name not in OF_FORMULAS:
            raise UnknownName(
                f"formulas have no function {name!r}; the functions are {', '.join(sorted(_functions()))}"
            )
    elif after == "=":
        if name not in _ARGUMENTS:
            raise UnknownName(f"formulas have no argument {name!r}; the arguments are {', '.join(sorted(_ARGUMENTS))}")
    elif keyword.iskeyword(name) and name not in _CONSTANTS:
        way = f": write Q({name!r})" if name in columns else ""
        raise QueryError(f"{name!r} is a word of Python, which is not permitted in {formula!r}{way}")
    elif name not in _CONSTANTS and name not in CODINGS:
        _check_column(formula, name, columns)


def _functions() -> set[str]:
    return {*ELEMENTWISE, *OF_FORMULAS}


def _check_column(formula: str, name: str, columns: Sequence[str]) -> None:
    if name not in columns:
        near = get_close_matches(name, columns, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(columns)}"
        raise UnknownName(f"no column {name!r} for {formula!r}; {hint}")


def _check_text(formula: str, text: str, before: str, after: str) -> None:
    """Checks that a text is an argument by itself or an operand of a comparison."""
    plain = text[0] in "'\"" and text[:3] not in ("'''", '"""') and "\\" not in text
    if not plain or before not in ("(", ",", "[", "=", "==", "!=") or after not in (")", ",", "]", "==", "!="):
        raise _refused(formula, text)


def _check_operator(formula: str, operator: str, before: str, after: str) -> None:
    """Checks that brackets are lists in arguments, of levels or knots, and that points are in NumPy's names only."""
    listed = operator != "[" or before in ("(", ",", "=")
    closed = operator != "]" or after in (")", ",")
    if operator not in _OPERATORS or not listed or not closed:
        raise _refused(formula, operator)
    if operator == "." and before != "np":
        raise _refused(formula, f"{before}.{after}")


def _check_setting(formula: str, tokens: Sequence[TokenInfo], place: int) -> None:
    """Checks that settings of spline bases are small numbers without arithmetic."""
    if not _is_setting(tokens, place):
        return
    token = tokens[place]
    if token.string in _COMPUTING:
        raise QueryError(f"arguments in {formula!r} must be plain numbers, without {token.string}")
    if token.type == tokenize.NUMBER and tokens[place - 1].string != "[" and float(_number(token)) > _LARGEST_SETTING:
        raise QueryError(f"{token.string} in {formula!r} is too large: at most {_LARGEST_SETTING} is permitted")


def _check_powers(formula: str, tokens: Sequence[TokenInfo]) -> None:
    """Checks that powers of whole numbers are few, small and not nested, since they grow without bound."""
    strings = [*(token.string for token in tokens), "", ""]
    powers = [place for place, string in enumerate(strings) if string in ("**", "^")]
    for place in powers:
        sign = strings[place + 1] == "-"
        exponent = tokens[place + 1 + sign] if place + 1 + sign < len(tokens) else None
        plain = exponent is not None and exponent.type in (tokenize.NUMBER, tokenize.NAME)
        if exponent is None or not plain or strings[place + 2 + sign] in ("**", "^", "("):
            raise QueryError(f"a power in {formula!r} is a number or a column, such as x ** 2")
        if exponent.type == tokenize.NUMBER and float(_number(exponent)) > _LARGEST_POWER:
            raise QueryError(
                f"{exponent.string} in {formula!r} is too large a power: at most {_LARGEST_POWER} is permitted"
            )
    if len(powers) > _MOST_POWERS:
        raise QueryError(f"{formula!r} has {len(powers)} powers; {_MOST_POWERS} are the most")


def _is_setting(tokens: Sequence[TokenInfo], place: int) -> bool:
    """Whether a token belongs to an argument that is not a column: a keyword argument, or a setting of a spline."""
    depth, comma = 0, False
    for at in range(place - 1, 0, -1):
        string = tokens[at].string
        depth += (string in (")", "]")) - (string in ("(", "["))
        if depth < 0:
            return comma and tokens[at - 1].string in ("bs", "cr", "cc")
        if depth == 0 and string == "=" and not comma:
            return True
        comma |= depth == 0 and string == ","
    return False


def _number(token: TokenInfo) -> str:
    text = token.string.replace("_", "")
    try:
        float(text)
    except ValueError:
        raise QueryError(f"{token.string} is not a number in a formula") from None
    return text


def _refused(formula: str, what: str) -> QueryError:
    return QueryError(
        f"{what!r} is not for formulas such as {formula!r}: they have columns, arithmetic, and the functions "
        f"{', '.join(sorted(_functions()))}"
    )
