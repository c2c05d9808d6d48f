"""Table functions whose arguments name files, tables or queries to read."""

from collections.abc import Iterator

from imputedb.sql.ast import Tree, expressions, is_reference
from imputedb.sql.expression import arguments_of, function_of, is_call, is_text, text_of
from imputedb.sql.subqueries import nodes

TEXTS = ("query", "query_table")
"""Those whose argument is the text of a query, or the name of a table."""


def naming_parameters(query: Tree) -> set[str]:
    """The parameters of a table macro that name what its FROM reads."""
    calls = [part["function"] for part in nodes(query) if part.get("type") == "TABLE_FUNCTION"]
    reading = [call for call in calls if names_source(str(call["function_name"]).lower())]
    given = [value_of(one["expression"]) for call in reading for one in call["arguments"]]
    return {str(part["column_names"][0]).lower() for part in expressions(given) if is_reference(part)}


def value_of(argument: Tree) -> Tree:
    """The value of an argument, which macro bodies may have as `name = value`."""
    value: Tree = argument["right"] if argument["type"] == "COMPARE_EQUAL" else argument
    return value


def names_source(name: str) -> bool:
    """Whether the arguments of a table function name a file, table or query."""
    return name in TEXTS or reads_files(name)


def reads_files(name: str) -> bool:
    """Whether a table function reads files."""
    return name.startswith("read_") or name.endswith("_scan")


def texts_in(argument: Tree) -> Iterator[str]:
    """The texts of a string literal or a list of them, such as file names; an empty text for anything else."""
    if is_call(argument) and function_of(argument) == "list_value":
        for one in arguments_of(argument):
            yield from texts_in(one)
    else:
        yield text_of(argument) if is_text(argument) else ""
