"""Policies and declared missing values as a TOML file: export, comparison with a database, and application.

The file has one entry for each column, with the column's policy and declared values.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from imputedb import arguments
from imputedb.algebra.relation import Table
from imputedb.answers import policies
from imputedb.engines.engine import Engine
from imputedb.engines.entries import Shape
from imputedb.errors import DataError, Error, StorageError, UnknownName
from imputedb.files import published
from imputedb.statistics.policy import ACTIONS, LISTS, Policy, as_bound, as_text

FORMAT = 1

_HEAD = "# How missing values are dealt with, by column. `imputedb policy apply DB FILE` puts it into a database.\n"
_PLACE = ("database", "schema", "table", "column")
_POLICY = tuple(field.name for field in fields(Policy))


@dataclass(frozen=True, slots=True)
class ColumnDeclarations:
    """The policy and the declared missing values of one column.

    Attributes:
        table: table of the column.
        column: name of the column.
        policy: its policy; None where it has none.
        codes: sorted list of the values that are declared missing.
    """

    table: Table
    column: str
    policy: Policy | None
    codes: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The statements about the column, one per line."""
        policy = [] if self.policy is None else [str(self.policy)]
        return [*policy, *([f"MISSING {_value(list(self.codes))}"] if self.codes else [])]


@dataclass(frozen=True, slots=True)
class Change:
    """The difference of a file from a database in one column.

    Attributes:
        table: name of the table, as users write it.
        column: name of the column.
        before: statements of the database, one per line.
        after: statements of the file, one per line.
    """

    table: str
    column: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        """The removed lines with a minus, and the added ones with a plus."""
        missing = [f"- {self.table}.{self.column} {line}" for line in self.before if line not in self.after]
        come = [f"+ {self.table}.{self.column} {line}" for line in self.after if line not in self.before]
        return "\n".join([*missing, *come])


def exported(engine: Engine) -> str:
    """All policies and declared missing values of the tables, as TOML."""
    parts = [f"{_HEAD}format = {FORMAT}\n"]
    for declared in _all(engine):
        place = {**_place(engine, declared.table), "column": declared.column}
        codes = {"missing": list(declared.codes)} if declared.codes else {}
        policy = {} if declared.policy is None else {"action": declared.policy.action, **declared.policy.data()}
        lines = [f"{name} = {_value(value)}" for name, value in {**place, **codes, **policy}.items()]
        parts.append("\n".join(["[[column]]", *lines]) + "\n")
    return "\n".join(parts)


def written(engine: Engine, path: Path) -> str:
    """The same, written to a file atomically.

    Raises:
        StorageError: the file cannot be written.
    """
    text = exported(engine)
    with published(str(path)) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
    return text


def read(path: Path) -> str:
    """The text of a policy file.

    Raises:
        StorageError: the file does not exist, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise StorageError(f"{path} is not a text file in UTF-8") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def applied(engine: Engine, text: str, source: str, *, dry_run: bool, exact: bool) -> list[Change]:
    """Applies a file to a database; returns the changes, which with `dry_run` are not made.

    Everything is checked before anything is changed. Changes in one database file are made in one transaction.

    Args:
        engine: engine of the database.
        text: text of the file.
        source: name of the file, for messages.
        dry_run: whether to make no change.
        exact: whether columns that the file does not name lose their policies and declarations.

    Raises:
        DataError: a statement of the file is unknown, or does not suit its column.
        UnknownName: there is no such table, column or imputer.
        StorageError: the database cannot be written.
    """
    wanted = _checked(engine, text, source)
    known = {(declared.table, declared.column): declared for declared in _all(engine)}
    if exact:
        for table, column in sorted(known.keys() - wanted.keys(), key=lambda key: (key[0].path, key[1])):
            wanted[table, column] = ColumnDeclarations(table, column, None, ())
    changed = [(known.get(key, _undeclared(declared)), declared) for key, declared in wanted.items()]
    changed = [(before, after) for before, after in changed if before != after]
    if not dry_run:
        _put(engine, changed)
    return [_change(engine, before, after) for before, after in changed]


def _put(engine: Engine, changed: Sequence[tuple[ColumnDeclarations, ColumnDeclarations]]) -> None:
    """Makes changes, in one transaction for each database file."""
    catalogs = sorted({after.table.catalog for _, after in changed})
    for catalog in catalogs:
        engine.check_writable(catalog)
    for catalog in catalogs:
        with engine.snapshot():
            for before, after in changed:
                if after.table.catalog == catalog and before.codes != after.codes:
                    engine.declare(after.table, after.column, after.codes)
                if after.table.catalog == catalog and before.policy != after.policy:
                    engine.decide(after.table, after.column, after.policy)


def _undeclared(declared: ColumnDeclarations) -> ColumnDeclarations:
    return ColumnDeclarations(declared.table, declared.column, None, ())


def _change(engine: Engine, before: ColumnDeclarations, after: ColumnDeclarations) -> Change:
    return Change(engine.called(after.table), after.column, tuple(before.words), tuple(after.words))


def _all(engine: Engine) -> list[ColumnDeclarations]:
    """The statements about all columns: of the database's own tables, of temporary ones, and of attached databases."""
    home = engine.session.home

    def rank(pair: tuple[Table, Shape]) -> tuple[bool, bool, tuple[str, ...]]:
        catalog = pair[0].catalog
        return catalog != home, catalog != "temp", pair[0].path

    found = []
    for table, shape in sorted(engine.shapes().items(), key=rank):
        for column in shape.types:
            policy, codes = shape.policies.get(column), tuple(sorted(shape.missing.get(column, ())))
            if policy is not None or codes:
                found.append(ColumnDeclarations(table, column, policy, codes))
    return found


