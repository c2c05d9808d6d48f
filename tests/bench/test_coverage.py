"""The design grid of coverage: its worlds, its file, its verdicts, and one replication."""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.coverage.design import MECHANISMS, PATTERNS, RELEASE, WORLDS, chosen
from benchmarks.coverage.judging import judged, passes, verdicts
from benchmarks.coverage.quantities import HAVING, NAMES, asked, numbers, population, registered
from benchmarks.coverage.report import write
from benchmarks.coverage.study import Job, append, recovered, replicated
from benchmarks.coverage.tables import THRESHOLDS, complete, holes, pierced
from imputedb import Database

ROOT = Path(__file__).resolve().parents[2]
FACTORS = ("distribution", "rows", "join", "pattern", "mechanism")


def test_design_is_balanced() -> None:
    assert len({tuple(getattr(world, factor) for factor in FACTORS) for world in WORLDS}) == len(WORLDS) == 64
    assert [world.number for world in WORLDS] == list(range(1, 65))
    for one, other in itertools.combinations(FACTORS, 2):
        levels = [{getattr(world, factor) for world in WORLDS} for factor in (one, other)]
        counts = Counter((getattr(world, one), getattr(world, other)) for world in WORLDS)
        found = [counts[pair] for pair in itertools.product(*levels)]
        assert max(found) - min(found) <= 2, (one, other)


def test_release_has_every_level() -> None:
    twelve = chosen("release")
    assert len(twelve) == len(set(RELEASE)) == 12
    for factor in FACTORS:
        counts = Counter(getattr(world, factor) for world in twelve)
        assert set(counts) == {getattr(world, factor) for world in WORLDS}, factor
        assert max(counts.values()) - min(counts.values()) <= 1, factor


def test_worlds_are_chosen_by_number() -> None:
    assert [world.number for world in chosen("3,60-62,3")] == [3, 60, 61, 62]
    assert chosen("all") == WORLDS
    for wrong in ("0", "65", "x", "5-2", ""):
        with pytest.raises(ValueError, match=r".+"):
            chosen(wrong)


@pytest.mark.parametrize("world", WORLDS[::9], ids=str)
def test_tables_are_what_the_world_says(world) -> None:  # type: ignore[no-untyped-def]
    large = replace(world, rows=60_000)
    t, u = complete(large, np.random.default_rng(0))
    assert len(u["tid"]) == (120_000 if world.join == "1:n" else 60_000)
    gone = holes(large, t, np.random.default_rng(1))
    assert gone["y"].mean() == pytest.approx(world.share, abs=0.01)
    apart = {"apart": world.share**2 / 2, "blocks": world.share, "monotone": world.share * 2 / 3}[world.pattern]
    if world.mechanism.startswith("MCAR"):
        assert (gone["y"] & gone["c"]).mean() == pytest.approx(apart, abs=0.01)
        assert abs(np.corrcoef(gone["y"], t["a"])[0, 1]) < 0.02
    else:
        assert np.corrcoef(gone["y"], t["a"])[0, 1] > 0.3
    if world.pattern == "monotone":
        assert (gone["x"] <= gone["c"]).all()
        assert (gone["c"] <= gone["y"]).all()
    with_holes = pierced(t, gone)
    assert np.isnan(with_holes["y"]).sum() == gone["y"].sum()
    assert sum(value is None for value in with_holes["c"]) == gone["c"].sum()
    assert 0.02 < (t["y"] > THRESHOLDS[world.distribution]).mean() < 0.45


def test_every_pattern_and_mechanism_has_a_world() -> None:
    assert {(w.pattern, w.mechanism) for w in WORLDS} == set(itertools.product(PATTERNS, MECHANISMS))


def test_population_is_what_formulas_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.coverage import quantities

    monkeypatch.setattr(quantities, "POPULATION_ROWS", 100_000)
    world = next(w for w in WORLDS if (w.distribution, w.join, w.rows) == ("normal", "1:n", 50))
    truth = population(world)
    assert set(truth) == set(NAMES)
    _, u = complete(world, np.random.default_rng(0))
    assert truth["SUM"] == pytest.approx(truth["AVG"] * len(u["tid"]))
    assert truth["COUNT"] == pytest.approx(truth["share"] * len(u["tid"]))
    assert truth["AVG"] == pytest.approx(2.0, abs=0.02)  # 1.6 + .4 E(code), E(code) = 1 by symmetry
    assert truth[HAVING] == truth["group"]
    assert truth["ratio"] == pytest.approx(2 / 3, abs=0.01)


