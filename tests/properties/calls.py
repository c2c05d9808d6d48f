"""Every public call with arguments, for tests that try all of them."""

import inspect
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.testing import CliRunner

import imputedb
from imputedb import Completed, Database, Model, Pool, QueryError, Result, StorageError, UnknownName
from imputedb.cli.main import main
from imputedb.completion.sensitivity import mean_of
from imputedb.imputers.knn import KNN
from imputedb.sensitivity import Departures, Sensitivity

CLASSES = (Database, Result, Completed, Pool)
DUNDERS = ("__iter__", "__len__", "__repr__", "__arrow_c_stream__")
ROWS = 200


@dataclass
class Place:
    """A folder with a database, an answer and a run.

    Attributes:
        db: the database, once opened.
        held: an answer of it.
        run: the folder of completed data sets.
    """

    folder: Path
    db: Any = None
    held: Any = None
    made: int = 0
    read_only: bool = False

    @classmethod
    def copied(cls, files: Path, folder: Path) -> "Place":
        shutil.copytree(files, folder, symlinks=True)
        return cls(folder)

    @property
    def path(self) -> str:
        return str(self.folder / "data.db")

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def open(self) -> None:
        self.db = imputedb.connect(self.path, read_only=self.read_only)
        self.held = self.db.sql("SELECT id, x FROM t ORDER BY id", imputer="mean")

    def close(self) -> None:
        if self.db is not None:
            self.db.close()

    def fresh(self, name: str) -> str:
        self.made += 1
        return str(self.folder / f"{self.made}-{name}")

    def completed(self) -> Completed:
        return imputedb.completed(self.run)


def sample(folder: Path) -> None:
    """Makes the files of a place."""
    rng = np.random.default_rng(0)
    gone = rng.random((3, ROWS)) < 0.25
    values = rng.normal(size=(3, ROWS)).cumsum(axis=0)
    with imputedb.connect(folder / "data.db") as db:
        group = np.array(["a", "b"], object)[np.arange(ROWS) % 2]
        columns: dict[str, Any] = {"id": np.arange(ROWS), "g": group}
        columns |= {name: np.ma.masked_array(values[k], gone[k]) for k, name in enumerate("xyz")}
        db.register("t", columns, keep=True)
        db.missing("t", "y", [99])
        db.policy("t", "z", low=-50, high=50)
        db.sql("SELECT avg(x), avg(z) FROM t")
        db.export_policies(folder / "said.toml")
        db.impute("t", folder / "run", m=2, imputer="norm", flags=True)
        db.create_model("line", "t", ["x"], imputer="mean", draws=1).save(folder / "m.model")
        db.drop_model("line")
    (folder / "more.csv").write_text("a,b\n" + "1,2\n" * 20)
    (folder / "fits.csv").write_text("term,estimate,std.error\na,1,0.5\na,2,0.5\n")


def public() -> set[str]:
    """The names of all public calls: functions, methods of what they give, and commands."""
    functions = {name for name in imputedb.__all__ if inspect.isfunction(getattr(imputedb, name))}
    methods = {
        f"{kind.__name__}.{name}"
        for kind in CLASSES
        for name, member in inspect.getmembers(kind)
        if (not name.startswith("_") or (name in DUNDERS and name in vars(kind)))
        and (inspect.isfunction(member) or isinstance(member, property) or hasattr(member, "func"))
    }
    return functions | methods | set(_commands(main, "imputedb"))


def _commands(command: click.Command, called: str) -> list[str]:
    if not isinstance(command, click.Group):
        return [called]
    return [name for key, one in command.commands.items() for name in _commands(one, f"{called} {key}")]


def command(*words: str, text: str | None = None) -> None:
    """Runs a command as at a terminal; what is said of wrong options is click's own."""
    result = CliRunner().invoke(main, words, input=text, standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, click.ClickException):
        raise result.exception


