"""Text files in encodings other than UTF-8, which are rewritten in UTF-8 for DuckDB."""

import codecs
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from imputedb.engines.duckdb.paths import decompressed
from imputedb.errors import DataError, QueryError
from imputedb.notes import Note, NoteKind

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PIECE = 1 << 22
_LOOKED_AT = 4096
"""Number of bytes examined for an encoding of two bytes per character."""


@contextmanager
def as_utf8(
    paths: Sequence[str], encoding: str | None, most: int | None = None
) -> Iterator[tuple[list[str], list[Note]]]:
    """The files in UTF-8, given ones where they are so already and copies otherwise, with notes.

    If no encoding is stated, it is detected from at most `most` bytes of a file. Copies lie in folders named like the
    partitions of their originals.

    Raises:
        QueryError: there is no such encoding.
        DataError: a file is not in that encoding.
    """
    if encoding is not None:
        try:
            "".encode(encoding)  # refuses codecs that are not for text, such as base64
        except (LookupError, ValueError):
            raise QueryError(f"no encoding {encoding!r}; there are utf-8, cp1252, latin-1, utf-16, cp850...") from None
    with TemporaryDirectory() as folder:
        readable, notes = list[str](), list[Note]()
        for place, path in enumerate(paths):
            found = encoding or found_out(path, most)
            if found is None or codecs.lookup(found).name in ("utf-8", "ascii"):
                readable.append(path)
                continue
            parts = [part for part in Path(path).parts[:-1] if "=" in part]
            copy = Path(folder, str(place), *parts, Path(path.removesuffix(".gz").removesuffix(".zst")).name)
            copy.parent.mkdir(parents=True)
            _write(path, found, copy)
            readable.append(str(copy))
            if encoding is None and not found.startswith("utf"):
                words = (
                    f"{path} is not UTF-8, and was read as {found}: look at its letters beyond a to z, and state "
                    "another encoding (such as cp850 or mac_roman) where they are wrong"
                )
                notes.append(Note(NoteKind.READ_AS, path, words))
        yield readable, notes


def found_out(path: str, most: int | None = None) -> str | None:
    """The detected encoding of a file; None for UTF-8, and for a compression that this Python cannot read."""
    if path.endswith(".zst"):
        return None
    with decompressed(path) as file:
        first, left = file.read(_PIECE), most
        for mark, name in _MARKS:
            if first.startswith(mark):
                return name
        if (wide := _of_two_bytes(first[:_LOOKED_AT])) is not None:
            return wide
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while first:
                decoder.decode(first)
                left = None if left is None else left - len(first)
                if left is not None and left <= 0:
                    return None
                first = file.read(_PIECE)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252" if _is_of(path, "cp1252") else "latin-1"
    return None


def _of_two_bytes(first: bytes) -> str | None:
    """The UTF-16 variant of a text without a byte order mark, told by zeros in every second byte; None otherwise."""
    for name, zeros, others in (("utf-16-le", first[1::2], first[::2]), ("utf-16-be", first[::2], first[1::2])):
        if len(zeros) > 1 and zeros.count(0) > 0.5 * len(zeros) and others.count(0) == 0:
            return name
    return None


def _is_of(path: str, encoding: str) -> bool:
    try:
        with decompressed(path) as file:
            for piece in iter(lambda: file.read(_PIECE), b""):
                piece.decode(encoding)  # one byte is one character
    except UnicodeDecodeError:
        return False
    return True


def _write(path: str, encoding: str, copy: Path) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with decompressed(path) as file, copy.open("w", encoding="utf-8", newline="") as written:
            for piece in iter(lambda: file.read(_PIECE), b""):
                written.write(decoder.decode(piece))
            written.write(decoder.decode(b"", final=True))
    except UnicodeError as error:
        raise DataError(f"{path} is not {encoding}: {error.args[-1]}") from error
