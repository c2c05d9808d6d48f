"""The paragraph about missing values that belongs into the methods of a paper, or the file of an auditor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

WAYS: Mapping[str, str] = {
    "tree": "linear models and regression trees learnt from all other columns, chosen by held-out cells",
    "norm": "Bayesian linear regression in chained equations (van Buuren 2018)",
    "normscale": "Bayesian linear regression of transformed values in chained equations (van Buuren 2018)",
    "pmm": "predictive mean matching in chained equations (Little 1988; van Buuren 2018)",
    "pmmboot": "predictive mean matching on bootstrapped rows in chained equations (van Buuren 2018)",
    "logistic": "logistic regression in chained equations (van Buuren 2018)",
    "multinomial": "multinomial logistic regression in chained equations (van Buuren 2018)",
    "ordered": "ordered logistic regression in chained equations (van Buuren 2018)",
    "2l.norm": "a linear mixed model in chained equations (van Buuren 2018)",
    "2l.pmm": "predictive mean matching by a linear mixed model in chained equations (van Buuren 2018)",
    "knn": "the nearest rows (Troyanskaya et al. 2001)",
    "mean": "the column's mean or most frequent value, which understates spread and associations",
    "hotdeck": "a random hot deck with an approximate Bayesian bootstrap (Rubin and Schenker 1986)",
    "previous": "the value before in the order of rows",
    "next": "the value after in the order of rows",
    "linear": "linear interpolation in the order of rows",
    "seasonal": "interpolation of deseasonalized values in the order of rows",
}
"""What imputers do, by their names, as a paper has it."""

METHODS: Mapping[str, str] = {
    "aipw": "Estimates are doubly robust (augmented inverse probability weighting; Robins, Rotnitzky and Zhao 1994), "
    "cross-fitted (Chernozhukov et al. 2018)",
    "ml": "Estimates are of maximum likelihood under normality of all columns, without imputing (FIML; "
    "Little and Rubin 2019)",
    "bounds": "The answer is bounded by the least and the largest value that missing ones may have (Manski 1990), "
    "which assumes nothing of why they are missing",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What was done to missing values.

    Attributes:
        strategy: of the report.
        imputed: cells filled in, by column.
        methods: the imputer that did, by column.
        dropped: rows that were left out.
        m: draws.
        seed: of random numbers.
        level: of intervals, None where there are none.
        question: what intervals are about.
        fmi: fractions of missing information of the numbers.
        rhat: the worst, None where chains were not run.
        version: of imputedb.
    """

    strategy: str
    imputed: Mapping[str, int]
    methods: Mapping[str, str]
    dropped: int
    m: int
    seed: int
    level: float | None
    question: str
    fmi: Sequence[float]
    rhat: float | None
    version: str


def paragraph(facts: Facts) -> str:
    """The facts as sentences with their sources."""
    said = list(_done(facts))
    if facts.dropped:
        said.append(
            f"{facts.dropped:,} rows were left out for a missing value, which biases answers unless values are missing "
            "completely at random"
        )
    if facts.imputed or facts.strategy in ("aipw", "ml"):
        said.append("Values were assumed to be missing at random given the other columns that were read")
    said.append(f"All was computed by imputedb {facts.version} with seed {facts.seed}")
    return ". ".join(said) + "."


def _done(facts: Facts) -> list[str]:
    if facts.strategy in METHODS:
        return [METHODS[facts.strategy], *_intervals(facts)]
    if not facts.imputed:
        return ["No missing value was imputed"]
    said = []
    for way in dict.fromkeys(facts.methods.get(name, "") for name in facts.imputed):
        names = [name for name in facts.imputed if facts.methods.get(name, "") == way]
        cells = sum(facts.imputed[name] for name in names)
        told = WAYS.get(way, f"the imputer {way}" if way else "imputation")
        said.append(f"Missing values of {', '.join(names)} ({cells:,} cells) were imputed by {told}")
    if facts.m > 1 and facts.level is not None:
        said.append(
            f"{facts.m} imputations were drawn, and their estimates pooled by Rubin's rules (Rubin 1987) with the "
            "degrees of freedom of Barnard and Rubin (1999)"
        )
    elif facts.m > 1:
        said.append(f"{facts.m} imputations were drawn; what they give was not pooled")
    else:
        said.append("A single imputation was made: the answer tells nothing of how uncertain missing values make it")
    known = [one for one in facts.fmi if isfinite(one)]
    if known:
        said.append(f"The fraction of missing information was at most {max(known):.0%}")
    if facts.rhat is not None:
        said.append(f"Chains had converged to R-hat {facts.rhat:.3f} at worst")
    return [*said, *_intervals(facts)]


def _intervals(facts: Facts) -> list[str]:
    if facts.level is None:
        return []
    about = {"population": "the population that the table is a sample of"}.get(
        facts.question, "the answer that the complete table would give"
    )
    return [f"Intervals of {facts.level:.0%} are about {about}"]
