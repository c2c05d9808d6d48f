"""The outermost aggregation of a statement, as it is computed in each draw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imputedb.answers.multiple.branches import in_branches
from imputedb.answers.multiple.clusters import clusters, count_of
from imputedb.answers.multiple.forms import counts_all
from imputedb.answers.multiple.having import PooledHaving, pooled_having
from imputedb.answers.multiple.measures import Measures
from imputedb.answers.multiple.outputs import UNKNOWN, Output, Sample, columns, is_number, output
from imputedb.answers.multiple.population import staged, units
from imputedb.answers.multiple.repeated import repeated
from imputedb.answers.multiple.rounding import Steps
from imputedb.answers.multiple.steps import in_parts
from imputedb.answers.multiple.whole import has_window
from imputedb.answers.prepared import Prepared
from imputedb.answers.run import Run, translated
from imputedb.blocks.block import Block, CompletedBlock, PlannedBlock, UnplannedBlock
from imputedb.engines.engine import Engine
from imputedb.errors import QueryError
from imputedb.planning.problem import Problem
from imputedb.sql import ast as t
from imputedb.sql.ast import Tree, without_place
from imputedb.sql.expression import alias_written, is_star, is_subquery, names_of, path_of, text_of
from imputedb.sql.flatten import unaliased
from imputedb.sql.generate import DRAW
from imputedb.sql.items import is_table
from imputedb.sql.select import (
    direction_of,
    from_of,
    grouped_by,
    groups_by_all,
    groups_of,
    has_grouping_sets,
    having_of,
    is_distinct_query,
    is_select,
    is_without_rows,
    limit_of,
    order_of,
    ordered_by,
    outputs_of,
    qualify_of,
    selecting,
    shown_by,
    where_of,
)
from imputedb.sql.subqueries import nodes

_GROUPS = "its rows are groups, which nobody sampled: ask interval='answer', or aggregate the rows themselves"
_AWAY = "its error is that of samples of rows, and these stay where they are in Spark: ask interval='answer'"
STANDS, GROUPING = "stands", "grouping"
"""Names of two columns: whether a draw's HAVING holds for a group, and the grouping set of a row."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """A key of ORDER BY: the position of its output, and its direction."""

    place: int
    direction: str
    nulls: str


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An aggregating block, and the expressions that each draw computes.

    Attributes:
        groups: expressions of GROUP BY.
        outputs: outputs that are shown, followed by further ones for ORDER BY and HAVING.
        shown: number of outputs that are shown.
        having: HAVING over the pooled outputs; None without it.
        order: ORDER BY of the pooled answer.
        limit: LIMIT of the pooled answer, as the engine's modifier.
        sets: whether there are several grouping sets.
        together: whether one statement can compute all draws.
        units: number of rows of the largest table.
        sizes: number of rows, or of clusters, by alias, of tables whose rows the join repeats or that have clusters.
        clusters: column of the sampled clusters, by alias.
    """

    groups: Sequence[Tree]
    outputs: Sequence[Output]
    shown: int
    having: PooledHaving | None
    order: Sequence[Ordering]
    limit: Tree | None
    sets: bool
    together: bool
    units: int
    sizes: Mapping[str, int]
    clusters: Mapping[str, str]

    @property
    def expressions(self) -> Mapping[str, Tree]:
        """The expressions that each draw computes, by name."""
        found = columns(self.outputs)
        if self.having:
            found[STANDS] = t.coalesce(t.cast(self.having.written, t.plain_type("DOUBLE")), t.literal(0.0))
        if self.sets:
            found[GROUPING] = t.cast(t.operator("GROUPING_FUNCTION", *self.groups), t.plain_type("DOUBLE"))
        return found

    @property
    def names(self) -> list[str]:
        """The columns of the rows of draws: draw number, groups, expressions."""
        return [DRAW, *(f"g{place}" for place in range(len(self.groups))), *self.expressions]

    @property
    def numeric(self) -> list[str]:
        """The names of the numeric expressions."""
        return [name for name in self.expressions if name[0] != "e" or self.outputs[int(name[1:])].is_number]


def aggregation(engine: Engine, prepared: Prepared, run: Run) -> Aggregation | None:
    """The aggregation of a statement's last block; None if it does not aggregate, or cannot be pooled."""
    (*before, last), measures = prepared.blocks, run.options.measures
    sizes = dict(repeated(last.problem)) if isinstance(last, PlannedBlock) else {}
    found = clusters(prepared.blocks, run.options.clusters)
    if found and isinstance(last, PlannedBlock):
        sizes |= {alias: count_of(last.problem, alias, name) for alias, name in found.items()}
    sample = Sample(units(engine, prepared.blocks), sizes, found)
    reader = _Reader(
        engine, Steps(engine.functions.aggregates), measures, sample, lambda: run.in_other_draws((0,)).stage(before)
    )
    match last:
        case PlannedBlock():
            about = _of_planned(last, prepared, reader)
        case UnplannedBlock():
            about = _of_written(last, prepared, reader)
        case CompletedBlock():
            return None
    if about and engine.fills_by_expression:
        about = replace(about, outputs=[_without_bootstrap(one) for one in about.outputs])
    return _without_sample(about) if about and _reads_groups(last, before) else about


