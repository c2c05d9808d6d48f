"""Sentences for users as data: code decides by what a note is of, never by its words."""

from collections.abc import Callable
from enum import Enum


class NoteKind(Enum):
    """What a note says; docs/notes.md has them all, with their subjects."""

    # of the answer
    UNPOOLED = "the answer has no intervals"
    NO_INTERVAL = "a number of the answer has no interval, or one of the answer's rows alone"
    NO_ERROR = "no error of a number could be found"
    AS_WRITTEN = "a block is not planned, but run as it is written"
    UNPLANNED = "a block is not planned, and why"
    APART = "tables were completed below a join, each by itself"
    PENALTY = "much of what is missing was dropped or guessed"
    DROPPED = "many rows were dropped for a missing value"
    CONVERGENCE = "chains have not converged"
    DRAWS = "more draws would be needed than were made"
    SOME_DRAWS = "groups are in some of the draws only"
    FEW_DEGREES = "an interval has few degrees of freedom"
    MISSING_INFORMATION = "nearly all of what a number says is the imputer's"
    FEW_EVENTS = "few rows were counted, some of them imputed"
    SKEWED = "rows are too few for how skewed they are"
    CLUSTERS = "intervals do not go by the clusters that policies name"
    REPEATED = "a join repeats rows, each of which counts as sampled"
    NESTED = "the rows of an inner block count as the sample"
    UNWEIGHTED = "an aggregate does not go by the weights"
    RARELY_OBSERVED = "rows are hardly ever observed where others like them are"
    NORMAL = "columns are taken to be normal together"
    TIPPING = "where a number tips as values depart from missing at random"
    IDENTITY = "by what rows are told apart from draw to draw"
    LATE = "the answer took longer than it was given"
    IMPRECISE = "no plan has the error that was asked for"
    REPLANNED = "the fastest plan has answered in the place of another"
    # of the statement
    AS_STORED = "a column is shown as it is stored"
    ASKED_ABOVE = "a question about missingness sees completed values"
    UNDETERMINED = "rows have a derived value, but not what it is derived from"
    NOT_IMPUTED = "a statement reads what is stored, and nothing is imputed"
    PIVOTED = "the columns of a PIVOT are the values that are observed"
    UNDONE = "a COMMIT has kept nothing of its transaction"
    # of imputing
    ASSUMED = "an imputer stands on more than that values are missing at random"
    CODES = "a column of numbers is taken for codes of categories"
    INEXACT = "whole numbers beyond 2^53 are imputed as doubles"
    SHARE = "more of a column is imputed than its policy allows without a word"
    STAYS = "cells stay NULL, as the column's policy has it"
    CENTRE = "nothing is observed among the rows at hand, and the whole column's centre is filled in"
    OUT_OF_BOUNDS = "cells take the nearest value that the column's policy permits"
    FALLBACK = "so many cells of a column are filled in by another stage of an imputer"
    APPROXIMATE = "neighbours were searched approximately"
    TUNED = "a setting of an imputer was chosen by hidden cells"
    SCALE = "a column is drawn on a scale of its own"
    SAID = "what an imputer from outside has to say"
    # of draws
    IMPROPER = "draws differ less than what is unknown does"
    UNRELATED = "draws know nothing of other columns"
    FEW_OBSERVED = "a column is observed in few rows"
    UNCONDITIONAL = "cells are drawn without any other column"
    NEVER_TOGETHER = "two columns are never observed in the same row"
    BEYOND = "rows that miss a column lie beyond those that have it"
    BENT = "a relation is curved where a straight line is drawn"
    SHAPE = "values do not lie around a line as normal ones do"
    BIASED = "draws are off on cells that were hidden"
    NARROW = "draws vary too little on cells that were hidden"
    # of kept models
    STALE = "a model's table has changed since it was fitted"
    COARSER = "cells are predicted from fewer columns than their rows have"
    UNSUITED = "a model may not fill in a column, which a fit to its table does"
    DRAWN_APART = "columns of one table are drawn by several models"
    EVALUATED = "how hidden cells were filled in and counted"
    # of tables
    REPLACED = "a table is replaced, and keeps what was said of its columns"
    FORGOTTEN = "what was said of a column is forgotten"
    READ_AS = "how a file was read, where it may be read otherwise"
    DECLARED = "words or values of a column are taken to mean a missing one"


class Note(str):
    """A sentence, with its kind and its subject.

    It is a text like any other to whoever reads it.

    Attributes:
        kind: what it says.
        subject: what it says that of, or why; empty where the kind says all.
        words: the sentence in pieces: texts, and between them the columns that it names.
    """

    __slots__ = ("_about", "kind", "words")

    kind: NoteKind
    words: tuple[object, ...]
    _about: object

    def __new__(cls, kind: NoteKind, subject: object, *words: object) -> "Note":
        """A note of some words."""
        note = super().__new__(cls, "".join(map(str, words)))
        note.kind, note._about, note.words = kind, subject, words
        return note

    @property
    def subject(self) -> str:
        """What it says that of."""
        return str(self._about)

    def renamed(self, name: Callable[[object], object]) -> "Note":
        """The same with other names of what it names: `name` is asked of each piece that is no text."""
        about, *words = (one if isinstance(one, str) else name(one) for one in (self._about, *self.words))
        return Note(self.kind, about, *words)

    def under(self, title: str) -> "Note":
        """The same, behind a title."""
        return Note(self.kind, self._about, f"{title}: ", *self.words)

    def __getnewargs__(self) -> tuple[object, ...]:  # type: ignore[override]
        return self.kind, self._about, *self.words


def is_of(kind: NoteKind, sentence: str) -> bool:
    """Whether a sentence is a note of a kind."""
    return isinstance(sentence, Note) and sentence.kind is kind


def forgotten(table: str, column: str, why: str) -> Note:
    """That what was said of a column of a table does not hold any more."""
    words = f"{table} has changed, and what was said of {column} is forgotten: {why}"
    return Note(NoteKind.FORGOTTEN, f"{table}.{column}", words)