def test_answers_are_duckdbs_on_the_complete_tables(db: Database) -> None:
    world = next(w for w in WORLDS if (w.distribution, w.join, w.rows) == ("ordinal", "1:n", 200))
    t, u = complete(world, np.random.default_rng(0))
    registered(db, t, u)
    found = numbers(db, world)
    y = t["y"][u["tid"]]
    assert set(found) == {*asked(world), HAVING}
    assert "quantile" not in found
    assert found["AVG"] == pytest.approx(y.mean())
    assert found["CORR"] == pytest.approx(np.corrcoef(t["x"][u["tid"]], y)[0, 1])
    assert found["difference"] == pytest.approx(y[t["c"][u["tid"]] == "r"].mean() - y[t["c"][u["tid"]] == "p"].mean())


# -- verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replications", [1, 20, 100, 400, 2000])
def test_pass_rule_at_its_edge(replications: int) -> None:
    def tail(covered: int) -> float:
        chances = (math.comb(replications, k) * 0.93**k * 0.07 ** (replications - k) for k in range(covered + 1))
        return math.fsum(chances)

    edge = next(covered for covered in range(replications + 1) if passes(covered, replications))
    if replications <= 400:
        assert tail(edge) >= 0.01
        assert edge == 0 or tail(edge - 1) < 0.01
    assert all(passes(covered, replications) for covered in range(edge, replications + 1))
    assert edge / replications < 0.93
    assert edge / replications > 0.915 or replications < 2000


def _lines(covers: list[int], warned: list[bool], method: str = "norm", width: float = 1.0) -> list[dict]:  # type: ignore[type-arg]
    return [
        {
            "world": 1,
            "replication": number,
            "method": method,
            "draws": 20,
            "seconds": 1.0,
            "commit": "abc123",
            "warnings": {"population": ["y: few donors"] if warns else [], "answer": []},
            "population": {"AVG": [held, 0.1, width]},
            "answer": {"AVG": None if number == 0 else [1, 0.1, width]},
        }
        for number, (held, warns) in enumerate(zip(covers, warned, strict=True))
    ]


def test_a_cell_below_ninety_that_does_not_warn_is_silent() -> None:
    bad = [1] * 80 + [0] * 20
    for warnings, silent in (([False] * 100, 1), ([True] * 49 + [False] * 51, 1), ([True] * 50 + [False] * 50, 0)):
        population, answer = verdicts(judged(_lines(bad, warnings)))
        assert (population.below, population.silent, population.passing) == (1, silent, 0.0)
        assert math.isnan(population.alarms)
        assert (answer.below, answer.passing, answer.over) == (0, 1.0, 1)
        assert answer.alarms == 0  # what is said of a population is not said of the answer


def test_numbers_without_intervals_are_counted_apart_and_widths_are_held_against_aipw() -> None:
    lines = _lines([1] * 50, [False] * 50, width=3.0) + _lines([1] * 50, [False] * 50, "aipw", 2.0)
    cells = {(cell.method, cell.about): cell for cell in judged(lines)}
    assert (cells["norm", "answer"].replications, cells["norm", "answer"].without) == (49, 1)
    assert {one.method: one.wider for one in verdicts(judged(lines)) if one.about == "answer"} == {
        "norm": 1.5,
        "aipw": 1.0,
    }


# -- the file --------------------------------------------------------------------------------------------------------


