"""The request for completed data sets, and the settings that determine a run."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from imputedb import arguments
from imputedb.completion import remarks
from imputedb.completion.congenial import Substantive
from imputedb.completion.manifest import FORMAT
from imputedb.completion.source import Source
from imputedb.errors import QueryError
from imputedb.imputers.protocol import Imputer, assumption_of
from imputedb.imputers.registry import Cycles, single_imputer, with_cycles

AUTO: Literal["auto"] = "auto"
"""The value of m for as many draws as are needed."""

Draws = int | Literal["auto"]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A request for completed data sets.

    Attributes:
        text: a table's name or a SELECT.
        m: number of completed data sets, at least 1; `auto` for as many as keep the Monte Carlo error small.
        imputer: imputer to use.
        seed: key of the random numbers.
        columns: columns to fill; None for all incomplete ones.
        flags: whether each filled column gets a boolean column `<column>__imputed`.
        long: whether to write one file with `.imp` and `.id` rather than m.
        survival: columns of times and events, whose cumulative hazard is a further predictor.
        substantive: substantive model with which its columns are drawn compatibly.
    """

    text: str
    m: Draws
    imputer: Imputer
    seed: int = 0
    columns: Sequence[str] | None = None
    flags: bool = True
    long: bool = False
    survival: tuple[str, str] | None = None
    substantive: Substantive | None = None

    def __post_init__(self) -> None:
        checked: dict[str, object] = {
            "m": AUTO
            if isinstance(self.m, str) and self.m == AUTO
            else arguments.draws(self.m, 1, example=" completed data sets, or 'auto'"),
            "seed": arguments.seed(self.seed),
            "flags": arguments.flag("flags", self.flags),
            "long": arguments.flag("long", self.long),
            "columns": None if self.columns is None else arguments.names("columns", self.columns),
        }
        if self.survival is not None:
            checked["survival"] = names = arguments.names("survival", self.survival)
            if len(names) != 2:
                raise QueryError(f"survival is {self.survival!r}; it names a time and an event, ('time', 'died')")
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def requested(
    text: str,
    m: Draws,
    imputer: str | Imputer,
    seed: int,
    columns: Sequence[str] | None,
    flags: bool,
    long: bool,
    survival: tuple[str, str] | None,
    formula: str | None,
    model: str,
    cycles: Cycles,
) -> Request:
    """The request with the arguments of `Database.impute`.

    Raises:
        QueryError: m, the imputer or cycles are wrong.
    """
    one, substantive = single_imputer(imputer, "completed data sets need"), None
    if formula is not None:
        substantive = Substantive(formula, model, cycles)
    else:
        arguments.one_of("model without a formula", model, ("ols",))
        (one,) = with_cycles((one,), cycles)
    return Request(text, m, one, seed, columns, flags, long, survival, substantive)


def settings(request: Request, found: Source) -> dict[str, Any]:
    """The settings that determine a run; their hash is the run's name."""
    return {
        "format": FORMAT,
        "source": request.text,
        "fingerprint": found.fingerprint,
        "m": request.m,
        "seed": request.seed,
        "imputer": request.imputer.name,
        "settings": remarks.settings(request.imputer),
        "targets": [column.name for column in found.targets],
        "predictors": [column.name for column in found.predictors],
        "flags": request.flags,
        "long": request.long,
        "rows": len(found.rows.keys),
        "assumption": assumption_of(request.imputer) or "missing at random given the predictors",
        "versions": versions(),
        **({"survival": list(request.survival)} if request.survival else {}),
        **(request.substantive.manifest if request.substantive else {}),
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide what a run is."""
    found = {"python": platform.python_version()}
    for package in ("imputedb", "duckdb", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def run_name(decided: Mapping[str, Any]) -> str:
    """The name of a run with these settings."""
    return "run-" + hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()[:16]