def pooled() -> Pool:
    """Two terms of two draws."""
    return imputedb.pool([[1.0, 2.0], [1.5, 2.5]], [np.eye(2), np.eye(2)], terms=["a", "b"])


MEAN = "SELECT g, avg(x) AS m FROM t GROUP BY g"

CALLS: dict[str, Callable[[Place], object]] = {
    "connect": lambda at: imputedb.connect(at.path, read_only=at.read_only).close(),
    "completed": lambda at: imputedb.completed(at.run),
    "pool": lambda _: pooled(),
    "export_contract": lambda at: imputedb.export_contract(_contract(at), "great-expectations"),
    "pool_scores": lambda _: imputedb.pool_scores([1.0, 2.0, 3.0], [[1.0, 2.0, 2.5]] * 2),
    "Database.ampute": lambda at: _amputed(at),
    "Database.apply_policies": lambda at: at.db.apply_policies(at.folder / "said.toml"),
    "Database.audit": lambda at: at.db.audit("t", "audited", limit=3),
    "Database.complete": lambda at: at.db.complete("t", imputer="norm"),
    "Database.create_model": lambda at: _modelled(at),
    "Database.describe": lambda at: at.db.describe(MEAN, m=2),
    "Database.drop_model": lambda at: _refused_or(lambda: at.db.drop_model("no_model")),
    "Database.import_model": lambda at: at.db.import_model(_saved(at), replace=True),
    "Database.model": lambda at: _refused_or(lambda: at.db.model("no_model")),
    "Database.models": lambda at: at.db.models(),
    "Database.compare_models": lambda at: _refused_or(lambda: at.db.compare_models("no_model", "none")),
    "Database.refresh_model": lambda at: _refused_or(lambda: at.db.refresh_model("no_model")),
    "load_model": lambda at: _saved(at),
    "Database.cells": lambda at: at.db.cells("t", "x", imputer="mean", level=0.5, share=0.45),
    "Database.caches": lambda at: at.db.caches(),
    "Database.close": lambda at: imputedb.connect(at.path, read_only=at.read_only).close(),
    "Database.compare": lambda at: at.db.compare(MEAN, ways=("norm", "aipw", "bounds"), m=2),
    "Database.declared": lambda at: at.db.declared(),
    "Database.flux": lambda at: at.db.flux("t"),
    "Database.evaluate": lambda at: at.db.evaluate("t", imputer=("tree", "mean"), progress=lambda _: None),
    "Database.execute": lambda at: at.db.execute("SELECT count(*) FROM t WHERE id > ?", [3]),
    "Database.explain": lambda at: at.db.explain(MEAN, analyze=True),
    "Database.export_policies": lambda at: at.db.export_policies(at.fresh("out.toml")),
    "Database.frontier": lambda at: at.db.frontier(MEAN),
    "Database.impute_draws": lambda at: at.db.impute_draws("t", at.fresh("run"), [1], m=2, imputer="norm"),
    "Database.impute": lambda at: at.db.impute("SELECT id, x, y FROM t", at.fresh("run"), m=2, imputer="norm"),
    "Database.in_transaction": lambda at: at.db.in_transaction,
    "Database.interrupt": lambda at: at.db.interrupt(),
    "Database.likelihood": lambda at: at.db.likelihood("t", columns=("x", "y")),
    "Database.load": lambda at: at.db.load(str(at.folder / "more.csv"), replace=True),
    "Database.more": lambda at: at.db.more(at.run, 2),
    "Database.estimate": lambda at: at.db.estimate("t", m=2, imputer="norm", cycles=1),
    "Database.increment": lambda at: _refused_or(lambda: at.db.increment("t", at.fresh("run"), "no_model", "id")),
    "Database.repeat": lambda at: _refused_or(lambda: at.db.repeat(at.run, at.fresh("again"))),
    "Database.mcar": lambda at: at.db.mcar("t"),
    "Database.pictures": lambda at: at.db.pictures("t"),
    "Database.missing": lambda at: at.db.missing("t", "y", [99]),
    "Database.policies": lambda at: at.db.policies(),
    "Database.policy": lambda at: at.db.policy("t", "z", low=-50, high=50),
    "Database.pool_scores": lambda at: at.db.pool_scores("t", "x ~ z", m=2, folds=2, imputer="norm"),
    "Database.profile": lambda at: at.db.profile(),
    "Database.register": lambda at: at.db.register("frame", {"a": np.ma.masked_array([1.0, 2.0], [True, False])}),
    "Database.scan": lambda at: at.db.scan("t", ks=(1, 2), metrics=("gower",)),
    "Database.sensitivity": lambda at: at.db.sensitivity("t", "x", [0, 1], mean_of("x"), m=2),
    "Database.session": lambda at: _session(at),
    "Database.sql": lambda at: at.db.sql(MEAN, m=2, progress=lambda _: None).fetchall(),
    "Database.sql, written": lambda at: at.db.sql(f"COPY (SELECT x FROM t) TO '{at.fresh('x.csv')}'", imputer="mean"),
    "Database.sql, kept": lambda at: at.db.sql("CREATE OR REPLACE TABLE kept AS SELECT id, x FROM t", imputer="knn"),
    "Database.sql, robust": lambda at: at.db.sql("SELECT avg(x) FROM t", method="aipw"),
    "Database.sql, bounds": lambda at: at.db.sql("SELECT avg(x) FROM t", method="bounds"),
    "Database.sql, policy": lambda at: at.db.sql("CREATE IMPUTATION POLICY ON t(z) RANGE -50 TO 50"),
    "Database.tables": lambda at: at.db.tables(),
    "Database.why": lambda at: at.db.why("t", "x", 1, imputer=KNN()),
    "Result.__arrow_c_stream__": lambda at: at.held.__arrow_c_stream__(),
    "Result.__iter__": lambda at: list(at.held),
    "Result.__len__": lambda at: len(at.held),
    "Result.__repr__": lambda at: repr(at.held),
    "Result.arrow": lambda at: at.held.arrow(),
    "Result.description": lambda at: at.held.description,
    "Result.df": lambda at: at.held.df(),
    "Result.estimates": lambda at: _refused(lambda: at.held.estimates),
    "Result.fetchall": lambda at: at.held.fetchall(),
    "Result.first": lambda at: at.held.first(2),
    "Result.fetchmany": lambda at: at.held.fetchmany(2),
    "Result.fetchnumpy": lambda at: at.held.fetchnumpy(),
    "Result.fetchone": lambda at: at.held.fetchone(),
    "Result.by_group": lambda at: _refused(lambda: at.held.by_group),
    "Result.groups": lambda at: _refused(lambda: at.held.groups),
    "Result.under": lambda at: at.held.under(Sensitivity(Departures("x", (1.0,)), {})),
    "Result.has_estimates": lambda at: at.held.has_estimates,
    "Result.pl": lambda at: at.held.pl(),
    "Result.plan": lambda at: at.held.plan,
    "Result.relation": lambda at: at.held.relation,
    "Result.methods": lambda at: at.held.methods(),
    "Result.show": lambda at: at.held.show(),
    "Result.selecting": lambda at: at.held.selecting,
    "Result.write": lambda at: at.held.write(at.fresh("rows.parquet"), "parquet"),
    "Completed.__repr__": lambda at: repr(at.completed()),
    "Completed.__iter__": lambda at: list(at.completed()),
    "Completed.analyze": lambda at: at.completed().analyze("x ~ y"),
    "Completed.chains": lambda at: at.completed().chains,
    "Completed.check": lambda at: at.completed().check(),
    "Completed.files": lambda at: at.completed().files,
    "Completed.fit": lambda at: at.completed().fit("x ~ y"),
    "Completed.frame": lambda at: at.completed().frame(1),
    "Completed.m": lambda at: at.completed().m,
    "Completed.warnings": lambda at: at.completed().warnings,
    "Completed.report": lambda at: at.completed().report(at.fresh("page.html"), at.fresh("pictures")),
    "Pool.__repr__": lambda _: repr(pooled()),
    "Pool.__iter__": lambda _: list(pooled()),
    "Pool.__len__": lambda _: len(pooled()),
    "Pool.df": lambda _: pooled().df(),
    "Pool.table": lambda _: pooled().table(),
    "Pool.test": lambda _: pooled().test(["a"]),
    "imputedb analyze": lambda at: command("analyze", str(at.run), "x ~ y"),
    "imputedb ampute": lambda at: command("ampute", at.path, "t", Path(at.fresh("holes")).name),
    "imputedb audit cells": lambda at: command("audit", "cells", at.path, "t", "audited", "--limit", "3"),
    "imputedb audit log": lambda at: _refused(lambda: command("audit", "log", at.path)),
    "imputedb audit verify": lambda at: _refused(lambda: command("audit", "verify", at.path)),
    "imputedb compare": lambda at: command(
        "compare", at.path, "SELECT avg(x) AS m FROM t", "--ways", "norm", "--m", "2"
    ),
    "imputedb demo": lambda at: _refused(lambda: command("demo", at.path + "/no/place")),
    "imputedb evaluate": lambda at: command(
        "evaluate", at.path, "t", "--imputer", "mean", "--chart", at.fresh("c.png")
    ),
    "imputedb explain": lambda at: command("explain", at.path, MEAN, "--analyze"),
    "imputedb flux": lambda at: command("flux", at.path, "t"),
    "imputedb how-many": lambda at: command("how-many", at.path, MEAN, "--pilot", "2", "--imputer", "norm"),
    "imputedb mcar": lambda at: command("mcar", at.path, "t"),
    "imputedb missing": lambda at: command("missing", at.path, "t", "y", "99"),
    "imputedb frontier": lambda at: command("frontier", at.path, MEAN),
    "imputedb impute": lambda at: command("impute", at.path, "t", "--m", "1", "--out", at.fresh("run")),
    "imputedb increment": lambda at: _refused_or(
        lambda: command(*("increment", at.path, "t", "--out", at.fresh("run"), "--model", "no_model", "--key", "id"))
    ),
    "imputedb load": lambda at: command("load", at.path, str(at.folder / "more.csv"), "--replace"),
    "imputedb more": lambda at: command("more", at.path, str(at.run), "--cycles", "2"),
    "imputedb model create": lambda at: command(
        "model", "create", at.path, "line", "t", "--column", "x", "--imputer", "mean", "--draws", "1", "--replace"
    ),
    "imputedb model refresh": lambda at: _refused_or(lambda: command("model", "refresh", at.path, "no_model")),
    "imputedb model show": lambda at: command("model", "show", at.path),
    "imputedb model diff": lambda at: _refused_or(lambda: command("model", "diff", at.path, "no_model", "no_model")),
    "imputedb model export": lambda at: _refused_or(
        lambda: command("model", "export", at.path, "no_model", at.fresh("m"))
    ),
    "imputedb model import": lambda at: command("model", "import", at.path, str(at.folder / "m.model"), "--replace"),
    "imputedb model drop": lambda at: _refused_or(lambda: command("model", "drop", at.path, "no_model")),
    "imputedb policy apply": lambda at: command("policy", "apply", at.path, str(at.folder / "said.toml")),
    "imputedb policy export": lambda at: command("policy", "export", at.path, "--out", at.fresh("out.toml")),
    "imputedb policy show": lambda at: command("policy", "show", at.path),
    "imputedb pool": lambda at: command("pool", str(at.folder / "fits.csv")),
    "imputedb profile": lambda at: command("profile", at.path),
    "imputedb query": lambda at: command("query", at.path, MEAN, "--m", "2", "--output", at.fresh("rows.csv")),
    "imputedb report": lambda at: command("report", str(at.run), "--out", at.fresh("page.html")),
    "imputedb runs repeat": lambda at: _refused_or(
        lambda: command("runs", "repeat", str(at.run), "--out", at.fresh("again"))
    ),
    "imputedb runs compare": lambda at: command("runs", "compare", str(at.run), at.completed().folder.name),
    "imputedb runs contract": lambda at: command("runs", "contract", str(_contract(at)), "--to", "pandera"),
    "imputedb runs promote": lambda at: command("runs", "promote", str(at.run), at.completed().folder.name),
    "imputedb runs rollback": lambda at: _refused_or(lambda: command("runs", "rollback", str(at.run))),
    "imputedb runs list": lambda at: command("runs", "list", str(at.run)),
    "imputedb runs prune": lambda at: command("runs", "prune", str(at.run), "--keep", "9"),
    "imputedb runs verify": lambda at: command("runs", "verify", str(at.run)),
    "imputedb scan": lambda at: command("scan", at.path, "t", "--columns", "x"),
    "imputedb sensitivity": lambda at: command(
        "sensitivity", at.path, "SELECT avg(x) AS m FROM t", "x", "1", "--m", "2"
    ),
    "imputedb serve": lambda at: _refused(lambda: command("serve", at.path, "--http", "192.0.2.1:8080")),
    "imputedb shell": lambda at: command("shell", at.path, text=f".tables\n.missing\n{MEAN};\n"),
    "imputedb client": lambda _: _refused(lambda: command("client", "http://127.0.0.1:9", "SELECT 1")),
    "imputedb token add": lambda at: command("token", "add", at.fresh("tokens.toml"), "ann"),
    "imputedb token list": lambda at: _refused(lambda: command("token", "list", at.fresh("tokens.toml"))),
    "imputedb token drop": lambda at: _refused(lambda: command("token", "drop", at.fresh("tokens.toml"), "ann")),
    "imputedb ui": lambda at: _refused(lambda: command("ui", at.path, "--http", "192.0.2.1:8080")),
    "imputedb why": lambda at: command("why", at.path, "t", "x", "1"),
}
"""Calls by name; of one that has several, those after a comma are further ones."""