def test_a_torn_line_is_cut_away_and_the_rest_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert recovered(path) == []
    append(path, _lines([1, 0], [False, False]))
    whole = path.read_bytes()
    for cut in (1, 5, len(whole) // 3):
        path.write_bytes(whole + whole[:cut])
        assert [line["replication"] for line in recovered(path)] == [0, 1]
        assert path.read_bytes() == whole
    append(path, _lines([1], [True]))
    assert len(recovered(path)) == 3


def test_lines_whose_warnings_have_no_question_are_run_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append(path, [{**_lines([1], [True])[0], "warnings": ["y: few donors"]}, *_lines([0], [False])])
    assert [line["population"]["AVG"][0] for line in recovered(path)] == [0]


def test_cells_below_ninety_without_a_warning_are_named(tmp_path: Path) -> None:
    write(_lines([1] * 80 + [0] * 20, [False] * 100), tmp_path, "")
    named = (tmp_path / "coverage_grid.md").read_text()
    assert f"| norm | population | 1: {WORLDS[0]} | AVG 80 (4) | 0.00 |" in named


def _command(path: Path, out: Path) -> list[str]:
    options = ["--worlds", "1", "--replications", "4", "--imputers", "norm", "--draws", "2", "--jobs", "1"]
    return [sys.executable, "-m", "benchmarks.coverage", *options, "--beside", "aipw",
            "--rows", str(path), "--out", str(out)]  # fmt: skip


@pytest.mark.nightly
def test_a_killed_run_goes_on_and_gives_what_an_unbroken_one_gives(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    first = subprocess.Popen(_command(path, tmp_path), cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    while not path.exists() or path.read_bytes().count(b"\n") < 3:
        assert first.poll() is None
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = recovered(path)
    assert 3 <= len(before) < 8
    subprocess.run(_command(path, tmp_path), cwd=ROOT, check=True, capture_output=True)
    after = recovered(path)
    assert after[: len(before)] == before
    assert sorted((line["replication"], line["method"]) for line in after) == sorted(
        itertools.product(range(4), ("norm", "aipw"))
    )
    unbroken = replicated(Job(WORLDS[0], 3, ("norm", "aipw"), 2, {}))
    resumed = {line["method"]: line["answer"] for line in after if line["replication"] == 3}
    assert {line["method"]: json.loads(json.dumps(line["answer"])) for line in unbroken} == resumed
    assert "Worlds: 1 of 64 (1)" in (tmp_path / "coverage_grid.md").read_text()


# -- replications ----------------------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_one_replication_by_every_method_and_its_report(tmp_path: Path) -> None:
    world = next(w for w in WORLDS if (w.distribution, w.join, w.rows) == ("normal", "1:1", 1000))
    methods = ("norm", "aipw", "complete cases", "single")
    truths = dict.fromkeys(NAMES, 0.0)
    lines = replicated(Job(world, 0, methods, 5, truths, "abc123"))
    assert [line["method"] for line in lines] == list(methods)
    for line in lines:
        wanted = {"AVG", "SUM", "share"} if line["method"] == "aipw" else set(NAMES)
        for about in ("population", "answer"):
            assert set(line[about]) == wanted
            assert all(cell is not None and cell[2] > 0 for cell in line[about].values()), (line["method"], about)
    norm, complete_cases = lines[0], lines[2]
    assert norm["answer"]["AVG"][2] < norm["population"]["AVG"][2]
    assert complete_cases["answer"]["AVG"][2] == complete_cases["population"]["AVG"][2]
    pytest.importorskip("matplotlib")
    write(lines, tmp_path, "A note.")
    text = (tmp_path / "coverage_grid.md").read_text()
    assert f"Worlds: 1 of 64 ({world.number}). Replications a world: norm 1, aipw 1" in text
    assert "Commit: abc123" in text
    assert (
        "a cell passes from 1 covered on (100%)" not in text
    )  # one miss of one is no surprise at 93 %: 7 % of the time
    assert (tmp_path / "coverage_grid.png").stat().st_size > 10_000


def test_a_method_that_refuses_is_said_and_skipped() -> None:
    world = next(w for w in WORLDS if (w.join, w.rows) == ("1:n", 50))
    (line,) = replicated(Job(world, 0, ("aipw",), 5, {}))
    assert "the join repeats rows" in line["refused"]
    assert judged([line]) == []


@pytest.mark.nightly
def test_tables_completed_by_others_are_pooled_by_rubins_rules(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.coverage import methods

    world = next(w for w in WORLDS if (w.distribution, w.join, w.rows) == ("normal", "1:1", 200))
    t, u = complete(world, np.random.default_rng(0))
    tables = [{**t, "y": t["y"] + shift} for shift in (-0.1, 0.0, 0.4)]
    monkeypatch.setattr(methods, "_by_mice", lambda _: tables)
    one = methods.mice(methods.Task(db, world, t, u, 0, 3)).estimates["AVG"]
    assert one is not None
    assert one.estimate == pytest.approx(t["y"].mean() + 0.1)
    variance = t["y"].var(ddof=1) / 200 + (1 + 1 / 3) * np.var([-0.1, 0.0, 0.4], ddof=1)
    assert one.se == pytest.approx(np.sqrt(variance))
