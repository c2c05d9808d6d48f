"""The error classes of imputedb, by who can correct the error.

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
│   ├── Beyond              a limit that the caller has set is passed: a contract, failures in a row
│   │   └── Spent               a budget: what was made stays, and the next call goes on from there
│   └── StorageError        a file or a database that cannot be read or written
│       └── Busy              another process is using it: worth trying again
└── InternalError         our mistake: a broken promise inside imputedb
```
"""


class Error(Exception):
    """The base class of all errors that imputedb raises on purpose."""


class QueryError(Error):
    """A query, or one of its options, that cannot be answered as stated."""


class SqlSyntaxError(QueryError):
    """A text that is not valid SQL."""


class UnknownName(QueryError):
    """A name that no table, column, function or imputer has."""


class Interrupted(QueryError):
    """A call that another thread has interrupted."""


class ExtensionError(QueryError):
    """A user's imputer or measure that violates its protocol."""


class OutOfTime(QueryError):
    """A query that takes longer than its time limit."""


class Unplanned(QueryError):
    """Valid SQL over missing values that imputedb does not plan yet."""


class DataError(Error):
    """Data that cannot be used as requested."""


class CannotImpute(DataError):
    """A column whose missing values cannot be imputed."""


class Beyond(DataError):
    """A violated limit of the caller: a contract, a budget, or the rollback of a run."""


class Spent(Beyond):
    """A budget that is spent; the draws that were made stay."""


class StorageError(DataError):
    """A file or a database that cannot be read or written."""


class Busy(StorageError):
    """A file or a folder that another process is using; a retry may succeed."""


class InternalError(Error):
    """A violated invariant inside imputedb: please report it."""
