"""What a caller asks of a service, whichever door it came through."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from imputedb.service.configuration import RoleName


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        name: `token:` with the token's name, or `jwt:` with the JWT's subject, so that neither is the other's owner;
            `local` of a caller on this machine who shows none.
        role: what he may do.
    """

    name: str
    role: RoleName


@dataclass(frozen=True, slots=True)
class Request:
    """A statement with all that decides its answer, and with what it may cost.

    Attributes:
        principal: who asks.
        text: one statement in SQL.
        parameters: values of its parameters.
        alpha, imputer, seed, m, interval, level, fit, method, weights, clusters: as `Database.sql` takes them.
        rows: that are wanted at most; as many as the role may have with None.
        seconds: that it may take at most; as long as the role may take with None.
        door: that it came through.
        id: of the request, in logs and in the audit.
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
    rows: int | None = None
    seconds: float | None = None
    door: str = "http"
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def wishes(self) -> dict[str, Any]:
        """What `Database.sql` is asked along with the text."""
        names = ("alpha", "imputer", "seed", "m", "interval", "level", "fit", "method", "weights", "clusters")
        return {name: getattr(self, name) for name in names}
