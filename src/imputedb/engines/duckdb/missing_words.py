"""Words for missing values: those that users state, and the usual ones."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imputedb.algebra.relation import Table
from imputedb.engines.duckdb import declarations, forms, sentinels, unseen
from imputedb.engines.duckdb.forms import TextForm
from imputedb.errors import UnknownName
from imputedb.notes import Note, NoteKind
from imputedb.sql.paths import quoted
from imputedb.statistics.policy import as_text
from imputedb.statistics.words import ANYWHERE, BESIDE_NUMBERS, DOUBTFUL

if TYPE_CHECKING:
    from imputedb.engines.duckdb.engine import DuckDB

Missing = Mapping[str, Sequence[object]]
"""Values that mean a missing one, by column."""

_SHARE = 0.01
"""Share of a text column's values above which a word in it is taken for a missing value."""


@dataclass(frozen=True, slots=True)
class QueryFile:
    """Rows of files that a single query reads; words for missing values become NULL, since nothing can be declared.

    Attributes:
        title: the name of the rows in messages.
        again: the call that reads them, without its closing bracket.
    """

    title: str
    again: str


@dataclass(frozen=True, slots=True)
class MissingWords:
    """The search for words for missing values, and for types of text columns, in a new table.

    Attributes:
        engine: the engine that has the table.
        table: the table.
        missing: by column, the values that the user declares.
        words: words that mean a missing value in every column; None for the usual ones.
        tried: the forms that columns of text may have.
        every: whether all columns of text are examined, as for text files; otherwise only those that the user names.
        left: columns that stay as they are.
        query: for rows that a single query reads, their title and call; None for a lasting table.
    """

    engine: DuckDB
    table: Table
    missing: Missing
    words: Sequence[str] | None
    tried: Sequence[TextForm] = forms.PLAIN
    every: bool = False
    left: Collection[str] = ()
    query: QueryFile | None = None

    def declare(self) -> None:
        """Converts columns of text to the types of their values, declares words for missing values, and notes both.

        Raises:
            UnknownName: the table has no column for which values are declared.
            DataError: a column cannot hold a declared value.
        """
        if self.query is None:
            self.engine.session.writes.record_definition()
            declarations.prune(self.engine, self.table)
        types = forms.types(self.engine, self.table)
        given: dict[str, list[str]] = {}
        for column, values in self.missing.items():
            found = next((known for known in types if known.lower() == column.lower()), None)
            if found is None:
                raise UnknownName(f"no column {column!r} in {self.table.name}; there are {', '.join(types)}")
            given[found] = [str(value) for value in values]
            unseen.remark(self.engine, self.table, found, given[found])
        for column, kind in types.items():
            if column in self.left:
                continue
            own = given.get(column, [])
            if kind == "VARCHAR" and (own or self.every or self.words):
                self._text(column, own)
            elif own or self.words:
                self._typed(column, kind, own)
        if self.every and self.words is None:
            self._remark_on_codes([column for column in types if column not in {*given, *self.left}])
        if self.query is None:
            self.engine.session.writes.record_definition()

    def _typed(self, column: str, kind: str, own: Sequence[str]) -> None:
        held = [] if kind == "BOOLEAN" else [word for word in self.words or () if _holds(self.engine, kind, word)]
        counts: dict[str, int] = {}
        if held:
            name, values = quoted((column,)), ", ".join(f"CAST(? AS {kind})" for _ in held)
            text = f"SELECT {name}, count(*) FROM {quoted(self.table.path)} WHERE {name} IN ({values}) GROUP BY 1"
            counts = {as_text(value): count for value, count in self.engine.session.rows(text, held)}
        if own or counts:
            declarations.declare(self.engine, self.table, column, [*own, *counts])
            self._note(column, counts, declared=True)

    def _text(self, column: str, own: Sequence[str]) -> None:
        usual = BESIDE_NUMBERS if self.words is None else self.words
        words = tuple(dict.fromkeys(word.strip().lower() for word in (*usual, *own)))
        counts = self._counts(column, words)
        form = forms.first_form(self.engine, self.table, column, words, self.tried)
        read = f"{form.remark}: {self._example(column, form, words)}" if form is not None and form.remark else ""
        if form is not None and form.type != "VARCHAR":
            forms.retype(self.engine, self.table, column, form, words)
            kept = [word for word in own if _holds(self.engine, form.type, word)]
            if kept:
                self.engine.session.writes.record_definition()
                declarations.declare(self.engine, self.table, column, kept)
            self._note(column, {word: n for word, n in counts.items() if word not in own}, read=read)
            return
        if self.words is None and form is None:
            read = self._doubtful(column, words) or self._orders(column, words) or self._remark_on_others(column, words)
        if self.words is None:
            counts = self._not_codes(column, counts)
        if counts and self.query is not None:
            forms.set_null(self.engine, self.table, column, [word.strip().lower() for word in counts])
        elif own or counts:
            declarations.declare(self.engine, self.table, column, [*own, *counts])
        counts = {word: n for word, n in counts.items() if word not in own}
        self._note(column, counts, read=read, declared=self.query is None)

    def _example(self, column: str, form: TextForm, words: Sequence[str]) -> str:
        before, after = forms.example(self.engine, self.table, column, form, words)
        return repr(before) if form.type == "VARCHAR" else f"{before!r} is {after}"

    def _remark_on_codes(self, columns: Sequence[str]) -> None:
        """Notes numbers far from all others of their column, which may be codes for missing values."""
        kinds = forms.types(self.engine, self.table)
        numbers = [column for column in columns if kinds[column].startswith(("BIGINT", "DOUBLE", "INTEGER"))]
        for column, counts in sentinels.found(self.engine, self.table, numbers).items():
            shown = " and ".join(f"{count:,} of {code:g}" for code, count in counts.items())
            codes = f"[{', '.join(f'{code:g}' for code in counts)}]"
            place = f"{self.query.title if self.query else self.table.name}.{column}"
            options = " ".join(f"--missing {shlex.quote(f'{column}={code:g}')}" for code in counts)
            words = (
                f"{place}: {shown} lie far from all other values, as codes of surveys do: "
                f"missing={{{column!r}: {codes}}} of load, or {options}, declares them missing"
            )
            self.engine.session.remarks.append(Note(NoteKind.READ_AS, place, words))

    def _doubtful(self, column: str, words: Sequence[str]) -> str:
        """A remark on words for zero or missing, where all other values are of one type; otherwise empty."""
        counts = self._counts(column, DOUBTFUL)
        every = (*words, *DOUBTFUL)
        if not counts or forms.first_form(self.engine, self.table, column, every, self.tried) is None:
            return ""
        shown = ", ".join(f"{count:,} of {word!r}" for word, count in counts.items())
        wanted = [*counts, *(word for word in self._counts(column, words) if word)]
        return (
            f"{shown} may mean zero or a missing value, so that it stays text: where they mean a missing one, state "
            f"{self._way_out(wanted)}"
        )

    def _orders(self, column: str, words: Sequence[str]) -> str:
        """A remark on dates whose order of day and month is ambiguous; otherwise empty."""
        found = forms.date_orders(self.engine, self.table, column, words, self.tried)
        ways = " or ".join(remark.rpartition(" ")[2] for remark in found)
        return (
            f"its dates may be {ways}: it stays text, unless dates= (dateformat of read_csv) says which" if ways else ""
        )

    def _remark_on_others(self, column: str, words: Sequence[str]) -> str:
        """A remark on text among numbers or dates; otherwise empty."""
        found = forms.mostly(self.engine, self.table, column, words, self.tried) if self.every else None
        if found is None:
            return ""
        kind, count, others, shown = found
        wanted = [shown, *(word for word in self._counts(column, words) if word)]
        return (
            f"it stays text: {count:,} of its values are {kind}, and {others:,} are not, such as {shown[:40]!r}; "
            f"where these mean a missing value, state {self._way_out(wanted)}"
        )

    def _way_out(self, words: Sequence[str]) -> str:
        """What a user states so that words mean a missing value."""
        if self.query is not None:
            return f"{self.query.again}, nullstr = {['', *words]!r})"
        return f"na={words!r}, or --na {shlex.quote(','.join(words))}"

    def _counts(self, column: str, words: Sequence[str]) -> dict[str, int]:
        """The words that a column holds, in its spelling, with their counts."""
        name = quoted((column,))
        longest = max(map(len, words), default=0)
        short = f"FROM {quoted(self.table.path)} WHERE length(trim({name})) <= {longest} GROUP BY 1"
        values = f"SELECT {name} AS x, count(*) AS n {short}"
        text = f"SELECT x, n FROM ({values}) WHERE {forms.is_one_of('trim(x)', words)} ORDER BY n DESC, x"
        return dict(self.engine.session.rows(text, {"words": list(words)}))

    def _not_codes(self, column: str, counts: Mapping[str, int]) -> dict[str, int]:
        """The words among them that are frequent, unless other values of the same length look like codes too."""
        found = {word: count for word, count in counts.items() if word.strip().lower() in ANYWHERE}
        if not found:
            return {}
        values = f"SELECT trim({quoted((column,))}) AS x, count(*) AS n FROM {quoted(self.table.path)} GROUP BY 1"
        text = (
            f"SELECT length(x), {_LETTERS}, sum(n), bool_or(NOT {forms.is_one_of('x', ANYWHERE)}) FROM ({values}) "
            "WHERE x IS NOT NULL GROUP BY ALL"
        )
        lengths = self.engine.session.rows(text, {"words": list(ANYWHERE)})
        total = sum(count for _, _, count, _ in lengths)
        codes = {(length, letters) for length, letters, _, others in lengths if others}
        return {
            word: count
            for word, count in found.items()
            if not word.strip()
            or (count > _SHARE * total and (len(word.strip()), any(map(str.isalnum, word))) not in codes)
        }

    def _note(self, column: str, counts: Mapping[str, int], *, read: str = "", declared: bool = False) -> None:
        place, parts = f"{self.query.title if self.query else self.table.name}.{column}", []
        if counts:
            shown = ", ".join(f"{count:,} of {word!r}" for word, count in counts.items())
            undone = (
                f"db.missing({self.table.name!r}, {column!r}, [])" if declared else "loading with na=[], or --na '',"
            )
            undone = f"{self.query.again}, nullstr = '')" if self.query else undone
            parts.append(f"{shown} {'are declared missing' if declared else 'are NULL'} ({undone} undoes it)")
        if read:
            parts.append(read)
        if parts:
            note = Note(NoteKind.DECLARED if counts else NoteKind.READ_AS, place, f"{place}: {'; '.join(parts)}")
            self.engine.session.remarks.append(note)


_LETTERS = "regexp_matches(x, '[\\p{L}\\p{N}]')"


def _holds(engine: DuckDB, kind: str, text: str) -> bool:
    query = f"SELECT TRY_CAST(? AS {kind}) IS NOT NULL"
    return bool(engine.session.rows(query, [text])[0][0])
