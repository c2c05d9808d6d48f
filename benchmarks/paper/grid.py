"""A table of results, and its forms: CSV, Markdown, HTML."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of results.

    Attributes:
        name: its file's name, without suffix.
        title: its heading.
        head: names of the columns, units included.
        rows: cells; None where there is nothing to say.
        note: what a reader must know.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def csv(self) -> str:
        """The cells as they are."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.head)
        writer.writerows(self.rows)
        return text.getvalue()

    def markdown(self) -> str:
        """Heading, note and table."""
        lines = [f"### {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += ["| " + " | ".join(self.head) + " |", "|" + "".join(f"{rule}|" for rule in self._rules())]
        lines += ["| " + " | ".join(shown(cell).replace("|", "\\|") for cell in row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"

    def _rules(self) -> list[str]:
        return ["---:" if self.is_number(place) else "---" for place in range(len(self.head))]

    def is_number(self, place: int) -> bool:
        """Whether a column has numbers only."""
        cells = [row[place] for row in self.rows if row[place] is not None]
        return bool(cells) and all(isinstance(cell, int | float) for cell in cells)

    def html(self) -> str:
        """Heading, note and table."""
        sides = ["n" if self.is_number(place) else "t" for place in range(len(self.head))]
        head = "".join(f'<th class="{side}">{escape(cell)}</th>' for side, cell in zip(sides, self.head, strict=True))
        body = "".join(
            "<tr>" + "".join(f'<td class="{s}">{escape(shown(c))}</td>' for s, c in zip(sides, row, strict=True))
            + "</tr>"
            for row in self.rows
        )  # fmt: skip
        note = f'<p class="quiet">{escape(self.note)}</p>' if self.note else ""
        return f"<h3>{escape(self.title)}</h3>{note}<div class=wide><table><tr>{head}</tr>{body}</table></div>"


def shown(cell: Cell) -> str:
    """A cell as a reader wants it: three significant digits, thousands set apart."""
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}"
        case float():
            return _number(cell)
        case _:
            return cell


def _number(value: float) -> str:
    size = abs(value)
    if size >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"
