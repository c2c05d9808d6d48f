"""Names of added columns: standard errors, ends of intervals and flags."""

from collections.abc import Iterable, Sequence

from imputedb.errors import QueryError


def check_distinct_names(own: Sequence[str], beside: Iterable[str], what: str) -> None:
    """Refuses an answer in which an added column has the name of one of the query's own.

    Args:
        own: names of the query's columns.
        beside: names of the added columns.
        what: description of the added columns.

    Raises:
        QueryError: a name is in both.
    """
    known = {name.lower(): name for name in own}
    for name in beside:
        if name.lower() in known:
            raise QueryError(
                f"two columns of the answer would be called {known[name.lower()]}: one of the query's own, and {what} "
                "that stand beside them; give the query's another name"
            )