def _reads_groups(last: PlannedBlock | UnplannedBlock, before: Sequence[Block]) -> bool:
    """Whether a block aggregates only rows of other blocks, of which some give groups."""
    if isinstance(last, PlannedBlock):
        read = {scan.table.name for scan in last.problem.query.sources}
    else:
        read = {path_of(node)[-1] for node in nodes(from_of(last.node)) if is_table(node)}
    inner = [block for block in before if not isinstance(block, CompletedBlock)]
    return (
        bool(read)
        and read <= {block.name for block in inner}
        and any(_gives_groups(b) for b in inner if b.name in read)
    )


def _gives_groups(block: PlannedBlock | UnplannedBlock) -> bool:
    if isinstance(block, PlannedBlock):
        return block.problem.query.groups is not None or block.problem.query.distinct is not None
    return bool(groups_of(block.node)) or groups_by_all(block.node)


def _without_sample(about: Aggregation) -> Aggregation:
    """The aggregation without intervals for a population, since its rows are groups."""
    outputs = [replace(_without_error(one), reason=_GROUPS) if one.is_number else one for one in about.outputs]
    return replace(about, outputs=outputs)


def _without_bootstrap(one: Output) -> Output:
    """An output without a bootstrap variance, which needs rows that the engine does not hand over."""
    return replace(_without_error(one), reason=_AWAY) if one.bootstrapped else one


def _without_error(one: Output) -> Output:
    return replace(one, within=None, form=None, skewness=None, branch=None)


