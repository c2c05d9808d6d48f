"""SQL logic: `*.slt` files of statements and queries with their rows; `pytest --update-golden` writes them anew.

statement            runs as it stands
query alpha=0 ...    is answered, and compared with the rows behind ----
error alpha=0 ...    is refused with the words behind ----
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import imputedb
from imputedb import Database

FILES = sorted(Path(__file__).parent.glob("*.slt"))


@dataclass
class Record:
    head: str
    sql: str
    expected: str

    @property
    def text(self) -> str:
        tail = f"\n----\n{self.expected}" if not self.head.startswith("statement") else ""
        return f"{self.head}\n{self.sql}{tail}"


def _records(text: str) -> Iterator[Record | str]:
    for block in text.strip().split("\n\n"):
        if block.startswith("#"):
            yield block
            continue
        head, _, rest = block.partition("\n")
        sql, _, expected = (rest + "\n").partition("\n----\n")
        sql, expected = sql.rstrip("\n"), expected.rstrip("\n")
        yield Record(head, sql, expected)


def _wishes(head: str) -> dict[str, Any]:
    wishes: dict[str, Any] = {"imputer": "mean"}
    for word in head.split()[1:]:
        name, _, value = word.partition("=")
        wishes[name] = {"alpha": float, "seed": int}.get(name, str)(value)
    return wishes


def _said(db: Database, record: Record) -> str:
    if record.head.startswith("error"):
        with pytest.raises(imputedb.Error) as caught:
            db.sql(record.sql, **_wishes(record.head))
        return f"{type(caught.value).__name__}: {str(caught.value).splitlines()[0]}"
    result = db.sql(record.sql, **_wishes(record.head))
    rows = "\n".join(" | ".join("NULL" if v is None else str(v) for v in row) for row in result.fetchall())
    return f"{' | '.join(result.columns)}\n{rows}" if rows else " | ".join(result.columns)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_sql(db: Database, path: Path, update_golden: bool) -> None:
    parts = []
    for record in _records(path.read_text()):
        if isinstance(record, str):
            parts.append(record)
            continue
        if record.head.startswith("statement"):
            db.execute(record.sql)
        else:
            said = _said(db, record)
            if not update_golden:
                assert said == record.expected, record.sql
            record.expected = said
        parts.append(record.text)
    if update_golden:
        path.write_text("\n\n".join(parts) + "\n")
