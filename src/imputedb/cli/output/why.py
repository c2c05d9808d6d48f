"""The explanation of an imputed cell as text for a terminal."""

from rich.table import Table
from rich.text import Text

from imputedb.cli.output.tables import printed
from imputedb.provenance.reason import Why


def as_text(reason: Why) -> str:
    """The value, a table of its donors, and how much they agree."""
    lines = [f"{reason.table}.{reason.column} where {reason.key} is {reason.row}: {_described(reason)}"]
    if reason.neighbours:
        lines += ["", printed(_neighbours(reason)), "", _agreement(reason)]
    if reason.policy is not None:
        lines.append(f"its policy: {reason.policy}")
    if reason.recall is not None:
        lines.append(
            f"searched approximately: {reason.recall:.1%} of exact neighbours are found (measured); "
            f"index {_age(reason.age or 0.0)} old"
        )
    return "\n".join(lines) + "\n"


def _described(reason: Why) -> str:
    match reason.fallback:
        case None:
            text = _value(reason.value)
        case "left":
            text = "no neighbour, and no fallback: left missing"
        case "imprecise":
            text = "left missing: it is known less precisely than the column's policy asks"
        case stage:
            text = f"{_value(reason.value)}, the fallback ({stage}): no row has both this column and one to compare by"
    return text if reason.observed is None else f"{text} (stored: {_value(reason.observed)})"


def _neighbours(reason: Why) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for name in (reason.key, f"distance ({reason.metric})", "weight", reason.column):
        table.add_column(Text(name), justify="right")
    for near in reason.neighbours:
        table.add_row(Text(str(near.row)), f"{near.distance:.6g}", f"{near.weight:.3f}", Text(_value(near.value)))
    return table


def _agreement(reason: Why) -> str:
    effective = f"effective neighbours {reason.effective:.1f} of {len(reason.neighbours)}"
    if reason.entropy is not None:
        return f"{effective}; entropy of their votes {reason.entropy:.3f} nats"
    if reason.variance is not None:
        return f"{effective}; variance {reason.variance:.6g}, standard deviation {reason.variance**0.5:.6g}"
    return effective


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _age(seconds: float) -> str:
    for name, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"
