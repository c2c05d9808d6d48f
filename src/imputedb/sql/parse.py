"""Parsing of SQL to DuckDB's syntax trees, and deparsing. Only this module calls DuckDB's JSON functions."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import duckdb

from imputedb.duckdb_errors import translated
from imputedb.errors import (
    Error,
    InternalError,
    QueryError,
    SqlSyntaxError,
    Unplanned,
)
from imputedb.sql import deep
from imputedb.sql.ast import Tree, expressions, rewrite, select, without_place
from imputedb.sql.tokens import tokens

Connection = duckdb.DuckDBPyConnection

_REFUSALS = (duckdb.SerializationException, duckdb.ProgrammingError, duckdb.DataError)
"""What DuckDB says of a tree that is none; anything else it says is about the database."""

_TOO_DEEP = "Max expression depth limit"
"""What it says where the user's bound of depth is lower than what is written."""


def scratch_connection() -> Connection:
    """A connection to a new in-memory database, for parsing or reading files where no other is available."""
    return duckdb.connect()


def is_query(connection: Connection, text: str) -> bool:
    """Whether a text is a single query.

    Raises:
        SqlSyntaxError: the text does not parse; the message shows the place.
        Unplanned: the text has more than one statement.
    """
    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:
        raise translated(error) from error
    if len(statements) > 1:
        raise Unplanned(f"one statement at a time: the text holds {len(statements)}")
    try:
        return not statements or statements[0].type == duckdb.StatementType.SELECT
    except ValueError:  # a kind without a name in the client, such as UPDATE EXTENSIONS
        return False


def parse(connection: Connection, text: str) -> Tree:
    """The syntax tree of one SELECT.

    Raises:
        SqlSyntaxError: the text does not parse; the message shows the place.
        Unplanned: the text has more than one statement, or another statement than a SELECT.
    """
    answer = _one(connection, "SELECT json_serialize_sql(?::VARCHAR)", text)
    if answer.get("error"):
        raise _refused(connection, text, answer)
    statements = answer["statements"]
    if not statements:
        raise QueryError("there is no statement to answer")
    if len(statements) != 1:
        raise Unplanned(f"one statement at a time: the text holds {len(statements)}")
    node: Tree = statements[0]["node"]
    return node


def expression(tree: Callable[[str], Tree], text: str) -> Tree:
    """The syntax tree of a single expression; the text is parsed with and without parentheses.

    Args:
        tree: parses a query.
        text: text of the expression.

    Raises:
        SqlSyntaxError: the text is not a single expression.
    """
    enclosed, alone = (tree(f"SELECT {one}")["select_list"] for one in (f"({text})", text))
    if without_place(enclosed) != without_place(alone):
        raise SqlSyntaxError(f"{text!r} is not one expression")
    found: Tree = enclosed[0]
    return found


def stored(connection: Connection, text: str) -> Tree:
    """The syntax tree of a query from DuckDB's catalog, independent of the setting of integer division.

    Raises: as `parse`.
    """
    if not divides_integers(connection):
        return parse(connection, text)
    with scratch_connection() as other:
        return parse(other, text)


def divides_integers(connection: Connection) -> bool:
    """Whether the setting `integer_division` is on, so that `/` is read as `//`."""
    return bool(connection.execute(f"SELECT {_OF_INTEGERS}").fetchall()[0][0])


def reads_divisions(connection: Connection, text: str) -> bool:
    """Whether a text from DuckDB's catalog has divisions that the present setting would change."""
    return any("/" in token.text and token.text != "//" for token in tokens(text)) and divides_integers(connection)


def _refused(connection: Connection, text: str, answer: Tree) -> Error:
    if answer.get("error_type") == "not implemented":
        return Unplanned("only SELECT is answered here; run other statements with execute()")
    try:
        connection.extract_statements(text)
    except duckdb.Error as error:
        return translated(error)
    return SqlSyntaxError(str(answer.get("error_message", "the text does not parse")))


def deparse(connection: Connection, node: Tree) -> str:
    """The SQL text of a SELECT node, written by DuckDB."""
    try:
        return _written(connection, [node])[0]
    except _REFUSALS as error:
        if _TOO_DEEP in str(error):
            raise translated(error) from error
        raise InternalError(f"a generated statement does not deparse: {error}") from error


def titles(connection: Connection, trees: Sequence[Tree]) -> list[str]:
    """DuckDB's names of expressions without an alias, in one call."""
    texts = _written(connection, [select([{**tree, "alias": ""}], None) for tree in trees])
    return [text.removeprefix("SELECT ") for text in texts]


def _written(connection: Connection, statements: Sequence[Tree]) -> list[str]:
    """The texts of SELECT nodes; deep ones are composed of pieces."""
    found = {place: _data(node) for place, node in enumerate(statements)}
    write = partial(_shallow, connection)
    whole = {place: deep.written(statements[place], write) for place, data in found.items() if deep.is_deep(data)}
    rest = [place for place in found if place not in whole]
    whole |= dict(zip(rest, _texts(connection, [found[place] for place in rest]) if rest else [], strict=True))
    return [whole[place] for place in found]


def _shallow(connection: Connection, statements: Sequence[Tree]) -> list[str]:
    return _texts(connection, [_data(node) for node in statements])


