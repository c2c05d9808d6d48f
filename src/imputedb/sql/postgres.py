"""Translation of PostgreSQL clients' catalog queries to DuckDB's dialect.

DuckDB parses all of them and binds few: they have types that stand for oids (`regclass`), operators with a schema,
arrays as text, and names of `pg_catalog`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imputedb.errors import UnknownName
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree

CATALOG, INFORMATION = "pg_catalog", "information_schema"

_HOMES = {CATALOG: "pg", INFORMATION: "info"}
"""The schemas that relations of the catalog are in here."""

_PUBLIC = "public"

_UNNAMED = "?column?"

_NUMBERS = ("oid", "xid", "xid8", "cid")
_TEXTS = (
    "name", "bpchar", "cstring", "regrole", "regconfig", "regoper", "aclitem", "char",
    "pg_node_tree", "sql_identifier", "character_data", "yes_or_no", "tid", "inet", "citext",
)  # fmt: skip
_VECTORS = {"int2vector": "SMALLINT", "oidvector": "UINTEGER"}
OIDS = ("regclass", "regtype", "regnamespace", "regproc", "regprocedure")
_CALLED = {"json_build_object": "json_object", "jsonb_build_object": "json_object", "array_to_json": "to_json"}
"""Functions that DuckDB has under another name."""

_VALUES = ("string_to_array", "current_schemas", "parse_ident", "current_schema", "version")
"""Functions of one value that stand in FROM."""

SPECIAL = ("user", "current_user", "session_user", "current_role", "current_catalog")


@dataclass(frozen=True, slots=True)
class Catalog:
    """The names of the catalog, in lower case.

    Attributes:
        database: name of the user's database.
        relations: schema, as clients name it, and name of each relation.
        functions: names of functions that DuckDB lacks or defines otherwise.
        own: names of the user's tables and views, without schema.
    """

    database: str
    relations: frozenset[tuple[str, str]]
    functions: frozenset[str]
    own: frozenset[str]

    def relation_of(self, path: tuple[str, ...]) -> tuple[str, str] | None:
        """The catalog relation of a path; None for any other path."""
        match path[-2:]:
            case (schema, name) if schema in _HOMES:
                return (schema, name)
            case (name,) if (CATALOG, name) in self.relations and name not in self.own:
                return (CATALOG, name)
            case _:
                return None


def reads_catalog(tree: Tree, catalog: Catalog) -> bool:
    """Whether a query reads the catalog: a relation of it, or no relation but a function of it."""
    tables = [path_of(node) for node in nodes(tree) if node.get("type") == "BASE_TABLE"]
    given = {str(entry["key"]).lower() for node in nodes(tree) for entry in (node.get("cte_map") or {}).get("map", ())}
    if any(catalog.relation_of(path) for path in tables if path[-1] not in given or len(path) > 1):
        return True
    if any(path[-1] not in given for path in tables):
        return False
    return any(_is_of_catalog(node, catalog) for node in nodes(tree))


def _is_of_catalog(node: Tree, catalog: Catalog) -> bool:
    match node.get("class"):
        case "FUNCTION":
            *before, name = path_of(node)
            return name in catalog.functions or before[-1:] in ([CATALOG], [INFORMATION])
        case "CAST":
            return type_name(node["type_expr"]) in (*OIDS, *_VECTORS)
        case "COLUMN_REF":
            return len(node["column_names"]) == 1 and str(node["column_names"][0]).lower() in SPECIAL
        case _:
            return False


def in_main(tree: Tree) -> Tree:
    """A query with schema `public` replaced by `main`, unless it is the alias of a table."""
    is_alias = any(str(node.get("alias") or "").lower() == _PUBLIC for node in nodes(tree))
    found: Tree = _in_main(tree, is_alias=is_alias)
    return found


def _in_main(tree: Any, *, is_alias: bool) -> Any:
    if isinstance(tree, list):
        return [_in_main(part, is_alias=is_alias) for part in tree]
    if not isinstance(tree, dict):
        return tree
    node = {key: _in_main(part, is_alias=is_alias) for key, part in tree.items()}
    is_named = node.get("type") == "BASE_TABLE" or node.get("class") == "FUNCTION"
    if is_named and len(path := path_of(node)) > 1 and path[-2] == _PUBLIC:
        named = node["qualified_name"]["path"]
        return _at(node, [*named[:-2], "main", named[-1]])
    names = node.get("column_names")
    if node.get("class") == "COLUMN_REF" and names and len(names) > 2 and str(names[-3]).lower() == _PUBLIC:
        return node if is_alias else {**node, "column_names": [*names[:-3], "main", *names[-2:]]}
    return node


@dataclass(frozen=True, slots=True)
class CatalogTranslation:
    """The translator of a catalog query.

    Attributes:
        catalog: names of the catalog.
        value: gives the value of a session function: `user`, or `current_setting` and `set_config` with their
            arguments; None for any other.
    """

    catalog: Catalog
    value: Callable[[str, list[str]], str | None]

    def translated(self, tree: Any) -> Any:
        """The translated query."""
        if isinstance(tree, list):
            return [self.translated(part) for part in tree]
        if not isinstance(tree, dict):
            return tree
        if tree.get("class") == "CAST" and (numbered := self._to_oid(tree)) is not None:
            return numbered
        items = tree.get("select_list")
        node = {key: self.translated(part) for key, part in tree.items() if key != "select_list"}
        if items is not None:
            node["select_list"] = [self._item(one) for one in items]
        match node.get("class"):
            case "FUNCTION":
                return self._call(node)
            case "CAST":
                return self._cast(node)
            case "COLLATE":
                return {**node["child"], "alias": node["alias"]}
            case "COLUMN_REF":
                return self._reference(node)
            case _ if node.get("type") == "BASE_TABLE":
                return self._table(node)
            case _ if node.get("type") == "TABLE_FUNCTION" and path_of(node["function"])[-1] in _VALUES:
                name = node["alias"] or path_of(node["function"])[-1]
                return t.subquery(t.select([t.named(node["function"], name)], None), name)
            case _:
                return node

    def _item(self, item: Tree) -> Tree:
        """An output with PostgreSQL's name for it."""
        found: Tree = self.translated(item)
        name = item["alias"] or title_of(item)
        return {**found, "alias": name} if name and found.get("class") not in ("STAR", "COLUMN_REF") else found

    def _table(self, node: Tree) -> Tree:
        path = path_of(node)
        meant = self.catalog.relation_of(path)
        if meant is None and len(path) > 1:  # DuckDB's own catalogs are not readable
            raise UnknownName(f"no table {'.'.join(path)} can be read beside {CATALOG} and {INFORMATION}")
        if meant is None:
            return node
        return {**_at(node, [_HOMES[meant[0]], meant[1]]), "alias": node["alias"] or path[-1]}

    def _reference(self, node: Tree) -> Tree:
        names = [str(name) for name in node["column_names"]]
        if len(names) == 1 and names[0].lower() in SPECIAL:
            return {**t.literal(self.value(names[0].lower(), [])), "alias": node["alias"]}
        if len(names) > 2 and names[-3].lower() in _HOMES:
            return {**node, "column_names": names[-2:]}
        return node

    def _call(self, node: Tree) -> Tree:
        *before, name = path_of(node)
        arguments = [one["expression"] for one in node["arguments"]]
        texts = [constant(one) for one in arguments]
        if name == "pg_backend_pid":
            return {**t.cast(t.literal(self.value(name, [])), t.plain_type("INTEGER")), "alias": node["alias"]}
        if name in ("current_setting", "set_config") and None not in texts[:2]:
            return {**t.literal(self.value(name, [one or "" for one in texts])), "alias": node["alias"]}
        if name == "unnest" and len(texts) == 1 and (texts[0] or "").startswith("{"):
            return {**node, "arguments": [{"name": "", "expression": _list(texts[0] or "", None)}]}
        if before[-1:] in ([CATALOG], [INFORMATION]) or name in _CALLED:
            found = _CALLED.get(name, name)
            return _at({**node, "schema": "", "catalog": "", "function_name": found}, [found])
        return node

    def _to_oid(self, tree: Tree) -> Tree | None:
        """The translation of `expression::regclass::oid`: a look-up of a name."""
        inner = tree["child"]
        if type_name(tree["type_expr"]) not in ("oid", "int8", "bigint", "int4", "integer", "int"):
            return None
        if inner.get("class") != "CAST" or type_name(inner["type_expr"]) not in OIDS:
            return None
        kind = _look_up(type_name(inner["type_expr"]))
        looked_up = t.call(f"pg_oid_of_{kind}", self.translated(inner["child"]))
        return {**looked_up, "alias": tree["alias"]}

    def _cast(self, node: Tree) -> Tree:
        kind, child, alias = type_name(node["type_expr"]), node["child"], node["alias"]
        if kind in OIDS:
            if kind == "regproc" and constant(child) is not None:  # such as typinput, which is text here
                return {**child, "alias": alias}
            if child.get("class") == "PARAMETER":
                child = t.cast(child, t.plain_type("VARCHAR"))
                return {**t.call(f"pg_oid_of_{_look_up(kind)}", child), "alias": alias}
            way = "oid_of" if constant(child) is not None else "name_of"
            return {**t.call(f"pg_{way}_{_look_up(kind)}", child), "alias": alias}
        if kind == "list" or kind in _VECTORS:
            element = _VECTORS.get(kind) or _plain(type_name(node["type_expr"]["children"][0]))
            text = constant(child)
            if text is not None and text.startswith("{"):
                return {**_list(text, element), "alias": alias}
            return {**t.cast(child, t.list_type(element)), "alias": alias}
        plain = _plain(kind)
        is_ours = plain != kind or len(_type_path(node["type_expr"])) > 1
        return node if not is_ours else {**t.cast(child, t.plain_type(plain)), "alias": alias}


