"""A kept model as a database lists it: its name, its version, and the settings of its fit."""

import json
from dataclasses import asdict, dataclass, replace

from imputedb.algebra.relation import Table
from imputedb.errors import StorageError


@dataclass(frozen=True, slots=True)
class Record:
    """One version of a kept model.

    Attributes:
        name: the name of the model.
        version: its number, from 1; 0 for a model that no database keeps.
        is_current: whether queries use this version.
        table: the table that it models.
        columns: the columns that it fills in.
        imputer: the name of the imputer that was fitted.
        where: a condition in SQL on the rows that it was fitted to; None for all rows.
        sample: the largest number of rows to fit to.
        draws: the number of random draws for each missing cell.
        seed: the seed of all random numbers.
        salt: 64 bits that tell the rows of its table from those of others, the same in all versions.
        rows: the number of rows that it was fitted to.
        fitted_at: the time of the fit in UTC, in ISO 8601.
        fingerprint: the fingerprint of the table at the fit.
        digest: the SHA-256 of its functions; empty where values are fitted to the table as it is.
        errors: columns with their measured errors on hidden cells, relative to the column's spread.
        codes: columns with the values declared to mean a missing one, as text.
    """

    name: str
    version: int
    is_current: bool
    table: Table
    columns: tuple[str, ...]
    imputer: str
    where: str | None
    sample: int
    draws: int
    seed: int
    salt: int
    rows: int
    fitted_at: str
    fingerprint: str
    digest: str
    errors: tuple[tuple[str, float], ...] = ()
    codes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def title(self) -> str:
        """Its name with its version, such as `vitals@3`."""
        return self.name if self.is_passing else f"{self.name}@{self.version}"

    @property
    def is_passing(self) -> bool:
        """Whether it was fitted for statements of one session only, and no database keeps it."""
        return not self.version

    @property
    def has_functions(self) -> bool:
        """Whether it has functions that apply to any rows; if not, it has values of its own table only."""
        return bool(self.digest)

    def error(self, column: str) -> float | None:
        """The measured error of a column; None where none was measured."""
        return dict(self.errors).get(column)

    def covers(self, table: Table, column: str) -> bool:
        """Whether it fills in a column of a table."""
        return table == self.table and column in self.columns

    def called(self, name: str) -> "Record":
        """The same record under another name."""
        return replace(self, name=name)

    def dumped(self) -> str:
        """The fields without a database column of their own, as JSON."""
        found = asdict(self)
        for name in ("name", "version", "is_current", "table", "digest"):
            del found[name]
        return json.dumps(found)

    @staticmethod
    def of(name: str, version: int, is_current: bool, table: Table, digest: str, definition: str) -> "Record":
        """The record in the row that a database keeps.

        Raises:
            StorageError: the definition cannot be read.
        """
        try:
            fields = json.loads(definition)
            fields["columns"] = tuple(fields["columns"])
            fields["codes"] = tuple((str(column), tuple(map(str, texts))) for column, texts in fields.get("codes", ()))
            fields["errors"] = tuple((str(column), float(error)) for column, error in fields["errors"])
            return Record(name=name, version=version, is_current=is_current, table=table, digest=digest, **fields)
        except (ValueError, TypeError, KeyError) as error:
            raise StorageError(f"model {name}@{version} is damaged: drop it, and create it again") from error
