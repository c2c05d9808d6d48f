"""Sentences for users as data: code decides by what a note is of, never by its words."""

from enum import Enum


class Kind(Enum):
    """What a note says, where something is decided by it."""

    UNPOOLED = "the answer has no intervals"
    AS_WRITTEN = "a block is not planned, but run as it is written"
    UNDONE = "a COMMIT has kept nothing of its transaction"
    ASSUMED = "an imputer stands on more than that values are missing at random"
    FALLBACK = "so many cells of a column are filled in by another stage of an imputer"


class Note(str):
    """A sentence, with its kind and its subject.

    It is a text like any other to whoever reads it.

    Attributes:
        kind: what it says.
        subject: what it says that of, or why; empty where the kind says all.
    """

    __slots__ = ("kind", "subject")

    kind: Kind
    subject: str

    def __new__(cls, kind: Kind, subject: str, text: str) -> "Note":
        """A note of some words."""
        note = super().__new__(cls, text)
        note.kind, note.subject = kind, subject
        return note

    def __getnewargs__(self) -> tuple[Kind, str, str]:  # type: ignore[override]
        return self.kind, self.subject, str(self)


def is_of(kind: Kind, sentence: str) -> bool:
    """Whether a sentence is a note of a kind."""
    return isinstance(sentence, Note) and sentence.kind is kind