def _texts(connection: Connection, statements: Sequence[str]) -> list[str]:
    text = f"SELECT json_deserialize_sql(s::JSON), {_OF_INTEGERS} FROM (SELECT unnest(?) AS s)"
    found = connection.execute(text, [statements]).fetchall()
    if found[0][1] and any(DIVISION in one for one in statements):
        found = connection.execute(text, [[_with_division_calls(one) for one in statements]]).fetchall()
    return [one for one, _ in found]


_OF_INTEGERS = "current_setting('integer_division')"
"""Whether `/` between numbers is read as `//`; a tree says which of them is meant."""

DIVISION = '"function_name": "/"'
"""What a tree has as JSON if it divides."""


def _with_division_calls(statement: str) -> str:
    """A tree with divisions written as function calls, which no setting changes."""

    def change(node: Tree) -> Tree | None:
        if node.get("function_name") != "/" or not node["is_operator"]:
            return None
        return {**node, "is_operator": False, "arguments": rewrite(node["arguments"], change)}

    return json.dumps(rewrite(json.loads(statement), change))


def _data(node: Tree) -> str:
    return json.dumps({"error": False, "statements": [{"node": node, "named_param_map": []}]})


def expression_texts(connection: Connection, trees: Sequence[Tree]) -> list[str]:
    """The text of each expression, without outer parentheses."""
    return [without_parentheses(text) for text in titles(connection, trees)]


def without_parentheses(text: str) -> str:
    """A text without a pair of outer parentheses."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1]


def shape(connection: Connection, text: str) -> tuple[list[str], list[str]]:
    """The names and types of a query's columns, as DuckDB binds it; nothing is run, and sequences do not advance.

    Raises:
        QueryError: DuckDB rejects the query, with its reason.
    """
    try:
        rows = connection.execute(f"DESCRIBE\n{text}").fetchall()
    except duckdb.Error as error:
        raise translated(error) from error
    return [str(row[0]) for row in rows], [str(row[1]) for row in rows]


def check(connection: Connection, text: str) -> None:
    """Refuses a query that DuckDB cannot bind, without an error in DuckDB, which would abort a transaction.

    Raises:
        QueryError: DuckDB rejects the query, with its reason.
    """
    found = json.loads(connection.execute("SELECT json_serialize_plan(?)", [text]).fetchall()[0][0])
    if found["error"]:
        raise QueryError(str(found["error_message"]).partition("\n")[0])


PARAMETERS = "SELECT json_serialize_plan(?::VARCHAR, optimize := false)"
"""Asks for the plan of a query whose parameters have no values; nothing runs."""


BOUND = "SELECT json_serialize_plan(t, optimize := false)->>'error_type' FROM (SELECT unnest(?::VARCHAR[]) AS t)"
"""Asks of queries for the kind of error that each would be; NULL of one that the binder takes."""

UNWRITTEN = "not implemented"
"""The kind of error of a plan that cannot be written down, such as one that reads CSV: it may be right all the same."""


def parameter_types(plan: str) -> dict[str, str]:
    """The types of parameters by name, from DuckDB's binder.

    Parameters of queries that cannot be planned without values, such as `x + $1`, are absent, and so are parameters of
    nested types other than lists.
    """
    found: dict[str, str] = {}
    left: list[Any] = [json.loads(plan)]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if part.get("type") == "VALUE_PARAMETER":
                found |= {str(part["identifier"]): kind for kind in _type_names(part["return_type"])}
            left += part.values()
        elif isinstance(part, list):
            left += part
    return found


def _type_names(plan_type: Tree) -> list[str]:
    """The name of a type in a plan, as a list; empty for a type without a name."""
    info = plan_type.get("type_info") or {}
    match plan_type["id"]:
        case "DECIMAL":
            return [f"DECIMAL({info['width']},{info['scale']})"]
        case "LIST":
            return [f"{one}[]" for one in _type_names(info["child_type"])]
        case "ARRAY" | "STRUCT" | "MAP" | "UNION" | "ENUM" | "UNKNOWN" | "SQLNULL" | "NULL" | "ANY" | "INVALID":
            return []
        case name:
            return [str(name)]


def type_tree(connection: Connection, name: str) -> Tree:
    """The syntax tree of a type, such as DECIMAL(18,2) or ENUM('a', 'b')."""
    node = parse(connection, f"SELECT CAST(NULL AS {name})")
    tree: Tree = node["select_list"][0]["type_expr"]
    return tree


def is_aggregate(tree: Tree, aggregates: frozenset[str]) -> bool:
    """Whether an expression is a call of an aggregate function outside of a window."""
    if tree.get("class") in ("WINDOW", "SUBQUERY"):
        return False
    return any(
        node.get("class") == "FUNCTION" and str(node["function_name"]).lower() in aggregates
        for node in expressions(tree)
    )


def _one(connection: Connection, text: str, parameter: str) -> dict[str, Any]:
    try:
        written = str(connection.execute(text, [parameter]).fetchall()[0][0])
        if _is_of_old(written):
            with duckdb.connect(config=dict.fromkeys(_NO_EXTENSIONS, "false")) as other:
                written = str(other.execute(text, [parameter]).fetchall()[0][0])
    except duckdb.Error as error:
        raise translated(error) from error
    answer: dict[str, Any] = json.loads(written)
    return answer


_NO_EXTENSIONS = ("autoinstall_known_extensions", "autoload_known_extensions")


def _is_of_old(tree: str) -> bool:
    """Whether a tree has the format of an older DuckDB, as `storage_compatibility_version` may request."""
    named = '"table_name":' in tree or '"function_name":' in tree
    return '"cast_type":' in tree or (named and '"qualified_name":' not in tree)
