"""Renderings of a plan: as a tree of text, as JSON-ready data, and in the DOT language."""

from collections.abc import Callable
from typing import Any, assert_never

from imputedb.algebra.column import listed
from imputedb.algebra.relation import (
    Aggregate,
    Drop,
    Filter,
    Impute,
    Join,
    Limit,
    Project,
    Relation,
    Scan,
    Sort,
    Staged,
)
from imputedb.algebra.scalar import Scalar
from imputedb.algebra.walk import inputs

Note = Callable[[Relation], str]
"""What to write behind an operator, such as its rows."""


def label(relation: Relation) -> str:
    """An operator as one line of text."""
    match relation:
        case Scan(table, alias):
            return f"scan {table.shown}" + (f" as {alias}" if alias != table.name else "")
        case Filter(_, predicates):
            return f"σ {_texts(predicates, ' and ')}"
        case Join(_, _, predicates):
            return f"⋈ {_texts(predicates, ' and ')}" if predicates else "×"
        case Impute():
            return "μ " + ", ".join(f"{name}({listed(columns)})" for name, columns in relation.fillers.items())
        case Drop(_, columns):
            return f"δ {listed(columns)}"
        case Aggregate(_, groups, aggregates, having):
            by = f" by {_texts(groups)}" if groups else ""
            return f"g {_texts(aggregates)}{by}".replace("g  by", "g by") + (f" having {having.text}" if having else "")
        case Project(_, outputs, qualify, distinct):
            kept = f" qualify {qualify.text}" if qualify else ""
            return f"π {'distinct ' if distinct else ''}{_texts(outputs)}{kept}"
        case Sort(_, keys):
            return "sort by " + ", ".join(
                key.scalar.text + (" desc" if key.direction == "DESCENDING" else "") for key in keys
            )
        case Limit(_, text):
            return f"limit {text}"
        case Staged(origin=origin):
            return label(origin)
        case _:
            assert_never(relation)


def _texts(scalars: tuple[Scalar, ...], between: str = ", ") -> str:
    return between.join(scalar.text for scalar in scalars)


def drawn(relation: Relation, note: Note = lambda _: "") -> str:
    """The plan as a tree of lines, the last operator on top."""
    return "\n".join(_lines(relation, note, "", ""))


def _lines(relation: Relation, note: Note, first: str, rest: str) -> list[str]:
    behind = note(relation)
    lines = [first + label(relation) + (f"   {behind}" if behind else "")]
    below = inputs(relation)
    for place, part in enumerate(below):
        last = place == len(below) - 1
        lines += _lines(part, note, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
    return lines


def as_data(relation: Relation, more: Callable[[Relation], dict[str, Any]] = lambda _: {}) -> dict[str, Any]:
    """The plan as nested dictionaries: operator, text, inputs, and what `more` adds for each."""
    return {
        "operator": type(relation).__name__.lower(),
        "text": label(relation),
        **more(relation),
        "inputs": [as_data(below, more) for below in inputs(relation)],
    }


def dot(relation: Relation, note: Note = lambda _: "") -> str:
    """The plan in the DOT language of Graphviz."""
    nodes: list[str] = []
    edges: list[str] = []

    def add(part: Relation) -> int:
        number = len(nodes)
        text = "\\n".join(filter(None, (_escaped(label(part)), _escaped(note(part)))))
        style = ', style=filled, fillcolor="#ffe0b2"' if isinstance(part, Impute | Drop) else ""
        nodes.append(f'  n{number} [label="{text}"{style}];')
        edges.extend(f"  n{add(below)} -> n{number};" for below in inputs(part))
        return number

    add(relation)
    return "\n".join(["digraph plan {", "  rankdir=BT;", "  node [shape=box];", *nodes, *edges, "}"])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
