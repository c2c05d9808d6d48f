"""Where Impute and Drop may stand: the first half of the paper's Algorithm 2."""

from imputedb.planning.candidate import Candidate
from imputedb.planning.problem import Problem


def placements(candidate: Candidate, local: int, problem: Problem) -> list[Candidate]:
    """The ways to make a candidate clean for an operator that examines the columns `local`.

    It must clean what is dirty and examined here; it may as well clean, at once, all that is examined later.
    """
    must, may = candidate.dirty & local, candidate.dirty
    out = cleaned(candidate, must, problem) if must else [candidate]
    if may and may != must:
        out += cleaned(candidate, may, problem)
    return out


def cleaned(candidate: Candidate, mask: int, problem: Problem) -> list[Candidate]:
    """The candidate with some columns imputed, by each imputer, and with them dropped.

    Columns that are asked about are not dropped, but for want of an imputer or by a policy.
    """
    gone = mask & problem.dropped_only
    if gone == mask:
        return [candidate.dropped(gone, problem)]
    found = _imputed(candidate, mask, gone, problem)
    may_go = gone | (mask & ~problem.read_as_stored if problem.imputers else mask)
    if may_go == mask:
        found.append(candidate.dropped(mask, problem))
    elif may_go != gone:
        found += _imputed(candidate, mask, may_go, problem)
    return found


def _imputed(candidate: Candidate, mask: int, gone: int, problem: Problem) -> list[Candidate]:
    """The candidate without the rows that miss some of the columns, and with the others imputed, by each imputer."""
    start = candidate.dropped(gone, problem) if gone else candidate
    mask &= ~gone
    return [
        start.imputed(mask, number, problem) for number in range(len(problem.imputers)) if problem.suits(number, mask)
    ]
