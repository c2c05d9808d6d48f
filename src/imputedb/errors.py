"""What can go wrong, and whose it is to mend.

```text
Error
├── QueryError            your query
│   ├── SqlSyntaxError      it does not parse
│   ├── UnknownName         a table or column that is not there
│   ├── Interrupted         another thread has ended the call
│   ├── ExtensionError      an imputer or measure of somebody's own is not what it must be
│   ├── OutOfTime           it takes longer than it was given
│   └── Unplanned           valid SQL that imputedb does not plan yet
├── DataError             your data
│   ├── CannotImpute        nothing can stand in for the missing values of a column
│   └── StorageError        a file or a database that cannot be read or written
└── InternalError         our mistake: a broken promise inside imputedb
```
"""


class Error(Exception):
    """Any error that imputedb raises on purpose."""


class QueryError(Error):
    """The query, or what was asked along with it, cannot be answered as it stands."""


class SqlSyntaxError(QueryError):
    """The text is not SQL that DuckDB parses."""


class UnknownName(QueryError):
    """A table, column, function or imputer of that name does not exist."""


class Interrupted(QueryError):
    """Another thread has ended the call."""


class ExtensionError(QueryError):
    """An imputer or a measure that does not come with imputedb breaks what it promises."""


class OutOfTime(QueryError):
    """A query takes longer than it was given."""


class Unplanned(QueryError):
    """Valid SQL over missing values that imputedb does not plan yet."""


class DataError(Error):
    """The data cannot be used as asked."""


class CannotImpute(DataError):
    """Nothing can stand in for a column's missing values."""


class StorageError(DataError):
    """A file or a database cannot be read or written."""


class InternalError(Error):
    """A promise inside imputedb is broken: please report it."""
