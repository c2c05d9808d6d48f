"""Files as people publish them: each habit loads right, or is refused in a sentence that says why."""

import gzip
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import imputedb
from imputedb import Database


@dataclass(frozen=True)
class Habit:
    """A file, and what it is read as: types, the first rows, and words of what is said; or of the refusal."""

    text: str | bytes
    types: dict[str, str] = field(default_factory=dict)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    said: tuple[str, ...] = ()
    refused: str = ""
    name: str = "t.csv"
    options: dict[str, Any] = field(default_factory=dict)


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def many(word: str, *others: str, header: str = "id,v", times: int = 20) -> str:
    """A column of text in which a word is every second value."""
    cells = [cell for other in others for cell in (other, word)] * times
    return lines(header, *(f"{place},{cell}" for place, cell in enumerate(cells)))


B, D, V = "BIGINT", "DOUBLE", "VARCHAR"
COUNTRIES = ("DE", "FR", "IT", "ES", "PL", "NL", "AT", "CH", "SE", "NO")
HABITS = {
    "R": Habit(
        '"","x","g"\n"1",1.5,"a"\n"2",NA,NA\n"3",2,"a"\n', {"x": D, "g": V},
        [(1.5, "a"), (None, "NA")], ("1 of 'NA' are NULL",),
    ),
    "R, dates": Habit(lines("d,b", "2020-01-02,TRUE", "NA,NA", "2020-01-03,FALSE"), {"d": "DATE", "b": "BOOLEAN"}),
    "survey codes": Habit(
        lines("id,income", "1,1200", "2,-99", "3,900", "4,-99"), {"id": B, "income": B}, [(1, 1200), (2, -99)],
        ("declared missing",), options={"na": ["-99"]},
    ),
    "survey words": Habit(
        lines("id,age", "1,33", "2,Refused", "3,Don't know", "4,41"), {"id": B, "age": B}, [(1, 33), (2, None)],
                          ("1 of 'Refused'", "na=")),
    "SPSS export with blanks": Habit(lines("id,v", "1, ", "2,4", "3, "), {"id": B, "v": B}, [(1, None), (2, 4)]),
    "SAS": Habit(lines("id,v", "1,.", "2,4.5", "3,."), {"v": D}, said=("2 of '.' are NULL",)),
    "question marks in text": Habit(
        many("?", "Private", "State-gov"), {"v": V}, said=("are declared missing", r"db.missing\('t', 'v'")),
    "Namibia": Habit(many("NA", *COUNTRIES), {"v": V}, said=()),
    "None as an answer": Habit(many("None", "Mild", "Severe"), {"v": V}, said=()),
    "German Excel": Habit(
        "Name;Wert;Anzahl;Tag\nMüller;1.234,56;1.234;31.12.2020\nJäger;2,50;12.345;01.02.2021\n".encode("cp1252"),
        {"Name": V, "Wert": D, "Anzahl": V, "Tag": "DATE"}, [("Müller", 1234.56, "1.234")],
        ("read as cp1252", r"'1.234,56' is 1234.56", r"Anzahl: its points may stand .* it stays text"),
    ),
    "German Excel, stated": Habit(
        "Anzahl;Wert\n1.234;2,50\n12.345;3\n", {"Anzahl": D, "Wert": D}, [(1234.0, 2.5)], options={"decimal": ","}),
    "lists beside three decimals": Habit(
        lines("id,choices,w", '1,"1,2",3.250', '2,"2,3",2.875', '3,"1",4.125'), {"choices": V, "w": D},
        [("1,2", 3.25), ("2,3", 2.875), ("1", 4.125)], ("choices: its commas may stand",)),
    "lists and three decimals between semicolons": Habit(
        lines("choices;w", "1,2;3.250", "2,3;2.875", "1;4.125"), {"choices": V, "w": V}, [("1,2", "3.250")],
        ("choices: its commas may stand", "w: its points may stand")),
    "three decimals between semicolons": Habit(
        lines("id;d;w", "0;a;3.250", "1;b;2.900", "2;c;NA"), {"w": D}, [(3.25,), (2.9,), (None,)], ("'2.900' is 2.9",)),
    "three decimals beside one": Habit(
        lines("h;w", "0.5;3.250", "1.5;NA"), {"h": D, "w": D}, [(0.5, 3.25), (1.5, None)]),
    "two points in a number": Habit("n;v\na;1.234.567\nb;250\nc;3.250\n", {"v": D}, [("a", 1234567), ("b", 250.0)]),
    "addresses of a network": Habit(
        lines("v,n", "192.168.100.200,1", "192.168.101.200,2"), {"v": V}, [("192.168.100.200",)]),
    "points of another column": Habit(
        lines("a;b", "1,5;2.25", "2,25;3.250", "3;1"), {"a": V, "b": D}, [("1,5", 2.25)], ("a: its commas may stand",)),
    "thousands beside decimal commas": Habit(
        lines("a,b", '"1,234","2,5"', '"2,345","3,75"'), {"a": V, "b": D}, [("1,234", 2.5)],
        ("a: its commas may stand",)),
    "none of something": Habit(
        lines("id,children", "1,none", "2,2", "3,NA"), {"children": V}, [("none",), ("2",)],
        (r"1 of 'none' may mean zero or a missing value.*na=\['none', 'NA'\]",)),
    "a dash for zero": Habit(lines("id,v", "1,-", "2,4.5"), {"v": V}, [(1, "-")], ("1 of '-' may mean zero",)),
    "a dash for missing, stated": Habit(
        lines("id,v", "1,-", "2,4.5"), {"v": D}, [(1, None), (2, 4.5)], options={"na": ["-"]}),
    "no text encoding": Habit(lines("a", "1"), refused="no encoding 'base64'", options={"encoding": "base64"}),
    "dates of no format": Habit(lines("a", "1"), refused="dates are '{'", options={"dates": "{"}),
    "dates with braces": Habit(
        lines("d,v", "01.02.2020{x},1", "NA,2"), {"d": "DATE"}, said=("1 of 'NA'",), options={"dates": "%d.%m.%Y{x}"}),
    "French": Habit(
        "nom;prix\nDurand;1 234,5\nLef\u00e8vre;12,25\n", {"prix": D}, [("Durand", 1234.5)], ("decimal commas",)),
    "Swiss": Habit("n;v\na;1'234,5\nb;2,25\n", {"v": D}, [("a", 1234.5)]),
    "commas with three decimals and NA": Habit("n;v\na;1,125\nb;NA\nc;2,5\n", {"v": D}, [("a", 1.125), ("b", None)]),
    "points beside commas": Habit("a;b\n1,5;2.25\n2,25;3.5\n", {"a": D, "b": D}, [(1.5, 2.25)]),
    "thousands": Habit(
        lines("a,b", '"1,234",x', '"12,345,678",y'), {"a": D}, [(1234.0, "x"), (12345678.0, "y")], ("commas between",)),
    "thousands in a file of tabs": Habit("a\tb\n1,234\tx\n5,678\ty\n", {"a": V}, [("1,234", "x")], name="t.tsv"),
    "percent": Habit(lines("a,b", "1,50%", "2,7.5%"), {"b": D}, [(1, 50.0), (2, 7.5)], ("50% is 50",)),
    "byte order mark": Habit(b"\xef\xbb\xbf" + b"a,b\n1,x\n", {"a": B, "b": V}),
    "UTF-16 of Excel": Habit("a\tb\n1\tñ\n".encode("utf-16"), {"a": B, "b": V}, [(1, "ñ")], name="t.txt"),
    "Latin-1, quotes of Windows": Habit(
        "a,b\n1,caf\u00e9 \u201cx\u201d\n".encode("cp1252"), {"b": V}, [(1, "café “x”")], ("cp1252",)),
    "code page 850": Habit("a,b\n1,Müller\n".encode("cp850"), {"b": V}, [(1, "Müller")], options={"encoding": "cp850"}),
    "headers that are there twice": Habit(lines("a,a,b", "1,2,3"), {"a": B, "a_1": B, "b": B}),
    "comments above": Habit(lines("# made by a machine", "# in 2020", "a,b", "1,2"), {"a": B, "b": B}),
    "a title above": Habit(lines("Report", "", "a,b", "1,2"), {"a": B, "b": B}),
    "no header": Habit(lines("1,2", "3,4"), {"column0": B, "column1": B}),
    "codes with zeros before them": Habit(
        lines("zip,v", "01234,1", "NA,2", "99999,3"), {"zip": V, "v": B}, [("01234", 1)]),
    "numbers that are names": Habit(
        lines("id", "12345678901234567890", "1"), {"id": "HUGEINT"}, [(12345678901234567890,)]),
    "telephones": Habit(lines("t,v", "+4930123,1", "NA,2", "+4930124,3"), {"t": V}, [("+4930123", 1)]),
    "more digits than there are": Habit(
        lines("x", "0.1234567890123456789012", "2.5"), {"x": D}, said=("more than 17 digits",)),
    "numbers beyond all": Habit(lines("x", "1e400", "2.5"), {"x": D}, said=("beyond 1.8e308 infinite",)),
    "numbers beyond all, and words": Habit(
        lines("x,v", "1,1e400", "2,NA", "3,2"), {"v": V}, [(1, "1e400")], ("declared missing",)
    ),
    "marks of Python": Habit(lines("x,v", "1,1_000", "2,NA", "3,2"), {"v": V}, [(1, "1_000")], ("declared missing",)),
    "days first": Habit(lines("d", "13/02/2020", "03/04/2020"), {"d": "DATE"}),
    "days or months first": Habit(
        lines("d", "01/02/2020", "03/04/2020"), {"d": "DATE"}, said=("read as %d/%m/%Y", "another order")),
    "months first, stated": Habit(
        lines("d", "01/02/2020", "03/04/2020"), {"d": "DATE"}, options={"dates": "%m/%d/%Y"}
    ),
    "days or months beside words": Habit(lines("d,v", "01/02/2020,1", "NA,2", "03/04/2020,3"), {"d": V}),
    "days first beside words": Habit(
        lines("d,v", "13/02/2020,1", "NA,2", "03/04/2020,3"), {"d": "DATE"}, said=("%d/%m/%Y",)),
    "pipes": Habit(lines("a|b", "1|x"), {"a": B, "b": V}, name="t.dat"),
    "semicolons, stated": Habit(lines("a~b", "1~x"), {"a": B, "b": V}, options={"delimiter": "~"}),
    "line breaks in quotes": Habit('a,b\n1,"x\ny"\n2,z\n', {"b": V}, [(1, "x\ny")]),
    "gzip": Habit(
        gzip.compress("a;b\n1;Zürich\n".encode("cp1252")), {"b": V}, [(1, "Zürich")], ("cp1252",), name="t.csv.gz"),
    "comments with commas": Habit(lines("# made by x, in 2020", "a,b", "1,2", "3,4"), {"a": B, "b": B}, [(1, 2)]),
    "a header that looks like a comment": Habit(lines("#a,b", "1,x", "3,y"), {"#a": B, "b": V}, [(1, "x")]),
    "what Excel writes of the delimiter": Habit(lines("sep=;", "a;b", "1,5;2"), {"a": D, "b": B}, [(1.5, 2)]),
    "UTF-16 without a mark": Habit("a,b\n1,é\n".encode("utf-16-be"), {"a": B, "b": V}, [(1, "é")]),
    "years of two digits": Habit(
        lines("d,n", "31.12.20,1", "01.02.21,2"), {"d": V, "n": B}, [("31.12.20", 1)],
        ("may be %d.%m.%y or %y.%m.%d",)),
    "years of two digits, of one order": Habit(
        lines("d,n", "12/31/20,1", "01/02/21,2"), {"d": "DATE"}, said=("read as %m/%d/%y",)),
    "years of two digits beside words": Habit(
        lines("d,n", "31.12.99,1", "NA,2", "01.02.21,3"), {"d": "DATE"}, said=("'01.02.21' is 2021-02-01",)),
    "years of two digits, slashes and words": Habit(
        lines("d,n", "01/02/21,1", "NA,2", "03/04/21,3"), {"d": V}, [("01/02/21", 1)], ("its dates may be",)),
    "dates before all clocks": Habit(
        lines("d,n", "1600-01-01,1", "NA,2", "9999-12-31,3"), {"d": "DATE"}, said=("1 of 'NA' are NULL",)),
    "a word among numbers": Habit(
        lines("id,v", "1,2.5", "2,<0.5", "3,4"), {"v": V}, [(1, "2.5")],
        ("2 of its values are numbers, and 1 are not, such as '<0.5'; where these mean a missing value, state na=",)),
    "a word of Germany among decimal commas": Habit(
        lines("id;v", "1;2,5", "2;k. A.", "3;1.234,5"), {"v": V}, [(1, "2,5")],
        (r"2 of its values are numbers, and 1 are not, such as 'k\. A\.'.* or --na 'k\. A\.'",)),
    "a word among dates": Habit(
        lines("id,d", "1,31.12.2020", "2,offen", "3,01.02.2021"), {"d": V}, [(1, "31.12.2020")],
        ("2 of its values are dates, and 1 are not, such as 'offen'",)),
    "codes far from all values": Habit(
        lines("id,age", "1,33", "2,-99", "3,41", "4,-99", "5,50"), {"age": B}, [(1, 33), (2, -99)],
        (r"2 of -99 lie far from all other values.*missing=\{'age': \[-99\]\} of load, or --missing age=-99,",)),
    "yes and no of Germany": Habit(lines("id;raucht", "1;ja", "2;nein"), {"raucht": V}, [(1, "ja")]),
    "currency": Habit(lines("a,p", "1,€12.50", "2,€3.00"), {"p": V}, [(1, "€12.50")]),
    "a delimiter at the end": Habit(lines("a,b,", "1,2,", "3,4,"), {"a": B, "b": B, "column2": V}, [(1, 2, None)]),
    "nothing but a header": Habit(lines("a,b"), {"a": V, "b": V}),
    "dates of two orders": Habit(lines("d,n", "31/12/2020,1", "12/31/2020,2"), refused="line 2"),
    "ragged": Habit(lines("a,b,c", "1,2", "4,5,6"), refused="different numbers of values: line 1 has 3, line 2 has 2"),
    "empty": Habit("", refused="is empty"),
    "packed": Habit(b"PK\x03\x04", refused="unpack it first", name="t.zip"),
    "another kind": Habit("x", refused="this one's kind is unknown", name="t.docx"),
    "an encoding that there is not": Habit("a\n1\n", refused="no encoding 'utf-9'", options={"encoding": "utf-9"}),
    "Excel's errors": Habit(lines("a,v", "1,#DIV/0!", "2,#N/A", "3,4.5"), {"v": D}, [(1, None), (2, None), (3, 4.5)]),
    "no words at all": Habit(lines("a,v", "1,NA", "2,4"), {"v": V}, [(1, "NA")], options={"na": []}),
}  # fmt: skip


