"""A paragraph on the treatment of missing values, for the methods section of a paper or for an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from imputedb.inference.estimate import Estimate
from imputedb.notes import NoteKind, is_of
from imputedb.version import __version__

if TYPE_CHECKING:
    from imputedb.diagnostics.likelihood import Likely
    from imputedb.inference.doubly_robust import Robust

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


OTHERS = "at random given the other columns that were read"

ASSUMPTIONS: Mapping[str, str] = {
    **dict.fromkeys(WAYS, OTHERS),
    **dict.fromkeys(("mean", "centre"), "completely at random"),
    "hotdeck": "at random within the classes that the hot deck was given, completely at random where it was given none",
    **dict.fromkeys(("previous", "next", "linear", "seasonal"), "at random given the values around them in that order"),
}
"""How values are assumed to be missing, by the names of imputers, where these state nothing more."""

_KEPT = "kept "  # prefix of imputers that are fitted to the whole table


@dataclass(frozen=True, slots=True)
class Facts:
    """How missing values were treated, from a report.

    Attributes:
        strategy: strategy of the answer.
        imputer: imputers to choose from.
        imputed: number of imputed cells by column.
        methods: method by column.
        models: imputer of each kept model among these, by the model's title.
        dropped: number of dropped rows.
        m: number of draws.
        seed: seed of the random numbers.
        warnings: warnings, which include the assumptions of imputers.
        rhat: largest R-hat; None without chains.
    """

    strategy: str
    imputer: str
    imputed: Mapping[str, int]
    methods: Mapping[str, str]
    models: Mapping[str, str]
    dropped: int
    m: int
    seed: int
    warnings: Sequence[str]
    rhat: float | None


def paragraph(facts: Facts, numbers: Sequence[Estimate | Robust | Likely]) -> str:
    """The paragraph, with citations.

    Args:
        facts: facts of the answer.
        numbers: numbers of the answer, with their intervals.
    """
    sentences = list(_done(facts, numbers))
    if facts.dropped:
        sentences.append(
            f"{facts.dropped:,} rows were left out for a missing value, which biases answers unless values are "
            "missing completely at random"
        )
    sentences += _assumed(facts)
    sentences.append(f"All was computed by imputedb {__version__} with seed {facts.seed}")
    return ". ".join(sentences) + "."


def _ways(facts: Facts) -> dict[str, list[str]]:
    """The imputed columns by method."""
    found: dict[str, list[str]] = {}
    for name in facts.imputed:
        found.setdefault(facts.methods.get(name, facts.imputer), []).append(name)
    return found


def _imputer(facts: Facts, filler: str) -> str:
    """The name of the imputer behind a method, which may be a model or fitted to the whole table."""
    return facts.models.get(filler, filler.removeprefix(_KEPT))


def _method(facts: Facts, way: str) -> str:
    """The description of a method, or of several."""
    methods = []
    for filler in way.split(", "):
        name = _imputer(facts, filler)
        one = WAYS.get(name, "the centre of the column" if name == "centre" else f"the imputer {name}")
        if filler in facts.models:
            one += f", fitted before and kept as the imputation model {filler}"
        elif filler.startswith(_KEPT):
            one += ", fitted to the whole table"
        methods.append(one)
    return ", or by ".join(methods)


def _assumed(facts: Facts) -> list[str]:
    """The assumptions on missingness: those that imputers state, and those of all others."""
    if facts.strategy in ("aipw", "ml"):
        return [f"Values were assumed to be missing {OTHERS}"]
    by_assumption: dict[str, list[str]] = {}
    for way, names in _ways(facts).items():
        fillers = [_imputer(facts, one) for one in way.split(", ")]
        assumed = [ASSUMPTIONS.get(one, f"at random given what the imputer {one} reads") for one in fillers]
        by_assumption.setdefault(", or ".join(dict.fromkeys(assumed)), []).extend(names)
    stated = [one[:1].upper() + one[1:] for one in facts.warnings if is_of(NoteKind.ASSUMED, one)]
    every = "In all else values" if stated else "Values"
    for how, names in by_assumption.items():
        which = f"Values of {', '.join(names)}" if len(by_assumption) > 1 else every
        stated.append(f"{which} were assumed to be missing {how}")
    return stated


def _done(facts: Facts, numbers: Sequence[Estimate | Robust | Likely]) -> list[str]:
    if facts.strategy in METHODS:
        return [METHODS[facts.strategy], *_intervals(numbers)]
    if not facts.imputed:
        return ["No missing value was imputed"]
    sentences = []
    for way, names in _ways(facts).items():
        cells = sum(facts.imputed[name] for name in names)
        sentences.append(
            f"Missing values of {', '.join(names)} ({cells:,} cells) were imputed by {_method(facts, way)}"
        )
    if facts.m > 1 and numbers:
        sentences.append(
            f"{facts.m} imputations were drawn, and their estimates pooled by Rubin's rules {_rules(numbers)}"
        )
    elif facts.m > 1:
        sentences.append(f"{facts.m} imputations were drawn; what they give was not pooled")
    else:
        sentences.append(
            "A single imputation was made: the answer tells nothing of how uncertain missing values make it"
        )
    sentences += _information(numbers)
    if facts.rhat is not None:
        sentences.append(f"Chains had an R-hat of {facts.rhat:.3f} at worst")
    return [*sentences, *_intervals(numbers)]


def _rules(numbers: Sequence[Estimate | Robust | Likely]) -> str:
    if numbers[0].question == "population":
        return "(Rubin 1987) with the degrees of freedom of Barnard and Rubin (1999)"
    return "(Rubin 1987) without a variance within imputations, as the complete table's answer has none"


def _information(numbers: Sequence[Estimate | Robust | Likely]) -> list[str]:
    """The largest fraction of missing information, and the number of estimates for which it is unknown."""
    found = [one.fmi for one in numbers if isinstance(one, Estimate)]
    known = [one for one in found if isfinite(one)]
    if not found:
        return []
    if not known:
        return ["The fraction of missing information is not known"]
    unknown = len(found) - len(known)
    rest = f" where it is known; of {unknown:,} of {len(found):,} numbers it is not" if unknown else ""
    return [f"The fraction of missing information was at most {max(known):.0%}{rest}"]


def _intervals(numbers: Sequence[Estimate | Robust | Likely]) -> list[str]:
    if not numbers:
        return []
    about = {"population": "the population that the table is a sample of"}.get(
        numbers[0].question, "the answer that the complete table would give"
    )
    return [f"Intervals of {numbers[0].level:.0%} are about {about}"]
