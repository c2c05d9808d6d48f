"""Text files of other encodings than UTF-8, which DuckDB reads once they are written anew."""

import codecs
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from imputedb.errors import DataError, QueryError
from imputedb.notes import Note, NoteKind

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PIECE = 1 << 22


@contextmanager
def as_utf8(paths: Sequence[str], encoding: str | None) -> Iterator[tuple[list[str], list[Note]]]:
    """Files that hold the same text in UTF-8, the given ones where they do already, and what is to be said of it.

    Raises:
        QueryError: there is no such encoding.
        DataError: a file is not of it.
    """
    if encoding is not None:
        try:
            "".encode(encoding)  # which refuses codecs that are of no text, such as base64
        except (LookupError, ValueError):
            raise QueryError(f"no encoding {encoding!r}; there are utf-8, cp1252, latin-1, utf-16, cp850...") from None
    with TemporaryDirectory() as folder:
        readable, said = list[str](), list[Note]()
        for place, path in enumerate(paths):
            found = encoding or found_out(path)
            if found is None or codecs.lookup(found).name in ("utf-8", "ascii"):
                readable.append(path)
                continue
            copy = Path(folder, str(place), Path(path.removesuffix(".gz").removesuffix(".zst")).name)
            copy.parent.mkdir()
            _write(path, found, copy)
            readable.append(str(copy))
            if encoding is None and not found.startswith("utf"):
                words = (
                    f"{path} is not UTF-8, and was read as {found}: look at its letters beyond a to z, and state "
                    "another encoding (such as cp850 or mac_roman) where they are wrong"
                )
                said.append(Note(NoteKind.READ_AS, path, words))
        yield readable, said


def found_out(path: str) -> str | None:
    """The encoding that a file is taken for; None of UTF-8 and of what Python of this version cannot open."""
    if path.endswith(".zst"):
        return None
    with _opened(path) as file:
        first = file.read(_PIECE)
        for mark, name in _MARKS:
            if first.startswith(mark):
                return name
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while first:
                decoder.decode(first)
                first = file.read(_PIECE)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252" if _is_of(path, "cp1252") else "latin-1"
    return None


def _is_of(path: str, encoding: str) -> bool:
    try:
        with _opened(path) as file:
            for piece in iter(lambda: file.read(_PIECE), b""):
                piece.decode(encoding)  # one byte is one letter
    except UnicodeDecodeError:
        return False
    return True


def _write(path: str, encoding: str, copy: Path) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with _opened(path) as file, copy.open("w", encoding="utf-8", newline="") as written:
            for piece in iter(lambda: file.read(_PIECE), b""):
                written.write(decoder.decode(piece))
            written.write(decoder.decode(b"", final=True))
    except UnicodeError as error:
        raise DataError(f"{path} is not {encoding}: {error.args[-1]}") from error


def _opened(path: str) -> BinaryIO:
    return gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")  # type: ignore[return-value]