@pytest.mark.sampled(7)
@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS)
def test_every_habit_is_read_or_refused(db: Database, tmp_path: Path, habit: Habit) -> None:
    path = tmp_path / habit.name
    path.write_bytes(habit.text.encode() if isinstance(habit.text, str) else habit.text)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if habit.refused:
            with pytest.raises(imputedb.Error, match=habit.refused) as refused:
                db.load(str(path), **habit.options)
            assert "\n" not in str(refused.value)
            assert db.tables() == {}
            return
        db.load(str(path), **habit.options)
    types = db.tables()["t"]
    assert {name: types[name] for name in habit.types} == habit.types
    if habit.rows:
        width = len(habit.rows[0])
        names = list(habit.types) if len(habit.types) == width else list(types)[:width]
        columns = ", ".join(f'"{name}"' for name in names)
        assert db.execute(f"SELECT {columns} FROM t LIMIT {len(habit.rows)}") == habit.rows
    said = " ".join(str(one.message) for one in told)
    for words in habit.said:
        assert re.search(words, said), said
    if habit.said == () and habit.types.get("v") == V:
        assert "missing" not in said


@pytest.mark.sampled(10)
@pytest.mark.parametrize("habit", [one for one in HABITS.values() if not one.options and one.name[:2] == "t."])
def test_a_file_in_from_answers_as_the_table_that_it_is_loaded_into(db: Database, tmp_path: Path, habit: Habit) -> None:
    path = tmp_path / habit.name
    path.write_bytes(habit.text.encode() if isinstance(habit.text, str) else habit.text)
    if habit.refused and path.suffix == ".csv":
        with pytest.raises(imputedb.Error, match=habit.refused):
            db.sql(f"FROM '{path}'")
    if habit.refused:
        return
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        db.load(str(path))
    wanted = db.sql("FROM t", imputer="mean")
    found = db.sql(f"FROM read_csv('{path}')", imputer="mean")
    assert (found.columns, found.types) == (wanted.columns, wanted.types)
    assert repr(found.fetchall()) == repr(wanted.fetchall())
    assert len(found.report.notes) >= len(told)
    assert db.execute("SELECT table_name FROM duckdb_tables() WHERE temporary") == []