OF_RUNS = tuple(
    name for name in CALLS if name.startswith(("Completed.", "completed", "imputedb analyze", "imputedb rep"))
)
"""Those that read completed data sets."""

OF_TABLES = tuple(
    name
    for name in CALLS
    if name.startswith(("Database.", "imputedb policy", "imputedb profile", "imputedb query"))
    and not name.endswith((".scan", ".sensitivity", ".cells", ".compare", ".audit", ".pictures", ".ampute"))
)
"""Those that read what is kept of tables, but for some that read it as others do."""


def _modelled(at: Place) -> object:
    """A model that is made, and is gone again."""
    found = at.db.create_model("line", "t", ["x"], imputer="mean", draws=1, replace=True)
    at.db.drop_model("line")
    return found


def _amputed(at: Place) -> object:
    """Holes in a copy of a table, which is gone again."""
    made = at.db.ampute("t", "holes", columns=["x"])
    at.db.execute("DROP TABLE holes")
    return made


def _saved(at: Place) -> Model:
    return imputedb.load_model(at.folder / "m.model")


def _contract(at: Place) -> Path:
    file = at.folder / "contract.toml"
    file.write_text("[[check]]\nfigure = 'rows'\nleast = 1\n")
    return file


def _refused_or(call: Callable[[], object]) -> None:
    """A call of a model that there is not."""
    with suppress(UnknownName):
        call()


def _session(at: Place) -> object:
    with at.db.session() as other:
        return other.sql(MEAN, imputer="mean").fetchall()


def _refused(call: Callable[[], object]) -> None:
    """A call that is refused in any state."""
    with suppress(QueryError, StorageError):
        call()
