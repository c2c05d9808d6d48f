"""`python -m benchmarks.paper`, a little of it, on tables made up here."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

CHECKOUT = Path(__file__).parents[2]
Ran = subprocess.CompletedProcess[str]

GENERATOR = """
import sys, numpy as np, pyarrow as pa, pyarrow.parquet as pq
rng = np.random.default_rng(0); n = int(sys.argv[2])
columns = {f"c{i}": pa.array(rng.integers(0, 50, n), mask=rng.random(n) < 0.4) for i in range(12)}
pq.write_table(pa.table(columns), sys.argv[1] + "/acs_like.parquet")
"""
QUERIES = """SELECT income, AVG(height) FROM demo, exams WHERE demo.id = exams.id AND weight >= 60 GROUP BY income;
SELECT gender, AVG(commutetime) FROM fcc, gdp WHERE fcc.countrycitizen = gdp.country GROUP BY gender;
"""


def run(*arguments: str) -> Ran:
    command = [sys.executable, "-m", "benchmarks.paper", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=CHECKOUT)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper") / "data"
    folder.mkdir()
    rng = np.random.default_rng(3)
    n = 300
    weight = rng.normal(70, 12, n).round()
    tables = {
        "demo": {"id": np.arange(n), "income": rng.integers(1, 4, n), "age": rng.integers(1, 80, n)},
        "exams": {"id": np.arange(n), "weight": weight, "height": (100 + weight + rng.normal(0, 5, n)).round()},
        "labs": {"id": np.arange(n), "cholesterol": rng.integers(100, 300, n), "albumin": rng.integers(1, 9, n)},
        "fcc": {
            "index": np.arange(n),
            "countrycitizen": rng.integers(0, 5, n),
            "gender": rng.integers(290, 293, n),
            "commutetime": rng.integers(0, 90, n),
            "age": rng.integers(18, 60, n),
        },
        "gdp": {"index": np.arange(5), "country": np.arange(5), "gdp_per_capita": np.arange(5) * 100},
    }
    complete = {"id", "index", "age", "country", "gdp_per_capita"}
    for name, columns in tables.items():
        lines = [",".join(columns)]
        for row in range(len(next(iter(columns.values())))):
            cells = ("" if c not in complete and rng.random() < 0.15 else f"{v[row]:g}" for c, v in columns.items())
            lines.append(",".join(cells))
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (folder / "paper_queries.sql").write_text(QUERIES)
    (folder / "paper_queries_count.sql").write_text(QUERIES.replace("AVG", "COUNT"))
    (folder / "make_acs_like.py").write_text(GENERATOR)
    return folder


@pytest.fixture(scope="module")
def results(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    ran = run("--data", str(data), "--out", str(out), "--quick")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{out / 'report.html'}\n"
    assert ran.stderr == ""
    return out


@pytest.mark.nightly
def test_every_part_leaves_data_tables_and_figures(results: Path) -> None:
    for name in ("figure5", "table5", "figure6", "mean", "planning", "large", "truth"):
        told = json.loads((results / f"{name}.json").read_text())
        assert told["data"]
        assert told["facts"]["cores"]
        assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (results / f"{name}.svg").read_text()
        assert list(results.glob(f"{name}*.csv"))
    assert not [path for path in results.iterdir() if path.name.startswith(".")]


@pytest.mark.nightly
def test_the_page_stands_alone_and_judges_the_targets(results: Path) -> None:
    page = (results / "report.html").read_text()
    assert len(re.findall(r'src="data:image/png;base64,', page)) == 7
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "alpha 0 at least 10 times faster" in page
    assert "not measured" in page  # no figures of the original are here
    text = (results / "report.md").read_text()
    assert "![Table 5: answers against base tables](table5.png)" in text


@pytest.mark.nightly
def test_answers_are_judged_for_every_method(results: Path) -> None:
    told = json.loads((results / "truth.json").read_text())["data"]
    assert {cell["source"] for cell in told["cells"]} == {"real", "as text", "linear"}
    wanted = {"complete cases"} | {
        f"{i}, {s}" for i in ("tree", "tree, 5 draws") for s in ("alpha 0", "alpha 0.5", "alpha 1", "base tables")
    }
    for cell in told["cells"]:
        assert set(cell["methods"]) == wanted
        for found in cell["methods"].values():
            assert 0 <= found["errors"][0] <= 100


@pytest.mark.nightly
def test_one_part_is_made_anew_and_the_others_stay(data: Path, results: Path) -> None:
    before = {path.name: path.read_bytes() for path in results.glob("*.json")}
    ran = run("--data", str(data), "--out", str(results), "--quick", "--only", "figure6")
    assert ran.returncode == 0, ran.stderr
    after = {path.name: path.read_bytes() for path in results.glob("*.json")}
    assert {name for name in after if after[name] != before[name]} <= {"figure6.json"}
    assert "Table 5" in (results / "report.html").read_text()


def test_a_part_leaves_data_tables_and_figures(data: Path, tmp_path: Path) -> None:
    ran = run("--data", str(data), "--out", str(tmp_path), "--quick", "--only", "figure6")
    assert ran.returncode == 0, ran.stderr
    assert json.loads((tmp_path / "figure6.json").read_text())["facts"]["cores"]
    assert (tmp_path / "figure6.png").read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.glob("figure6*.csv"))


def test_what_is_not_there_is_skipped_by_name(tmp_path: Path) -> None:
    ran = run("--out", str(tmp_path), "--quick", "--only", "table5")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == "skipped table5: no paper_queries.sql (no --data was given)\n"
    assert "no paper_queries.sql" in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "table5.json").exists()


@pytest.mark.nightly
def test_tables_that_are_absent_are_told_of(tmp_path: Path) -> None:
    ran = run("--out", str(tmp_path), "--quick", "--only", "truth")
    assert ran.returncode == 0, ran.stderr
    assert json.loads((tmp_path / "truth.json").read_text())["data"]["absent"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "/nowhere", "--out", "OUT"], "error: no folder /nowhere"),
        (["--out", "OUT", "--reference", "/nowhere"], "error: no folder /nowhere"),
        (["--out", "/proc/nothing"], "error: cannot write /proc/nothing"),
        (["--out", "OUT", "--only", "figure7"], "error: no experiment 'figure7'; there are figure5, table5"),
        ([], "Missing option '--out'"),
    ],
)
def test_mistakes_are_named(arguments: list[str], said: str, tmp_path: Path) -> None:
    ran = run(*(str(tmp_path) if a == "OUT" else a for a in arguments))
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_result_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "table5.json").write_text("{")
    ran = run("--out", str(tmp_path), "--quick", "--only", "figure6")
    assert ran.returncode == 1
    assert f"cannot read {tmp_path / 'table5.json'}" in ran.stderr


@pytest.mark.nightly
def test_ctrl_c_stops_without_leftovers(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.paper", "--data", str(data), "--out", str(tmp_path)]
    with subprocess.Popen([*command, "--only", "truth"], stderr=subprocess.PIPE, text=True, cwd=CHECKOUT) as running:
        time.sleep(4)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert said.strip() in ("", "interrupted")
    assert list(tmp_path.iterdir()) == []