def test_what_is_declared_can_be_undone(db: Database, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(many("?", "Private", "State-gov"))
    with pytest.warns(UserWarning, match=r"40 of '\?' are declared missing"):
        db.load(str(tmp_path / "t.csv"))
    assert db.profile("t")[0].columns[1].missing == 40
    db.missing("t", "v", [])
    assert db.profile("t")[0].columns[1].missing == 0
    assert db.execute("SELECT count(*) FROM t WHERE v = '?'") == [(40,)]


def test_columns_of_one_name_are_told_apart_and_said(db: Database, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("# a study\nid;Score;score;SCORE\n1;2;3;4\n5;6;7;8\n")
    with pytest.warns(UserWarning, match=r"t\.score_1: several columns .* are called 'score'; .* at place 3") as told:
        db.load(str(tmp_path / "t.csv"))
    assert sum("several columns" in str(one.message) for one in told) == 2
    assert list(db.tables()["t"]) == ["id", "Score", "score_1", "SCORE_2"]


def test_words_are_stated_for_frames_too(db: Database) -> None:
    with pytest.warns(UserWarning, match=r"n: 1 of '-9' are declared missing.*"):
        db.register("t", {"v": ["1", "x", "2"], "n": [1, -9, 3], "w": ["a", "X", "b"]}, na=["x", "-9"])
    assert db.tables()["t"] == {"v": "BIGINT", "n": "BIGINT", "w": "VARCHAR"}
    assert [column.missing for column in db.profile("t")[0].columns] == [1, 1, 1]


def test_text_that_has_a_type_stays_text(db: Database, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('[{"zip": "12345", "v": "NA"}, {"zip": "99999", "v": "7"}]')
    db.load(str(tmp_path / "t.json"))
    assert db.execute("FROM t") == [("12345", "NA"), ("99999", "7")]
    with pytest.warns(UserWarning, match="1 of 'NA' are NULL"):
        db.load(str(tmp_path / "t.json"), na=["NA"], replace=True)
    assert db.execute("SELECT v FROM t") == [(None,), (7,)]


def test_warnings_point_to_the_line_that_loads(db: Database, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,v\n1,NA\n2,3\n")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        db.load(str(tmp_path / "t.csv"))
        db.register("q", {"v": ["1", "x"]}, na=["x"])
    assert [one.filename for one in told] == [__file__, __file__]


def test_folders_and_patterns_are_loaded(db: Database, tmp_path: Path) -> None:
    for name in ("a.csv", "b.tsv", "notes.md"):
        (tmp_path / name).write_text("x\n1\n")
    assert db.load(str(tmp_path)) == ["a", "b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(imputedb.StorageError, match="has no file that ends in"):
        db.load(str(tmp_path / "empty"))


NUMBERS = some.one_of(
    some.integers(-(10**18), 10**18).map(str),
    some.floats(allow_nan=False, allow_infinity=False).map(repr),
    some.decimals(-(10**6), 10**6, places=4).map(str),
    some.from_regex(r"0\d{3}", fullmatch=True),
)


@settings(max_examples=20, deadline=None)
@given(some.lists(NUMBERS, min_size=1, max_size=6), some.booleans())
def test_numbers_never_change_on_the_way_in(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], missing: bool
) -> None:
    path = tmp_path_factory.mktemp("n") / "t.csv"
    path.write_text(
        lines("id,v", *(f"{place},{value}" for place, value in enumerate([*values, *(["NA"] if missing else [])])))
    )
    with imputedb.connect() as db, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        db.load(str(path))
        found = [value for (value,) in db.execute("SELECT v FROM t ORDER BY id")][: len(values)]
    for text, value in zip(values, found, strict=True):
        assert (
            value == text
            if isinstance(value, str)
            else (float(value), len(str(value))) == (float(text), _digits(value, text))
        )


def _digits(value: object, text: str) -> int:
    """The length that a whole number has to have: no digit is lost, and no zero before it."""
    return len(text) if isinstance(value, int) else len(str(value))
