"""The reference page of the HTTP routes: plain HTML made from the OpenAPI document, without external resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h2{border-top:1px solid #ccc;padding-top:1rem;font-size:1.1rem}code,pre{font-family:ui-monospace,monospace}"
    "pre{background:#f6f6f6;padding:.7rem;overflow:auto;font-size:.85rem}"
    "td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}"
)


def page(document: Mapping[str, Any]) -> str:
    """The page as HTML."""
    info = document["info"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}</title>",
        f"<style>{_STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info['description'])} The same as data: <a href=/openapi.json>openapi.json</a>.</p>",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append(_route(document, path, method, operation))
    return "\n".join(parts)


def _route(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('description', ''))}</p>"]
    body = operation.get("requestBody")
    if body:
        schema = _meant(document, body["content"]["application/json"]["schema"])
        parts.append(_fields(schema))
    return "\n".join(parts)


def _meant(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _fields(schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", ())
    rows = [
        f"<tr><td><code>{escape(name)}</code><td>{escape(_kind(field))}<td>"
        f"{'required' if name in needed else escape(json.dumps(field.get('default')))}"
        f"<td>{escape(field.get('description', ''))}"
        for name, field in schema.get("properties", {}).items()
    ]
    return "<table><tr><th>field<th>type<th>default<th>meaning" + "".join(rows) + "</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("const", schema.get("type", "any")))
