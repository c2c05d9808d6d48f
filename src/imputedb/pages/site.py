"""State that all views of a page share: the database, running work, and the questions of links."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imputedb.database import Database
from imputedb.pages.question import Question, Questions
from imputedb.pages.work import Works

_HISTORY = 50


@dataclass(slots=True)
class Site:
    """One database as a set of views.

    Attributes:
        database: the database.
        title: name of the database, in the head of the page.
        path: path of its file; None where it is in memory.
        is_writable: whether policies may be changed.
        audit: gives the audit records of the database's service: number, time, caller, tables, cells, methods.
        jobs: gives the jobs of the service: kind, state, progress, time of creation, error.
        works: running work, and cached results.
        questions: questions of links.
        history: statements that were run, the latest first.
        version: number of writes by this page.
    """

    database: Database
    title: str
    path: Path | None
    is_writable: bool
    audit: Callable[[], Sequence[Sequence[object]]] = tuple
    jobs: Callable[[], Sequence[Sequence[object]]] = tuple
    works: Works = field(init=False)
    questions: Questions = field(default_factory=Questions)
    history: list[str] = field(default_factory=list)
    version: int = 0

    def __post_init__(self) -> None:
        self.works = Works(self.database)

    def key(self, *parts: Hashable) -> Hashable:
        """A cache key that becomes invalid with the next write."""
        return (self.version, *parts)

    def written(self) -> None:
        """Invalidates all cached results after a write."""
        self.version += 1
        self.works.forget()

    def remember(self, text: str) -> None:
        """Puts a statement first in the history."""
        self.history = [text, *(one for one in self.history if one != text)][:_HISTORY]

    def link(self, view: str, question: Question) -> str:
        """The address of a view with a question; it holds no data."""
        return f"/{view}?q={self.questions.name(question)}"