def _look_up(kind: str) -> str:
    return "regproc" if kind == "regprocedure" else kind


def _plain(kind: str) -> str:
    """DuckDB's name of a PostgreSQL type."""
    return "UINTEGER" if kind in _NUMBERS else "VARCHAR" if kind in (*_TEXTS, *OIDS) else kind


def _type_path(tree: Tree) -> list[str]:
    return list((tree.get("qualified_name") or {}).get("path") or [str(tree.get("type_name", ""))])


def type_name(tree: Tree) -> str:
    """The name of a type, in lower case and without its schema."""
    return str(_type_path(tree)[-1]).lower()


def parameters(tree: Tree) -> dict[str, str]:
    """The parameters of a query that are cast, by name, with the type of the cast."""
    found: dict[str, str] = {}
    for node in nodes(tree):
        if node.get("class") == "PARAMETER":
            found.setdefault(str(node["identifier"]), "")
        is_cast = node.get("class") == "CAST" and node["child"].get("class") == "PARAMETER"
        if is_cast and not node["type_expr"].get("children"):
            found[str(node["child"]["identifier"])] = type_name(node["type_expr"])
    return found


def constant(tree: Tree) -> str | None:
    """The text of a literal; None for anything else."""
    if tree.get("class") == "CAST":
        return constant(tree["child"])
    literal = tree.get("literal") or {}
    return str(literal["text"]) if tree.get("class") == "CONSTANT" and literal.get("kind") != "NULL_LITERAL" else None