@dataclass(frozen=True, slots=True)
class _Reader:
    engine: Engine
    steps: Steps
    measures: Measures
    sample: Sample
    stage: Callable[[], None]
    conditions: frozenset[str] = frozenset()
    whole: bool = False
    never_null: frozenset[tuple[str, ...]] = frozenset()

    def output(self, name: str, kind: str, tree: Tree) -> Output:
        line = self.steps.line(tree) if is_number(kind) else None
        smooth = self.steps.unrounded(tree) if line and line.unit else tree
        one = output(name, kind, smooth, self.steps.aggregates, self.measures, self.sample, self.conditions)
        one = replace(one, tree=tree, smooth=smooth, unit=line.unit) if line and smooth is not tree else one
        return replace(one, form=None) if self.whole and counts_all(smooth, self.never_null) else one

    def measured(self, trees: Sequence[Tree], node: Tree) -> list[Output]:
        """Outputs that are not shown, with their variances; their types are those in a SELECT."""
        if not trees:
            return []
        self.stage()
        items = [t.named(tree, f"h{place}") for place, tree in enumerate(trees)]
        bare = selecting(node, items, having=None, qualify=None)
        with translated():
            _, types = self.engine.outputs(self.engine.text(bare))
        return [self.output("", kind, tree) for tree, kind in zip(trees, types, strict=True)]

    def hidden(self, trees: Sequence[Tree], node: Tree) -> list[Output]:
        """Outputs that are not shown, for ORDER BY or HAVING."""
        return [
            replace(_without_error(one), aggregates=one.aggregates or _has_subqueries(one.tree), reason=one.reason)
            for one in self.measured(trees, node)
        ]

    def in_parts(self, outputs: Sequence[Output], node: Tree) -> list[Output]:
        """The outputs; those with steps and choices are followed by the parts from which they are computed."""
        every = in_parts(outputs, self.steps, lambda trees: self.hidden(trees, node), self.engine.cast, self._binds)
        return in_branches(every, self.steps, lambda trees: self.measured(trees, node), self.engine.cast, self._binds)

    def _binds(self, tree: Tree) -> bool:
        """Whether DuckDB accepts an expression of constants."""
        try:
            self.engine.outputs(self.engine.text(t.select([tree], None)))
        except QueryError:
            return False
        return True


def _has_subqueries(tree: Tree) -> bool:
    """Whether an expression has a subquery, whose rows may differ by draw."""
    return any(map(is_subquery, t.expressions(tree)))


def _of_one_row(one: Output) -> Output:
    """An output of a SELECT without FROM: a subquery in it may have another value in each draw."""
    if one.aggregates or not _has_subqueries(one.tree):
        return one
    aggregated = replace(one, aggregates=True)
    return replace(aggregated, reason=UNKNOWN if aggregated.is_number else aggregated.unnumbered)


def _of_planned(last: PlannedBlock, prepared: Prepared, reader: _Reader) -> Aggregation | None:
    query = last.problem.query
    if query.groups is None or query.qualify or query.distinct:
        return None
    if query.having and any(has_window(one.tree) for one in query.outputs):
        return None  # its windows read the groups that HAVING keeps
    conditions = frozenset(alias for scalar in query.filters for alias in scalar.relations)
    inner = staged(prepared.blocks) & {scan.table.name for scan in query.sources}
    whole = not (query.filters or query.joins or query.groups or inner)
    reader = replace(reader, conditions=conditions, whole=whole, never_null=_never_null(last.problem))
    trees = _without_aliases([one.tree for one in query.outputs])
    pairs = zip(query.outputs, prepared.types, trees, strict=True)
    outputs = [reader.output(scalar.name, kind, tree) for scalar, kind, tree in pairs]
    shown = len(outputs)
    source = None
    for scan in query.sources:
        item = reader.engine.source(scan.table, scan.alias)
        source = item if source is None else t.cross(source, item)
    groups = _groups([group.tree for group in query.groups], outputs[:shown], query.grouping)
    node = grouped_by({**t.select([], source), **query.grouping}, groups)
    meant = [(key, shown_by(query, key.scalar)) for key in query.order]
    aliases = {alias_written(one.tree).lower(): one.tree for one in query.outputs if alias_written(one.tree)}
    outputs += reader.hidden([unaliased(key.scalar.tree, aliases) for key, places in meant if not places], node)
    order, free = [], iter(range(shown, len(outputs)))
    for key, places in meant:
        order += [Ordering(place, key.direction, key.nulls) for place in places or [next(free)]]
    clause = unaliased(query.having.tree, aliases) if query.having else None
    having = pooled_having(clause, [one.tree for one in outputs], groups) if clause else None
    outputs = reader.in_parts([*outputs, *reader.hidden(having.sides if having else [], node)], node)
    limit = query.limit[1] if query.limit else None
    sets = has_grouping_sets(query.grouping)
    return Aggregation(groups, outputs, shown, having, order, limit, sets, not sets, *reader.sample)


