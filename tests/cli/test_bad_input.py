"""Odd files and wrong arguments: each command does its work, or says in a sentence of ours why it cannot."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from imputedb.cli.main import main
from imputedb.errors import Error, InternalError

FILES: dict[str, bytes] = {
    "empty.csv": b"", "head.csv": b"a,b\n", "one.csv": b"a,b\n1,2\n", "allna.csv": b"a,b\n,\n,\n",
    "nona.csv": b"a,b\n1,2\n3,4\n", "dup.csv": b"a,a\n1,2\n3,\n", "uni.csv": "größe,名前\n1,x\n,ü\n".encode(),
    "huge.csv": b"a\n123456789012345678901234567890\n\n1\n", "inf.csv": b"a,b\ninf,1\nNaN,2\n3,3\n",
    "latin.csv": b"a,b\n1,caf\xe9\n2,x\n", "bom.csv": b"\xef\xbb\xbfa,b\n1,2\n", "crlf.csv": b"a,b\r\n1,2\r\n3,\r\n",
    "quote.csv": b'a,b\n"x, ""y""",1\n"z\nw",\n', "semi.csv": b"a;b\n1,5;2\n", "ragged.csv": b"a,b\n1,2\n1,2,3\n",
    "utf16.csv": "a,b\n1,2\n".encode("utf-16"), "nul.csv": b"a,b\n1,\x00\n", "space name.csv": b"a b,c\n1,\n2,3\n",
    "select.csv": b"a,b\n1,2\n", "bin.parquet": b"PAR1xxxx", "bad.json": b"{", "x.xlsx": b"PK", "noext": b"a\n1\n",
    'quo"te.csv': b"a\n1\n", "1num.csv": b"a\n1\n", "mixed.csv": b"a,b\n1,caf\xc3\xa9\n2,caf\xe9\n",
    "ctrl.csv": b"a\x01,b\n1,2\n", "long.csv": b"a" * 3000 + b"\n1\n",
}  # fmt: skip

REFUSED = {
    "empty.csv",
    "ragged.csv",
    "bin.parquet",
    "bad.json",
    "x.xlsx",
    "noext",
}

WRONG: list[tuple[str, ...]] = [
    ("load", "DB", "none.csv"), ("load", "DB", "."), ("load", ":memory:", "one.csv"), ("load", "one.csv", "one.csv"),
    ("load", "none/x.duckdb", "one.csv"), ("load", "DB", "crlf.csv"), ("load", "DB", "one.csv", "--missing", "a"),
    ("load", "DB", "one.csv", "--missing", "zz=1"), ("load", "DB", "one.csv", "nona.csv", "--table", "q"),
    ("demo", "none/x.duckdb"), ("query", "DB", ""),
    ("query", "DB", ";"), ("query", "DB", "SELECT 1; SELECT 2"), ("query", "DB", "SELEC 1"),
    ("query", "DB", "SELECT * FROM none"), ("query", "none.duckdb", "SELECT 1"), ("query", "DB", "SELECT ?"),
    ("query", "DB", "SELECT 1", "--output", "."), ("query", "DB", "SELECT 1", "--output", "x.doc"),
    ("query", "DB", "SELECT 1", "--output", "none/x.csv"), ("query", "DB", "SELECT 1", "--alpha", "2"),
    ("query", "DB", "SELECT 1", "--alpha", "nan"), ("query", "DB", "SELECT 1", "--m", "x"),
    ("query", "DB", "SELECT 1", "--imputer", "nope"), ("query", "DB", "SELECT 1", "--imputer", ""),
    ("query", "DB", "SELECT ?", "--param", "1", "--param", "2"), ("query", "DB", "SELECT 1", "--level", "3"),
    ("query", "DB", "SELECT 1", "--format", "parquet"), ("query", "DB", "SELECT 1", "--measure", "none"),
    ("explain", "DB", "DROP TABLE crlf"), ("impute", "DB", "none", "--out", "z"),
    ("impute", "DB", "crlf", "--out", "one.csv"),
    ("impute", "DB", "crlf", "--out", "z", "--m", "0"), ("impute", "DB", "crlf", "--out", "z", "--columns", "zz"),
    ("impute", "DB", "crlf", "--out", "z", "--columns", ""), ("impute", "DB", "crlf", "--out", "z", "--columns", "a"),
    ("impute", "DB", "crlf", "--out", "z", "--imputer", "drop"), ("analyze", ".", "a ~ b"),
    ("report", ".", "--out", "r.html"),
    ("pool", "one.csv"), ("pool", "none.csv"), ("pool", "bin.parquet"), ("evaluate", "DB", "none"),
    ("evaluate", "DB", "crlf", "--share", "2"), ("evaluate", "DB", "crlf", "--by", "zz"),
    ("evaluate", "DB", "crlf", "--column", "zz"), ("evaluate", "DB", "crlf", "--chart", "c.gif"),
    ("why", "DB", "crlf", "b", "99"), ("why", "DB", "crlf", "zz", "1"), ("why", "DB", "crlf", "b", "1", "-k", "0"),
    ("why", "DB", "crlf", "b", "1", "--metric", "zz"), ("profile", "DB", "none"), ("shell", "none/x.duckdb"),
]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(*arguments: str) -> tuple[BaseException | None, str]:
    found = CliRunner().invoke(main, ["a.duckdb" if one == "DB" else one for one in arguments])
    return (None if isinstance(found.exception, SystemExit) else found.exception), found.output


def check(arguments: Sequence[str]) -> BaseException | None:
    error, _ = ran(*arguments)
    assert error is None or (isinstance(error, Error) and not isinstance(error, InternalError)), repr(error)
    for word in ("Error: ", "please report", "Traceback", "LINE 1"):
        assert word not in str(error), str(error)
    return error


@pytest.mark.sampled(8)
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("file", FILES)
def test_a_file_is_loaded_and_used_or_refused_in_a_sentence(file: str) -> None:
    refused = check(("load", "DB", file))
    assert (refused is not None) == (file in REFUSED), refused
    if refused is None:
        name = Path(file).stem
        quoted = name.replace('"', '""')
        commands = [
            ("profile", "DB", name),
            ("query", "DB", f'SELECT * FROM "{quoted}"'),
            ("query", "DB", f'SELECT count(*) FROM "{quoted}"', "--m", "3"),
            ("impute", "DB", name, "--out", "run", "--m", "2"),
            ("evaluate", "DB", name, "--imputer", "mean"),
        ]
        for command in commands:
            check(command)


@pytest.mark.usefixtures("here")
def test_every_wrong_argument_is_refused_in_a_sentence() -> None:
    assert check(("load", "DB", "crlf.csv", "nona.csv")) is None
    for arguments in WRONG:
        error = check(arguments)
        assert error is not None, arguments
        assert str(error)[0].islower() or not str(error)[0].isalpha() or str(error).startswith(("Table", "Referenced"))
