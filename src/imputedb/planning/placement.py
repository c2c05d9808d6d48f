"""Placements of Impute and Drop: the first half of the paper's Algorithm 2."""

from imputedb.planning.candidate import Candidate
from imputedb.planning.problem import Problem


def placements(candidate: Candidate, local: int, problem: Problem) -> list[Candidate]:
    """The ways to clean a candidate for an operator that examines the columns `local`.

    The dirty columns that are examined here must be cleaned; all columns that are examined later may be cleaned too.
    """
    must, may = candidate.dirty & local, candidate.dirty
    out = cleaned(candidate, must, problem) if must else [candidate]
    if may and may != must:
        out += cleaned(candidate, may, problem)
    return out


def cleaned(candidate: Candidate, mask: int, problem: Problem) -> list[Candidate]:
    """The candidate with some columns imputed, by each imputer, and with rows dropped for them.

    Rows are not dropped for columns whose missingness is tested, unless a policy says so or no imputer is given.
    """
    missing = mask & problem.dropped_only
    if missing == mask:
        return [candidate.dropped(missing, problem)]
    found = _imputed(candidate, mask, missing, problem)
    may_go = missing | (mask & ~problem.read_as_stored if problem.imputers else mask)
    if may_go == mask:
        found.append(candidate.dropped(mask, problem))
    elif may_go != missing:
        found += _imputed(candidate, mask, may_go, problem)
    return found


def _imputed(candidate: Candidate, mask: int, missing: int, problem: Problem) -> list[Candidate]:
    """The candidate without rows in which some columns are missing, and with the others imputed, by each imputer."""
    start = candidate.dropped(missing, problem) if missing else candidate
    mask &= ~missing
    return [
        start.imputed(mask, number, problem)
        for number in range(len(problem.imputers))
        if problem.suits(number, mask) and problem.fits(number, mask, start.rows, start.attributes)
    ]
