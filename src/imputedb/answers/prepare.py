"""Preparation of queries: from text to planned blocks, cached until something is written."""

from imputedb.algebra.relation import Table
from imputedb.answers.prepared import Prepared
from imputedb.answers.request import BASE, QueryOptions
from imputedb.answers.weights import by_weights
from imputedb.blocks.listings import listed_without_ours
from imputedb.blocks.plain import is_complete
from imputedb.blocks.read_in import FileCopies, read_in
from imputedb.blocks.statement import blocks
from imputedb.engines.cache import STRUCTURAL, LruCache
from imputedb.engines.engine import Engine
from imputedb.notes import Note
from imputedb.planning.forecast import Forecast
from imputedb.sql.budget import Limits
from imputedb.sql.missingness import extended
from imputedb.sql.weights import unweighted

_PLANS_KEPT = 256


class Planner:
    """The preparation of queries on an engine, with a cache that is invalidated by writes.

    Attributes:
        cache: cache of prepared queries.
        forecast: forecasts of statement times, learnt in all sessions.
        limits: limits of time and error for this session's queries that state none.
        remarks: notes on text files that a statement reads.
    """

    def __init__(self, engine: Engine, forecast: Forecast | None = None) -> None:
        self._engine = engine
        self.forecast = forecast or Forecast()
        self.limits = Limits()
        self.cache: LruCache[object, tuple[object, Prepared]] = LruCache(
            "plans",
            "text, imputers, strategy and weights",
            f"a write to any table; {STRUCTURAL}",
            _PLANS_KEPT,
            lambda kept: self._forget(kept[1]),
        )
        self._copies: list[Table] = []
        self._read: list[FileCopies] = []
        self.remarks: list[Note] = []

    def with_files(self, query: str) -> str:
        """A query over tables in place of its text files; these tables exist until `release`."""
        found = read_in(self._engine, query)
        self._read += [found] if found.copies else []
        self.remarks += found.notes
        return found.query

    @property
    def has_read(self) -> bool:
        """Whether files were read for the present statement."""
        return bool(self._read)

    def prepare(self, text: str, options: QueryOptions) -> Prepared:
        """The query with its frontier of plans.

        Raises:
            QueryError: DuckDB rejects the query, or it is not supported yet.
        """
        wishes = (text, options.imputers, options.strategy, options.always, options.weights)
        state = self._engine.session.state()
        known = self.cache.recall(wishes)
        if known and known[0] == state:
            return known[1]
        self._drop_copies()
        found, lasting = self._prepared(text, options)
        if lasting:
            self.cache.keep(wishes, (state, found))
        return found

    def check(self) -> None:
        """Refuses an answer from files that have changed while it was computed.

        Raises:
            DataError: a file has changed.
        """
        if self._copies:
            self._engine.check_copied(self._copies)

    def release(self) -> None:
        """Drops the copies of files that were made for a statement."""
        self._drop_copies()
        for read in self._read:
            read.release(self._engine)
        self._read, self.remarks = [], []
        adopted = self._engine.adopted
        if len(adopted) > _PLANS_KEPT:  # some belong to plans that were not cached
            kept = {block.name for _, (_, prepared) in self.cache.items() for block in prepared.blocks}
            for name in {table.name for table in adopted} - kept:
                self._engine.disown(name)

    def _drop_copies(self) -> None:
        """Drops the copies that were made for a query, which is prepared again."""
        self._engine.unmake("TABLE", [table.name for table in self._copies])
        for table in self._copies:
            self._engine.disown(table.name)
        self._copies = []

    def _forget(self, prepared: Prepared) -> None:
        for block in prepared.blocks:
            self._engine.disown(block.name)

    def _prepared(self, text: str, options: QueryOptions) -> tuple[Prepared, bool]:
        """The query, and whether it may be cached: changes of files are not noticed."""
        engine = self._engine
        with engine.own_statements(text):
            return self._planned(text, options)

    def _planned(self, text: str, options: QueryOptions) -> tuple[Prepared, bool]:
        engine = self._engine
        node = engine.tree(text)
        if options.weights is None and not options.always and is_complete(engine, node):
            return Prepared(text, *engine.outputs(text), [], (), {}), not self.has_read
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
        lasting = not (self._copies or self.has_read or found.in_place)
        if not lasting:
            engine.forget_outputs(text)
            text = engine.text(found.itself) if found.itself else text
        return Prepared(text, columns, types, found.blocks, (*inside, *found.warnings), found.policies), lasting
