"""Degrees of freedom of a pooled estimate, in three definitions."""

from typing import Literal, get_args

from imputedb.errors import QueryError

Rule = Literal["barnard-rubin", "rubin1987", "normal"]
"""`barnard-rubin`: never more than the complete data would have; `rubin1987`: for large data; `normal`: infinite."""

INFINITE = float("inf")


def known_rule(rule: str) -> None:
    """Refuses an unknown definition of degrees of freedom.

    Raises:
        QueryError: the rule is not one of the three.
    """
    if rule not in get_args(Rule):
        raise QueryError(f"no degrees of freedom {rule!r}; there are {', '.join(get_args(Rule))}")


def freedom(share: float, m: int, complete: float = INFINITE, rule: str = "barnard-rubin") -> float:
    """Degrees of freedom of a pooled estimate.

    Args:
        share: lambda, the between-draw share of the total variance, in [0, 1].
        m: number of draws, at least 2.
        complete: complete-data degrees of freedom, such as n - k.
        rule: definition of degrees of freedom.
    """
    match rule:
        case "normal":
            return INFINITE
        case "rubin1987":
            return rubin1987(share, m)
        case _:
            return barnard_rubin(share, m, complete)


def rubin1987(share: float, m: int) -> float:
    """(m - 1) / lambda^2 (Rubin 1987, equation 3.1.6)."""
    return (m - 1) / share**2 if share**2 > 0 else INFINITE


def barnard_rubin(share: float, m: int, complete: float) -> float:
    """Barnard & Rubin (1999, equation 3), in a form that is defined at lambda = 0 and at lambda = 1.

    1/df = lambda^2 / (m - 1) + 1 / observed, observed = (c + 1) / (c + 3) * c * (1 - lambda). There is no division by
    lambda, so that lambda needs no lower limit.
    """
    if complete == INFINITE:
        return rubin1987(share, m)
    observed = (complete + 1) / (complete + 3) * complete * (1 - share)
    return (m - 1) * observed / ((m - 1) + share**2 * observed)


def reiter2003(within: float, between: float, m: int) -> float:
    """(m - 1) (1 + m W / B)^2, for partially synthetic data (Reiter 2003, section 2)."""
    return (m - 1) * (1 + m * within / between) ** 2 if between > 0 else INFINITE
