"""Queries over engines that do not hand over rows: imputation by functions, which are fitted first."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import get_args

from imputedb.algebra.relation import Table
from imputedb.answers.prepare import Planner
from imputedb.answers.prepared import Prepared
from imputedb.answers.request import IMPUTATION, QueryOptions
from imputedb.blocks.block import UnplannedBlock
from imputedb.engines.engine import Engine
from imputedb.engines.record import Record
from imputedb.errors import Unplanned
from imputedb.imputers.protocol import Imputer, fills_in_sql
from imputedb.models.kept import is_stored, with_models, with_stored_values
from imputedb.models.target import Method

_STAY = "rows stay where they are in Spark"
_WAY_OUT = "ask for imputer='tree' or 'norm', whose functions are written into the statement, for 'mean' or for 'drop'"
MARK = ":"
"""Separator in the names of models that are fitted for a query, of table, imputer and seed."""


def check(engine: Engine, prepared: Prepared, options: QueryOptions) -> None:
    """Refuses a query that cannot be answered by expressions only, before anything runs; complete queries are accepted.

    Raises:
        Unplanned: an imputer needs rows, or draws or another method are requested.
    """
    if not engine.fills_by_expression:
        return
    if options.method != IMPUTATION:
        raise Unplanned(f"method {options.method!r} works on rows, and {_STAY}: leave it out")
    if prepared.blocks:
        check_imputers(options.imputers)
        if options.fit == "query":
            raise Unplanned(f"fit='query' hands rows to imputers, and {_STAY}: leave fit out, or say 'table'")


def check_imputers(imputers: Sequence[Imputer]) -> None:
    """Refuses imputers without functions of a row.

    Raises:
        Unplanned: an imputer has none.
    """
    for imputer in imputers:
        base = imputer.base if is_stored(imputer) else imputer
        if not fills_in_sql(base) and base.name not in get_args(Method):
            raise Unplanned(f"imputer {base.name!r} is handed rows, and {_STAY}: {_WAY_OUT}")


def check_functions(engine: Engine, record: Record) -> None:
    """Refuses a model whose values are fitted to all rows of a table.

    Raises:
        Unplanned: the model is of that kind.
    """
    if engine.fills_by_expression:
        raise Unplanned(
            f"imputer {record.imputer!r}, or a policy of what it fills in, works on the rows of {record.table.name}, "
            f"and {_STAY}: {_WAY_OUT}"
        )


def check_keeping(engine: Engine) -> None:
    """Refuses a statement that stores the rows of a query.

    Raises:
        Unplanned: imputedb does not write to the engine.
    """
    if engine.fills_by_expression:
        raise Unplanned(f"CREATE TABLE AS, INSERT, MERGE and COPY would bring the answer here, and {_STAY}: ask for it")


def check_watched(engine: Engine) -> None:
    """Refuses to run the operators of a plan separately.

    Raises:
        Unplanned: the engine runs a plan as one statement.
    """
    if engine.fills_by_expression:
        raise Unplanned(f"ANALYZE brings the rows of each operator here, and {_STAY}: leave it out")


def to_fit(planner: Planner, options: QueryOptions, query: str) -> list[tuple[Table, Imputer]]:
    """The tables of a query with missing values, and the imputers whose functions are wanted."""
    wanted = [one for one in options.imputers if not fills_in_sql(one)]
    if options.method != IMPUTATION or options.fit == "query" or not wanted:
        return []
    prepared = planner.prepare(query, replace(options, imputers=with_stored_values(options.imputers)))
    if prepared.blocks:
        check_imputers(wanted)
    found: dict[Table, None] = {}
    for block in prepared.blocks:
        if not isinstance(block, UnplannedBlock):
            statistics = block.problem.statistics
            found |= {one.table: None for one in block.problem.query.sources if statistics[one.alias].dirty}
    return [(table, one.base if is_stored(one) else one) for table in found for one in wanted]


def name_of(table: Table, imputer: Imputer, seed: int) -> str:
    """The name of a model that is fitted for a query."""
    return MARK.join((*table.path[1:], imputer.name, str(seed)))


def are_covered(table: Table, columns: Collection[str], records: Sequence[Record]) -> bool:
    """Whether users' models impute all of some columns of a table."""
    known = [one for one in records if MARK not in one.name and one.has_functions]
    return all(any(one.covers(table, column) for one in known) for column in columns)


def with_functions(options: QueryOptions, records: Sequence[Record], fitted: Collection[str]) -> QueryOptions:
    """The options with kept models: first the users', then those that were fitted for the query."""
    own = tuple(one for one in records if one.name in fitted)
    if options.m is None:  # at most as many draws as the models have
        answering = [one.draws for one in records if one.has_functions and (MARK not in one.name or one in own)]
        options = replace(options, most=min([options.most, *answering]))
    imputers = tuple(one if fills_in_sql(one) else with_stored_values([one])[0] for one in options.imputers)
    imputers = with_models(imputers, [one for one in records if MARK not in one.name])
    imputers = tuple(replace(one, models=(*one.models, *own)) if is_stored(one) else one for one in imputers)
    return replace(options, imputers=imputers)
