"""Files of other programs: workbooks, SPSS, Stata, R; what they declare missing arrives declared."""

import sys
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pandas as pd
import pytest

import imputedb
from imputedb import Database


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    """A workbook of the least parts that make one."""
    names = list(sheets)
    main, kinds = "http://schemas.openxmlformats.org", "application/vnd.openxmlformats-officedocument.spreadsheetml"
    related = f"{main}/officeDocument/2006/relationships"
    with zipfile.ZipFile(path, "w") as file:
        overrides = "".join(
            f'<Override PartName="/xl/worksheets/s{place}.xml" ContentType="{kinds}.worksheet+xml"/>'
            for place in range(len(names))
        )
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{main}/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>{overrides}</Types>',
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{main}/package/2006/relationships"><Relationship Id="r" '
            f'Type="{related}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(f'<sheet name="{name}" sheetId="{i + 1}" r:id="r{i}"/>' for i, name in enumerate(names))
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}/spreadsheetml/2006/main" xmlns:r="{related}">'
            f"<sheets>{listed}</sheets></workbook>",
        )
        targets = "".join(
            f'<Relationship Id="r{i}" Type="{related}/worksheet" Target="worksheets/s{i}.xml"/>'
            for i in range(len(names))
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{main}/package/2006/relationships">{targets}</Relationships>',
        )
        for place, rows in enumerate(sheets.values()):
            file.writestr(
                f"xl/worksheets/s{place}.xml",
                f'<worksheet xmlns="{main}/spreadsheetml/2006/main"><sheetData>{_rows(rows)}</sheetData></worksheet>',
            )


def _rows(rows: list[list[object]]) -> str:
    text = ""
    for number, row in enumerate(rows, 1):
        cells = ""
        for place, value in enumerate(row):
            at = f"{chr(65 + place)}{number}"
            if isinstance(value, str):
                cells += f'<c r="{at}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
            elif value is not None:
                cells += f'<c r="{at}"><v>{value}</v></c>'
        text += f'<row r="{number}">{cells}</row>'
    return text


SHEET: list[list[object]] = [
    ["Figures of 2020"],
    [],
    ["id", "age", "city", "city"],
    [1, 33, "Rome", "x"],
    [2, "NA", "Oslo", None],
    [3, 41.5, None, "y"],
]


def test_workbooks_are_read_from_their_titles_down(db: Database, tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    workbook(tmp_path / "t.xlsx", {"Data": SHEET, "Notes": [["n"], [1]]})
    with pytest.warns(UserWarning, match="sheet") as told:
        db.load(str(tmp_path / "t.xlsx"))
    assert db.tables()["t"] == {"id": "BIGINT", "age": "DOUBLE", "city": "VARCHAR", "city_1": "VARCHAR"}
    assert db.execute("FROM t") == [(1, 33.0, "Rome", "x"), (2, None, "Oslo", None), (3, 41.5, None, "y")]
    said = " ".join(str(one.message) for one in told)
    for words in ("sheet 'Data' was read, and not 'Notes'", "1 rows above the titles", "1 of 'NA' are NULL"):
        assert words in said
    db.load(str(tmp_path / "t.xlsx"), sheet="Notes", table="n")
    assert db.execute("FROM n") == [(1,)]
    with pytest.raises(imputedb.DataError, match="no sheet 'Other'; there are 'Data', 'Notes'"):
        db.load(str(tmp_path / "t.xlsx"), sheet="Other", table="o")
    (tmp_path / "broken.xlsx").write_bytes(b"PK no workbook")
    with pytest.raises(imputedb.StorageError, match=r"broken\.xlsx cannot be read as a workbook"):
        db.load(str(tmp_path / "broken.xlsx"))


def test_codes_that_spss_declares_missing_arrive_declared(db: Database, tmp_path: Path) -> None:
    writer = pytest.importorskip("pyreadstat")
    writer.write_sav(
        pd.DataFrame({"id": [1, 2, 3, 4], "income": [1200.0, 97.0, 99.0, None], "sex": [1.0, 2.0, 1.0, 2.0]}),
        str(tmp_path / "t.sav"),
        column_labels={"income": "Monthly income"},
        variable_value_labels={"income": {97: "Refused", 99: "Don't know"}, "sex": {1: "man", 2: "woman"}},
        missing_ranges={"income": [97, {"lo": 98, "hi": 99}]},
    )
    with pytest.warns(UserWarning, match=r"declares missing 97 \(Refused\), 99 \(Don't know\)"):
        db.load(str(tmp_path / "t.sav"))
    assert db.execute("SELECT income FROM t") == [(1200,), (97,), (99,), (None,)]
    assert [(one.name, one.missing, one.codes) for one in db.profile("t")[0].columns][1] == ("income", 3, ("97", "99"))
    comments = dict(db.execute("SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 't'"))
    assert comments["income"] == "Monthly income; 97 = Refused; 99 = Don't know"
    assert comments["sex"] == "1 = man; 2 = woman"


def test_letters_of_stata_are_counted(db: Database, tmp_path: Path) -> None:
    writer = pytest.importorskip("pyreadstat")
    writer.write_dta(
        pd.DataFrame({"v": [1.0, "a", "b", "a", 2.0]}, dtype=object),
        str(tmp_path / "t.dta"),
        missing_user_values={"v": ["a", "b"]},
        variable_value_labels={"v": {"a": "Refused"}},
    )
    with pytest.warns(UserWarning, match=r"2 of \.a.*, 1 of \.b are NULL"):
        db.load(str(tmp_path / "t.dta"))
    assert db.execute("SELECT v FROM t ORDER BY v") == [(1,), (2,), (None,), (None,), (None,)]


def test_data_frames_of_r_keep_their_factors(db: Database, tmp_path: Path) -> None:
    writer = pytest.importorskip("pyreadr")
    writer.write_rds(str(tmp_path / "t.rds"), pd.DataFrame({"x": [1.5, None], "g": ["a", "NA"]}))
    db.load(str(tmp_path / "t.rds"))
    assert db.execute("SELECT x, g FROM t") == [(1.5, "a"), (None, "NA")]
    (tmp_path / "u.rds").write_bytes(b"no file of R")
    with pytest.raises(imputedb.StorageError, match=r"u\.rds cannot be read as a file of R"):
        db.load(str(tmp_path / "u.rds"))


def test_what_is_not_installed_is_named(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("python_calamine", "pyreadstat", "pyreadr"):
        monkeypatch.setitem(sys.modules, package, None)
    for suffix, extra in ((".xlsx", "excel"), (".sav", "stats"), (".rds", "r")):
        (tmp_path / f"t{suffix}").write_bytes(b"x")
        with pytest.raises(imputedb.DataError, match=rf"pip install 'imputedb\[{extra}\]'"):
            db.load(str(tmp_path / f"t{suffix}"))
