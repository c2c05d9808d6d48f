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
    """The candidate with some columns imputed, by each imputer, and with them dropped."""
    gone = mask & problem.dropped_only
    start = candidate.dropped(gone, problem) if gone else candidate
    if gone == mask:
        return [start]
    imputed = [start.imputed(mask & ~gone, imputer, problem) for imputer in range(len(problem.imputers))]
    return [*imputed, candidate.dropped(mask, problem)]
