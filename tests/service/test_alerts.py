"""Alerts name metrics that there are, lead to runbooks that there are, and sound when they must and only then."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from imputedb.service.metrics.names import METRICS

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
TEXT = ALERTS.read_text(encoding="utf-8")


def test_alerts_name_metrics_that_there_are() -> None:
    known = {one.name for one in METRICS} | {"imputedb_alerts_firing"}
    named = set(re.findall(r"\bimputedb_[a-z_]+", TEXT))
    assert {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in named} <= known
    assert len(named) > 10


def test_labels_are_those_of_the_metrics() -> None:
    labels = {one.name: set(one.labels) | {"le"} for one in METRICS}
    used = re.findall(r"(imputedb_[a-z_]+)\{([^}]*)\}", TEXT)
    for name, inside in used:
        assert set(re.findall(r"(\w+)=", inside)) <= labels[re.sub(r"_(total|bucket)$", "", name)], name
    assert used


def test_every_alert_leads_to_its_runbook() -> None:
    runbooks = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", TEXT)
    assert alerts == re.findall(r"(?m)^## (\w+)$", runbooks)
    assert [one.lower() for one in alerts] == re.findall(r"runbook: docs/runbooks\.md#(\w+)", TEXT)
    sections = runbooks.split("\n## ")[1:]
    assert all(f"*{word}*" in section for section in sections for word in ("Seen", "Check", "Mend", "Verify"))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian's prometheus) is not installed")
@pytest.mark.parametrize("command", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]])
def test_alerts_sound_when_they_must_and_only_then(command: list[str]) -> None:
    found = subprocess.run(["promtool", *command], cwd=ALERTS.parent, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stdout + found.stderr
