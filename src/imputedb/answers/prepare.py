"""Preparation of queries: text to planned blocks, cached until something is written."""

from imputedb.algebra.relation import Table
from imputedb.answers.prepared import Prepared
from imputedb.answers.request import BASE, QueryOptions
from imputedb.answers.weights import by_weights
from imputedb.blocks.listings import listed_without_ours
from imputedb.blocks.plain import is_complete
from imputedb.blocks.statement import blocks
from imputedb.engines.cache import STRUCTURAL, Recent
from imputedb.engines.engine import Engine
from imputedb.notes import Note
from imputedb.planning.forecast import Forecast
from imputedb.sql.budget import Limits
from imputedb.sql.missingness import extended
from imputedb.sql.weights import unweighted

_PLANS_KEPT = 256


class Planner:
    """Prepares queries on an engine, and remembers those it has prepared until something is written.

    Attributes:
        cache: what holds them.
        forecast: how long statements take, learnt from those of all sessions.
        limits: in time and error, of this session's queries that state none.
    """

    def __init__(self, engine: Engine, forecast: Forecast | None = None) -> None:
        self._engine = engine
        self.forecast = forecast or Forecast()
        self.limits = Limits()
        self.cache: Recent[object, tuple[object, Prepared]] = Recent(
            "plans",
            "text, imputers, strategy and weights",
            f"a write to any table; {STRUCTURAL}",
            _PLANS_KEPT,
            lambda kept: self._forget(kept[1]),
        )
        self._copies: list[Table] = []

    def prepare(self, text: str, options: QueryOptions) -> Prepared:
        """The query with its frontier.

        Raises:
            QueryError: DuckDB rejects the query, or it is not planned yet.
        """
        wishes = (text, options.imputers, options.strategy, options.always, options.weights)
        state = self._engine.session.state()
        known = self.cache.recall(wishes)
        if known and known[0] == state:
            return known[1]
        self.release()
        found, lasting = self._prepared(text, options)
        if lasting:
            self.cache.keep(wishes, (state, found))
        return found

    def release(self) -> None:
        """Lets go of the rows of files that were copied for a statement: its answer is there."""
        self._engine.unmake("TABLE", [table.name for table in self._copies])
        for table in self._copies:
            self._engine.disown(table.name)
        self._copies = []
        adopted = self._engine.adopted
        if len(adopted) > _PLANS_KEPT:  # some are of plans that were not kept
            kept = {block.name for _, (_, prepared) in self.cache.items() for block in prepared.blocks}
            for name in {table.name for table in adopted} - kept:
                self._engine.disown(name)

    def _forget(self, prepared: Prepared) -> None:
        for block in prepared.blocks:
            self._engine.disown(block.name)

    def _prepared(self, text: str, options: QueryOptions) -> tuple[Prepared, bool]:
        """The query, and whether it may be kept: files change without notice."""
        engine = self._engine
        with engine.own_statements(text):
            return self._planned(text, options)

    def _planned(self, text: str, options: QueryOptions) -> tuple[Prepared, bool]:
        engine = self._engine
        node = engine.tree(text)
        if options.weights is None and not options.always and is_complete(engine, node):
            return Prepared(text, *engine.outputs(text), [], (), {}), True
        further = extended(listed_without_ours(engine, engine.written_out(node)))
        inside: list[Note] = []
        if options.weights is not None:
            inside = unweighted(further, engine.functions.aggregates)
            further = by_weights(engine, further, options.weights)
        if further != node:
            node, text = further, engine.text(further)
        columns, types = engine.outputs(text)
        base, always = options.strategy == BASE, options.always
        found = blocks(engine, node, columns, options.imputers, base=base, always=always)
        self._copies = found.copies
        lasting = not self._copies and not found.in_place
        if not lasting:
            engine.forget_outputs(text)
            text = engine.text(found.itself) if found.itself else text
        return Prepared(text, columns, types, found.blocks, (*inside, *found.warnings), found.policies), lasting
