"""Makes the fixtures of tests/upgrade: what a released imputedb writes, and the answers that it gives from it.

PYTHONPATH=<source of the release> python tests/upgrade/make.py tests/upgrade/NAME

Written are `NAME.tar.gz`, with a database, completed data sets, a policy file and an index of neighbours, and
`NAME.json`, with the answers.
"""

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import imputedb

QUERIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("SELECT count(*), avg(income), sum(age) FROM people", {"imputer": "mean"}),
    ("SELECT region, avg(income), count(*) FROM people GROUP BY region ORDER BY ALL", {"imputer": "mean"}),
    ("SELECT avg(p.income), max(v.score) FROM people p JOIN visits v USING (id)", {"imputer": "mean"}),
    ("SELECT count(*) FROM people WHERE income > 30 AND age < 60", {"imputer": "mean", "strategy": "base"}),
    ("SELECT count(IMPUTED(income)), count(*) FROM people", {"imputer": "mean"}),
    ("SELECT id, pregnant FROM people WHERE id < 10 ORDER BY id", {"imputer": "mean"}),
    ("SELECT count(*), avg(score) FROM visits", {"imputer": "drop"}),
)


def filled(db: Any) -> None:
    """Tables whose values come from integers alone, so that any machine makes the same."""
    db.execute(
        """CREATE TABLE people AS SELECT id::INTEGER AS id,
               CASE WHEN id % 7 = 3 THEN NULL WHEN id % 31 = 5 THEN 999 ELSE 18 + (id * 13) % 60 END::INTEGER AS age,
               CASE WHEN id % 5 = 2 THEN NULL ELSE 10 + (id * 37) % 41 + id % 3 / 2 END::DOUBLE AS income,
               CASE WHEN id % 11 = 4 THEN NULL ELSE ['north', 'south', 'east'][1 + id % 3] END AS region,
               CASE WHEN id % 2 = 0 THEN id % 6 = 0 END AS pregnant, id % 2 = 0 AS woman
           FROM range(240) rows(id)"""
    )
    db.execute(
        """CREATE TABLE visits AS SELECT id::INTEGER AS id, DATE '2024-01-01' + (id % 90)::INTEGER AS day,
               CASE WHEN id % 4 = 1 THEN NULL ELSE (id * 29) % 17 END::DOUBLE AS score
           FROM range(0, 480, 2) rows(id)"""
    )
    db.execute(
        """CREATE TABLE wide AS SELECT id::INTEGER AS id,
               (id * 7919) % 1009 / 10.0 AS x, (id * 104729) % 997 / 10.0 AS y,
               CASE WHEN id % 50 = 7 THEN NULL ELSE (id * 7919) % 1009 / 10.0 + id % 5 END AS z
           FROM range(6000) rows(id)"""
    )
    db.missing("people", "age", [999])
    db.policy("people", "age", low=18, high=90)
    db.policy("people", "pregnant", "structural", when="NOT woman")
    db.policy("people", "income", exclude=["region"])
    db.policy("visits", "score", "drop")


def answers(db: Any, runs: Path) -> dict[str, Any]:
    """What the database, the runs and the index give."""
    from imputedb.imputers.knn import KNN

    why = db.why("wide", "z", 57, imputer=KNN(3, search="approximate"))
    completed = imputedb.completed(runs)
    fits = completed.fit("income ~ age")
    return {
        "queries": [[list(map(str, row)) for row in db.sql(text, **how).fetchall()] for text, how in QUERIES],
        "policies": [list(row) for row in db.policies()],
        "declared": [[*one[:2], list(one[2])] for one in db.declared()] if hasattr(db, "declared") else None,
        "why": [str(why.value), [str(one) for one in why.neighbours]],
        "completed": [[str(value) for value in completed.frame(draw)["income"]] for draw in (1, 2)],
        "fits": [[f"{value:.9g}" for value in one.params] for one in fits],
    }


def main(out: Path) -> None:
    """Packs what is written into `out`.tar.gz, and the answers beside it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with imputedb.connect(folder / "survey.duckdb") as db:
            filled(db)
            db.impute("SELECT id, age, income FROM people", folder / "runs", m=2, imputer="norm", seed=1)
            found = answers(db, folder / "runs")
            if hasattr(db, "export_policies"):
                db.export_policies(folder / "policies.toml")
            db.execute("CHECKPOINT")
        out.with_suffix(".json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        with tarfile.open(out.with_suffix(".tar.gz"), "w:gz", compresslevel=9) as packed:
            packed.add(folder, ".")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
