"""The editor of a statement and its options: completion of names, history, alpha, imputer, draws, seed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Literal

from nicegui import ui

from imputedb.pages.frame import View
from imputedb.pages.names import column_in_sql, in_sql
from imputedb.pages.question import Question

_IMPUTERS = ("tree", "knn", "pmm", "norm", "mean", "hotdeck", "tree, knn, mean")
_DRAWS = {0: "as needed", 1: "1, no interval", 5: "5", 20: "20", 50: "50", 100: "100"}
_NAMES = 2_000
"""Maximum number of names for completion."""

_COMPLETE = """
(async () => {
  let editor;
  while (!(editor = getElement(%d)?.editor)) await new Promise(done => setTimeout(done, 30));
  const names = %s, CM = await import('nicegui-codemirror');
  editor.dispatch({effects: CM.StateEffect.appendConfig.of([
    CM.EditorView.contentAttributes.of({'aria-label': 'SQL'}),
    CM.EditorState.languageData.of(() => [{autocomplete: context => {
      const word = context.matchBefore(/[\\w"]+/);
      return word || context.explicit
        ? {from: word ? word.from : context.pos, options: names, validFor: /^[\\w"]*$/} : null;
    }}]),
  ])});
})();
"""
"""Adds names of tables and columns to CodeMirror's completion; they are inserted as text."""


class Editor:
    """The editor and the fields of the options."""

    def __init__(self, view: View, run: Callable[[], Awaitable[None]]) -> None:
        question = view.question
        self._text = ui.codemirror(
            question.text, language="SQL", theme=_theme(view), line_wrapping=True, keymap={"Mod-Enter": lambda: run()}
        )
        self._text.on_focus_change(lambda: view.at(self.question(view.question)))
        with ui.element("div").classes("line"):
            ui.button("Run", on_click=run, icon="play_arrow").props('unelevated title="Ctrl+Enter"')
            imputer = question.imputer
            choices = list(dict.fromkeys([*_IMPUTERS, imputer]))
            self._imputer = ui.select(choices, value=imputer, label="Imputer").props("outlined dense options-dense")
            draws = {**_DRAWS, question.draws: _DRAWS.get(question.draws, str(question.draws))}
            self._draws = ui.select(draws, value=question.draws, label="Draws").props("outlined dense options-dense")
            self._alpha = _number("Alpha", question.alpha, low=0, high=1, step=0.05)
            self._seed = _number("Seed", question.seed, low=0, high=2**31, step=1)
            if view.site.history:
                self._history(view)
        ui.label("Ctrl+Enter runs; Ctrl+Space completes names; Alt+1 to Alt+7 are the views.").classes("quiet")
        ui.run_javascript(_COMPLETE % (self._text.id, json.dumps(_names(view))))

    def question(self, before: Question) -> Question:
        """The question in the editor, with all else as before."""
        return replace(
            before,
            text=self._text.value.strip(),
            imputer=str(self._imputer.value),
            draws=int(self._draws.value or 0),
            alpha=min(1.0, max(0.0, float(self._alpha.value or 0))),
            seed=int(self._seed.value or 0),
        )

    def _history(self, view: View) -> None:
        with ui.button("History").props("flat dense padding='xs sm'"), ui.menu(), ui.element("div"):
            for text in view.site.history:
                short = " ".join(text.split())
                title = short if len(short) < 90 else f"{short[:90]}…"
                ui.menu_item(title, on_click=partial(self._text.set_value, text))


def _names(view: View) -> list[dict[str, str]]:
    """Names of tables and columns for CodeMirror's completion, without duplicates."""
    tables = view.site.database.tables()
    found = [(name, in_sql(name), "class") for name in tables]
    found += [(name, column_in_sql(name), "property") for columns in tables.values() for name in columns]
    known = list(dict.fromkeys(found))[:_NAMES]
    return [{"label": name, "apply": written, "type": kind} for name, written, kind in known]


def _theme(view: View) -> Literal["oneDark", "basicLight"]:
    return "oneDark" if view.is_dark else "basicLight"


def _number(label: str, value: float, *, low: float, high: float, step: float) -> ui.number:
    return ui.number(label, value=value, min=low, max=high, step=step).props("outlined dense").classes("tiny")
