"""What PostgreSQL's clients write of its catalog, in trees of DuckDB's: told apart, and put in DuckDB's words.

DuckDB parses all of it and binds little: types that stand for oids (`regclass`), operators with a schema, texts that
are arrays, names of `pg_catalog`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imputedb.sql import ast as t
from imputedb.sql.ast import Tree

CATALOG, INFORMATION = "pg_catalog", "information_schema"

_HOMES = {CATALOG: "pg", INFORMATION: "info"}
"""The schemas that relations of the catalog are in here."""

_NUMBERS = ("oid", "xid", "xid8", "cid")
_TEXTS = (
    "name", "bpchar", "cstring", "regrole", "regconfig", "regoper", "aclitem", "char",
    "pg_node_tree", "sql_identifier", "character_data", "yes_or_no", "tid", "inet", "citext",
)  # fmt: skip
_VECTORS = {"int2vector": "SMALLINT", "oidvector": "UINTEGER"}
_OIDS = ("regclass", "regtype", "regnamespace", "regproc", "regprocedure")
_CALLED = {"json_build_object": "json_object", "jsonb_build_object": "json_object", "array_to_json": "to_json"}
"""Functions that DuckDB has under another name."""

_VALUES = ("string_to_array", "current_schemas", "parse_ident", "current_schema", "version")
"""Functions of one value that stand in FROM."""

_SPECIAL = ("user", "current_user", "session_user", "current_role", "current_catalog")


@dataclass(frozen=True, slots=True)
class Catalog:
    """What there is in the catalog, in lower case.

    Attributes:
        database: the name of the user's database.
        relations: schema, as clients name it, and name.
        functions: names of those that DuckDB has not, or otherwise.
        own: names of the user's tables and views without their schema.
    """

    database: str
    relations: frozenset[tuple[str, str]]
    functions: frozenset[str]
    own: frozenset[str]

    def meant(self, path: tuple[str, ...]) -> tuple[str, str] | None:
        """The relation of the catalog that a path means; None where it means none."""
        match path[-2:]:
            case (schema, name) if schema in _HOMES:
                return (schema, name)
            case (name,) if (CATALOG, name) in self.relations and name not in self.own:
                return (CATALOG, name)
            case _:
                return None


def asks_catalog(tree: Tree, catalog: Catalog) -> bool:
    """Whether a query is of the catalog: it reads a relation of it, or none at all but calls functions of it."""
    tables = [_path(node) for node in _nodes(tree) if node.get("type") == "BASE_TABLE"]
    given = {str(entry["key"]).lower() for node in _nodes(tree) for entry in (node.get("cte_map") or {}).get("map", ())}
    if any(catalog.meant(path) for path in tables if path[-1] not in given or len(path) > 1):
        return True
    if any(path[-1] not in given for path in tables):
        return False
    return any(_is_of_catalog(node, catalog) for node in _nodes(tree))


def _is_of_catalog(node: Tree, catalog: Catalog) -> bool:
    match node.get("class"):
        case "FUNCTION":
            *before, name = _path(node)
            return name in catalog.functions or before[-1:] in ([CATALOG], [INFORMATION])
        case "CAST":
            return _type_name(node["type_expr"]) in (*_OIDS, *_VECTORS)
        case "COLUMN_REF":
            return len(node["column_names"]) == 1 and str(node["column_names"][0]).lower() in _SPECIAL
        case _:
            return False


def in_main(tree: Any) -> Any:
    """A query whose schema `public` is `main`."""
    if isinstance(tree, list):
        return [in_main(part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    node = {key: in_main(part) for key, part in tree.items()}
    if node.get("type") == "BASE_TABLE" and len(path := _path(node)) > 1 and path[-2] == "public":
        return _at(node, [*node["qualified_name"]["path"][:-2], "main", node["qualified_name"]["path"][-1]])
    names = node.get("column_names")
    if node.get("class") == "COLUMN_REF" and names and len(names) > 2 and str(names[-3]).lower() == "public":
        return {**node, "column_names": [*names[:-3], "main", *names[-2:]]}
    return node


@dataclass(frozen=True, slots=True)
class Mending:
    """Puts a query of the catalog in DuckDB's words.

    Attributes:
        catalog: what there is in it.
        value: the value of what is of a session: `user`, and of `current_setting` and `set_config` with their
            arguments; None of what it cannot tell.
    """

    catalog: Catalog
    value: Callable[[str, list[str]], str | None]

    def mended(self, tree: Any) -> Any:
        """The query."""
        if isinstance(tree, list):
            return [self.mended(part) for part in tree]
        if not isinstance(tree, dict):
            return tree
        if tree.get("class") == "CAST" and (numbered := self._to_oid(tree)) is not None:
            return numbered
        items = tree.get("select_list")
        node = {key: self.mended(part) for key, part in tree.items() if key != "select_list"}
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
            case _ if node.get("type") == "TABLE_FUNCTION" and _path(node["function"])[-1] in _VALUES:
                name = node["alias"] or _path(node["function"])[-1]
                return t.subquery(t.select([t.named(node["function"], name)], None), name)
            case _:
                return node

    def _item(self, item: Tree) -> Tree:
        """An output, named as PostgreSQL names it."""
        found: Tree = self.mended(item)
        name = item["alias"] or _title(item)
        return {**found, "alias": name} if name and found.get("class") not in ("STAR", "COLUMN_REF") else found

    def _table(self, node: Tree) -> Tree:
        path = _path(node)
        meant = self.catalog.meant(path)
        if meant is None:
            return node
        return {**_at(node, [_HOMES[meant[0]], meant[1]]), "alias": node["alias"] or path[-1]}

    def _reference(self, node: Tree) -> Tree:
        names = [str(name) for name in node["column_names"]]
        if len(names) == 1 and names[0].lower() in _SPECIAL:
            return {**t.literal(self.value(names[0].lower(), [])), "alias": node["alias"]}
        if len(names) > 2 and names[-3].lower() in _HOMES:
            return {**node, "column_names": names[-2:]}
        return node

    def _call(self, node: Tree) -> Tree:
        *before, name = _path(node)
        arguments = [one["expression"] for one in node["arguments"]]
        texts = [_constant(one) for one in arguments]
        if name in ("current_setting", "set_config", "pg_backend_pid") and None not in texts[:2]:
            return {**t.literal(self.value(name, [one or "" for one in texts])), "alias": node["alias"]}
        if name == "unnest" and len(texts) == 1 and (texts[0] or "").startswith("{"):
            return {**node, "arguments": [{"name": "", "expression": _list(texts[0] or "", None)}]}
        if before[-1:] in ([CATALOG], [INFORMATION]) or name in _CALLED:
            found = _CALLED.get(name, name)
            return _at({**node, "schema": "", "catalog": "", "function_name": found}, [found])
        return node

    def _to_oid(self, tree: Tree) -> Tree | None:
        """A name that is looked up and made a number, `expression::regclass::oid`."""
        inner = tree["child"]
        if _type_name(tree["type_expr"]) not in ("oid", "int8", "bigint", "int4", "integer", "int"):
            return None
        if inner.get("class") != "CAST" or _type_name(inner["type_expr"]) not in _OIDS:
            return None
        kind = _look_up(_type_name(inner["type_expr"]))
        looked_up = t.call(f"pg_oid_of_{kind}", self.mended(inner["child"]))
        return {**looked_up, "alias": tree["alias"]}

    def _cast(self, node: Tree) -> Tree:
        kind, child, alias = _type_name(node["type_expr"]), node["child"], node["alias"]
        if kind in _OIDS:
            if kind == "regproc" and _constant(child) is not None:  # as typinput and the like are texts
                return {**child, "alias": alias}
            if child.get("class") == "PARAMETER":
                child = t.cast(child, t.plain_type("VARCHAR"))
                return {**t.call(f"pg_oid_of_{_look_up(kind)}", child), "alias": alias}
            way = "oid_of" if _constant(child) is not None else "name_of"
            return {**t.call(f"pg_{way}_{_look_up(kind)}", child), "alias": alias}
        if kind == "list" or kind in _VECTORS:
            element = _VECTORS.get(kind) or _plain(_type_name(node["type_expr"]["children"][0]))
            text = _constant(child)
            if text is not None and text.startswith("{"):
                return {**_list(text, element), "alias": alias}
            return {**t.cast(child, t.list_type(element)), "alias": alias}
        plain = _plain(kind)
        is_ours = plain != kind or len(_type_path(node["type_expr"])) > 1
        return node if not is_ours else {**t.cast(child, t.plain_type(plain)), "alias": alias}


def _look_up(kind: str) -> str:
    return "regproc" if kind == "regprocedure" else kind


def _plain(kind: str) -> str:
    """DuckDB's name of a type that it has not."""
    return "UINTEGER" if kind in _NUMBERS else "VARCHAR" if kind in (*_TEXTS, *_OIDS) else kind


