"""Functions in FROM whose arguments say what is read: files, tables and queries."""

from imputedb.sql.ast import Tree, expressions, is_reference
from imputedb.sql.subqueries import nodes

TEXTS = ("query", "query_table")
"""Those whose argument is the text of a query, or the name of a table."""


def naming_parameters(query: Tree) -> set[str]:
    """The names that say what is read in the FROM of a macro's query: its parameters."""
    calls = [part["function"] for part in nodes(query) if part.get("type") == "TABLE_FUNCTION"]
    reading = [call for call in calls if names_source(str(call["function_name"]).lower())]
    given = [_value(one["expression"]) for call in reading for one in call["arguments"]]
    return {str(part["column_names"][0]).lower() for part in expressions(given) if is_reference(part)}


def _value(argument: Tree) -> Tree:
    """What is given by an argument, which the texts of macros may have as `name = value`."""
    value: Tree = argument["right"] if argument["type"] == "COMPARE_EQUAL" else argument
    return value


def names_source(name: str) -> bool:
    """Whether the arguments of a function in FROM say what file, table or query is read."""
    return name in TEXTS or reads_files(name)


def reads_files(name: str) -> bool:
    """Whether a function in FROM reads files."""
    return name.startswith("read_") or name.endswith("_scan")
