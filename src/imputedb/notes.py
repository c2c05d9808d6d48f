"""Notes for users as data: programs decide by a note's kind and subject, not by its text."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Literal

Question = Literal["population", "answer"]
"""`population`: the table is a sample of one (Rubin's rules in full); `answer`: what would the query say if nothing
were missing, only the missing values being uncertain."""


class NoteKind(Enum):
    """The kind of a note; docs/notes.md lists all kinds with their subjects."""

    # of the answer
    UNPOOLED = "the answer has no intervals"
    NO_INTERVAL = "a number of the answer has no interval, or one of the answer's rows alone"
    ROUNDED = "a number is rounded, and its interval is that of the number before"
    SCATTERED = "draws agree on no value of an output"
    NO_ERROR = "no error of a number could be found"
    AS_WRITTEN = "a block is not planned, but run as it is written"
    UNPLANNED = "a block is not planned, and why"
    APART = "tables were completed below a join, each by itself"
    PENALTY = "much of what is missing was dropped or guessed"
    DROPPED = "many rows were dropped for a missing value"
    CONVERGENCE = "chains have not converged"
    CHAINS = "how well the chains of a run have converged"
    DRAWS = "more draws would be needed than were made"
    SOME_DRAWS = "groups are in some of the draws only"
    FEW_DEGREES = "an interval has few degrees of freedom"
    MISSING_INFORMATION = "nearly all of what a number says is the imputer's"
    FEW_EVENTS = "few rows were counted, some of them imputed"
    SKEWED = "rows are too few for how skewed they are"
    CLUSTERS = "intervals do not go by the clusters that policies name"
    REPEATED = "rows of a table are repeated, and each copy counts as sampled"
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
    FOLLOWS = "cells follow from others of their row, and count as observed"
    NOT_IMPUTED = "a statement reads what is stored, and nothing is imputed"
    PIVOTED = "the columns of a PIVOT are the values that are observed"
    UNDONE = "a COMMIT has kept nothing of its transaction"
    # of imputing
    ASSUMED = "an imputer stands on more than that values are missing at random"
    CODES = "a column of numbers is taken for codes of categories"
    INEXACT = "whole numbers beyond 2^53 are imputed as doubles"
    SHARE = "more of a column is imputed than its policy allows without a word"
    STAYS = "cells stay NULL, as the column's policy has it"
    SAMPLED = "a column of a large table is imputed by a function that was learnt from a sample"
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
    BEYOND = (
        "rows that miss a column are given other values than expected there: they lie beyond those that have it, "
        "or a line matches what bends"
    )
    LEVERAGE = "few rows decide what a column tells of others"
    OUTSIDE = "what is observed of a column lies outside what its policy permits"
    BENT = "a relation is curved where a straight line is drawn"
    SHAPE = "values do not lie around a line as normal ones do"
    BIASED = "draws are off on cells that were hidden"
    NARROW = "draws vary too little, on cells that were hidden or as donors foretell it"
    # of completed data sets, and of models fitted to them
    ONE_DRAW = "one completed data set says nothing of how uncertain it is"
    NOTHING_MISSING = "nothing was imputed, so that all data sets are equal"
    OLD_RUN = "newer runs have failed, and this one is still served"
    SAME_DRAWS = "a column's imputed values are the same in all data sets"
    REMODELLED = "a column is modelled by another method than the one asked for"
    FEEDBACK = "a shift acts through columns that are missing in the same rows"
    LEFT_OUT = "predictors of a column are left out of its model"
    UNFITTED = "fits did not converge"
    SEPARATED = "the predictors separate the outcome"
    ROWS_LEFT_OUT = "rows were left out of fits or scores for a missing value"
    FOLDS = "how folds were made for scores"
    # of kept models
    STALE = "a model's table has changed since it was fitted"
    DRIFT = "rows are not like those that a model has learnt from"
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
    """A sentence with a kind and a subject.

    It is a `str`, and can be used as any other text.

    Attributes:
        kind: kind of the note.
        subject: what the note is about; empty where the kind is sufficient.
        words: pieces of the sentence: texts, and between them the columns that it names.
        question: the question whose intervals it concerns, population or answer; None for both.
    """

    __slots__ = ("_about", "kind", "question", "words")

    kind: NoteKind
    words: tuple[object, ...]
    question: Question | None
    _about: object

    def __new__(cls, kind: NoteKind, subject: object, *words: object) -> "Note":
        """A note from pieces of text."""
        note = super().__new__(cls, "".join(map(str, words)))
        note.kind, note._about, note.words, note.question = kind, subject, words, None
        return note

    def of(self, question: Question | None) -> "Note":
        """The same note for intervals about one question only."""
        note = Note(self.kind, self._about, *self.words)
        note.question = question
        return note

    def concerns(self, question: Question) -> bool:
        """Whether the note concerns intervals about a question."""
        return self.question in (None, question)

    @property
    def subject(self) -> str:
        """The subject as a text."""
        return str(self._about)

    def renamed(self, name: Callable[[object], object]) -> "Note":
        """The same note with other names: `name` is applied to each piece that is not a text."""
        about, *words = (one if isinstance(one, str) else name(one) for one in (self._about, *self.words))
        return Note(self.kind, about, *words).of(self.question)

    def under(self, title: str) -> "Note":
        """The same note with a prefix."""
        return Note(self.kind, self._about, f"{title}: ", *self.words).of(self.question)

    def __getnewargs__(self) -> tuple[object, ...]:  # type: ignore[override]
        return self.kind, self._about, *self.words


def as_data(note: Note) -> dict[str, str]:
    """A note as JSON-ready data."""
    return {"kind": note.kind.name, "subject": note.subject, "text": str(note)}


def from_data(found: Mapping[str, str]) -> Note:
    """A note from the output of `as_data`."""
    return Note(NoteKind[found["kind"]], found["subject"], found["text"])


def is_data(found: object) -> bool:
    """Whether data can be read by `from_data`."""
    if not isinstance(found, dict) or found.keys() != {"kind", "subject", "text"}:
        return False
    return all(isinstance(text, str) for text in found.values()) and found["kind"] in {kind.name for kind in NoteKind}


def is_of(kind: NoteKind, sentence: str) -> bool:
    """Whether a sentence is a note of a kind."""
    return isinstance(sentence, Note) and sentence.kind is kind


def forgotten(table: str, column: str, why: str) -> Note:
    """The note that a policy or declaration of a column no longer applies."""
    words = f"{table} has changed, and what was said of {column} is forgotten: {why}"
    return Note(NoteKind.FORGOTTEN, f"{table}.{column}", words)
