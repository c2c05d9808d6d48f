"""The state of a view as a value, and the short names by which links refer to it, so that links hold no data."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import asdict, dataclass
from hashlib import blake2b

MANY = 20
"""Default number of draws of a query with aggregates."""

_KEPT = 500


@dataclass(frozen=True, slots=True)
class Question:
    """The query and the options of a view.

    Attributes:
        text: one statement in SQL.
        alpha: 0 for the best answer, 1 for the fastest.
        imputer: name of the imputer.
        draws: number of draws; 0 stands for 20 where the query aggregates, else 1.
        seed: seed of the draws.
        table: chosen table; empty for the first one.
        column: chosen column; empty for the first one.
    """

    text: str = ""
    alpha: float = 0.0
    imputer: str = "tree"
    draws: int = 0
    seed: int = 0
    table: str = ""
    column: str = ""


class Questions:
    """The last 500 questions of links, kept while the page runs."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Question] = OrderedDict()

    def name(self, question: Question) -> str:
        """The short name of a question, which is stored; equal questions have one name."""
        written = json.dumps(asdict(question), sort_keys=True)
        name = blake2b(written.encode(), digest_size=6).hexdigest()
        self._known[name] = question
        self._known.move_to_end(name)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return name

    def of(self, name: str) -> Question | None:
        """The question of a name; None where it is unknown or was removed."""
        return self._known.get(name)
