"""Functions that are fitted to a sample of a large table for statements of one session, without fetching columns."""

import hashlib
from dataclasses import replace

import numpy as np

from imputedb.algebra.column import Column
from imputedb.algebra.relation import Scan
from imputedb.engines.cache import OF_STRUCTURE
from imputedb.engines.engine import Engine
from imputedb.engines.record import Record
from imputedb.errors import CannotImpute
from imputedb.execution.columns import KEY, ColumnCache, computed_from, finite
from imputedb.execution.model import ModelTable
from imputedb.imputers.permit import barred
from imputedb.imputers.protocol import Imputer, Progress
from imputedb.imputers.random import mixed, stream
from imputedb.imputers.rows import Rows
from imputedb.models.kept import SAMPLED
from imputedb.models.on_sample import SampledModel, fit_on_sample
from imputedb.models.target import FitSettings
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree
from imputedb.statistics.table import Statistics

KNOWN = 20_000
"""Approximate number of sampled rows with a value, from which the function is learnt."""

LACKING = 5_000
"""Approximate number of sampled rows without a value, which show what else such rows miss."""

_BITS = 31
"""Number of bits of the hash by which rows are sampled."""


def on_sample(
    engine: Engine,
    scan: Scan,
    statistics: Statistics,
    name: str,
    imputer: Imputer,
    seed: int,
    progress: Progress | None = None,
    *,
    drawn: bool = False,
) -> ModelTable:
    """A table with a function of one of its columns, fitted once to a sample of its present rows.

    The function gives expected values, and draws on request.

    Raises:
        CannotImpute: no value of the column is observed in the sample.
    """
    draws = 1 if drawn else 0
    what = (statistics.content, sorted(statistics.policy_texts.items()), name, imputer.name, seed, draws)
    digest = hashlib.sha256(repr(what).encode()).hexdigest()
    key = ("sampled model", digest)
    found: SampledModel | None = engine.recall(key)
    if found is None:
        rows, types = _rows(engine, replace(scan, alias=scan.table.name), statistics, name, seed)
        how = FitSettings(imputer.name, draws=draws, seed=seed)  # type: ignore[arg-type]
        found = fit_on_sample(rows, Column(scan.table.name, name), types, how, progress)
        engine.keep(key, found, _SIZE, OF_STRUCTURE)
    record = Record(
        name=SAMPLED + imputer.name,
        version=0,
        is_current=True,
        table=scan.table,
        columns=(name,),
        imputer=imputer.name,
        where=None,
        rows=found.fitted.rows,
        fitted_at="",
        fingerprint="",
        digest=digest,
        sample=KNOWN + LACKING,
        draws=draws,
        seed=seed,
        salt=statistics.content,
    )
    return ModelTable(engine, scan, statistics, record, found)


_SIZE = 1 << 16
"""Approximate number of bytes of a function."""


def _rows(engine: Engine, scan: Scan, statistics: Statistics, name: str, seed: int) -> tuple[Rows, dict[Column, str]]:
    """A sample of a table's rows, chosen by a hash of their identifiers, and the types of its columns.

    One statement reads all rows and returns the chosen ones.
    """
    cache, target = ColumnCache(engine, scan, statistics), Column(scan.alias, name)
    every = [Column(scan.alias, one) for one in sorted(statistics.regressors.union([name]))]
    forbidden = barred(statistics.policy(name), target, every) | computed_from(statistics, target, every)
    columns = [one for one in every if one not in forbidden or one == target]
    condition = _picked(cache, name, stream(seed, statistics.content, name) >> 1)
    read = [cache.encoded(KEY), *(cache.encoded(one.name) for one in columns)]
    items = [t.named(one, f"c{place}") for place, one in enumerate(read)]
    arrays = engine.arrays(t.select(items, cache.source, condition))
    hashes = cache.read(KEY, arrays["c0"]).values.astype(np.uint64, copy=False)
    keys = mixed(hashes ^ np.uint64(statistics.content))
    cells = {one: finite(cache.read(one.name, arrays[f"c{place}"])) for place, one in enumerate(columns, start=1)}
    if cells[target].missing.all():
        raise CannotImpute(f"no value of {scan.table.name}.{name} is in a sample of {len(keys):,} of its rows")
    return Rows(cells, keys), {one: statistics.columns[one.name].type for one in columns}


def _picked(cache: ColumnCache, name: str, salt: int) -> Tree:
    """Whether a row is in the sample: about `KNOWN` of the rows with a value, about `LACKING` of the others."""
    known = cache.statistics.columns[name]
    lacking = known.missing + known.meant
    hashed = t.arithmetic(">>", t.call("hash", cache.encoded(KEY), t.number(salt)), t.number(64 - _BITS))
    shares = [min(1.0, KNOWN / max(cache.statistics.rows - lacking, 1)), min(1.0, LACKING / max(lacking, 1))]
    bounds = [t.number(int(share * 2**_BITS)) for share in shares]
    return t.compared("COMPARE_LESSTHAN", hashed, t.where(t.is_present(cache.value(name)), *bounds))