def _never_null(problem: Problem) -> frozenset[tuple[str, ...]]:
    """The columns without missing values after imputation: no policy keeps any value of theirs missing."""
    read = {column for scalar in problem.query.outputs for column in scalar.reads if not column.stored}
    found = set()
    for column in read:
        statistics = problem.statistics[column.relation]
        policy = statistics.policy(column.name)
        left = policy.action != "impute" or policy.below is not None or policy.derived is not None or policy.before
        if not left or (column.name not in statistics.dirty and policy.action == "impute"):
            found.add((column.relation, column.name))
    return frozenset(found)


def _groups(given: Sequence[Tree], outputs: Sequence[Output], grouping: Mapping[str, Any]) -> list[Tree]:
    if groups_by_all(grouping):  # an expression without columns is not grouped by
        return [one.tree for one in outputs if not one.aggregates and any(map(names_of, t.expressions(one.tree)))]
    return list(given)


def _of_written(last: UnplannedBlock, prepared: Prepared, reader: _Reader) -> Aggregation | None:
    """The aggregation of a block that is not planned; names in it may be positions or aliases of outputs."""
    node = last.node
    items = _without_aliases(outputs_of(node))
    if len(items) != len(prepared.columns) or not is_select(node) or qualify_of(node) or is_distinct_query(node):
        return None
    if having_of(node) and any(map(has_window, items)):
        return None  # its windows read the groups that HAVING keeps
    is_stored = is_table(from_of(node)) and path_of(from_of(node))[-1] not in staged(prepared.blocks)
    reader = replace(reader, whole=is_stored and not where_of(node) and not groups_of(node))
    aliases = {alias_written(item).lower(): item for item in items if alias_written(item)}
    outputs = [
        reader.output(name, kind, item)
        for name, kind, item in zip(prepared.columns, prepared.types, items, strict=True)
    ]
    if is_without_rows(node):
        outputs = [_of_one_row(one) for one in outputs]
    if not any(one.aggregates for one in outputs) and not groups_of(node):
        return None
    groups = _groups([_spelled_out(tree, items, aliases) for tree in groups_of(node)], outputs, node)
    spelled = grouped_by(node, groups)
    order: list[Ordering] = []
    for key in order_of(node):
        if is_star(ordered_by(key)):
            order += [Ordering(place, *direction_of(key)) for place in range(len(items))]
            continue
        tree = _spelled_out(ordered_by(key), items, aliases)
        same = [n for n, item in enumerate(items) if without_place(item) == without_place(tree)]
        outputs += [] if same else reader.hidden([tree], spelled)
        order.append(Ordering(same[0] if same else len(outputs) - 1, *direction_of(key)))
    condition = having_of(node)
    clause = _spelled_out(condition, items, aliases) if condition else None
    having = pooled_having(clause, [one.tree for one in outputs], groups) if clause else None
    outputs = reader.in_parts([*outputs, *reader.hidden(having.sides if having else [], spelled)], spelled)
    sets = has_grouping_sets(node)
    return Aggregation(groups, outputs, len(items), having, order, limit_of(node), sets, False, *reader.sample)


def _without_aliases(items: Sequence[Tree]) -> list[Tree]:
    """Outputs with the aliases of earlier outputs replaced by their expressions."""
    before: dict[str, Tree] = {}
    found = []
    for item in items:
        found.append(unaliased(item, before))
        if alias_written(item):
            before[alias_written(item).lower()] = found[-1]
    return found


def _spelled_out(tree: Tree, items: Sequence[Tree], aliases: Mapping[str, Tree]) -> Tree:
    """A clause with positions and aliases of outputs replaced by their expressions."""
    if text_of(tree).isdigit():
        return items[int(text_of(tree)) - 1]
    result: Tree = unaliased(tree, aliases)
    return result
