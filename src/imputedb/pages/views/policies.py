"""The policies of a table, and a form for a new policy with a preview of its effect."""

from __future__ import annotations

from dataclasses import dataclass

from nicegui import ui

from imputedb.database import Database
from imputedb.diagnostics.profile import Profile
from imputedb.errors import Error
from imputedb.imputers.protocol import Progress
from imputedb.pages import cells
from imputedb.pages.frame import View, section
from imputedb.pages.names import column_in_sql, in_sql

ACTIONS = {
    "impute": "impute it",
    "drop": "drop rows that lack it",
    "keep": "keep NULL, it means something",
    "structural": "not applicable where ...",
}


@dataclass(frozen=True, slots=True)
class _Wish:
    """The policy in the form."""

    table: str
    column: str
    action: str
    when: str | None
    low: str | None
    high: str | None
    imputer: str | None

    def state(self, db: Database) -> None:
        """Stores the policy."""
        fills = self.action in ("impute", "structural")
        db.policy(
            self.table,
            self.column,
            self.action,  # type: ignore[arg-type]
            when=self.when if self.action == "structural" else None,
            low=_end(self.low) if fills else None,
            high=_end(self.high) if fills else None,
            imputer=self.imputer if fills else None,
        )


def _end(text: str | None) -> float | str | None:
    """A bound: a number, or the text of a date."""
    try:
        return None if not text else float(text)
    except ValueError:
        return text


def build(view: View, profile: Profile) -> None:
    """The policies of a table, and a form for one."""
    with section("Policies"):
        place = ui.element("div").classes("stack")
        _listed(view, profile.table, place)
        if not view.site.is_writable:
            ui.label("The database is open for reading; `imputedb ui DB --writable` lets policies be changed.").classes(
                "quiet"
            )
            return
        _Form(view, profile, place)


def _listed(view: View, table: str, place: ui.element) -> None:
    place.clear()
    rows = [[column, words] for _, column, words in view.site.database.policies(table)]
    with place:
        if rows:
            ui.html(cells.table(["column", "policy"], rows, caption="Policies"), sanitize=False)
        else:
            ui.label("Nothing is said of this table's columns: all that is missing may be imputed.").classes("quiet")


class _Form:
    """The fields and buttons of the form."""

    def __init__(self, view: View, profile: Profile, listed: ui.element) -> None:
        self._view, self._table, self._listed = view, profile.table, listed
        names = [one.name for one in profile.columns]
        first = next((one.name for one in profile.columns if one.missing), names[0])
        with ui.element("div").classes("line"):
            self._column = ui.select(names, value=first, label="Column").props("outlined dense options-dense")
            self._action = ui.select(ACTIONS, value="impute", label="Where it is missing").classes("wide")
            self._action.props("outlined dense options-dense")
            titles = ("Least value", "Largest value", "Imputer", "Condition in SQL")
            self._texts = [ui.input(title).props("outlined dense").classes("short") for title in titles]
            self._texts[-1].bind_visibility_from(self._action, "value", value="structural")
        with ui.element("div").classes("line"):
            ui.button("What would change", on_click=self.preview).props("outline")
            ui.button("Keep this policy", on_click=self.state).props("unelevated")
            ui.button("Drop the column's policy", on_click=self.drop).props("flat")
        self._place = ui.element("div").classes("stack").props("aria-live=polite")

    @property
    def wish(self) -> _Wish:
        """The policy of the fields."""
        low, high, imputer, when = (one.value or None for one in self._texts)
        return _Wish(self._table, str(self._column.value), str(self._action.value), when, low, high, imputer)

    async def preview(self) -> None:
        """Shows the effect of the policy."""
        wish = self.wish
        found = await self._view.answer(self._place, "trying it", ("policy", wish), lambda db, _: preview(db, wish))
        if found is not None:
            self._place.clear()
            with self._place:
                for one in found:
                    ui.label(one)

    async def state(self) -> None:
        """Stores the policy in the database."""
        wish = self.wish

        def call(db: Database, _: Progress) -> bool:
            wish.state(db)
            return True

        if await self._view.answer(self._place, "keeping it", ("state", wish), call):
            self._changed()

    async def drop(self) -> None:
        """Drops the policy of the column."""
        column = str(self._column.value)
        text = f"DROP IMPUTATION POLICY ON {in_sql(self._table)} ({column_in_sql(column)})"
        key = ("drop", self._table, column)
        if await self._view.answer(self._place, "dropping it", key, lambda db, _: db.sql(text)) is not None:
            self._changed()

    def _changed(self) -> None:
        self._view.site.written()
        _listed(self._view, self._table, self._listed)


def preview(db: Database, wanted: _Wish) -> list[str]:
    """The effect of a policy on the values of its column; nothing is stored."""
    column = column_in_sql(wanted.column)
    text = f"SELECT {column} FROM {in_sql(wanted.table)}"
    before = _effect(db, text)
    db.execute("BEGIN")
    try:
        wanted.state(db)
        after = _effect(db, text)
    finally:
        db.execute("ROLLBACK")
    return [f"now: {before}", f"then: {after}"]


def _effect(db: Database, text: str) -> str:
    """Numbers of rows, imputed cells and cells that stay missing, and the range of a column's values."""
    try:
        result = db.sql(text)
    except Error as error:
        return str(error)
    values = [row[0] for row in result.fetchall()]
    known = [one for one in values if one is not None]
    filled = sum(result.report.imputed.values())
    span = f", values from {_short(min(known))} to {_short(max(known))}" if known else ""
    return f"{len(values):,} rows, {filled:,} cells imputed, {len(values) - len(known):,} stay missing{span}"


def _short(value: object) -> str:
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    return text if len(text) < 60 else f"{text[:59]}…"
