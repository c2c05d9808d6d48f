"""What a notebook shows: well-formed HTML, tinted cells, whiskers; `%%impute` in a shell of IPython."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import imputedb
from imputedb import Database, markup

VOID = {"line", "circle", "rect", "br"}


class Balanced(HTMLParser):
    """Reads HTML, and holds which tags are open and what stands in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def gaps(db: Database) -> Database:
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    held = np.ma.masked_array(x, rng.random(80) < 0.3)
    db.register("t", {"id": np.arange(80), "x": held, "y": x + rng.normal(size=80), "g": ["<b>", "&"] * 40})
    return db


def test_everything_that_is_shown_is_well_formed(gaps: Database, tmp_path: Path) -> None:
    run = gaps.impute("t", tmp_path / "run", m=2, imputer="norm")
    many = gaps.sql("SELECT g, avg(x) AS m FROM t GROUP BY g", m=3, imputer="norm")
    frontier = gaps.frontier("SELECT avg(x) FROM t WHERE x > 0")
    shown = [
        gaps.sql("SELECT * FROM t"),
        many,
        many.report,
        gaps.profile("t")[0],
        frontier,
        gaps.explain("SELECT avg(x) FROM t"),
        gaps.evaluate("t", imputer=["mean", "tree"]),
        imputedb.pool([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]),
        gaps.why("t", "x", int(np.flatnonzero(np.ma.getmaskarray(gaps.sql("FROM t").fetchnumpy()["x"]) == 0)[0])),
        run,
    ]
    for one in shown:
        html = one._repr_html_()  # type: ignore[union-attr]
        assert Balanced(html).tags
        assert "<script" not in html
    assert "<b>" not in Balanced(gaps.sql("SELECT g FROM t")._repr_html_()).tags
    assert frontier is not None
    bundle = frontier._repr_mimebundle_()
    assert len(bundle["application/vnd.vegalite.v5+json"]["data"]["values"]) == len(frontier)
    json.dumps([bundle["application/vnd.vegalite.v5+json"], gaps.profile("t")[0].data()])


def test_imputed_cells_are_tinted_and_flags_hidden(gaps: Database) -> None:
    plain, flagged = (gaps.sql("SELECT id, x FROM t ORDER BY id", flags=flags) for flags in (False, True))
    assert flagged.columns == ["id", "x", "id__imputed", "x__imputed"]
    assert [row[:2] for row in flagged] == plain.fetchall()
    stored = gaps.execute("SELECT x IS NULL FROM t ORDER BY id")
    assert [(row[3],) for row in flagged] == stored
    html = flagged._repr_html_()
    assert html.count('title="imputed"') == sum(gone for (gone,) in stored[: markup.SHOWN])
    assert "__imputed" not in html
    assert "20 of 80 rows are shown" in html


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("SELECT x, y AS X FROM t", {}, "two columns are called 'X'"),
        ("SELECT x FROM t", {"m": 5}, "several draws"),
        ("CREATE TABLE u AS SELECT 1", {}, "flags describe the rows of a SELECT"),
    ],
)
def test_flags_are_refused_where_they_say_nothing(gaps: Database, text: str, more: dict[str, int], words: str) -> None:
    with pytest.raises(imputedb.QueryError, match=words):
        gaps.sql(text, flags=True, **more)  # type: ignore[arg-type]


def test_intervals_are_whiskers_on_one_axis(gaps: Database) -> None:
    html = gaps.sql("SELECT g, avg(x) AS m FROM t GROUP BY g", m=5)._repr_html_()
    assert html.count("<svg") == 2
    assert "m_low" not in html
    whisker = markup.whisker(2.0, 1.0, 3.0, 0.0, 4.0)
    assert ('x1="32.0" x2="88.0"' in whisker, 'cx="60.0"' in whisker) == (True, True)
    assert markup.whisker(2.0, float("nan"), 3.0, 0.0, 4.0) == "2"


def test_a_result_is_read_by_other_libraries(gaps: Database, capsys: pytest.CaptureFixture[str]) -> None:
    narwhals = pytest.importorskip("narwhals")
    result = gaps.sql("SELECT id, x FROM t")
    frame = narwhals.from_arrow(result, backend="polars")
    assert (frame.shape, frame.columns) == ((80, 2), ["id", "x"])
    result.show()
    assert "imputed" in capsys.readouterr().out


def test_cells_of_a_notebook_are_answered(gaps: Database, capsys: pytest.CaptureFixture[str]) -> None:
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell.instance()
    try:
        shell.run_line_magic("load_ext", "imputedb")
        shell.user_ns["frame"] = {"a": np.arange(3)}
        found = shell.run_cell_magic("impute", "", "SELECT sum(a) AS s FROM frame")
        assert found.fetchall() == [(3,)]
        shell.user_ns["db"] = gaps
        shell.run_cell_magic("impute", "db --m 3 --imputer norm --into kept", "SELECT avg(x) AS m FROM t")
        assert shell.user_ns["kept"].has_estimates
        assert shell.run_line_magic("impute", "SELECT count(*) FROM t").fetchall() == [(80,)]
        gaps.register("quetzals", {"tail_feathers": [1, 2]})
        for begun, whole in (("quet", "quetzals"), ("tail_", "tail_feathers")):
            assert whole in shell.complete(begun, f"SELECT {begun}", 7 + len(begun))[1]
        for options, text, words in (
            ("", "SELEC 1", "syntax error"),
            ("--m many", "SELECT 1", "not a number of draws"),
            ("--nonsense", "SELECT 1", "No such option"),
            ("'", "SELECT 1", "No closing quotation"),
        ):
            assert shell.run_cell_magic("impute", options, text) is None
            assert words in capsys.readouterr().err
    finally:
        shells.InteractiveShell.clear_instance()
