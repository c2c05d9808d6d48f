"""A database with keys, references, checks, lists and remarks, beside what the other tests of the service have."""

from __future__ import annotations

from pathlib import Path

import imputedb
from tests.service.conftest import made


def surveyed(folder: Path) -> Path:
    path = made(folder / "survey.duckdb", rows=40)
    with imputedb.connect(path) as db:
        db.execute("CREATE TABLE area (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL UNIQUE)")
        db.execute(
            "CREATE TABLE visit (id BIGINT PRIMARY KEY, area INTEGER REFERENCES area (id), "
            "seen TIMESTAMP DEFAULT now(), cost DECIMAL(10, 2) CHECK (cost > 0), tags VARCHAR[])"
        )
        db.execute("INSERT INTO area VALUES (1, 'north'), (2, 'south')")
        db.execute(
            "INSERT INTO visit SELECT range, 1 + range % 2, '2020-01-01', range + 1.25, ['a', 'b'] FROM range(10)"
        )
        db.execute("COMMENT ON TABLE area IS 'where'")
    return path
