"""A request to a service, independent of the protocol that it came by."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from imputedb.service.configuration import RoleName
from imputedb.sql.budget import Limits, limited


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    Attributes:
        name: `token:` with the token's name, or `jwt:` with the JWT's subject, so that the two cannot be confused;
            `local` for a caller on this machine without a credential.
        role: role of the caller.
    """

    name: str
    role: RoleName


@dataclass(frozen=True, slots=True)
class Request:
    """A statement with all options that decide its answer, and with its limits.

    Attributes:
        principal: the caller.
        text: one SQL statement.
        parameters: values of its parameters.
        alpha, imputer, seed, m, interval, level, fit, method, weights, clusters: options of `Database.sql`.
        within_ms, error: likewise; WITHIN and ERROR at the end of the statement take precedence.
        rows: most rows to return; None for the limit of the role.
        seconds: time limit; None for the limit of the role.
        door: the interface by which the request came.
        id: identifier of the request in logs and in the audit.
    """

    principal: Principal
    text: str
    parameters: Sequence[Any] | Mapping[str, Any] | None = None
    alpha: float = 0.0
    imputer: str | Sequence[str] = "tree"
    seed: int = 0
    m: int | Literal["auto"] = 1
    interval: Literal["population", "answer"] = "population"
    level: float = 0.95
    fit: Literal["auto", "query", "table"] = "auto"
    method: Literal["imputation", "aipw", "ml", "bounds"] = "imputation"
    weights: str | None = None
    clusters: str | None = None
    within_ms: float | None = None
    error: float | None = None
    rows: int | None = None
    seconds: float | None = None
    door: str = "http"
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        text, stated = limited(self.text)
        found = stated.or_else(Limits(self.within_ms, self.error))
        for name, value in (("text", text), ("within_ms", found.within_ms), ("error", found.error)):
            object.__setattr__(self, name, value)

    @property
    def is_open(self) -> bool:
        """Whether the number of draws is determined while the query runs."""
        return self.m == "auto" or (self.error is not None and self.m == 1)

    @property
    def limited_text(self) -> str:
        """The statement, with WITHIN and ERROR appended."""
        return self.text + Limits(self.within_ms, self.error).written

    def wishes(self) -> dict[str, Any]:
        """The options of `Database.sql`."""
        names = ("alpha", "imputer", "seed", "m", "interval", "level", "fit", "method", "weights", "clusters")
        found = {name: getattr(self, name) for name in (*names, "within_ms", "error")}
        return {**found, "m": None if self.m == 1 else self.m}  # a single draw need not have been requested