def _type_path(tree: Tree) -> list[str]:
    return list((tree.get("qualified_name") or {}).get("path") or [str(tree.get("type_name", ""))])


def _type_name(tree: Tree) -> str:
    return str(_type_path(tree)[-1]).lower()


def _constant(tree: Tree) -> str | None:
    """The text of a literal; None of anything else."""
    if tree.get("class") == "CAST":
        return _constant(tree["child"])
    literal = tree.get("literal") or {}
    return str(literal["text"]) if tree.get("class") == "CONSTANT" and literal.get("kind") != "NULL_LITERAL" else None


def _list(text: str, element: str | None) -> Tree:
    """The list that a text such as `{r,p}` stands for, of numbers where all are."""
    words = [word.strip().strip('"') for word in text.strip("{} ").split(",")] if text.strip("{} ") else []
    are_numbers = bool(words) and all(re.fullmatch(r"-?\d+", word) for word in words)
    listed = t.call("list_value", *(t.literal(int(word) if are_numbers else word) for word in words))
    return t.cast(listed, t.list_type(element or ("BIGINT" if are_numbers else "VARCHAR")))


def _title(item: Tree) -> str:
    """The name that PostgreSQL gives an output without one; empty where DuckDB gives the same."""
    match item.get("class"):
        case "FUNCTION" if not item["is_operator"]:
            return _path(item)[-1]
        case "CAST":
            child = item["child"]
            if child.get("class") == "COLUMN_REF":
                return str(child["column_names"][-1])
            return _title(child) or _type_name(item["type_expr"])
        case "COLUMN_REF" if len(item["column_names"]) == 1 and str(item["column_names"][0]).lower() in _SPECIAL:
            return str(item["column_names"][0]).lower()
        case "CASE":
            return "case"
        case "COLLATE":
            return _title(item["child"])
        case _:
            return ""


def _path(node: Tree) -> tuple[str, ...]:
    told = (node.get("qualified_name") or {}).get("path") or [node.get("function_name") or node.get("table_name")]
    return tuple(str(part).lower() for part in told)


def _at(node: Tree, path: list[str]) -> Tree:
    """A table or a function under another path."""
    names: Mapping[str, Any] = {"qualified_name": {"path": path}}
    if "table_name" in node:
        catalog, schema = ["", "", *path[:-1]][-2:]
        names = {**names, "table_name": path[-1], "schema_name": schema, "catalog_name": catalog}
    return {**node, **names}


def _nodes(tree: Any) -> Iterator[Tree]:
    """All nodes of a tree, without recursion."""
    left = [tree]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += [one for one in part.values() if isinstance(one, dict | list)]
        else:
            left += [one for one in part if isinstance(one, dict | list)]