def _list(text: str, element: str | None) -> Tree:
    """The list of an array text such as `{r,p}`; numbers if all elements are."""
    words = [word.strip().strip('"') for word in text.strip("{} ").split(",")] if text.strip("{} ") else []
    are_numbers = bool(words) and all(re.fullmatch(r"-?\d+", word) for word in words)
    listed = t.call("list_value", *(t.literal(int(word) if are_numbers else word) for word in words))
    return t.cast(listed, t.list_type(element or ("BIGINT" if are_numbers else "VARCHAR")))


def title_of(item: Tree) -> str:
    """PostgreSQL's name of an output without alias; empty where it is the column's name, as in DuckDB."""
    match item.get("class"):
        case "FUNCTION" if not item["is_operator"]:
            return path_of(item)[-1]
        case "CAST":
            child = item["child"]
            if child.get("class") == "COLUMN_REF":
                return str(child["column_names"][-1])
            found = title_of(child)
            return found if found not in ("", _UNNAMED) else type_name(item["type_expr"])
        case "COLUMN_REF" if len(item["column_names"]) == 1 and str(item["column_names"][0]).lower() in SPECIAL:
            return str(item["column_names"][0]).lower()
        case "CASE":
            return "case"
        case "COLLATE":
            return title_of(item["child"])
        case "COLUMN_REF" | "STAR":
            return ""
        case _:
            return _UNNAMED


def path_of(node: Tree) -> tuple[str, ...]:
    """The path of a table or a function, in lower case."""
    path = (node.get("qualified_name") or {}).get("path") or [node.get("function_name") or node.get("table_name")]
    return tuple(str(part).lower() for part in path)


def _at(node: Tree, path: list[str]) -> Tree:
    """A table or a function with another path."""
    names: Mapping[str, Any] = {"qualified_name": {"path": path}}
    if "table_name" in node:
        catalog, schema = ["", "", *path[:-1]][-2:]
        names = {**names, "table_name": path[-1], "schema_name": schema, "catalog_name": catalog}
    return {**node, **names}


def nodes(tree: Any) -> Iterator[Tree]:
    """All nodes of a tree, found without recursion."""
    left = [tree]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += [one for one in part.values() if isinstance(one, dict | list)]
        else:
            left += [one for one in part if isinstance(one, dict | list)]