# -- names of tables --------------------------------------------------------------------------------------------------


def _place(engine: Engine, table: Table) -> dict[str, str]:
    """A table's path for the file, independent of a session's default schema."""
    home = engine.session.home
    bare = {"table": table.name}
    if table.catalog == "temp":
        return bare
    if table.catalog != home:
        return {"database": table.catalog, "schema": table.schema, **bare}
    hidden = Table("temp", "main", table.name) in engine.shapes()
    return {"schema": table.schema, **bare} if table.schema != "main" or hidden else bare


def _table_of(engine: Engine, entry: Mapping[str, Any]) -> Table:
    home, name = engine.session.home, entry["table"]
    if "database" in entry:
        paths = [(entry["database"], entry.get("schema", "main"), name)]
    elif "schema" in entry:
        paths = [(home, entry["schema"], name)]
    else:
        paths = [("temp", "main", name), (home, "main", name)]
    for path in paths:
        found = engine.meant(path)
        if isinstance(found, Table) and found in engine.shapes():
            return found
    raise UnknownName(f"no table {'.'.join(paths[-1][0 if 'database' in entry else 1 :])!r}")


# -- reading ----------------------------------------------------------------------------------------------------------


def _checked(engine: Engine, text: str, source: str) -> dict[tuple[Table, str], ColumnDeclarations]:
    """The declarations of a file by column, each checked against the column."""
    found: dict[tuple[Table, str], ColumnDeclarations] = {}
    for number, entry in enumerate(_entries(text, source)):
        try:
            declared = _declared(engine, entry)
            if (declared.table, declared.column) in found:
                raise DataError("this column has an earlier entry: merge the two")
        except Error as error:
            called = ".".join(str(entry[key]) for key in _PLACE if key in entry)
            raise type(error)(f"{source}, line {_line(text, number)} ({called}): {error}") from error
        found[declared.table, declared.column] = declared
    return found


def _entries(text: str, source: str) -> list[dict[str, Any]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{source} is not valid TOML: {error}") from error
    found = data.pop("format", None)
    if isinstance(found, int) and found > FORMAT:
        raise DataError(f"{source} was written by a newer imputedb (format {found}): apply it with that version")
    if found != FORMAT:
        raise DataError(f"{source} does not begin with `format = {FORMAT}`: it is not a policy file of this version")
    entries = data.pop("column", [])
    if data or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{source} holds {', '.join(data) or 'column'}: below the format are [[column]] entries only")
    return entries


def _line(text: str, number: int) -> int:
    """The line of an entry: the first line up to which the text is TOML with one entry more."""
    lines = text.splitlines()
    for place, line in enumerate(lines, 1):
        if re.match(r"\s*\[\[\s*[\"']?column", line):
            try:
                found = tomllib.loads("\n".join(lines[:place])).get("column", [])
            except tomllib.TOMLDecodeError:  # within a multi-line string
                continue
            if len(found) == number + 1:
                return place
    return 1


def _declared(engine: Engine, entry: Mapping[str, Any]) -> ColumnDeclarations:
    """The declarations of an entry.

    Raises:
        DataError: a statement is unknown, or does not suit its column.
        UnknownName: there is no such table, column or imputer.
    """
    known = (*_PLACE, "missing", *_POLICY)
    for name in entry.keys() - known:
        raise DataError(f"{name!r} is none of {', '.join(known)}")
    for name in ("table", "column"):
        if name not in entry:
            raise DataError(f"{name!r} is missing")
    for name in entry.keys() & set(_PLACE):
        _text(name, entry[name])
    table = _table_of(engine, entry)
    codes = _texts("missing", entry.get("missing", []))
    column = engine.checked_codes(table, entry["column"], codes)
    options = {name: _option(name, entry[name]) for name in _POLICY if name in entry}
    policy = policies.checked(engine, table, column, Policy.of(options)) if options else None
    return ColumnDeclarations(table, column, policy, tuple(sorted(set(codes))))


def _option(name: str, value: object) -> object:
    unset = asdict(Policy())[name]
    if name in LISTS:
        return _texts(name, value)
    if name == "action":
        return arguments.one_of(name, value, ACTIONS)
    if name in ("low", "high"):
        return as_bound(value)
    if name in ("above", "below"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{name} is {value!r}; it is a number")
        return value
    if isinstance(unset, bool):
        if not isinstance(value, bool):
            raise DataError(f"{name} is {value!r}; it is true or false")
        return value
    return _text(name, value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise DataError(f"{name} is {value!r}; it is a text")
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise DataError(f"{name} is {value!r}; it is a list")
    return tuple(map(as_text, value))


# -- writing ----------------------------------------------------------------------------------------------------------


def _value(value: object) -> str:
    """A value in TOML 1.0, whose basic strings are those of JSON except for character 127."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
